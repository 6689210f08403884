//! Whether a message tells Resync to leave its rules.

use super::command::Commands;
use super::injection;
use super::intent::Intent;
use super::message::Message;
use super::names::Kind;
use super::reading::tokens;
use super::rules::{Rules, Scope, Spans, Symbol};

/// The sign of an injection in a message, if there is one; `plain` is its text without hidden
/// characters, `disguised` whether it had some.
pub(super) fn sign(
    rules: &Rules,
    plain: &str,
    disguised: bool,
    message: &Message,
    spans: &Spans,
    commands: &Commands,
) -> Option<String> {
    let flag = |name: &str, holds: bool| rules.flag(name).filter(|_| holds);
    let flags: Vec<Symbol> = [
        flag("marker", injection::has_marker(plain)),
        flag("hidden", disguised),
        flag("given", !commands.given.is_empty()),
        flag("asked", !commands.asked.is_empty()),
        flag("deed", commands.deeds.iter().any(|deeds| !deeds.is_empty())),
        flag("job", message.words.iter().any(|word| word == "<job>")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(sign) = strongest(rules, spans, &flags) {
        return is_said(rules, message, &flags).then(|| format!("sign:{sign}"));
    }
    let mut flags = flags;
    flags.extend(rules.flag("hidden"));
    // What is there without the disguise is no sign of one, unless the text is decoded from a part.
    let already = strongest(rules, spans, &flags).is_some();
    injection::variants(plain)
        .into_iter()
        .filter(|(disguise, _)| !already || matches!(*disguise, "base64" | "hex" | "binary"))
        .find(|(_, text)| says(rules, text, &flags))
        .map(|(disguise, _)| format!("disguised:{disguise}"))
}

fn strongest(rules: &Rules, spans: &Spans, flags: &[Symbol]) -> Option<String> {
    let scope = Scope::new(spans, 0, spans.len(), flags.to_vec());
    rules
        .holding(&scope, |intent| intent == Intent::PromptInjection)
        .next()
        .map(|(_, pattern)| pattern.to_owned())
}

/// Whether the sign is said and not only quoted. What is quoted counts if all is, or if the rest of
/// the message says to follow it.
fn is_said(rules: &Rules, message: &Message, flags: &[Symbol]) -> bool {
    let said = message.quoted.iter().map(|quoted| !*quoted);
    let kept = |list: &[bool]| -> Vec<bool> {
        let said = said.clone();
        list.iter()
            .zip(said)
            .filter_map(|(each, said)| said.then_some(*each))
            .collect()
    };
    let words: Vec<String> = message
        .words
        .iter()
        .zip(said.clone())
        .filter(|(_, said)| *said)
        .map(|(word, _)| word.clone())
        .collect();
    if words.len() == message.words.len() || words.len() < 2 {
        return true;
    }
    let spans = rules.spans(&words, &kept(&message.opens));
    spans.has(rules.class("inj.obey")) || strongest(rules, &spans, flags).is_some()
}

fn says(rules: &Rules, text: &str, flags: &[Symbol]) -> bool {
    let tokens = tokens(text);
    let kinds = vec![Some(Kind::Word); tokens.len()];
    let message = Message::new(&tokens, &kinds, rules, false, &mut Vec::new());
    let spans = rules.spans(&message.words, &message.opens);
    let run = message
        .words
        .iter()
        .any(|word| rules.within("inj.compact", word));
    run || strongest(rules, &spans, flags).is_some()
}
