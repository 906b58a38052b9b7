//! Taking over from a process that was killed: what it had begun to start may hold its sockets and locks for a moment.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// How often it is looked whether what a killed predecessor held is free.
pub(crate) const TRIES: u32 = 40;
/// Between two looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Listens, as soon as a predecessor has let go of the address.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let mut tries = TRIES;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries > 0 => {
                tries -= 1;
                tokio::time::sleep(LOOK_EVERY).await;
            }
            bound => return bound,
        }
    }
}
