//! What routing a message came to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entities::{Entities, normal};
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
    /// What it would want if it were clear which job it means; only with [`Intent::Clarify`].
    pub open: Option<Intent>,
    /// What to choose from when it is unclear.
    pub clarify: Vec<String>,
    /// The other intents that the message asks for, in its order.
    pub also: Vec<Intent>,
    /// What spoke for the intents, such as `job_log:+4.2:$log`, `typo:sumary>summary`,
    /// `negated:action_cancel`.
    pub evidence: Vec<String>,
    /// The language of the message.
    pub language: Language,
}

impl Routing {
    /// Nothing but an intent.
    pub(super) fn bare(intent: Intent, language: Language) -> Self {
        Self {
            intent,
            confidence: 0.0,
            entities: Entities::default(),
            reference: None,
            confirms: false,
            open: None,
            clarify: Vec::new(),
            also: Vec::new(),
            evidence: Vec::new(),
            language,
        }
    }

    /// What the message means, by type, the job that was spoken of before included; see
    /// [`Entities::by_type`].
    #[must_use]
    pub fn by_type(&self) -> BTreeMap<String, Vec<String>> {
        let mut found = self.entities.by_type();
        if let Some(job) = &self.reference {
            let name = normal(&job.name);
            let jobs = found.entry("job".to_owned()).or_default();
            if !jobs.contains(&name) {
                jobs.push(name);
            }
        }
        found
    }
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
    /// What to choose from when it is unclear.
    pub clarify: Vec<String>,
    /// The other intents that the message asks for.
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
            entities: routing.by_type(),
            clarify: routing.clarify,
            also: routing.also,
            evidence: routing.evidence,
            language: routing.language,
        }
    }
}
