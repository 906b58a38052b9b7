//! Two texts, and the lines in which they differ.

/// Lines around a difference that are shown with it.
const AROUND: usize = 2;
/// The most lines of either side that are shown.
const LINES_MAX: usize = 40;

/// The lines in which two texts differ, `-` for the first and `+` for the second, with a few that are the same around.
pub fn difference(first: &str, second: &str) -> String {
    let (first, second): (Vec<&str>, Vec<&str>) = (first.lines().collect(), second.lines().collect());
    let begin = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
    let most = first.len().min(second.len()) - begin;
    let tail = first.iter().rev().zip(second.iter().rev()).take(most).take_while(|(one, other)| one == other).count();
    let mut text = String::new();
    let mut show = |mark: &str, lines: &[&str]| {
        for line in lines.iter().take(LINES_MAX) {
            text.push_str(&format!("{mark} {line}\n"));
        }
        if let Some(more) = lines.len().checked_sub(LINES_MAX).filter(|more| *more > 0) {
            text.push_str(&format!("{mark} … {more} more lines\n"));
        }
    };
    show(" ", &first[begin.saturating_sub(AROUND)..begin]);
    show("-", &first[begin..first.len() - tail]);
    show("+", &second[begin..second.len() - tail]);
    let after = first.len() - tail;
    show(" ", &first[after..(after + AROUND).min(first.len())]);
    text
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn only_the_lines_that_differ_are_shown_with_a_few_around() {
        let (first, second) = ("a\nb\nc\nd\ne\nf\ng", "a\nb\nc\nX\nY\ne\nf\ng");
        assert_eq!(difference(first, second), "  b\n  c\n- d\n+ X\n+ Y\n  e\n  f\n");
        assert_eq!(difference("a", ""), "- a\n");
        assert_eq!(difference("a\na", "a\na\na"), "  a\n  a\n+ a\n");
    }

    #[test]
    fn a_long_difference_is_cut_and_says_so() {
        let long = "x\n".repeat(50);
        let text = difference(&long, "");
        assert!(text.ends_with("- … 10 more lines\n"), "{text}");
    }
}
