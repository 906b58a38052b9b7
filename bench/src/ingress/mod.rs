//! The way in from outside: requests a second and the latency of the slowest hundredth through the ingress, HAProxy and
//! nginx, one after the other in front of the same upstream, each with one thread on one core of its own.

mod ours;
mod proxies;
mod server;
mod wrk;

pub use ours::{CHILD, child};
pub use proxies::free_port;

use crate::rounds::median;
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting};
use proxies::Cores;
use server::Server;
use wrk::Reached;

/// Connections held open, as wrk is told.
const CONNECTIONS: [usize; 2] = [32, 64];
/// Of HAProxy's and of nginx's requests a second.
const SHARE_OF_HAPROXY_MIN: f64 = 0.35;
const SHARE_OF_NGINX_MIN: f64 = 0.5;
/// Of HAProxy's and of nginx's latency.
const LATENCY_TIMES_MAX: f64 = 8.0;

/// A proxy under load, or what keeps it from being there.
struct Proxy {
    name: &'static str,
    server: Server,
    reached: Vec<Reached>,
}

/// One figure of a run.
type Figure = fn(&Reached) -> f64;

/// Loads each proxy in turn.
///
/// # Errors
/// When the load, the upstream or the ingress itself cannot run.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    wrk::find()?;
    let directory = setting.directory()?;
    let cores = Cores::of_this_machine();
    let upstream = proxies::upstream(directory.path(), &cores)?;
    let ours = ours::start(setting, &cores, upstream.port)?;
    let mut proxies = vec![Proxy { name: "ours", server: ours, reached: Vec::new() }];
    let mut report = Report::default();
    let peers = [
        ("HAProxy", proxies::haproxy(directory.path(), &cores, upstream.port)),
        ("nginx", proxies::nginx(directory.path(), &cores, upstream.port)),
    ];
    for (name, started) in peers {
        match started {
            Ok(server) => proxies.push(Proxy { name, server, reached: Vec::new() }),
            Err(fault) => report.faults.push(fault),
        }
    }
    for connections in CONNECTIONS {
        take_turns(setting, &cores, &mut proxies, connections)?;
        report.rows.extend(rows(&proxies, connections));
    }
    Ok(report)
}

/// Loads every proxy for a while, again and again; the first round only warms up.
fn take_turns(setting: &Setting, cores: &Cores, proxies: &mut [Proxy], connections: usize) -> Result<(), Fault> {
    proxies.iter_mut().for_each(|proxy| proxy.reached.clear());
    for round in 0..=setting.count(7, 3) {
        let seconds = if round == 0 { 1 } else { setting.count(5, 1) };
        for proxy in &mut *proxies {
            let reached = wrk::load(cores, proxy.server.port, connections, seconds)
                .map_err(|what| Fault::Failed(format!("load on {}: {what}", proxy.name)))?;
            if round > 0 {
                proxy.reached.push(reached);
            }
        }
    }
    Ok(())
}

fn rows(proxies: &[Proxy], connections: usize) -> Vec<Row> {
    let of = |name: &str, value: Figure| {
        let proxy = proxies.iter().find(|proxy| proxy.name == name)?;
        Some(median(&proxy.reached.iter().map(value).collect::<Vec<_>>()))
    };
    let row = |what: &str, unit, value: Figure, peer: &'static str, must| {
        let name = format!("ingress.{connections}.{what}.{}", peer.to_lowercase());
        let row = Row::new(name, of("ours", value).unwrap_or_default(), unit).must(must);
        match of(peer, value) {
            Some(beside) => row.beside(peer, beside),
            None => row,
        }
    };
    let rate: Figure = |reached| reached.requests_a_second;
    let latency: Figure = |reached| reached.p99_ms;
    vec![
        row("rate", "requests/s", rate, "HAProxy", Must::AtLeast(SHARE_OF_HAPROXY_MIN)),
        row("rate", "requests/s", rate, "nginx", Must::AtLeast(SHARE_OF_NGINX_MIN)),
        row("p99", "ms", latency, "HAProxy", Must::AtMost(LATENCY_TIMES_MAX)),
        row("p99", "ms", latency, "nginx", Must::AtMost(LATENCY_TIMES_MAX)),
    ]
}
