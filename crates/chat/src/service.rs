//! The use cases of a conversation.
//!
//! Invariants:
//! - An answer is bounded in time: what the tools do not tell within the deadline is said to be
//!   missing.
//! - A turn is saved whole or not at all, and an answer says which (P2-04).
//! - Another user's session reads as one that is not there (P1-08).
//! - The service holds reads alone; it has no way to act on an engine (I-08).

mod export;
mod history;
mod wording;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use resync_kernel::{BoxError, Clock, CursorError, IdGenerator, UserId};
use resync_tws::Snapshot;
use resync_tws::model::EngineName;
use thiserror::Error;
use tokio::time::Instant;

pub use export::Export;
pub use history::HistoryPage;
pub use wording::WordingConfig;
use wording::{Making, Told};

use crate::answer::{Answer, MessageId, SessionId, Timings, ToolUse};
use crate::context::{Asked, Context, Pending};
use crate::events::{self, ChatEvent, Progress, Silent};
use crate::markdown;
use crate::model::{LanguageModel, WordingCounts};
use crate::ports::{ConversationError, ConversationStore, Message, Role, Turn};
use crate::reply::{Book, Desk, Draft, Question, Remember, reply};
use crate::route::{Intent, Router, Routing};
use crate::text;
use crate::tools::{EngineFacts, KnowledgeTools, PlanTools, Seen};
use crate::vocabulary::Vocabulary;

/// The greatest length of a message, in characters.
pub const MAX_MESSAGE_CHARS: usize = 4_000;
/// The greatest length of a conversation's title, in characters.
pub const MAX_TITLE_CHARS: usize = 120;
/// The greatest length of a reason with feedback, in characters.
pub const MAX_REASON_CHARS: usize = 1_000;
/// How long one try to save a turn may take.
const SAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Larger plans are read for names off the async workers.
const LARGE_PLAN: usize = 5_000;

/// Bounds of the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatConfig {
    /// How long the tools of one answer may take in all (25 s).
    pub deadline: Duration,
    /// Bounds of what a language model words.
    pub wording: WordingConfig,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(25),
            wording: WordingConfig::default(),
        }
    }
}

/// What a [`ChatService`] is built from.
#[derive(Clone)]
pub struct ChatParts {
    /// Reads of the plan.
    pub plan: Arc<dyn PlanTools>,
    /// Search in the documents.
    pub knowledge: Arc<dyn KnowledgeTools>,
    /// The conversations.
    pub conversations: Arc<dyn ConversationStore>,
    /// Who may word answers; without one all are made from templates.
    pub model: Option<Arc<dyn LanguageModel>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Bounds.
    pub config: ChatConfig,
}

/// Who may word an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnswerMode {
    /// The language model where there is one and the intent is one that it words, else templates.
    #[default]
    Auto,
    /// Templates alone.
    Deterministic,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub user: UserId,
    /// Whether the person may propose actions.
    pub can_propose: bool,
    /// The message, 1 to 4,000 characters.
    pub message: String,
    /// The conversation that it belongs to; a new one when `None`.
    pub session_id: Option<SessionId>,
    /// The engine; the conversation's last one, else the first, when `None`.
    pub engine: Option<EngineName>,
    /// Who may word the answer; [`AnswerMode::Auto`] when `None`.
    pub mode: Option<AnswerMode>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ChatError {
    /// The message has no visible character.
    #[error("the message is empty")]
    EmptyMessage,
    /// The message is too long.
    #[error("the message is longer than {max} characters")]
    TooLong {
        /// The greatest length in characters.
        max: usize,
    },
    /// No engine has that name.
    #[error("no engine is named {0}")]
    UnknownEngine(EngineName),
    /// There is no such conversation, or it is another user's.
    #[error("there is no such conversation")]
    UnknownSession,
    /// There is no such answer in that conversation, or it is another user's.
    #[error("there is no such answer")]
    UnknownMessage,
    /// The title has no visible character or too many.
    #[error("a title has 1 to {max} characters")]
    Title {
        /// The greatest length in characters.
        max: usize,
    },
    /// The reason is too long.
    #[error("the reason is longer than {max} characters")]
    Reason {
        /// The greatest length in characters.
        max: usize,
    },
    /// The cursor is not one of the list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error("the store of conversations is unavailable")]
    Unavailable(#[source] BoxError),
}

impl From<ConversationError> for ChatError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::UnknownSession => Self::UnknownSession,
            ConversationError::Unavailable(_) | ConversationError::Corrupt { .. } => {
                Self::Unavailable(Box::new(error))
            }
        }
    }
}

