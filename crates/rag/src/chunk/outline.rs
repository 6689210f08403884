//! The headings that are open at a place, and where their sections begin and end.
//!
//! Invariant: a section goes from its heading to the next one of the same or a higher level; what
//! stands before the first heading is a section, too. At most seven are open at a time.

use super::blocks::Block;
use super::lines::Place;
use crate::model::Span;

/// Names a section, by the order in which they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SectionId(usize);

struct Heading {
    /// `None` before the first heading.
    level: Option<u8>,
    title: String,
    section: SectionId,
}

/// See the module.
#[derive(Default)]
pub(super) struct Outline {
    open: Vec<Heading>,
    /// Start and end of all sections so far.
    sections: Vec<(Place, Place)>,
}

impl Outline {
    fn begin(&mut self, level: Option<u8>, title: String, start: Place) {
        let section = SectionId(self.sections.len());
        self.sections.push((start, start));
        self.open.push(Heading {
            level,
            title,
            section,
        });
    }

    /// A heading comes; `last_end` is where the block before it ends.
    pub(super) fn enter(&mut self, level: u8, title: &str, block: &Block, last_end: Place) {
        while let Some(last) = self.open.last() {
            if last.level.is_some_and(|above| above < level) {
                break;
            }
            self.leave(last_end);
        }
        self.begin(Some(level), title.to_owned(), block.start);
    }

    fn leave(&mut self, end: Place) {
        let left = self.open.pop();
        let section = left.and_then(|heading| self.sections.get_mut(heading.section.0));
        if let Some((_, until)) = section {
            *until = end;
        }
    }

    /// The text is over at `end`.
    pub(super) fn end(&mut self, end: Place) {
        while !self.open.is_empty() {
            self.leave(end);
        }
    }

    /// The titles of what is open down to `level`, outermost first.
    pub(super) fn titles(&self, level: Option<u8>) -> Vec<String> {
        let titles = self.down_to(level).map(|heading| heading.title.clone());
        titles.filter(|title| !title.is_empty()).collect()
    }

    fn down_to(&self, level: Option<u8>) -> impl DoubleEndedIterator<Item = &Heading> {
        let wanted =
            move |heading: &&Heading| level.is_none_or(|level| heading.level <= Some(level));
        self.open.iter().filter(wanted)
    }

    /// The innermost section down to `level`, which is made to begin at `start` if it begins later:
    /// headings without text of their own go along with the first one that has some.
    pub(super) fn section(&mut self, level: Option<u8>, start: Place) -> SectionId {
        let innermost = self
            .down_to(level)
            .next_back()
            .map(|heading| heading.section);
        let Some(section) = innermost else {
            self.begin(None, String::new(), start);
            return SectionId(self.sections.len().saturating_sub(1));
        };
        if let Some((begin, _)) = self.sections.get_mut(section.0)
            && start.bytes < begin.bytes
        {
            *begin = start;
        }
        section
    }

    /// Where a section stands that is over.
    pub(super) fn span(&self, section: SectionId) -> Option<Span> {
        let (start, end) = self.sections.get(section.0)?;
        Some(span(*start, *end))
    }
}

/// The part between two places.
pub(super) fn span(start: Place, end: Place) -> Span {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Span {
        start_char: count(start.chars),
        end_char: count(end.chars),
        start_line: count(start.line),
        end_line: count(end.line),
    }
}
