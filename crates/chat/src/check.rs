//! Whether an answer stands on its evidence: each number, name, time and citation of its text.
//!
//! Invariants:
//! - A sentence passes when everything in it that can be checked is in the evidence as it stands
//!   there: a number as that number, a share only where a share was told, a time of day as one of a
//!   time that was told, a duration as one that was told to the unit that is said, a name as a name.
//!   Nothing is worked out: what would follow from two facts is not in the evidence.
//! - The check knows only the text and the evidence, so it tells the same of a stored answer at any
//!   later time, and of a text that a model wrote.
//! - What a sentence means is not checked. "Not failed" passes where "failed" would.

mod claims;

use std::collections::HashSet;
use std::ops::Range;

use chrono::DateTime;
use serde::Serialize;
use thiserror::Error;

use self::claims::{What, claims};
use crate::answer::{Answer, Citation, FigureValue, Place};
use crate::evidence::{Evidence, EvidenceFact, EvidenceSource};
use crate::text;

/// A part of an answer that its evidence does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[error("{fault} in: {sentence}")]
pub struct Broken {
    /// Where its sentence stands in the text, in bytes.
    pub at: Range<usize>,
    /// The sentence.
    pub sentence: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[serde(tag = "kind", content = "what", rename_all = "snake_case")]
pub enum Fault {
    /// It cites what is not there.
    #[error("no evidence is named {0}")]
    Citation(String),
    /// No evidence holds this number, or this share.
    #[error("no evidence holds the number {0}")]
    Number(String),
    /// No evidence holds this time or day.
    #[error("no evidence holds the time {0}")]
    Time(String),
    /// No evidence holds this duration.
    #[error("no evidence holds the duration {0}")]
    Duration(String),
    /// No evidence holds this name, id or state.
    #[error("no evidence holds the name {0}")]
    Name(String),
    /// Words marked as a quote stand in no evidence.
    #[error("no evidence holds these words: {0}")]
    Quote(String),
    /// A figure or a citation beside the text does not stand in the evidence that it names.
    #[error("its evidence does not hold {0}")]
    Beside(String),
}

/// The sentences of `text`, as ranges of bytes that follow one another and together are all of it.
/// A sentence ends behind a line end, and behind `.`, `!` or `?` before a blank; a line that is marked as
/// a quote is one.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut over) = (0, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let next = chars.peek().map(|(_, next)| *next);
        // "1. Wait" is one item, not two sentences.
        let number = text.get(start..at).is_some_and(|before| {
            let before = before.trim_start_matches(['>', '-', ' ']);
            !before.is_empty() && before.bytes().all(|b| b.is_ascii_digit())
        });
        let quote = || text.get(start..at).is_some_and(is_quote);
        let mark = matches!(c, '.' | '!' | '?') && next == Some(' ');
        let ends = c == '\n' || (mark && !number && !quote());
        // Marks of sources belong to the sentence before them.
        over |= ends;
        let rest = text.get(end..).unwrap_or("").trim_start_matches(' ');
        let ends = ends || (over && c == ']');
        if c == '\n' || (ends && !rest.starts_with('[')) {
            found.push(start..end);
            (start, over) = (end, false);
        }
    }
    if start < text.len() {
        found.push(start..text.len());
    }
    found
}

