//! The rules the tree is held to, where a machine can hold them: sizes, directions, words, and what may depend on what.
//!
//! These tests read files and run nothing but `cargo tree`. Their names begin with `tidy_`, so that the quick
//! profile finds them.

mod declared;
mod directions;
mod graph;
mod sizes;
mod tree;
mod words;

/// Fails with every finding, one a line, and what to do about them.
fn check(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "{advice}:\n  {}\n", findings.join("\n  "));
}
