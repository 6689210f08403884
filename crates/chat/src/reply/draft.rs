//! An answer in the making.
//!
//! Invariant: a number of the plan enters the text through [`Draft::number`] or [`Draft::words`],
//! which record the figure; words of logs and documents enter through [`Draft::cite_log`] and
//! [`Draft::cite_document`], which keep them out of the text, or through [`Draft::quote`], which
//! marks each of their lines.

use chrono::{DateTime, SecondsFormat, Utc};
use resync_rag::SearchHit;
use resync_tws::model::{JobId, RunId};
use resync_tws::{Meta, Text};

use crate::answer::{Citation, Figure, FigureSource, FigureValue, Place, ProposalCard};
use crate::language::Language;
use crate::text;

/// The greatest length of an excerpt, in characters.
const EXCERPT: usize = 1_200;
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
            incomplete: false,
        }
    }

    pub(crate) fn text(&self) -> String {
        self.text.trim().to_owned()
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

    /// What follows begins a line.
    pub(crate) fn new_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// A number of the plan, as it stands in the text.
    pub(crate) fn number(&mut self, meta: &Meta, fact: &Fact<'_>, value: usize) -> String {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let fact = Fact {
            unit: fact.unit.map(|unit| unit_of(value, unit)),
            ..*fact
        };
        self.figure(meta, &fact, FigureValue::Number(value));
        value.to_string()
    }

    /// A return code of the plan, as it stands in the text.
    pub(crate) fn code(&mut self, meta: &Meta, fact: &Fact<'_>, value: i32) -> String {
        self.figure(meta, fact, FigureValue::Number(i64::from(value)));
        value.to_string()
    }

    /// A time of the plan, as it stands in the text; the figure has it in RFC 3339, so that a page can
    /// show it in its own zone.
    pub(crate) fn time(&mut self, meta: &Meta, fact: &Fact<'_>, at: DateTime<Utc>) -> String {
        let figure = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.figure(meta, fact, FigureValue::Text(figure));
        at.format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// Words of the plan, as they stand in the text.
    pub(crate) fn words(&mut self, meta: &Meta, fact: &Fact<'_>, words: &str) -> String {
        let words = text::name(words);
        self.figure(meta, fact, FigureValue::Text(words.clone()));
        words
    }

    /// A sentence that the plan's domain made, in the answer's language.
    pub(crate) fn sentence(&mut self, meta: &Meta, fact: &Fact<'_>, sentence: &Text) -> String {
        // A sentence may quote a prompt, which is the engine's text.
        let shown = text::excerpt(self.language.of(sentence), 600).replace('\n', " ");
        self.figure(meta, fact, FigureValue::Text(shown.clone()));
        shown
    }

    fn figure(&mut self, meta: &Meta, fact: &Fact<'_>, value: FigureValue) {
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
                engine: meta.engine.clone(),
                what: fact.what.to_owned(),
            },
            evidence: String::new(),
            fetched_at: meta.fetched_at,
            age_ms: meta.age_ms,
            stale: meta.stale,
        };
        if !self.figures.contains(&figure) {
            self.figures.push(figure);
        }
    }

    /// Says how old the figures are, when they are older than they should be (I-15).
    pub(crate) fn say_age(&mut self, meta: &Meta) {
        if !meta.stale && !meta.refresh_failed {
            return;
        }
        let seconds = usize::try_from(meta.age_ms / 1_000).unwrap_or(usize::MAX);
        let fact = Fact {
            unit: Some("s"),
            ..Fact::new("age", "idade", "cache")
        };
        let age = self.number(meta, &fact, seconds);
        let engine = text::name(meta.engine.as_str());
        self.new_line();
        if meta.refresh_failed {
            self.tell(
                &format!("Careful: this is {age} s old, and {engine} did not answer the last refresh."),
                &format!("Atenção: estes dados têm {age} s, e {engine} não respondeu à última atualização."),
            );
        } else {
            self.tell(
                &format!("This is {age} s old; a refresh is under way."),
                &format!("Estes dados têm {age} s; uma atualização está em curso."),
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

    /// Cites lines of a log; returns the mark for the text.
    pub(crate) fn cite_log(&mut self, meta: &Meta, lines: LogLines<'_>) -> String {
        let title = self.language.pick("Log of", "Log de");
        let title = format!("{title} {}", text::name(lines.label));
        let place = Place::Log {
            engine: meta.engine.clone(),
            job_id: lines.job.clone(),
            run: lines.run.clone(),
            from_line: lines.from,
            to_line: lines.to,
        };
        self.cite(title, place, lines.text)
    }

    /// Cites a section of a document; returns the mark for the text.
    pub(crate) fn cite_document(&mut self, hit: &SearchHit) -> String {
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
        self.cite(text::name(&hit.title), place, &hit.text)
    }

    fn cite(&mut self, title: String, place: Place, words: &str) -> String {
        if let Some(known) = self
            .citations
            .iter()
            .find(|citation| citation.place == place)
        {
            return format!("[{}]", known.id);
        }
        let id = format!("c{}", self.citations.len() + 1);
        let mark = format!("[{id}]");
        self.citations.push(Citation {
            id,
            title,
            evidence: String::new(),
            place,
            excerpt: text::excerpt(words, EXCERPT),
        });
        mark
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
