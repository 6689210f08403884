//! Commands in a message.
//!
//! Invariants:
//! - A command opens its clause, polite words apart, and is neither negated, asked about, told of nor
//!   quoted; in doubt there is none, since a person can say it again, and a card for the wrong action
//!   can be clicked.
//! - Nothing here acts: a command only becomes a proposal that a person must confirm.

use resync_tws::model::ActionKind;

use super::intent::Intent;
use super::message::{Clause, Message};
use super::reading::Break;
use super::rules::{Rules, Scope, Spans, Symbol};

/// A command that was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub(super) intent: Intent,
    pub(super) weight: f64,
    /// Its clause, by number.
    pub(super) clause: usize,
    /// The pattern that it was read by.
    pub(super) pattern: String,
}

/// What was said of commands.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Commands {
    /// Given, in order.
    pub(super) given: Vec<Given>,
    /// Something else than the intents of the set: it is done on the job's page.
    pub(super) other: Option<ActionKind>,
    /// Forbidden: "don't cancel it".
    pub(super) negated: Vec<Intent>,
    /// Asked about: "how do I cancel it".
    pub(super) asked: Vec<Intent>,
    /// Told of or quoted: "he told me to cancel it".
    pub(super) reported: Vec<Intent>,
    /// The clauses that take their deed back.
    pub(super) taken_back: Vec<bool>,
    /// The deeds that each clause speaks of, in whatever way.
    pub(super) deeds: Vec<Vec<Intent>>,
}

impl Commands {
    /// The actions that were given, each once, in order.
    pub(super) fn actions(&self) -> Vec<ActionKind> {
        let mut found: Vec<ActionKind> = Vec::new();
        let given = self.given.iter().filter_map(|given| given.intent.action());
        for action in given.chain(self.other) {
            if !found.contains(&action) {
                found.push(action);
            }
        }
        found
    }
}

/// The intents that are commands, with the name that their classes have in the rules.
const KINDS: [(Intent, &str); 7] = [
    (Intent::ActionRerun, "rerun"),
    (Intent::ActionHold, "hold"),
    (Intent::ActionRelease, "release"),
    (Intent::ActionCancel, "cancel"),
    (Intent::ActionKill, "kill"),
    (Intent::ActionConfirm, "confirm"),
    (Intent::ActionSubmit, "submit"),
];

/// How a clause takes back what is said in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Negated,
    Asked,
    Reported,
}

