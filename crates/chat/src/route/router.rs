//! The vote of the evidence.
//!
//! Each phrase and each entity of a message speaks for intents with a weight; the strongest intent
//! wins if it is strong enough, else the answer asks back. What spoke is kept as evidence.

use std::collections::{BTreeMap, BTreeSet};

use resync_tws::model::ActionKind;

use super::command::{Commands, commands};
use super::entities::{Entities, Reader, statuses};
use super::intent::Intent;
use super::lexicon::{self, CONFIRMATIONS, CUES, FAILED, FOLLOW_UPS, JOBS, PRONOUNS, WAITING, WHY};
use super::routing::Routing;
use super::spelling::correct;
use super::time;
use crate::context::{Context, KnownJob};
use crate::language::Language;
use crate::text::{Token, tokens};
use crate::vocabulary::Vocabulary;

/// Below this a message is not understood.
const ENOUGH: f64 = 1.0;

/// Routes messages. Holds the words of the tables; build it once.
#[derive(Debug)]
pub struct Router {
    words: BTreeSet<&'static str>,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            words: lexicon::words(),
        }
    }
}

#[derive(Debug, Default)]
struct Votes {
    scores: BTreeMap<Intent, f64>,
    evidence: Vec<String>,
}

impl Votes {
    fn add(&mut self, intent: Intent, weight: f64, why: &str) {
        *self.scores.entry(intent).or_insert(0.0) += weight;
        let why = format!("{why}:{}", intent.as_str());
        if weight > 0.0 && !self.evidence.contains(&why) {
            self.evidence.push(why);
        }
    }
}

/// What the votes are cast on.
struct Message<'a> {
    joined: String,
    length: usize,
    entities: &'a Entities,
    commands: &'a Commands,
    reference: Option<&'a KnownJob>,
}

impl Message<'_> {
    fn says(&self, phrases: &str) -> bool {
        says(&self.joined, phrases)
    }

    fn names_job(&self) -> bool {
        !self.entities.jobs.is_empty() || self.joined.contains(" <job> ")
    }

    fn about_job(&self) -> bool {
        self.names_job() || self.reference.is_some()
    }

    /// Whether it says what a list is to hold. "What is" and "which" alone could ask for anything, and
    /// a list without a filter is the whole plan.
    fn has_list_subject(&self) -> bool {
        let entities = self.entities;
        let named = [
            &entities.statuses,
            &entities.streams,
            &entities.workstations,
            &entities.patterns,
        ];
        named.iter().any(|names| !names.is_empty())
            || !entities.unknown.is_empty()
            || self.says(JOBS)
    }
}

fn says(joined: &str, phrases: &str) -> bool {
    phrases
        .split('|')
        .any(|phrase| joined.contains(&format!(" {phrase} ")))
}

fn join(words: &[String]) -> String {
    format!(" {} ", words.join(" "))
}

impl Router {
    /// The intent and the entities of `text`.
    ///
    /// `vocabulary` is the plan's names, `None` when the plan could not be read.
    #[must_use]
    pub fn route(&self, text: &str, vocabulary: Option<&Vocabulary>, context: &Context) -> Routing {
        let language = Language::detect(text, context.language);
        let tokens = tokens(text);
        let reader = Reader {
            vocabulary,
            lexicon: &self.words,
            shouted: shouted(&tokens),
        };
        let (mut entities, mut words) = reader.read(&tokens);
        let mut votes = Votes::default();
        correct(&mut words, &self.words, vocabulary, &mut votes.evidence);
        let joined = join(&words);
        let commands = commands(&words);
        entities.statuses = statuses(&joined);
        entities.windows = time::windows(text, &joined);
        entities.actions.clone_from(&commands.given);
        let reference =
            refers(&joined, &words, &entities, &commands).then_some(context.job.as_ref());
        let message = Message {
            length: words.len(),
            joined,
            entities: &entities,
            commands: &commands,
            reference: reference.flatten(),
        };
        let pending = context.pending.filter(|_| is_only_a_name(&words));
        if let Some(pending) = pending {
            votes.add(pending.intent, 6.0, "asked-before");
        }
        vote(&message, &mut votes);
        let reference = message.reference.cloned();
        let (intent, confidence, also) = decide(&votes.scores);
        if let (true, Some(action)) = (pending.is_some(), intent.action()) {
            entities.actions = vec![action];
        }
        let needed = reference.filter(|_| intent.needs_job() && entities.jobs.is_empty());
        if needed.is_some() {
            votes.evidence.push("reference:last-job".to_owned());
        }
        let confirms = intent == Intent::Clarify && confidence > 0.0;
        Routing {
            intent,
            confidence,
            entities,
            reference: needed,
            confirms,
            clarify: if intent == Intent::Clarify && !confirms {
                offers(language)
            } else {
                Vec::new()
            },
            also,
            evidence: votes.evidence,
            language,
        }
    }
}

