//! A story as text: a line of life for everyone who takes part, and what they said across them.

use super::{Step, StepKind, Story};

/// A column is so wide.
const WIDTH: usize = 16;
/// Times take so much.
const TIME: usize = 12;

/// Microseconds as seconds.
pub(super) fn seconds(at: u64) -> String {
    format!("{}.{:06} s", at / 1_000_000, at % 1_000_000)
}

/// A story as text.
pub fn text(story: &Story) -> String {
    let violation = &story.violation;
    let mut out = format!(
        "{} ({})\nat {}: {}\n{} of {} things that happened led to it\n",
        violation.signature,
        violation.invariant.name(),
        seconds(violation.at),
        violation.message,
        story.steps.len(),
        story.records
    );
    if !story.bands.is_empty() {
        out += "\nwhat went wrong\n";
    }
    for band in &story.bands {
        out += &format!("  {:>TIME$} to {:>TIME$}  {}\n", seconds(band.from), seconds(band.to), band.name);
    }
    out.push('\n');
    out += &header(story);
    for step in &story.steps {
        out += &row(story, step);
    }
    out
}

const fn middle(column: usize) -> usize {
    column * WIDTH + WIDTH / 2
}

/// Names above the lines of life; long ones are cut.
fn header(story: &Story) -> String {
    let cells = story.columns.iter().map(|name| {
        let name: String = name.chars().take(WIDTH - 1).collect();
        format!("{name:^WIDTH$}")
    });
    format!("{:TIME$} {}\n", "", cells.collect::<String>()).trim_end().to_owned() + "\n"
}

fn row(story: &Story, step: &Step) -> String {
    let mut line: Vec<char> = vec![' '; story.columns.len() * WIDTH];
    for column in 0..story.columns.len() {
        line[middle(column)] = '│';
    }
    match &step.kind {
        StepKind::Said { from, name, arrived } if *from != step.column => {
            arrow(&mut line, middle(*from), middle(step.column), name, arrived.is_some());
        }
        StepKind::Said { name, .. } => write(&mut line, middle(step.column), '○', &format!(" says to itself: {name}")),
        StepKind::Did { what } => write(&mut line, middle(step.column), '●', &format!(" {what}")),
        StepKind::Violated { what } => write(&mut line, middle(step.column), '✗', &format!(" {what}")),
    }
    let line: String = line.into_iter().collect();
    format!("{:>TIME$} {}\n", seconds(step.at), line.trim_end())
}

/// A mark and a text from there on.
fn write(line: &mut Vec<char>, at: usize, mark: char, text: &str) {
    line[at] = mark;
    for (offset, letter) in text.chars().enumerate() {
        match line.get_mut(at + 1 + offset) {
            Some(place) => *place = letter,
            None => line.push(letter),
        }
    }
}

fn arrow(line: &mut [char], from: usize, to: usize, name: &str, arrives: bool) {
    let (low, high) = (from.min(to), from.max(to));
    line[low + 1..high].fill(if arrives { '─' } else { '╌' });
    let head = match (arrives, to > from) {
        (false, _) => '✗',
        (true, true) => '▶',
        (true, false) => '◀',
    };
    line[if to > from { to - 1 } else { to + 1 }] = head;
    let room = high - low - 4;
    let name: Vec<char> = name.chars().take(room).collect();
    let begin = low + 2 + (room - name.len()) / 2;
    line[begin..begin + name.len()].copy_from_slice(&name);
}
