//! Conversations, intents, evidence and answers over the plan and the documents.
//!
//! Invariants:
//! - **The chat cannot act (I-08).** It holds reads alone; no type of this crate reaches an engine
//!   with a write. A wish to act becomes a [`ProposalCard`] without a token, for a person to take to
//!   the actions' two steps.
//! - **No invented facts.** Each number about the plan stands in a [`Figure`] or a [`Citation`] with
//!   its source and its age (I-15); without evidence the answer says what was looked at.
//! - **Foreign text is data (I-13).** Words of logs and documents are quoted in excerpts and decide
//!   nothing.
//! - A conversation is its owner's alone (P1-08), and a turn that was not saved is visible (P2-04).
//!
//! ```
//! use resync_chat::{Context, Intent, Language, Router, Vocabulary};
//!
//! let router = Router::default();
//! let routing = router.route("por que o FIN_GL_POST falhou?", None, &Context::default());
//! assert_eq!(routing.intent, Intent::JobDiagnose);
//! assert_eq!(routing.language, Language::Portuguese);
//! assert_eq!(routing.entities.jobs[0].name, "FIN_GL_POST");
//!
//! let routing = router.route("don't cancel FIN_GL_POST", None, &Context::default());
//! assert!(!routing.intent.is_action());
//! assert!(routing.entities.actions.is_empty());
//! ```

mod answer;
pub mod check;
mod context;
#[cfg(feature = "contract")]
pub mod contract;
mod events;
pub mod evidence;
mod language;
mod links;
pub mod markdown;
mod model;
mod ports;
mod reply;
mod route;
mod service;
mod text;
mod tools;
mod vocabulary;

pub use answer::{
    Answer, CardImpact, Citation, Figure, FigureSource, FigureValue, MessageId, Mode, Needs, Place,
    ProposalCard, SessionId, Timings, ToolUse,
};
pub use check::{Broken, Fault, recheck};
pub use context::{Asked, Context, KnownJob, Pending, Standing};
#[cfg(any(test, feature = "mocks"))]
pub use events::MockProgress;
pub use events::{ChatEvent, Progress, Silent};
pub use evidence::{Evidence, EvidenceFact, EvidenceKind, EvidenceSource};
pub use language::Language;
pub use links::PageLinks;
#[cfg(any(test, feature = "mocks"))]
pub use model::MockLanguageModel;
pub use model::{
    Finish, LanguageModel, ModelError, ModelMessage, ModelRequest, ModelUse, Piece, Pieces,
    TokenUse, ToolCall, ToolSpec, WordingStats,
};
#[cfg(any(test, feature = "mocks"))]
pub use ports::MockConversationStore;
pub use ports::{
    ConversationError, ConversationStore, Feedback, Message, Placed, Role, SessionSummary, Turn,
    Verdict,
};
pub use route::{Analysis, Entities, Intent, NamedJob, Router, Routing, RuleError, UnknownName};
pub use service::{
    AnswerMode, Ask, ChatConfig, ChatError, ChatParts, ChatService, Export, HistoryPage,
    MAX_MESSAGE_CHARS, MAX_REASON_CHARS, MAX_TITLE_CHARS, WordingConfig,
};
pub use tools::{
    EngineFacts, JobFilter, JobList, KnowledgeToolError, KnowledgeTools, LivePlan, PlanToolError,
    PlanTools, Seen, TimeSpan,
};
#[cfg(any(test, feature = "mocks"))]
pub use tools::{MockKnowledgeTools, MockPlanTools};
pub use vocabulary::{JobRef, Vocabulary};

/// Runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