fn shouted(tokens: &[Token]) -> bool {
    tokens.len() >= 3
        && tokens
            .iter()
            .all(|token| !token.raw.chars().any(char::is_lowercase))
}

/// Whether a message without a job's name means the job that was spoken of before.
fn refers(joined: &str, words: &[String], entities: &Entities, commands: &Commands) -> bool {
    let names_job = joined.contains(" <job> ") || joined.contains(" <stream> ");
    let others = !entities.workstations.is_empty() || !entities.patterns.is_empty();
    let plural = says(
        joined,
        "jobs|rotinas|processos|todos|everything|tudo|all|plan|plano|runbook|runbooks",
    );
    if names_job || others || plural {
        return false;
    }
    let opens = words
        .first()
        .is_some_and(|first| says(&format!(" {first} "), FOLLOW_UPS));
    let bare = says(
        joined,
        "log|logs|why|rerun|por que|pq|porque|impact|impacto",
    );
    let short = words.len() <= 3 && (bare || !commands.given.is_empty());
    says(joined, PRONOUNS) || (words.len() <= 6 && opens) || short
}

fn is_only_a_name(words: &[String]) -> bool {
    let filler = [
        "the", "o", "a", "one", "da", "do", "na", "no", "in", "of", "on", "de", "job",
    ];
    words.iter().any(|word| word == "<job>")
        && words
            .iter()
            .all(|word| word.starts_with('<') || filler.contains(&word.as_str()))
}

fn vote(message: &Message<'_>, votes: &mut Votes) {
    let says_confirmation = {
        let whole = message.joined.trim();
        CONFIRMATIONS.split('|').any(|phrase| phrase == whole)
    };
    if says_confirmation {
        votes.add(Intent::Clarify, 6.0, "confirmation");
    }
    for cue in CUES {
        if message.says(cue.phrases) {
            votes.add(cue.intent, cue.weight, "cue");
        }
    }
    vote_of_commands(message, votes);
    vote_of_causes(message, votes);
    vote_of_names(message, votes);
    let alone = message.length <= 4 && votes.scores.len() == 1;
    if alone && votes.scores.contains_key(&Intent::Greeting) {
        votes.add(Intent::Greeting, 2.0, "short");
    }
    if !message.has_list_subject() {
        votes.add(Intent::JobList, -5.0, "no-subject");
    }
    if !message.about_job() {
        votes.add(Intent::JobStatus, -1.5, "no-job");
        votes.add(Intent::Impact, -1.2, "no-job");
        if !message.says("log|logs|joblog") {
            votes.add(Intent::JobLog, -2.0, "no-job");
        }
    }
}

fn vote_of_commands(message: &Message<'_>, votes: &mut Votes) {
    let commands = message.commands;
    if !commands.given.is_empty() {
        let weight = if message.about_job() || message.length <= 5 {
            6.0
        } else {
            4.0
        };
        for intent in commands
            .given
            .iter()
            .filter_map(|kind| Intent::of_action(*kind))
        {
            votes.add(intent, weight, "command");
        }
    }
    for (list, word) in [
        (&commands.negated, "negated"),
        (&commands.asked, "asked-about"),
    ] {
        votes.evidence.extend(
            list.iter()
                .map(|kind: &ActionKind| format!("{word}:{}", kind.as_str())),
        );
    }
    let asked_how = message.says("how|como|procedure|procedimento|runbook|steps|passos|what happens if|o que acontece se|should i|devo|deveria|can i|posso|is it safe to|e seguro");
    if !commands.asked.is_empty() && asked_how {
        votes.add(Intent::Knowledge, 2.2, "asked-about");
    }
    if !commands.negated.is_empty() && message.about_job() {
        votes.add(Intent::JobStatus, 1.5, "negated");
    }
}

