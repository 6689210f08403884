//! From text to index terms, in English and Portuguese at once.
//!
//! A word has one or two *forms*, without accents and in lower case: its English stem and its
//! Portuguese one. No vote on the language is needed, and cognates meet by their stems (`agent` and
//! `agente`). Technical names (`ORA-00060`, `FIN_GL_POST`, `AWSBHT001E`, `RC 12`) are kept whole;
//! their parts are words of their own, as are those of names like `enLegacyStartOfDayEvaluation`.
//! Message ids also have a form without leading zeros and severity, so that `ora-60` meets
//! `ORA-00060`. Stop words of both languages have no form.

mod codes;
mod sought;

use std::collections::HashSet;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use codes::join_return_codes;
pub(crate) use sought::Sought;

/// A longer run of letters is no word that anyone asks for.
const MAX_WORD_CHARS: usize = 64;

/// Words that say nothing about a subject, of both languages and of asking, folded.
static STOP_WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("stop_words.txt").split_whitespace().collect());

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// As written, for explanations.
    pub(crate) surface: String,
    /// Where it starts in the text, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// The index terms; empty for a stop word.
    pub(crate) forms: Vec<String>,
    /// The parts of a technical name or compound.
    pub(crate) parts: Vec<Word>,
    /// Whether it names one thing: it has a digit or an underscore, as names of jobs and messages.
    pub(crate) technical: bool,
}

impl Word {
    /// A word of which nothing but the place is told.
    fn nothing(start: usize, run: &str) -> Self {
        Self {
            surface: String::new(),
            start,
            end: start + run.len(),
            forms: Vec::new(),
            parts: Vec::new(),
            technical: false,
        }
    }

    /// Its forms and those of its parts.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &String> {
        self.forms
            .iter()
            .chain(self.parts.iter().flat_map(|part| &part.forms))
    }
}

/// Lower case without accents.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The words of `text` in order.
pub(crate) fn words(text: &str) -> Vec<Word> {
    words_where(text, |_| true)
}

/// The words of `text` in order; of those that `matter` denies only the place is told.
fn words_where(text: &str, matter: impl Fn(&str) -> bool) -> Vec<Word> {
    thread_local! {
        static STEMMERS: Stemmers = Stemmers {
            english: Stemmer::create(Algorithm::English),
            portuguese: Stemmer::create(Algorithm::Portuguese),
        };
    }
    STEMMERS.with(|stemmers| {
        let raw = runs(text)
            .into_iter()
            .map(|(start, run)| {
                if matter(run) {
                    word(start, run, stemmers)
                } else {
                    Word::nothing(start, run)
                }
            })
            .collect();
        join_return_codes(raw)
    })
}

struct Stemmers {
    english: Stemmer,
    portuguese: Stemmer,
}

/// Letters and digits, joined by single marks that stand inside of names; each with its place.
fn runs(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        let inside = c.is_alphanumeric() || is_combining_mark(c);
        let joins = matches!(c, '_' | '-' | '.' | '$' | ':') && before.is_alphanumeric() && {
            let next = chars.peek().map_or(' ', |(_, next)| *next);
            if c == ':' {
                before.is_ascii_digit() && next.is_ascii_digit()
            } else {
                next.is_alphanumeric()
            }
        };
        match (inside || joins, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.extend(text.get(from..at).map(|run| (from, run)));
                start = None;
            }
            _ => {}
        }
        before = c;
    }
    if let Some(from) = start {
        found.extend(text.get(from..).map(|run| (from, run)));
    }
    found.retain(|(_, run)| run.len() <= MAX_WORD_CHARS || run.chars().count() <= MAX_WORD_CHARS);
    found
}

fn word(start: usize, run: &str, stemmers: &Stemmers) -> Word {
    let exact = fold(run);
    let has_digit = exact.bytes().any(|b| b.is_ascii_digit());
    let technical = has_digit || exact.contains(['_', '$']);
    let is_number = technical && exact.chars().all(|c| c.is_ascii_digit() || c == '.');
    let pieces = if is_number { Vec::new() } else { pieces(run) };
    let part = |(at, piece): (usize, &str)| plain(start + at, piece, stemmers);
    if technical {
        let mut forms = vec![exact];
        if let Some(id) = has_digit.then(|| message_id(run)).flatten() {
            forms.push(id);
        }
        return Word {
            surface: run.to_owned(),
            start,
            end: start + run.len(),
            forms,
            parts: pieces.into_iter().map(part).collect(),
            technical: true,
        };
    }
    if pieces.is_empty() {
        return plain(start, run, stemmers);
    }
    Word {
        surface: run.to_owned(),
        start,
        end: start + run.len(),
        forms: vec![exact.replace(['-', '.'], "")],
        parts: pieces.into_iter().map(part).collect(),
        technical: false,
    }
}

