//! `shop-a`: see the library's `storefront`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shop::service::run("shop-a", shop::storefront::open)
}
