//! What routing a message came to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entities::Entities;
use super::intent::Intent;
use crate::context::KnownJob;
use crate::language::Language;

/// What a message was understood as.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// What it wants.
    pub intent: Intent,
    /// How sure that is, 0 to 1, to two decimals.
    pub confidence: f64,
    /// What it names.
    pub entities: Entities,
    /// The job that was spoken of before, when the message means that one.
    pub reference: Option<KnownJob>,
    /// It is an attempt to confirm, which no message can do.
    pub confirms: bool,
    /// What to offer when it is unclear.
    pub clarify: Vec<String>,
    /// Other intents with much evidence, strongest first.
    pub also: Vec<Intent>,
    /// What spoke for the intents, such as `cue:knowledge`, `typo:sumary>summary`, `negated:cancel`.
    pub evidence: Vec<String>,
    /// The language of the message.
    pub language: Language,
}

/// A [`Routing`] as the body of `POST chat/analyze`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// What the message wants.
    pub intent: Intent,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// What it names, by type.
    pub entities: BTreeMap<String, Vec<String>>,
    /// What to offer when it is unclear.
    pub clarify: Vec<String>,
    /// Other intents with much evidence.
    pub also: Vec<Intent>,
    /// What spoke for the intents.
    pub evidence: Vec<String>,
    /// The language of the message.
    pub language: Language,
}

impl From<Routing> for Analysis {
    fn from(routing: Routing) -> Self {
        Self {
            intent: routing.intent,
            confidence: routing.confidence,
            entities: routing.entities.by_type(),
            clarify: routing.clarify,
            also: routing.also,
            evidence: routing.evidence,
            language: routing.language,
        }
    }
}
