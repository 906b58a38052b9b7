//! The `orrery` command.

use std::ffi::OsString;

/// Actors, codecs and simulated worlds live on small allocations: theirs take half as long here as in the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Before anything else: a supervisor must stay small, and starts no runtime.
    if arguments.first().is_some_and(|argument| argument == "shim") {
        std::process::exit(gateway::driver::shim_main(&arguments[1..]));
    }
    std::process::exit(gateway::command::run());
}
