//! The load: wrk, two threads, connections kept, for a few seconds.

use super::proxies::{self, Cores, HOST};
use crate::setting::{Fault, failed};

const PROGRAM: &str = "wrk";

/// What one run reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// Requests answered in a second.
    pub requests_a_second: f64,
    /// 99 of 100 were answered within this.
    pub p99_ms: f64,
}

/// Whether wrk is there.
///
/// # Errors
/// When it is not.
pub fn find() -> Result<(), Fault> {
    proxies::find(PROGRAM, "-v")
}

/// Loads a port for so many seconds.
///
/// # Errors
/// When wrk cannot run, or any request was not answered well.
pub fn load(cores: &Cores, port: u16, connections: usize, seconds: usize) -> Result<Reached, String> {
    let mut command = cores.others(PROGRAM);
    command.args(["-t2", &format!("-c{connections}"), &format!("-d{seconds}s"), "--latency", "-H"]);
    command.arg(format!("Host: {HOST}")).arg(format!("http://127.0.0.1:{port}/"));
    let output = command.output().map_err(failed("wrk cannot run"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("wrk ended with {}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    parse(&text)
}

fn parse(text: &str) -> Result<Reached, String> {
    let after = |head: &str| {
        let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix(head))?;
        Some(line.trim().to_owned())
    };
    for bad in ["Non-2xx or 3xx responses:", "Socket errors:"] {
        if let Some(count) = after(bad) {
            return Err(format!("wrk counts {bad} {count}"));
        }
    }
    let rate = after("Requests/sec:").and_then(|number| number.parse().ok());
    let latency = after("99%").and_then(|length| milliseconds(&length));
    match (rate, latency) {
        (Some(requests_a_second), Some(p99_ms)) => Ok(Reached { requests_a_second, p99_ms }),
        _ => Err(format!("wrk says neither rate nor latency: {text}")),
    }
}

fn milliseconds(text: &str) -> Option<f64> {
    let of_a_millisecond = [("us", 1_000.0), ("ms", 1.0), ("s", 0.001)];
    of_a_millisecond.into_iter().find_map(|(unit, count)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number / count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 5s test @ http://127.0.0.1:1/\n  2 threads and 32 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.09ms  440.15us  11.97ms   84.29%\n    Req/Sec    14.75k     1.06k   17.44k    70.00%\n  Latency Distribution\n     50%    1.05ms\n     75%    1.28ms\n     90%    1.51ms\n     99%    2.47ms\n  146839 requests in 5.01s, 33.89MB read\nRequests/sec:  29324.38\nTransfer/sec:      6.77MB\n";

    #[test]
    fn what_wrk_says_is_read() {
        assert_eq!(parse(SAID), Ok(Reached { requests_a_second: 29_324.38, p99_ms: 2.47 }));
        assert_eq!(milliseconds("950.00us"), Some(0.95));
        assert_eq!(milliseconds("1.50s"), Some(1_500.0));
    }

    #[test]
    fn requests_that_failed_make_no_figure() {
        let refused = format!("{SAID}  Non-2xx or 3xx responses: 12\n");
        assert!(parse(&refused).is_err_and(|what| what.contains("12")));
        let broken = format!("{SAID}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert!(parse(&broken).is_err());
        assert!(parse("unable to connect").is_err());
    }
}