/// The names of a plan, and the snapshot that they are from.
type Named = (Weak<Snapshot>, Arc<Vocabulary>);

/// Answers messages and keeps conversations. Cheap to clone; clones are one.
#[derive(Clone)]
pub struct ChatService {
    parts: ChatParts,
    router: Arc<Router>,
    counts: Arc<WordingCounts>,
    /// The names of the last snapshot of each engine. Guards a map of a few entries; no await is
    /// made under it.
    names: Arc<Mutex<HashMap<EngineName, Named>>>,
}

impl fmt::Debug for ChatService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatService")
            .field("config", &self.parts.config)
            .finish_non_exhaustive()
    }
}

impl ChatService {
    /// The service. It starts nothing.
    #[must_use]
    pub fn new(parts: ChatParts) -> Self {
        Self {
            parts,
            router: Arc::new(Router::default()),
            counts: Arc::default(),
            names: Arc::default(),
        }
    }

    /// Answers a message and saves the turn.
    ///
    /// An engine or a document store that does not answer makes the answer `incomplete`; a store of
    /// conversations that does not answer makes it `saved: false`. Neither is an error.
    /// Not cancel safe: a caller that is dropped does not know whether the turn was saved.
    ///
    /// # Errors
    /// [`ChatError::EmptyMessage`], [`ChatError::TooLong`], [`ChatError::UnknownEngine`],
    /// [`ChatError::UnknownSession`].
    pub async fn ask(&self, ask: Ask) -> Result<Answer, ChatError> {
        self.ask_telling(ask, &Silent).await
    }

    /// As [`ChatService::ask`], and tells `progress` while the answer is made: its start, each call
    /// of a tool, the text in parts, citations, a proposal, and the whole answer when the turn has
    /// been saved or given up. The parts in their order are the text of the answer.
    ///
    /// Dropping it ends everything that it began; a turn that is given up before its text is whole
    /// is not saved. Not cancel safe: a caller that is dropped later does not know whether it was.
    ///
    /// # Errors
    /// As [`ChatService::ask`]; nothing has been told then.
    #[tracing::instrument(name = "chat.ask", skip_all, fields(user.id = %ask.user))]
    pub async fn ask_telling(
        &self,
        ask: Ask,
        progress: &dyn Progress,
    ) -> Result<Answer, ChatError> {
        let message = checked(&ask.message)?;
        let clock = &self.parts.clock;
        let (start, at) = (clock.monotonic(), clock.now());
        let (begun, whole) = (Instant::now(), self.parts.config.deadline);
        let context = self.remembered(ask.user, ask.session_id).await?;
        let engine = self.engine(ask.engine.as_ref(), &context)?;
        let mut context = turned_to(context, engine.as_ref());
        let ids = &self.parts.ids;
        let session_id = ask.session_id.unwrap_or_else(|| SessionId(ids.next()));
        let message_id = MessageId(ids.next());
        let begins = ChatEvent::StreamStart {
            session_id,
            message_id,
        };
        progress.tell(begins).await;
        let mut desk = Desk {
            plan: &*self.parts.plan,
            knowledge: &*self.parts.knowledge,
            clock: &**clock,
            progress,
            // An engine that hangs must leave the documents some time to answer instead.
            plan_deadline: begun + whole * 3 / 5,
            deadline: begun + whole,
            engine,
            used: Mutex::default(),
            book: Book::default(),
        };
        let snapshot = desk.snapshot().await;
        let names = match &snapshot {
            Ok(seen) => Some(self.names(seen).await),
            Err(_) => None,
        };
        let mut routing = self.router.route(message, names.as_deref(), &context);
        self.placed(&ask, message, &mut routing).await;
        let mut draft = Draft::new(routing.language);
        let question = Question {
            message,
            routing: &routing,
            snapshot: snapshot.as_ref().map_err(|error| *error),
            can_propose: ask.can_propose,
        };
        let remember = reply(&desk, &question, &mut draft).await;
        let is_demo = desk.engine.as_ref().is_some_and(|engine| engine.demo);
        let demo = is_demo && draft.tells_of_engine();
        // Beside the page's label one answer in words is enough: the one about the plan as a whole.
        if demo && routing.intent == Intent::PlanSummary {
            draft.say_demo();
        }
        if !draft.listed.is_empty() {
            context.list = std::mem::take(&mut draft.listed);
        }
        remember_into(&mut context, &routing, remember);
        let making = Making {
            ask: &ask,
            message,
            routing: &routing,
            snapshot: snapshot.as_ref().map_err(|error| *error),
            names: names.as_deref(),
            progress,
            demo,
        };
        let Told { text, mode, model } = self.told(&making, &mut desk, &mut draft).await;
        let took = clock.monotonic() - start;
        let mut answer = Answer {
            answer: text,
            html: String::new(),
            session_id,
            message_id,
            mode,
            model,
            intent: routing.intent,
            confidence: routing.confidence,
            entities: routing.by_type(),
            figures: draft.figures,
            citations: draft.citations,
            evidence: desk.book.all(),
            proposal: draft.proposal,
            clarify: draft.clarify,
            tools_used: used(&desk),
            demo,
            incomplete: draft.incomplete,
            saved: true,
            timings: Timings {
                total_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            },
            language: routing.language,
        };
        events::tell_rest(progress, &answer).await;
        let question = Message {
            message_id: MessageId(self.parts.ids.next()),
            role: Role::User,
            text: message.to_owned(),
            at,
            answer: None,
            feedback: None,
        };
        answer.saved = self.save(ask.user, question, &answer, context).await;
        answer.html = markdown::html(&answer.answer);
        events::tell_whole(progress, &answer).await;
        Ok(answer)
    }

