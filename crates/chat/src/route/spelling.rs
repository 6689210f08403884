//! Slips of the pen.
//!
//! Invariants:
//! - A word that the rules know is never corrected, nor is one of fewer than four letters.
//! - A word is looked up by the words it becomes when a letter is left out, never compared with all.

use std::collections::{BTreeSet, HashMap, HashSet};

/// The words of the rules, to correct towards.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    known: HashSet<String>,
    /// The known words by what is left of them without one letter.
    without_one: HashMap<String, Vec<String>>,
}

/// The fewest letters of a word that is corrected.
const LETTERS: usize = 4;

impl Spelling {
    pub(super) fn new(words: BTreeSet<String>) -> Self {
        let mut spelling = Self::default();
        for word in words {
            if word.len() >= LETTERS && is_plain(&word) {
                for shorter in shorter(&word).chain([word.clone()]) {
                    let near = spelling.without_one.entry(shorter).or_default();
                    if !near.contains(&word) {
                        near.push(word.clone());
                    }
                }
            }
            spelling.known.insert(word);
        }
        spelling
    }

    pub(super) fn knows(&self, word: &str) -> bool {
        self.known.contains(word)
    }

    /// The known word that `word` is a slip of. One edit, two from nine letters on; the first letter
    /// is right, and what could be another form of a word, which differs at its end, is no slip.
    pub(super) fn correct(&self, word: &str) -> Option<&str> {
        if !(LETTERS..=24).contains(&word.len()) || !is_plain(word) || self.known.contains(word) {
            return None;
        }
        let allowed = if word.len() < 9 { 1 } else { 2 };
        let whole = self.without_one.get(word).into_iter().flatten();
        let near = shorter(word).filter_map(|shorter| self.without_one.get(&shorter));
        whole
            .chain(near.flatten())
            .filter(|known| is_slip(word, known))
            .map(|known| (strsim::damerau_levenshtein(known, word), known))
            .filter(|(edits, _)| *edits <= allowed)
            // A letter left out or turned round is likelier than another one.
            .min_by_key(|(edits, known)| (*edits, !same_letters(word, known), *known))
            .map(|(_, known)| known.as_str())
    }
}

/// Whether two words have the same letters, in whatever order.
fn same_letters(word: &str, known: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters = text.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    word.len() == known.len() && sorted(word) == sorted(known)
}

fn is_slip(word: &str, known: &str) -> bool {
    let (word, known) = (word.as_bytes(), known.as_bytes());
    let turned = word.len() == known.len() && {
        let mut changed = word.iter().zip(known).filter(|(a, b)| a != b);
        let (first, second) = (changed.next(), changed.next());
        matches!((first, second), (Some((a, b)), Some((c, d))) if a == d && b == c)
            && changed.next().is_none()
    };
    if turned {
        return true;
    }
    let starts = word.first() == known.first();
    let ends = word.last() == known.last() && word.ends_with(b"ndo") == known.ends_with(b"ndo");
    // Another letter in a short word, or near the end of a long one, is another word.
    let other = word.len() == known.len();
    let late = word
        .iter()
        .zip(known)
        .position(|(a, b)| a != b)
        .is_some_and(|at| at + 3 >= word.len());
    starts && ends && word.len() > 4 && !(other && (word.len() < 7 || late))
}

fn is_plain(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase())
}

/// `word`, which is ASCII, without one of its letters.
fn shorter(word: &str) -> impl Iterator<Item = String> {
    (0..word.len()).map(|left_out| {
        let letters = word.chars().enumerate();
        letters
            .filter(|(at, _)| *at != left_out)
            .map(|(_, letter)| letter)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_corrected_and_a_word_of_its_own_is_not() {
        let words = ["running", "failed", "dependencies", "house", "hours"];
        let spelling = Spelling::new(words.map(str::to_owned).into());
        for (slip, wanted) in [
            ("runing", Some("running")),
            ("runnning", Some("running")),
            ("faield", Some("failed")),
            ("dependancies", Some("dependencies")),
            ("house", None),
            ("walrus", None),
            ("fail", None),
        ] {
            assert_eq!(spelling.correct(slip), wanted, "{slip}");
        }
    }
}
