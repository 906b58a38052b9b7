//! Noticing at once that an instance ended: a handle on its processes in the runtime's poller.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::process::Process;
use super::records::{Pids, StateDirectory};
use super::settle::{Found, look, look_and_bury};
use super::{Event, Inner};

/// How often a supervisor that is coming up is looked at.
const STARTING_PAUSE: Duration = Duration::from_millis(5);
/// How often an instance is looked at that cannot be waited for.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// Watches an instance until it has ended, if there is a runtime to do so.
pub(super) fn begin(inner: &Arc<Inner>, instance: &str) {
    if let Some(runtime) = &inner.runtime {
        let directory = inner.directory(instance);
        runtime.spawn(watch(Arc::downgrade(inner), instance.to_owned(), directory));
    }
}

async fn watch(inner: Weak<Inner>, instance: String, directory: StateDirectory) {
    let mut gone_said = false;
    loop {
        // A driver that was dropped no longer cares.
        let Some(sender) = inner.upgrade().map(|inner| inner.sender.clone()) else { return };
        match look(&directory) {
            Ok(Found::Vacant(_)) => return,
            Ok(Found::Starting) => tokio::time::sleep(STARTING_PAUSE).await,
            Ok(Found::Running(pids)) => {
                ended(&pids.workload).await;
                if !gone_said {
                    gone_said = true;
                    let _nobody_listens = sender.send(Event::Gone { instance: instance.clone() }).await;
                }
                ended(&pids.shim).await;
                pids.shim.reap();
            }
            Ok(Found::Dead(pids)) => bury(&directory, &pids).await,
            Ok(Found::Ended(exit)) => {
                let event = Event::Ended { instance, reason: exit.reason, at_us: exit.at_us };
                let _nobody_listens = sender.send(event).await;
                return;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::warn!(instance, %error, "an instance cannot be looked at");
                tokio::time::sleep(POLL_PAUSE).await;
            }
        }
    }
}

/// Killing survivors may take a while.
async fn bury(directory: &StateDirectory, pids: &Pids) {
    let directory = directory.clone();
    let buried = tokio::task::spawn_blocking(move || look_and_bury(&directory)).await;
    if let Ok(Err(error)) = buried {
        tracing::warn!(pid = pids.workload.pid, %error, "what a lost instance left cannot be cleaned up");
        tokio::time::sleep(POLL_PAUSE).await;
    }
}

/// Waits until a process has ended.
async fn ended(process: &Process) {
    // SAFETY: an `OwnedFd` answers the same descriptor until it is dropped, and the `AsyncFd` owns it until then.
    let register = |handle| unsafe { AsyncFd::<OwnedFd>::register_with_interest(handle, Interest::READABLE) };
    let waiting = process.handle().map(register);
    match waiting {
        None => {}
        Some(Ok(handle)) => drop(handle.readable().await),
        Some(Err(_)) => {
            while process.alive() {
                tokio::time::sleep(POLL_PAUSE).await;
            }
        }
    }
}
