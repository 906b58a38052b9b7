//! Arrivals of virtual machines on Azure (Cortez et al., SOSP'17), as huaweicloud/trace_generation_rnn has them: five
//! minutes a line, batches of one tenant, and the lifetime of each as one of 46 bins.
//!
//! A lifetime is the middle of its bin, in whole intervals, and the interval in which a machine ends counts as well,
//! because the stamps are rounded to it. Nine in ten lifetimes are below four hours, and bins are exact up to one hour.

use crate::table::Skipped;
use std::collections::BTreeMap;
use std::path::Path;

/// Seconds between two lines.
pub const INTERVAL: i64 = 300;

/// A virtual machine that is asked for: all that is known when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Seconds since the trace began.
    pub at: i64,
    /// Whole cores.
    pub cores: i64,
    /// Quarters of a GiB.
    pub memory: i64,
    /// The letter of its size.
    pub flavor: u8,
    /// Which batch it came in.
    pub batch: u32,
    /// How many came in that batch.
    pub size: u32,
}

/// All that arrive, in order, and when each ends, which no policy is told.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In order of arrival.
    pub requests: Vec<Request>,
    /// When each of them ends.
    pub ends: Vec<i64>,
}

/// The sizes and bins of a trace, and the moment it ends.
struct Legend {
    flavors: BTreeMap<u8, (i64, i64)>,
    bins: BTreeMap<u32, i64>,
    until: i64,
}

impl Trace {
    /// Reads the arrivals of `name.txt` and their lifetimes of `name.cUNTIL.txt`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(directory: &Path, name: &str, until: i64) -> Result<(Self, Skipped), String> {
        let read = |file: &str| {
            let path = directory.join(file);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let (sizes, bins) = (read("flav_map.txt")?, read("v1.interval_map.txt")?);
        let mut skipped = Skipped::of(directory.join(format!("{name}.txt")));
        let legend = Legend { flavors: flavors(&sizes, &mut skipped), bins: middles(&bins, &mut skipped), until };
        let (sizes, lifetimes) = (read(&format!("{name}.txt"))?, read(&format!("{name}.c{until}.txt"))?);
        let mut trace = Self::default();
        let mut batches = 0;
        let mut lifetimes = lifetimes.lines();
        for (at, line) in sizes.lines().enumerate() {
            let place = at + 1;
            match legend.line(line, lifetimes.next().unwrap_or_default(), batches) {
                Ok((read, more)) => {
                    trace.requests.extend(read.requests);
                    trace.ends.extend(read.ends);
                    batches += more;
                }
                Err(reason) => skipped.add(place, reason),
            }
        }
        Ok((trace, skipped))
    }

    /// Those that arrive in this time, as if the trace ended with it.
    pub fn part(&self, from: i64, until: i64) -> Self {
        let both = self.requests.iter().zip(&self.ends);
        let (requests, ends) = both
            .filter(|(request, _)| (from..until).contains(&request.at))
            .map(|(request, end)| (*request, (*end).min(until)))
            .unzip();
        Self { requests, ends }
    }
}

impl Legend {
    /// The machines of one line, which is taken whole or not at all, and how many batches they are.
    fn line(&self, sizes: &str, lifetimes: &str, first: u32) -> Result<(Trace, u32), String> {
        let split = |line: &str| line.split_once(' ').map(|(at, rest)| (at.to_owned(), rest.to_owned()));
        let (at, sizes) = split(sizes).ok_or("no time and sizes")?;
        let (same, lifetimes) = split(lifetimes).ok_or("no lifetimes beside it")?;
        let at: i64 = at.parse().map_err(|_| format!("{at:?} is no time"))?;
        if at.to_string() != same {
            return Err(format!("the lifetimes beside it are those of {same}"));
        }
        let (sizes, lifetimes): (Vec<&str>, Vec<&str>) = (sizes.split(',').collect(), lifetimes.split(',').collect());
        if sizes.len() != lifetimes.len() {
            return Err(format!("{} sizes, and {} lifetimes beside them", sizes.len(), lifetimes.len()));
        }
        let (mut trace, mut batch, mut begun) = (Trace::default(), 0, 0);
        for (size, lifetime) in sizes.into_iter().zip(lifetimes) {
            match size {
                "" => {}
                "|" => {
                    close(&mut trace.requests[begun..]);
                    begun = trace.requests.len();
                    batch += 1;
                }
                _ => {
                    let flavor = *size.as_bytes().first().ok_or("no size")?;
                    let (cores, memory) = *self.flavors.get(&flavor).ok_or_else(|| format!("no size {size:?}"))?;
                    trace.ends.push(self.end(at, lifetime)?);
                    trace.requests.push(Request { at, cores, memory, flavor, batch: first + batch, size: 0 });
                }
            }
        }
        close(&mut trace.requests[begun..]);
        Ok((trace, batch + 1))
    }

