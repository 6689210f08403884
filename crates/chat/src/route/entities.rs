//! The things that a message names.
//!
//! Invariants:
//! - Names are checked against the plan; what is written like a name and is none is kept apart, with
//!   names like it.
//! - Values are in normal form: names as the engine writes them, statuses in the engine's words.

use std::collections::{BTreeMap, BTreeSet};

use resync_tws::model::{ActionKind, JobStatus};
use serde::Serialize;

use super::lexicon::{
    ACRONYMS, AFTER_NAMES, BESIDE_NAMES, JOB_WORDS, STATUSES, STREAM_WORDS, WORKSTATION_WORDS,
};
use crate::text::{Token, name};
use crate::vocabulary::{JobRef, Vocabulary};

/// A job that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedJob {
    /// The name as the engine writes it; as the person wrote it when the plan could not be read.
    pub name: String,
    /// The jobs that it may be; empty when the plan could not be read.
    pub candidates: Vec<JobRef>,
}

/// A word written like a name that the plan does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownName {
    /// As written.
    pub text: String,
    /// Names like it, most alike first, at most three.
    pub alike: Vec<String>,
}

/// What a message names, each once, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entities {
    /// Jobs.
    pub jobs: Vec<NamedJob>,
    /// Streams.
    pub streams: Vec<String>,
    /// Workstations.
    pub workstations: Vec<String>,
    /// Names with wildcards.
    pub patterns: Vec<String>,
    /// Written like names, and not in the plan.
    pub unknown: Vec<UnknownName>,
    /// Return codes, digits.
    pub return_codes: Vec<String>,
    /// Ids of messages, such as `ORA-00060`.
    pub message_ids: Vec<String>,
    /// Statuses in normal form.
    pub statuses: Vec<String>,
    /// Spans of time in normal form.
    pub windows: Vec<String>,
    /// Commands that were given.
    pub actions: Vec<ActionKind>,
}

impl Entities {
    /// Values by type, for answers: `job`, `job_stream`, `workstation`, `status`, `rc`,
    /// `message_code`, `time_window`, `engine`. Types without a value are left out.
    #[must_use]
    pub fn by_type(&self) -> BTreeMap<String, Vec<String>> {
        let jobs = self.jobs.iter().map(|job| name(&job.name)).collect();
        let all: [(&str, Vec<String>); 7] = [
            ("job", jobs),
            ("job_stream", self.streams.clone()),
            ("message_code", self.message_ids.clone()),
            ("rc", self.return_codes.clone()),
            ("status", self.statuses.clone()),
            ("time_window", self.windows.clone()),
            ("workstation", self.workstations.clone()),
        ];
        all.into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(kind, values)| (kind.to_owned(), values))
            .collect()
    }
}

/// What a word turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WordKind {
    Word,
    Job,
    Stream,
    Workstation,
    Pattern,
    Message,
}

impl WordKind {
    const fn placeholder(self) -> Option<&'static str> {
        match self {
            Self::Word => None,
            Self::Job => Some("<job>"),
            Self::Stream => Some("<stream>"),
            Self::Workstation => Some("<ws>"),
            Self::Pattern => Some("<pattern>"),
            Self::Message => Some("<msg>"),
        }
    }
}

/// Reads the names of a message.
pub(super) struct Reader<'a> {
    pub(super) vocabulary: Option<&'a Vocabulary>,
    pub(super) lexicon: &'a BTreeSet<&'static str>,
    /// The whole message is in capitals, so capitals say nothing.
    pub(super) shouted: bool,
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

fn push(list: &mut Vec<String>, value: &str) {
    if !list.iter().any(|known| known == value) {
        list.push(value.to_owned());
    }
}

