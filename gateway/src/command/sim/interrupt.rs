//! Ctrl-C that ends something long early, with what there is by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Becomes true with Ctrl-C. A second one ends the process at once.
pub(super) fn flag() -> Arc<AtomicBool> {
    let pressed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&pressed);
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if told.swap(true, Ordering::Relaxed) {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
    });
    pressed
}

/// What shells say of a process that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;
