//! Reading and deleting conversations: the owner's alone.

use chrono::{DateTime, Utc};
use resync_kernel::{Cursor, Limit, Page, UserId};

use super::{ChatError, ChatService};
use crate::answer::SessionId;
use crate::ports::{Message, SessionSummary};

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
        let items = placed.into_iter().map(|placed| placed.message).collect();
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

fn size(limit: Limit) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}
