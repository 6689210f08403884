//! From a message to an intent and its entities.
//!
//! Invariants:
//! - Routing is a pure function of the message, the names of the plan and the conversation.
//! - A command that is negated, asked about, told of or quoted is no command.
//! - A name of the plan is never read as a word, and a word is read as a name only where it stands
//!   in a name's place.
//! - What speaks for which intent stands in the rules, not in code.

mod command;
mod decision;
mod entities;
mod flags;
mod followup;
mod injection;
mod intent;
mod message;
mod names;
mod open;
mod reading;
mod router;
mod routing;
mod rules;
mod signs;
mod spelling;
mod statuses;
mod time;

pub(crate) use entities::is_message_id;
pub use entities::{Entities, NamedJob, UnknownName};
pub use intent::Intent;
pub(crate) use open::narrowed;
pub use router::Router;
pub use routing::{Analysis, Routing};
pub use rules::RuleError;
