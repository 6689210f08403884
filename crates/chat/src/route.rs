//! From a message to an intent and its entities.
//!
//! Invariants:
//! - Routing is a pure function of the message, the names of the plan and the conversation.
//! - A command that is negated, asked about or told of is no command.
//! - A name of the plan is never read as a word, and a word is read as a name only where it stands
//!   in a name's place.

mod command;
mod entities;
mod intent;
pub(crate) mod lexicon;
mod router;
mod routing;
mod spelling;
mod time;

pub(crate) use entities::is_message_id;
pub use entities::{Entities, NamedJob, UnknownName};
pub use intent::Intent;
pub use router::Router;
pub use routing::{Analysis, Routing};
