//! B5: files that are made to break, fill or stall their reader cost one worker and end in a reason.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use resync_rag::{ExtractError, TextExtractor as _};

use crate::files::{
    document, docx, extract, extractor, package, pdf, pdf_of, reason, show, stream,
};

/// Two hundred mebibytes of blanks, deflated twice.
const BLANKS: &[u8] = include_bytes!("files/spaces-200mib.flate.flate");

const PARAGRAPH: &str = "<w:p><w:r><w:t>plain words</w:t></w:r></w:p>";

#[tokio::test]
async fn a_package_that_unpacks_to_far_more_is_refused() {
    let bomb = document(&" ".repeat(24 * 1024 * 1024));
    let bytes = docx(&bomb, &[]);
    assert!(bytes.len() < 200_000);
    assert!(reason("a.docx", bytes).await.contains("trap"));
    // A bomb inside is never unpacked.
    let inner = package(&[("bomb.xml", bomb.as_bytes())]);
    let nested = docx(
        &document(PARAGRAPH),
        &[("word/embeddings/inner.zip", &inner)],
    );
    assert_eq!(
        extract("a.docx", nested).await.unwrap().text,
        "plain words\n"
    );
}

#[tokio::test]
async fn parts_that_overlap_are_read_or_refused() {
    let mut bytes = docx(&document(PARAGRAPH), &[("word/styles.xml", b"<w:styles/>")]);
    // In the table of contents each entry has 46 bytes before its name, at 42 the place of its part.
    let name = b"word/styles.xml";
    let found = bytes
        .windows(name.len())
        .rposition(|part| part == name)
        .unwrap();
    bytes[found - 4..found].copy_from_slice(&0_u32.to_le_bytes());
    match extract("a.docx", bytes).await {
        Ok(read) => assert_eq!(read.text, "plain words\n"),
        Err(error) => assert!(
            matches!(error, ExtractError::Unreadable { .. }),
            "{error:?}"
        ),
    }
}

#[tokio::test]
async fn entities_that_multiply_are_refused() {
    let mut doctype = "<!DOCTYPE x [<!ENTITY a0 \"aaaaaaaaaa\">".to_owned();
    for n in 1..12 {
        let inner = format!("&a{};", n - 1).repeat(10);
        write!(doctype, "<!ENTITY a{n} \"{inner}\">").unwrap();
    }
    doctype.push_str("<!ENTITY file SYSTEM \"file:///etc/passwd\">]>");
    let xml = document("<w:p><w:r><w:t>&a11;&file;</w:t></w:r></w:p>")
        .replace("<w:document", &format!("{doctype}<w:document"));
    assert!(
        reason("a.docx", docx(&xml, &[]))
            .await
            .contains("document type")
    );
    // Without a declaration they mean nothing.
    let xml = document("<w:p><w:r><w:t>a&file;b</w:t></w:r></w:p>");
    assert_eq!(
        extract("a.docx", docx(&xml, &[])).await.unwrap().text,
        "ab\n"
    );
}

#[tokio::test]
async fn deep_documents_are_read_or_refused() {
    let deep = |open: &str, close: &str, times: usize| {
        format!("{}x{}", open.repeat(times), close.repeat(times))
    };
    for body in [
        deep("<w:p>", "</w:p>", 10_000),
        deep("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>", 10_000),
    ] {
        assert!(
            reason("a.docx", docx(&document(&body), &[]))
                .await
                .contains("deep")
        );
    }
    let unknown = document(&format!(
        "{}{PARAGRAPH}{}",
        "<w:x>".repeat(10_000),
        "</w:x>".repeat(10_000)
    ));
    assert_eq!(
        extract("a.docx", docx(&unknown, &[])).await.unwrap().text,
        "plain words\n"
    );
    let page = format!("<!doctype html>{}", deep("<div><h2>", "</h2></div>", 5_000));
    // Each element looks through those that are open: on a slow machine that may take too long.
    match extract("a.html", page).await {
        Ok(read) => assert!(read.text.ends_with("x\n")),
        Err(error) => assert!(
            matches!(error, ExtractError::Unreadable { .. }),
            "{error:?}"
        ),
    }
    assert!(
        reason("a.json", deep("[", "]", 10_000))
            .await
            .contains("JSON")
    );
    let array = deep("[", "]", 100_000).replace('x', "(x)").into_bytes();
    let mut objects = vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_vec(),
        stream("", &[&array[..], b" TJ"].concat()),
        array,
    ];
    assert!(!reason("a.pdf", pdf_of(&objects, "")).await.is_empty());
    objects[2] = deep("<</A", ">>", 100_000).into_bytes();
    assert!(!reason("a.pdf", pdf_of(&objects, "")).await.is_empty());
}

