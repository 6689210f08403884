//! Errors and what caused them.

use std::error::Error;
use std::iter::successors;

/// An error of unknown kind, kept as the source of a typed one.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An error and all its sources, the outermost first.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}

/// An error and all its sources in one line.
///
/// ```
/// # #[derive(Debug, thiserror::Error)]
/// # #[error("the file cannot be read")]
/// # struct Unread(#[source] std::fmt::Error);
/// let line = resync_kernel::error_chain(&Unread(std::fmt::Error));
/// assert!(line.starts_with("the file cannot be read: "));
/// ```
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.join(": ")
}
