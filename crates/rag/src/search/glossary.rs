//! Words that mean the same in English and Portuguese.
//!
//! The data is `glossary.txt`, which a site extends by a file of the same form: one meaning a line,
//! English phrases between commas, `|`, Portuguese phrases; `#` begins a comment. Endings need no
//! entries of their own, as phrases are compared by their stems. Lines after `[everyday]` are words of
//! any text: they help to find, and weigh half. `[subject]` ends that.
//!
//! Invariant: each phrase has at least one word that is no stop word; a file that breaks it is
//! refused with the number of its line.

use std::collections::HashMap;

use thiserror::Error;

use crate::search::analysis::{Word, words};

/// A phrase of several words, each by its forms.
pub(crate) type Phrase = Vec<Vec<String>>;

/// Most words in a phrase.
const MAX_PHRASE_WORDS: usize = 6;
/// Longest file, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// A glossary cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the glossary: {problem}")]
pub struct GlossaryError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    English,
    Portuguese,
}

/// Another way to say a word of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Other<'a> {
    pub(crate) phrase: &'a Phrase,
    /// Whether it is in the other language.
    pub(crate) translated: bool,
    /// Whether the meaning is one of any text.
    pub(crate) everyday: bool,
}

#[derive(Debug, Clone)]
struct Meaning {
    phrases: Vec<(Side, Phrase)>,
    everyday: bool,
}

/// Meanings, looked up by the first word of a phrase.
#[derive(Debug, Clone)]
pub struct Glossary {
    meanings: Vec<Meaning>,
    /// From a form of a phrase's first word to meaning and phrase.
    by_form: HashMap<String, Vec<(usize, usize)>>,
}

impl Glossary {
    /// No meanings at all.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            meanings: Vec::new(),
            by_form: HashMap::new(),
        }
    }

    /// The glossary of workload automation, operations and everyday words that ships with the crate.
    #[must_use]
    pub fn built_in() -> Self {
        let mut glossary = Self::empty();
        // A test reads the file; a line that were wrong would be left out here.
        for line in lines(include_str!("glossary.txt")) {
            if let Ok(meaning) = line.meaning() {
                glossary.add(meaning);
            }
        }
        glossary
    }

    /// This glossary and the meanings of `text`, which has the form of `glossary.txt`.
    ///
    /// # Errors
    /// [`GlossaryError`] for the first line that is not a meaning.
    pub fn with(mut self, text: &str) -> Result<Self, GlossaryError> {
        if text.len() > MAX_BYTES {
            return Err(GlossaryError {
                line: 1,
                problem: format!("the file is longer than {MAX_BYTES} bytes"),
            });
        }
        for line in lines(text) {
            let meaning = line.meaning().map_err(|problem| GlossaryError {
                line: line.number,
                problem,
            })?;
            self.add(meaning);
        }
        Ok(self)
    }

    /// How many meanings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meanings.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meanings.is_empty()
    }

    fn add(&mut self, added: Meaning) {
        let meaning = self.meanings.len();
        for (at, (_, phrase)) in added.phrases.iter().enumerate() {
            for form in phrase.first().into_iter().flatten() {
                self.by_form
                    .entry(form.clone())
                    .or_default()
                    .push((meaning, at));
            }
        }
        self.meanings.push(added);
    }

    /// For each of `query`, the phrases that mean what it means or is part of. A word that is part of
    /// a phrase of several words means what the phrase means, and no more what it means alone.
    pub(crate) fn others(&self, query: &[Word]) -> Vec<Vec<Other<'_>>> {
        let mut found: Vec<(usize, usize, usize, usize)> = Vec::new();
        for start in 0..query.len() {
            let here = query.get(start..).unwrap_or_default();
            for form in here.iter().take(1).flat_map(Word::terms) {
                for (meaning, at) in self.by_form.get(form).into_iter().flatten() {
                    let phrase = self
                        .phrase(*meaning, *at)
                        .filter(|phrase| stands(phrase, here));
                    if let Some(phrase) = phrase {
                        found.push((phrase.len(), start, *meaning, *at));
                    }
                }
            }
        }
        // Longer phrases first, then the order of words and meanings.
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.cmp(b)));
        found.dedup();
        let mut others: Vec<Vec<Other<'_>>> = vec![Vec::new(); query.len()];
        let mut claimed = vec![0_usize; query.len()];
        for (length, start, meaning, at) in found {
            let words = start..start + length;
            let free = claimed
                .get(words.clone())
                .is_some_and(|claims| claims.iter().all(|claim| *claim <= length));
            let Some(Meaning { phrases, everyday }) = self.meanings.get(meaning).filter(|_| free)
            else {
                continue;
            };
            let side = phrases.get(at).map(|(side, _)| *side);
            for word in words {
                let (Some(list), Some(claim)) = (others.get_mut(word), claimed.get_mut(word))
                else {
                    continue;
                };
                *claim = length;
                for (other, (other_side, phrase)) in phrases.iter().enumerate() {
                    let known = list.iter().any(|known| known.phrase == phrase);
                    if other != at && !known {
                        let translated = Some(*other_side) != side;
                        list.push(Other {
                            phrase,
                            translated,
                            everyday: *everyday,
                        });
                    }
                }
            }
        }
        others
    }

    fn phrase(&self, meaning: usize, at: usize) -> Option<&Phrase> {
        let (_, phrase) = self.meanings.get(meaning)?.phrases.get(at)?;
        Some(phrase)
    }

    /// Whether a phrase begins with a word of this form.
    pub(crate) fn knows(&self, form: &str) -> bool {
        self.by_form.contains_key(form)
    }

    /// The first word of a phrase that `form` may be a misspelling of, when there is exactly one
    /// nearest: one slip away, from eight letters on two.
    pub(crate) fn correction(&self, form: &str) -> Option<&str> {
        let letters = form.chars().count();
        if letters < 5 {
            return None;
        }
        let most = if letters < 8 { 1 } else { 2 };
        let mut best: Option<(usize, &str)> = None;
        for known in self.by_form.keys() {
            let alike = known.chars().next() == form.chars().next();
            if !alike || known.len().abs_diff(form.len()) > most {
                continue;
            }
            let slips = strsim::osa_distance(known, form);
            let better = best.is_none_or(|(least, term)| (slips, known.as_str()) < (least, term));
            if slips <= most && better {
                best = Some((slips, known));
            }
        }
        best.map(|(_, term)| term)
    }
}

