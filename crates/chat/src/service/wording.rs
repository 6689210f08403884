//! The language model's part in an answer.
//!
//! A model words what is told in sentences: why a job failed or does not run, what it waits for, whom
//! it holds up, how it usually runs, how the plan stands, and what the documents say. The rest stays
//! with the templates: actions and what is said about them (I-08), questions back, greetings, help,
//! refusals, and the answers that are figures or lists and nothing else (`job_status`, `job_list`,
//! `job_log`, `workstation_status`). So does an answer that lacks something, since the templates say
//! exactly what it lacks, and one without evidence.
//!
//! Invariants:
//! - The answer from templates is made first and is what counts when the model fails, in whole or
//!   behind the sentences that were told already.
//! - What a model asks for is read by the same code that answers without one, under the same bounds.
//! - A model never makes an action of a question: it places only what the rules left open, and only
//!   among reads (I-08).

use std::time::Duration;

use async_trait::async_trait;
use resync_tws::Snapshot;
use tokio::time::Instant;

use super::{AnswerMode, Ask, ChatService, SAVE_TIMEOUT};
use crate::answer::{Citation, Mode};
use crate::context::Context;
use crate::events::{self, Progress};
use crate::evidence::{Evidence, EvidenceKind};
use crate::model::{
    ANSWER_VERSION, Asked, Bench, LanguageModel, ModelUse, Wish, Worded, Wording, WordingStats,
    is_order, place,
};
use crate::ports::Role;
use crate::reply::{Desk, Draft, Question, reply};
use crate::route::{Intent, Router, Routing};
use crate::tools::{PlanToolError, Seen};
use crate::vocabulary::Vocabulary;

/// How many earlier messages a prompt may hold.
const EARLIER: u64 = 6;
/// How long the reads that a model asks for may take in all.
const READS: Duration = Duration::from_secs(10);

/// Bounds of what a model words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordingConfig {
    /// How long a model may take for one answer in all (60 s).
    pub timeout: Duration,
    /// Tokens of a prompt, estimated from its length (6,144).
    pub prompt_tokens: usize,
}

impl Default for WordingConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            prompt_tokens: 6_144,
        }
    }
}

/// A text that has been told.
pub(super) struct Told {
    pub(super) text: String,
    pub(super) mode: Mode,
    pub(super) model: Option<ModelUse>,
}

/// What an answer is made with.
pub(super) struct Making<'a> {
    pub(super) ask: &'a Ask,
    pub(super) message: &'a str,
    pub(super) routing: &'a Routing,
    pub(super) snapshot: Result<&'a Seen<Snapshot>, PlanToolError>,
    pub(super) names: Option<&'a Vocabulary>,
    pub(super) progress: &'a dyn Progress,
    /// The engine's data are invented.
    pub(super) demo: bool,
}

/// Whether answers to it may be worded by a model.
const fn is_worded(intent: Intent) -> bool {
    matches!(
        intent,
        Intent::JobDiagnose
            | Intent::JobDependencies
            | Intent::Impact
            | Intent::HistoryTrend
            | Intent::PlanSummary
            | Intent::Knowledge
    )
}

impl ChatService {
    /// What became of the answers that a model was asked to word, since the start.
    #[must_use]
    pub fn wording_stats(&self) -> WordingStats {
        self.counts.stats()
    }

    /// The model, where there is one and the person did not ask for rules alone.
    fn model(&self, ask: &Ask) -> Option<&dyn LanguageModel> {
        match ask.mode.unwrap_or_default() {
            AnswerMode::Auto => self.parts.model.as_deref(),
            AnswerMode::Deterministic => None,
        }
    }

    /// Lets a model place what the rules left open.
    pub(super) async fn placed(&self, ask: &Ask, message: &str, routing: &mut Routing) {
        let open = routing.intent == Intent::Clarify
            && !routing.confirms
            && routing.entities.unknown.is_empty()
            && routing.entities.actions.is_empty();
        let Some(model) = self.model(ask).filter(|_| open) else {
            return;
        };
        if let Some(intent) = place(model, message, &|line| self.is_order(line)).await {
            routing.intent = intent;
            routing.confidence = 0.5;
            routing.clarify.clear();
            routing.evidence.push(format!("model:{}", intent.as_str()));
            self.counts.with(|counts| counts.placed += 1);
        }
    }

    /// Whether a line reads like an order to an assistant.
    fn is_order(&self, line: &str) -> bool {
        let routing = self.router.route(line, None, &Context::default());
        routing.intent == Intent::PromptInjection || is_order(line)
    }

