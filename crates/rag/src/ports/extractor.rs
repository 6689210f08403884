//! What reads the text out of files.

use async_trait::async_trait;
use resync_kernel::BoxError;
use thiserror::Error;

use crate::model::Media;

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// The text, with headings, lists, tables and code as Markdown unless `media` is plain text. It is
    /// what is stored, searched and cited.
    pub text: String,
    /// How the text is read.
    pub media: Media,
    /// The title that the file itself states, if it does.
    pub title: Option<String>,
    /// What kind of file it was, for people: `PDF`, `DOCX`, `HTML`, `CSV`, `OpenAPI`, `JSON`,
    /// `Markdown` or `text`.
    pub format: &'static str,
    /// The character encoding that it was read with, where it is a text file; see
    /// [`decode`](crate::text::decode).
    pub encoding: Option<&'static str>,
}

/// A file's text could not be read.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The file is of a kind that is not read, by its content.
    #[error("files of this kind are not supported: {kind}")]
    Unsupported {
        /// What it looks like.
        kind: String,
    },
    /// The file is broken, empty, encrypted, or a trap; the same bytes fail again.
    #[error("{reason}")]
    Unreadable {
        /// Why, for the person who uploaded it.
        reason: String,
    },
    /// The reader itself could not run; another try may work.
    #[error("the reader of files is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Reads the text out of files that nobody trusts: by content and not by name, within bounds of time,
/// memory and output.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait TextExtractor: Send + Sync {
    /// A quick look at the door, without reading the text: an error for a file that
    /// [`TextExtractor::extract`] is sure to refuse. Some microseconds; nothing is kept. By default every file passes.
    ///
    /// # Errors
    /// As [`TextExtractor::extract`] would.
    fn check(&self, file_name: &str, bytes: &[u8]) -> Result<(), ExtractError> {
        let _ = (file_name, bytes);
        Ok(())
    }

    /// The text of `bytes`, with `\n` as its only line end; `file_name` is a hint where the content leaves it open.
    ///
    /// Cancel safe: dropping it ends the work, a child process included.
    async fn extract(&self, file_name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError>;
}
