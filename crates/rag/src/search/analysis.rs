//! From text to index terms, in English and Portuguese at once.
//!
//! A word has several *forms*: itself in lower case without accents, its English stem (`e:`) and
//! its Portuguese stem (`p:`); no vote on the language is needed, and a form meets only its like.
//! Technical names (`ORA-00060`, `FIN_GL_POST`, `RC 12`) are kept whole, and their parts are words
//! of their own. Stop words of both languages have no form.

use std::collections::HashSet;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

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
    /// The index terms, the exact one first; empty for a stop word.
    pub(crate) forms: Vec<String>,
    /// The parts of a technical name or compound.
    pub(crate) parts: Vec<Word>,
    /// Whether it names one thing: it has a digit or an underscore, as names of jobs and messages.
    pub(crate) technical: bool,
}

impl Word {
    /// Its forms and those of its parts.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &String> {
        self.forms
            .iter()
            .chain(self.parts.iter().flat_map(|part| &part.forms))
    }
}

/// Lower case without accents.
pub(crate) fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The words of `text` in order.
pub(crate) fn words(text: &str) -> Vec<Word> {
    thread_local! {
        static STEMMERS: (Stemmer, Stemmer) =
            (Stemmer::create(Algorithm::English), Stemmer::create(Algorithm::Portuguese));
    }
    STEMMERS.with(|(english, portuguese)| {
        let raw = runs(text)
            .into_iter()
            .map(|run| word(run, english, portuguese))
            .collect();
        join_return_codes(raw)
    })
}

/// Letters and digits, joined by single marks that stand inside of names.
fn runs(text: &str) -> Vec<&str> {
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
                found.extend(text.get(from..at));
                start = None;
            }
            _ => {}
        }
        before = c;
    }
    if let Some(from) = start {
        found.extend(text.get(from..));
    }
    found.retain(|run| run.chars().count() <= MAX_WORD_CHARS);
    found
}

fn word(run: &str, english: &Stemmer, portuguese: &Stemmer) -> Word {
    let exact = fold(run);
    let technical = exact.contains(['_', '$']) || exact.chars().any(|c| c.is_ascii_digit());
    let is_number = technical && exact.chars().all(|c| c.is_ascii_digit() || c == '.');
    let pieces: Vec<&str> = run.split(['_', '-', '.', '$']).collect();
    let parts: Vec<Word> = if pieces.len() > 1 && !is_number {
        pieces
            .into_iter()
            .map(|piece| plain(piece, english, portuguese))
            .collect()
    } else {
        Vec::new()
    };
    if technical {
        return Word {
            surface: run.to_owned(),
            forms: vec![exact],
            parts,
            technical: true,
        };
    }
    if parts.is_empty() {
        return plain(run, english, portuguese);
    }
    let joined = exact.replace(['-', '.'], "");
    Word {
        surface: run.to_owned(),
        forms: vec![joined],
        parts,
        technical: false,
    }
}

fn plain(run: &str, english: &Stemmer, portuguese: &Stemmer) -> Word {
    let exact = fold(run);
    let mut forms = Vec::new();
    if !STOP_WORDS.contains(exact.as_str()) && !exact.is_empty() {
        forms.push(exact.clone());
        if exact.chars().all(char::is_alphabetic) {
            let accented = run.to_lowercase();
            let stems = [
                format!("e:{}", english.stem(&exact)),
                format!("p:{}", fold(&portuguese.stem(&accented))),
                format!("p:{}", portuguese.stem(&exact)),
            ];
            for stem in stems {
                if !forms.contains(&stem) {
                    forms.push(stem);
                }
            }
        }
    }
    let technical = exact.chars().any(|c| c.is_ascii_digit());
    Word {
        surface: run.to_owned(),
        forms,
        parts: Vec::new(),
        technical,
    }
}

/// `RC 12`, `return code 12`, `exit 12`, `código de retorno 12` become one word `rc:12`.
fn join_return_codes(raw: Vec<Word>) -> Vec<Word> {
    const BEFORE: [&[&str]; 9] = [
        &["codigo", "de", "retorno"],
        &["codigo", "de", "saida"],
        &["return", "code"],
        &["exit", "code"],
        &["exit", "status"],
        &["codigo", "retorno"],
        &["codigo", "saida"],
        &["rc"],
        &["exit"],
    ];
    let folded: Vec<String> = raw.iter().map(|word| fold(&word.surface)).collect();
    let mut joined = Vec::with_capacity(raw.len());
    let mut words = raw.into_iter();
    let mut at = 0;
    while at < folded.len() {
        let here = folded.get(at..).unwrap_or_default();
        let number = |text: &String| {
            let digits = text.strip_prefix("rc").unwrap_or(text);
            (!digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.trim_start_matches('0').to_owned())
                .map(|code| {
                    if code.is_empty() {
                        "0".to_owned()
                    } else {
                        code
                    }
                })
        };
        let found = BEFORE.iter().find_map(|before| {
            let starts = here.len() > before.len() && here.iter().zip(*before).all(|(a, b)| a == b);
            let code = here.get(before.len()).filter(|_| starts).and_then(number)?;
            Some((before.len() + 1, code))
        });
        let alone = here
            .first()
            .filter(|text| text.starts_with("rc"))
            .and_then(number);
        let (length, code) = match (found, alone) {
            (Some((length, code)), _) => (length, Some(code)),
            (None, Some(code)) => (1, Some(code)),
            (None, None) => (1, None),
        };
        let mut taken: Vec<Word> = words.by_ref().take(length).collect();
        at += length;
        if let Some(code) = code {
            let surface = taken
                .iter()
                .map(|word| word.surface.as_str())
                .collect::<Vec<_>>();
            let surface = surface.join(" ");
            let forms = vec![format!("rc:{code}")];
            joined.push(Word {
                surface,
                forms,
                parts: taken,
                technical: true,
            });
        } else {
            joined.append(&mut taken);
        }
    }
    joined
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
                proptest::prop_assert!(!word.surface.is_empty());
            }
        }
    }
}
