//! Cutting a block that is too long, and catalogues, which are cut at their entries.
//!
//! Invariants:
//! - Parts are in order, disjoint, and hold every visible character of the block.
//! - A block that fits the target is one part, unless it is a catalogue: there each entry is one.
//! - A table's part without the table's head has the head as its lead; a part of an entry without the
//!   entry's first line has that line.

use std::collections::VecDeque;
use std::sync::Arc;

use super::blocks::{Block, Kind, Shape};
use super::entries::{Entry, continues_row, entry, row_id};
use super::lines::{Line, Place, head, item, outdented};

/// Most code points of a lead.
pub(super) const MAX_LEAD_CHARS: usize = 300;

/// The lines as one block, or as several; blank lines at the end are left out.
pub(super) fn parts<'a>(
    kind: &Kind,
    shape: Shape,
    lines: impl Iterator<Item = Line<'a>> + Clone,
    target: usize,
) -> VecDeque<Block> {
    let mut visible = lines.clone().filter(|line| !line.is_blank());
    let Some(first) = visible.next() else {
        return VecDeque::new();
    };
    let catalogue = match shape {
        _ if *kind != Kind::Body => false,
        Shape::Code => false,
        Shape::Table => visible.clone().any(|row| row_id(row.text).is_some()),
        Shape::Prose => entry(first.text) != Entry::No,
    };
    let last = visible.last().unwrap_or(first);
    let (start, end) = (first.start, last.end());
    let fits = end.chars - start.chars <= target;
    if *kind != Kind::Body || (fits && !catalogue) {
        return VecDeque::from([Block {
            kind: kind.clone(),
            entry: Entry::No,
            lead: None,
            start,
            end,
        }]);
    }
    let mut cutter = Cutter {
        target,
        catalogue,
        head: (shape == Shape::Table).then(|| lead(first.text)),
        rows: false,
        entry_line: None,
        found: VecDeque::new(),
        open: None,
    };
    let mut rest = lines;
    let mut at = 0;
    while let Some(line) = rest.next() {
        if line.is_blank() {
            continue;
        }
        match shape {
            // The head and its rule go with the first row.
            Shape::Table if at >= 2 => cutter.row(&line),
            Shape::Prose => cutter.prose(&line, &rest),
            Shape::Table | Shape::Code => {}
        }
        cutter.take(&line);
        at += 1;
    }
    cutter.close();
    cutter.found
}

/// `text` as a lead.
pub(super) fn lead(text: &str) -> Arc<str> {
    Arc::from(head(text.trim(), MAX_LEAD_CHARS))
}

struct Part {
    start: Place,
    end: Place,
    entry: Entry,
    lead: Option<Arc<str>>,
}

struct Cutter {
    target: usize,
    catalogue: bool,
    /// The head of the table.
    head: Option<Arc<str>>,
    /// Whether rows below the head have come.
    rows: bool,
    /// The first line of the entry that is being cut.
    entry_line: Option<Arc<str>>,
    found: VecDeque<Block>,
    open: Option<Part>,
}

impl Cutter {
    fn close(&mut self) {
        if let Some(part) = self.open.take() {
            self.found.push_back(Block {
                kind: Kind::Body,
                entry: part.entry,
                lead: part.lead,
                start: part.start,
                end: part.end,
            });
        }
    }

    /// Before a row below the head of a table.
    fn row(&mut self, row: &Line<'_>) {
        let first = !std::mem::replace(&mut self.rows, true);
        if !self.catalogue || continues_row(row.text) {
            return;
        }
        let id = row_id(row.text);
        let entry = id.map_or(Entry::No, |_| Entry::Whole);
        let after_entry = self.entry_line.is_some();
        self.entry_line = id.map(lead);
        match &mut self.open {
            // The head waits for the first row.
            Some(head) if first => head.entry = entry,
            Some(_) if id.is_none() && !after_entry => {}
            _ => {
                self.close();
                self.begin(row.start, entry);
            }
        }
    }

    /// Before a line of text; `rest` are the lines after it.
    fn prose<'a>(&mut self, line: &Line<'a>, rest: &(impl Iterator<Item = Line<'a>> + Clone)) {
        let entry = if self.catalogue {
            entry(line.text)
        } else {
            Entry::No
        };
        if entry != Entry::No {
            self.close();
            self.begin(line.start, entry);
            self.entry_line = Some(lead(line.text));
            return;
        }
        let is_item = |line: &Line<'_>| outdented(line.text).and_then(item).is_some();
        let Some(part) = self.open.as_ref().filter(|_| is_item(line)) else {
            return;
        };
        // An item that would be cut stays whole in the next part, if it fits there.
        let mut end = line.end();
        for next in rest.clone() {
            if is_item(&next) || end.chars - line.start.chars > self.target {
                break;
            }
            if !next.is_blank() {
                end = next.end();
            }
        }
        let fits = end.chars - line.start.chars <= self.target;
        if fits && end.chars - part.start.chars > self.target {
            self.close();
        }
    }

    fn begin(&mut self, start: Place, entry: Entry) {
        let lead = self.head.clone().filter(|_| !self.found.is_empty());
        self.open = Some(Part {
            start,
            end: start,
            entry,
            lead,
        });
    }

    /// Adds the line, in pieces where it is too long.
    fn take(&mut self, line: &Line<'_>) {
        for (start, end) in pieces(line, self.target) {
            match &mut self.open {
                Some(part) if end.chars - part.start.chars <= self.target => part.end = end,
                open => {
                    // A part that was only begun has nothing of its line yet.
                    let begun = open.as_ref().is_some_and(|part| part.end == part.start);
                    if begun {
                        if let Some(part) = open {
                            (part.start, part.end) = (start, end);
                        }
                        continue;
                    }
                    self.close();
                    self.open = Some(Part {
                        start,
                        end,
                        entry: Entry::No,
                        lead: self.lead_of_more(),
                    });
                }
            }
        }
    }

    /// The lead of a part that goes on with a table or an entry.
    fn lead_of_more(&self) -> Option<Arc<str>> {
        if self.found.is_empty() {
            return None;
        }
        match (&self.head, &self.entry_line) {
            (Some(head), Some(entry)) => Some(Arc::from(format!("{head}\n{entry}"))),
            (Some(lead), None) | (None, Some(lead)) => Some(Arc::clone(lead)),
            (None, None) => None,
        }
    }
}

/// The line, or parts of at most `target` code points that end at a blank where there is one.
fn pieces(line: &Line<'_>, target: usize) -> Vec<(Place, Place)> {
    if line.is_blank() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let (mut start, mut rest) = (line.start, line.text);
    loop {
        let cut = rest.char_indices().nth(target).map(|(at, _)| at);
        let Some(limit) = cut else {
            let end = line.end();
            if !rest.trim().is_empty() {
                parts.push((start, end));
            }
            return parts;
        };
        let head = rest.get(..limit).unwrap_or(rest);
        let at = head.rfind(' ').map_or(limit, |blank| blank + 1);
        let (part, remaining) = rest.split_at(at);
        let next = Place {
            bytes: start.bytes + part.len(),
            chars: start.chars + part.chars().count(),
            line: start.line,
        };
        if !part.trim().is_empty() {
            parts.push((start, next));
        }
        (start, rest) = (next, remaining);
    }
}
