//! Reading rules from text.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::forms::{Forms, Tense, conjugate};
use super::pattern::{Pattern, Sequence, Step};
use super::{Part, Phrase, Rule, Rules, STEM_BYTES, Symbol, Valued};
use crate::route::intent::Intent;
use crate::route::spelling::Spelling;
use crate::text::fold;

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {what}")]
pub struct RuleError {
    file: String,
    line: usize,
    what: String,
}

impl RuleError {
    /// The file, `site rules` for the text of a site.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

/// What the lines below a heading are.
#[derive(Debug, Clone)]
enum Section {
    Short { portuguese: bool },
    Class(Symbol),
    Intent(Intent),
}

/// A line of an intent that waits for all classes to be known.
#[derive(Debug)]
struct Waiting {
    file: String,
    line: usize,
    intent: Intent,
    weight: f64,
    patterns: String,
}

/// Reads rules, text by text.
#[derive(Debug, Default)]
pub(super) struct Parser {
    symbols: HashMap<String, Symbol>,
    words: HashMap<String, Vec<Phrase>>,
    stems: HashMap<String, Vec<Phrase>>,
    statuses: Vec<Valued>,
    windows: Vec<Valued>,
    known: BTreeSet<String>,
    known_stems: HashSet<String>,
    waiting: Vec<Waiting>,
    forms: Forms,
    /// The file that is read is one of Portuguese.
    portuguese: bool,
}

impl Parser {
    pub(super) fn read(&mut self, file: &str, text: &str) -> Result<(), RuleError> {
        let mut section = None;
        self.portuguese = file.starts_with("pt");
        for (number, line) in text.lines().enumerate() {
            let error = |what: String| RuleError {
                file: file.to_owned(),
                line: number + 1,
                what,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(heading) = line.strip_prefix('[') {
                let heading = heading
                    .strip_suffix(']')
                    .ok_or_else(|| error(format!("the heading {line} has no end")))?;
                section = Some(self.section(heading).map_err(error)?);
                continue;
            }
            match section {
                None => return Err(error("a line before the first section".to_owned())),
                Some(Section::Short { portuguese }) => {
                    self.short_form(line, portuguese).map_err(error)?;
                }
                Some(Section::Class(class)) => {
                    for phrase in line.split('|') {
                        self.phrase(class, phrase).map_err(error)?;
                    }
                }
                Some(Section::Intent(intent)) => {
                    let (weight, patterns) =
                        line.split_once(char::is_whitespace).unwrap_or((line, ""));
                    let weight = weight
                        .parse()
                        .ok()
                        .filter(|weight: &f64| weight.is_finite())
                        .ok_or_else(|| error(format!("{weight} is no weight")))?;
                    self.waiting.push(Waiting {
                        file: file.to_owned(),
                        line: number + 1,
                        intent,
                        weight,
                        patterns: patterns.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// `whats = what is`.
    fn short_form(&mut self, line: &str, portuguese: bool) -> Result<(), String> {
        let (written, read) = line
            .split_once('=')
            .ok_or_else(|| format!("{line} needs a ="))?;
        let written = written.trim();
        let folded = if written == "é" {
            written.to_owned()
        } else {
            fold(written)
        };
        let read = read.split_whitespace().map(str::to_owned).collect();
        self.known.insert(fold(written));
        self.forms.add(&folded, read, portuguese);
        Ok(())
    }

    fn section(&mut self, heading: &str) -> Result<Section, String> {
        if heading == "short" {
            return Ok(Section::Short {
                portuguese: self.portuguese,
            });
        }
        let (kind, name) = heading
            .split_once(' ')
            .ok_or_else(|| format!("the heading {heading} needs a kind and a name"))?;
        let name = name.trim();
        let mut valued = |list: fn(&mut Self) -> &mut Vec<Valued>| {
            let symbol = self.symbol(&format!("${kind}.{name}"));
            let list = list(self);
            if list.iter().all(|known| known.symbol != symbol) {
                list.push(Valued {
                    value: name.to_owned(),
                    symbol,
                });
            }
            symbol
        };
        match kind {
            "class" => Ok(Section::Class(self.symbol(&format!("${name}")))),
            "intent" => Intent::parse(name)
                .map(Section::Intent)
                .ok_or_else(|| format!("there is no intent {name}")),
            "status" => Ok(Section::Class(valued(|parser| &mut parser.statuses))),
            "time" => Ok(Section::Class(valued(|parser| &mut parser.windows))),
            _ => Err(format!("there is no kind of section {kind}")),
        }
    }

    fn symbol(&mut self, name: &str) -> Symbol {
        let next = Symbol(u32::try_from(self.symbols.len()).unwrap_or(u32::MAX));
        *self.symbols.entry(name.to_owned()).or_insert(next)
    }

    fn part(&mut self, text: &str) -> Result<Part, String> {
        let plain = text.strip_suffix('*').unwrap_or(text);
        if fold(plain) != plain || plain.contains(['\'', '’']) {
            return Err(format!(
                "{text} must be folded: lower case, no accents, no apostrophes"
            ));
        }
        if plain.is_empty() || plain.contains(['*', '$', '@', '(', ')', '!', '&', '^']) {
            return Err(format!("{text} is no word"));
        }
        if plain.len() < text.len() {
            if !STEM_BYTES.contains(&plain.len()) {
                return Err(format!("the stem {text} must have 3 to 16 letters"));
            }
            self.known_stems.insert(plain.to_owned());
            return Ok(Part::Stem(plain.to_owned()));
        }
        if !plain.starts_with('<') {
            self.known.insert(plain.to_owned());
        }
        Ok(Part::Word(plain.to_owned()))
    }

    /// A phrase of a class: words, stems, verbs and placeholders.
    fn phrase(&mut self, class: Symbol, phrase: &str) -> Result<(), String> {
        let words: Vec<&str> = phrase.split_whitespace().collect();
        if words.is_empty() {
            return Err("an empty phrase".to_owned());
        }
        // Only the first word of a phrase may be a verb; the others stand as they are.
        let firsts = match words.first().and_then(|first| first.split_once('/')) {
            Some((verb, tense)) => verb_forms(verb, tense)?,
            None => vec![words.first().map_or("", |first| *first).to_owned()],
        };
        for first in firsts {
            let words = || std::iter::once(first.as_str()).chain(words.iter().skip(1).copied());
            // A phrase of Portuguese is read as in a message that was taken for English too.
            for portuguese in [false, true] {
                if !portuguese || self.portuguese {
                    self.words_of(class, words(), portuguese)?;
                }
            }
        }
        Ok(())
    }

    fn words_of<'a>(
        &mut self,
        class: Symbol,
        words: impl Iterator<Item = &'a str>,
        portuguese: bool,
    ) -> Result<(), String> {
        let mut parts = Vec::new();
        for word in words {
            if word.ends_with('*') || word.starts_with('<') {
                parts.push(self.part(word)?);
                continue;
            }
            self.part(word)?;
            let mut read = Vec::new();
            self.forms.read(word, portuguese, &mut read);
            for word in read {
                parts.push(self.part(&word)?);
            }
        }
        let mut parts = parts.into_iter();
        // A phrase of articles alone is none.
        if let Some(first) = parts.next() {
            self.add(first, parts.collect(), class);
        }
        Ok(())
    }

    fn add(&mut self, first: Part, rest: Vec<Part>, symbol: Symbol) {
        let phrases = match first {
            Part::Word(word) => self.words.entry(word).or_default(),
            Part::Stem(stem) => self.stems.entry(stem).or_default(),
        };
        let same = |phrase: &Phrase| phrase.symbol == symbol && phrase.rest == rest;
        if !phrases.iter().any(same) {
            phrases.push(Phrase { rest, symbol });
        }
    }

    fn step(&mut self, token: &str) -> Result<Step, String> {
        if let Some(inner) = token.strip_prefix('(') {
            let inner = inner
                .strip_suffix(')')
                .ok_or_else(|| format!("{token} has no end"))?;
            return match self.step(inner)? {
                Step::Is(symbol) => Ok(Step::MayBe(symbol)),
                _ => Err(format!("{token} is no word")),
            };
        }
        if let Some(inner) = token.strip_prefix('{') {
            let inner = inner
                .strip_suffix('}')
                .ok_or_else(|| format!("{token} has no end"))?;
            return match self.step(inner)? {
                Step::Is(symbol) => Ok(Step::Many(symbol)),
                _ => Err(format!("{token} is no word")),
            };
        }
        match token {
            "^" => return Ok(Step::Opens),
            "." => return Ok(Step::Ends),
            ".." => return Ok(Step::Gap),
            _ => {}
        }
        if token.starts_with('$') {
            let known = self.symbols.get(token).copied();
            return known
                .map(Step::Is)
                .ok_or_else(|| format!("there is no class {token}"));
        }
        if token.starts_with('@') {
            return Ok(Step::Is(self.symbol(token)));
        }
        let symbol = self.symbol(token);
        self.words_of(symbol, std::iter::once(token), self.portuguese)?;
        Ok(Step::Is(symbol))
    }

    fn pattern(&mut self, text: &str) -> Result<Pattern, String> {
        let sequences = text
            .split('&')
            .map(|part| {
                let part = part.trim();
                let wanted = part.strip_prefix('!');
                let steps = wanted
                    .unwrap_or(part)
                    .split_whitespace()
                    .map(|token| self.step(token))
                    .collect::<Result<Vec<_>, _>>()?;
                if steps.is_empty() {
                    return Err("an empty pattern".to_owned());
                }
                Ok(Sequence {
                    steps,
                    unwanted: wanted.is_some(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Pattern::new(text.to_owned(), sequences))
    }

    /// The rules, when every class that they name is defined.
    pub(super) fn finish(mut self) -> Result<Rules, RuleError> {
        let mut rules = Vec::with_capacity(self.waiting.len());
        for waiting in std::mem::take(&mut self.waiting) {
            let patterns = waiting
                .patterns
                .split('|')
                .map(|pattern| self.pattern(pattern.trim()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|what| RuleError {
                    file: waiting.file,
                    line: waiting.line,
                    what,
                })?;
            rules.push(Rule {
                intent: waiting.intent,
                weight: waiting.weight,
                patterns,
            });
        }
        Ok(Rules {
            symbols: self.symbols,
            words: self.words,
            stems: self.stems,
            all: rules,
            statuses: self.statuses,
            windows: self.windows,
            spelling: Spelling::new(self.known),
            forms: self.forms,
            known_stems: self.known_stems,
        })
    }
}

fn verb_forms(verb: &str, tense: &str) -> Result<Vec<String>, String> {
    let tenses: &[Tense] = match tense {
        "do" => &[Tense::Do],
        "done" => &[Tense::Done],
        "doing" => &[Tense::Doing],
        "all" => &[Tense::Do, Tense::Done, Tense::Doing],
        _ => return Err(format!("{tense} is no tense of {verb}")),
    };
    let forms = tenses.iter().map(|tense| conjugate(verb, *tense));
    let forms: Option<Vec<_>> = forms.collect();
    forms
        .map(|forms| forms.concat())
        .ok_or_else(|| format!("{verb} is no verb in ar, er or ir"))
}
