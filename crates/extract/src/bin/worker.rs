//! The worker as a program of its own, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    resync_extract::worker::main(std::env::args_os().skip(1))
}
