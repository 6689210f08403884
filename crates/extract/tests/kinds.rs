//! Kinds that one cannot mistake, and those that can be.

use resync_rag::Media;

use crate::files::{extract, reason};

#[tokio::test]
async fn each_kind_says_what_it_is() {
    for (name, bytes, format, media) in [
        ("a.md", "# A\n\ntext", "Markdown", Media::Markdown),
        ("a.txt", "# no heading", "text", Media::Text),
        ("a.html", "<h1>A</h1>", "HTML", Media::Markdown),
        ("a.csv", "a;b\n1;2\n", "CSV", Media::Markdown),
        ("a.json", "{\"a\": [1, 2]}", "JSON", Media::Markdown),
        (
            "a.yml",
            "openapi: 3.1.0\ninfo: {title: A}\npaths: {/x: {get: {}}}\n",
            "OpenAPI",
            Media::Markdown,
        ),
    ] {
        let read = extract(name, bytes).await.unwrap();
        assert_eq!((read.format, read.media), (format, media), "{name}");
        assert!(!read.text.trim().is_empty());
    }
}

#[tokio::test]
async fn a_page_behind_the_name_of_a_pdf_is_read_as_a_page() {
    let read = extract(
        "report.pdf",
        "<!doctype html><title>Down</title><p>Not a report",
    )
    .await
    .unwrap();
    assert_eq!(
        (read.format, read.text.as_str()),
        ("HTML", "# Down\n\nNot a report\n")
    );
}

#[tokio::test]
async fn every_encoding_of_a_page_is_read_alike() {
    let page = "<!doctype html><meta charset=\"utf-8\"><h1>Manutenção</h1><p>não há ação</p>";
    let latin1: Vec<u8> = page
        .replace("utf-8", "iso-8859-1")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let utf16: Vec<u8> = "\u{feff}"
        .chars()
        .chain(page.chars())
        .collect::<String>()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [page.as_bytes().to_vec(), latin1, utf16] {
        let read = extract("a.html", bytes).await.unwrap();
        assert_eq!(read.text, "# Manutenção\n\nnão há ação\n");
        assert!(read.encoding.is_some());
    }
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    assert_eq!(reason("a.md", "").await, "the file is empty");
    assert_eq!(reason("a.docx", " \r\n").await, "the file is empty");
    assert!(
        reason("a.json", "{\"a\": ")
            .await
            .contains("not valid JSON")
    );
    assert!(
        reason("a.png", b"\x89PNG\r\n\x1a\n".to_vec())
            .await
            .contains("a PNG image")
    );
    assert!(
        reason("a.html", "<!doctype html><script>x</script>")
            .await
            .contains("no text")
    );
}
