//! An answer and the evidence that it rests on. It serialises to the body of `POST chat`.
//!
//! Invariants:
//! - Every number about the plan in the text stands in [`Answer::figures`] or [`Answer::citations`].
//! - A figure says which engine told it, when, and whether it is stale (I-15).
//! - Words of a log stand in [`Citation::excerpt`] and nowhere else; words of a document stand in the
//!   text too, in lines that begin with `> ` under the mark of their citation (I-13).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use resync_rag::{DocumentId, Span};
use resync_tws::Text;
use resync_tws::model::{ActionKind, ConfirmOutcome, EngineName, JobId, RunId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::evidence::Evidence;
use crate::language::Language;
use crate::model::ModelUse;
use crate::route::Intent;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// Names a conversation; it belongs to one user.
    SessionId
);
id!(
    /// Names a message of a conversation.
    MessageId
);

/// The answer to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text, in the language of the question, with the marks of Markdown.
    pub answer: String,
    /// The text as HTML of [`crate::markdown::TAGS`], for those who show it as it is. It is made anew
    /// whenever an answer is handed out, and never stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub html: String,
    /// The conversation.
    pub session_id: SessionId,
    /// This message.
    pub message_id: MessageId,
    /// How it was made.
    pub mode: Mode,
    /// What the language model was asked for and did; absent when none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelUse>,
    /// What the message was understood as.
    pub intent: Intent,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// What the message names, by type.
    pub entities: BTreeMap<String, Vec<String>>,
    /// The figures of the text.
    pub figures: Vec<Figure>,
    /// The places in logs and documents that the text rests on.
    pub citations: Vec<Citation>,
    /// What the tools told, in the order of gathering; the ground of everything above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// A prepared action; nothing has been done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<ProposalCard>,
    /// What to choose from when the question was unclear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clarify: Vec<String>,
    /// What was asked, in order of name.
    pub tools_used: Vec<ToolUse>,
    /// What the engine told is invented: it is a demo. Answers without its facts are not marked.
    #[serde(default)]
    pub demo: bool,
    /// Something that the answer needed could not be read.
    pub incomplete: bool,
    /// Whether the turn is in the history.
    pub saved: bool,
    /// How long it took.
    pub timings: Timings,
    /// The language of the text.
    pub language: Language,
}

/// How an answer was made: in JSON `deterministic` or the model's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Mode {
    /// From templates over evidence, without a language model.
    Deterministic,
    /// By the language model of that name, each sentence checked against the evidence.
    Model(String),
}

impl From<String> for Mode {
    fn from(word: String) -> Self {
        if word == "deterministic" {
            Self::Deterministic
        } else {
            Self::Model(word)
        }
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Deterministic => "deterministic".to_owned(),
            Mode::Model(name) => name,
        }
    }
}

/// A fact of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is, in the language of the answer.
    pub label: String,
    /// The number or the words.
    pub value: FigureValue,
    /// The unit: `jobs`, `s`, `workstations`; `job` and its like behind a one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Who told it.
    pub source: FigureSource,
    /// The piece of evidence that it stands in; empty in answers of before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// When the engine told it.
    pub fetched_at: DateTime<Utc>,
    /// How old that was when the answer was made, in milliseconds.
    pub age_ms: u64,
    /// Older than it should be.
    pub stale: bool,
}

/// A number or words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FigureValue {
    /// A number.
    Number(i64),
    /// Words of the engine, a state, or a time in RFC 3339.
    Text(String),
}

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureSource {
    /// The engine.
    pub engine: EngineName,
    /// The question to it: `snapshot`, `job`, `diagnosis`, `log`.
    pub what: String,
}

/// A place in a log or a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// `c1`, `c2` and so on, as the text names it.
    pub id: String,
    /// What to call it.
    pub title: String,
    /// The piece of evidence that it stands in; empty in answers of before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The words, as data: without control characters, at most 1,200 characters.
    pub excerpt: String,
}

/// Where cited words stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// Lines of a job's log.
    Log {
        /// The engine that has the job; ids of jobs are its own.
        engine: EngineName,
        /// The job.
        job_id: JobId,
        /// The run.
        run: RunId,
        /// The first line, from 1.
        from_line: u32,
        /// The last line.
        to_line: u32,
    },
    /// A section of a document.
    Document {
        /// The document.
        document_id: DocumentId,
        /// Its file name.
        source: String,
        /// The headings above the section, outermost first.
        heading_path: Vec<String>,
        /// Where the section stands in the stored text.
        span: Span,
    },
}

/// A prepared action, for a person to look at. It holds no token: to act, the person gives a reason
/// and confirms on the actions' own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalCard {
    /// The engine.
    pub engine: EngineName,
    /// The job.
    pub job_id: JobId,
    /// `WORKSTATION#STREAM.JOB`.
    pub label: String,
    /// What would be done.
    pub action: ActionKind,
    /// How a job is confirmed; absent for other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ConfirmOutcome>,
    /// The state that the job had when the card was made.
    pub state: String,
    /// What it would mean for others.
    pub impact: CardImpact,
    /// What the person must still give.
    pub needs: Needs,
}

/// What an action would mean for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardImpact {
    /// How many jobs that have not ended wait for this one, directly or through others; `None` when
    /// the plan could not be read, since a zero would be made up.
    pub blocked: Option<usize>,
    /// The nearest of them, at most 10.
    pub jobs: Vec<String>,
    /// What the action does, in one sentence.
    pub note: Option<Text>,
}

/// What a card still needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// A person's reason.
    Reason,
}

/// A question to the plan or the documents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ToolUse {
    /// `snapshot`, `job`, `diagnosis`, `log` or `search`.
    pub name: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// `hit`, `miss`, `stale` or `coalesced`; absent where there is no cache or no answer.
    pub cache: Option<String>,
}

/// How long things took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// From the message to the answer, in milliseconds, without saving.
    pub total_ms: u64,
}
