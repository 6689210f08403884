//! An answer in the making.
//!
//! Invariant: a number of the plan enters the text through [`Draft::number`] or [`Draft::words`],
//! which record the figure with the evidence that it stands in; words of logs and documents enter
//! through [`Draft::cite_log`] and [`Draft::cite_document`], which keep them out of the text, or through
//! [`Draft::quote`], which marks each of their lines.

use chrono::{DateTime, SecondsFormat, Utc};
use resync_rag::SearchHit;
use resync_tws::model::{JobId, RunId};
use resync_tws::{Meta, Text};

use super::desk::{Desk, Ground};
use crate::answer::{Citation, Figure, FigureSource, FigureValue, Place, ProposalCard};
use crate::context::KnownJob;
use crate::language::Language;
use crate::text;

/// How many lines of a section the text quotes.
const QUOTED_LINES: usize = 8;
/// How many characters of a section the text quotes.
const QUOTED_CHARS: usize = 600;

#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) language: Language,
    text: String,
    pub(crate) figures: Vec<Figure>,
    pub(crate) citations: Vec<Citation>,
    pub(crate) proposal: Option<ProposalCard>,
    pub(crate) clarify: Vec<String>,
    /// The jobs of the last list in the text, in its order.
    pub(crate) listed: Vec<KnownJob>,
    pub(crate) incomplete: bool,
}

impl Draft {
    pub(crate) fn new(language: Language) -> Self {
        Self {
            language,
            text: String::new(),
            figures: Vec::new(),
            citations: Vec::new(),
            proposal: None,
            clarify: Vec::new(),
            listed: Vec::new(),
            incomplete: false,
        }
    }

    pub(crate) fn text(&self) -> String {
        self.text.trim().to_owned()
    }

    /// Puts what was said aside, so that more can be gathered; [`Self::back`] has it again.
    pub(crate) fn aside(&mut self) -> Self {
        let kept = std::mem::replace(self, Self::new(self.language));
        self.figures.clone_from(&kept.figures);
        self.citations.clone_from(&kept.citations);
        kept
    }

    /// Has again what was put aside, with the figures and citations that were gathered meanwhile.
    pub(crate) fn back(&mut self, kept: Self) {
        let gathered = std::mem::replace(self, kept);
        self.figures = gathered.figures;
        self.citations = gathered.citations;
    }