    /// What a message would be understood as; nothing is answered and nothing saved.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As [`ChatService::ask`].
    #[tracing::instrument(name = "chat.analyze", skip_all, fields(user.id = %ask.user))]
    pub async fn analyze(&self, ask: Ask) -> Result<Routing, ChatError> {
        let message = checked(&ask.message)?;
        let context = self.remembered(ask.user, ask.session_id).await?;
        let engine = self.engine(ask.engine.as_ref(), &context)?;
        let context = turned_to(context, engine.as_ref());
        let names = match engine {
            None => None,
            Some(engine) => {
                let read = self.parts.plan.snapshot(&engine.name);
                match tokio::time::timeout(self.parts.config.deadline, read).await {
                    Ok(Ok(seen)) => Some(self.names(&seen).await),
                    Ok(Err(_)) | Err(_) => None,
                }
            }
        };
        Ok(self.router.route(message, names.as_deref(), &context))
    }

    /// What the session remembers. A store that does not answer is no reason to leave a person
    /// without the plan: the answer then knows no context, and will most likely not be saved.
    async fn remembered(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Context, ChatError> {
        let Some(session) = session else {
            return Ok(Context::default());
        };
        let read = self.parts.conversations.context(user, session);
        match tokio::time::timeout(SAVE_TIMEOUT, read).await {
            Ok(Ok(Some(context))) => Ok(context),
            Ok(Ok(None) | Err(ConversationError::UnknownSession)) => Err(ChatError::UnknownSession),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a conversation cannot be read"
                );
                Ok(Context::default())
            }
            Err(_) => {
                tracing::warn!("a conversation was not read in time");
                Ok(Context::default())
            }
        }
    }

    fn engine(
        &self,
        asked: Option<&EngineName>,
        context: &Context,
    ) -> Result<Option<EngineFacts>, ChatError> {
        let mut engines = self.parts.plan.engines();
        let place = |name: &EngineName| engines.iter().position(|engine| engine.name == *name);
        let at = match asked {
            Some(name) => place(name).ok_or_else(|| ChatError::UnknownEngine(name.clone()))?,
            // An engine that was taken out of the configuration is no reason to refuse.
            None => context.engine.as_ref().and_then(place).unwrap_or(0),
        };
        Ok((at < engines.len()).then(|| engines.swap_remove(at)))
    }

    async fn names(&self, seen: &Seen<Snapshot>) -> Arc<Vocabulary> {
        let lock = || self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&seen.meta.engine).cloned();
        if let Some((of, names)) = known
            && Weak::ptr_eq(&of, &Arc::downgrade(&seen.value))
        {
            return names;
        }
        let snapshot = Arc::clone(&seen.value);
        let engines = self.parts.plan.engines();
        let read = move || {
            let workstations = snapshot
                .workstations
                .iter()
                .map(|station| station.name.as_str());
            let engines = engines.iter().map(|engine| engine.name.as_str());
            Vocabulary::new(snapshot.jobs.iter().map(|job| &**job), workstations)
                .with_engines(engines)
        };
        let names = if seen.value.jobs.len() > LARGE_PLAN {
            match tokio::task::spawn_blocking(read).await {
                Ok(names) => names,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the names of a plan were not read"
                    );
                    Vocabulary::default()
                }
            }
        } else {
            read()
        };
        let names = Arc::new(names);
        let of = Arc::downgrade(&seen.value);
        lock().insert(seen.meta.engine.clone(), (of, Arc::clone(&names)));
        names
    }

    /// Saves the turn, once more when the first try failed. Says whether it was saved (P2-04).
    async fn save(
        &self,
        owner: UserId,
        question: Message,
        answer: &Answer,
        context: Context,
    ) -> bool {
        let turn = Turn {
            owner,
            session: answer.session_id,
            title: title(&question.text),
            answer: Message {
                message_id: answer.message_id,
                role: Role::Assistant,
                text: answer.answer.clone(),
                at: self.parts.clock.now(),
                answer: Some(Box::new(answer.clone())),
                feedback: None,
            },
            question,
            context,
        };
        for attempt in 1..=2 {
            let append = self.parts.conversations.append(&turn);
            match tokio::time::timeout(SAVE_TIMEOUT, append).await {
                Ok(Ok(())) => return true,
                Ok(Err(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, attempt, "a turn was not saved");
                }
                Err(_) => tracing::warn!(attempt, "a turn was not saved in time"),
            }
        }
        tracing::error!(session.id = %turn.session, "a turn is not in the history");
        false
    }
}

