//! The words of a message, with its clauses.

use super::names::Kind;
use super::reading::{Break, Token};
use super::rules::{Rules, Spans};

/// Words in their normal form, placeholders where names stand.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) words: Vec<String>,
    /// Whether a clause begins at the word.
    pub(super) opens: Vec<bool>,
    /// What stands before the word.
    breaks: Vec<Break>,
    /// It stands between quotation marks.
    pub(super) quoted: Vec<bool>,
    /// Its sentence is a question.
    pub(super) asked: Vec<bool>,
}

/// A clause: words from one up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) from: usize,
    pub(super) to: usize,
    /// What stands before it.
    pub(super) before: Break,
    /// A word such as `and` stands before it.
    pub(super) joined: bool,
}

impl Message {
    /// The words of `tokens`; slips of the pen are corrected and noted in `evidence`.
    pub(super) fn new(
        tokens: &[Token],
        kinds: &[Option<Kind>],
        rules: &Rules,
        portuguese: bool,
        evidence: &mut Vec<String>,
    ) -> Self {
        let mut message = Self::default();
        let name = |at: usize| {
            let kind = kinds.get(at).copied().flatten();
            kind.is_some_and(|kind| kind != Kind::Word)
        };
        let joins = |at: usize| {
            tokens
                .get(at)
                .is_some_and(|token| token.raw != "é" && rules.is_in("join", &token.word))
        };
        let mut opens = true;
        let mut before = Break::None;
        let mut corrected = 0;
        for (at, (token, kind)) in tokens.iter().zip(kinds).enumerate() {
            let Some(kind) = kind else { continue };
            before = before.max(token.before);
            let lists = name(at)
                && at.checked_sub(1).is_some_and(|last| {
                    name(last) || (joins(last) && last.checked_sub(1).is_some_and(name))
                });
            let joined = at.checked_sub(1).is_some_and(joins) && !lists;
            let comma = token.before > Break::None && !(lists && token.before == Break::Comma);
            opens |= joined || comma;
            let mut read = Vec::new();
            match kind.placeholder() {
                Some(placeholder) => read.push(placeholder.to_owned()),
                None if opens && token.word == "da" => {
                    // At the beginning of a clause it is the verb: "dá um rerun".
                    read.push("dah".to_owned());
                }
                None => {
                    let fixed = (corrected < CORRECTED && !rules.forms().has(&token.word))
                        .then(|| rules.correct(&token.word))
                        .flatten();
                    if let Some(fixed) = fixed {
                        corrected += 1;
                        evidence.push(format!("typo:{}>{fixed}", token.word));
                        rules.forms().read(fixed, portuguese, &mut read);
                    } else {
                        rules.forms().read(&token.raw, portuguese, &mut read);
                    }
                }
            }
            for word in read {
                message.words.push(word);
                message.opens.push(opens);
                message.breaks.push(before);
                message.quoted.push(token.quoted);
                message.asked.push(token.asked);
                opens = false;
                before = Break::None;
            }
        }
        message
    }

    /// The clauses, in order.
    pub(super) fn clauses(&self, rules: &Rules, spans: &Spans) -> Vec<Clause> {
        let mut clauses: Vec<Clause> = Vec::new();
        let join = rules.class("join");
        for at in 0..self.words.len() {
            if at > 0 && !spans.opens(at) {
                continue;
            }
            if let Some(last) = clauses.last_mut() {
                last.to = at;
            }
            let joined = at
                .checked_sub(1)
                .is_some_and(|last| spans.longest(last, join) == Some(1));
            clauses.push(Clause {
                from: at,
                to: self.words.len(),
                before: self.breaks.get(at).copied().unwrap_or(Break::None),
                joined,
            });
        }
        clauses
    }
}

/// How many slips of a message are corrected.
const CORRECTED: usize = 40;
