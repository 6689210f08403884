//! Looks for all signs of all causes in a line at once.
//!
//! A sign is one or more words parted by ` & `; a line shows it when it holds all of them, in any order
//! and case. A word stands alone: no letter, digit or `_` joins it, unless it begins or ends with `*`.
//! Inside a word `*` stands for letters that are not blank and `#` for digits.
//!
//! Invariants:
//! - What a line shows does not depend on the order of the signs.
//! - A word without a blank is not found inside a path or the name of a file.
//! - The time for a line grows with its length and not with the number of signs; only its first 4,096
//!   bytes are looked at.

use std::collections::HashMap;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex::Regex;

use super::causes::CausesError;

/// How much of a line is looked at, in bytes.
const LINE_BYTES: usize = 4_096;

/// What a sign says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The line names the cause at this place.
    Names(usize),
    /// The line does not name it, whatever else it holds.
    Denies(usize),
    /// The line tells of no failure.
    Harmless,
    /// What went wrong just before was got over.
    Recovered,
    /// The job does its work.
    WentOn,
}

/// What a line shows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) causes: Vec<usize>,
    pub(super) recovered: bool,
    pub(super) went_on: bool,
}

#[derive(Debug)]
struct Word {
    begins: Edge,
    ends: Edge,
    /// It may be part of a path and is not meant then.
    no_path: bool,
    /// With wildcards, the whole.
    pattern: Option<Pattern>,
}

/// What may stand beside a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// Anything.
    Open,
    /// No letter or figure.
    Letter,
    /// Neither that nor, before it, a point, which would make it another number.
    Figure,
}

impl Edge {
    fn of(c: Option<char>) -> Self {
        match c {
            Some(c) if c.is_ascii_digit() || c == '#' => Self::Figure,
            Some(c) if c.is_alphanumeric() || c == '_' => Self::Letter,
            _ => Self::Open,
        }
    }
}

/// A sign as it was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) meaning: Meaning,
    pub(super) text: String,
    /// The line of the file, from 1.
    pub(super) line: usize,
}

/// A word with wildcards, compiled when its piece is first met: most never are.
#[derive(Debug)]
struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn is_match(&self, line: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.text).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(line))
    }
}

/// All signs, ready to be looked for.
#[derive(Debug, Default)]
pub(super) struct Signs {
    automaton: Option<AhoCorasick>,
    /// Of each piece that is looked for, the words that hold it.
    by_piece: Vec<Vec<usize>>,
    words: Vec<Word>,
    /// Of each word, the signs that need it.
    by_word: Vec<Vec<usize>>,
    /// Of each sign, how many words it has and what it means.
    all: Vec<(usize, Meaning)>,
}

/// What is known of the words while signs are read.
#[derive(Default)]
struct Index {
    pieces: Vec<String>,
    piece_at: HashMap<String, usize>,
    word_at: HashMap<String, usize>,
}