impl Reader<'_> {
    /// The names of `tokens`, and its words with placeholders where names stand.
    pub(super) fn read(&self, tokens: &[Token]) -> (Entities, Vec<String>) {
        let mut entities = Entities::default();
        let mut words: Vec<String> = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if let Some((length, joined)) = self.spelled_out(tokens, at) {
                let kind = self.take_known(&mut entities, &joined, "");
                words.push(kind.placeholder().unwrap_or("<job>").to_owned());
                at += length;
                continue;
            }
            let previous = at
                .checked_sub(1)
                .and_then(|at| tokens.get(at))
                .map_or("", |t| &t.word);
            let next = tokens.get(at + 1).map_or("", |t| &t.word);
            let alone = tokens.len() == 1;
            let kind = self.classify(&mut entities, token, previous, next, alone);
            words.push(
                kind.placeholder()
                    .map_or_else(|| token.word.clone(), str::to_owned),
            );
            at += 1;
        }
        return_codes(&words, &mut entities);
        (entities, words)
    }

    /// `fin gl post` for `FIN_GL_POST`.
    fn spelled_out(&self, tokens: &[Token], at: usize) -> Option<(usize, String)> {
        let vocabulary = self.vocabulary?;
        (2..=4).rev().find_map(|length| {
            let part = tokens.get(at..at + length)?;
            let plain = part
                .iter()
                .all(|token| token.raw.chars().all(char::is_alphanumeric));
            let joined = part
                .iter()
                .map(|t| t.raw.as_str())
                .collect::<Vec<_>>()
                .join("_");
            (plain && vocabulary.has(&joined)).then_some((length, joined))
        })
    }

    fn classify(
        &self,
        entities: &mut Entities,
        token: &Token,
        previous: &str,
        next: &str,
        alone: bool,
    ) -> WordKind {
        let raw = token.raw.as_str();
        if let Some(known) = self.vocabulary.and_then(|names| names.by_id(raw)) {
            add_job(entities, &known.name, vec![known.clone()]);
            return WordKind::Job;
        }
        if is_message_id(raw) && !self.vocabulary.is_some_and(|names| names.has(raw)) {
            push(&mut entities.message_ids, &raw.to_uppercase());
            return WordKind::Message;
        }
        if raw.contains('*') {
            let enough = raw.chars().filter(char::is_ascii_alphanumeric).count() >= 2;
            if enough {
                push(&mut entities.patterns, &raw.to_uppercase());
                return WordKind::Pattern;
            }
            return WordKind::Word;
        }
        if raw.contains(['#', '.']) {
            return self.label(entities, raw);
        }
        let base = raw.rsplit('/').next().unwrap_or(raw);
        let has_capital = base.chars().any(char::is_uppercase);
        let introduced = [JOB_WORDS, STREAM_WORDS, WORKSTATION_WORDS]
            .iter()
            .any(|list| listed(list, previous));
        let is_word = self.lexicon.contains(token.word.as_str());
        let shaped = self.is_shaped(base);
        if let Some(vocabulary) = self.vocabulary.filter(|names| names.has(base)) {
            let is_status = JobStatus::known(base).is_some();
            let distinct = !self.shouted && !is_status && vocabulary.has_exactly(base);
            let strong = shaped && (!is_word || distinct);
            let named = introduced && (!is_word || (has_capital && !self.shouted));
            let placed = alone || listed(BESIDE_NAMES, previous) || listed(AFTER_NAMES, next);
            if strong || named || (!is_word && placed) {
                return self.take_known(entities, base, previous);
            }
            return WordKind::Word;
        }
        if is_word || listed(ACRONYMS, &token.word) || base.len() < 3 {
            return WordKind::Word;
        }
        let alike = || {
            self.vocabulary
                .map_or_else(Vec::new, |names| names.alike(base))
        };
        if shaped {
            return self.take_unknown(entities, base, alike(), previous);
        }
        if introduced {
            let alike = alike();
            if !alike.is_empty() {
                return self.take_unknown(entities, base, alike, previous);
            }
        }
        WordKind::Word
    }

    /// Written as names are: with an underscore, or in capitals in a message that is not.
    fn is_shaped(&self, base: &str) -> bool {
        let letters = base.chars().filter(|c| c.is_alphabetic()).count();
        let name_like = base
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let capitals = letters >= 2 && !base.chars().any(char::is_lowercase);
        let digits = base.chars().any(|c| c.is_ascii_digit());
        let underscored = base.contains('_') && letters >= 2;
        name_like
            && (underscored
                || (capitals && digits)
                || (capitals && base.len() >= 3 && !self.shouted))
    }

    fn take_known(&self, entities: &mut Entities, base: &str, previous: &str) -> WordKind {
        let Some(vocabulary) = self.vocabulary else {
            return WordKind::Word;
        };
        let jobs = vocabulary.jobs(base);
        let stream = vocabulary.stream(base);
        let workstation = vocabulary.workstation(base);
        let wants_stream = listed(STREAM_WORDS, previous);
        let wants_workstation = listed(WORKSTATION_WORDS, previous);
        if let Some(name) = stream.filter(|_| wants_stream) {
            push(&mut entities.streams, name);
            return WordKind::Stream;
        }
        if let Some(name) = workstation.filter(|_| wants_workstation || jobs.is_empty()) {
            push(&mut entities.workstations, name);
            return WordKind::Workstation;
        }
        if let Some(first) = jobs.first() {
            add_job(entities, &first.name, jobs.to_vec());
            return WordKind::Job;
        }
        if let Some(name) = stream {
            push(&mut entities.streams, name);
            return WordKind::Stream;
        }
        WordKind::Word
    }

    fn take_unknown(
        &self,
        entities: &mut Entities,
        base: &str,
        alike: Vec<String>,
        previous: &str,
    ) -> WordKind {
        let kind = if listed(STREAM_WORDS, previous) {
            WordKind::Stream
        } else if listed(WORKSTATION_WORDS, previous) {
            WordKind::Workstation
        } else {
            WordKind::Job
        };
        if self.vocabulary.is_none() {
            // The plan cannot be read: the name stands as the person wrote it.
            match kind {
                WordKind::Stream => push(&mut entities.streams, base),
                WordKind::Workstation => push(&mut entities.workstations, base),
                _ => add_job(entities, base, Vec::new()),
            }
            return kind;
        }
        if !entities.unknown.iter().any(|known| known.text == base) {
            let text = base.to_owned();
            entities.unknown.push(UnknownName { text, alike });
        }
        kind
    }

    /// `WORKSTATION#STREAM.JOB`, `STREAM.JOB`, `WORKSTATION#STREAM`.
    fn label(&self, entities: &mut Entities, raw: &str) -> WordKind {
        let (workstation, rest) = match raw.split_once('#') {
            Some((workstation, rest)) => (Some(last_part(workstation)), rest),
            None => (None, raw),
        };
        let (stream, job) = match rest.rsplit_once('.') {
            Some((stream, job)) => (Some(last_part(stream)), job),
            None => (None, last_part(rest)),
        };
        let Some(vocabulary) = self.vocabulary else {
            if workstation.is_none() {
                return WordKind::Word;
            }
            add_job(entities, job, Vec::new());
            return WordKind::Job;
        };
        let same = |wanted: Option<&str>, is: Option<&str>| {
            wanted.is_none_or(|wanted| is.is_some_and(|is| is.eq_ignore_ascii_case(wanted)))
        };
        let candidates: Vec<JobRef> = vocabulary
            .jobs(job)
            .iter()
            .filter(|known| same(workstation, known.workstation.as_deref()))
            .filter(|known| same(stream, known.stream.as_deref()))
            .cloned()
            .collect();
        if let Some(first) = candidates.first() {
            add_job(entities, &first.name.clone(), candidates);
            return WordKind::Job;
        }
        if let (None, Some(name)) = (stream, vocabulary.stream(job)) {
            push(&mut entities.streams, name);
            return WordKind::Stream;
        }
        if workstation.is_some() {
            let alike = vocabulary.alike(job);
            return self.take_unknown(entities, raw, alike, "");
        }
        WordKind::Word
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn add_job(entities: &mut Entities, name: &str, candidates: Vec<JobRef>) {
    if !entities.jobs.iter().any(|known| known.name == name) {
        entities.jobs.push(NamedJob {
            name: name.to_owned(),
            candidates,
        });
    }
}

/// `AWSBHT002E`, `ORA-00060`, `SQL0911N`, `IEC030I`.
pub(crate) fn is_message_id(raw: &str) -> bool {
    let upper = raw.to_uppercase();
    if raw.contains('_') {
        return false;
    }
    if let Some(number) = upper.strip_prefix("ORA-") {
        return (3..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    }
    let letters = upper.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = upper
        .bytes()
        .skip(letters)
        .take_while(u8::is_ascii_digit)
        .count();
    let rest: Vec<u8> = upper.bytes().skip(letters + digits).collect();
    (3..=8).contains(&letters)
        && (3..=5).contains(&digits)
        && matches!(rest.as_slice(), [last] if b"EIWNCASDR".contains(last))
}

/// `rc 12`, `rc12`, `return code 8`, `código de retorno 8`.
fn return_codes(words: &[String], entities: &mut Entities) {
    let mut expected = false;
    for (at, word) in words.iter().enumerate() {
        let number = |text: &str| {
            (!text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()))
                .then(|| text.to_owned())
        };
        let attached = word.strip_prefix("rc").and_then(number);
        let apart = if expected { number(word) } else { None };
        if let Some(code) = attached.or(apart) {
            push(&mut entities.return_codes, &code);
        }
        let before = at
            .checked_sub(1)
            .and_then(|at| words.get(at))
            .map_or("", String::as_str);
        let code_word = matches!(word.as_str(), "code" | "codigo") && before != "sql";
        expected = word == "rc" || code_word || (word == "retorno" && before == "de");
    }
}

/// Statuses named by the words of a message, longest phrase first.
pub(super) fn statuses(joined: &str) -> Vec<String> {
    let mut phrases: Vec<(&str, &str)> = STATUSES
        .iter()
        .flat_map(|(value, phrases)| phrases.split('|').map(|phrase| (phrase, *value)))
        .collect();
    phrases.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
    let mut rest = joined.to_owned();
    let mut found = Vec::new();
    for (phrase, value) in phrases {
        let padded = format!(" {phrase} ");
        if rest.contains(&padded) {
            rest = rest.replace(&padded, " . ");
            push(&mut found, value);
        }
    }
    found
}
