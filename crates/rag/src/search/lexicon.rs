//! Operations words that mean the same in English and Portuguese.
//!
//! The data is `lexicon.txt`: one meaning a line, English phrases, `|`, Portuguese phrases.
//! Invariant: each phrase has at least one word that is no stop word; a test reads the file.

use std::collections::HashMap;

use crate::search::analysis::{Word, words};

/// A phrase of several words, each by its forms.
pub(crate) type Phrase = Vec<Vec<String>>;

/// The meanings, looked up by the first word of a phrase.
#[derive(Debug)]
pub(crate) struct Lexicon {
    meanings: Vec<Vec<Phrase>>,
    /// From a form of a phrase's first word to meaning and phrase.
    by_form: HashMap<String, Vec<(usize, usize)>>,
}

impl Lexicon {
    /// The lexicon of operations that ships with the crate.
    pub(crate) fn operations() -> Self {
        Self::read(include_str!("lexicon.txt"))
    }

    fn read(text: &str) -> Self {
        let mut lexicon = Self {
            meanings: Vec::new(),
            by_form: HashMap::new(),
        };
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let phrases: Vec<Phrase> = line.split(['|', ',']).map(phrase).collect();
            let meaning = lexicon.meanings.len();
            for (at, phrase) in phrases.iter().enumerate() {
                for form in phrase.first().into_iter().flatten() {
                    lexicon
                        .by_form
                        .entry(form.clone())
                        .or_default()
                        .push((meaning, at));
                }
            }
            lexicon.meanings.push(phrases);
        }
        lexicon
    }

    /// For each of `query`, the phrases that mean what it means or is part of.
    pub(crate) fn others(&self, query: &[Word]) -> Vec<Vec<&Phrase>> {
        let mut others: Vec<Vec<&Phrase>> = vec![Vec::new(); query.len()];
        for start in 0..query.len() {
            let here = query.get(start..).unwrap_or_default();
            let forms = here.iter().take(1).flat_map(Word::terms);
            let mut candidates: Vec<_> = forms
                .filter_map(|form| self.by_form.get(form))
                .flatten()
                .collect();
            candidates.sort_unstable();
            candidates.dedup();
            for (meaning, at) in candidates {
                let Some(phrases) = self.meanings.get(*meaning) else {
                    continue;
                };
                let Some(phrase) = phrases.get(*at).filter(|phrase| stands(phrase, here)) else {
                    continue;
                };
                let covered = others.iter_mut().skip(start).take(phrase.len());
                for found in covered {
                    for other in phrases.iter().enumerate().filter(|(i, _)| i != at) {
                        if !found.contains(&other.1) {
                            found.push(other.1);
                        }
                    }
                }
            }
        }
        others
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

    #[test]
    fn every_meaning_has_phrases_of_real_words_in_both_languages() {
        for line in include_str!("lexicon.txt").lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (english, portuguese) = line.split_once('|').expect(line);
            for text in english.split(',').chain(portuguese.split(',')) {
                assert!(!phrase(text).is_empty(), "{text:?} in {line:?}");
            }
        }
    }

    #[test]
    fn a_phrase_brings_its_meaning_in_the_other_language() {
        let lexicon = Lexicon::operations();
        let query: Vec<Word> = words("disk full")
            .into_iter()
            .filter(|word| !word.forms.is_empty())
            .collect();
        let others = lexicon.others(&query);
        let wanted = phrase("disco cheio");
        assert!(
            others.iter().all(|found| found.contains(&&wanted)),
            "{others:?}"
        );
    }
}