    /// When a machine ends: `U15` in the fifteenth bin, `C15` is still running when the trace ends.
    fn end(&self, at: i64, lifetime: &str) -> Result<i64, String> {
        let bin = lifetime.get(1..).and_then(|bin| bin.parse().ok());
        let middle = bin.and_then(|bin: u32| self.bins.get(&bin)).ok_or_else(|| format!("no lifetime {lifetime:?}"))?;
        match lifetime.as_bytes().first() {
            Some(b'U') => Ok((at + middle + INTERVAL).min(self.until)),
            Some(b'C') => Ok(self.until),
            _ => Err(format!("{lifetime:?} neither ended nor still runs")),
        }
    }
}

/// A batch is complete: all of them know how many they are.
fn close(batch: &mut [Request]) {
    let size = batch.len() as u32;
    for request in batch {
        request.size = size;
    }
}

/// Cores and quarters of a GiB of each letter.
fn flavors(text: &str, skipped: &mut Skipped) -> BTreeMap<u8, (i64, i64)> {
    let mut flavors = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let parsed = line.split_once(' ').and_then(|(size, letter)| {
            let (cores, memory) = size.split_once(',')?;
            let quarters = memory.parse::<f64>().ok()? * 4.0;
            Some((*letter.as_bytes().first()?, (cores.parse().ok()?, quarters as i64)))
        });
        match parsed {
            Some((letter, size)) => drop(flavors.insert(letter, size)),
            None => skipped.add(at + 1, format!("flav_map.txt: {line:?} is no size")),
        }
    }
    flavors
}

/// The middle of each bin, in whole intervals.
fn middles(text: &str, skipped: &mut Skipped) -> BTreeMap<u32, i64> {
    let mut edges: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let parsed = line.split_once(' ').and_then(|(seconds, bin)| Some((seconds.parse().ok()?, bin.parse().ok()?)));
        match parsed {
            Some((seconds, bin)) => edges.entry(bin).or_insert((seconds, seconds)).1 = seconds,
            None => skipped.add(at + 1, format!("v1.interval_map.txt: {line:?} is no bin")),
        }
    }
    edges.into_iter().map(|(bin, (first, last))| (bin, (first + last) / 2 / INTERVAL * INTERVAL)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_and_lifetimes_are_read_and_damaged_lines_left_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).expect("written");
        write("flav_map.txt", "1,1.75 b\n2,3.5 g\n");
        write("v1.interval_map.txt", "0 0\n300 1\n600 2\n900 2\n1200 2\n");
        write("x.txt", "300 b,b,|,g,|\n600 z,|\n900 b,|\n1200 b,|\n1500 b,|\n");
        write("x.c9000.txt", "300 U0,U1,|,C2,|\n600 U0,|\n900 U0,U1,|\n1200 X1,|\n1500 U2,|\n");
        let (trace, skipped) = Trace::read(directory.path(), "x", 9_000).expect("readable");
        let known: Vec<_> =
            trace.requests.iter().map(|one| (one.at, one.cores, one.memory, one.batch, one.size)).collect();
        assert_eq!(known[..3], [(300, 1, 7, 0, 2), (300, 1, 7, 0, 2), (300, 2, 14, 1, 1)]);
        assert_eq!(trace.ends, [600, 900, 9_000, 1_500 + 900 + 300]);
        let said = skipped.to_string();
        assert!(said.contains("3 rows left out; line 2: no size \"z\""), "{said}");
        assert!(said.contains("line 3: 2 sizes, and 3 lifetimes") && said.contains("line 4: \"X1\" neither"), "{said}");
        assert_eq!(trace.part(0, 600).ends, [600, 600, 600]);
    }
}
