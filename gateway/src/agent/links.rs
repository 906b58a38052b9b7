//! The stable local addresses that links give to the jobs of this machine.

use crate::predecessor;
use crate::proxy::{LinkHandle, LinkMode, Tables, serve_link};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

/// Ports for links: above those of instances and below those that Linux hands to outgoing connections, so that a link
/// finds its port free after a restart.
const PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// The links that are served, one for each service that some job here talks to.
pub struct Links {
    file: PathBuf,
    tables: Tables,
    ports: BTreeMap<String, u16>,
    served: BTreeMap<String, LinkHandle>,
}

/// The environment variable that names the file of all links, a JSON object of addresses by job.
pub const FILE_VARIABLE: &str = "LINKS_FILE";

/// The environment variable that names a link's address.
pub fn variable(target: &str) -> String {
    format!("LINK_{}", target.to_uppercase().replace('-', "_"))
}

impl Links {
    /// Links that keep their ports in a file of the data directory, so that they are the same after a restart.
    pub fn new(data: &Path, tables: Tables) -> Self {
        let file = data.join("links.json");
        let ports = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file, tables, ports, served: BTreeMap::new() }
    }

    /// The address of the link to a job of a realm, which is served from now on.
    pub async fn address(&mut self, realm: &str, job: &str) -> io::Result<SocketAddr> {
        let service = format!("{realm}/{job}");
        if let Some(link) = self.served.get(&service) {
            return Ok(link.address());
        }
        let kept = self.ports.get(&service).copied();
        let listener = match kept {
            Some(port) => predecessor::bind((Ipv4Addr::LOCALHOST, port).into()).await?,
            None => self.fresh().await?,
        };
        let address = listener.local_addr()?;
        if kept.is_none() {
            self.ports.insert(service.clone(), address.port());
            let part = self.file.with_extension("part");
            std::fs::write(&part, serde_json::to_vec(&self.ports)?)?;
            std::fs::rename(&part, &self.file)?;
        }
        let link = serve_link(listener, service.clone(), self.tables.clone(), LinkMode::Auto).await?;
        self.served.insert(service, link);
        Ok(address)
    }

    /// A listener on the first port that is free, searched from a place of this agent's own.
    async fn fresh(&self) -> io::Result<TcpListener> {
        let length = PORTS.end() - PORTS.start() + 1;
        let own = u16::try_from(crate::driver::mixed(&self.file) % u32::from(length)).unwrap_or(0);
        for step in 0..length {
            let port = PORTS.start() + (own + step) % length;
            if self.ports.values().any(|taken| *taken == port) {
                continue;
            }
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                return Ok(listener);
            }
        }
        let text = format!("no port between {} and {} is free", PORTS.start(), PORTS.end());
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    }
}
