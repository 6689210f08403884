//! Conversations, intents, evidence and answers over the plan and the documents.

mod context;
mod language;
mod route;
mod text;
mod vocabulary;

pub use context::{Context, KnownJob, Pending, Standing};
pub use language::Language;
pub use route::{Entities, Intent, NamedJob, Router, Routing, UnknownName};
pub use vocabulary::{JobRef, Vocabulary};
