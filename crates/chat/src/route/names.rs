//! The names in a message.
//!
//! Invariants:
//! - Names are checked against the plan; what is written like a name and is none is kept apart, with
//!   names like it.
//! - A word in small letters is a name only where the grammar says so: behind `job` and its like, or
//!   between an auxiliary and a verb.

use super::entities::{Entities, NamedJob, UnknownName, is_message_id, push};
use super::reading::{Break, Token};
use super::rules::Rules;
use crate::vocabulary::{JobRef, Vocabulary};

/// What a token turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Job,
    Stream,
    Workstation,
    Engine,
    Pattern,
    Message,
    /// A label that says workstation and job.
    Label,
}

impl Kind {
    /// What stands for it among the words of a message.
    pub(super) const fn placeholder(self) -> Option<&'static str> {
        match self {
            Self::Word => None,
            Self::Job | Self::Label => Some("<job>"),
            Self::Stream => Some("<stream>"),
            Self::Workstation => Some("<ws>"),
            Self::Engine => Some("<engine>"),
            Self::Pattern => Some("<pattern>"),
            Self::Message => Some("<msg>"),
        }
    }
}

/// How many names of a message are compared with all of the plan.
const COMPARED: usize = 8;

/// Reads the names of a message.
pub(super) struct Names<'a> {
    pub(super) vocabulary: Option<&'a Vocabulary>,
    pub(super) rules: &'a Rules,
    /// The whole message is in capitals, so capitals say nothing.
    pub(super) shouted: bool,
    entities: Entities,
    compared: usize,
}

/// Whether a message is written in capitals alone.
pub(super) fn shouted(tokens: &[Token]) -> bool {
    tokens.len() >= 3
        && tokens
            .iter()
            .all(|token| !token.raw.chars().any(char::is_lowercase))
}

impl<'a> Names<'a> {
    pub(super) fn new(
        vocabulary: Option<&'a Vocabulary>,
        rules: &'a Rules,
        tokens: &[Token],
    ) -> Self {
        Self {
            vocabulary,
            rules,
            shouted: shouted(tokens),
            entities: Entities::default(),
            compared: 0,
        }
    }

    /// The names of `tokens`, and what each token is; the parts of a name that is spelled out are
    /// `None` but for the first.
    pub(super) fn read(mut self, tokens: &[Token]) -> (Entities, Vec<Option<Kind>>) {
        let mut kinds = Vec::with_capacity(tokens.len());
        while let Some(token) = tokens.get(kinds.len()) {
            let at = kinds.len();
            if let Some((length, joined)) = self.spelled_out(tokens, at) {
                kinds.push(Some(self.take_known(&joined, "", "")));
                kinds.resize(at + length, None);
                continue;
            }
            let word = |at: Option<usize>| {
                at.and_then(|at| tokens.get(at))
                    .map_or("", |token| token.word.as_str())
            };
            let around = Around {
                before: word(at.checked_sub(1)),
                after: word(Some(at + 1)),
                alone: tokens.len() == 1,
            };
            kinds.push(Some(self.classify(token, &around)));
        }
        return_codes(tokens, &mut self.entities);
        (self.entities, kinds)
    }

    fn is(&self, class: &str, word: &str) -> bool {
        self.rules.is_in(class, word)
    }

    /// `fin gl post` for `FIN_GL_POST`.
    fn spelled_out(&self, tokens: &[Token], at: usize) -> Option<(usize, String)> {
        let vocabulary = self.vocabulary?;
        (2..=4).rev().find_map(|length| {
            let part = tokens.get(at..at + length)?;
            let plain = part
                .iter()
                .all(|token| token.raw.chars().all(char::is_alphanumeric));
            let together = part.iter().skip(1).all(|token| token.before == Break::None);
            if !plain || !together {
                return None;
            }
            // Two words of the language are two words: "check disk" is no `CHECK_DISK`.
            let ordinary = part.iter().any(|token| self.rules.knows(&token.word));
            let before = at.checked_sub(1).and_then(|at| tokens.get(at));
            let named = before.is_some_and(|token| self.is("job_word", &token.word));
            if ordinary && length < 3 && !named {
                return None;
            }
            let joined = part
                .iter()
                .map(|token| token.raw.as_str())
                .collect::<Vec<_>>()
                .join("_");
            vocabulary.has(&joined).then_some((length, joined))
        })
    }

