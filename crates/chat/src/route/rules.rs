//! The rules of routing: classes of words, and what speaks for which intent, read from text.
//!
//! The texts lie in `crates/chat/data`, whose README tells their form; a site adds its own.
//!
//! Invariants:
//! - A rule that cannot be read names its file and its line.
//! - Every phrase is folded: lower case, no accents, no apostrophes. `<job>` and its like stand where
//!   a message names one, so a job that is named like a word is never read as that word.
//! - Matching takes time linear in the length of the message, whatever the rules.

mod forms;
mod parse;
mod pattern;

use std::collections::{HashMap, HashSet};

pub(super) use forms::Forms;
use parse::Parser;
pub use parse::RuleError;
use pattern::Pattern;
pub(super) use pattern::{Scope, Spans};

use super::intent::Intent;
use super::spelling::Spelling;

/// A word, a stem, a class or a flag, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Symbol(u32);

/// The rules that ship with Resync, by the name of their file.
const BUILT_IN: [(&str, &str); 6] = [
    ("both.rules", include_str!("../../data/both.rules")),
    ("en.rules", include_str!("../../data/en.rules")),
    ("pt.rules", include_str!("../../data/pt.rules")),
    ("intents.rules", include_str!("../../data/intents.rules")),
    ("scope.rules", include_str!("../../data/scope.rules")),
    (
        "injection.rules",
        include_str!("../../data/injection.rules"),
    ),
];

/// One word of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word(String),
    /// A word that begins so.
    Stem(String),
}

impl Part {
    fn fits(&self, word: &str) -> bool {
        match self {
            Self::Word(known) => known == word,
            Self::Stem(stem) => word.starts_with(stem.as_str()),
        }
    }
}

/// A phrase that is a symbol wherever it stands.
#[derive(Debug, Clone)]
struct Phrase {
    /// The words behind the first one.
    rest: Vec<Part>,
    symbol: Symbol,
}

/// A line of an intent: it counts once, however many of its patterns stand in a message.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) intent: Intent,
    /// How strongly; 1 is the strength of one plain word, below 0 it speaks against.
    pub(super) weight: f64,
    patterns: Vec<Pattern>,
}

/// A class whose words have a value: a status, a span of time.
#[derive(Debug, Clone)]
pub(super) struct Valued {
    pub(super) value: String,
    pub(super) symbol: Symbol,
}

/// All rules.
#[derive(Debug)]
pub(super) struct Rules {
    symbols: HashMap<String, Symbol>,
    /// Phrases by their first word.
    words: HashMap<String, Vec<Phrase>>,
    /// Phrases by the stem of their first word.
    stems: HashMap<String, Vec<Phrase>>,
    all: Vec<Rule>,
    statuses: Vec<Valued>,
    windows: Vec<Valued>,
    spelling: Spelling,
    forms: Forms,
    /// Every stem, wherever it stands in a phrase.
    known_stems: HashSet<String>,
}

/// The shortest and the longest stem, in bytes.
const STEM_BYTES: std::ops::RangeInclusive<usize> = 3..=16;

impl Rules {
    /// The built-in rules and `more`, which is named `site rules` in errors.
    pub(super) fn new(more: Option<&str>) -> Result<Self, RuleError> {
        let mut parser = Parser::default();
        for (file, text) in BUILT_IN {
            parser.read(file, text)?;
        }
        if let Some(text) = more {
            parser.read("site rules", text)?;
        }
        parser.finish()
    }

    /// The class of that name. A class that no file defines matches nothing.
    pub(super) fn class(&self, name: &str) -> Option<Symbol> {
        self.symbols.get(&format!("${name}")).copied()
    }

    /// The flag of that name, when a rule asks for it.
    pub(super) fn flag(&self, name: &str) -> Option<Symbol> {
        self.symbols.get(&format!("@{name}")).copied()
    }

    pub(super) fn statuses(&self) -> &[Valued] {
        &self.statuses
    }

    pub(super) fn windows(&self) -> &[Valued] {
        &self.windows
    }

    pub(super) const fn forms(&self) -> &Forms {
        &self.forms
    }

    /// Where which symbols stand in `words`; `opens` says which words begin a clause.
    pub(super) fn spans(&self, words: &[String], opens: &[bool]) -> Spans {
        let mut spans = Spans::new(words.len(), opens);
        for (at, word) in words.iter().enumerate() {
            let whole = self.words.get(word.as_str()).into_iter().flatten();
            let stems = STEM_BYTES
                .filter_map(|end| word.get(..end))
                .filter_map(|stem| self.stems.get(stem))
                .flatten();
            for phrase in whole.chain(stems) {
                let end = at + 1 + phrase.rest.len();
                let fits = words.get(at + 1..end).is_some_and(|rest| {
                    rest.iter()
                        .zip(&phrase.rest)
                        .all(|(word, part)| part.fits(word))
                });
                if fits {
                    spans.add(at, phrase.symbol, phrase.rest.len() + 1);
                }
            }
        }
        spans
    }

