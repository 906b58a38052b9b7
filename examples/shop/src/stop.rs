//! Being asked to stop: SIGTERM and SIGINT set a flag that the server looks at.

#![expect(unsafe_code, reason = "the standard library cannot watch a signal, and one flag is not worth a dependency")]

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn remember(_number: i32) {
    ASKED.store(true, Ordering::SeqCst);
}

/// From now on SIGTERM and SIGINT no longer end the process: they are remembered.
pub fn watch() {
    // SAFETY: `signal` is the C library's, declared as it is there on every Linux; the handler only stores to an
    // atomic, which is allowed in a signal handler.
    unsafe {
        signal(SIGTERM, remember);
        signal(SIGINT, remember);
    }
}

/// Whether a signal has come since `watch`.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
