//! What a question asks for: concepts, each with the ways in which a document may say it.
//!
//! Invariants: a concept counts once, by its best way, however many of its ways a text has; there
//! are at most [`MAX_CONCEPTS`] concepts. A way that was guessed, because the index lacks the word as
//! it was written, weighs less than any that was not.

use crate::search::analysis::{Word, words};
use crate::search::glossary::{Glossary, Other, Phrase};

/// Later words of a question are left out.
pub(crate) const MAX_CONCEPTS: usize = 40;
/// What a guess is worth against the word itself.
const GUESSED: f32 = 0.6;
/// Most ways of one concept.
const MAX_WAYS: usize = 24;

/// A way to say a concept: each of its words must stand there, in any of its forms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Way {
    pub(crate) words: Phrase,
    /// How much it is worth against the word itself.
    pub(crate) weight: f32,
    /// Whether a text that says it this way has what was asked for.
    pub(crate) counts: bool,
}

/// A thing that a question asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Concept {
    /// The word as asked.
    pub(crate) surface: String,
    /// Best first.
    pub(crate) ways: Vec<Way>,
    /// Whether it names one thing, as jobs and messages have names.
    pub(crate) technical: bool,
    /// Whether it is a word of any text, which says little about the subject.
    pub(crate) everyday: bool,
}

/// The words that an index has.
pub(crate) trait Dictionary {
    /// Whether a chunk has the term.
    fn has(&self, term: &str) -> bool;
    /// Terms that `term` may be a misspelling of.
    fn near(&self, term: &str) -> Vec<String>;
}

/// The concepts of `question`, each word once.
pub(crate) fn plan(
    question: &str,
    glossary: &Glossary,
    dictionary: &impl Dictionary,
) -> Vec<Concept> {
    let mut informative: Vec<Word> = Vec::new();
    for word in words(question) {
        if word.terms().next().is_some() {
            informative.push(word);
        }
    }
    let present: Vec<bool> = informative
        .iter()
        .map(|word| word.forms.iter().any(|form| dictionary.has(form)))
        .collect();
    let corrected: Vec<bool> = informative
        .iter_mut()
        .zip(&present)
        .map(|(word, present)| correct_by_glossary(word, *present, glossary))
        .collect();
    let others = glossary.others(&informative);
    let mut concepts: Vec<Concept> = Vec::new();
    for (at, (word, others)) in informative.iter().zip(others).enumerate() {
        let is = |flags: &[bool]| flags.get(at).copied().unwrap_or(false);
        let mut concept = concept(word, &others, is(&present), dictionary);
        if is(&corrected) {
            for way in &mut concept.ways {
                way.weight *= GUESSED;
            }
        }
        if !concepts
            .iter()
            .any(|known| known.ways.first() == concept.ways.first())
        {
            concepts.push(concept);
        }
    }
    concepts.truncate(MAX_CONCEPTS);
    concepts
}

/// A word that neither the index nor the glossary knows also reads as the glossary's nearest one.
/// Whether there is such.
fn correct_by_glossary(word: &mut Word, present: bool, glossary: &Glossary) -> bool {
    if present || word.technical || word.terms().any(|form| glossary.knows(form)) {
        return false;
    }
    let nearest = word.forms.iter().find_map(|form| glossary.correction(form));
    let Some(form) = nearest.map(str::to_owned) else {
        return false;
    };
    word.forms.push(form);
    true
}

