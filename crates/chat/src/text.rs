//! Words of a message, and foreign text made harmless.
//!
//! Invariants:
//! - What [`excerpt`] and [`name`] return holds no control character and no mark of direction, so
//!   text from a log, a document or the engine cannot change how an answer reads.
//! - A [`Token`] keeps the text as written beside its folded form; names are compared as written.

use resync_kernel::is_hidden;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// `text` in lower case without accents.
pub(crate) fn fold(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// A word of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// As written, without punctuation around it.
    pub(crate) raw: String,
    /// Folded, without apostrophes.
    pub(crate) word: String,
}

fn belongs(c: char) -> bool {
    c.is_alphanumeric()
        || is_combining_mark(c)
        || matches!(c, '_' | '-' | '.' | '#' | '/' | '@' | '*' | '\'' | '’')
}

/// The words of `text`, at most 400.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    text.split(|c| !belongs(c))
        .map(|part| part.trim_matches(|c: char| matches!(c, '.' | '-' | '\'' | '’')))
        .filter(|part| part.contains(|c: char| c.is_alphanumeric()))
        .take(400)
        .map(|part| Token {
            raw: part.nfc().collect(),
            word: fold(part).replace(['\'', '’'], ""),
        })
        .collect()
}

/// Foreign text of several lines: line ends kept, a tab becomes a blank, hidden characters removed,
/// cut after `max_chars` characters with an ellipsis.
pub(crate) fn excerpt(text: &str, max_chars: usize) -> String {
    let kept: String = without_colours(text)
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| *c == '\n' || !is_hidden(*c))
        .collect();
    cut(kept.trim_matches('\n'), max_chars)
}

/// A foreign name or phrase on one line, at most 160 characters.
pub(crate) fn name(text: &str) -> String {
    let kept: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect();
    cut(kept.trim(), 160)
}

/// `text` without the sequences that colour a terminal.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut kept = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let ends = part.find(|c: char| !c.is_ascii_digit() && !matches!(c, ';' | '?'));
        let rest = ends.and_then(|at| part.get(at..)).unwrap_or("");
        kept.push_str(
            rest.strip_prefix(|c: char| c.is_ascii_alphabetic())
                .unwrap_or(rest),
        );
    }
    kept
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text).trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_accents_and_punctuation_and_names_keep_their_marks() {
        let tokens = tokens("Por quê o LX_PRD01#PAYROLL.PAY_CALC não rodou?");
        let words: Vec<_> = tokens.iter().map(|t| t.word.as_str()).collect();
        assert_eq!(
            words,
            [
                "por",
                "que",
                "o",
                "lx_prd01#payroll.pay_calc",
                "nao",
                "rodou"
            ]
        );
        assert_eq!(tokens[3].raw, "LX_PRD01#PAYROLL.PAY_CALC");
    }

    #[test]
    fn an_apostrophe_does_not_split_a_negation() {
        let tokens = tokens("don’t cancel");
        assert_eq!(tokens[0].word, "dont");
    }

    #[test]
    fn an_excerpt_has_no_control_character_but_line_ends() {
        let text = excerpt("a\u{1b}[31mb\u{202e}\u{0}c\td\ne\r\n", 100);
        assert_eq!(text, "abc d\ne");
        assert_eq!(excerpt("ééééé", 3), "ééé…");
        assert_eq!(name("x\ny\u{7}"), "x y");
    }
}
