//! What a file is, by its content.
//!
//! Invariant: the name decides between kinds of text alone; a PDF is a PDF whatever it is called.

use serde::de::IgnoredAny;

use resync_rag::text::Decoded;

use crate::decode::{binary, decode, is_binary};
use crate::records;
use crate::refusal::Refusal;

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Markdown, taken as it is.
    Markdown,
    /// Plain text, taken as it is.
    Text,
    /// Records in columns.
    Csv,
    /// HTML.
    Html,
    /// JSON; an `OpenAPI` document among it.
    Json,
    /// An `OpenAPI` document in YAML.
    Yaml,
    /// A ZIP package; DOCX is one.
    Package,
    /// PDF.
    Pdf,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Markdown,
        Self::Text,
        Self::Csv,
        Self::Html,
        Self::Json,
        Self::Yaml,
        Self::Package,
        Self::Pdf,
    ];

    /// The word for the worker's argument.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Package => "package",
            Self::Pdf => "pdf",
        }
    }

    /// Reads [`Kind::word`] back.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Markdown => "Markdown",
            Self::Text => "text",
            Self::Csv => "CSV",
            Self::Html => "HTML",
            Self::Json => "JSON",
            Self::Yaml => "OpenAPI",
            Self::Package => "DOCX",
            Self::Pdf => "PDF",
        }
    }

    /// Whether it is taken as it is, without a parser.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Markdown | Self::Text)
    }
}

/// Kinds that are known and not read, by their first bytes.
const UNREAD: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"{\\rtf", "an RTF document; save it as DOCX"),
    (b"%!PS", "a PostScript file; save it as PDF"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\0", "a program"),
    (b"SQLite format 3\0", "a database"),
];

/// Word, Excel and `PowerPoint` before 2007, and whatever of Office has a password.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// How far into a file its PDF header may stand, in bytes.
const PDF_HEADER: usize = 1024;

/// What a look at a file gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) kind: Kind,
    /// The file; a text as UTF-8.
    pub(crate) bytes: Vec<u8>,
    /// The encoding of a text.
    pub(crate) encoding: Option<&'static str>,
}

/// Refuses at the door what [`look`] is sure to refuse, by a few first bytes.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let known = bytes.starts_with(OLE) || by_first_bytes(name, bytes)?.is_some();
    if known || !is_binary(bytes) {
        return Ok(());
    }
    Err(binary())
}

/// The kind that the first bytes tell, or `None` for what may be a text.
fn by_first_bytes(name: &str, bytes: &[u8]) -> Result<Option<Kind>, Refusal> {
    if let Some((_, kind)) = UNREAD.iter().find(|(first, _)| bytes.starts_with(first)) {
        return Err(Refusal::unsupported(*kind));
    }
    let head = bytes.get(..PDF_HEADER).unwrap_or(bytes);
    // What stands before the header is no text that happens to speak of PDF.
    let pdf = head.windows(5).position(|part| part == b"%PDF-");
    if pdf.is_some_and(|at| at == 0 || extension(name) == "pdf") {
        return Ok(Some(Kind::Pdf));
    }
    let package = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06");
    Ok(package.then_some(Kind::Package))
}

/// The kind of `bytes`, and the bytes.
pub(crate) fn look(name: &str, bytes: Vec<u8>) -> Result<Looked, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::empty());
    }
    if bytes.starts_with(OLE) {
        let mark: Vec<u8> = "EncryptedPackage"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        return Err(if bytes.windows(mark.len()).any(|part| part == mark) {
            Refusal::unreadable("it is encrypted with a password; save a copy without one")
        } else {
            Refusal::unsupported("a document of Office before 2007; save it as DOCX")
        });
    }
    if let Some(kind) = by_first_bytes(name, &bytes)? {
        return Ok(Looked {
            kind,
            bytes,
            encoding: None,
        });
    }
    let Decoded { text, encoding } = decode(bytes)?;
    if text.trim().is_empty() {
        return Err(Refusal::empty());
    }
    Ok(Looked {
        kind: of_text(name, &text)?,
        bytes: text.into_bytes(),
        encoding: Some(encoding),
    })
}

fn extension(name: &str) -> String {
    let (_, extension) = name.rsplit_once('.').unwrap_or_default();
    extension.to_ascii_lowercase()
}

fn of_text(name: &str, text: &str) -> Result<Kind, Refusal> {
    let extension = extension(name);
    let body = text.trim_start();
    let head: String = body
        .chars()
        .take(1024)
        .collect::<String>()
        .to_ascii_lowercase();
    let starts = |mark: &str| head.starts_with(mark);
    if starts("<!doctype html") || starts("<html") || (starts("<?xml") && head.contains("<html")) {
        return Ok(Kind::Html);
    }
    if body.starts_with(['{', '[']) && extension != "md" && extension != "markdown" {
        match serde_json::from_str::<IgnoredAny>(body) {
            Ok(_) => return Ok(Kind::Json),
            Err(error) if extension == "json" => {
                return Err(Refusal::unreadable(format!(
                    "it is not valid JSON: {error}"
                )));
            }
            Err(_) => {}
        }
    }
    Ok(match extension.as_str() {
        "md" | "markdown" => Kind::Markdown,
        "html" | "htm" | "xhtml" if has_tags(body) => Kind::Html,
        "yaml" | "yml" if is_openapi_yaml(body) => Kind::Yaml,
        "csv" | "tsv" if records::delimiter(body).is_some() => Kind::Csv,
        "txt" | "text" | "log" | "html" | "htm" | "xhtml" | "yaml" | "yml" | "csv" | "tsv" => {
            Kind::Text
        }
        _ => of_unnamed(body, &head),
    })
}

