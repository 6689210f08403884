//! Messages that go on from the last one: a bare name, "the second one", "and yesterday?".

use super::decision::Read;
use super::entities::{Entities, push};
use super::flags::About;
use super::intent::Intent;
use crate::context::{Asked, KnownJob};

/// What a message that goes on means.
pub(super) struct Followed {
    pub(super) intent: Intent,
    pub(super) job: Option<KnownJob>,
    /// For the evidence.
    pub(super) why: &'static str,
}

/// What the message means if it goes on from the last one; it completes the entities.
pub(super) fn follow(
    read: &Read<'_>,
    entities: &mut Entities,
    about: About,
    voted: Intent,
) -> Option<Followed> {
    if let Some(job) = ordinal(read) {
        let intent = if voted.needs_job() && !matches!(voted, Intent::JobStatus) {
            voted
        } else {
            pending(read).unwrap_or_else(|| {
                let last = read.context.asked.as_ref().map(|asked| asked.intent);
                last.filter(|intent| intent.needs_job() && !intent.is_action())
                    .unwrap_or(Intent::JobStatus)
            })
        };
        return Some(Followed {
            intent,
            job: Some(job),
            why: "reference:list",
        });
    }
    if !is_bare(read, entities) {
        return None;
    }
    if let Some(intent) = pending(read).filter(|_| about.names_job) {
        return Some(Followed {
            intent,
            job: None,
            why: "asked-before",
        });
    }
    let asked = read.context.asked.as_ref()?;
    if about.names_job {
        // A command is not repeated by a name alone.
        let again = asked.intent.needs_job() && !asked.intent.is_action();
        return again.then_some(Followed {
            intent: asked.intent,
            job: None,
            why: "again",
        });
    }
    goes_on(read, entities, asked)
}

/// What an answer of "which one?" waits for.
fn pending(read: &Read<'_>) -> Option<Intent> {
    let pending = read.context.pending?;
    let action = pending.action.and_then(Intent::of_action);
    Some(action.unwrap_or(pending.intent))
}

/// "the second one", of the last list.
fn ordinal(read: &Read<'_>) -> Option<KnownJob> {
    let list = &read.context.list;
    if list.is_empty() || read.spans.len() > 8 {
        return None;
    }
    let said = |class: &str| read.says(class);
    let place = if said("ordinal.last") {
        list.len() - 1
    } else {
        (1..=5).find(|number| said(&format!("ordinal.{number}")))? - 1
    };
    list.get(place).cloned()
}

/// Whether the message holds nothing but names, states and times.
fn is_bare(read: &Read<'_>, entities: &Entities) -> bool {
    let names =
        entities.names_any() || !entities.windows.is_empty() || !entities.statuses.is_empty();
    let values = || read.rules.statuses().iter().chain(read.rules.windows());
    let mut at = 0;
    while at < read.spans.len() {
        let name = read.message.words.get(at).is_some_and(|word| {
            word.starts_with('<') || word.starts_with(|c: char| c.is_ascii_digit())
        });
        let value = values()
            .filter_map(|value| read.spans.longest(at, Some(value.symbol)))
            .max();
        let filler = ["follow", "join", "filler", "link_word"]
            .iter()
            .filter_map(|class| read.at(at, class))
            .max();
        match value.max(filler).max(name.then_some(1)) {
            Some(length) => at += length,
            None => return false,
        }
    }
    names
}

/// The last question with other filters: "and on the other one?", "and yesterday?".
fn goes_on(read: &Read<'_>, entities: &mut Entities, asked: &Asked) -> Option<Followed> {
    let follows = read.at(0, "follow").is_some() || read.at(0, "join").is_some();
    let listed = matches!(
        asked.intent,
        Intent::JobList | Intent::PlanSummary | Intent::WorkstationStatus
    );
    if !follows || asked.intent.is_action() || !(listed || asked.intent.needs_job()) {
        return None;
    }
    let carry = |mine: &mut Vec<String>, last: &[String]| {
        if mine.is_empty() {
            for value in last {
                push(mine, value);
            }
        }
    };
    carry(&mut entities.statuses, &asked.statuses);
    carry(&mut entities.patterns, &asked.patterns);
    carry(&mut entities.windows, &asked.windows);
    // A stream and a workstation are two ways to say where.
    if entities.workstations.is_empty() && entities.streams.is_empty() {
        carry(&mut entities.workstations, &asked.workstations);
        carry(&mut entities.streams, &asked.streams);
    }
    let job = read.context.job.clone();
    Some(Followed {
        intent: asked.intent,
        job: job.filter(|_| asked.intent.needs_job()),
        why: "again",
    })
}
