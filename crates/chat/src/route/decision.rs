//! The vote of the evidence.
//!
//! Each rule that holds speaks for its intent with its weight; the strongest intent wins if it is
//! strong enough, else the answer asks back. What spoke is kept as evidence.

use std::collections::BTreeMap;

use super::command::Commands;
use super::entities::Entities;
use super::flags::{About, flags};
use super::followup::{self, Followed};
use super::intent::Intent;
use super::message::{Clause, Message};
use super::open;
use super::routing::Routing;
use super::rules::{Rules, Scope, Spans};
use crate::context::Context;
use crate::language::Language;

/// Below this a message is not understood.
const ENOUGH: f64 = 1.0;
/// From here on a clause asks for something of its own.
const OF_ITS_OWN: f64 = 3.0;

/// A message, read.
pub(super) struct Read<'a> {
    pub(super) rules: &'a Rules,
    pub(super) message: &'a Message,
    pub(super) spans: &'a Spans,
    pub(super) clauses: &'a [Clause],
    pub(super) commands: &'a Commands,
    pub(super) context: &'a Context,
    pub(super) language: Language,
}

impl Read<'_> {
    /// Whether any words are of a class.
    pub(super) fn says(&self, class: &str) -> bool {
        self.spans.has(self.rules.class(class))
    }

    /// Whether the words from `at` on are of a class; how many are.
    pub(super) fn at(&self, at: usize, class: &str) -> Option<usize> {
        self.spans.longest(at, self.rules.class(class))
    }
}

/// What speaks for the intents.
#[derive(Debug, Default)]
struct Votes {
    scores: BTreeMap<Intent, f64>,
    evidence: Vec<String>,
}

impl Votes {
    fn add(&mut self, intent: Intent, weight: f64, why: &str) {
        *self.scores.entry(intent).or_insert(0.0) += weight;
        if weight > 0.0 {
            self.evidence
                .push(format!("{}:{weight:+.1}:{why}", intent.as_str()));
        }
    }