/// A line that holds a meaning.
struct Line<'a> {
    /// From 1.
    number: usize,
    text: &'a str,
    everyday: bool,
}

/// The lines that hold a meaning.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut everyday = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        let text = line.split('#').next().unwrap_or_default().trim();
        match text {
            "[everyday]" => everyday = true,
            "[subject]" => everyday = false,
            _ => {}
        }
        (!text.is_empty() && text != "[everyday]" && text != "[subject]").then_some(Line {
            number,
            text,
            everyday,
        })
    })
}

impl Line<'_> {
    fn meaning(&self) -> Result<Meaning, String> {
        let Some((english, portuguese)) = self.text.split_once('|') else {
            return Err("there is no | between English and Portuguese".to_owned());
        };
        let mut phrases = Vec::new();
        for (side, texts) in [(Side::English, english), (Side::Portuguese, portuguese)] {
            for text in texts.split(',') {
                let phrase = phrase(text);
                if phrase.is_empty() {
                    return Err(format!("{:?} has no word that says anything", text.trim()));
                }
                if phrase.len() > MAX_PHRASE_WORDS {
                    return Err(format!("{:?} has too many words", text.trim()));
                }
                phrases.push((side, phrase));
            }
        }
        Ok(Meaning {
            phrases,
            everyday: self.everyday,
        })
    }
}

fn phrase(text: &str) -> Phrase {
    words(text)
        .into_iter()
        .map(|word| word.forms)
        .filter(|forms| !forms.is_empty())
        .collect()
}

/// Whether `query` begins with the phrase.
fn stands(phrase: &Phrase, query: &[Word]) -> bool {
    query.len() >= phrase.len()
        && phrase
            .iter()
            .zip(query)
            .all(|(forms, word)| word.terms().any(|t| forms.contains(t)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn informative(text: &str) -> Vec<Word> {
        words(text)
            .into_iter()
            .filter(|word| !word.forms.is_empty())
            .collect()
    }

    #[test]
    fn every_line_of_the_built_in_glossary_can_be_used() {
        let text = include_str!("glossary.txt");
        let read = Glossary::empty().with(text).unwrap();
        assert_eq!(read.len(), Glossary::built_in().len());
        assert!(read.len() >= 600, "{}", read.len());
    }

    #[test]
    fn a_phrase_brings_its_meaning_in_the_other_language() {
        let glossary = Glossary::built_in();
        let query = informative("disco cheio");
        let wanted = phrase("disk full");
        for found in glossary.others(&query) {
            let other = found.iter().find(|other| *other.phrase == wanted);
            assert!(other.is_some_and(|other| other.translated), "{found:?}");
        }
    }

    #[test]
    fn a_word_within_a_phrase_loses_what_it_means_alone() {
        let glossary = Glossary::empty()
            .with("bank | banco\ndatabase | banco de dados")
            .unwrap();
        let query = informative("o banco de dados");
        for found in glossary.others(&query) {
            assert!(
                found
                    .iter()
                    .all(|other| *other.phrase == phrase("database"))
            );
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = Glossary::empty()
            .with("queue, fila\n# fine\nqueue | fila")
            .unwrap_err();
        assert_eq!(error.line, 1);
        let error = Glossary::empty()
            .with("queue | fila\n# fine\nqueue, fila")
            .unwrap_err();
        assert_eq!(error.line, 3);
        let error = Glossary::empty().with("queue | fila, o que").unwrap_err();
        assert!(error.to_string().contains("\"o que\""), "{error}");
    }

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        let glossary = Glossary::empty()
            .with("schedule | agendamento\nqueue | fila")
            .unwrap();
        let form = &words("agendmento")[0].forms[0];
        assert!(glossary.correction(form).is_some());
        assert_eq!(glossary.correction("fils"), None);
    }
}