impl Signs {
    /// The signs, ready to be looked for.
    pub(super) fn of(rows: &[Written]) -> Result<Self, CausesError> {
        let (mut signs, mut index) = (Self::default(), Index::default());
        for row in rows {
            let at = signs.all.len();
            let words = row.text.split(" & ");
            let mut words: Vec<String> = words.map(|word| word.trim().to_lowercase()).collect();
            words.sort_unstable();
            words.dedup();
            for text in &words {
                let word = signs.word(&mut index, text).map_err(|what| {
                    let what = format!("the sign {:?}: {what}", row.text);
                    CausesError::Senseless {
                        line: row.line,
                        what,
                    }
                })?;
                if let Some(of_word) = signs.by_word.get_mut(word) {
                    of_word.push(at);
                }
            }
            signs.all.push((words.len(), row.meaning));
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // What most bytes of a log meet are the first states of a sign: those are looked up, not searched.
            .dense_depth(4)
            .build(&index.pieces)
            .map_err(|_| CausesError::TooMany)?;
        signs.automaton = Some(automaton);
        Ok(signs)
    }

    /// Whether a line can name the cause at this place.
    #[cfg(test)]
    pub(super) fn name(&self, cause: usize) -> bool {
        self.all
            .iter()
            .any(|(_, meaning)| *meaning == Meaning::Names(cause))
    }

    /// The number of a word, which is new the first time.
    fn word(&mut self, index: &mut Index, text: &str) -> Result<usize, String> {
        if let Some(&known) = index.word_at.get(text) {
            return Ok(known);
        }
        let (piece, word) = Word::read(text)?;
        let number = self.words.len();
        index.word_at.insert(text.to_owned(), number);
        self.words.push(word);
        self.by_word.push(Vec::new());
        let next = index.pieces.len();
        let of_piece = *index.piece_at.entry(piece.clone()).or_insert(next);
        if of_piece == next {
            index.pieces.push(piece);
            self.by_piece.push(Vec::new());
        }
        if let Some(words) = self.by_piece.get_mut(of_piece) {
            words.push(number);
        }
        Ok(number)
    }

    /// What a line shows.
    pub(super) fn shown(&self, line: &str) -> Shown {
        let mut shown = Shown::default();
        let Some(automaton) = &self.automaton else {
            return shown;
        };
        let line = line
            .get(..line.floor_char_boundary(LINE_BYTES))
            .unwrap_or(line);
        let mut words: Vec<usize> = Vec::new();
        for found in automaton.find_overlapping_iter(line) {
            let piece = found.pattern().as_usize();
            for &word in self.by_piece.get(piece).into_iter().flatten() {
                let is_here = || {
                    let word = self.words.get(word);
                    word.is_some_and(|word| word.is_in(line, found.start(), found.end()))
                };
                if !words.contains(&word) && is_here() {
                    words.push(word);
                }
            }
        }
        if words.is_empty() {
            return shown;
        }
        let mut met: Vec<(usize, usize)> = Vec::new();
        for word in words {
            for &sign in self.by_word.get(word).into_iter().flatten() {
                match met.iter_mut().find(|(known, _)| *known == sign) {
                    Some((_, count)) => *count += 1,
                    None => met.push((sign, 1)),
                }
            }
        }
        let full = met.into_iter().filter_map(|(sign, count)| {
            let (needed, meaning) = self.all.get(sign)?;
            (count == *needed).then_some(*meaning)
        });
        let full: Vec<Meaning> = full.collect();
        shown.recovered = full.contains(&Meaning::Recovered);
        shown.went_on = full.contains(&Meaning::WentOn);
        if full.contains(&Meaning::Harmless) || shown.recovered {
            return shown;
        }
        for meaning in &full {
            if let Meaning::Names(cause) = *meaning
                && !full.contains(&Meaning::Denies(cause))
                && !shown.causes.contains(&cause)
            {
                shown.causes.push(cause);
            }
        }
        shown.causes.sort_unstable();
        shown
    }
}

impl Word {
    /// The word, and the longest piece of it without wildcards, by which it is looked for.
    fn read(text: &str) -> Result<(String, Self), String> {
        let wild = |c: char| c == '*' || c == '#';
        let (mut piece, mut letters) = ("", 0);
        for part in text.split(wild) {
            letters += part.trim().chars().count();
            if part.len() > piece.len() {
                piece = part;
            }
        }
        if letters < 3 {
            return Err("a word has fewer than three letters".to_owned());
        }
        let (first, last) = (text.chars().next(), text.chars().next_back());
        let word_like = first.is_some_and(char::is_alphanumeric);
        let mut word = Self {
            begins: Edge::of(first),
            ends: Edge::of(last),
            no_path: word_like && !text.contains([' ', '/', '\\']),
            pattern: None,
        };
        if text.contains(wild) {
            let mut pattern = String::from("(?i)");
            pattern.push_str(match word.begins {
                Edge::Open => "",
                Edge::Letter => r"(?:^|[^\w])",
                Edge::Figure => r"(?:^|[^\w.,])",
            });
            for c in text.chars() {
                match c {
                    '*' => pattern.push_str(r"\S*"),
                    '#' => pattern.push_str(r"[0-9]+"),
                    c => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                }
            }
            pattern.push_str(match word.ends {
                Edge::Open => "",
                Edge::Letter | Edge::Figure => r"(?:$|[^\w])",
            });
            word.pattern = Some(Pattern {
                text: pattern,
                compiled: OnceLock::new(),
            });
        }
        Ok((piece.to_owned(), word))
    }

    /// Whether it is in the line, of which its piece stands at `from..to`.
    fn is_in(&self, line: &str, from: usize, to: usize) -> bool {
        let bytes = line.as_bytes();
        if self.no_path && in_path(bytes, from, to) {
            return false;
        }
        if let Some(pattern) = &self.pattern {
            return pattern.is_match(line);
        }
        let joins = |byte: Option<&u8>| {
            byte.is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)
        };
        let before = from.checked_sub(1).and_then(|at| bytes.get(at));
        if is_none(bytes.get(to..).unwrap_or(&[])) {
            return false;
        }
        if self.begins == Edge::Figure && matches!(before, Some(b'.' | b',')) {
            return false;
        }
        let joined = |edge: Edge, byte| edge != Edge::Open && joins(byte);
        !(joined(self.begins, before) || joined(self.ends, bytes.get(to)))
    }
}

/// Whether what follows says that there was none of it: `=0`, `: 0`.
fn is_none(after: &[u8]) -> bool {
    let blank = |byte: &&u8| **byte == b' ';
    let mut rest = after.iter().skip_while(blank);
    if !matches!(rest.next(), Some(b'=' | b':')) {
        return false;
    }
    let mut rest = rest.skip_while(blank);
    rest.next() == Some(&b'0')
        && !rest.next().is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b',' | b':' | b'-')
        })
}

