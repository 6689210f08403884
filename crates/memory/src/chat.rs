//! Conversations in memory.
//!
//! Invariant: each method is one step under one lock, so the port's atomic promises hold.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_chat::{
    Context, ConversationError, ConversationStore, Feedback, Message, MessageId, Placed, Role,
    SessionId, SessionSummary, Turn,
};
use resync_kernel::UserId;

#[derive(Debug)]
struct Session {
    owner: UserId,
    title: String,
    updated_at: DateTime<Utc>,
    context: Context,
    messages: Vec<Message>,
}

/// Keeps conversations as long as the process lives.
#[derive(Debug, Default)]
pub struct InMemoryConversationStore {
    /// Guards the sessions; no await is made under it.
    sessions: Mutex<BTreeMap<SessionId, Session>>,
}

impl InMemoryConversationStore {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn summary(id: SessionId, session: &Session) -> SessionSummary {
    SessionSummary {
        id,
        title: session.title.clone(),
        updated_at: session.updated_at,
        messages: place(session.messages.len()),
    }
}

#[async_trait]
impl ConversationStore for InMemoryConversationStore {
    async fn append(&self, turn: &Turn) -> Result<(), ConversationError> {
        let mut sessions = Self::sessions(self);
        let session = sessions.entry(turn.session).or_insert_with(|| Session {
            owner: turn.owner,
            title: turn.title.clone(),
            updated_at: turn.answer.at,
            context: Context::default(),
            messages: Vec::new(),
        });
        if session.owner != turn.owner {
            return Err(ConversationError::UnknownSession);
        }
        let stored = |message: &Message| message.message_id == turn.answer.message_id;
        if session.messages.iter().any(stored) {
            return Ok(());
        }
        session
            .messages
            .extend([turn.question.clone(), turn.answer.clone()]);
        session.updated_at = session.updated_at.max(turn.answer.at);
        session.context.clone_from(&turn.context);
        Ok(())
    }

    async fn context(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<Context>, ConversationError> {
        let sessions = Self::sessions(self);
        let found = sessions.get(&session).filter(|found| found.owner == owner);
        Ok(found.map(|found| found.context.clone()))
    }

    async fn messages(
        &self,
        owner: UserId,
        session: SessionId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Vec<Placed>>, ConversationError> {
        let sessions = Self::sessions(self);
        let Some(found) = sessions.get(&session).filter(|found| found.owner == owner) else {
            return Ok(None);
        };
        let placed = found
            .messages
            .iter()
            .enumerate()
            .map(|(at, message)| Placed {
                place: place(at + 1),
                message: message.clone(),
            });
        let wanted = placed.filter(|placed| after.is_none_or(|after| placed.place > after));
        Ok(Some(wanted.take(size(limit)).collect()))
    }

    async fn session(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<SessionSummary>, ConversationError> {
        let sessions = Self::sessions(self);
        let found = sessions.get(&session).filter(|found| found.owner == owner);
        Ok(found.map(|found| summary(session, found)))
    }

    async fn sessions(
        &self,
        owner: UserId,
        before: Option<(DateTime<Utc>, SessionId)>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, ConversationError> {
        let sessions = Self::sessions(self);
        let own = sessions
            .iter()
            .filter(|(_, session)| session.owner == owner);
        let mut found: Vec<SessionSummary> = own
            .map(|(id, session)| summary(*id, session))
            .filter(|found| before.is_none_or(|before| (found.updated_at, found.id) < before))
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse((found.updated_at, found.id)));
        found.truncate(size(limit));
        Ok(found)
    }

    async fn rename(
        &self,
        owner: UserId,
        session: SessionId,
        title: &str,
    ) -> Result<bool, ConversationError> {
        let mut sessions = Self::sessions(self);
        let found = sessions
            .get_mut(&session)
            .filter(|found| found.owner == owner);
        let Some(found) = found else { return Ok(false) };
        title.clone_into(&mut found.title);
        Ok(true)
    }

    async fn feedback(
        &self,
        owner: UserId,
        session: SessionId,
        message: MessageId,
        feedback: &Feedback,
    ) -> Result<bool, ConversationError> {
        let mut sessions = Self::sessions(self);
        let own = sessions
            .get_mut(&session)
            .filter(|found| found.owner == owner);
        let answer = own.and_then(|found| {
            found
                .messages
                .iter_mut()
                .find(|one| one.message_id == message && one.role == Role::Assistant)
        });
        let Some(answer) = answer else {
            return Ok(false);
        };
        answer.feedback = Some(feedback.clone());
        Ok(true)
    }

    async fn delete(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<u64>, ConversationError> {
        let mut sessions = Self::sessions(self);
        if sessions
            .get(&session)
            .is_none_or(|found| found.owner != owner)
        {
            return Ok(None);
        }
        Ok(sessions
            .remove(&session)
            .map(|found| place(found.messages.len())))
    }
}
