//! The port to a language model: one completion, in pieces as they are made.
//!
//! Invariants that callers may rely on, and that `resync-llm` proves of its adapter:
//! - Dropping the stream ends the call; nothing goes on in the background.
//! - [`Piece::Finished`] comes once and last, and only when the model itself said that it is done. A
//!   stream that breaks off ends with an error, whatever came before it.
//! - [`Piece::Calls`] holds whole calls: each has a name and arguments that are a JSON object.
//! - The text of a completion is bounded, and so is the time until each piece.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use resync_kernel::BoxError;
use serde_json::Value;
use thiserror::Error;

/// What a model is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelRequest {
    /// What was said so far, in order.
    pub messages: Vec<ModelMessage>,
    /// What the model may ask for; empty when it must answer.
    pub tools: Vec<ToolSpec>,
}

/// A message to or from a model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelMessage {
    /// Our rules. No word of a person, an engine or a document ever stands in it (B7).
    System(String),
    /// A person's words, or data with a label that says so.
    User(String),
    /// What the model said before.
    Assistant {
        /// Its text.
        text: String,
        /// What it asked for.
        calls: Vec<ToolCall>,
    },
    /// What a call brought.
    Tool {
        /// The call.
        call_id: String,
        /// The result, as data.
        text: String,
    },
}

/// A tool that a model may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name: lower-case letters and `_`.
    pub name: &'static str,
    /// What it does, in English.
    pub description: &'static str,
    /// Its arguments as a JSON schema of an object.
    pub parameters: Value,
}

/// A call that a model asks for. It is a wish: the name may be none of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The model's id of it.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// An object.
    pub arguments: Value,
}

/// A piece of a completion.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Which model answers, by the name it is configured under; the first piece.
    Begun(String),
    /// More of the text.
    Text(String),
    /// What the model asks for.
    Calls(Vec<ToolCall>),
    /// What was read and written, where the server tells it.
    Usage(TokenUse),
    /// It is done.
    Finished(Finish),
}

/// Tokens, as the server counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUse {
    /// Read.
    pub prompt: u64,
    /// Written.
    pub completion: u64,
}

/// Why a completion is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The text is whole.
    Stop,
    /// It waits for the calls.
    Calls,
    /// The limit of tokens was reached; the text breaks off.
    Length,
    /// The server held back the rest.
    Filtered,
}

/// The pieces of one completion.
pub type Pieces = BoxStream<'static, Result<Piece, ModelError>>;

/// Why there is no completion, or no more of it. Holds neither a key, nor a prompt, nor a word of the
/// model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The server cannot be reached.
    #[error("the model server cannot be reached")]
    Unreachable(#[source] BoxError),
    /// The server is busy or failing.
    #[error("the model server is busy or failing (status {status})")]
    Busy {
        /// 408, 429 or 500 to 599.
        status: u16,
    },
    /// The server will not do it.
    #[error("the model server refused (status {status})")]
    Refused {
        /// Any other status than success.
        status: u16,
    },
    /// No piece came for too long.
    #[error("the model server sent nothing for {} s", after.as_secs())]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The time of the call was over.
    #[error("the model server did not end in time")]
    TimedOut,
    /// The stream ended before the model was done.
    #[error("the answer of the model was cut off")]
    CutOff,
    /// The server sent something that cannot be used.
    #[error("the answer of the model server cannot be used: {0}")]
    Unreadable(String),
    /// Too many calls are under way.
    #[error("too many calls of the model are under way")]
    Full,
    /// Every model failed too often of late and is left alone for a while.
    #[error("the model failed too often and is left alone for a while")]
    Resting,
}

impl ModelError {
    /// Every word of [`ModelError::word`].
    pub const WORDS: [&'static str; 9] = [
        "unreachable",
        "busy",
        "refused",
        "silent",
        "timed_out",
        "cut_off",
        "unreadable",
        "full",
        "resting",
    ];

    /// The kind in one word, for counters and for the mark of an answer.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Busy { .. } => "busy",
            Self::Refused { .. } => "refused",
            Self::Silent { .. } => "silent",
            Self::TimedOut => "timed_out",
            Self::CutOff => "cut_off",
            Self::Unreadable(_) => "unreadable",
            Self::Full => "full",
            Self::Resting => "resting",
        }
    }
}

/// A language model.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait LanguageModel: Send + Sync {
    /// The model that is asked first.
    fn name(&self) -> &str;

    /// Begins a completion. The pieces may be of another model than the first one, as
    /// [`Piece::Begun`] says.
    ///
    /// Cancel safe: dropping the future, or the stream, ends the call.
    ///
    /// # Errors
    /// [`ModelError`] when it cannot begin; the stream ends with one when it breaks off.
    async fn complete(&self, request: ModelRequest) -> Result<Pieces, ModelError>;
}