/// Whether what stands at `from..to` is a part of a path, of a file's name or of an option.
fn in_path(line: &[u8], from: usize, to: usize) -> bool {
    let part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'\\' | b'~')
    };
    let slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let before = line.get(..from).unwrap_or(&[]).iter().rev();
    let after = || line.get(to..).unwrap_or(&[]).iter();
    let token = line.get(..from).unwrap_or(&[]).iter().rev();
    let token: Vec<&u8> = token
        .take_while(|byte| !byte.is_ascii_whitespace())
        .collect();
    if token.ends_with(&[&b'-', &b'-']) {
        return true;
    }
    let extension = matches!((after().next(), after().nth(1)), (Some(b'.'), Some(byte)) if byte.is_ascii_alphanumeric());
    extension
        || before.take_while(|byte| part(byte)).any(slash)
        || after().take_while(|byte| part(byte)).any(slash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(meaning: Meaning, sign: &str) -> Written {
        Written {
            meaning,
            text: sign.to_owned(),
            line: 1,
        }
    }

    fn signs(rows: &[(Meaning, &str)]) -> Signs {
        let rows: Vec<_> = rows
            .iter()
            .map(|&(meaning, sign)| written(meaning, sign))
            .collect();
        Signs::of(&rows).unwrap()
    }

    fn names(sign: &str, line: &str) -> bool {
        signs(&[(Meaning::Names(0), sign)]).shown(line).causes == [0]
    }

    #[test]
    fn a_word_stands_alone_in_any_case() {
        assert!(names("ora-00060", "ERROR ORA-00060: deadlock"));
        assert!(names(
            "deadlock & victim",
            "chosen as VICTIM of a Deadlock."
        ));
        assert!(!names("deadlock & victim", "deadlock"));
        assert!(!names("deadlock", "deadlocks_total"));
        assert!(!names("ora-00060", "ora-000601"));
        assert!(names("deadlock*", "it deadlocked"));
        assert!(names("killed process #", "Killed process 3012 (sort)"));
        assert!(!names("killed process #", "killed process x"));
        assert!(names("s0c7", "ABEND=S0C7"));
        assert!(names("0 failed", "all: 0 failed"));
        assert!(!names("0 failed", "in stage 4.0 failed"));
        assert!(!names("0 error*", "1,000 errors"));
    }

    #[test]
    fn a_word_in_a_path_is_not_meant() {
        assert!(!names("deadlock", "reading /opt/deadlock/conf"));
        assert!(!names("deadlock", "reading deadlock.log"));
        assert!(!names("deadlock", r"C:\jobs\deadlock"));
        assert!(names("deadlock", "a deadlock. Then"));
        assert!(names(
            "outofmemoryerror",
            "java.lang.OutOfMemoryError: heap"
        ));
        assert!(names("enospc", "write(/data/x): ENOSPC"));
    }

    #[test]
    fn an_option_and_a_count_of_none_are_not_meant() {
        assert!(!names("econnrefused", "--retry-on=ETIMEDOUT,ECONNREFUSED"));
        assert!(!names("ora-00060", "codes: ORA-00060=0 ORA-01653=2"));
        assert!(names("ora-01653", "codes: ORA-00060=0 ORA-01653=2"));
        assert!(!names("deadlock", "deadlock: 0"));
        assert!(names("deadlock", "deadlock: 0x1f"));
    }

    #[test]
    fn a_denial_and_a_harmless_line_name_nothing() {
        let signs = signs(&[
            (Meaning::Names(0), "deadlock"),
            (Meaning::Names(1), "refused"),
            (Meaning::Denies(0), "monitor"),
            (Meaning::Harmless, "0 errors"),
            (Meaning::Recovered, "retry succeeded"),
        ]);
        assert_eq!(signs.shown("deadlock monitor refused").causes, [1]);
        assert!(signs.shown("deadlock: 0 errors").causes.is_empty());
        assert_eq!(signs.shown("deadlock: 10 errors").causes, [0]);
        let shown = signs.shown("refused, retry succeeded");
        assert!(shown.recovered && shown.causes.is_empty());
    }

    #[test]
    fn every_pattern_of_the_file_compiles() {
        let causes = super::super::Causes::built_in();
        let words = causes.signs().words.iter();
        for pattern in words.filter_map(|word| word.pattern.as_ref()) {
            assert!(Regex::new(&pattern.text).is_ok(), "{}", pattern.text);
        }
    }

    #[test]
    fn a_word_of_two_letters_is_refused() {
        assert!(Signs::of(&[written(Meaning::Harmless, "*ab*")]).is_err());
    }

    proptest! {
        /// No text breaks it, and what stands behind the first bytes of a line changes nothing.
        #[test]
        fn any_line_is_looked_at(line in "\\PC{0,80}", behind in 0_usize..3_000) {
            static SIGNS: std::sync::LazyLock<Signs> = std::sync::LazyLock::new(|| {
                signs(&[(Meaning::Names(0), "deadlock"), (Meaning::Names(0), "é*não #")])
            });
            let padded = format!("{line} {}", " ".repeat(4_096));
            let longer = format!("{padded}{} deadlock", "ç".repeat(behind));
            prop_assert_eq!(SIGNS.shown(&longer), SIGNS.shown(&padded));
        }
    }
}
