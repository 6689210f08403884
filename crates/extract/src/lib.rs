//! Reads the text out of files that nobody trusts, as Markdown that the chunker cuts by structure.
//!
//! - What a file is, its content says: [`FileExtractor`] takes the name as a hint between kinds of text
//!   alone.
//! - Whatever needs a parser is read in a child process with hard limits, see [`worker`]: a file that
//!   crashes, fills or stalls its reader costs that process and nothing else. Only Markdown and plain
//!   text, which are taken as they are, are read in this process.
//! - Nothing is fetched, nothing is written to a disk, and no entity is expanded.
//!
//! ```no_run
//! use resync_extract::{FileExtractor, WorkerCommand};
//! use resync_rag::TextExtractor as _;
//!
//! # async fn example(bytes: Vec<u8>) -> Result<(), resync_rag::ExtractError> {
//! let command = WorkerCommand::new("/usr/bin/resync").arg("extract-worker");
//! let extractor = FileExtractor::new(Some(command));
//! let read = extractor.extract("runbook.pdf", bytes).await?;
//! println!("{}: {}", read.format, read.text);
//! # Ok(())
//! # }
//! ```

mod decode;
mod docx;
mod extractor;
mod html;
mod json;
mod kind;
mod markdown;
mod openapi;
mod pdf;
mod records;
mod refusal;
pub mod worker;

pub use extractor::{FileExtractor, WorkerCommand};
