//! The causes that are known: what a line must hold, what it means, what to do. They come from a file
//! that a person can read and extend, `data/causes.toml`; `data/README.md` tells how.
//!
//! Invariants:
//! - A file is taken whole or not at all, and what is wrong with it is told with its line.
//! - Every code that the program names by itself is in the file that ships with it.
//! - A cause of a later file takes the place of the one of the same code.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::signs::{Meaning, Signs, Written};
use super::{Cause, Transience};
use crate::text::Text;

/// The file that ships with Resync.
const BUILT_IN: &str = include_str!("../../data/causes.toml");

/// Codes that the program itself names; the built-in file has a text for each.
pub(super) mod code {
    pub(in crate::diagnosis) const MAPPED: &str = "mapped-return-code";
    pub(in crate::diagnosis) const PREDECESSOR_FAILED: &str = "predecessor-failed";
}

/// Why a file of causes cannot be used. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CausesError {
    /// It is not TOML, or has a field that is unknown, missing or of another type.
    #[error("line {line} of the causes: {message}")]
    Unreadable {
        /// The line.
        line: usize,
        /// What the reader says.
        message: String,
    },
    /// It can be read and makes no sense.
    #[error("line {line} of the causes: {what}")]
    Senseless {
        /// The line.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Its signs together are too large to be looked for at once.
    #[error("the signs of the causes are too many")]
    TooMany,
}

/// A known cause.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of a row, not one state"
)]
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) code: Arc<str>,
    /// 1 to 100: how near to the root a match is.
    pub(super) weight: u8,
    pub(super) transience: Transience,
    /// Whether a line may confirm it.
    pub(super) sure: bool,
    /// Whether the failure of a predecessor may be behind it.
    pub(super) follows: bool,
    /// Whether a line counts in full though it calls itself a warning.
    pub(super) loud: bool,
    /// Return codes that speak for it.
    pub(super) codes: Vec<i32>,
    /// Whether a missing return code speaks for it.
    pub(super) no_code: bool,
    pub(super) says: Text,
    pub(super) steps: Vec<Text>,
    pub(super) search: Text,
}

impl Known {
    /// The cause as an answer shows it.
    pub(super) fn cause(&self) -> Cause {
        Cause {
            code: Arc::clone(&self.code),
            en: self.says.en.clone(),
            pt: self.says.pt.clone(),
        }
    }
}

/// The causes that a diagnosis knows. Cheap to share, never changed.
pub struct Causes {
    known: Vec<Known>,
    by_code: HashMap<Arc<str>, usize>,
    signs: Signs,
}

/// Constant data, no state; `the_causes_that_ship_can_be_read` proves that it is never the empty one.
static SHIPPED: LazyLock<Arc<Causes>> =
    LazyLock::new(|| Arc::new(Causes::parse(&[BUILT_IN]).unwrap_or_default()));

impl fmt::Debug for Causes {
    /// How many they are; the signs alone would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} causes", self.known.len())
    }
}

impl Default for Causes {
    /// No cause at all.
    fn default() -> Self {
        Self {
            known: Vec::new(),
            by_code: HashMap::new(),
            signs: Signs::default(),
        }
    }
}