/// The parts of a name, cut at marks and where a capital follows a small letter; empty when it has
/// none but itself.
fn pieces(run: &str) -> Vec<(usize, &str)> {
    let mut cuts = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in run.char_indices() {
        if matches!(c, '_' | '-' | '.' | '$') {
            cuts.push((start, at));
            start = at + c.len_utf8();
        } else if c.is_uppercase() && before.is_some_and(char::is_lowercase) {
            cuts.push((start, at));
            start = at;
        }
        before = Some(c);
    }
    if cuts.is_empty() {
        return Vec::new();
    }
    cuts.push((start, run.len()));
    cuts.into_iter()
        .filter_map(|(from, to)| Some((from, run.get(from..to).filter(|piece| !piece.is_empty())?)))
        .collect()
}

/// `id:ora60` for `ORA-00060`, `ora_60` and `ORA60`; `id:awsbht1` for `AWSBHT001E` and `AWSBHT001`;
/// `None` for what does not look like a message's id: letters, digits, at most one letter.
fn message_id(run: &str) -> Option<String> {
    let bare = fold(run).replace(['-', '_'], "");
    let digits_at = bare.find(|c: char| c.is_ascii_digit())?;
    let (letters, rest) = bare.split_at(digits_at);
    if !(2..=10).contains(&letters.len()) || !letters.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_lowercase());
    if rest.len() - digits.len() > 1 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(format!("id:{letters}{}", digits.trim_start_matches('0')))
}

fn plain(start: usize, run: &str, stemmers: &Stemmers) -> Word {
    let exact = fold(run);
    let mut forms = Vec::new();
    let technical = exact.bytes().any(|b| b.is_ascii_digit());
    if !STOP_WORDS.contains(exact.as_str()) && !exact.is_empty() {
        if exact.chars().all(char::is_alphabetic) {
            let mut stems = vec![
                stemmers.english.stem(&exact).into_owned(),
                stemmers.portuguese.stem(&exact).into_owned(),
            ];
            if !run.is_ascii() {
                stems.push(fold(&stemmers.portuguese.stem(&run.to_lowercase())));
            }
            for stem in stems {
                if !forms.contains(&stem) {
                    forms.push(stem);
                }
            }
        } else {
            forms.push(exact);
        }
    }
    Word {
        surface: run.to_owned(),
        start,
        end: start + run.len(),
        forms,
        parts: Vec::new(),
        technical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        words(text)
            .iter()
            .flat_map(|word| word.terms().cloned().collect::<Vec<_>>())
            .collect()
    }

    fn meet(a: &str, b: &str) -> bool {
        let other = terms(b);
        terms(a).iter().any(|term| other.contains(term))
    }

    #[test]
    fn accents_case_and_endings_do_not_matter() {
        assert!(meet("Execução", "EXECUCAO"));
        assert!(meet("execuções", "execução"));
        assert!(meet("bloqueada", "bloqueado"));
        assert!(meet("locked", "locks"));
        assert!(meet("agent", "agente"));
        assert!(!meet("agent", "deadlock"));
    }

    #[test]
    fn technical_names_are_kept_whole_and_in_parts() {
        let found = terms("ORA-00060 em FIN_GL_POST.");
        for term in [
            "ora-00060",
            "ora",
            "00060",
            "fin_gl_post",
            "fin",
            "gl",
            "post",
        ] {
            assert!(
                found.iter().any(|found| found == term),
                "{term} in {found:?}"
            );
        }
    }

    #[test]
    fn message_ids_meet_without_zeros_marks_and_severity() {
        assert!(meet("ora-60", "ORA-00060"));
        assert!(meet("ORA60", "ora-00060:"));
        assert!(meet("AWSBHT001", "AWSBHT001E"));
        assert!(meet("sql911", "SQL0911N"));
        assert!(!meet("AWSBHT001E", "AWSBHT002E"));
        assert!(!meet("AWSJPL001E", "AWSBHT001E"));
    }

    #[test]
    fn names_with_capitals_inside_are_found_whole_and_in_parts() {
        assert!(meet(
            "enlegacystartofdayevaluation",
            "enLegacyStartOfDayEvaluation"
        ));
        assert!(meet("legacy start of day", "enLegacyStartOfDayEvaluation"));
        assert!(meet("jnextplan", "JnextPlan"));
        assert!(meet("-noask", "add job;noask"));
    }

    #[test]
    fn a_word_knows_its_place() {
        let text = "Não há espaço: FIN_GL_POST, return code 12";
        for word in words(text) {
            assert_eq!(text.get(word.start..word.end), Some(word.surface.as_str()));
        }
    }

    #[test]
    fn return_codes_read_the_same_in_every_spelling() {
        for text in [
            "RC 12",
            "RC=12",
            "rc12",
            "return code 12",
            "exit 12",
            "código de retorno 12",
        ] {
            assert!(
                terms(text).contains(&"rc:12".to_owned()),
                "{text}: {:?}",
                terms(text)
            );
        }
        assert!(!terms("12 jobs").contains(&"rc:12".to_owned()));
    }

    #[test]
    fn stop_words_of_both_languages_have_no_term() {
        assert_eq!(
            terms("o que fazer com a what to do with the"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_compound_is_found_with_and_without_its_hyphen() {
        assert!(meet("cut-off", "cutoff"));
        assert!(meet("cut-off", "cut off"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_words(text in "\\PC{0,200}") {
            for word in words(&text) {
                proptest::prop_assert!(word.start < word.end && word.end <= text.len());
            }
        }
    }
}
