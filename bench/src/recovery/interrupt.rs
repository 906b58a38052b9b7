//! An interrupt from the keyboard ends the measurement in order, so that no workload is left behind.

use crate::setting::failed;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Listens for interrupts. From its making on, they end the process only when it asks.
pub struct Interrupt {
    came: Arc<AtomicBool>,
    _runtime: Runtime,
}

impl Interrupt {
    /// Begins to listen.
    ///
    /// # Errors
    /// When it cannot.
    pub fn listen() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(failed("signals cannot be listened for"))?;
        let came = Arc::new(AtomicBool::new(false));
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let inside = runtime.enter();
            let mut signals = signal(kind).map_err(failed("signals cannot be listened for"))?;
            drop(inside);
            let came = came.clone();
            runtime.spawn(async move {
                if signals.recv().await.is_some() {
                    came.store(true, Ordering::Relaxed);
                }
            });
        }
        Ok(Self { came, _runtime: runtime })
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// When an interrupt came.
    pub fn check(&self) -> Result<(), String> {
        if self.came.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
    }
}