fn vote_of_causes(message: &Message<'_>, votes: &mut Votes) {
    let (why, failed, waiting) = (
        message.says(WHY),
        message.says(FAILED),
        message.says(WAITING),
    );
    let several = message.says("jobs|rotinas|processos|they|eles|todos");
    let in_stream = !message.entities.streams.is_empty();
    if why && !message.about_job() && several && !in_stream {
        votes.add(Intent::JobList, 3.0, "why-of-many");
        return;
    }
    if why && (failed || waiting) {
        votes.add(Intent::JobDiagnose, 4.5, "why");
    } else if why && (message.about_job() || in_stream) {
        votes.add(Intent::JobDiagnose, 3.0, "why");
    }
    if !why && message.about_job() {
        let asks_what = message.says("what is|whats|what does|what|o que|que|pelo que|por quem|depende de que|dependencies|dependencias|predecessors|predecessores");
        if waiting && asks_what && !message.says("waiting for <job>|waits for <job>|waiting on <job>|depends on <job>|depend on <job>|esperando o <job>|esperando pelo <job>|esperando <job>") {
            votes.add(Intent::JobDependencies, 3.0, "waiting-for");
        } else if message.says("predecessors|predecessores|dependencies|dependencias") {
            votes.add(Intent::JobDependencies, 2.5, "predecessors");
        } else if message.says("holding up <job>|blocking <job>|segurando o <job>|travando o <job>|bloqueando o <job>|stuck|travado|travada|parado") {
            votes.add(Intent::JobDiagnose, 1.6, "stuck");
        }
        if failed {
            votes.add(Intent::JobDiagnose, 1.4, "failed");
        }
    }
}

fn vote_of_names(message: &Message<'_>, votes: &mut Votes) {
    let entities = message.entities;
    if message.about_job() {
        votes.add(Intent::JobStatus, 1.0, "job");
        votes.add(Intent::JobList, -1.5, "job");
        votes.add(Intent::PlanSummary, -1.5, "job");
        votes.add(Intent::WorkstationStatus, -1.0, "job");
    }
    let of_link = |status: &String| status == "UNLINKED" || status == "LINKED";
    let of_jobs = entities.statuses.iter().any(|status| !of_link(status));
    if !message.about_job() && of_jobs {
        votes.add(Intent::JobList, 2.0, "status");
    }
    if !message.about_job() && entities.statuses.iter().any(of_link) {
        votes.add(Intent::WorkstationStatus, 1.5, "status");
    }
    let names_workstation = message.joined.contains(" <ws> ");
    if names_workstation && !message.about_job() {
        votes.add(Intent::WorkstationStatus, 1.2, "workstation");
        if of_jobs || message.says("jobs|rotinas|processos") {
            votes.add(Intent::JobList, 2.0, "on-workstation");
        }
    }
    let names_stream = message.joined.contains(" <stream> ");
    if names_stream && !message.about_job() {
        votes.add(Intent::JobList, 2.2, "stream");
    }
    if !entities.patterns.is_empty() {
        votes.add(Intent::JobList, 2.5, "pattern");
    }
    if !entities.message_ids.is_empty() {
        votes.add(Intent::Knowledge, 1.2, "message-id");
    }
    if !entities.return_codes.is_empty() && !message.about_job() {
        votes.add(Intent::Knowledge, 1.5, "return-code");
    }
}

fn decide(scores: &BTreeMap<Intent, f64>) -> (Intent, f64, Vec<Intent>) {
    let mut ranked: Vec<(f64, Intent)> = scores
        .iter()
        .map(|(intent, score)| (*score, *intent))
        .collect();
    // Equal scores stay in the order of the intents, so routing is the same every time.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let best = ranked
        .first()
        .copied()
        .filter(|(score, _)| *score >= ENOUGH);
    let Some((best, intent)) = best else {
        return (Intent::Clarify, 0.0, Vec::new());
    };
    let second = ranked.get(1).map_or(0.0, |(score, _)| score.max(0.0));
    let confidence = best / (best + 0.5) * (1.0 - 0.5 * second / best);
    let also = ranked
        .iter()
        .skip(1)
        .filter(|(score, _)| *score >= 1.5 && *score >= 0.6 * best)
        .map(|(_, intent)| *intent)
        .collect();
    (intent, (confidence * 100.0).round() / 100.0, also)
}

/// What to offer when a message is unclear.
fn offers(language: Language) -> Vec<String> {
    let offers = match language {
        Language::English => [
            "Summary of the plan",
            "Which jobs failed?",
            "What is late?",
            "What can you do?",
        ],
        Language::Portuguese => [
            "Resumo do plano",
            "Quais jobs falharam?",
            "O que está atrasado?",
            "O que você faz?",
        ],
    };
    offers.map(str::to_owned).to_vec()
}
