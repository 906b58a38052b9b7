//! Servers that machines come to and leave: a new one is opened only when the next machine fits on none, and closed
//! when its last machine ends. What counts is how long servers are open.

use super::trace::{Request, Trace};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Cores of a server.
pub const CORES: i64 = 48;
/// Its memory, in quarters of a GiB: 192 GiB.
pub const MEMORY: i64 = 768;

/// What is left of one server, and who is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Cores.
    pub cores: i64,
    /// Quarters of a GiB.
    pub memory: i64,
    /// Rows of the trace, in order of arrival.
    pub residents: Vec<usize>,
}

/// How a server is chosen.
pub trait Policy {
    /// A moment at which machines arrive. Those that ended before are gone.
    fn begin(&mut self, _now: i64, _servers: &[Server]) {}
    /// Which of the open servers with room takes this row of the trace; there is at least one.
    fn choose(&mut self, row: usize, servers: &[Server]) -> usize;
    /// It is put there: on this one of the servers, as they were before.
    fn placed(&mut self, _row: usize, _at: usize, _servers: &[Server]) {}
    /// It ended, at this moment.
    fn ended(&mut self, _row: usize, _at: i64) {}
}

/// What a trace came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Seconds that servers were open, together.
    pub seconds: i64,
    /// Servers open at once, at most.
    pub peak: usize,
}

/// The least that any packing could come to: every moment, the larger share of cores and of memory, of the seconds of a
/// server in units of [`MEMORY`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Seconds of servers, times [`MEMORY`].
    pub seconds: i64,
    /// The most at once, times [`MEMORY`].
    pub peak: i64,
}

struct Fleet<'a, P> {
    trace: &'a Trace,
    policy: P,
    servers: Vec<Server>,
    places: Vec<usize>,
    ends: BinaryHeap<Reverse<(i64, usize)>>,
    open: usize,
    since: i64,
    outcome: Outcome,
}

impl Server {
    const EMPTY: Self = Self { cores: CORES, memory: MEMORY, residents: Vec::new() };

    /// Whether it is open, and the machine fits.
    pub fn takes(&self, request: &Request) -> bool {
        !self.residents.is_empty() && self.cores >= request.cores && self.memory >= request.memory
    }
}

/// The least that any packing could come to.
pub fn bound(trace: &Trace) -> Bound {
    let starts = trace.requests.iter().map(|request| (request.at, request.cores, request.memory));
    let ends = trace.requests.iter().zip(&trace.ends).map(|(request, end)| (*end, -request.cores, -request.memory));
    let mut changes: Vec<(i64, i64, i64)> = starts.chain(ends).collect();
    changes.sort_unstable();
    let (mut cores, mut memory, mut since, mut bound) = (0, 0, 0, Bound::default());
    for at in changes.chunk_by(|a, b| a.0 == b.0) {
        let servers = (cores * (MEMORY / CORES)).max(memory);
        bound.seconds += (at[0].0 - since) * servers;
        since = at[0].0;
        cores += at.iter().map(|(_, cores, _)| cores).sum::<i64>();
        memory += at.iter().map(|(.., memory)| memory).sum::<i64>();
        bound.peak = bound.peak.max((cores * (MEMORY / CORES)).max(memory));
    }
    bound
}

/// Packs a trace.
pub fn pack<P: Policy>(trace: &Trace, policy: P) -> Outcome {
    let (places, since) = (vec![0; trace.requests.len()], trace.requests.first().map_or(0, |first| first.at));
    let (servers, ends, outcome) = (Vec::new(), BinaryHeap::new(), Outcome::default());
    let mut fleet = Fleet { trace, policy, servers, places, ends, open: 0, since, outcome };
    let mut now = i64::MIN;
    for (row, request) in trace.requests.iter().enumerate() {
        fleet.end_until(request.at);
        if request.at > now {
            now = request.at;
            fleet.policy.begin(now, &fleet.servers);
        }
        fleet.place(row);
    }
    fleet.end_until(i64::MAX);
    fleet.outcome
}