    /// Whether `word` alone is of a class.
    pub(super) fn is_in(&self, class: &str, word: &str) -> bool {
        let Some(symbol) = self.class(class) else {
            return false;
        };
        let known = self.words.get(word).into_iter().flatten();
        let stems = STEM_BYTES
            .filter_map(|end| word.get(..end))
            .filter_map(|stem| self.stems.get(stem))
            .flatten();
        known
            .chain(stems)
            .any(|phrase| phrase.symbol == symbol && phrase.rest.is_empty())
    }

    /// Whether a run of letters holds a word of a class.
    pub(super) fn within(&self, class: &str, run: &str) -> bool {
        let symbol = self.class(class);
        run.len() > 12
            && self.words.iter().any(|(word, phrases)| {
                phrases.iter().any(|phrase| Some(phrase.symbol) == symbol)
                    && run.contains(word.as_str())
            })
    }

    /// Whether the rules have `word`, as a word of a phrase or by its stem.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.spelling.knows(word)
            || STEM_BYTES
                .filter_map(|end| word.get(..end))
                .any(|stem| self.known_stems.contains(stem))
    }

    /// The word that `word` is a slip of.
    pub(super) fn correct(&self, word: &str) -> Option<&str> {
        if self.knows(word) {
            return None;
        }
        self.spelling.correct(word)
    }

    /// The rules of the intents that `of` picks which hold in `scope`, with the text of the pattern
    /// that does.
    pub(super) fn holding<'a>(
        &'a self,
        scope: &'a Scope<'a>,
        of: impl Fn(Intent) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a Rule, &'a str)> {
        let rules = self.all.iter().filter(move |rule| of(rule.intent));
        rules.filter_map(move |rule| {
            let pattern = rule.patterns.iter().find(|pattern| pattern.holds(scope))?;
            Some((rule, pattern.text()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(rules: &Rules, text: &str) -> Spans {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let mut opens = vec![false; words.len()];
        opens[0] = true;
        rules.spans(&words, &opens)
    }

    fn intents(rules: &Rules, text: &str) -> Vec<(Intent, f64)> {
        let spans = spans(rules, text);
        let scope = Scope::whole(&spans, Vec::new());
        let held = rules.holding(&scope, |_| true);
        held.map(|(rule, _)| (rule.intent, rule.weight)).collect()
    }

    fn only(text: &str) -> Rules {
        let mut parser = Parser::default();
        parser.read("test", text).unwrap();
        parser.finish().unwrap()
    }

    #[test]
    fn the_rules_that_ship_are_read() {
        let rules = Rules::new(None).unwrap();
        assert!(rules.all.len() > 100);
        for rule in &rules.all {
            assert!(!rule.patterns.is_empty());
        }
    }

    #[test]
    fn a_rule_counts_once_and_a_stem_fits_every_form() {
        let rules = only(
            "[class fail]\nfalh* | deu erro\n[intent job_diagnose]\n2.5  $fail | <job> $fail\n",
        );
        let found = [(Intent::JobDiagnose, 2.5)];
        for text in ["o <job> falhou", "falharam", "o <job> deu erro e falhou"] {
            assert_eq!(intents(&rules, text), found, "{text}");
        }
        assert!(intents(&rules, "deu certo").is_empty());
    }

    #[test]
    fn patterns_have_gaps_options_ends_and_conditions() {
        for (pattern, fits, not) in [
            ("why .. late", "why is it so late", "late why"),
            ("why .. late", "why late", "why a b c d e f late"),
            ("the (last) log", "the last log", "the first log"),
            ("^ log", "log of it", "the log"),
            ("log .", "the log", "log of it"),
            ("why & log", "log and why", "why not"),
            ("log & !why", "the log", "why the log"),
        ] {
            let rules = only(&format!("[intent job_log]\n1 {pattern}\n"));
            assert_eq!(intents(&rules, fits).len(), 1, "{pattern}: {fits}");
            assert!(intents(&rules, not).is_empty(), "{pattern}: {not}");
        }
    }

    #[test]
    fn an_error_names_its_file_and_line() {
        for (text, line, what) in [
            ("[intent job_lag]\n", 1, "job_lag"),
            ("[intent job_log]\n\nx log\n", 3, "weight"),
            ("[intent job_log]\n1 $nothing\n", 2, "nothing"),
            ("log\n", 1, "section"),
            ("[class a]\nb\n[class c]\nÁ\n", 4, "fold"),
            ("[colour red]\n", 1, "colour"),
            ("[intent job_log]\n1 (why\n", 2, "(why"),
        ] {
            let mut parser = Parser::default();
            let read = parser
                .read("test", text)
                .and_then(|()| parser.finish().map(drop));
            let error = read.unwrap_err();
            assert_eq!((error.file(), error.line()), ("test", line), "{text}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_site_adds_words_to_a_class_and_rules_to_an_intent() {
        let rules = Rules::new(Some(
            "[class log]\ntagebuch\n[intent job_log]\n4 zeige mir\n",
        ))
        .unwrap();
        let found = intents(&rules, "zeige mir das tagebuch");
        assert!(found.contains(&(Intent::JobLog, 4.0)));
        assert!(found.len() > 1);
    }
}
