//! Our ingress alone in a process: the proxy that `orrery up` runs, told a table with one route and one endpoint.

use super::proxies::{self, Cores};
use super::server::Server;
use crate::setting::{Fault, Setting, failed};
use gateway::proxy::{Backends, Endpoint, Patience, Route, Table, Tables, TokenBook, serve_ingress};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// The word by which this program is the ingress, as a child of itself.
pub const CHILD: &str = "child-ingress";

/// Starts the ingress in front of an upstream.
///
/// # Errors
/// When it does not come up.
pub fn start(setting: &Setting, cores: &Cores, upstream: u16) -> Result<Server, Fault> {
    let port = proxies::free_port()?;
    let mut command = cores.proxy(setting.program.as_os_str());
    command.args([CHILD, &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{upstream}")]);
    Server::start(command, port).map_err(|what| Fault::Failed(format!("the ingress does not start: {what}")))
}

/// The child: serves until its standard input ends.
///
/// # Errors
/// When it cannot listen.
pub fn child(listen: &str, upstream: &str) -> Result<(), String> {
    let address = |text: &str| text.parse::<SocketAddr>().map_err(failed(text));
    let (listen, upstream) = (address(listen)?, address(upstream)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(failed("the runtime cannot start"))?.block_on(async {
        let tables = Tables::new();
        tables.publish(&table(upstream)).map_err(|error| error.to_string())?;
        let listener = TcpListener::bind(listen).await.map_err(failed(listen))?;
        // All work is done by the one worker; this thread only waits for the end.
        let served = tokio::spawn(serve_ingress(listener, tables, TokenBook::default(), Patience::default()));
        let handle = served.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let mut end = Vec::new();
        let _ended = tokio::io::stdin().read_to_end(&mut end).await;
        handle.shutdown(Duration::from_secs(1)).await;
        Ok(())
    })
}

fn table(upstream: SocketAddr) -> Table {
    let endpoint =
        Endpoint { instance: "1".into(), label: "page/0".into(), address: upstream, revision: 1, healthy: true };
    let route = Route {
        name: "page".into(),
        host: proxies::HOST.into(),
        prefix: "/".into(),
        permit: Vec::new(),
        backends: Backends { endpoints: vec![endpoint], ..Backends::default() },
    };
    Table { routes: vec![route], ..Table::default() }
}
