//! Cutting a stored text into chunks along its headings.
//!
//! Invariants (the module's tests prove them on generated texts):
//! - A chunk's text is the stored text's slice at its span; chunks are in order and disjoint, and
//!   together hold every visible character.
//! - A code fence, a list or a table that fits the target stays whole; a heading stays with the text
//!   below it. Where the two meet, a chunk may exceed the target by its headings, never by more.
//! - An entry of a catalogue of messages, whether a heading, a line, an item or a table's row begins
//!   it, is a chunk of its own, or several when it does not fit the target.
//! - A chunk's context has what its text lacks: the headings above it, the head of the table and the
//!   first line of the entry that it goes on with.
//! - A chunk's section holds its span; two sections are apart or one holds the other.
//! - The work grows with the text alone, however many headings it has and however deep they are.

mod blocks;
mod entries;
mod lines;
mod outline;
mod parts;

use std::sync::Arc;

use thiserror::Error;

use self::blocks::{Block, Kind, blocks};
use self::entries::{Entry, entry};
use self::lines::Place;
use self::outline::{Outline, SectionId, span};
use self::parts::lead;
use crate::model::{Chunk, DocumentId, Media};

/// The least target that is used.
const MIN_CHUNK_CHARS: usize = 200;

/// A text has more chunks than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text has more than {max} chunks")]
pub struct TooManyChunks {
    /// The room.
    pub max: usize,
}

/// The chunks of `text`, at most `max`, each about `target` code points (at least 200) or the part
/// of a section that is left. `text` must be normalised: `\n` as its only line end.
///
/// # Errors
/// [`TooManyChunks`] as soon as there is one more than `max`.
pub fn chunk(
    document: DocumentId,
    text: &str,
    media: Media,
    target: usize,
    max: usize,
) -> Result<Vec<Chunk>, TooManyChunks> {
    let target = target.max(MIN_CHUNK_CHARS);
    let mut packer = Packer {
        document,
        text,
        target,
        outline: Outline::default(),
        open: None,
        entry_line: None,
        last_end: Place::START,
        chunks: Vec::new(),
        sections: Vec::new(),
    };
    for block in blocks(text, media, target) {
        if packer.chunks.len() > max {
            return Err(TooManyChunks { max });
        }
        match &block.kind {
            Kind::Heading { level, title } => packer.heading(&block, *level, title),
            Kind::Body => packer.body(&block),
        }
        packer.last_end = block.end;
    }
    packer.close();
    if packer.chunks.len() > max {
        return Err(TooManyChunks { max });
    }
    Ok(packer.finish())
}

/// The text of the first heading of level 1, if there is one.
#[must_use]
pub fn title(text: &str, media: Media) -> Option<String> {
    blocks(text, media, usize::MAX).find_map(|block| match block.kind {
        Kind::Heading { level: 1, title } => {
            Some(crate::text::visible(&title)).filter(|title| !title.is_empty())
        }
        _ => None,
    })
}

/// The chunk that is being filled.
struct Open {
    start: Place,
    end: Place,
    has_body: bool,
    /// The level of the last heading in it.
    level: Option<u8>,
    /// Where the text ends and where the headings begin that no text has followed yet.
    tail: Option<(Place, Place)>,
    /// The level of the heading that begins the entry that this is.
    entry_level: Option<u8>,
    /// Whether nothing may join it, as an entry has ended.
    sealed: bool,
    lead: Option<Arc<str>>,
}

impl Open {
    fn at(block: &Block) -> Self {
        Self {
            start: block.start,
            end: block.end,
            has_body: false,
            level: None,
            tail: None,
            entry_level: None,
            sealed: false,
            lead: None,
        }
    }
}

struct Packer<'a> {
    document: DocumentId,
    text: &'a str,
    target: usize,
    outline: Outline,
    open: Option<Open>,
    /// The first line of the entry that goes on until another one or a heading.
    entry_line: Option<Arc<str>>,
    /// The end of the last block.
    last_end: Place,
    chunks: Vec<Chunk>,
    /// The section of each chunk; where it ends is known later.
    sections: Vec<SectionId>,
}

impl Packer<'_> {
    fn heading(&mut self, block: &Block, level: u8, title: &str) {
        let is_entry = entry(title) == Entry::Begins;
        if let Some(open) = &mut self.open {
            // A heading with nothing but deeper headings below it goes along with them, and the parts
            // of an entry stay together where they fit.
            let below = !open.has_body && open.level.is_none_or(|above| level > above);
            let part = open.entry_level.is_some_and(|entry| level > entry) && !is_entry;
            let fits = block.end.chars - open.start.chars <= self.target;
            if part && open.has_body && fits {
                open.tail = open.tail.or(Some((open.end, block.start)));
            } else if part && open.has_body {
                self.close_before_tail();
            } else if !below {
                self.close();
            }
        }
        self.outline.enter(level, title, block, self.last_end);
        self.entry_line = None;
        let open = self.open.get_or_insert_with(|| Open::at(block));
        open.end = block.end;
        open.level = Some(level);
        if is_entry {
            open.entry_level = open.entry_level.or(Some(level));
        }
    }

    fn body(&mut self, block: &Block) {
        if let Some(open) = self.open.as_ref().filter(|open| open.has_body) {
            let apart = open.sealed || block.entry != Entry::No;
            if apart || block.end.chars - open.start.chars > self.target {
                self.close_before_tail();
            }
        }
        let goes_on = self.entry_line.clone();
        let open = self.open.get_or_insert_with(|| Open {
            lead: goes_on.filter(|_| block.entry == Entry::No),
            ..Open::at(block)
        });
        if !open.has_body && block.lead.is_some() {
            open.lead.clone_from(&block.lead);
        }
        open.end = block.end;
        open.has_body = true;
        open.tail = None;
        open.sealed = block.entry == Entry::Whole;
        match block.entry {
            Entry::Begins => {
                let text = self.text.get(block.start.bytes..block.end.bytes);
                let first = text.and_then(|text| text.lines().next());
                self.entry_line = first.map(lead);
            }
            Entry::Whole => self.entry_line = None,
            Entry::No => {}
        }
    }

    /// Closes what is open; headings at its end that no text has followed wait for theirs.
    fn close_before_tail(&mut self) {
        let Some(open) = &mut self.open else { return };
        let Some((text_end, tail)) = open.tail.take() else {
            return self.close();
        };
        let waiting = Open {
            start: tail,
            end: open.end,
            has_body: false,
            level: open.level,
            tail: None,
            entry_level: None,
            sealed: false,
            lead: None,
        };
        open.end = text_end;
        self.close();
        self.open = Some(waiting);
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let Some(text) = self.text.get(open.start.bytes..open.end.bytes) else {
            return;
        };
        let whole = span(open.start, open.end);
        let heading_path = self.outline.titles(open.entry_level);
        let mut context = heading_path.join("\n");
        if let Some(lead) = &open.lead {
            if !context.is_empty() {
                context.push('\n');
            }
            context.push_str(lead);
        }
        let section = self.outline.section(open.entry_level, open.start);
        self.sections.push(section);
        self.chunks.push(Chunk {
            document: self.document,
            ordinal: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            heading_path,
            text: text.to_owned(),
            span: whole,
            context,
            section: whole,
        });
    }

    fn finish(mut self) -> Vec<Chunk> {
        self.outline.end(self.last_end);
        for (chunk, section) in self.chunks.iter_mut().zip(&self.sections) {
            if let Some(section) = self.outline.span(*section) {
                chunk.section = section;
            }
        }
        self.chunks
    }
}

#[cfg(test)]
mod tests;
