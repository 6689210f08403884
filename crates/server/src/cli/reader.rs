//! The process in which files are read: this program once more, under a name that no help lists.

use std::process::ExitCode;

use resync_extract::worker;

/// The first argument of such a process.
const NAME: &str = "extract-worker";

/// Runs the reader when the arguments ask for it. Before anything else: it limits its own process, which
/// must have no other thread by then.
pub(super) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == NAME).then(|| worker::main(arguments))
}
