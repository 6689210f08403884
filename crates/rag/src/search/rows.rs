//! What the index knows of each chunk beside the library's postings.
//!
//! Invariants:
//! - The words of a chunk are kept packed, as they are shown for few chunks of many.
//! - A document's [`Rows`] never changes; another version is another entry, so a search that holds
//!   an old state reads it whole.
//! - [`Terms`] holds a chunk's words in order, each as the hashes of its forms. Two forms with equal
//!   hashes would be taken for each other; with 31 bits that is one in two billion pairs.

use std::hash::Hasher as _;
use std::io;

use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};

use crate::model::{Chunk, Document, DocumentId, Span};
use crate::search::analysis::{Word, words};
use crate::search::index::IndexError;

/// Marks the first form of a word.
const FIRST: u32 = 1 << 31;

/// The hash of an index term, in the lower 31 bits.
pub(crate) fn term_hash(term: &str) -> u32 {
    // FNV-1a, 64 bits, folded: the same in every process, so that answers are.
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.write(term.as_bytes());
    let folded = hash.finish() ^ (hash.finish() >> 33);
    u32::try_from(folded & u64::from(FIRST - 1)).unwrap_or(0)
}

struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The informative words of a text in order.
#[derive(Debug, Default)]
pub(crate) struct Terms(Box<[u32]>);

impl Terms {
    pub(crate) fn of(words: &[Word]) -> Self {
        let mut hashes = Vec::new();
        for word in words {
            push(&mut hashes, word);
            for part in &word.parts {
                push(&mut hashes, part);
            }
        }
        Self(hashes.into_boxed_slice())
    }

    /// The words' hashes, each with its word's place from 0.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut place = u32::MAX;
        self.0.iter().map(move |marked| {
            if marked & FIRST != 0 {
                place = place.wrapping_add(1);
            }
            (place, marked & !FIRST)
        })
    }

    /// The hashes, ascending, each once.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut hashes: Vec<u32> = self.iter().map(|(_, hash)| hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().filter(|marked| **marked & FIRST != 0).count()
    }
}

fn push(hashes: &mut Vec<u32>, word: &Word) {
    for (at, form) in word.forms.iter().enumerate() {
        let first = if at == 0 { FIRST } else { 0 };
        hashes.push(term_hash(form) | first);
    }
}

/// A text in less memory. Equal texts are equal packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    pub(crate) fn of(text: &str) -> Self {
        Self(compress_prepend_size(text.as_bytes()).into_boxed_slice())
    }

    /// The text.
    pub(crate) fn text(&self) -> Result<String, IndexError> {
        let bytes = decompress_size_prepended(&self.0).map_err(io::Error::other)?;
        String::from_utf8(bytes).map_err(|error| io::Error::other(error).into())
    }
}

/// A chunk as it is searched.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) ordinal: u32,
    pub(crate) heading_path: Vec<String>,
    pub(crate) text: Packed,
    pub(crate) span: Span,
    pub(crate) section: Span,
    /// What the chunk's context says beyond the headings.
    pub(crate) lead: String,
    /// The words of the text.
    pub(crate) body: Terms,
    /// Those of the heading right above it.
    pub(crate) heading: Terms,
    /// Those of the headings further up, the title and the file name.
    pub(crate) above: Terms,
}

/// A document as it is searched.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) id: DocumentId,
    pub(crate) source: String,
    pub(crate) title: String,
    pub(crate) collection: Option<String>,
    /// By ordinal.
    pub(crate) chunks: Vec<Row>,
    /// The words of all rows.
    pub(crate) words: u32,
}

impl Rows {
    /// The entry, and for each row the text that the library indexes.
    pub(crate) fn read(document: &Document, chunks: &[Chunk]) -> (Self, Vec<String>) {
        let title = words(&format!("{}\n{}", document.title, document.source));
        let mut indexed = Vec::with_capacity(chunks.len());
        let mut rows = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let (last, outer) = chunk
                .heading_path
                .split_last()
                .map_or((String::new(), String::new()), |(last, outer)| {
                    (last.clone(), outer.join("\n"))
                });
            let (body, heading) = (words(&chunk.text), words(&last));
            // What the context says beyond the headings: the head of a table that goes on.
            let more = chunk.context.lines();
            let more: Vec<&str> = more
                .filter(|line| !chunk.heading_path.iter().any(|heading| heading == line))
                .collect();
            let lead = more.join("\n");
            let mut above = words(&format!("{outer}\n{lead}"));
            above.extend(title.iter().cloned());
            let mut terms = String::with_capacity(chunk.text.len() * 2);
            // A heading counts twice, as it tells what the section is about.
            for word in body.iter().chain(&heading).chain(&heading).chain(&above) {
                for term in word.terms() {
                    terms.push_str(term);
                    terms.push(' ');
                }
            }
            indexed.push(terms);
            rows.push(Row {
                ordinal: chunk.ordinal,
                heading_path: chunk.heading_path.clone(),
                text: Packed::of(&chunk.text),
                span: chunk.span,
                section: chunk.section,
                lead,
                body: Terms::of(&body),
                heading: Terms::of(&heading),
                above: Terms::of(&above),
            });
        }
        let count = rows.iter().map(|row: &Row| row.body.len()).sum::<usize>();
        let entry = Self {
            words: u32::try_from(count).unwrap_or(u32::MAX),
            id: document.id,
            source: document.source.clone(),
            title: document.title.clone(),
            collection: document.collection.clone(),
            chunks: rows,
        };
        (entry, indexed)
    }

    /// The chunk at `ordinal`.
    pub(crate) fn row(&self, ordinal: u32) -> Option<&Row> {
        let at = usize::try_from(ordinal).ok()?;
        self.chunks
            .get(at)
            .filter(|row| row.ordinal == ordinal)
            .or_else(|| self.chunks.iter().find(|row| row.ordinal == ordinal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_keep_their_order_and_count_words_once() {
        let terms = Terms::of(&words("the execuções of FIN_GL_POST"));
        let places: Vec<u32> = terms.iter().map(|(place, _)| place).collect();
        assert_eq!(terms.len(), 5);
        assert_eq!(places.first(), Some(&0));
        assert_eq!(places.last(), Some(&4));
        assert!(
            terms
                .iter()
                .any(|found| found == (1, term_hash("fin_gl_post")))
        );
    }

    #[test]
    fn a_packed_text_comes_back_as_it_was() {
        for text in ["", "a", "Não há espaço.", &"the same again. ".repeat(80)] {
            assert_eq!(Packed::of(text).text().unwrap(), text);
        }
        assert!(Packed::of(&"the same again. ".repeat(80)).0.len() < 100);
    }

    #[test]
    fn a_hash_has_no_mark_and_is_the_same_in_every_process() {
        assert_eq!(term_hash("plan"), term_hash("plan"));
        assert_ne!(term_hash("plan"), term_hash("job"));
        assert_eq!(term_hash("plan") & FIRST, 0);
    }
}
