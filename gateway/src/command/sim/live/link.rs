//! A machine's link to the control plane: a proxy on this machine that holds back what is cut. What comes through
//! when it is mended is what a network would send again.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A link, and how often each way is cut.
pub(super) struct Link {
    /// The port at which the control plane is reached.
    pub port: u16,
    to: watch::Sender<u32>,
    from: watch::Sender<u32>,
}

impl Link {
    /// A link to the control plane's port, not cut.
    pub async fn open(control: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (to, hears) = watch::channel(0);
        let (from, says) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((agent, _)) = listener.accept().await {
                tokio::spawn(carry(agent, control, hears.clone(), says.clone()));
            }
        });
        Ok(Self { port, to, from })
    }

    /// One more cuts what goes to the machine, or one less.
    pub fn to(&self, cut: bool) {
        self.to.send_modify(|cuts| *cuts = if cut { *cuts + 1 } else { cuts.saturating_sub(1) });
    }

    /// One more cuts what comes from the machine, or one less.
    pub fn from(&self, cut: bool) {
        self.from.send_modify(|cuts| *cuts = if cut { *cuts + 1 } else { cuts.saturating_sub(1) });
    }
}

async fn carry(agent: TcpStream, control: u16, hears: watch::Receiver<u32>, mut says: watch::Receiver<u32>) {
    // A connection is made by what the machine says.
    if says.wait_for(|cuts| *cuts == 0).await.is_err() {
        return;
    }
    let Ok(control) = TcpStream::connect(("127.0.0.1", control)).await else { return };
    let (agent_in, agent_out) = agent.into_split();
    let (control_in, control_out) = control.into_split();
    let there = one_way(agent_in, control_out, says);
    let back = one_way(control_in, agent_out, hears);
    // One side that ends ends both: HTTP needs no half of a connection.
    tokio::select! { () = there => {}, () = back => {} }
}

async fn one_way(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut cuts: watch::Receiver<u32>,
) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let count = match from.read(&mut bytes).await {
            Ok(0) | Err(_) => 0,
            Ok(count) => count,
        };
        // That it ended is news as well, which does not come through a cut.
        if cuts.wait_for(|cuts| *cuts == 0).await.is_err() || count == 0 {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_is_cut_waits_and_comes_when_it_is_mended() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let link = Link::open(listener.local_addr().expect("it has one").port()).await.expect("a port is free");
        let mut agent = TcpStream::connect(("127.0.0.1", link.port)).await.expect("it listens");
        let (mut control, _) = listener.accept().await.expect("it is connected");
        let mut bytes = [0; 8];
        agent.write_all(b"one").await.expect("it is written");
        assert_eq!(control.read(&mut bytes).await.expect("it comes"), 3);
        link.from(true);
        agent.write_all(b"four").await.expect("it is written");
        let waits = tokio::time::timeout(Duration::from_millis(200), control.read(&mut bytes)).await;
        assert!(waits.is_err(), "it is cut");
        control.write_all(b"back").await.expect("it is written");
        assert_eq!(agent.read(&mut bytes).await.expect("the other way is not"), 4);
        link.from(false);
        assert_eq!(control.read(&mut bytes).await.expect("it comes late"), 4);
    }
}
