//! The words of a text that may have one of some terms.
//!
//! Invariant: every word that has one of the terms is told as [`words`](super::words) tells it; of most
//! others nothing is worked out, which is what analysis takes its time for.

use std::collections::HashSet;

use super::{Word, words_where};

/// How a term or a plain word begins. A stemmer makes an `i` of a `y` (`dying`, `die`).
type Beginning = (u8, u8);

/// Terms that are looked for.
#[derive(Debug)]
pub(crate) struct Sought<'a> {
    terms: HashSet<&'a str>,
    beginnings: HashSet<Beginning>,
    /// Terms of a single letter, which say little about the words that have them.
    letters: HashSet<u8>,
}

fn beginning(text: &str) -> Option<Beginning> {
    match text.as_bytes() {
        [first, second, ..] => {
            let second = second.to_ascii_lowercase();
            let second = if second == b'y' { b'i' } else { second };
            Some((first.to_ascii_lowercase(), second))
        }
        _ => None,
    }
}

impl<'a> Sought<'a> {
    pub(crate) fn new(terms: impl Iterator<Item = &'a str>) -> Self {
        let terms: HashSet<&str> = terms.collect();
        let mut beginnings: HashSet<Beginning> =
            terms.iter().filter_map(|term| beginning(term)).collect();
        if terms.iter().any(|term| term.starts_with("rc:")) {
            // The words that a return code is made of with a number.
            let parts = ["codigo", "de", "retorno", "saida", "return", "code"];
            let parts = parts.iter().chain(&["exit", "status", "rc"]);
            beginnings.extend(parts.filter_map(|part| beginning(part)));
        }
        let letters = terms.iter().filter_map(|term| match term.as_bytes() {
            [letter] => Some(*letter),
            _ => None,
        });
        Self {
            letters: letters.collect(),
            terms,
            beginnings,
        }
    }

    /// Whether the word itself has one of the terms.
    pub(crate) fn is(&self, word: &Word) -> bool {
        word.forms
            .iter()
            .any(|form| self.terms.contains(form.as_str()))
    }

    /// The words of `text` in order; those that cannot have a term may have none.
    pub(crate) fn words(&self, text: &str) -> Vec<Word> {
        words_where(text, |run| self.may_be(run))
    }

    fn may_be(&self, run: &str) -> bool {
        let is_plain = run.bytes().all(|b| b.is_ascii_alphabetic())
            && !run.as_bytes().windows(2).any(
                |pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()),
            );
        if !is_plain {
            return true;
        }
        let first = run.as_bytes().first().map(u8::to_ascii_lowercase);
        first.is_some_and(|first| self.letters.contains(&first))
            || beginning(run).is_none_or(|beginning| self.beginnings.contains(&beginning))
    }
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::Sought;

    proptest::proptest! {
        /// Nothing that is looked for is overlooked, and nothing else is found, in words that the
        /// stemmers and the rules for names and codes have something to do with.
        #[test]
        fn the_words_that_have_a_term_are_those_of_the_whole_analysis(
            text in "((dying|lie|Execuções|execution|rc|RC|exit|code|return|de|codigo|12|008|a|ties|FIN_GL|enLegacyStart|ORA-00060|Jobs|job|early|éter)[ ,.\n-]){0,40}",
            sought in proptest::collection::vec("(dying|lie|execução|RC 12|rc 8|exit 12|a|tie|fin_gl|legacy|ora-60|job|early|eter|code)", 1..4),
        ) {
            let terms: Vec<String> = sought
                .iter()
                .flat_map(|word| words(word))
                .flat_map(|word| word.terms().cloned().collect::<Vec<_>>())
                .collect();
            let sought = Sought::new(terms.iter().map(String::as_str));
            let found = |all: Vec<super::Word>| -> Vec<(usize, usize, bool)> {
                let flat = all.iter().flat_map(|word| std::iter::once(word).chain(&word.parts));
                flat.filter(|word| sought.is(word))
                    .map(|word| (word.start, word.end, word.technical))
                    .collect()
            };
            proptest::prop_assert_eq!(found(sought.words(&text)), found(words(&text)));
        }
    }
}
