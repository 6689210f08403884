//! A text that comes in pieces, cut into sentences as soon as each is whole.
//!
//! Invariant: the sentences together are the text. A sentence is whole when the next one has begun,
//! since the marks of its sources may still follow its full stop.

use crate::check;

/// A sentence without an end is cut here, in bytes.
const LONGEST: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Cutter {
    rest: String,
}

impl Cutter {
    /// The sentences that `more` completes.
    pub(super) fn push(&mut self, more: &str) -> Vec<String> {
        self.rest.push_str(more);
        let mut whole = 0;
        for sentence in check::sentences(&self.rest) {
            let behind = self.rest.get(sentence.end..).unwrap_or("");
            let ends_line = self
                .rest
                .get(..sentence.end)
                .is_some_and(|text| text.ends_with('\n'));
            if ends_line || !behind.trim_start_matches(' ').is_empty() {
                whole = sentence.end;
            }
        }
        let mut left = self.rest.split_off(whole);
        std::mem::swap(&mut left, &mut self.rest);
        let mut found = parts(&left);
        if self.rest.len() > LONGEST {
            found.push(std::mem::take(&mut self.rest));
        }
        found
    }

    /// What is left when the text is over.
    pub(super) fn end(self) -> Vec<String> {
        parts(&self.rest)
    }
}

fn parts(text: &str) -> Vec<String> {
    check::sentences(text)
        .into_iter()
        .filter_map(|at| text.get(at).map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, size: usize) -> Vec<String> {
        let (mut cutter, mut found) = (Cutter::default(), Vec::new());
        let chars: Vec<char> = text.chars().collect();
        for part in chars.chunks(size) {
            found.extend(cutter.push(&part.iter().collect::<String>()));
        }
        found.extend(cutter.end());
        found
    }

    #[test]
    fn marks_stay_with_their_sentence_however_it_comes() {
        let text =
            "A is late. [e1] It waits for B [e2]. Next:\n- rerun B [e3]\n- 1. wait\nv. 9.5 is old";
        let whole = cut(text, 1_000);
        assert!(whole[0].starts_with("A is late. [e1]"), "{whole:?}");
        for size in 1..20 {
            assert_eq!(cut(text, size), whole, "by {size}");
        }
    }

    #[test]
    fn a_sentence_is_told_when_the_next_one_begins() {
        let mut cutter = Cutter::default();
        assert!(cutter.push("A is late.").is_empty());
        assert!(cutter.push(" ").is_empty());
        assert!(cutter.push("[e1]").is_empty());
        assert_eq!(cutter.push(" I").len(), 1);
        assert_eq!(cutter.push("t waits\n").len(), 1);
        assert!(cutter.end().is_empty());
    }

    proptest! {
        #[test]
        fn the_sentences_are_the_text(text in "[a-c0-9.!?\\[\\]\n> -]{0,80}", size in 1_usize..9) {
            prop_assert_eq!(cut(&text, size).concat(), text);
        }
    }

    #[test]
    fn a_sentence_without_end_is_cut() {
        let found = cut(&"a".repeat(10_000), 1_000);
        assert!(found.len() >= 2 && found.iter().all(|part| part.len() <= LONGEST + 1_000));
    }
}