    fn classify(&mut self, token: &Token, around: &Around<'_>) -> Kind {
        let raw = token.raw.as_str();
        if let Some(known) = self.vocabulary.and_then(|names| names.by_id(raw)) {
            let known = known.clone();
            self.add_job(&known.name.clone(), vec![known]);
            return Kind::Job;
        }
        if is_message_id(raw) && !self.vocabulary.is_some_and(|names| names.has(raw)) {
            push(&mut self.entities.message_ids, &raw.to_uppercase());
            return Kind::Message;
        }
        if raw.contains('#')
            || (raw.contains('.') && !raw.starts_with(|c: char| c.is_ascii_digit()))
        {
            return self.label(raw);
        }
        let base = base(raw);
        if base.contains('*') {
            return self.pattern(base);
        }
        let base = last_part(base);
        if let Some(engine) = self.vocabulary.and_then(|names| names.engine(base))
            && (engine == base || self.is("engine_word", around.before))
            && !self.is("job_word", around.before)
        {
            push(&mut self.entities.engines, engine);
            return Kind::Engine;
        }
        let written = base.replace('-', "_");
        for base in [base, written.as_str()] {
            if self.vocabulary.is_some_and(|names| names.has(base)) {
                return if self.is_meant(base, around) {
                    self.take_known(base, around.before, around.after)
                } else {
                    Kind::Word
                };
            }
        }
        self.unknown(base, token, around)
    }

    /// Whether a word that is spelled like a name of the plan is that name.
    fn is_meant(&self, base: &str, around: &Around<'_>) -> bool {
        let marked = base.contains('_') || base.chars().any(|c| c.is_ascii_digit());
        let capitals = !base.chars().any(char::is_lowercase);
        let as_written = !capitals && self.vocabulary.is_some_and(|names| names.has_exactly(base));
        if marked || (capitals && !self.shouted) || around.alone || as_written {
            return true;
        }
        let introduced = ["job_word", "stream_word", "ws_word", "named"]
            .iter()
            .any(|class| self.is(class, around.before));
        let subject = self.is("subject_of", around.before) && self.is("verb_of", around.after);
        if introduced || subject {
            return true;
        }
        let ordinary =
            self.rules.knows(&base.to_lowercase()) || self.is("plain", &base.to_lowercase());
        self.shouted && !ordinary && self.is("before_name", around.before)
    }

    fn unknown(&mut self, base: &str, token: &Token, around: &Around<'_>) -> Kind {
        if self.rules.knows(&token.word) && !base.contains('_')
            || self.is("acronym", &token.word)
            || base.len() < 3
        {
            return Kind::Word;
        }
        let kind = if self.is("stream_word", around.before) {
            Kind::Stream
        } else if self.is("ws_word", around.before) {
            Kind::Workstation
        } else {
            Kind::Job
        };
        if self.is_shaped(base) {
            return self.take_unknown(base, kind, false);
        }
        if self.is("job_word", around.before)
            || kind != Kind::Job
            || self.is("named", around.before)
        {
            return self.take_unknown(base, kind, true);
        }
        Kind::Word
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
        let first_letter = base.starts_with(|c: char| c.is_alphabetic());
        name_like
            && first_letter
            && (underscored
                || (capitals && digits)
                || (capitals && base.len() >= 4 && !self.shouted && self.vocabulary.is_none())
                || (capitals && base.len() >= 4 && !self.shouted && !base.contains('-')))
    }

    fn take_known(&mut self, base: &str, before: &str, after: &str) -> Kind {
        let Some(vocabulary) = self.vocabulary else {
            return Kind::Word;
        };
        let jobs = vocabulary.jobs(base);
        let says =
            |class: &str| self.is(class, before) || (before.is_empty() && self.is(class, after));
        let wants_stream = says("stream_word") || self.is("stream_word", after);
        let wants_workstation = says("ws_word");
        if let Some(name) = vocabulary
            .stream(base)
            .filter(|_| wants_stream || jobs.is_empty())
        {
            push(&mut self.entities.streams, name);
            return Kind::Stream;
        }
        if let Some(name) = vocabulary
            .workstation(base)
            .filter(|_| wants_workstation || jobs.is_empty())
        {
            push(&mut self.entities.workstations, name);
            return Kind::Workstation;
        }
        if let Some(first) = jobs.first() {
            let (name, candidates) = (first.name.clone(), jobs.to_vec());
            self.add_job(&name, candidates);
            return Kind::Job;
        }
        Kind::Word
    }