fn concept(
    word: &Word,
    others: &[Other<'_>],
    present: bool,
    dictionary: &impl Dictionary,
) -> Concept {
    let mut ways = Vec::new();
    if !word.forms.is_empty() {
        ways.push(Way {
            words: vec![word.forms.clone()],
            weight: if word.technical { 1.5 } else { 1.0 },
            counts: true,
        });
    }
    ways.extend(ways_by_parts(word));
    if let Some(code) = word.forms.first().and_then(|form| form.strip_prefix("rc:")) {
        // A table has the number in one cell and says in another that it is a return code.
        let says_code = words("rc exit code código retorno saída");
        let says_code = says_code.into_iter().flat_map(|word| word.forms).collect();
        ways.push(Way {
            words: vec![vec![code.to_owned()], says_code],
            weight: 0.8,
            counts: true,
        });
    }
    for other in others.iter().filter(|other| other.translated) {
        ways.push(Way {
            words: other.phrase.clone(),
            weight: 0.9,
            counts: true,
        });
    }
    for other in others.iter().filter(|other| !other.translated) {
        ways.push(Way {
            words: other.phrase.clone(),
            weight: 0.6,
            counts: true,
        });
    }
    if !present && others.is_empty() {
        ways.extend(guesses(word, dictionary));
    }
    ways.truncate(MAX_WAYS);
    Concept {
        surface: word.surface.clone(),
        ways,
        technical: word.technical,
        everyday: !others.is_empty() && others.iter().all(|other| other.everyday),
    }
}

/// All parts of a compound are the compound; those of a job's name are a hint.
fn ways_by_parts(word: &Word) -> Vec<Way> {
    let parts: Phrase = word
        .parts
        .iter()
        .map(|part| part.forms.clone())
        .filter(|forms| !forms.is_empty())
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let mut ways = Vec::new();
    for part in parts.iter().filter(|_| word.technical && parts.len() > 1) {
        ways.push(Way {
            words: vec![part.clone()],
            weight: 0.25,
            counts: false,
        });
    }
    ways.push(Way {
        words: parts,
        weight: if word.technical { 0.5 } else { 0.9 },
        counts: !word.technical,
    });
    ways
}

/// What the index has instead of a word that it lacks. A name with other digits is another name.
fn guesses(word: &Word, dictionary: &impl Dictionary) -> Vec<Way> {
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let mut ways: Vec<Way> = Vec::new();
    for form in word.forms.iter().filter(|form| !form.contains(':')) {
        for near in dictionary.near(form) {
            let way = Way {
                words: vec![vec![near.clone()]],
                weight: GUESSED,
                counts: true,
            };
            if digits(&near) == digits(form) && !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index with these terms.
    struct Terms(&'static [&'static str]);

    impl Dictionary for Terms {
        fn has(&self, term: &str) -> bool {
            self.0.contains(&term)
        }

        fn near(&self, term: &str) -> Vec<String> {
            let near = |known: &&&str| strsim::osa_distance(known, term) == 1;
            self.0
                .iter()
                .filter(near)
                .map(|&known| known.to_owned())
                .collect()
        }
    }

    fn planned(question: &str) -> Vec<Concept> {
        plan(
            question,
            &Glossary::built_in(),
            &Terms(&["deadlock", "awsbht001e"]),
        )
    }

    #[test]
    fn a_question_becomes_its_informative_words() {
        let concepts = planned("What do I do when FIN_GL_POST has a deadlock?");
        let surfaces: Vec<_> = concepts.iter().map(|c| c.surface.as_str()).collect();
        assert_eq!(surfaces, ["FIN_GL_POST", "deadlock"]);
        assert!(concepts[0].technical && !concepts[1].technical);
    }

    #[test]
    fn a_word_that_is_said_twice_is_one_concept() {
        assert_eq!(planned("deadlock, deadlock and Deadlock").len(), 1);
    }

    #[test]
    fn a_flood_of_words_is_cut() {
        let flood: Vec<String> = (0..500).map(|n| format!("w{n}")).collect();
        assert_eq!(planned(&flood.join(" ")).len(), MAX_CONCEPTS);
    }

    #[test]
    fn a_misspelt_id_is_read_as_the_nearest_one_with_the_same_digits() {
        let guessed = |question: &str| {
            let concepts = planned(question);
            let mut ways = concepts.into_iter().flat_map(|concept| concept.ways);
            ways.any(|way| way.words == [["awsbht001e"]])
        };
        assert!(guessed("AWSBTH001E"));
        assert!(!guessed("AWSBHT007E"));
    }

    #[test]
    fn a_misspelt_word_of_the_glossary_keeps_its_meaning() {
        let concepts = planned("agendmento");
        let english = words("schedule")[0].forms.clone();
        let mut ways = concepts[0].ways.iter();
        assert!(
            ways.any(|way| way.words == [english.clone()]),
            "{concepts:?}"
        );
    }
}
