//! What the chat needs from a store.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::answer::{Answer, MessageId, SessionId};
use crate::context::Context;

/// The store of conversations failed or refused.
#[derive(Debug, Error)]
pub enum ConversationError {
    /// The session belongs to somebody else. Callers say "unknown", as for one that is not there.
    #[error("there is no such conversation")]
    UnknownSession,
    /// The store did not answer.
    #[error("the store of conversations is unavailable")]
    Unavailable(#[source] BoxError),
    /// A stored value cannot be read; it is named so that someone can repair it.
    #[error("the store of conversations holds an unreadable {column} in {table} at {id}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        id: String,
    },
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// Resync.
    Assistant,
}

/// Whether an answer was of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was.
    Up,
    /// It was not.
    Down,
}

/// What the owner thinks of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Feedback {
    /// Whether it was of use.
    pub verdict: Verdict,
    /// Why, at most 1,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was said.
    pub at: DateTime<Utc>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// Its id.
    pub message_id: MessageId,
    /// Who wrote it.
    pub role: Role,
    /// Its text.
    pub text: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The whole answer, for a message of the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<Answer>>,
    /// What the owner said of it, for a message of the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// A question and its answer, saved as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Whose conversation it is.
    pub owner: UserId,
    /// The conversation, made by its first turn.
    pub session: SessionId,
    /// Its title, taken by its first turn.
    pub title: String,
    /// The question.
    pub question: Message,
    /// The answer.
    pub answer: Message,
    /// What the conversation remembers from now on.
    pub context: Context,
}

/// A message and its place in the conversation, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The place.
    pub place: u64,
    /// The message.
    pub message: Message,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// The name that its owner gave it, else the beginning of its first question.
    pub title: String,
    /// When its last answer was written.
    pub updated_at: DateTime<Utc>,
    /// How many messages it has.
    pub messages: u64,
}

/// Keeps conversations. Each belongs to the user of its first turn, and for everybody else it is as
/// if it were not there (P1-08).
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Adds both messages and the context, all or nothing. Makes the session when it is new. A turn
    /// whose messages are there already changes nothing, so an append may be tried again.
    ///
    /// [`ConversationError::UnknownSession`] when the session belongs to somebody else.
    async fn append(&self, turn: &Turn) -> Result<(), ConversationError>;

    /// What the owner's session remembers, or `None` when the owner has no such session.
    async fn context(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<Context>, ConversationError>;

    /// At most `limit` messages in their order, those after the place `after` when given; `None` when
    /// the owner has no such session.
    async fn messages(
        &self,
        owner: UserId,
        session: SessionId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Vec<Placed>>, ConversationError>;

    /// The owner's session as it stands in the list, or `None` when the owner has no such session.
    async fn session(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<SessionSummary>, ConversationError>;

    /// At most `limit` sessions of the owner, the last written first, those before `before` when given.
    async fn sessions(
        &self,
        owner: UserId,
        before: Option<(DateTime<Utc>, SessionId)>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, ConversationError>;

    /// Gives the owner's session another title; `false` when the owner has no such session. When it
    /// was updated stays as it is, and so does the title when the next turn comes.
    async fn rename(
        &self,
        owner: UserId,
        session: SessionId,
        title: &str,
    ) -> Result<bool, ConversationError>;

    /// Keeps what the owner says of an answer; the last word counts. `false` when the owner has no
    /// such session or it has no such message of the assistant.
    async fn feedback(
        &self,
        owner: UserId,
        session: SessionId,
        message: MessageId,
        feedback: &Feedback,
    ) -> Result<bool, ConversationError>;

    /// Removes the owner's session with its feedback and returns how many messages went, or `None` when the owner has no
    /// such session.
    async fn delete(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<u64>, ConversationError>;
}