    /// Adds a sentence.
    pub(crate) fn say(&mut self, sentence: &str) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
        self.text.push_str(sentence);
    }

    /// Adds a sentence in the answer's language.
    pub(crate) fn tell(&mut self, en: &str, pt: &str) {
        let sentence = self.language.pick(en, pt);
        self.say(sentence);
    }

    /// Adds a line of a list.
    pub(crate) fn line(&mut self, line: &str) {
        self.new_line();
        self.text.push_str("- ");
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Quotes the first lines of a cited section: without control characters, and each line begins
    /// with `> `, so that no word of a document can pass for one of ours (I-13).
    pub(crate) fn quote(&mut self, words: &str) {
        // The headings stand before the mark already.
        let mut body = words.trim_start();
        while body.starts_with('#') {
            body = body
                .split_once('\n')
                .map_or("", |(_, rest)| rest.trim_start());
        }
        let words = text::excerpt(body, QUOTED_CHARS);
        let lines = words.lines().map(str::trim_end);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("```"));
        for line in lines.take(QUOTED_LINES) {
            self.new_line();
            self.text.push_str("> ");
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// What follows begins a paragraph.
    pub(crate) fn paragraph(&mut self) {
        self.new_line();
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// What follows begins a line.
    pub(crate) fn new_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// A number of the plan, as it stands in the text.
    pub(crate) fn number(&mut self, by: &Ground, fact: &Fact<'_>, value: usize) -> String {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let fact = Fact {
            unit: fact.unit.map(|unit| unit_of(value, unit)),
            ..*fact
        };
        self.figure(by, &fact, FigureValue::Number(value));
        value.to_string()
    }

    /// A return code of the plan, as it stands in the text.
    pub(crate) fn code(&mut self, by: &Ground, fact: &Fact<'_>, value: i32) -> String {
        self.figure(by, fact, FigureValue::Number(i64::from(value)));
        value.to_string()
    }

    /// A time of the plan, as it stands in the text; the figure has it in RFC 3339, so that a page can
    /// show it in its own zone.
    pub(crate) fn time(&mut self, by: &Ground, fact: &Fact<'_>, at: DateTime<Utc>) -> String {
        let figure = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.figure(by, fact, FigureValue::Text(figure));
        at.format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// A duration of the plan, as it stands in the text; the figure has it in seconds.
    pub(crate) fn duration(&mut self, by: &Ground, fact: &Fact<'_>, seconds: u64) -> String {
        let fact = Fact {
            unit: Some("s"),
            ..*fact
        };
        let value = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.figure(by, &fact, FigureValue::Number(value));
        spelled(seconds)
    }

    /// Words of the plan, as they stand in the text.
    pub(crate) fn words(&mut self, by: &Ground, fact: &Fact<'_>, words: &str) -> String {
        let words = text::name(words);
        self.figure(by, fact, FigureValue::Text(words.clone()));
        words
    }

    /// A sentence that the plan's domain made, in the answer's language.
    pub(crate) fn sentence(&mut self, by: &Ground, fact: &Fact<'_>, sentence: &Text) -> String {
        // A sentence may quote a prompt, which is the engine's text.
        let shown = text::excerpt(self.language.of(sentence), 600).replace('\n', " ");
        self.figure(by, fact, FigureValue::Text(shown.clone()));
        shown
    }

    fn figure(&mut self, by: &Ground, fact: &Fact<'_>, value: FigureValue) {
        let label = match fact.of {
            Some(of) => format!(
                "{}: {}",
                text::name(of),
                self.language.pick(fact.en, fact.pt)
            ),
            None => self.language.pick(fact.en, fact.pt).to_owned(),
        };
        let figure = Figure {
            label,
            value,
            unit: fact.unit.map(str::to_owned),
            source: FigureSource {
                engine: by.meta.engine.clone(),
                what: fact.what.to_owned(),
            },
            evidence: by.evidence.clone(),
            fetched_at: by.meta.fetched_at,
            age_ms: by.meta.age_ms,
            stale: by.meta.stale,
        };
        if !self.figures.contains(&figure) {
            self.figures.push(figure);
        }
    }

    /// Says who told it, when, and how old that is; a warning when it is older than it should be
    /// (I-15).
    pub(crate) fn say_age(&mut self, by: &Ground) {
        let meta = &by.meta;
        let engine = text::name(meta.engine.as_str());
        let at = meta.fetched_at.format("%Y-%m-%d %H:%M:%S UTC");
        let age = spelled(meta.age_ms / 1_000);
        self.new_line();
        self.tell(
            &format!("As of {at}, told by {engine} {age} ago."),
            &format!("Dados de {at}, informados por {engine} há {age}."),
        );
        if meta.refresh_failed {
            self.tell(
                &format!(
                    "Careful: {engine} did not answer the last refresh, so this may have changed."
                ),
                &format!(
                    "Atenção: {engine} não respondeu à última atualização; isto pode ter mudado."
                ),
            );
        } else if meta.stale {
            self.tell(
                "That is older than it should be; a refresh is under way.",
                "São mais antigos do que deveriam; uma atualização está em curso.",
            );
        }
    }

    /// Whether it tells something that an engine told.
    pub(crate) fn tells_of_engine(&self) -> bool {
        !self.figures.is_empty() || self.proposal.is_some()
    }

    /// Says that what the engine told is invented.
    pub(crate) fn say_demo(&mut self) {
        self.new_line();
        self.tell(
            "(Demo: this engine's data are invented.)",
            "(Demonstração: os dados deste engine são inventados.)",
        );
    }

    /// Cites lines of a log; returns the mark for the text, empty when there was no room for them.
    pub(crate) fn cite_log(&mut self, desk: &Desk<'_>, by: &Meta, lines: LogLines<'_>) -> String {
        let title = self.language.pick("Log of", "Log de");
        let title = format!("{title} {}", text::name(lines.label));
        let place = Place::Log {
            engine: by.engine.clone(),
            job_id: lines.job.clone(),
            run: lines.run.clone(),
            from_line: lines.from,
            to_line: lines.to,
        };
        let kept = desk.lines(by, &place, lines.text);
        self.cite(title, place, kept)
    }

    /// Cites a section of a document; returns the mark for the text, empty when there was no room.
    pub(crate) fn cite_document(&mut self, desk: &Desk<'_>, hit: &SearchHit) -> String {
        let place = Place::Document {
            document_id: hit.document_id,
            source: text::name(&hit.source),
            heading_path: hit
                .heading_path
                .iter()
                .map(|heading| text::name(heading))
                .collect(),
            span: hit.span,
        };
        let kept = desk.section(hit, &place);
        self.cite(text::name(&hit.title), place, kept)
    }

    /// The evidence of the last citation; empty when nothing is cited.
    pub(crate) fn last_evidence(&self) -> String {
        let last = self.citations.last();
        last.map_or_else(String::new, |last| last.evidence.clone())
    }

    fn cite(&mut self, title: String, place: Place, kept: Option<(String, String)>) -> String {
        let Some((evidence, excerpt)) = kept else {
            self.incomplete = true;
            return String::new();
        };
        let known = self.citations.iter().find(|known| known.place == place);
        if let Some(known) = known {
            return format!("[{}]", known.id);
        }
        let id = format!("c{}", self.citations.len() + 1);
        let mark = format!("[{id}]");
        self.citations.push(Citation {
            id,
            title,
            evidence,
            place,
            excerpt,
        });
        mark
    }
}

/// `12 min 5 s`: the two largest units, and the seconds only below an hour.
fn spelled(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |(large, a): (u64, &str), (small, b): (u64, &str)| match small {
        0 => format!("{large} {a}"),
        _ => format!("{large} {a} {small} {b}"),
    };
    match seconds {
        86_400.. => two((days, "d"), (hours, "h")),
        3_600.. => two((hours, "h"), (minutes, "min")),
        60.. => two((minutes, "min"), (rest, "s")),
        _ => format!("{rest} s"),
    }
}

/// The unit as it is written behind that number; the words are the same in both languages.
fn unit_of(value: i64, unit: &str) -> &str {
    match unit {
        "jobs" | "streams" | "prompts" | "workstations" if value == 1 => {
            unit.strip_suffix('s').unwrap_or(unit)
        }
        _ => unit,
    }
}

/// Lines of a log to cite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogLines<'a> {
    pub(crate) label: &'a str,
    pub(crate) job: &'a JobId,
    pub(crate) run: &'a RunId,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) text: &'a str,
}

/// What a figure is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact<'a> {
    pub(crate) en: &'a str,
    pub(crate) pt: &'a str,
    pub(crate) what: &'a str,
    pub(crate) of: Option<&'a str>,
    pub(crate) unit: Option<&'a str>,
}

impl<'a> Fact<'a> {
    pub(crate) const fn new(en: &'a str, pt: &'a str, what: &'a str) -> Self {
        Self {
            en,
            pt,
            what,
            of: None,
            unit: None,
        }
    }

    /// A count of jobs.
    pub(crate) const fn jobs(en: &'a str, pt: &'a str) -> Self {
        Self {
            en,
            pt,
            what: "snapshot",
            of: None,
            unit: Some("jobs"),
        }
    }

    /// The same, of that thing.
    pub(crate) const fn of(self, of: &'a str) -> Self {
        Self {
            of: Some(of),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (725, "12 min 5 s"),
            (3_600, "1 h"),
            (5_400, "1 h 30 min"),
            (90_000, "1 d 1 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(spelled(seconds), words);
        }
    }
}
