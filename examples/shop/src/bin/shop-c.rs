//! `shop-c`: see the library's `stock`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shop::service::run("shop-c", shop::stock::open)
}
