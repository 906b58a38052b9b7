//! `shop-b`: see the library's `prices`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shop::service::run("shop-b", shop::prices::open)
}
