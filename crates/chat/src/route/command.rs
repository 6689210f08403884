//! Commands in a message.
//!
//! Invariants:
//! - A command opens its clause, fillers apart, and is neither negated nor asked about; in doubt there
//!   is none, since a person can say it again, and a card for the wrong action can be clicked.
//! - Nothing here acts: a command only becomes a proposal that a person must confirm.

use resync_tws::model::ActionKind;

use super::lexicon::{ABOUT, CLAUSES, COMMANDS, FILLERS, NEGATIONS, THING, WISHES};

/// What was said of commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// Given.
    pub(super) given: Vec<ActionKind>,
    /// Forbidden: "don't cancel it".
    pub(super) negated: Vec<ActionKind>,
    /// Asked about: "how do I cancel it".
    pub(super) asked: Vec<ActionKind>,
}

/// How many words before a command may turn it round.
const REACH: usize = 5;

pub(super) fn commands(words: &[String]) -> Commands {
    let mut found = Commands::default();
    let mut covered = vec![false; words.len()];
    let mut phrases: Vec<(ActionKind, Vec<&str>)> = COMMANDS
        .iter()
        .flat_map(|(kind, phrases)| phrases.split('|').map(|phrase| (*kind, split(phrase))))
        .collect();
    // "put on hold" before "hold", so that its own preposition does not excuse it.
    phrases.sort_by_key(|(_, phrase)| std::cmp::Reverse(phrase.len()));
    for (kind, phrase) in phrases {
        for at in places(words, &phrase) {
            let end = at + phrase.len();
            if covered.get(at..end).is_none_or(|part| part.contains(&true)) {
                continue;
            }
            covered
                .iter_mut()
                .take(end)
                .skip(at)
                .for_each(|place| *place = true);
            let before = words.get(at.saturating_sub(REACH)..at).unwrap_or(&[]);
            let near = words.get(at.saturating_sub(4)..at).unwrap_or(&[]);
            let after = words.get(end).map_or("", String::as_str);
            let list = if has(near, NEGATIONS) {
                &mut found.negated
            } else if is_about(before, words)
                || is_thing(before, after, &phrase)
                || !opens_its_clause(words.get(..at).unwrap_or(&[]))
            {
                &mut found.asked
            } else {
                &mut found.given
            };
            if !list.contains(&kind) {
                list.push(kind);
            }
        }
    }
    // What was forbidden once is not given elsewhere in the same breath.
    let negated = found.negated.clone();
    found.given.retain(|kind| !negated.contains(kind));
    found
}

/// Whether nothing but fillers stands between the command and the beginning of its clause: "make
/// sure that nobody cancels it" is no command.
fn opens_its_clause(before: &[String]) -> bool {
    let listed = |list: &str, word: &String| list.split_whitespace().any(|known| known == word);
    before
        .iter()
        .rev()
        .take_while(|word| !listed(CLAUSES, word))
        .all(|word| word.starts_with('<') || listed(FILLERS, word))
}

fn is_about(before: &[String], words: &[String]) -> bool {
    let near_start = words.len().min(3);
    has(before, ABOUT) && !has(words.get(..near_start).unwrap_or(&[]), WISHES)
}

fn is_thing(before: &[String], after: &str, phrase: &[&str]) -> bool {
    let last = before.len().saturating_sub(1);
    let right_before = before.get(last..).unwrap_or(&[]);
    // `hold on` is said to people, and a `rerun procedure` is a document.
    let noun = [
        "procedure",
        "policy",
        "notes",
        "on",
        "jobs",
        "reason",
        "history",
        "code",
    ];
    let spoken = phrase == ["hold"] && after == "on";
    (has(right_before, THING) && !has(before, WISHES))
        || spoken
        || (phrase.len() == 1 && noun.contains(&after))
}

fn split(phrase: &str) -> Vec<&str> {
    phrase.split(' ').collect()
}

fn places(words: &[String], phrase: &[&str]) -> Vec<usize> {
    let matching = words.windows(phrase.len()).enumerate();
    matching
        .filter(|(_, window)| {
            window
                .iter()
                .zip(phrase)
                .all(|(word, wanted)| word == wanted)
        })
        .map(|(at, _)| at)
        .collect()
}

fn has(words: &[String], phrases: &str) -> bool {
    let joined = format!(" {} ", words.join(" "));
    phrases
        .split('|')
        .any(|phrase| joined.contains(&format!(" {phrase} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Commands {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        commands(&words)
    }

    #[test]
    fn a_command_is_given() {
        for (text, kind) in [
            ("rerun <job>", ActionKind::Rerun),
            ("please run <job> again", ActionKind::Rerun),
            ("rode o <job> de novo", ActionKind::Rerun),
            ("put <job> on hold", ActionKind::Hold),
            ("coloque o <job> em hold", ActionKind::Hold),
            ("libera o <job>", ActionKind::Release),
            ("can you cancel <job>", ActionKind::Cancel),
            ("preciso cancelar o <job>", ActionKind::Cancel),
        ] {
            assert_eq!(read(text).given, [kind], "{text}");
        }
    }

    #[test]
    fn a_negated_command_is_not_given() {
        for text in [
            "dont cancel <job>",
            "please do not rerun <job>",
            "nao cancele o <job>",
            "nunca libere o <job>",
            "no need to rerun <job>",
            "nao precisa rodar de novo o <job>",
            "never ever hold <job>",
        ] {
            let commands = read(text);
            assert!(commands.given.is_empty(), "{text}");
            assert_eq!(commands.negated.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_command_that_is_asked_about_is_not_given() {
        for text in [
            "how do i cancel <job>",
            "como cancelar o <job>",
            "what happens if i cancel <job>",
            "should i rerun <job>",
            "posso liberar o <job>",
            "which jobs are on hold",
            "jobs em hold",
            "the rerun procedure of <job>",
            "make sure nobody will cancel <job>",
            "would it help to rerun <job>",
        ] {
            assert!(read(text).given.is_empty(), "{text}");
        }
    }
}
