//! The process in which files are read: this program once more, under a name that no help lists.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use resync_extract::{WorkerCommand, worker};

/// The first argument of such a process.
const NAME: &str = "extract-worker";

/// Runs the reader when the arguments ask for it. Before anything else: it limits its own process, which
/// must have no other thread by then.
pub(super) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == NAME).then(|| worker::main(arguments))
}

/// How this program is started as a reader, if it knows where it is.
pub(crate) fn reader() -> Option<WorkerCommand> {
    // By this link it stays the same program when its file is replaced meanwhile.
    let link = Path::new("/proc/self/exe");
    let program = if link.exists() {
        link.to_path_buf()
    } else {
        std::env::current_exe().unwrap_or_else(|_| PathBuf::new())
    };
    if program.as_os_str().is_empty() {
        return None;
    }
    let command = WorkerCommand::new(program).arg(NAME);
    // The allocator would take more address space at its start than a reader may have.
    Some(command.env("MIMALLOC_ARENA_RESERVE", "64MiB"))
}
