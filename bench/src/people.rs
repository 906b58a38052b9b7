//! Numbers as people read them.

/// With groups of three digits when large, with decimals when small.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return fixed(value);
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

/// With as many decimals as its size deserves.
pub fn fixed(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded_for_people() {
        let texts = [0.0, 0.0123, 1.234, 99.96, 100.4, 1_000.0, 1_234_567.8, -4_321.0].map(number);
        assert_eq!(texts, ["0", "0.0123", "1.23", "99.96", "100", "1 000", "1 234 568", "-4 321"]);
    }
}