    /// Strongest first; equal ones in the order of the intents, so that routing is the same every
    /// time.
    fn ranked(&self) -> Vec<(Intent, f64)> {
        let mut ranked: Vec<_> = self.scores.iter().map(|(i, s)| (*i, *s)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
    }
}

/// What is asked for, and how surely.
struct Verdict {
    intent: Intent,
    confidence: f64,
    also: Vec<Intent>,
    evidence: Vec<String>,
}

pub(super) fn decide(
    read: &Read<'_>,
    mut entities: Entities,
    mut evidence: Vec<String>,
) -> Routing {
    let about = About::of(read, &entities);
    if confirms(read) {
        evidence.push("confirmation".to_owned());
        return Routing {
            confidence: 0.95,
            confirms: true,
            evidence,
            ..Routing::bare(Intent::Clarify, read.language)
        };
    }
    let commands = read.commands;
    for (list, word) in [
        (&commands.negated, "negated"),
        (&commands.asked, "asked-about"),
        (&commands.reported, "reported"),
    ] {
        evidence.extend(
            list.iter()
                .map(|intent| format!("{word}:{}", intent.as_str())),
        );
    }
    let mut verdict = verdict(read, &entities, about);
    evidence.append(&mut verdict.evidence);
    let followed = followup::follow(read, &mut entities, about, verdict.intent);
    let mut reference = None;
    match followed {
        Some(Followed { intent, job, why }) => {
            verdict.intent = intent;
            verdict.confidence = verdict.confidence.max(0.9);
            verdict.also.clear();
            reference = job;
            evidence.push(why.to_owned());
        }
        None if about.refers && needs(verdict.intent) && entities.jobs.is_empty() => {
            reference.clone_from(&read.context.job);
            evidence.push("reference:last-job".to_owned());
        }
        None => {}
    }
    if let Some(action) = verdict.intent.action()
        && entities.actions.is_empty()
    {
        entities.actions.push(action);
    }
    let routing = Routing {
        intent: verdict.intent,
        confidence: verdict.confidence,
        entities,
        reference,
        also: verdict.also,
        evidence,
        ..Routing::bare(verdict.intent, read.language)
    };
    open::settle(read, routing, about)
}

/// Whether the intent, or one that it is asked with, is about a job.
fn needs(intent: Intent) -> bool {
    intent.needs_job() || matches!(intent, Intent::Knowledge | Intent::ActionSubmit)
}

/// Whether the whole message confirms, courtesies apart.
fn confirms(read: &Read<'_>) -> bool {
    let mut at = 0;
    let mut confirmed = false;
    while at < read.spans.len() {
        if let Some(length) = read.at(at, "confirmation") {
            confirmed = true;
            at += length;
        } else if let Some(length) = read.at(at, "courtesy") {
            at += length;
        } else {
            return false;
        }
    }
    confirmed
}

fn verdict(read: &Read<'_>, entities: &Entities, about: About) -> Verdict {
    let whole = vote(read, entities, about, None);
    let parts = parts(read, entities, about);
    let ranked = whole.ranked();
    let Some((first, best)) = ranked
        .first()
        .copied()
        .filter(|(_, score)| *score >= ENOUGH)
    else {
        return Verdict {
            intent: Intent::Clarify,
            confidence: 0.0,
            also: Vec::new(),
            evidence: whole.evidence,
        };
    };
    let second = ranked.get(1).map_or(0.0, |(_, score)| score.max(0.0));
    let confidence = best / (best + 0.5) * (1.0 - 0.5 * second / best);
    let (intent, also) = several(first, &parts, read);
    Verdict {
        intent,
        confidence: (confidence * 100.0).round() / 100.0,
        also,
        evidence: whole.evidence,
    }
}

/// The intents of the clauses that ask for something of their own, in order.
fn parts(read: &Read<'_>, entities: &Entities, about: About) -> Vec<Intent> {
    let mut found: Vec<Intent> = Vec::new();
    if read.clauses.len() < 2 {
        return found;
    }
    for number in 0..read.clauses.len() {
        if read.commands.taken_back.get(number) == Some(&true) {
            continue;
        }
        let votes = vote(read, entities, about, Some(number));
        let best = votes.ranked().first().copied();
        if let Some((intent, score)) = best
            && score >= OF_ITS_OWN
            && !matches!(intent, Intent::Greeting | Intent::Help | Intent::Clarify)
            && found.last() != Some(&intent)
        {
            found.push(intent);
        }
    }
    found
}

/// The intent among those of the clauses, and the others. A command that was given beats what is only
/// read.
fn several(first: Intent, parts: &[Intent], read: &Read<'_>) -> (Intent, Vec<Intent>) {
    let given = read.commands.given.first().map(|given| given.intent);
    let main = match given {
        Some(intent) => intent,
        None if parts.len() >= 2 && parts.contains(&first) => {
            parts.first().copied().unwrap_or(first)
        }
        None => first,
    };
    let mut also: Vec<Intent> = Vec::new();
    for intent in parts {
        if *intent != main && !also.contains(intent) {
            also.push(*intent);
        }
    }
    (main, also)
}

/// The votes of the whole message, or of one clause.
fn vote(read: &Read<'_>, entities: &Entities, about: About, clause: Option<usize>) -> Votes {
    let clause_of = |number: usize| read.clauses.get(number).copied();
    let (from, to) = match clause.and_then(clause_of) {
        Some(clause) => (clause.from, clause.to),
        None => (0, read.spans.len()),
    };
    let flags = flags(read, entities, about, from, to, clause);
    let scope = Scope::new(read.spans, from, to, flags);
    let mut votes = Votes::default();
    let held = read.rules.holding(&scope, |intent| {
        !intent.is_action() && intent != Intent::PromptInjection
    });
    for (rule, pattern) in held {
        votes.add(rule.intent, rule.weight, pattern);
    }
    for given in &read.commands.given {
        if clause.is_none_or(|clause| clause == given.clause) {
            votes.add(given.intent, given.weight, &given.pattern);
        }
    }
    votes
}
