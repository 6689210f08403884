//! The binary `resync`.

use std::process::ExitCode;

fn main() -> ExitCode {
    resync_server::cli::main()
}