fn checked(message: &str) -> Result<&str, ChatError> {
    let message = message.trim();
    if text::name(message).is_empty() {
        return Err(ChatError::EmptyMessage);
    }
    if message.chars().count() > MAX_MESSAGE_CHARS {
        return Err(ChatError::TooLong {
            max: MAX_MESSAGE_CHARS,
        });
    }
    Ok(message)
}

fn title(message: &str) -> String {
    let line = text::name(message);
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or(&line).trim_end()),
        None => line,
    }
}

fn used(desk: &Desk<'_>) -> Vec<ToolUse> {
    let mut used = desk
        .used
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    // Calls that ran at once end in any order.
    used.sort();
    used
}

/// The context for a question to `engine`: a job of one engine is nothing to another one.
fn turned_to(mut context: Context, engine: Option<&EngineFacts>) -> Context {
    let name = engine.map(|engine| &engine.name);
    if name.is_some() && context.engine.as_ref() != name {
        context.job = None;
        context.pending = None;
        context.list.clear();
        context.engine = name.cloned();
    }
    context
}

fn remember_into(context: &mut Context, routing: &Routing, remember: Remember) {
    context.language = Some(routing.language);
    if remember.job.is_some() {
        context.job = remember.job;
    }
    let intent = routing.open.unwrap_or(routing.intent);
    if !matches!(
        intent,
        Intent::Clarify | Intent::Greeting | Intent::PromptInjection
    ) {
        context.asked = Some(Asked::of(intent, &routing.entities));
    }
    context.pending = remember.asked_which.then(|| Pending {
        intent,
        action: routing.entities.actions.first().copied(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_1_to_4000_characters() {
        assert!(matches!(
            checked(" \u{200b}\n"),
            Err(ChatError::EmptyMessage)
        ));
        assert!(checked(&"é".repeat(MAX_MESSAGE_CHARS)).is_ok());
        let long = "é".repeat(MAX_MESSAGE_CHARS + 1);
        assert!(matches!(
            checked(&long),
            Err(ChatError::TooLong { max: 4_000 })
        ));
    }

    #[test]
    fn a_job_of_one_engine_is_forgotten_when_another_one_is_asked() {
        let engine = |name| EngineFacts {
            name: EngineName::parse(name).unwrap(),
            read_only: false,
            demo: false,
        };
        let (prod, test) = (engine("prod"), engine("test"));
        let job = crate::context::KnownJob {
            id: resync_tws::model::JobId::parse("1").unwrap(),
            name: "A".to_owned(),
            label: "A".to_owned(),
            standing: crate::context::Standing::Failed,
        };
        let context = Context {
            engine: Some(prod.name.clone()),
            job: Some(job),
            ..Context::default()
        };
        assert_eq!(turned_to(context.clone(), Some(&prod)), context);
        assert_eq!(turned_to(context.clone(), None), context);
        let turned = turned_to(context, Some(&test));
        assert_eq!((turned.job, turned.engine), (None, Some(test.name)));
    }

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(title("why\ndid X fail?"), "why did X fail?");
        assert_eq!(title(&"a".repeat(200)).chars().count(), 81);
    }
}