impl Causes {
    /// Those that ship with Resync.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&SHIPPED)
    }

    /// Those that ship with Resync, and those of a site's own file; of two with one code the site's counts.
    ///
    /// # Errors
    /// [`CausesError`], with the line of `text`.
    pub fn with(text: &str) -> Result<Self, CausesError> {
        Self::parse(&[BUILT_IN, text])
    }

    fn parse(texts: &[&str]) -> Result<Self, CausesError> {
        let mut steps = HashMap::new();
        let mut rows: Vec<ReadRow> = Vec::new();
        let mut lines = Vec::new();
        for text in texts {
            let file: File = toml::from_str(text).map_err(|error| unreadable(text, &error))?;
            steps.extend(file.steps);
            lines.extend(file.lines.signs(text));
            let mut codes = Vec::new();
            for row in file.cause {
                let line = line_of(text, row.code.span().start);
                let code = row.code.get_ref().clone();
                if codes.contains(&code) {
                    return senseless(line, format!("the code {code} stands twice"));
                }
                codes.push(code);
                let row = row.read(text, line, &steps)?;
                rows.retain(|(known, _)| known.code != row.0.code);
                rows.push(row);
            }
        }
        let (mut known, mut signs) = (Vec::new(), lines);
        for (at, (row, own)) in rows.into_iter().enumerate() {
            signs.extend(own.into_iter().map(|sign| {
                let meaning = match sign.meaning {
                    Meaning::Names(_) => Meaning::Names(at),
                    Meaning::Denies(_) => Meaning::Denies(at),
                    other => other,
                };
                Written { meaning, ..sign }
            }));
            known.push(row);
        }
        let by_code = (0..)
            .zip(&known)
            .map(|(at, known)| (Arc::clone(&known.code), at))
            .collect();
        Ok(Self {
            known,
            by_code,
            signs: Signs::of(&signs)?,
        })
    }

    pub(super) fn signs(&self) -> &Signs {
        &self.signs
    }

    pub(super) fn get(&self, at: usize) -> Option<&Known> {
        self.known.get(at)
    }

    pub(super) fn named(&self, code: &str) -> Option<&Known> {
        self.get(*self.by_code.get(code)?)
    }

    /// The cause that a return code alone speaks for: the one that names it, and of several the lightest,
    /// which says least.
    pub(super) fn of_return_code(&self, code: i32) -> Option<&Known> {
        let named = self
            .known
            .iter()
            .filter(|known| known.codes.contains(&code));
        named.min_by_key(|known| known.weight)
    }

    /// Every code, in the order of the files.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(|known| &*known.code)
    }

    /// The codes that a line can name.
    #[cfg(test)]
    pub(super) fn codes_with_signs(&self) -> impl Iterator<Item = &str> {
        let known = (0..).zip(&self.known);
        known.filter_map(|(at, known)| self.signs.name(at).then_some(&*known.code))
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> &[Known] {
        &self.known
    }
}

fn senseless<T>(line: usize, what: impl Into<String>) -> Result<T, CausesError> {
    let what = what.into();
    Err(CausesError::Senseless { line, what })
}

fn unreadable(text: &str, error: &toml::de::Error) -> CausesError {
    CausesError::Unreadable {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        message: error.message().to_owned(),
    }
}

/// The line, from 1, that the byte at `offset` stands in.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|&&byte| byte == b'\n').count() + 1
}

/// The file, as TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    steps: HashMap<String, Sentence>,
    #[serde(default)]
    lines: Lines,
    #[serde(default)]
    cause: Vec<Row>,
}

/// Signs that tell what sort of line it is.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    #[serde(default)]
    harmless: Vec<Spanned<String>>,
    #[serde(default)]
    recovered: Vec<Spanned<String>>,
    #[serde(default)]
    went_on: Vec<Spanned<String>>,
}

impl Lines {
    fn signs(self, text: &str) -> Vec<Written> {
        let groups = [
            (Meaning::Harmless, self.harmless),
            (Meaning::Recovered, self.recovered),
            (Meaning::WentOn, self.went_on),
        ];
        let groups = groups.into_iter();
        groups
            .flat_map(|(meaning, signs)| written(text, meaning, signs))
            .collect()
    }
}

/// The signs of a group with their lines.
fn written(
    text: &str,
    meaning: Meaning,
    signs: Vec<Spanned<String>>,
) -> impl Iterator<Item = Written> {
    signs.into_iter().map(move |sign| Written {
        meaning,
        line: line_of(text, sign.span().start),
        text: sign.into_inner(),
    })
}

/// A sentence, as TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    en: String,
    pt: String,
}

impl From<Sentence> for Text {
    fn from(row: Sentence) -> Self {
        Self::new(row.en, row.pt)
    }
}

/// A step: its own words, or `"@name"` of one under `[steps]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Named(String),
    Own(Sentence),
}

/// A cause, as TOML.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of a row, not one state"
)]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: Spanned<String>,
    weight: u8,
    transience: Transience,
    #[serde(default = "yes")]
    sure: bool,
    #[serde(default)]
    follows: bool,
    #[serde(default)]
    loud: bool,
    #[serde(default)]
    codes: Vec<i32>,
    #[serde(default)]
    no_code: bool,
    en: String,
    pt: String,
    #[serde(default)]
    signs: Vec<Spanned<String>>,
    #[serde(default)]
    not: Vec<Spanned<String>>,
    steps: Vec<Step>,
    search: Sentence,
}

