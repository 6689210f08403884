//! The forms of words: short ones, and those of Portuguese verbs.

use std::collections::HashMap;

use crate::text::fold;

/// What is read instead of what is written.
#[derive(Debug, Clone, Default)]
pub(in crate::route) struct Forms {
    /// Short forms of every message, by what is written.
    common: HashMap<String, Vec<String>>,
    /// Those of Portuguese alone: `no` is a word of English too.
    portuguese: HashMap<String, Vec<String>>,
}

impl Forms {
    pub(super) fn add(&mut self, written: &str, read: Vec<String>, portuguese: bool) {
        let forms = if portuguese {
            &mut self.portuguese
        } else {
            &mut self.common
        };
        forms.insert(written.to_owned(), read);
    }

    /// Appends the words that `raw` is read as; none for an article.
    pub(in crate::route) fn read(&self, raw: &str, portuguese: bool, words: &mut Vec<String>) {
        let word = fold(raw).replace(['\'', '’'], "");
        // `é` is a verb, and `e` joins clauses.
        let written = match raw {
            "é" | "É" => "é",
            _ => word.as_str(),
        };
        let own = portuguese.then(|| self.portuguese.get(written)).flatten();
        match own.or_else(|| self.common.get(written)) {
            Some(read) => words.extend_from_slice(read),
            None => words.push(word),
        }
    }

    /// Whether it is a short form.
    pub(in crate::route) fn has(&self, word: &str) -> bool {
        self.common.contains_key(word)
    }
}

/// Which forms of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    /// Infinitive and imperative: `cancelar`, `cancela`, `cancele`.
    Do,
    /// Past and participle: `cancelou`, `cancelado`.
    Done,
    /// The rest: `cancelando`, `cancelo`, `cancelamos`.
    Doing,
}

/// The forms of a regular Portuguese verb, `None` when `verb` does not end as one.
pub(super) fn conjugate(verb: &str, tense: Tense) -> Option<Vec<String>> {
    let stem = verb.get(..verb.len().checked_sub(2)?)?;
    let endings: &[&str] = match (verb.strip_prefix(stem)?, tense) {
        ("ar", Tense::Do) => &["ar", "a", "e", "em", "as"],
        ("ar", Tense::Done) => &[
            "ou", "aram", "ei", "ado", "ada", "ados", "adas", "ava", "avam", "aria", "asse",
        ],
        ("ar", Tense::Doing) => &["ando", "o", "amos", "am", "arem", "armos"],
        ("er", Tense::Do) => &["er", "e", "a", "am"],
        ("er", Tense::Done) => &[
            "eu", "eram", "i", "ido", "ida", "idos", "idas", "ia", "iam", "eria", "esse",
        ],
        ("er", Tense::Doing) => &["endo", "o", "emos", "em", "erem"],
        ("ir", Tense::Do) => &["ir", "e", "a", "am"],
        ("ir", Tense::Done) => &[
            "iu", "iram", "i", "ido", "ida", "idos", "idas", "ia", "iam", "iria", "isse",
        ],
        ("ir", Tense::Doing) => &["indo", "o", "imos", "em", "irem"],
        _ => return None,
    };
    let form = |ending: &&str| {
        // The letters before `e` and `i` keep their sound: `coloque`, `paguei`.
        let soft = ending.starts_with(['e', 'i']);
        let changed = match stem.as_bytes().last() {
            Some(b'c') if soft && verb.ends_with("ar") => {
                stem.strip_suffix('c').map(|rest| format!("{rest}qu"))
            }
            Some(b'g') if soft && verb.ends_with("ar") => Some(format!("{stem}u")),
            _ => None,
        };
        format!("{}{ending}", changed.as_deref().unwrap_or(stem))
    };
    Some(endings.iter().map(form).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_verbs_are_conjugated() {
        for (verb, tense, form) in [
            ("cancelar", Tense::Do, "cancele"),
            ("colocar", Tense::Do, "coloque"),
            ("desligar", Tense::Done, "desliguei"),
            ("submeter", Tense::Do, "submeta"),
            ("submeter", Tense::Done, "submetido"),
            ("cancelar", Tense::Doing, "cancelando"),
            ("abrir", Tense::Done, "abriu"),
        ] {
            let forms = conjugate(verb, tense).unwrap();
            assert!(forms.iter().any(|known| known == form), "{form}: {forms:?}");
        }
        assert_eq!(conjugate("job", Tense::Do), None);
    }
}
