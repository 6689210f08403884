//! Builders of files, and the extractor under test.

use std::io::{Cursor, Write as _};

use resync_extract::{FileExtractor, WorkerCommand};
use resync_rag::{ExtractError, Extracted, TextExtractor as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// With workers of this crate's own binary.
pub(crate) fn extractor() -> FileExtractor {
    FileExtractor::new(Some(WorkerCommand::new(env!(
        "CARGO_BIN_EXE_resync-extract-worker"
    ))))
}

pub(crate) async fn extract(
    name: &str,
    bytes: impl Into<Vec<u8>>,
) -> Result<Extracted, ExtractError> {
    extractor().extract(name, bytes.into()).await
}

/// Why a file is not read; anything but a reason for its uploader fails.
pub(crate) async fn reason(name: &str, bytes: impl Into<Vec<u8>>) -> String {
    match extract(name, bytes).await {
        Err(error @ (ExtractError::Unreadable { .. } | ExtractError::Unsupported { .. })) => {
            error.to_string()
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// A ZIP package of these parts.
pub(crate) fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in parts {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const RELATIONSHIPS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>
</Relationships>"#;

/// The body inside a document of Word.
pub(crate) fn document(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>"#
    )
}

/// A DOCX of a document's XML and further parts.
pub(crate) fn docx(xml: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all = vec![
        ("_rels/.rels", RELATIONSHIPS.as_bytes()),
        ("word/document.xml", xml.as_bytes()),
    ];
    all.extend(parts);
    package(&all)
}

/// A PDF of objects, the first of which is the catalogue; `trailer` is added to its trailer.
pub(crate) fn pdf_of(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(pdf.len());
        pdf.extend(format!("{} 0 obj\n", at + 1).into_bytes());
        pdf.extend(object);
        pdf.extend(b"\nendobj\n");
    }
    let start = pdf.len();
    pdf.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).into_bytes());
    for place in places {
        pdf.extend(format!("{place:010} 00000 n \n").into_bytes());
    }
    let size = objects.len() + 1;
    pdf.extend(
        format!("trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n")
            .into_bytes(),
    );
    pdf
}

/// A stream with its dictionary's further entries.
pub(crate) fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let mut object = format!("<</Length {}{entries}>>\nstream\n", content.len()).into_bytes();
    object.extend(content);
    object.extend(b"\nendstream");
    object
}

/// A PDF whose pages show these contents with the fonts F1 (Helvetica), F2 (its bold) and F3 (Courier).
pub(crate) fn pdf(contents: &[String]) -> Vec<u8> {
    pdf_with(contents, "")
}

pub(crate) fn pdf_with(contents: &[String], trailer: &str) -> Vec<u8> {
    let fonts = ["Helvetica", "Helvetica-Bold", "Courier"];
    let first = 3 + fonts.len();
    let pages: Vec<String> = (0..contents.len())
        .map(|at| format!("{} 0 R", first + 2 * at))
        .collect();
    let mut objects = vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        format!(
            "<</Type/Pages/Count {}/Kids[{}]/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R/F2 4 0 R/F3 5 0 R>>>>>>",
            contents.len(),
            pages.join(" ")
        )
        .into_bytes(),
    ];
    for font in fonts {
        objects.push(
            format!("<</Type/Font/Subtype/Type1/BaseFont/{font}/Encoding/WinAnsiEncoding>>")
                .into_bytes(),
        );
    }
    for (at, content) in contents.iter().enumerate() {
        let content_id = first + 2 * at + 1;
        objects.push(format!("<</Type/Page/Parent 2 0 R/Contents {content_id} 0 R>>").into_bytes());
        objects.push(stream("", content.as_bytes()));
    }
    pdf_of(&objects, trailer)
}

/// An operator that shows a line.
pub(crate) fn show(font: &str, size: u32, x: u32, y: u32, text: &str) -> String {
    format!("BT /{font} {size} Tf {x} {y} Td ({text}) Tj ET\n")
}
