//! A server as a child: started, waited for until it listens, and ended when dropped.

use crate::setting::failed;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long it may take to listen, and to end.
const START_WITHIN: Duration = Duration::from_secs(10);
const END_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running server.
pub struct Server {
    /// Where it listens on loopback.
    pub port: u16,
    child: Child,
}

impl Server {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// What it said, when it ends at once, or does not listen in time.
    pub fn start(mut command: Command, port: u16) -> Result<Self, String> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = piped.spawn().map_err(failed("it cannot be run"))?;
        let mut server = Self { port, child };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("it ended with {status}: {}", server.said()));
            }
            if begun.elapsed() > START_WITHIN {
                return Err(format!("it does not listen on port {port} within {} s", START_WITHIN.as_secs()));
            }
            sleep(LOOK_EVERY);
        }
        Ok(server)
    }

    /// What an ended server wrote to standard error.
    fn said(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _unreadable = stderr.read_to_string(&mut text);
        }
        text.trim().to_owned()
    }

    fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // nginx ends its worker when it is asked to end; killed at once, it would leave it behind.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while !self.ended() && begun.elapsed() < END_WITHIN {
            sleep(LOOK_EVERY);
        }
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}