#[tokio::test]
async fn a_pdf_that_unpacks_to_far_more_is_refused() {
    let filters = "/Filter[/FlateDecode/FlateDecode]";
    let bomb = |page: &str, content: Vec<u8>| {
        let page = format!("<</Type/Page/Parent 2 0 R/Contents 4 0 R{page}>>");
        pdf_of(
            &[
                b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
                b"<</Type/Pages/Count 1/Kids[3 0 R]>>".to_vec(),
                page.into_bytes(),
                content,
            ],
            "",
        )
    };
    assert!(
        reason("a.pdf", bomb("", stream(filters, BLANKS)))
            .await
            .contains("trap")
    );
    let objects = format!("{filters}/Type/ObjStm/N 1000000/First 9");
    assert!(
        !reason("a.pdf", bomb("", stream(&objects, BLANKS)))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_pdf_that_goes_round_ends() {
    let started = Instant::now();
    let form = |dos: usize| {
        stream(
            "/Type/XObject/Subtype/Form/Resources<</XObject<</F 4 0 R>>>>",
            "/F Do ".repeat(dos).as_bytes(),
        )
    };
    let forms = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</F 4 0 R>>>>>>".to_vec(),
        form(40),
    ];
    let said = reason("a.pdf", pdf_of(&forms, "")).await;
    assert!(
        said.contains("longer than") || said.contains("draws more"),
        "{said}"
    );
    let pages = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 9/Kids[2 0 R 3 0 R]/Parent 3 0 R/Resources 2 0 R>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox 5 0 R/Contents[4 0 R 4 0 R]>>".to_vec(),
        b"4 0 R".to_vec(),
        b"5 0 R".to_vec(),
    ];
    assert!(
        !reason("a.pdf", pdf_of(&pages, "/Prev 15/XRefStm 15"))
            .await
            .is_empty()
    );
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn what_takes_too_much_of_the_machine_ends_with_a_reason() {
    let started = Instant::now();
    // Each element looks through all that are open.
    let slow = format!("<!doctype html>{}", "<div>".repeat(1_000_000));
    let large = format!("[{}0]", "[0],".repeat(6_000_000));
    let (slow, large) = tokio::join!(reason("a.html", slow), reason("a.json", large));
    assert!(slow.contains("takes longer than 10 seconds"), "{slow}");
    assert!(
        large.contains("512 MiB of memory") || large.contains("takes longer"),
        "{large}"
    );
    assert!(started.elapsed() < Duration::from_secs(40));
}

#[tokio::test]
async fn a_file_cut_at_each_tenth_is_read_or_refused() {
    let lines: Vec<String> = (0..40)
        .map(|n| show("F1", 10, 60, 800 - 15 * n, &format!("line {n} of the page")))
        .collect();
    let paragraphs = PARAGRAPH.repeat(300);
    let page = format!(
        "<!doctype html><h1>A</h1>{}",
        "<table><tr><td>a<td>b</table><p>é".repeat(100)
    );
    let records: Vec<String> = (0..100)
        .map(|n| format!("{{\"name\": \"é{n}\", \"n\": {n}}}"))
        .collect();
    let json = format!("[{}]", records.join(","));
    let yaml = format!(
        "openapi: 3.0.0\npaths:\n{}",
        "  /x: {get: {summary: é}}\n".replace("/x", "/é")
    );
    for (name, whole) in [
        ("a.pdf", pdf(&[lines.concat()])),
        ("a.docx", docx(&document(&paragraphs), &[])),
        ("a.html", page.into_bytes()),
        ("a.json", json.into_bytes()),
        ("a.yaml", yaml.into_bytes()),
        ("a.csv", "a;b;c\n1;\"é;\n\";3\n".repeat(50).into_bytes()),
        ("a.md", "# é\n\n```\nx\n```\n".repeat(50).into_bytes()),
    ] {
        assert!(extract(name, whole.clone()).await.is_ok(), "{name}");
        for tenth in 0..10 {
            let cut = whole[..whole.len() * tenth / 10].to_vec();
            match extract(name, cut).await {
                Ok(read) => assert!(!read.text.trim().is_empty()),
                Err(ExtractError::Unavailable(error)) => panic!("{name} at {tenth}: {error}"),
                Err(_) => {}
            }
        }
    }
}

/// Whatever the bytes are, the answer is a text or a reason, and this process lives.
#[test]
fn arbitrary_bytes_are_read_or_refused() {
    let starts: Vec<&[u8]> = vec![
        b"",
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n",
        b"PK\x03\x04",
        b"<!doctype html><table><tr>",
        b"{\"openapi\":\"3.0.0\",\"paths\":{",
        b"openapi: 3.0.0\npaths:\n  ",
        b"a,b,c\n1,2,3\n",
        b"\xff\xfe",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let extractor = extractor();
    let names = [
        "a.pdf", "a.docx", "a.html", "a.json", "a.yaml", "a.csv", "a.md", "a",
    ];
    let input = (
        prop::sample::select(starts),
        prop::collection::vec(any::<u8>(), 0..2000),
        prop::sample::select(names.to_vec()),
    );
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(96)
    });
    let tried = runner.run(&input, |(start, rest, name)| {
        let bytes = [start, &rest].concat();
        let read = runtime.block_on(extractor.extract(name, bytes));
        prop_assert!(
            !matches!(read, Err(ExtractError::Unavailable(_))),
            "{read:?}"
        );
        Ok(())
    });
    tried.unwrap();
}
