//! Cutting a stored text into chunks along its headings.
//!
//! Invariants (the module's tests prove them on generated texts):
//! - A chunk's text is the stored text's slice at its span; chunks are in order and disjoint, and
//!   together hold every visible character.
//! - A code fence or a table that fits the target stays whole; a heading stays with the text below
//!   it. Where the two meet, a chunk may exceed the target by its headings, never by more.

mod blocks;

use thiserror::Error;

use crate::chunk::blocks::{Block, Kind, blocks};
use crate::model::{Chunk, DocumentId, Media, Span};

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
    let mut path = HeadingPath::default();
    let mut open = Open::default();
    let mut packer = Packer {
        document,
        text,
        chunks: Vec::new(),
    };
    for block in blocks(text, media, target) {
        if packer.chunks.len() > max {
            return Err(TooManyChunks { max });
        }
        if let Kind::Heading { level, title } = &block.kind {
            // A heading with nothing but deeper headings below it goes along with them.
            if open.has_body || open.level.is_some_and(|above| *level <= above) {
                packer.close(&mut open, &path);
            }
            path.enter(*level, title);
            open.level = Some(*level);
            open.take(&block);
            continue;
        }
        if open.has_body && open.chars_with(&block) > target {
            packer.close(&mut open, &path);
        }
        open.take(&block);
        open.has_body = true;
    }
    packer.close(&mut open, &path);
    if packer.chunks.len() > max {
        return Err(TooManyChunks { max });
    }
    Ok(packer.chunks)
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

/// The headings that are open at a place.
#[derive(Debug, Default)]
struct HeadingPath(Vec<(u8, String)>);

impl HeadingPath {
    fn enter(&mut self, level: u8, title: &str) {
        self.0.retain(|(above, _)| *above < level);
        self.0.push((level, title.to_owned()));
    }

    fn titles(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(_, title)| title.clone())
            .filter(|title| !title.is_empty())
            .collect()
    }
}

/// The chunk that is being filled.
#[derive(Debug, Default)]
struct Open {
    blocks: Option<(Block, Block)>,
    has_body: bool,
    level: Option<u8>,
}

impl Open {
    fn take(&mut self, block: &Block) {
        let first = self
            .blocks
            .take()
            .map_or_else(|| block.clone(), |(first, _)| first);
        self.blocks = Some((first, block.clone()));
    }

    fn chars_with(&self, block: &Block) -> usize {
        let start = self
            .blocks
            .as_ref()
            .map_or(block.start.chars, |(first, _)| first.start.chars);
        block.end.chars - start
    }
}

struct Packer<'a> {
    document: DocumentId,
    text: &'a str,
    chunks: Vec<Chunk>,
}

impl Packer<'_> {
    fn close(&mut self, open: &mut Open, path: &HeadingPath) {
        open.has_body = false;
        open.level = None;
        let Some((first, last)) = open.blocks.take() else {
            return;
        };
        let Some(text) = self.text.get(first.start.bytes..last.end.bytes) else {
            return;
        };
        let heading_path = path.titles();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let span = Span {
            start_char: count(first.start.chars),
            end_char: count(last.end.chars),
            start_line: count(first.start.line),
            end_line: count(last.end.line),
        };
        self.chunks.push(Chunk {
            document: self.document,
            ordinal: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            context: heading_path.join("\n"),
            heading_path,
            text: text.to_owned(),
            span,
            section: span,
        });
    }
}

#[cfg(test)]
mod tests;