impl<P: Policy> Fleet<'_, P> {
    fn pass(&mut self, now: i64) {
        self.outcome.seconds += (now - self.since) * self.open as i64;
        self.since = now;
    }

    fn end_until(&mut self, now: i64) {
        while let Some(Reverse((end, row))) = self.ends.peek().copied().filter(|Reverse((end, _))| *end <= now) {
            self.ends.pop();
            self.pass(end);
            let request = &self.trace.requests[row];
            let server = &mut self.servers[self.places[row]];
            server.cores += request.cores;
            server.memory += request.memory;
            server.residents.retain(|resident| *resident != row);
            self.open -= usize::from(server.residents.is_empty());
            self.policy.ended(row, end);
        }
        if now < i64::MAX {
            self.pass(now);
        }
    }

    fn place(&mut self, row: usize) {
        let request = &self.trace.requests[row];
        let at = if self.servers.iter().any(|server| server.takes(request)) {
            self.policy.choose(row, &self.servers)
        } else {
            self.open += 1;
            self.outcome.peak = self.outcome.peak.max(self.open);
            let closed = self.servers.iter().position(|server| server.residents.is_empty());
            closed.unwrap_or_else(|| {
                self.servers.push(Server::EMPTY);
                self.servers.len() - 1
            })
        };
        self.policy.placed(row, at, &self.servers);
        let server = &mut self.servers[at];
        server.cores -= request.cores;
        server.memory -= request.memory;
        assert!(server.cores >= 0 && server.memory >= 0, "a machine is put where it fits");
        server.residents.push(row);
        self.places[row] = at;
        self.ends.push(Reverse((self.trace.ends[row], row)));
    }
}

/// The server with the least of a measure, the first among equals.
pub fn least<K: Ord>(servers: &[Server], request: &Request, measure: impl Fn(usize, &Server) -> K) -> usize {
    let open = servers.iter().enumerate().filter(|(_, server)| server.takes(request));
    open.min_by_key(|(at, server)| measure(*at, server)).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::super::baselines::{Baseline, Rule};
    use super::*;

    fn trace(machines: &[(i64, i64, i64)]) -> Trace {
        let request = |(batch, (at, cores, _)): (usize, &(i64, i64, i64))| Request {
            at: *at,
            cores: *cores,
            memory: 4,
            flavor: b'a',
            batch: batch as u32,
            size: 1,
        };
        let requests = machines.iter().enumerate().map(request).collect();
        Trace { requests, ends: machines.iter().map(|(.., end)| *end).collect() }
    }

    #[test]
    fn a_server_is_open_from_its_first_machine_to_its_last() {
        let trace = trace(&[(0, 40, 100), (0, 40, 50), (10, 8, 200), (60, 8, 70)]);
        let outcome = pack(&trace, Baseline { rule: Rule::FirstFit, requests: &trace.requests });
        assert_eq!(
            outcome,
            Outcome { seconds: 200 + 50 + 10, peak: 2 },
            "one to 200, the other to 50, then from 60 to 70"
        );
        let bound = bound(&trace);
        let cores = 40 * 100 + 40 * 50 + 8 * 190 + 8 * 10;
        assert_eq!((bound.seconds, bound.peak), (cores * MEMORY / CORES, 88 * MEMORY / CORES));
    }

    #[test]
    fn each_rule_takes_the_server_it_is_named_for() {
        let trace = trace(&[(0, 40, 100), (0, 20, 100), (0, 30, 100), (1, 8, 90)]);
        let server = |cores| Server { cores, memory: MEMORY, residents: vec![0] };
        let servers = [server(20), server(8), server(28), Server::EMPTY];
        for (rule, at) in [(Rule::FirstFit, 0), (Rule::BestFit, 1), (Rule::WorstFit, 2), (Rule::DotProduct, 1)] {
            assert_eq!(Baseline { rule, requests: &trace.requests }.choose(3, &servers), at, "{rule:?}");
        }
    }
}
