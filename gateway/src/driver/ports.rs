//! Handing out ports: each is claimed by a file of its own, so that no two instances of this node get the same.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Ports that are free and those that are taken.
#[derive(Debug)]
pub struct Ports {
    claims: PathBuf,
    range: RangeInclusive<u16>,
    /// Where the search begins, so that a port just released is not at once somebody else's.
    next: Mutex<u16>,
}

/// Why no port could be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// All are taken.
    #[error("no free port between {first} and {last}; widen the agent's port range")]
    Exhausted {
        /// The lowest of the range.
        first: u16,
        /// The highest of the range.
        last: u16,
    },
    /// The record of ports cannot be written.
    #[error("cannot record a port in {path}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Ports {
    /// Opens the record in the data directory. Nodes that share a machine start searching in different places.
    pub fn open(data_directory: &Path, range: RangeInclusive<u16>) -> io::Result<Ports> {
        let claims = data_directory.join("ports");
        fs::create_dir_all(&claims)?;
        let length = u32::from(range.end().saturating_sub(*range.start())) + 1;
        let offset = u16::try_from(super::mixed(data_directory) % length).unwrap_or(0);
        let next = Mutex::new(range.start().saturating_add(offset));
        Ok(Ports { claims, range, next })
    }

    /// Claims a port for an instance.
    pub fn claim(&self, instance: &str) -> Result<u16, PortError> {
        let (first, last) = (*self.range.start(), *self.range.end());
        for _ in self.range.clone() {
            let port = self.advance();
            if !self.record(port, instance)? {
                continue;
            }
            if free(port) {
                return Ok(port);
            }
            self.release(port, instance);
        }
        Err(PortError::Exhausted { first, last })
    }

    fn advance(&self) -> u16 {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let port = *next;
        *next = if port >= *self.range.end() { *self.range.start() } else { port + 1 };
        port
    }

    fn record(&self, port: u16, instance: &str) -> Result<bool, PortError> {
        let path = self.path(port);
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        match made.and_then(|mut file| file.write_all(instance.as_bytes())) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(source) => Err(PortError::Record { path, source }),
        }
    }

    /// Gives a port back, if it is this instance's.
    pub fn release(&self, port: u16, instance: &str) {
        if self.holder(port).as_deref() == Some(instance) {
            let _already_released = fs::remove_file(self.path(port));
        }
    }

    /// Gives back all ports of an instance.
    pub fn release_all(&self, instance: &str) {
        self.release_where(|holder| holder == instance);
    }

    /// Gives back the ports whose holders fail the test.
    pub fn release_where(&self, unwanted: impl Fn(&str) -> bool) {
        let Ok(entries) = fs::read_dir(&self.claims) else { return };
        for entry in entries.flatten() {
            if fs::read_to_string(entry.path()).is_ok_and(|holder| unwanted(&holder)) {
                let _already_released = fs::remove_file(entry.path());
            }
        }
    }

    fn holder(&self, port: u16) -> Option<String> {
        fs::read_to_string(self.path(port)).ok()
    }

    fn path(&self, port: u16) -> PathBuf {
        self.claims.join(port.to_string())
    }
}

/// Nobody listens there, neither on all addresses nor on the local one.
fn free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_or_claimed_is_passed_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        let port = taken.local_addr().expect("its address").port();
        let ports = Ports::open(directory.path(), port..=port).expect("a record");
        assert!(matches!(ports.claim("a"), Err(PortError::Exhausted { .. })), "somebody listens on it");
        drop(taken);
        assert_eq!(ports.claim("a").expect("free now"), port);
        assert!(matches!(ports.claim("b"), Err(PortError::Exhausted { .. })), "a has it");
        ports.release(port, "b");
        ports.release_all("a");
        assert_eq!(ports.claim("b").expect("given back"), port);
    }
}
