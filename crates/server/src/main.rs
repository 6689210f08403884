//! The binary `resync`.

use std::process::ExitCode;

// Requests allocate on all threads; the system's allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    resync_server::cli::main()
}
