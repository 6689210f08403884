//! Reading, naming, judging and deleting conversations: the owner's alone.

use chrono::{DateTime, Utc};
use resync_kernel::{Cursor, Limit, Page, UserId};

use super::{ChatError, ChatService};
use crate::answer::{MessageId, SessionId};
use crate::markdown;
use crate::ports::{Feedback, Message, SessionSummary, Verdict};
use crate::service::{MAX_REASON_CHARS, MAX_TITLE_CHARS};
use crate::text;

/// A page of a conversation, oldest message first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The conversation.
    pub session_id: SessionId,
    /// Its messages.
    pub messages: Page<Message>,
}

impl ChatService {
    /// Messages of the owner's session, oldest first.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ChatError::UnknownSession`] when the user has no such session, [`ChatError::Cursor`],
    /// [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.history", skip_all, fields(user.id = %owner))]
    pub async fn history(
        &self,
        owner: UserId,
        session: SessionId,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<HistoryPage, ChatError> {
        let after = cursor.map(Cursor::decode::<u64>).transpose()?;
        let found = self
            .parts
            .conversations
            .messages(owner, session, after, limit.get() + 1)
            .await?;
        let mut placed = found.ok_or(ChatError::UnknownSession)?;
        let more = placed.len() > size(limit);
        placed.truncate(size(limit));
        let last = placed.last().map(|last| last.place).filter(|_| more);
        let next = last.map(|place| Cursor::encode(&place)).transpose()?;
        let items = placed.into_iter().map(|placed| shown(placed.message));
        let items = items.collect();
        Ok(HistoryPage {
            session_id: session,
            messages: Page { items, next },
        })
    }

    /// The owner's sessions, the last written first.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ChatError::Cursor`], [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.sessions", skip_all, fields(user.id = %owner))]
    pub async fn sessions(
        &self,
        owner: UserId,
        limit: Limit,
        cursor: Option<&str>,
    ) -> Result<Page<SessionSummary>, ChatError> {
        let before = cursor
            .map(Cursor::decode::<(DateTime<Utc>, SessionId)>)
            .transpose()?;
        let mut items = self
            .parts
            .conversations
            .sessions(owner, before, limit.get() + 1)
            .await?;
        let more = items.len() > size(limit);
        items.truncate(size(limit));
        let last = items.last().filter(|_| more);
        let next = last
            .map(|last| Cursor::encode(&(last.updated_at, last.id)))
            .transpose()?;
        Ok(Page { items, next })
    }

    /// The owner's session, as it stands in the list.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ChatError::UnknownSession`] when the user has no such session, [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.session", skip_all, fields(user.id = %owner))]
    pub async fn session(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<SessionSummary, ChatError> {
        let found = self.parts.conversations.session(owner, session).await?;
        found.ok_or(ChatError::UnknownSession)
    }

    /// Gives the owner's session a title of 1 to [`MAX_TITLE_CHARS`] characters, made one line.
    ///
    /// # Errors
    /// [`ChatError::Title`], [`ChatError::UnknownSession`] when the user has no such session,
    /// [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.rename", skip_all, fields(user.id = %owner))]
    pub async fn rename(
        &self,
        owner: UserId,
        session: SessionId,
        title: &str,
    ) -> Result<SessionSummary, ChatError> {
        let too_long = title.trim().chars().count() > MAX_TITLE_CHARS;
        let title = text::name(title);
        if too_long || title.is_empty() {
            let max = MAX_TITLE_CHARS;
            return Err(ChatError::Title { max });
        }
        let conversations = &self.parts.conversations;
        if !conversations.rename(owner, session, &title).await? {
            return Err(ChatError::UnknownSession);
        }
        self.session(owner, session).await
    }

    /// Keeps what the owner says of an answer, with a reason of at most [`MAX_REASON_CHARS`]
    /// characters; the last word counts.
    ///
    /// # Errors
    /// [`ChatError::Reason`], [`ChatError::UnknownMessage`] when the user has no such answer in that
    /// session, [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.feedback", skip_all, fields(user.id = %owner))]
    pub async fn feedback(
        &self,
        owner: UserId,
        session: SessionId,
        message: MessageId,
        verdict: Verdict,
        reason: Option<&str>,
    ) -> Result<Feedback, ChatError> {
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
            let max = MAX_REASON_CHARS;
            return Err(ChatError::Reason { max });
        }
        let feedback = Feedback {
            verdict,
            reason: reason.map(|reason| text::excerpt(reason, MAX_REASON_CHARS)),
            at: self.parts.clock.now(),
        };
        let kept = self
            .parts
            .conversations
            .feedback(owner, session, message, &feedback)
            .await?;
        if kept {
            Ok(feedback)
        } else {
            Err(ChatError::UnknownMessage)
        }
    }

    /// Deletes the owner's session; returns how many messages went (P1-04).
    ///
    /// # Errors
    /// [`ChatError::UnknownSession`] when the user has no such session, [`ChatError::Unavailable`].
    #[tracing::instrument(name = "chat.delete", skip_all, fields(user.id = %owner))]
    pub async fn delete(&self, owner: UserId, session: SessionId) -> Result<u64, ChatError> {
        let deleted = self.parts.conversations.delete(owner, session).await?;
        deleted.ok_or(ChatError::UnknownSession)
    }
}

/// With the HTML of its text, which is never stored.
fn shown(mut message: Message) -> Message {
    if let Some(answer) = &mut message.answer {
        answer.html = markdown::html(&answer.answer);
    }
    message
}

fn size(limit: Limit) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}
