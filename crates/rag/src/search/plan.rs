//! What a question asks for: concepts, each with the ways in which a document may say it.
//!
//! Invariants: a concept counts once, by its best way, however many of its ways a text has; there
//! are at most [`MAX_CONCEPTS`] concepts.

use crate::search::analysis::{Word, words};
use crate::search::lexicon::{Lexicon, Phrase};

/// Later words of a question are left out.
const MAX_CONCEPTS: usize = 40;

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
}

/// The concepts of `question`, each word once.
pub(crate) fn plan(question: &str, lexicon: &Lexicon) -> Vec<Concept> {
    let mut informative: Vec<Word> = Vec::new();
    for word in words(question) {
        if word.terms().next().is_some() {
            informative.push(word);
        }
    }
    let others = lexicon.others(&informative);
    let mut concepts: Vec<Concept> = Vec::new();
    for (word, others) in informative.iter().zip(others) {
        let concept = concept(word, &others);
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

fn concept(word: &Word, others: &[&Phrase]) -> Concept {
    let mut ways = Vec::new();
    if !word.forms.is_empty() {
        let weight = if word.technical { 1.5 } else { 1.0 };
        ways.push(Way {
            words: vec![word.forms.clone()],
            weight,
            counts: true,
        });
    }
    let parts: Phrase = word
        .parts
        .iter()
        .map(|part| part.forms.clone())
        .filter(|f| !f.is_empty())
        .collect();
    if !parts.is_empty() {
        // All parts of a compound are the compound; those of a job's name are a hint.
        let (weight, counts) = if word.technical {
            (0.5, false)
        } else {
            (0.9, true)
        };
        for part in parts.iter().filter(|_| word.technical && parts.len() > 1) {
            ways.push(Way {
                words: vec![part.clone()],
                weight: 0.25,
                counts: false,
            });
        }
        ways.push(Way {
            words: parts,
            weight,
            counts,
        });
    }
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
    ways.extend(others.iter().map(|phrase| Way {
        words: (*phrase).clone(),
        weight: 0.7,
        counts: true,
    }));
    Concept {
        surface: word.surface.clone(),
        ways,
        technical: word.technical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_becomes_its_informative_words() {
        let concepts = plan(
            "What do I do when FIN_GL_POST has a deadlock?",
            &Lexicon::operations(),
        );
        let surfaces: Vec<_> = concepts.iter().map(|c| c.surface.as_str()).collect();
        assert_eq!(surfaces, ["FIN_GL_POST", "deadlock"]);
        assert!(concepts[0].technical && !concepts[1].technical);
    }

    #[test]
    fn a_word_that_is_said_twice_is_one_concept() {
        assert_eq!(
            plan("deadlock, deadlock and Deadlock", &Lexicon::operations()).len(),
            1
        );
    }

    #[test]
    fn a_flood_of_words_is_cut() {
        let flood: Vec<String> = (0..500).map(|n| format!("w{n}")).collect();
        assert_eq!(
            plan(&flood.join(" "), &Lexicon::operations()).len(),
            MAX_CONCEPTS
        );
    }
}