fn yes() -> bool {
    true
}

/// A cause and its signs, whose place is not known yet.
type ReadRow = (Known, Vec<Written>);

impl Row {
    fn read(
        self,
        text: &str,
        line: usize,
        steps: &HashMap<String, Sentence>,
    ) -> Result<ReadRow, CausesError> {
        let code = self.code.into_inner();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if code.is_empty() || !code.bytes().all(plain) {
            return senseless(line, format!("the code {code:?} is not of a-z, 0-9 and -"));
        }
        if !(1..=100).contains(&self.weight) {
            return senseless(line, format!("the weight of {code} is not 1 to 100"));
        }
        if [&self.en, &self.pt].iter().any(|say| say.trim().is_empty()) {
            return senseless(line, format!("{code} lacks its sentence"));
        }
        let mut read = Vec::new();
        for step in self.steps {
            read.push(match step {
                Step::Own(own) => own.into(),
                Step::Named(name) => {
                    let known = name.strip_prefix('@').and_then(|name| steps.get(name));
                    let Some(known) = known else {
                        return senseless(
                            line,
                            format!("{code} names a step {name:?}, which is not under [steps]"),
                        );
                    };
                    known.clone().into()
                }
            });
        }
        let names = written(text, Meaning::Names(0), self.signs);
        let denies = written(text, Meaning::Denies(0), self.not);
        let signs = names.chain(denies).collect();
        let known = Known {
            code: code.into(),
            weight: self.weight,
            transience: self.transience,
            sure: self.sure,
            follows: self.follows,
            loud: self.loud,
            codes: self.codes,
            no_code: self.no_code,
            says: Text::new(self.en, self.pt),
            steps: read,
            search: self.search.into(),
        };
        Ok((known, signs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"
[[cause]]
code = "site-batch-window"
weight = 60
transience = "transient"
en = "The batch window was closed."
pt = "A janela batch estava fechada."
signs = ["window closed & code #"]
steps = ["@rerun"]
search = { en = "batch window", pt = "janela batch" }
"#;

    #[test]
    fn the_causes_that_ship_can_be_read() {
        let causes = Causes::parse(&[BUILT_IN]).unwrap_or_else(|error| panic!("{error}"));
        for needed in [code::MAPPED, code::PREDECESSOR_FAILED] {
            assert!(causes.named(needed).is_some(), "{needed}");
        }
        let with_signs = causes.all().len();
        assert!(with_signs >= 60, "{with_signs} causes");
    }

    #[test]
    fn a_site_adds_causes_and_replaces_them() {
        let causes = Causes::with(ROW).unwrap();
        assert_eq!(causes.codes().last(), Some("site-batch-window"));
        assert_eq!(
            causes.codes().count(),
            Causes::built_in().codes().count() + 1
        );
        let own = ROW.replace("site-batch-window", "killed");
        let causes = Causes::with(&own).unwrap();
        assert_eq!(causes.codes().count(), Causes::built_in().codes().count());
        assert_eq!(
            causes.named("killed").unwrap().says.en,
            "The batch window was closed."
        );
    }

    #[test]
    fn an_error_names_its_line() {
        let line_of = |text: &str| match Causes::with(text).unwrap_err() {
            CausesError::Unreadable { line, .. } | CausesError::Senseless { line, .. } => line,
            CausesError::TooMany => 0,
        };
        assert_eq!(line_of(&ROW.replace("weight = 60", "weight = 0")), 3);
        assert_eq!(line_of(&ROW.replace("weight = 60", "wight = 60")), 4);
        assert_eq!(line_of(&ROW.replace("@rerun", "@unheard-of")), 3);
        assert_eq!(line_of(&ROW.replace("window closed", "wi")), 8);
        assert_eq!(line_of(&ROW.replace("site-batch-window", "Site Batch")), 3);
        assert_eq!(line_of(&format!("{ROW}{ROW}")), 13);
        assert_eq!(line_of("[[cause]\n"), 1);
    }
}
