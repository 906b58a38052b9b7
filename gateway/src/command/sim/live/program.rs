//! The program that a scenario's workloads run when they are real: it behaves as its arguments say, like the made-up ones
//! (`--start=200ms`, `--sick-after=3s`, `--exit-after=10s`, `--ignore-stop`, `--cannot-start`).

use crate::command::fault::Fault;
use messages::time::Span;
use simulator::program::Program;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// What it exits with when it exits by itself.
const EXIT_BY_ITSELF: u8 = 1;
/// A request is read no further than this.
const REQUEST_BYTES: usize = 4096;

/// Runs until it is told to stop, or is to exit.
pub(super) fn run(arguments: &[String]) -> Result<u8, Fault> {
    let program = Program::told(arguments);
    if program.cannot_start {
        return Ok(EXIT_BY_ITSELF);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::Unreachable(error.to_string()))?;
    runtime.block_on(behave(program)).map_err(|error| Fault::Unreachable(error.to_string()))
}

async fn behave(program: Program) -> std::io::Result<u8> {
    let (mut sicken, mut heal) = (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
    let mut stop = signal(SignalKind::terminate())?;
    let sick = Arc::new(AtomicBool::new(false));
    tokio::time::sleep(span(program.start)).await;
    for (_, port) in std::env::vars().filter(|(name, _)| name.starts_with("PORT_")) {
        let Ok(port) = port.parse::<u16>() else { continue };
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let sick = Arc::clone(&sick);
        tokio::spawn(async move {
            while let Ok((visitor, _)) = listener.accept().await {
                tokio::spawn(answer(visitor, Arc::clone(&sick)));
            }
        });
    }
    let exits = async {
        match program.exit_after {
            Some(range) => tokio::time::sleep(within(range)).await,
            None => std::future::pending().await,
        }
    };
    let sickens = async {
        if let Some(range) = program.sick_after {
            tokio::time::sleep(within(range)).await;
            sick.store(true, Ordering::Relaxed);
        }
        std::future::pending::<()>().await;
    };
    tokio::pin!(exits, sickens);
    loop {
        tokio::select! {
            () = &mut exits => return Ok(EXIT_BY_ITSELF),
            () = &mut sickens => {}
            _ = sicken.recv() => sick.store(true, Ordering::Relaxed),
            _ = heal.recv() => sick.store(false, Ordering::Relaxed),
            _ = stop.recv() => if !program.ignore_stop { return Ok(0) },
        }
    }
}

fn span(span: Option<Span>) -> Duration {
    Duration::from_micros(span.map_or(0, |span| span.0))
}

/// A time between a shortest and a longest, its own for each instance.
fn within((low, high): (Span, Span)) -> Duration {
    let instance = std::env::var("ORRERY_INSTANCE").unwrap_or_default();
    let folded = instance.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
    Duration::from_micros(low.0 + folded % (high.0.saturating_sub(low.0) + 1))
}

async fn answer(mut visitor: TcpStream, sick: Arc<AtomicBool>) {
    let mut request = vec![0; REQUEST_BYTES];
    let _what_it_asks_does_not_matter = visitor.read(&mut request).await;
    let status = if sick.load(Ordering::Relaxed) { "503 Service Unavailable" } else { "200 OK" };
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _it_may_have_gone = visitor.write_all(text.as_bytes()).await;
}