/// Reads the commands of a message.
pub(super) struct Reader<'a> {
    rules: &'a Rules,
    spans: &'a Spans,
    message: &'a Message,
    clauses: &'a [Clause],
    flags: &'a [Symbol],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(
        rules: &'a Rules,
        spans: &'a Spans,
        message: &'a Message,
        clauses: &'a [Clause],
        flags: &'a [Symbol],
    ) -> Self {
        Self {
            rules,
            spans,
            message,
            clauses,
            flags,
        }
    }

    pub(super) fn read(&self) -> Commands {
        let mut found = Commands::default();
        let mut last: Option<Turn> = None;
        for (number, clause) in self.clauses.iter().enumerate() {
            let scope = Scope::new(self.spans, clause.from, clause.to, self.flags.to_vec());
            let command = self.command(&scope);
            let mentioned = self.mentioned(&scope);
            let deed = command.is_some() || !mentioned.is_empty();
            let opening = command.iter().map(|((intent, _), _)| *intent);
            found
                .deeds
                .push(opening.chain(mentioned.iter().copied()).collect());
            let turn = self.turn(number, *clause, &scope, command.is_some(), last);
            found
                .taken_back
                .push(matches!(turn, Some(Turn::Negated | Turn::Reported)));
            if deed {
                let intents = || {
                    let given = command.iter().map(|(rule, _)| *rule);
                    given
                        .map(|(intent, _)| intent)
                        .chain(mentioned.iter().copied())
                };
                match (turn, &command) {
                    (Some(Turn::Negated), _) => note(&mut found.negated, intents()),
                    (Some(Turn::Reported), _) => note(&mut found.reported, intents()),
                    (None, Some(((intent, weight), pattern))) => found.given.push(Given {
                        intent: *intent,
                        weight: *weight,
                        clause: number,
                        pattern: pattern.clone(),
                    }),
                    // Spoken of and not commanded is asked about.
                    (Some(Turn::Asked), _) | (None, None) => note(&mut found.asked, intents()),
                }
                if turn.is_none() && self.has(&scope, "do.priority") {
                    found.other = Some(ActionKind::Priority);
                }
            } else if turn.is_none() && self.has(&scope, "do.priority") {
                found.other = Some(ActionKind::Priority);
            }
            last = if deed || turn.is_some() { turn } else { None };
        }
        // What was forbidden once is not given elsewhere in the same breath.
        let negated = found.negated.clone();
        found.given.retain(|given| !negated.contains(&given.intent));
        found
    }

    /// The strongest command that opens a clause.
    fn command(&self, scope: &Scope<'_>) -> Option<((Intent, f64), String)> {
        self.rules
            .holding(scope, Intent::is_action)
            .max_by(|(a, _), (b, _)| {
                let weights = a.weight.total_cmp(&b.weight);
                // Of equal weights the first of the intents.
                weights.then(b.intent.cmp(&a.intent))
            })
            .map(|(rule, pattern)| ((rule.intent, rule.weight), pattern.to_owned()))
    }

    /// The deeds that a clause speaks of, in whatever form. A word behind `in` or `is` is a state:
    /// "the jobs in hold".
    fn mentioned(&self, scope: &Scope<'_>) -> Vec<Intent> {
        let thing = self.rules.class("thing");
        let is_deed = |class: &str| {
            let class = self.rules.class(class);
            scope.words().any(|at| {
                let state =
                    at > scope.words().start && self.spans.longest(at - 1, thing) == Some(1);
                !state && self.spans.longest(at, class).is_some()
            })
        };
        let speaks = |kind: &str| {
            ["do", "done", "noun"]
                .iter()
                .any(|form| is_deed(&format!("{form}.{kind}")))
                || (self.has(scope, &format!("part.{kind}"))
                    && self.has(scope, &format!("with.{kind}")))
        };
        KINDS
            .iter()
            .filter(|(_, kind)| speaks(kind))
            .map(|(intent, _)| *intent)
            .collect()
    }

    fn has(&self, scope: &Scope<'_>, class: &str) -> bool {
        self.rules
            .class(class)
            .is_some_and(|class| scope.has(class))
    }

    /// What takes the deed of a clause back.
    fn turn(
        &self,
        number: usize,
        clause: Clause,
        scope: &Scope<'_>,
        command: bool,
        last: Option<Turn>,
    ) -> Option<Turn> {
        let word = |list: &[bool]| list.get(clause.from).copied().unwrap_or(false);
        if word(&self.message.quoted) {
            return Some(Turn::Reported);
        }
        let before = number.checked_sub(1).and_then(|at| self.clauses.get(at));
        let scope_before = before
            .map(|before| Scope::new(self.spans, before.from, before.to, self.flags.to_vec()));
        let told_before = scope_before
            .as_ref()
            .is_some_and(|scope| self.has(scope, "report"));
        if clause.before == Break::Colon && told_before {
            return Some(Turn::Reported);
        }
        if command && self.negated_first(clause) {
            return Some(Turn::Negated);
        }
        if !command {
            if self.has(scope, "negation") {
                return Some(Turn::Negated);
            }
            if self.has(scope, "report") {
                return Some(Turn::Reported);
            }
            if self.has(scope, "about") {
                return Some(Turn::Asked);
            }
        }
        let same_sentence = clause.before < Break::Sentence;
        if same_sentence && let Some(condition) = self.condition(number) {
            return Some(condition);
        }
        // "don't hold or cancel it", "how do I cancel it and release that"
        let joins = clause.joined && same_sentence;
        if joins && matches!(last, Some(Turn::Asked | Turn::Reported)) {
            return last;
        }
        if joins && last == Some(Turn::Negated) && self.negation_goes_on(clause) {
            return last;
        }
        // "do not, please, cancel it"
        let bare_negation = before
            .zip(scope_before.as_ref())
            .is_some_and(|(before, scope)| {
                before.to - before.from == 2 && self.has(scope, "negation") && same_sentence
            });
        if bare_negation {
            return Some(Turn::Negated);
        }
        // "cancel it?" asks whether to; "can you cancel it?" does not.
        if command && word(&self.message.asked) && !self.has(scope, "polite") {
            return Some(Turn::Asked);
        }
        None
    }

    /// Whether a clause that a command opens is negated before what the command is for: "do not give
    /// it a rerun". A phrase of the deed itself may have the negation: "don't let it run".
    fn negated_first(&self, clause: Clause) -> bool {
        let negation = self.rules.class("negation");
        let deed = self.rules.class("do.hold");
        let name = (clause.from..clause.to)
            .find(|at| {
                self.message
                    .words
                    .get(*at)
                    .is_some_and(|word| word.starts_with('<'))
            })
            .unwrap_or(clause.to);
        (clause.from..name).any(|at| {
            self.spans.longest(at, negation).is_some() && self.spans.longest(at, deed).is_none()
        })
    }

    /// "if it fails again, rerun it": a clause before, in the same sentence, that makes a condition.
    fn condition(&self, number: usize) -> Option<Turn> {
        let condition = self.rules.class("condition");
        let polite = self.rules.class("polite_if");
        let mut at = number;
        while let Some(clause) = self.clauses.get(at) {
            if clause.before == Break::Sentence {
                break;
            }
            let Some(before) = at.checked_sub(1) else {
                break;
            };
            at = before;
            let Some(clause) = self.clauses.get(at) else {
                break;
            };
            let begins = (clause.from..clause.to.min(clause.from + 2))
                .any(|word| self.spans.longest(word, condition).is_some());
            let courtesy = (clause.from..clause.to.min(clause.from + 2))
                .any(|word| self.spans.longest(word, polite).is_some());
            if begins && !courtesy {
                return Some(Turn::Asked);
            }
        }
        None
    }

    /// Whether the word before a clause carries a negation on.
    fn negation_goes_on(&self, clause: Clause) -> bool {
        let joins = self.rules.class("negation_joins");
        clause
            .from
            .checked_sub(1)
            .is_some_and(|last| self.spans.longest(last, joins).is_some())
    }
}

fn note(list: &mut Vec<Intent>, intents: impl Iterator<Item = Intent>) {
    for intent in intents {
        if !list.contains(&intent) {
            list.push(intent);
        }
    }
}
