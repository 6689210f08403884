//! Conversations in SQLite.
//!
//! Invariants:
//! - A turn is one transaction: the session, both messages and the context, or nothing.
//! - Every statement on a session names its owner, so another user's reads as none.
//! - Ids are 16-byte blobs, times milliseconds since 1970; context and answers are JSON.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_chat::{
    Context, ConversationError, ConversationStore, Feedback, Message, MessageId, Placed, Role,
    SessionId, SessionSummary, Turn, Verdict,
};
use resync_kernel::UserId;
use sqlx::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::failed::Failed;
use crate::row::{RowName, signed};
use crate::{SqliteDatabase, SqliteError};

/// Conversations in the tables `chat_sessions`, `chat_messages` and `chat_feedback`.
#[derive(Debug, Clone)]
pub struct SqliteConversationStore {
    database: SqliteDatabase,
}

impl SqliteConversationStore {
    /// The conversations of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

impl From<SqliteError> for ConversationError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Column {
                table, column, id, ..
            } => Self::Corrupt { table, column, id },
            other => Self::Unavailable(other.into()),
        }
    }
}

fn unavailable(error: sqlx::Error) -> ConversationError {
    SqliteError::from(error).into()
}

const fn session_row(session: &SessionId) -> RowName<'_> {
    RowName {
        table: "chat_sessions",
        id: &session.0,
    }
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    place: i64,
    id: Uuid,
    role: String,
    text: String,
    at_ms: i64,
    answer: Option<String>,
    verdict: Option<String>,
    reason: Option<String>,
    said_at_ms: Option<i64>,
}

impl TryFrom<MessageRow> for Placed {
    type Error = ConversationError;

    fn try_from(row: MessageRow) -> Result<Self, ConversationError> {
        let name = RowName {
            table: "chat_messages",
            id: &row.id,
        };
        let role = match row.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return Err(name.broken("role", "no such role").into()),
        };
        let answer = row.answer.as_deref().map(|json| name.json("answer", json));
        let feedback = row.verdict.as_deref().zip(row.said_at_ms);
        let feedback = feedback.map(|(verdict, at)| {
            let name = RowName {
                table: "chat_feedback",
                id: &row.id,
            };
            Ok::<_, ConversationError>(Feedback {
                verdict: match verdict {
                    "up" => Verdict::Up,
                    "down" => Verdict::Down,
                    _ => return Err(name.broken("verdict", "no such verdict").into()),
                },
                reason: row.reason.clone(),
                at: name.time("at_ms", at)?,
            })
        });
        Ok(Self {
            place: name.number("place", row.place)?,
            message: Message {
                message_id: MessageId(row.id),
                role,
                at: name.time("at_ms", row.at_ms)?,
                answer: answer.transpose()?,
                feedback: feedback.transpose()?,
                text: row.text,
            },
        })
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    title: String,
    updated_at_ms: i64,
    messages: i64,
}

impl TryFrom<SessionRow> for SessionSummary {
    type Error = ConversationError;

    fn try_from(row: SessionRow) -> Result<Self, ConversationError> {
        let id = SessionId(row.id);
        let name = session_row(&id);
        Ok(Self {
            updated_at: name.time("updated_at_ms", row.updated_at_ms)?,
            messages: name.number("messages", row.messages)?,
            id,
            title: row.title,
        })
    }
}

async fn append(
    connection: &mut SqliteConnection,
    turn: &Turn,
) -> Result<(), Failed<ConversationError>> {
    let owner: Option<Uuid> = sqlx::query_scalar("SELECT owner_id FROM chat_sessions WHERE id = ?")
        .bind(turn.session.0)
        .fetch_optional(&mut *connection)
        .await?;
    if owner.is_some_and(|owner| owner != turn.owner.0) {
        return Err(Failed(ConversationError::UnknownSession));
    }
    let stored: Option<i64> =
        sqlx::query_scalar("SELECT place FROM chat_messages WHERE session_id = ? AND id = ?")
            .bind(turn.session.0)
            .bind(turn.answer.message_id.0)
            .fetch_optional(&mut *connection)
            .await?;
    if stored.is_some() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO chat_sessions (id, owner_id, title, updated_at_ms, context)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET
             updated_at_ms = max(updated_at_ms, excluded.updated_at_ms),
             context = excluded.context",
    )
    .bind(turn.session.0)
    .bind(turn.owner.0)
    .bind(&turn.title)
    .bind(turn.answer.at.timestamp_millis())
    .bind(Json(&turn.context))
    .execute(&mut *connection)
    .await?;
    for message in [&turn.question, &turn.answer] {
        insert(connection, turn.session, message).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    session: SessionId,
    message: &Message,
) -> Result<(), Failed<ConversationError>> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    sqlx::query(
        "INSERT INTO chat_messages (session_id, place, id, role, text, at_ms, answer)
         SELECT ?1, coalesce(max(place), 0) + 1, ?2, ?3, ?4, ?5, ?6
         FROM chat_messages WHERE session_id = ?1",
    )
    .bind(session.0)
    .bind(message.message_id.0)
    .bind(role)
    .bind(&message.text)
    .bind(message.at.timestamp_millis())
    .bind(message.answer.as_ref().map(Json))
    .execute(connection)
    .await?;
    Ok(())
}

