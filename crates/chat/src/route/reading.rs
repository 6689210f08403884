//! A message as words and clauses.
//!
//! Invariants:
//! - A clause ends at a mark, and before a word that joins clauses unless it joins two names.
//! - Text between quotation marks is known as such: it is told, not said.

use unicode_normalization::UnicodeNormalization;

use crate::text::fold;

/// A token: a run of letters, digits and the marks of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// As written, without punctuation around it.
    pub(super) raw: String,
    /// Folded, without apostrophes.
    pub(super) word: String,
    /// What stands before it.
    pub(super) before: Break,
    /// It stands between quotation marks.
    pub(super) quoted: bool,
    /// The sentence that it is of ends with a question mark.
    pub(super) asked: bool,
}

/// What stands between two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Break {
    /// Nothing but blanks.
    None,
    /// A comma, a dash, a bracket.
    Comma,
    /// A colon.
    Colon,
    /// The end of a sentence.
    Sentence,
}

/// How many tokens of a message are read; 4,000 characters have at most 2,000.
const TOKENS: usize = 2_000;

fn belongs(c: char) -> bool {
    c.is_alphanumeric()
        || unicode_normalization::char::is_combining_mark(c)
        || matches!(
            c,
            '_' | '-' | '.' | '#' | '/' | '@' | '*' | '\'' | '’' | ':' | '='
        )
}

const fn is_edge(c: char) -> bool {
    matches!(c, '.' | '-' | '\'' | '’' | ':' | '=' | '/')
}

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut gap = String::new();
    let mut rest = text;
    let mut quotes = Quotes::default();
    let mut sentence = 0;
    while !rest.is_empty() && found.len() < TOKENS {
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(length);
        let core = part.trim_matches(is_edge);
        if core.contains(char::is_alphanumeric) {
            let start = part.find(core).unwrap_or(0);
            let (before, behind) = (
                part.get(..start).unwrap_or(""),
                part.get(start + core.len()..).unwrap_or(""),
            );
            gap.push_str(before);
            quotes.pass(&gap, !found.is_empty());
            let stop = break_of(&gap);
            if stop == Break::Sentence {
                ask(&mut found, sentence, &gap);
                sentence = found.len();
            }
            for (at, piece) in pieces(core).into_iter().enumerate() {
                found.push(Token {
                    raw: piece.nfc().collect(),
                    word: fold(piece).replace(['\'', '’'], ""),
                    before: if at == 0 { stop } else { Break::None },
                    quoted: quotes.open(),
                    asked: false,
                });
            }
            gap.clear();
            gap.push_str(behind);
        } else {
            gap.push_str(part);
        }
        let other = after.find(belongs).unwrap_or(after.len());
        let (between, next) = after.split_at(other);
        gap.push_str(between);
        rest = next;
    }
    ask(&mut found, sentence, &gap);
    found
}

/// Marks the tokens from `sentence` on as a question if `gap` ends one.
fn ask(tokens: &mut [Token], sentence: usize, gap: &str) {
    if gap.contains('?') {
        for token in tokens.iter_mut().skip(sentence) {
            token.asked = true;
        }
    }
}

/// `rc=12` is two words, a time and a label are one.
fn pieces(core: &str) -> Vec<&str> {
    let clock = core.contains(|c: char| c.is_ascii_digit())
        && core
            .chars()
            .all(|c| c.is_ascii_digit() || ":-/hHaApPmM".contains(c))
        && core.starts_with(|c: char| c.is_ascii_digit());
    if clock || core.contains('#') {
        return vec![core];
    }
    core.split([':', '='])
        .map(|piece| piece.trim_matches(is_edge))
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn break_of(gap: &str) -> Break {
    if gap.contains(['.', '?', '!', ';', '\n', '…', '|']) {
        Break::Sentence
    } else if gap.contains(':') {
        Break::Colon
    } else if gap.contains([',', '(', ')', '–', '—', '>', '[', ']', '{', '}'])
        || gap.contains(" - ")
    {
        Break::Comma
    } else {
        Break::None
    }
}

/// Whether the text is within quotation marks.
#[derive(Debug, Default)]
struct Quotes {
    double: bool,
    angled: bool,
    single: bool,
}

impl Quotes {
    fn pass(&mut self, gap: &str, behind_word: bool) {
        let mut previous = if behind_word { 'x' } else { ' ' };
        for c in gap.chars() {
            match c {
                '"' | '`' => self.double = !self.double,
                '“' | '«' | '„' => self.angled = true,
                '”' | '»' => self.angled = false,
                '\'' | '’' | '‘' if self.single => self.single = false,
                '\'' | '‘' if previous.is_whitespace() => self.single = true,
                _ => {}
            }
            previous = c;
        }
    }

    const fn open(&self) -> bool {
        self.double || self.angled || self.single
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_part_clauses_and_names_keep_theirs() {
        let found = tokens("Hi, is LX_PRD01#FIN_EOD.FIN_GL_POST done? rc=12: see it.");
        let raws: Vec<_> = found.iter().map(|token| token.raw.as_str()).collect();
        assert_eq!(
            raws,
            [
                "Hi",
                "is",
                "LX_PRD01#FIN_EOD.FIN_GL_POST",
                "done",
                "rc",
                "12",
                "see",
                "it"
            ]
        );
        let breaks: Vec<_> = found.iter().map(|token| token.before).collect();
        assert_eq!(breaks[1], Break::Comma);
        assert_eq!(breaks[4], Break::Sentence);
        assert_eq!(breaks[6], Break::Colon);
        assert!(found[3].asked && !found[5].asked);
    }

    #[test]
    fn a_time_is_one_token() {
        let found = tokens("at 22:30, 18h30-20h00");
        let raws: Vec<_> = found.iter().map(|token| token.raw.as_str()).collect();
        assert_eq!(raws, ["at", "22:30", "18h30-20h00"]);
    }

    #[test]
    fn quoted_words_are_known() {
        for text in [
            "he said \"cancel it\" today",
            "he said “cancel it” today",
            "he said 'cancel it' today",
        ] {
            let quoted: Vec<_> = tokens(text)
                .into_iter()
                .filter(|token| token.quoted)
                .map(|token| token.raw)
                .collect();
            assert_eq!(quoted, ["cancel", "it"], "{text}");
        }
        assert!(
            tokens("don't cancel the job's log")
                .iter()
                .all(|token| !token.quoted)
        );
    }
}
