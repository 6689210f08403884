//! Patterns over the words of a message.

use super::Symbol;

/// How many words `..` may skip.
const GAP: usize = 5;

/// Where which symbols stand in a message.
#[derive(Debug)]
pub(in crate::route) struct Spans {
    /// By first word: the symbol and how many words it has.
    at: Vec<Vec<(Symbol, usize)>>,
    /// Whether a clause begins at a word; one more than there are words.
    opens: Vec<bool>,
}

impl Spans {
    pub(super) fn new(words: usize, opens: &[bool]) -> Self {
        let mut opens = opens.to_vec();
        opens.resize(words, false);
        opens.push(true);
        Self {
            at: vec![Vec::new(); words],
            opens,
        }
    }

    pub(super) fn add(&mut self, at: usize, symbol: Symbol, length: usize) {
        if let Some(here) = self.at.get_mut(at)
            && !here.contains(&(symbol, length))
        {
            here.push((symbol, length));
        }
    }

    pub(in crate::route) fn len(&self) -> usize {
        self.at.len()
    }

    /// The symbols that begin at a word, each with its length in words.
    pub(in crate::route) fn at(&self, at: usize) -> &[(Symbol, usize)] {
        self.at.get(at).map_or(&[], Vec::as_slice)
    }

    /// The length of the longest phrase of `symbol` that begins at a word.
    pub(in crate::route) fn longest(&self, at: usize, symbol: Option<Symbol>) -> Option<usize> {
        let symbol = symbol?;
        let here = self.at(at).iter().filter(|(known, _)| *known == symbol);
        here.map(|(_, length)| *length).max()
    }

    /// Whether a phrase of `symbol` stands anywhere.
    pub(in crate::route) fn has(&self, symbol: Option<Symbol>) -> bool {
        symbol.is_some() && (0..self.len()).any(|at| self.longest(at, symbol).is_some())
    }

    /// Whether a clause begins at a word.
    pub(in crate::route) fn opens(&self, at: usize) -> bool {
        self.opens.get(at).copied().unwrap_or(true)
    }
}

/// A part of a message, with the flags that hold in it.
#[derive(Debug)]
pub(in crate::route) struct Scope<'a> {
    spans: &'a Spans,
    from: usize,
    to: usize,
    /// Symbols and flags that are there, sorted.
    present: Vec<Symbol>,
}

impl<'a> Scope<'a> {
    /// The words from `from` up to `to`.
    pub(in crate::route) fn new(
        spans: &'a Spans,
        from: usize,
        to: usize,
        flags: Vec<Symbol>,
    ) -> Self {
        let mut present = flags;
        for at in from..to {
            let here = spans.at(at).iter();
            present.extend(
                here.filter(|(_, length)| at + length <= to)
                    .map(|(symbol, _)| *symbol),
            );
        }
        present.sort_unstable();
        present.dedup();
        Self {
            spans,
            from,
            to,
            present,
        }
    }

    /// The whole message.
    #[cfg(test)]
    pub(in crate::route) fn whole(spans: &'a Spans, flags: Vec<Symbol>) -> Self {
        Self::new(spans, 0, spans.len(), flags)
    }

    /// Its words, by number.
    pub(in crate::route) const fn words(&self) -> std::ops::Range<usize> {
        self.from..self.to
    }

    /// Whether the symbol stands anywhere in it, or the flag holds.
    pub(in crate::route) fn has(&self, symbol: Symbol) -> bool {
        self.present.binary_search(&symbol).is_ok()
    }

    fn opens(&self, at: usize) -> bool {
        at == self.from || self.spans.opens(at)
    }

    fn ends(&self, at: usize) -> bool {
        at == self.to || self.spans.opens(at)
    }
}

/// A step of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// This symbol stands here.
    Is(Symbol),
    /// This symbol may stand here.
    MayBe(Symbol),
    /// This symbol stands here any number of times, or not at all.
    Many(Symbol),
    /// Up to [`GAP`] words stand here.
    Gap,
    /// A clause begins here.
    Opens,
    /// A clause ends here.
    Ends,
}

/// A sequence that must, or must not, stand in a message.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) steps: Vec<Step>,
    pub(super) unwanted: bool,
}

impl Sequence {
    fn stands(&self, scope: &Scope<'_>) -> bool {
        let needed = self.steps.iter().filter_map(|step| match step {
            Step::Is(symbol) => Some(*symbol),
            _ => None,
        });
        if !needed.clone().all(|symbol| scope.has(symbol)) {
            return false;
        }
        if let [Step::Is(_)] = self.steps.as_slice() {
            return true;
        }
        // The places that the steps so far may have come to; all at once, so that a gap is linear.
        let mut here: Vec<bool> = vec![true; scope.to - scope.from + 1];
        for step in &self.steps {
            let next = follow(*step, &here, scope);
            if !next.contains(&true) {
                return false;
            }
            here = next;
        }
        true
    }
}

fn follow(step: Step, here: &[bool], scope: &Scope<'_>) -> Vec<bool> {
    let mut next = vec![false; here.len()];
    for place in 0..here.len() {
        let repeats = matches!(step, Step::Many(_)) && next.get(place) == Some(&true);
        if here.get(place) != Some(&true) && !repeats {
            continue;
        }
        let at = scope.from + place;
        let mut reach = |to: usize| {
            if let Some(place) = next.get_mut(to) {
                *place = true;
            }
        };
        match step {
            Step::Opens if scope.opens(at) => reach(place),
            Step::Ends if scope.ends(at) => reach(place),
            Step::Opens | Step::Ends => {}
            Step::Gap => (0..=GAP).for_each(|skipped| reach(place + skipped)),
            Step::Is(symbol) | Step::MayBe(symbol) | Step::Many(symbol) => {
                if !matches!(step, Step::Is(_)) {
                    reach(place);
                }
                for (known, length) in scope.spans.at(at) {
                    if *known == symbol && at + length <= scope.to {
                        reach(place + length);
                    }
                }
            }
        }
    }
    next
}

/// Sequences that must all hold.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    sequences: Vec<Sequence>,
}

impl Pattern {
    pub(super) const fn new(text: String, sequences: Vec<Sequence>) -> Self {
        Self { text, sequences }
    }

    /// As it stands in the rules.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn holds(&self, scope: &Scope<'_>) -> bool {
        self.sequences
            .iter()
            .all(|sequence| sequence.stands(scope) != sequence.unwanted)
    }
}
