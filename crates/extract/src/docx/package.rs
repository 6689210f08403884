//! The ZIP package of a document.

use std::io::{BufReader, Cursor, Read as _};

use quick_xml::events::Event;
use zip::ZipArchive;
use zip::result::ZipError;

use super::xml;
use crate::refusal::Refusal;

/// The most that one part may unpack to, in bytes. Parts are read as a stream, so that this costs time
/// and no memory.
const MAX_PART: u64 = 256 * 1024 * 1024;
/// A part that unpacks to more than this, and to more than [`MAX_RATIO`] times its size, is a trap.
const SUSPICIOUS_PART: u64 = 16 * 1024 * 1024;
/// Word's own XML shrinks to a twentieth, of repetitive tables to a sixtieth.
const MAX_RATIO: u64 = 150;

/// An opened package.
pub(super) struct Package {
    archive: ZipArchive<Cursor<Vec<u8>>>,
}

impl Package {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, Refusal> {
        let archive = ZipArchive::new(Cursor::new(bytes));
        let archive = archive.map_err(|_| {
            Refusal::unreadable("it is cut off or damaged: its table of contents cannot be read")
        })?;
        Ok(Self { archive })
    }

    /// The part with the text; what the package is instead, when it is no document of Word.
    pub(super) fn main_part(&mut self) -> Result<String, Refusal> {
        let mut main = None;
        self.each_event("_rels/.rels", |event| {
            if let Event::Start(element) | Event::Empty(element) = event
                && xml::is(element, "Relationship")
                && xml::attribute(element, "Type")
                    .is_some_and(|kind| kind.ends_with("/officeDocument"))
            {
                main = xml::attribute(element, "Target");
            }
            Ok(())
        })?;
        let main = main.map(|target| target.trim_start_matches('/').to_owned());
        if let Some(main) =
            main.filter(|main| main.starts_with("word/") || main.ends_with("document.xml"))
        {
            return Ok(main);
        }
        let names = || self.archive.file_names().flatten();
        if names().any(|name| name == "word/document.xml") {
            return Ok("word/document.xml".to_owned());
        }
        let has = |start: &str| names().any(|name| name.starts_with(start));
        Err(Refusal::unsupported(if has("xl/") {
            "an Excel workbook; save its sheets as CSV"
        } else if has("ppt/") {
            "a PowerPoint presentation; save it as PDF"
        } else if has("mimetype") {
            "an OpenDocument or EPUB file; save it as DOCX or PDF"
        } else if has("META-INF/") {
            "a Java archive"
        } else {
            "a ZIP archive"
        }))
    }

    /// The title that the document states of itself.
    pub(super) fn title(&mut self) -> Result<Option<String>, Refusal> {
        let (mut title, mut inside) = (String::new(), false);
        self.each_event("docProps/core.xml", |event| {
            match event {
                Event::Start(element) => inside = xml::is(element, "title"),
                Event::End(_) => inside = false,
                _ if inside => xml::push_text(event, &mut title),
                _ => {}
            }
            Ok(())
        })?;
        let title = title.trim();
        Ok((!title.is_empty()).then(|| title.to_owned()))
    }

    /// Hands on each event of a part; `false` when there is no such part.
    pub(super) fn each_event(
        &mut self,
        name: &str,
        mut take: impl FnMut(&Event<'_>) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        let part = match self.archive.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(false),
            Err(_) => return Err(damaged()),
        };
        if part.encrypted() {
            return Err(Refusal::unreadable(
                "it is encrypted with a password; save a copy without one",
            ));
        }
        let trap =
            || Refusal::unreadable("it unpacks to far more than its size: it looks like a trap");
        let packed = part.compressed_size().max(1);
        let most = SUSPICIOUS_PART
            .max(packed.saturating_mul(MAX_RATIO))
            .min(MAX_PART);
        // One byte more than allowed tells that there is more, whatever the package says of its size.
        let limited = BufReader::new(part.take(most + 1));
        let mut reader = quick_xml::Reader::from_reader(limited);
        let mut buffer = Vec::new();
        loop {
            let event = reader.read_event_into(&mut buffer);
            if reader.buffer_position() > most {
                return Err(trap());
            }
            match event.map_err(|_| damaged())? {
                Event::Eof => return Ok(true),
                Event::DocType(_) => {
                    return Err(Refusal::unreadable(
                        "it declares a document type, which no document of Word does",
                    ));
                }
                event => take(&event)?,
            }
            buffer.clear();
        }
    }
}

fn damaged() -> Refusal {
    Refusal::unreadable("it is cut off or damaged: one of its parts cannot be read")
}
