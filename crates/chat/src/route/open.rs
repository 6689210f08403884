//! When a message leaves something open: one question back, with what to choose from.

use super::decision::Read;
use super::flags::About;
use super::intent::Intent;
use super::routing::Routing;
use crate::language::Language;
use crate::text::name;
use crate::vocabulary::JobRef;

/// How many things are offered.
const OFFERED: usize = 10;

/// Turns the routing into a question back where the job is open.
pub(super) fn settle(read: &Read<'_>, routing: Routing, about: About) -> Routing {
    let intent = routing.intent;
    if intent == Intent::Clarify {
        // A job's name alone asks how it is, a near name which one is meant.
        if about.names_job && routing.open.is_none() {
            return settle(
                read,
                Routing {
                    intent: Intent::JobStatus,
                    confidence: 0.5,
                    ..routing
                },
                about,
            );
        }
        let clarify = if routing.entities.actions.is_empty() {
            offers(read.language)
        } else {
            Vec::new()
        };
        return Routing {
            clarify,
            confidence: 0.0,
            ..routing
        };
    }
    let entities = &routing.entities;
    let asks_of_one = intent.needs_job() || intent == Intent::ActionSubmit;
    let of_names = asks_of_one || matches!(intent, Intent::JobList | Intent::WorkstationStatus);
    let alike: Vec<String> = entities
        .unknown
        .iter()
        .flat_map(|unknown| unknown.alike.iter().map(|each| name(each)))
        .take(OFFERED)
        .collect();
    let known = !entities.jobs.is_empty()
        || !entities.streams.is_empty()
        || !entities.workstations.is_empty();
    if of_names && !entities.unknown.is_empty() && !known {
        return asked_back(routing, alike, "unknown-name");
    }
    if !asks_of_one {
        return routing;
    }
    if let Some(job) = entities.jobs.first() {
        let fitting = narrowed(&job.candidates, &entities.streams, &entities.workstations);
        if fitting.len() > 1 {
            let choices = choices(&fitting);
            return asked_back(routing, choices, "several-jobs");
        }
        return routing;
    }
    let of_stream = !entities.streams.is_empty()
        || (intent == Intent::Impact && !entities.workstations.is_empty());
    let of_plan = intent == Intent::HistoryTrend && read.says("plan");
    if of_stream || of_plan || routing.reference.is_some() {
        return routing;
    }
    if intent == Intent::ActionSubmit {
        return routing;
    }
    asked_back(routing, Vec::new(), "no-job")
}

fn asked_back(routing: Routing, clarify: Vec<String>, why: &str) -> Routing {
    let mut evidence = routing.evidence;
    evidence.push(format!("open:{why}:{}", routing.intent.as_str()));
    Routing {
        open: Some(routing.intent),
        intent: Intent::Clarify,
        clarify,
        evidence,
        ..routing
    }
}

/// The candidates that also fit the streams and the workstations of the message.
pub(crate) fn narrowed(
    candidates: &[JobRef],
    streams: &[String],
    workstations: &[String],
) -> Vec<JobRef> {
    let fits = |names: &[String], name: Option<&str>| {
        names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
    };
    candidates
        .iter()
        .filter(|job| fits(streams, job.stream.as_deref()))
        .filter(|job| fits(workstations, job.workstation.as_deref()))
        .cloned()
        .collect()
}

/// The labels of jobs; the id where two days of one stream share a label.
fn choices(jobs: &[JobRef]) -> Vec<String> {
    let choice = |job: &JobRef| {
        let shared = jobs.iter().filter(|other| other.label == job.label).count() > 1;
        if shared {
            job.id.to_string()
        } else {
            name(&job.label)
        }
    };
    jobs.iter().take(OFFERED).map(choice).collect()
}

/// What to offer when a message is not understood.
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
