//! Measuring retrieval: questions with known answers, figures, and bounds that they must keep.
//!
//! A *golden set* is a file of questions, one JSON object a line, each with the places that answer it
//! ([`golden`]); a [`Report`] says how often they were found, by language and kind; [`Thresholds`]
//! are the least that it must reach. Two reports are compared by [`compare`].
//!
//! Invariant: evaluating asks questions as anyone does and changes nothing.
//!
//! ```
//! use resync_rag::eval::{Kind, golden};
//!
//! let set = golden(
//!     r#"{"id":"q1","question":"how do I stop an agent","language":"en","kind":"howto",
//!         "expected":[{"source":"agents.md","heading":"Stopping an agent"}]}"#
//!         .replace('\n', " ")
//!         .as_str(),
//! )?;
//! assert_eq!(set[0].kind, Kind::Howto);
//! # Ok::<(), resync_rag::eval::GoldenError>(())
//! ```

mod golden;
mod report;
mod run;
mod thresholds;

pub use golden::{Expected, GoldenError, GoldenQuestion, Kind, QuestionLanguage, golden};
pub use report::{Judged, Metrics, Miss, Report, compare};
pub use run::evaluate;
pub use thresholds::{Thresholds, ThresholdsError};
