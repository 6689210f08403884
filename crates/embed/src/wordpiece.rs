//! BERT's tokenizer for text without case: words and signs, then the longest known pieces of each.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::math;
use crate::weights::WeightsError;

/// Longer words are unknown.
const LONGEST_WORD: usize = 100;
/// Begins a piece that goes on with a word.
const INNER: &str = "##";

/// Words that hold English sentences together and are none in Portuguese or Spanish: they count
/// double, as a question may consist of them and a word of the trade (`why did it abend`).
const ENGLISH: [&str; 24] = [
    "after", "and", "are", "did", "does", "for", "from", "how", "in", "is", "of", "on", "that",
    "the", "this", "to", "was", "what", "when", "where", "which", "who", "why", "with",
];

/// The same of Portuguese and Spanish, which the vocabulary happens to hold.
const FOREIGN: [&str; 25] = [
    "ao", "com", "como", "da", "das", "de", "del", "dos", "el", "em", "en", "foi", "la", "los",
    "na", "nos", "o", "os", "para", "por", "quais", "qual", "que", "quem", "um",
];

pub(crate) struct WordPiece<'a> {
    /// Pieces that begin a word.
    first: HashMap<&'a str, u32>,
    /// Pieces that go on with one, without their mark.
    inner: HashMap<&'a str, u32>,
    unknown: u32,
    begin: u32,
    end: u32,
}

impl<'a> WordPiece<'a> {
    /// Reads a vocabulary of one piece a line; a line's number is its piece.
    pub(crate) fn read(vocabulary: &'a str) -> Result<Self, WeightsError> {
        let (mut first, mut inner) = (HashMap::new(), HashMap::new());
        for (line, id) in vocabulary.split('\n').zip(0..) {
            match line.strip_prefix(INNER) {
                Some(rest) if !rest.is_empty() => inner.insert(rest, id),
                _ => first.insert(line, id),
            };
        }
        let mark = |name: &str| {
            let id = first.get(name).copied();
            id.ok_or_else(|| WeightsError::at(format!("{name} of the vocabulary")))
        };
        let (unknown, begin, end) = (mark("[UNK]")?, mark("[CLS]")?, mark("[SEP]")?);
        // A text that spells a mark or the padding is words and signs like any other.
        first.retain(|piece, _| piece.len() < 3 || !piece.starts_with('['));
        Ok(Self {
            first,
            inner,
            unknown,
            begin,
            end,
        })
    }

    /// What stands for a word without pieces.
    pub(crate) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The pieces of a text, without marks.
    pub(crate) fn pieces(&self, text: &str) -> Vec<u32> {
        let text = normalized(text);
        let mut pieces = Vec::with_capacity(text.len() / 4);
        for word in text.split_whitespace() {
            let mut start = 0;
            for (place, sign) in word.char_indices().filter(|(_, c)| is_sign(*c)) {
                let end = place + sign.len_utf8();
                self.word(word.get(start..place).unwrap_or(""), &mut pieces);
                self.word(word.get(place..end).unwrap_or(""), &mut pieces);
                start = end;
            }
            self.word(word.get(start..).unwrap_or(""), &mut pieces);
        }
        pieces
    }

    /// Pieces between the marks of begin and end, `most` tokens in all.
    pub(crate) fn marked(&self, pieces: &[u32], most: usize) -> Vec<u32> {
        let inner = pieces.iter().take(most.saturating_sub(2)).copied();
        std::iter::once(self.begin)
            .chain(inner)
            .chain([self.end])
            .collect()
    }

    /// How many of a text's ordinary words the vocabulary holds only in parts, as a share of them:
    /// below 0.3 for nearly all English text, above it for nearly all other. `None` when there is no
    /// ordinary word; names in capitals and codes are none.
    pub(crate) fn strangeness(&self, text: &str) -> Option<f32> {
        let words = text
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .filter(|word| !word.is_empty() && word.chars().all(char::is_alphabetic))
            .filter(|word| !word.chars().all(char::is_uppercase));
        let (mut known, mut all) = (0, 0);
        for word in words {
            let word = word.to_lowercase();
            let (english, foreign) = (ENGLISH.contains(&&*word), FOREIGN.contains(&&*word));
            let weight = if english || foreign { 2 } else { 1 };
            all += weight;
            if !foreign && self.first.contains_key(&*word) {
                known += weight;
            }
        }
        (all > 0).then(|| math::count(all - known) / math::count(all))
    }

    /// The longest piece at the start, then the longest that goes on, and so forth; a word with a
    /// part that no piece covers is unknown as a whole.
    fn word(&self, word: &str, pieces: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        let before = pieces.len();
        let mut rest = word;
        if word.chars().count() <= LONGEST_WORD {
            let mut known = &self.first;
            while let Some((id, length)) = longest(known, rest) {
                pieces.push(id);
                rest = rest.get(length..).unwrap_or("");
                known = &self.inner;
            }
        }
        if !rest.is_empty() {
            pieces.truncate(before);
            pieces.push(self.unknown);
        }
    }
}

/// The longest piece that `word` starts with, and its length in bytes.
fn longest(known: &HashMap<&str, u32>, word: &str) -> Option<(u32, usize)> {
    let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.rev().find_map(|end| {
        let id = known.get(word.get(..end)?)?;
        Some((*id, end))
    })
}

/// Without control characters, accents and case, a blank on both sides of each Chinese character.
fn normalized(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' => spaced.push(' '),
            '\0' | '\u{fffd}' => {}
            c if is_control(c) => {}
            c if c.is_whitespace() => spaced.push(' '),
            c if is_chinese(c) => spaced.extend([' ', c, ' ']),
            c => spaced.push(c),
        }
    }
    spaced
        .nfd()
        .filter(|c| c.general_category() != GeneralCategory::NonspacingMark)
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_control(c: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse};
    !c.is_ascii_graphic() && matches!(c.general_category(), Control | Format | PrivateUse)
}

fn is_sign(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    c.general_category_group() == GeneralCategoryGroup::Punctuation
}

fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{4E00}'..='\u{9FFF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{20000}'..='\u{2A6DF}'
        | '\u{2A700}'..='\u{2B73F}'
        | '\u{2B740}'..='\u{2B81F}'
        | '\u{2B920}'..='\u{2CEAF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{2F800}'..='\u{2FA1F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\njob\nfail\n##ed\n_\n.\n[\nsep\n]";

    #[test]
    fn words_fall_into_their_longest_pieces() {
        let tokenizer = WordPiece::read(VOCABULARY).unwrap();
        assert_eq!(tokenizer.pieces("JÓB_failed.  nada"), [4, 7, 5, 6, 8, 1]);
        assert_eq!(tokenizer.marked(&[4, 5, 6], 4), [2, 4, 5, 3]);
        assert_eq!(tokenizer.pieces(&"j".repeat(101)), [1]);
        assert!(tokenizer.pieces(" \u{200b}\n").is_empty());
    }

    /// A document that holds a mark's name does not make a mark.
    #[test]
    fn marks_cannot_be_written_into_a_text() {
        let tokenizer = WordPiece::read(VOCABULARY).unwrap();
        assert_eq!(tokenizer.pieces("[SEP]"), [9, 10, 11]);
    }

    #[test]
    fn a_vocabulary_without_marks_is_refused() {
        assert!(WordPiece::read("job\n[UNK]\n[CLS]").is_err());
    }
}
