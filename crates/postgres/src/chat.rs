//! Conversations in PostgreSQL.
//!
//! Invariants:
//! - A turn is one transaction: the session, both messages and the context, or nothing. Turns of one
//!   session wait for its row, so each message has a place of its own.
//! - Every statement on a session names its owner, so another user's reads as none.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_chat::{
    Context, ConversationError, ConversationStore, Feedback, Message, MessageId, Placed, Role,
    SessionId, SessionSummary, Turn, Verdict,
};
use resync_kernel::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::failed::Failed;
use crate::row::{RowName, signed, storable};
use crate::{PgDatabase, PgError};

/// Conversations in the tables `chat_sessions`, `chat_messages` and `chat_feedback`.
#[derive(Debug, Clone)]
pub struct PgConversationStore {
    database: PgDatabase,
}

impl PgConversationStore {
    /// The conversations of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

impl From<PgError> for ConversationError {
    fn from(error: PgError) -> Self {
        match error {
            PgError::Column {
                table, column, id, ..
            } => Self::Corrupt { table, column, id },
            other => Self::Unavailable(other.into()),
        }
    }
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
    type Error = PgError;

    fn try_from(row: MessageRow) -> Result<Self, PgError> {
        let name = RowName {
            table: "chat_messages",
            id: &row.id,
        };
        let role = match row.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return Err(name.broken("role", "no such role")),
        };
        let answer = row.answer.as_deref().map(|json| name.json("answer", json));
        let feedback = row.verdict.as_deref().zip(row.said_at_ms);
        let feedback = feedback.map(|(verdict, at)| {
            let name = RowName {
                table: "chat_feedback",
                id: &row.id,
            };
            Ok::<_, PgError>(Feedback {
                verdict: match verdict {
                    "up" => Verdict::Up,
                    "down" => Verdict::Down,
                    _ => return Err(name.broken("verdict", "no such verdict")),
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
    type Error = PgError;

    fn try_from(row: SessionRow) -> Result<Self, PgError> {
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

fn json<T: serde::Serialize>(value: &T) -> Result<String, Failed<ConversationError>> {
    serde_json::to_string(value)
        .map_err(|error| Failed(ConversationError::Unavailable(error.into())))
}

async fn append(
    connection: &mut PgConnection,
    turn: &Turn,
) -> Result<(), Failed<ConversationError>> {
    let context = json(&turn.context)?;
    // Makes the session, or waits for its row and holds it.
    let (owner,): (Uuid,) = sqlx::query_as(
        "INSERT INTO chat_sessions (id, owner_id, title, updated_at_ms, context)
         VALUES ($1, $2, $3, $4, $5::json)
         ON CONFLICT (id) DO UPDATE SET title = chat_sessions.title
         RETURNING owner_id",
    )
    .bind(turn.session.0)
    .bind(turn.owner.0)
    .bind(storable(&turn.title))
    .bind(turn.answer.at.timestamp_millis())
    .bind(&context)
    .fetch_one(&mut *connection)
    .await?;
    if owner != turn.owner.0 {
        return Err(Failed(ConversationError::UnknownSession));
    }
    let (stored, last): (bool, i64) = sqlx::query_as(
        "SELECT coalesce(bool_or(id = $2), false), coalesce(max(place), 0)
         FROM chat_messages WHERE session_id = $1",
    )
    .bind(turn.session.0)
    .bind(turn.answer.message_id.0)
    .fetch_one(&mut *connection)
    .await?;
    if stored {
        return Ok(());
    }
    sqlx::query(
        "UPDATE chat_sessions
         SET updated_at_ms = greatest(updated_at_ms, $2), context = $3::json WHERE id = $1",
    )
    .bind(turn.session.0)
    .bind(turn.answer.at.timestamp_millis())
    .bind(&context)
    .execute(&mut *connection)
    .await?;
    for (place, message) in (last + 1..).zip([&turn.question, &turn.answer]) {
        insert(connection, turn.session, place, message).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    session: SessionId,
    place: i64,
    message: &Message,
) -> Result<(), Failed<ConversationError>> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    sqlx::query(
        "INSERT INTO chat_messages (session_id, place, id, role, text, at_ms, answer)
         VALUES ($1, $2, $3, $4, $5, $6, $7::json)",
    )
    .bind(session.0)
    .bind(place)
    .bind(message.message_id.0)
    .bind(role)
    .bind(storable(&message.text))
    .bind(message.at.timestamp_millis())
    .bind(message.answer.as_ref().map(json).transpose()?)
    .execute(connection)
    .await?;
    Ok(())
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "up",
        Verdict::Down => "down",
    }
}

#[async_trait]
impl ConversationStore for PgConversationStore {
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
        let query = sqlx::query_as(
            "SELECT context::text FROM chat_sessions WHERE id = $1 AND owner_id = $2",
        )
        .bind(session.0)
        .bind(owner.0);
        let found: Option<(String,)> = self.database.row(query).await?;
        let context = found.map(|(json,)| session_row(&session).json("context", &json));
        Ok(context.transpose()?)
    }

    async fn messages(
        &self,
        owner: UserId,
        session: SessionId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Vec<Placed>>, ConversationError> {
        let query = sqlx::query_as::<_, MessageRow>(
            "SELECT place, chat_messages.id, role, text, chat_messages.at_ms, answer::text,
                 verdict, reason, chat_feedback.at_ms AS said_at_ms
             FROM chat_messages JOIN chat_sessions ON chat_sessions.id = session_id
             LEFT JOIN chat_feedback ON chat_feedback.message_id = chat_messages.id
             WHERE session_id = $1 AND owner_id = $2 AND place > $3
             ORDER BY place LIMIT $4",
        )
        .bind(session.0)
        .bind(owner.0)
        .bind(signed(after.unwrap_or(0)))
        .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        if rows.is_empty() && self.context(owner, session).await?.is_none() {
            return Ok(None);
        }
        let messages: Result<_, PgError> = rows.into_iter().map(Placed::try_from).collect();
        Ok(Some(messages?))
    }

    async fn session(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<SessionSummary>, ConversationError> {
        let query = sqlx::query_as::<_, SessionRow>(
            "SELECT id, title, updated_at_ms,
                 (SELECT count(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS messages
             FROM chat_sessions WHERE id = $1 AND owner_id = $2",
        )
        .bind(session.0)
        .bind(owner.0);
        let row = self.database.row(query).await?;
        Ok(row.map(SessionSummary::try_from).transpose()?)
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
        let query = sqlx::query_as::<_, SessionRow>(
            "SELECT id, title, updated_at_ms,
                 (SELECT count(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS messages
             FROM chat_sessions
             WHERE owner_id = $1 AND (updated_at_ms, id) < ($2, $3)
             ORDER BY updated_at_ms DESC, id DESC LIMIT $4",
        )
        .bind(owner.0)
        .bind(at)
        .bind(id)
        .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        let sessions: Result<_, PgError> = rows.into_iter().map(SessionSummary::try_from).collect();
        Ok(sessions?)
    }

    async fn rename(
        &self,
        owner: UserId,
        session: SessionId,
        title: &str,
    ) -> Result<bool, ConversationError> {
        let title = storable(title).into_owned();
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let renamed = sqlx::query(
                    "UPDATE chat_sessions SET title = $1 WHERE id = $2 AND owner_id = $3",
                )
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
                let reason = feedback.reason.as_deref().map(storable);
                let said = sqlx::query(
                    "INSERT INTO chat_feedback (message_id, verdict, reason, at_ms)
                     SELECT chat_messages.id, $1, $2, $3
                     FROM chat_messages JOIN chat_sessions ON chat_sessions.id = session_id
                     WHERE chat_messages.id = $4 AND role = 'assistant'
                         AND session_id = $5 AND owner_id = $6
                     ON CONFLICT (message_id) DO UPDATE SET
                         verdict = excluded.verdict, reason = excluded.reason,
                         at_ms = excluded.at_ms",
                )
                .bind(verdict_word(feedback.verdict))
                .bind(reason)
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
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                // The session's row is held first, so that no turn adds a message that is not counted.
                let query =
                    "SELECT 1 FROM chat_sessions WHERE id = $1 AND owner_id = $2 FOR UPDATE";
                let held = sqlx::query(query)
                    .bind(session.0)
                    .bind(owner.0)
                    .fetch_optional(&mut *tx)
                    .await?;
                if held.is_none() {
                    return Ok(None);
                }
                // The messages go with their session, too; so they are counted. Feedback goes with
                // its message.
                let messages = sqlx::query("DELETE FROM chat_messages WHERE session_id = $1")
                    .bind(session.0)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("DELETE FROM chat_sessions WHERE id = $1")
                    .bind(session.0)
                    .execute(tx)
                    .await?;
                Ok::<_, Failed<ConversationError>>(Some(messages.rows_affected()))
            })
        });
        work.await.map_err(Failed::port)
    }
}
