//! Two texts, and the lines in which they differ.

/// Lines around a difference that are shown with it.
const AROUND: usize = 2;
/// The most lines of either side that are shown.
pub(crate) const LINES_MAX: usize = 40;

/// How many of the first and how many of the last are the same in both; nothing counts twice.
pub(crate) fn in_common<T: PartialEq>(one: &[T], other: &[T]) -> (usize, usize) {
    let begin = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let rest = one[begin..].iter().rev().zip(other[begin..].iter().rev());
    (begin, rest.take_while(|(one, other)| one == other).count())
}

/// The lines in which two texts differ, `-` for the first and `+` for the second, with a few that are the same around.
pub fn difference(first: &str, second: &str) -> String {
    let (first, second): (Vec<&str>, Vec<&str>) = (first.lines().collect(), second.lines().collect());
    let (begin, tail) = in_common(&first, &second);
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