fn is_quote(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// Checks `text` against `evidence`: what of it cites an id that is not there, or holds a number, a
/// name or a time that no evidence holds. Empty when all stands.
///
/// ```
/// use resync_chat::{Evidence, EvidenceFact, check};
/// # let json = r#"{"id":"e1","kind":"job","source":{"from":"engine","engine":"prod","question":"job"},
/// #     "fetched_at":"2026-03-02T00:00:00Z","age_ms":0,"stale":false}"#;
/// # let bare: Evidence = serde_json::from_str(json).unwrap();
/// let evidence = [Evidence { facts: vec![EvidenceFact::number("return code", 12)], ..bare }];
/// assert!(check::numbers_and_citations("It ended with 12 [e1].", &evidence).is_empty());
/// assert_eq!(check::numbers_and_citations("It ended with 13 [e2].", &evidence).len(), 2);
/// ```
#[must_use]
pub fn numbers_and_citations(text: &str, evidence: &[Evidence]) -> Vec<Broken> {
    Known::of(evidence).check(text)
}

/// Checks a whole answer against the evidence that is stored with it: its text, its figures, its
/// citations, its quotes.
///
/// # Errors
/// What does not stand.
pub fn recheck(answer: &Answer) -> Result<(), Vec<Broken>> {
    let known = Known::of(&answer.evidence).citing(&answer.citations);
    let mut broken = known.check(&answer.answer);
    let mut beside = |holds: bool, what: String| {
        if !holds {
            broken.push(Broken {
                at: 0..0,
                sentence: String::new(),
                fault: Fault::Beside(what),
            });
        }
    };
    let piece = |id: &str| answer.evidence.iter().find(|one| one.id == id);
    for figure in &answer.figures {
        let of = piece(&figure.evidence).map(|one| Known::of(std::slice::from_ref(one)));
        let holds = of.is_some_and(|known| match &figure.value {
            FigureValue::Number(number) => known.holds_number(*number, figure.unit.as_deref()),
            FigureValue::Text(words) => known.check(words).is_empty(),
        });
        beside(holds, format!("{}: {:?}", figure.label, figure.value));
    }
    for citation in &answer.citations {
        let of = piece(&citation.evidence);
        let holds = of.is_some_and(|one| {
            one.span.as_ref() == Some(&citation.place)
                && one.text.as_ref() == Some(&citation.excerpt)
        });
        beside(holds, citation.id.clone());
    }
    if broken.is_empty() {
        Ok(())
    } else {
        Err(broken)
    }
}

/// What some evidence holds, made ready for checks of several texts.
#[derive(Debug, Default)]
pub struct Known {
    marks: HashSet<String>,
    numbers: HashSet<String>,
    percents: HashSet<String>,
    times: HashSet<String>,
    days: HashSet<String>,
    durations: HashSet<u64>,
    names: HashSet<String>,
    lines: Vec<Range<u64>>,
    /// The words that may be quoted, each blank one blank.
    quotable: Vec<String>,
}

impl Known {
    /// What `evidence` holds.
    #[must_use]
    pub fn of(evidence: &[Evidence]) -> Self {
        let mut known = Self::default();
        for one in evidence {
            known.learn(one);
        }
        known
    }

    /// With the marks of these citations.
    #[must_use]
    pub fn citing(mut self, citations: &[Citation]) -> Self {
        self.marks
            .extend(citations.iter().map(|one| one.id.clone()));
        self
    }

    fn learn(&mut self, one: &Evidence) {
        self.marks.insert(one.id.clone());
        self.durations.insert(one.age_ms / 1_000);
        self.time(one.fetched_at);
        match &one.source {
            EvidenceSource::Engine { engine, .. } => self.words(engine.as_str()),
            EvidenceSource::Document { source, .. } => self.words(source),
            EvidenceSource::Search { .. } => {}
        }
        match &one.span {
            Some(Place::Log {
                run,
                from_line,
                to_line,
                ..
            }) => {
                self.words(run.as_str());
                self.lines
                    .push(u64::from(*from_line)..u64::from(*to_line) + 1);
            }
            Some(Place::Document {
                source,
                heading_path,
                span,
                ..
            }) => {
                self.words(source);
                for heading in heading_path {
                    self.words(heading);
                }
                let (from, to) = (span.start_line, span.end_line);
                self.lines.push(from..to + 1);
            }
            None => {}
        }
        for fact in &one.facts {
            self.fact(fact);
        }
        if let Some(text) = &one.text {
            self.words(text);
            self.quotable.push(one_blank(text));
        }
    }

    fn fact(&mut self, fact: &EvidenceFact) {
        self.words(&fact.name);
        if let Some(of) = &fact.of {
            self.words(of);
        }
        match &fact.value {
            FigureValue::Number(number) => {
                let plain = number.unsigned_abs();
                match fact.unit.as_deref() {
                    Some("s") => drop(self.durations.insert(plain)),
                    Some("%") => drop(self.percents.insert(plain.to_string())),
                    _ => drop(self.numbers.insert(plain.to_string())),
                }
            }
            FigureValue::Text(words) => {
                if let Ok(at) = DateTime::parse_from_rfc3339(words) {
                    self.time(at.to_utc());
                } else {
                    self.words(words);
                }
            }
        }
    }

    fn time(&mut self, at: DateTime<chrono::Utc>) {
        for form in ["%H:%M", "%H:%M:%S"] {
            self.times.insert(at.format(form).to_string());
        }
        for form in ["%Y-%m-%d", "%m-%d"] {
            self.days.insert(at.format(form).to_string());
        }
    }

    fn words(&mut self, words: &str) {
        for claim in claims(words) {
            match claim.what {
                What::Mark(_) => {}
                What::Number(readings) => self.numbers.extend(readings),
                What::Line(number) => drop(self.numbers.insert(number)),
                What::Percent(readings) => self.percents.extend(readings),
                What::Time(time) => {
                    // A time with seconds was told to the minute, too.
                    self.times.extend(time.get(..5).map(str::to_owned));
                    self.times.insert(time);
                }
                What::Day(day) => {
                    self.days.extend(day.get(5..).map(str::to_owned));
                    self.days.insert(day);
                }
                What::Duration(seconds, _) => drop(self.durations.insert(seconds)),
                What::Name(name) => self.name(&name),
            }
        }
        // A name is one also where it stands in small letters or among plain words.
        for token in text::tokens(words) {
            self.name(&token.word);
        }
    }

    fn name(&mut self, name: &str) {
        let parts = name.split(['#', '.', '/', '@', ':', '(', ')', ',', '\'']);
        self.names
            .extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
        self.names.insert(name.to_owned());
    }

    fn holds_number(&self, number: i64, unit: Option<&str>) -> bool {
        let plain = number.unsigned_abs();
        match unit {
            Some("s") => self.durations.contains(&plain),
            Some("%") => self.percents.contains(&plain.to_string()),
            _ => self.numbers.contains(&plain.to_string()),
        }
    }

    /// What of `text` is not in the evidence. Empty when all stands.
    #[must_use]
    pub fn check(&self, text: &str) -> Vec<Broken> {
        let mut broken = Vec::new();
        for at in sentences(text) {
            let sentence = text.get(at.clone()).unwrap_or("");
            let mut faults: Vec<Fault> = self.quote(sentence).into_iter().collect();
            if is_quote(sentence) && faults.is_empty() {
                // Word for word, with whatever marks and numbers stand there.
                continue;
            }
            for claim in claims(sentence) {
                if !self.holds(&claim.what) {
                    let said = sentence.get(claim.at.clone()).unwrap_or("");
                    let fault = fault(&claim.what, said);
                    if !faults.contains(&fault) {
                        faults.push(fault);
                    }
                }
            }
            broken.extend(faults.into_iter().map(|fault| Broken {
                at: at.clone(),
                sentence: sentence.trim().to_owned(),
                fault,
            }));
        }
        broken
    }

    fn holds(&self, what: &What) -> bool {
        match what {
            What::Mark(id) => self.marks.contains(id),
            What::Number(readings) => readings.iter().any(|one| self.numbers.contains(one)),
            What::Line(number) => {
                let line = number.parse::<u64>();
                let told =
                    line.is_ok_and(|line| self.lines.iter().any(|span| span.contains(&line)));
                told || self.numbers.contains(number)
            }
            What::Percent(readings) => readings.iter().any(|one| self.percents.contains(one)),
            What::Time(time) => self.times.contains(time),
            What::Day(day) => self.days.contains(day),
            // To the unit that is said, rounded in whichever way; seconds are exact.
            What::Duration(said, unit) => {
                self.durations.contains(said)
                    || (*unit > 1
                        && self
                            .durations
                            .iter()
                            .any(|&told| told.abs_diff(*said) < *unit))
            }
            What::Name(name) => {
                let part = |part: &str| part.is_empty() || self.names.contains(part);
                self.names.contains(name)
                    || (name.contains(['#', '.', '/', ':', ',', '\''])
                        && name.split(['#', '.', '/', ':', ',', '\'']).all(part))
            }
        }
    }

    /// A line that is marked as a quote must be one, apart from where it was cut.
    fn quote(&self, sentence: &str) -> Option<Fault> {
        let words = sentence.trim_start().strip_prefix('>')?;
        let words = one_blank(words);
        let words = words.trim_end_matches('…').trim_end();
        let quoted = self.quotable.iter().any(|text| text.contains(words));
        (!quoted).then(|| Fault::Quote(words.to_owned()))
    }
}

fn one_blank(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    words.join(" ")
}

fn fault(what: &What, said: &str) -> Fault {
    let said = said.to_owned();
    match what {
        What::Mark(id) => Fault::Citation(id.clone()),
        What::Number(_) | What::Line(_) | What::Percent(_) => Fault::Number(said),
        What::Time(_) | What::Day(_) => Fault::Time(said),
        What::Duration(..) => Fault::Duration(said),
        What::Name(_) => Fault::Name(said),
    }
}

#[cfg(test)]
mod tests;
