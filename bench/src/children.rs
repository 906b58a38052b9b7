//! This program as a child of itself: a measurement or a server that needs a process of its own.

use crate::{idle, ingress, scheduling};
use std::process::ExitCode;

/// Runs the child that the words name; none when they name no child.
pub fn run(words: &[String]) -> Option<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [idle::CHILD, form, jobs] => match jobs.parse() {
            Ok(jobs) => idle::child(form, jobs).map(|said| println!("{said}")),
            Err(error) => Err(format!("{jobs} is no number: {error}")),
        },
        [scheduling::CHILD, directory] => scheduling::child(directory).map(|said| println!("{said}")),
        [scheduling::placed::CHILD, directory, nodes, jobs, rate] => {
            scheduling::placed::child(directory, [nodes, jobs, rate])
        }
        [ingress::CHILD, listen, upstream] => ingress::child(listen, upstream),
        _ => return None,
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("bench: {what}");
            ExitCode::FAILURE
        }
    })
}
