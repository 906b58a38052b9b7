//! Azure's virtual machines (Public Dataset V1 as flavours; Cortez et al., SOSP'17): a line for each five minutes.
//!
//! A line is `seconds a,a,|,b,|,`: sizes, comma separated, where `|` ends a batch of one tenant. Sizes are named by lines
//! `cores,GiB letter`. Lifetimes are lines of the same shape, with `U15` for the 15th bin and `C46` for one that still
//! ran at the end; bins by lines `seconds bin`.

use super::damage::{Damage, Wrong, number};
use super::{Arrival, Trace, beside};
use crate::text::TextFault;
use messages::quantity;
use messages::resources::Resources;
use std::collections::BTreeMap;

const GIB: u64 = 1 << 30;

/// A text, and its name for people.
pub type Named<'t> = (&'t str, &'t str);

/// The texts of a trace.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'t> {
    /// What came.
    pub arrivals: Named<'t>,
    /// The sizes.
    pub sizes: Named<'t>,
    /// How long each lived, and the bins; everything runs on without.
    pub lifetimes: Option<(Named<'t>, Named<'t>)>,
}

/// Reads the texts.
///
/// # Errors
/// When the sizes or the bins make no sense: without them nothing else does.
pub fn read(texts: &Texts<'_>) -> Result<Trace, TextFault> {
    let sizes = sizes(texts.sizes)?;
    let bins = texts.lifetimes.map(|(_, bins_of)| bins(bins_of)).transpose()?;
    let mut lives = texts.lifetimes.map(|(lives, _)| lives.0.lines());
    let mut trace = Trace::default();
    let mut damage = Damage::new(texts.arrivals.1);
    let mut last = 0;
    for (index, row) in texts.arrivals.0.lines().enumerate() {
        let life = lives.as_mut().and_then(Iterator::next);
        if row.trim().is_empty() {
            continue;
        }
        trace.rows += 1;
        let life = life.zip(bins.as_ref());
        match line(index + 1, row, life, &sizes, last) {
            Ok((at, mut arrivals)) => {
                last = at;
                trace.arrivals.append(&mut arrivals);
            }
            Err(wrong) => damage.note(index + 1, row, wrong),
        }
    }
    trace.skipped = damage.all();
    Ok(trace)
}

type Sizes = BTreeMap<String, Resources>;

/// The first second of each bin.
type Bins = BTreeMap<u64, u64>;

fn sizes((text, file): Named<'_>) -> Result<Sizes, TextFault> {
    let mut sizes = Sizes::new();
    for (index, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
        let read = || {
            let (amounts, letter) = row.trim().rsplit_once(' ')?;
            let (cores, memory) = amounts.split_once(',')?;
            let cpu = quantity::cpu(cores).ok()?;
            let (whole, part) = memory.split_once('.').unwrap_or((memory, "0"));
            let hundredths: u64 = format!("{part:0<2}").get(..2)?.parse().ok()?;
            Some((letter.to_owned(), beside(cpu, whole.parse::<u64>().ok()? * GIB + hundredths * GIB / 100)))
        };
        match read() {
            Some((letter, size)) => drop(sizes.insert(letter, size)),
            None => {
                return Err(wrong_line(
                    file,
                    text,
                    index,
                    format!("{row:?} is no size; expected one like \"2,3.5 g\""),
                ));
            }
        }
    }
    Ok(sizes)
}

fn bins((text, file): Named<'_>) -> Result<Bins, TextFault> {
    let mut bins = Bins::new();
    for (index, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
        let read = || {
            let (seconds, bin) = row.trim().split_once(' ')?;
            Some((bin.parse::<u64>().ok()?, seconds.parse::<u64>().ok()?))
        };
        match read() {
            Some((bin, seconds)) => drop(bins.entry(bin).or_insert(seconds)),
            None => {
                return Err(wrong_line(file, text, index, format!("{row:?} is no bin; expected one like \"300 1\"")));
            }
        }
    }
    Ok(bins)
}

fn wrong_line(file: &str, text: &str, index: usize, message: String) -> TextFault {
    let place = text.lines().take(index).map(|line| line.len() + 1).sum();
    TextFault::at(file, text, place, message)
}

/// The batches of a line, as jobs: one for each size in a batch.
fn line(
    number_of: usize,
    row: &str,
    life: Option<(&str, &Bins)>,
    sizes: &Sizes,
    last: u64,
) -> Result<(u64, Vec<Arrival>), Wrong> {
    let (seconds, rest) = row.split_once(' ').unwrap_or((row, ""));
    let at = number("the time", (0, seconds))?;
    if at < last {
        return Err(("time runs backwards", 0, format!("{at} s comes after {last} s")));
    }
    let letters: Vec<&str> = rest.split(',').collect();
    let lives: Option<Vec<Option<u64>>> = match life {
        Some((text, bins)) => Some(lifetimes(text, &letters, bins)?),
        None => None,
    };
    let mut jobs: Vec<(usize, &str, Arrival)> = Vec::new();
    let (mut batch, mut byte) = (0, seconds.len() + 1);
    for (index, letter) in letters.iter().enumerate() {
        let begin = byte;
        byte += letter.len() + 1;
        match letter.trim() {
            "|" => batch += 1,
            "" => {}
            letter => {
                let Some(needs) = sizes.get(letter) else {
                    let known: Vec<&str> = sizes.keys().map(String::as_str).collect();
                    let message = format!("there is no size {letter:?}; known are {}", known.join(", "));
                    return Err(("a size is not known", begin, message));
                };
                let lived = lives.as_ref().and_then(|lives| lives.get(index).copied().flatten());
                let name = format!("vm-{number_of}-{batch}-{letter}");
                let fresh =
                    || Arrival { name, at, ends: Vec::new(), instances: 0, needs: needs.clone(), require: None };
                let found = jobs.iter().position(|(of, size, _)| (*of, *size) == (batch, letter));
                let place = found.unwrap_or_else(|| {
                    jobs.push((batch, letter, fresh()));
                    jobs.len() - 1
                });
                jobs[place].2.instances += 1;
                jobs[place].2.ends.extend(lived.map(|lived| at.saturating_add(lived)));
            }
        }
    }
    let sorted = |(_, _, mut arrival): (usize, &str, Arrival)| {
        arrival.ends.sort_unstable();
        arrival
    };
    Ok((at, jobs.into_iter().map(sorted).collect()))
}

/// How long each of a line lived, in seconds; nothing for one that ran on, and for what is no machine.
fn lifetimes(text: &str, letters: &[&str], bins: &Bins) -> Result<Vec<Option<u64>>, Wrong> {
    let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
    let lives: Vec<&str> = rest.split(',').collect();
    if lives.len() != letters.len() {
        let message = format!("{} lifetimes and marks for {} machines and marks", lives.len(), letters.len());
        return Err(("lifetimes are of another number of machines", 0, message));
    }
    let lived = |life: &&str| -> Result<Option<u64>, Wrong> {
        let wrong = || {
            ("a lifetime makes no sense", 0, format!("{life:?} is no lifetime; expected one like \"U15\" or \"C46\""))
        };
        match life.trim() {
            "" | "|" => Ok(None),
            life => match life.split_at_checked(1) {
                Some(("C", _)) => Ok(None),
                Some(("U", bin)) => {
                    let bin: u64 = bin.parse().map_err(|_| wrong())?;
                    bins.get(&bin).copied().map(Some).ok_or_else(wrong)
                }
                _ => Err(wrong()),
            },
        }
    };
    lives.iter().map(lived).collect()
}