async fn delete(
    connection: &mut SqliteConnection,
    owner: UserId,
    session: SessionId,
) -> Result<Option<u64>, Failed<ConversationError>> {
    let messages: Option<i64> = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM chat_messages WHERE session_id = chat_sessions.id)
         FROM chat_sessions WHERE id = ? AND owner_id = ?",
    )
    .bind(session.0)
    .bind(owner.0)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(messages) = messages else {
        return Ok(None);
    };
    // The messages go with their session, and feedback with its message.
    sqlx::query("DELETE FROM chat_sessions WHERE id = ? AND owner_id = ?")
        .bind(session.0)
        .bind(owner.0)
        .execute(connection)
        .await?;
    Ok(Some(session_row(&session).number("messages", messages)?))
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "up",
        Verdict::Down => "down",
    }
}

#[async_trait]
impl ConversationStore for SqliteConversationStore {
    async fn append(&self, turn: &Turn) -> Result<(), ConversationError> {
        let turn = turn.clone();
        let work = self
            .database
            .write(move |tx| Box::pin(async move { append(tx, &turn).await }));
        work.await.map_err(Failed::port)
    }

    async fn context(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<Context>, ConversationError> {
        let found: Option<String> =
            sqlx::query_scalar("SELECT context FROM chat_sessions WHERE id = ? AND owner_id = ?")
                .bind(session.0)
                .bind(owner.0)
                .fetch_optional(self.database.reader())
                .await
                .map_err(unavailable)?;
        let context = found.map(|json| session_row(&session).json("context", &json));
        Ok(context.transpose()?)
    }

    async fn messages(
        &self,
        owner: UserId,
        session: SessionId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Vec<Placed>>, ConversationError> {
        let rows: Vec<MessageRow> = sqlx::query_as(
            "SELECT place, chat_messages.id, role, text, chat_messages.at_ms, answer,
                 verdict, reason, chat_feedback.at_ms AS said_at_ms
             FROM chat_messages JOIN chat_sessions ON chat_sessions.id = session_id
             LEFT JOIN chat_feedback ON chat_feedback.message_id = chat_messages.id
             WHERE session_id = ? AND owner_id = ? AND place > ?
             ORDER BY place LIMIT ?",
        )
        .bind(session.0)
        .bind(owner.0)
        .bind(signed(after.unwrap_or(0)))
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        if rows.is_empty() && self.context(owner, session).await?.is_none() {
            return Ok(None);
        }
        rows.into_iter()
            .map(Placed::try_from)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    async fn session(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<SessionSummary>, ConversationError> {
        let row: Option<SessionRow> = sqlx::query_as(
            "SELECT id, title, updated_at_ms,
                 (SELECT count(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS messages
             FROM chat_sessions WHERE id = ? AND owner_id = ?",
        )
        .bind(session.0)
        .bind(owner.0)
        .fetch_optional(self.database.reader())
        .await
        .map_err(unavailable)?;
        row.map(SessionSummary::try_from).transpose()
    }

    async fn sessions(
        &self,
        owner: UserId,
        before: Option<(DateTime<Utc>, SessionId)>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, ConversationError> {
        let (at, id) = before.map_or((i64::MAX, Uuid::max()), |(at, id)| {
            (at.timestamp_millis(), id.0)
        });
        let rows: Vec<SessionRow> = sqlx::query_as(
            "SELECT id, title, updated_at_ms,
                 (SELECT count(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS messages
             FROM chat_sessions
             WHERE owner_id = ? AND (updated_at_ms, id) < (?, ?)
             ORDER BY updated_at_ms DESC, id DESC LIMIT ?",
        )
        .bind(owner.0)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter().map(SessionSummary::try_from).collect()
    }

    async fn rename(
        &self,
        owner: UserId,
        session: SessionId,
        title: &str,
    ) -> Result<bool, ConversationError> {
        let title = title.to_owned();
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let renamed =
                    sqlx::query("UPDATE chat_sessions SET title = ? WHERE id = ? AND owner_id = ?")
                        .bind(title)
                        .bind(session.0)
                        .bind(owner.0)
                        .execute(tx)
                        .await?;
                Ok::<_, Failed<ConversationError>>(renamed.rows_affected() > 0)
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn feedback(
        &self,
        owner: UserId,
        session: SessionId,
        message: MessageId,
        feedback: &Feedback,
    ) -> Result<bool, ConversationError> {
        let feedback = feedback.clone();
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let said = sqlx::query(
                    "INSERT INTO chat_feedback (message_id, verdict, reason, at_ms)
                     SELECT chat_messages.id, ?, ?, ?
                     FROM chat_messages JOIN chat_sessions ON chat_sessions.id = session_id
                     WHERE chat_messages.id = ? AND role = 'assistant'
                         AND session_id = ? AND owner_id = ?
                     ON CONFLICT (message_id) DO UPDATE SET
                         verdict = excluded.verdict, reason = excluded.reason,
                         at_ms = excluded.at_ms",
                )
                .bind(verdict_word(feedback.verdict))
                .bind(feedback.reason)
                .bind(feedback.at.timestamp_millis())
                .bind(message.0)
                .bind(session.0)
                .bind(owner.0)
                .execute(tx)
                .await?;
                Ok::<_, Failed<ConversationError>>(said.rows_affected() > 0)
            })
        });
        work.await.map_err(Failed::port)
    }

    async fn delete(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<u64>, ConversationError> {
        let work = self
            .database
            .write(move |tx| Box::pin(async move { delete(tx, owner, session).await }));
        work.await.map_err(Failed::port)
    }
}