    /// Keeps a name that the plan does not have. A word in small letters is one only if the plan has
    /// a name like it.
    fn take_unknown(&mut self, base: &str, kind: Kind, only_if_alike: bool) -> Kind {
        let Some(vocabulary) = self.vocabulary else {
            if only_if_alike {
                return Kind::Word;
            }
            // The plan cannot be read: the name stands as the person wrote it.
            match kind {
                Kind::Stream => push(&mut self.entities.streams, base),
                Kind::Workstation => push(&mut self.entities.workstations, base),
                _ => self.add_job(base, Vec::new()),
            }
            return kind;
        };
        if self.entities.unknown.iter().any(|known| known.text == base) {
            return kind;
        }
        let alike = if self.compared < COMPARED {
            self.compared += 1;
            vocabulary.alike(base)
        } else {
            Vec::new()
        };
        if only_if_alike && alike.is_empty() {
            return Kind::Word;
        }
        let first = alike.first().map(String::as_str);
        let kind = match first {
            Some(name) if kind == Kind::Job && vocabulary.jobs(name).is_empty() => {
                if vocabulary.workstation(name).is_some() {
                    Kind::Workstation
                } else {
                    Kind::Stream
                }
            }
            _ => kind,
        };
        self.entities.unknown.push(UnknownName {
            text: base.to_owned(),
            alike,
        });
        kind
    }

    fn pattern(&mut self, base: &str) -> Kind {
        let fits = base.chars().filter(|c| c.is_alphanumeric()).count() >= 2
            && base
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*'));
        if fits {
            push(&mut self.entities.patterns, &base.to_uppercase());
            return Kind::Pattern;
        }
        Kind::Word
    }

    /// `WORKSTATION#STREAM.JOB`, `STREAM.JOB`, `WORKSTATION#STREAM`, `WORKSTATION#JOB`.
    fn label(&mut self, raw: &str) -> Kind {
        let (workstation, rest) = match raw.split_once('#') {
            Some((workstation, rest)) => (Some(last_part(workstation)), rest),
            None => (None, raw),
        };
        let (stream, job) = match rest.rsplit_once('.') {
            Some((stream, job)) => (Some(last_part(stream)), last_part(job)),
            None => (None, last_part(rest)),
        };
        let Some(vocabulary) = self.vocabulary else {
            if workstation.is_none() {
                return Kind::Word;
            }
            self.add_job(job, Vec::new());
            return Kind::Job;
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
        let station = workstation.and_then(|name| vocabulary.workstation(name));
        if let Some(first) = candidates.first() {
            let name = first.name.clone();
            if let Some(stream) = stream.and_then(|name| vocabulary.stream(name)) {
                push(&mut self.entities.streams, stream);
            }
            if let Some(station) = station {
                push(&mut self.entities.workstations, station);
            }
            self.add_job(&name, candidates);
            return Kind::Label;
        }
        if let (None, Some(name)) = (stream, vocabulary.stream(job)) {
            push(&mut self.entities.streams, name);
            if let Some(station) = station {
                push(&mut self.entities.workstations, station);
            }
            return Kind::Stream;
        }
        if workstation.is_some() || stream.is_some_and(|name| vocabulary.stream(name).is_some()) {
            if let Some(station) = station {
                push(&mut self.entities.workstations, station);
            }
            return self.take_unknown(job, Kind::Job, false);
        }
        Kind::Word
    }

    fn add_job(&mut self, name: &str, candidates: Vec<JobRef>) {
        if !self.entities.jobs.iter().any(|known| known.name == name) {
            self.entities.jobs.push(NamedJob {
                name: name.to_owned(),
                candidates,
            });
        }
    }
}

/// The neighbours of a token.
struct Around<'a> {
    before: &'a str,
    after: &'a str,
    /// The token is the whole message.
    alone: bool,
}

/// A name without what English hangs on it: `FIN_BAL's`.
fn base(raw: &str) -> &str {
    raw.strip_suffix("'s")
        .or_else(|| raw.strip_suffix("’s"))
        .unwrap_or(raw)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `rc 12`, `rc12`, `return code 8`, `exit code 137`, `código de retorno 8`, `código 8`.
fn return_codes(tokens: &[Token], entities: &mut Entities) {
    let number = |text: &str| {
        let digits = text.trim_start_matches(['-', '+']);
        (!digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.to_owned())
    };
    let mut expected = false;
    let mut before = "";
    for token in tokens {
        let word = token.word.as_str();
        let attached = word.strip_prefix("rc").and_then(number);
        let apart = if expected { number(word) } else { None };
        if let Some(code) = attached.or(apart) {
            push(&mut entities.return_codes, &code);
        }
        let code_word = matches!(word, "code" | "codigo" | "cod") && before != "sql";
        let filler = matches!(
            word,
            "is" | "of"
                | "de"
                | "was"
                | "e"
                | "foi"
                | "the"
                | "a"
                | "o"
                | "igual"
                | "erro"
                | "saida"
        );
        expected = matches!(word, "rc" | "retcode" | "returncode" | "exitcode")
            || code_word
            || (word == "retorno" && before == "de")
            || (expected && filler);
        before = word;
    }
}
