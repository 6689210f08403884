//! The language model: the port to it, what it is asked, and what it may be heard saying.
//!
//! Invariants:
//! - The model holds no authority (I-08): what it can ask for are reads, and what it says is text
//!   that is checked sentence by sentence before anybody sees it.
//! - It is never needed. Whatever it does, the answer from templates is there.

mod compose;
mod counts;
mod cutter;
mod defuse;
mod guard;
mod orders;
mod place;
mod port;
mod prompt;
mod thoughts;
mod toolset;

pub(crate) use compose::{Bench, Worded, Wording};
pub(crate) use counts::WordingCounts;
pub use counts::WordingStats;
pub(crate) use orders::is_order;
pub(crate) use place::place;
#[cfg(any(test, feature = "mocks"))]
pub use port::MockLanguageModel;
pub use port::{
    Finish, LanguageModel, ModelError, ModelMessage, ModelRequest, Piece, Pieces, TokenUse,
    ToolCall, ToolSpec,
};
pub(crate) use prompt::{ANSWER_VERSION, Asked};
use serde::{Deserialize, Serialize};
pub(crate) use toolset::Wish;

/// What a language model was asked for and did in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUse {
    /// The model that answered, or the first one asked when none did.
    pub name: String,
    /// The prompt's name and version, such as `answer.v1`.
    pub prompt_version: String,
    /// Why the deterministic answer was given instead, or follows; absent when it was not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fell_back: Option<String>,
    /// How many sentences were taken out because a citation or a figure of theirs is not in the
    /// evidence.
    pub struck: u32,
    /// Tokens read, as the server counts them; absent when it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Tokens written, as the server counts them; absent when it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
}
