//! States and spans of time that a message names, by the words of the rules.

use super::command::Commands;
use super::entities::push;
use super::intent::Intent;
use super::message::Clause;
use super::rules::{Rules, Spans, Valued};

/// The states that the message says something is in. A word of a deed ("put it on hold") and a denied
/// state ("not running") are none.
pub(super) fn statuses(
    rules: &Rules,
    spans: &Spans,
    clauses: &[Clause],
    commands: &Commands,
) -> Vec<String> {
    let denied = rules.class("denied");
    let mut found = Vec::new();
    for (at, length, value) in places(rules.statuses(), spans) {
        let clause = clauses
            .iter()
            .position(|clause| (clause.from..clause.to).contains(&at));
        let deeds = clause.and_then(|clause| commands.deeds.get(clause));
        let is_deed = deeds.is_some_and(|deeds| {
            let of: &[Intent] = match value {
                "HOLD" => &[Intent::ActionHold, Intent::ActionRelease],
                "CANCL" => &[Intent::ActionCancel],
                "SUSP" => &[Intent::ActionHold],
                "READY" => &[Intent::ActionRelease],
                _ => &[],
            };
            of.iter().any(|intent| deeds.contains(intent))
        });
        let is_denied =
            (at.saturating_sub(2)..at).any(|before| spans.longest(before, denied).is_some());
        // "does not respond" is a state for all its negation.
        if !is_deed && (!is_denied || length > 2) {
            push(&mut found, value);
        }
    }
    found
}

/// The spans of time that have a name.
pub(super) fn windows(rules: &Rules, spans: &Spans) -> Vec<String> {
    let mut found = Vec::new();
    for (_, _, value) in places(rules.windows(), spans) {
        push(&mut found, value);
    }
    found
}

/// Where which value stands: the longest phrase first, none within another.
fn places<'a>(values: &'a [Valued], spans: &Spans) -> Vec<(usize, usize, &'a str)> {
    let mut found: Vec<(usize, usize, &str)> = Vec::new();
    let mut at = 0;
    while at < spans.len() {
        let here = values
            .iter()
            .filter_map(|value| Some((spans.longest(at, Some(value.symbol))?, value)));
        // Of phrases of one length the first of the rules.
        let best = here.fold(None, |best: Option<(usize, &Valued)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        });
        if let Some((length, value)) = best {
            found.push((at, length, &value.value));
            at += length;
        } else {
            at += 1;
        }
    }
    found
}
