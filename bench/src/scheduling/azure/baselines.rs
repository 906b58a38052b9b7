//! The rules that everyone knows, and two that know what nobody knows: when each machine ends.

use super::packing::{CORES, MEMORY, Policy, Server, least};
use super::trace::{Request, Trace};

/// A well-known rule. Cores and memory weigh as what they are of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The first server with room.
    FirstFit,
    /// The server with the least left.
    BestFit,
    /// The server whose rest points the most in another direction than the machine.
    DotProduct,
    /// The server with the most left.
    WorstFit,
}

/// One of them, at work.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// Which.
    pub rule: Rule,
    /// What arrives.
    pub requests: &'a [Request],
}

/// Knows when machines end, or nearly: a machine goes where it makes a server stay open the least longer, and among
/// those where the server ends the soonest after it.
#[derive(Clone, Debug)]
pub struct Clairvoyant<'a> {
    trace: &'a Trace,
    told: Vec<i64>,
    now: i64,
}

const WEIGHT: i64 = MEMORY / CORES;

impl Policy for Baseline<'_> {
    fn choose(&mut self, row: usize, servers: &[Server]) -> usize {
        let request = &self.requests[row];
        least(servers, request, |at, server| match self.rule {
            Rule::FirstFit => at as i64,
            Rule::BestFit => server.cores * WEIGHT + server.memory,
            Rule::DotProduct => server.cores * request.cores * WEIGHT * WEIGHT + server.memory * request.memory,
            Rule::WorstFit => -(server.cores * WEIGHT + server.memory),
        })
    }
}

impl<'a> Clairvoyant<'a> {
    /// Told every lifetime, too long or too short by so many hundredths at most, the same for all of a batch.
    pub fn new(trace: &'a Trace, hundredths: i64) -> Self {
        let told = trace.requests.iter().zip(&trace.ends).map(|(request, end)| {
            let drawn =
                crate::fgd::replay::draw(&mut u64::from(request.batch), (2 * hundredths + 1) as usize).unwrap_or(0);
            request.at + (end - request.at) * (100 - hundredths + drawn as i64) / 100
        });
        Self { trace, told: told.collect(), now: 0 }
    }

    /// When it is thought to end; once that has passed, as much later again as it is old.
    fn end(&self, row: usize) -> i64 {
        let told = self.told[row];
        if told > self.now { told } else { 2 * self.now - self.trace.requests[row].at }
    }
}

impl Policy for Clairvoyant<'_> {
    fn begin(&mut self, now: i64, _servers: &[Server]) {
        self.now = now;
    }

    fn choose(&mut self, row: usize, servers: &[Server]) -> usize {
        let end = self.end(row);
        least(servers, &self.trace.requests[row], |_, server| {
            let last = server.residents.iter().map(|resident| self.end(*resident)).max().unwrap_or(0);
            ((end - last).max(0), (last - end).max(0), server.cores)
        })
    }
}