/// The kind of a text whose name says nothing.
fn of_unnamed(body: &str, head: &str) -> Kind {
    if head.starts_with('<')
        && ["<head", "<body", "<div", "<p>", "<h1", "<table"]
            .iter()
            .any(|tag| head.contains(tag))
    {
        Kind::Html
    } else if is_openapi_yaml(body) {
        Kind::Yaml
    } else if looks_like_markdown(body) {
        Kind::Markdown
    } else if records::is_certain(body) {
        Kind::Csv
    } else {
        Kind::Text
    }
}

fn has_tags(body: &str) -> bool {
    body.match_indices('<').take(1000).any(|(at, _)| {
        let tag = body.get(at + 1..).unwrap_or("");
        let tag = tag.strip_prefix('/').unwrap_or(tag);
        tag.starts_with(|c: char| c.is_ascii_alphabetic())
            && tag.chars().take(512).any(|c| c == '>')
    })
}

/// A line of the top level that names the version of `OpenAPI`.
fn is_openapi_yaml(body: &str) -> bool {
    let keys = ["openapi:", "swagger:", "\"openapi\":", "'openapi':"];
    let lines = || body.lines().take(500);
    lines().any(|line| keys.iter().any(|key| line.starts_with(key)))
        && body
            .lines()
            .any(|line| line.starts_with("paths:") || line.starts_with("components:"))
}

fn looks_like_markdown(body: &str) -> bool {
    body.lines().take(200).any(|line| {
        let after = line.trim_start_matches('#');
        let level = line.len() - after.len();
        ((1..=6).contains(&level) && after.starts_with(' ')) || line.starts_with("```")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, bytes: &[u8]) -> Result<Kind, Refusal> {
        look(name, bytes.to_vec()).map(|looked| looked.kind)
    }

    #[test]
    fn content_decides_whatever_the_name_says() {
        let html = b"<!DOCTYPE html><p>x";
        for name in ["a.pdf", "a.md", "a.docx", "a", "a.csv"] {
            assert_eq!(kind(name, html), Ok(Kind::Html), "{name}");
            assert_eq!(kind(name, b"%PDF-1.7\n"), Ok(Kind::Pdf), "{name}");
            assert_eq!(kind(name, b"PK\x03\x04.."), Ok(Kind::Package), "{name}");
        }
        assert_eq!(kind("a.pdf", b"plain words"), Ok(Kind::Text));
        assert_eq!(kind("a.txt", b"about %PDF-1.7 files"), Ok(Kind::Text));
    }

    #[test]
    fn a_name_decides_between_kinds_of_text() {
        let text = b"a;b\n1;2\n";
        assert_eq!(kind("a.csv", text), Ok(Kind::Csv));
        assert_eq!(kind("a.txt", text), Ok(Kind::Text));
        assert_eq!(kind("a.md", b"[link](x) and {x}"), Ok(Kind::Markdown));
        assert_eq!(kind("a", b"[link](x) and {x}"), Ok(Kind::Text));
        assert_eq!(kind("a", b"# Title\n\ntext"), Ok(Kind::Markdown));
        assert_eq!(kind("a.txt", b"{\"a\": 1}"), Ok(Kind::Json));
        assert_eq!(kind("a", b"openapi: 3.1.0\npaths: {}\n"), Ok(Kind::Yaml));
        assert_eq!(kind("a.yaml", b"name: x\n"), Ok(Kind::Text));
        assert_eq!(kind("a.htm", b"1 < 2 and 3 > 2"), Ok(Kind::Text));
        assert_eq!(kind("a.html", b"<p>x</p>"), Ok(Kind::Html));
    }

    #[test]
    fn what_the_door_refuses_the_reader_refuses_too() {
        for bytes in [
            &b"\x89PNG\r\n\x1a\n"[..],
            b"ab\0cd",
            b"\x01\0\x02\x03",
            b"MZ\x90\0",
        ] {
            assert!(check("a.md", bytes).is_err() && kind("a.md", bytes).is_err());
        }
        let wide: Vec<u8> = "wide text"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [
            &wide[..],
            b"\xff\xfea\0",
            b"%PDF-1.7\n\0",
            b"PK\x03\x04\0",
            b"text",
            OLE,
        ] {
            assert_eq!(check("a.pdf", bytes), Ok(()));
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let refused = kind("a.md", b"\x89PNG\r\n\x1a\n").unwrap_err();
        assert_eq!(refused, Refusal::unsupported("a PNG image"));
        assert_eq!(kind("a.md", b" \n"), Err(Refusal::empty()));
        let mut ole = OLE.to_vec();
        assert!(matches!(kind("a.docx", &ole), Err(Refusal::Unsupported(_))));
        ole.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
        assert!(
            matches!(kind("a.docx", &ole), Err(Refusal::Unreadable(why)) if why.contains("password"))
        );
        let broken = kind("a.json", b"{\"a\": ");
        assert!(matches!(broken, Err(Refusal::Unreadable(why)) if why.contains("line 1")));
    }

    #[test]
    fn every_kind_reads_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.word()), Some(kind));
        }
    }
}