    /// Tells the text of the answer: a model's words where it may speak and what it says stands, else
    /// the draft's.
    pub(super) async fn told(
        &self,
        making: &Making<'_>,
        desk: &mut Desk<'_>,
        draft: &mut Draft,
    ) -> Told {
        let text = draft.text();
        let may =
            is_worded(making.routing.intent)
                && !draft.incomplete
                && draft.clarify.is_empty()
                && draft.proposal.is_none()
                && desk.book.all().iter().any(|piece| {
                    !matches!(piece.kind, EvidenceKind::Nothing | EvidenceKind::Names)
                });
        let Some(model) = self.model(making.ask).filter(|_| may) else {
            events::tell_text(making.progress, &text).await;
            return Told {
                text,
                mode: Mode::Deterministic,
                model: None,
            };
        };
        let worded = self.worded(model, making, desk, draft).await;
        let usage = ModelUse {
            name: worded.name.unwrap_or_else(|| model.name().to_owned()),
            prompt_version: ANSWER_VERSION.to_owned(),
            fell_back: worded.fell_back.map(str::to_owned),
            struck: worded.struck,
            prompt_tokens: worded.tokens.map(|tokens| tokens.prompt),
            completion_tokens: worded.tokens.map(|tokens| tokens.completion),
        };
        let (told, mode) = if worded.kept == 0 {
            events::tell_text(making.progress, &text).await;
            (text, Mode::Deterministic)
        } else {
            let rest = rest(
                &worded.text,
                worded.fell_back.map(|_| text),
                making,
                desk,
                draft,
            );
            events::tell_text(making.progress, &rest).await;
            (worded.text + &rest, Mode::Model(usage.name.clone()))
        };
        Told {
            text: told,
            mode,
            model: Some(usage),
        }
    }

    async fn worded(
        &self,
        model: &dyn LanguageModel,
        making: &Making<'_>,
        desk: &mut Desk<'_>,
        draft: &mut Draft,
    ) -> Worded {
        let earlier = self.earlier(making.ask).await;
        let config = self.parts.config.wording;
        let is_order = |line: &str| self.is_order(line);
        desk.deadline = Instant::now() + READS;
        desk.plan_deadline = desk.deadline;
        let wording = Wording {
            model,
            counts: &self.counts,
            progress: making.progress,
            is_order: &is_order,
            deadline: Instant::now() + config.timeout,
            prompt_tokens: config.prompt_tokens,
        };
        let asked = Asked {
            language: draft.language,
            message: making.message,
            earlier: &earlier,
        };
        let mut reads = Reads {
            making,
            desk,
            draft,
            router: &self.router,
        };
        wording.word(&asked, &mut reads).await
    }

    /// The last messages of the conversation. Without them an answer is less apt, not wrong.
    async fn earlier(&self, ask: &Ask) -> Vec<(Role, String)> {
        let Some(session) = ask.session_id else {
            return Vec::new();
        };
        let store = &self.parts.conversations;
        let read = async {
            let about = store.session(ask.user, session).await.ok()??;
            let after = about.messages.saturating_sub(EARLIER);
            let limit = u32::try_from(EARLIER).unwrap_or(u32::MAX);
            store
                .messages(ask.user, session, Some(after), limit)
                .await
                .ok()?
        };
        let found = tokio::time::timeout(SAVE_TIMEOUT, read)
            .await
            .ok()
            .flatten();
        let found = found.unwrap_or_default().into_iter();
        found
            .map(|placed| (placed.message.role, placed.message.text))
            .collect()
    }
}

/// What follows the model's words: how old the figures are when they are older than they should be
/// (I-15), that they are invented, and the draft where the model broke off.
fn rest(
    told: &str,
    text: Option<String>,
    making: &Making<'_>,
    desk: &Desk<'_>,
    draft: &Draft,
) -> String {
    let mut lines: Vec<String> = Vec::new();
    if let Some(text) = text {
        let line = draft.language.pick(
            "The language model broke off or was not to be trusted; from here on by rules:",
            "O modelo de linguagem parou ou não era confiável; daqui em diante, por regras:",
        );
        lines.push(format!("{line}\n{text}"));
    } else {
        let evidence = desk.book.all();
        let stale = evidence.iter().filter(|piece| piece.stale);
        if let Some(age) = stale.map(|piece| piece.age_ms / 1_000).max() {
            let (en, pt) = (
                format!("Careful: some of this is {age} s old."),
                format!("Atenção: parte destes dados tem {age} s."),
            );
            lines.push(draft.language.pick(&en, &pt).to_owned());
        }
        if making.demo && making.routing.intent == Intent::PlanSummary {
            let line = draft.language.pick(
                "(Demo: this engine's data are invented.)",
                "(Demonstração: os dados deste engine são inventados.)",
            );
            lines.push(line.to_owned());
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let apart = if told.ends_with('\n') { "" } else { "\n" };
    format!("{apart}{}", lines.join("\n"))
}

/// The reads of an answer, for a model to ask for.
struct Reads<'a, 'd> {
    making: &'a Making<'a>,
    desk: &'a Desk<'d>,
    draft: &'a mut Draft,
    router: &'a Router,
}

#[async_trait]
impl Bench for Reads<'_, '_> {
    fn evidence(&self) -> Vec<Evidence> {
        self.desk.book.all()
    }

    fn citations(&self) -> &[Citation] {
        &self.draft.citations
    }

    async fn gather(&mut self, wish: &Wish) -> bool {
        if !self.desk.may_call() {
            return false;
        }
        let message = if wish.intent.needs_job() {
            format!("job {}", wish.subject)
        } else {
            wish.subject.clone()
        };
        let mut routing = self
            .router
            .route(&message, self.making.names, &Context::default());
        // What is read is what the tool reads, whatever the words of its argument may say.
        routing.intent = wish.intent;
        routing.entities.actions.clear();
        routing.confirms = false;
        routing.also.clear();
        routing.language = self.draft.language;
        let question = Question {
            message: &message,
            routing: &routing,
            snapshot: self.making.snapshot,
            can_propose: false,
        };
        let kept = self.draft.aside();
        reply(self.desk, &question, self.draft).await;
        self.draft.back(kept);
        true
    }
}
