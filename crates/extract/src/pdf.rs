//! The text layer of a PDF, with its headings, lists, tables and columns.
//!
//! Invariants:
//! - Nothing is drawn and no file inside is opened: only the operators that show text are followed.
//! - What is unpacked is bounded for each stream, what is followed for the whole file; the worker's own
//!   limits end whatever is beyond.
//! - A file without a text layer, or with a password, says so.

mod blocks;
mod code_map;
mod columns;
mod content;
mod fonts;

use lopdf::{Document, Error, LoadOptions, Object};

use self::blocks::{Page, write};
use self::content::Content;
use crate::markdown::Markdown;
use crate::refusal::Refusal;
use crate::worker::Read;

/// The most that one stream may unpack to, in bytes.
pub(super) const MAX_STREAM: usize = 64 * 1024 * 1024;
/// More pages are several documents.
const MAX_PAGES: usize = 5000;
/// Pages with fewer characters of text each, on average, are pictures of text with a number below.
const SCANNED_CHARS: usize = 8;

/// Reads the document.
pub(crate) fn read(bytes: &[u8]) -> Result<Read, Refusal> {
    let options = LoadOptions::with_max_decompressed_size(MAX_STREAM);
    let document = Document::load_mem_with_options(bytes, options);
    let document = document.map_err(|error| refused(&error))?;
    let locked = document.trailer.has(b"Encrypt") && !document.was_encrypted();
    if locked || document.is_encrypted() {
        return Err(encrypted());
    }
    let ids: Vec<_> = document.page_iter().take(MAX_PAGES + 1).collect();
    if ids.len() > MAX_PAGES {
        return Err(Refusal::unreadable(format!(
            "it has more than {MAX_PAGES} pages; split it"
        )));
    }
    if ids.is_empty() {
        return Err(Refusal::unreadable(
            "it is cut off or damaged: it has no page that can be read",
        ));
    }
    let mut content = Content::new(&document);
    let mut pages = Vec::new();
    for id in &ids {
        let (size, runs) = content.page(*id)?;
        pages.push(Page::new(size, columns::lines(runs)));
    }
    let chars: usize = pages.iter().map(Page::chars).sum();
    if chars < (ids.len() * SCANNED_CHARS).min(200) {
        return Err(Refusal::unreadable(
            "it has no text layer, as scans have none; have its text recognised (OCR) first",
        ));
    }
    let mut md = Markdown::default();
    write(&pages, &mut md)?;
    let title = title(&document);
    let text = match &title {
        Some(title) if !md.has_top_heading() && !md.is_blank() => md.finish_below(title)?,
        _ => md.finish(),
    };
    Ok(Read::markdown("PDF", title, text))
}

fn encrypted() -> Refusal {
    Refusal::unreadable("it is encrypted with a password; save a copy without one")
}

fn refused(error: &Error) -> Refusal {
    match error {
        Error::InvalidPassword | Error::Decryption(_) => encrypted(),
        Error::Decompress(_) => too_large(),
        Error::RecursionLimit | Error::ReferenceLimit => Refusal::too_deep(),
        _ => Refusal::unreadable("it is cut off or damaged: its structure cannot be read"),
    }
}

pub(super) fn too_large() -> Refusal {
    Refusal::unreadable("it unpacks to far more than its size: it looks like a trap")
}

/// The title that the file states, unless it is the name of a file or of nothing.
fn title(document: &Document) -> Option<String> {
    let info = document
        .trailer
        .get_deref(b"Info", document)
        .and_then(Object::as_dict)
        .ok()?;
    let title = info.get_deref(b"Title", document).ok()?;
    let title = lopdf::decode_text_string(title).ok()?;
    let title = resync_rag::text::visible(&title);
    let lower = title.to_lowercase();
    let named_for_file = [
        ".doc", ".docx", ".pdf", ".indd", ".fm", ".rtf", ".odt", ".tmp",
    ]
    .iter()
    .any(|ending| lower.ends_with(ending));
    let of_nothing = lower.starts_with("microsoft word") || lower.starts_with("untitled");
    (!title.is_empty() && !named_for_file && !of_nothing).then_some(title)
}
