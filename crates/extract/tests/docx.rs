//! Documents of Word, as Word in several languages and other programs write them.

use crate::files::{document, docx, extract, package, reason};

const STYLES: &str = r#"<w:styles xmlns:w="x">
<w:style w:styleId="Ttulo1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:styleId="berschrift2"><w:name w:val="Überschrift 2"/></w:style>
<w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="Ttulo1"/></w:style>
<w:style w:styleId="Code"><w:name w:val="Source Code"/></w:style>
<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>
<w:style w:styleId="ListBullet"><w:name w:val="List Bullet"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
</w:styles>"#;

const NUMBERING: &str = r#"<w:numbering xmlns:w="x">
<w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>
</w:numbering>"#;

fn paragraph(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn style(id: &str) -> String {
    format!(r#"<w:pStyle w:val="{id}"/>"#)
}

fn item(list: u8, level: u8, text: &str) -> String {
    let properties =
        format!(r#"<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list}"/></w:numPr>"#);
    paragraph(&properties, text)
}

#[tokio::test]
async fn structure_comes_out_whatever_the_styles_are_called() {
    let cell = |properties: &str, text: &str| {
        format!(
            "<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>",
            paragraph("", text)
        )
    };
    let body = [
        paragraph(&style("TOC1"), "Contents 1"),
        paragraph(&style("Ttulo1"), "Manuten&#xE7;&#xE3;o &amp; plano"),
        "<w:p><w:r><w:t xml:space=\"preserve\">See </w:t></w:r><w:hyperlink><w:r><w:t>the page</w:t></w:r></w:hyperlink>\
         <w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins><w:r><w:t>, new</w:t></w:r></w:ins>\
         <w:r><w:br/><w:t>next line</w:t></w:r></w:p>"
            .to_owned(),
        paragraph(&style("berschrift2"), "Steps"),
        item(2, 0, "stop"),
        item(2, 1, "wait"),
        item(2, 0, "start"),
        paragraph(&style("ListBullet"), "one"),
        paragraph(&style("Own"), "Codes"),
        paragraph(&style("Code"), "df -h"),
        "<w:p><w:r><w:rPr><w:rFonts w:ascii=\"Consolas\"/></w:rPr><w:t># no heading</w:t></w:r></w:p>".to_owned(),
        format!(
            "<w:tbl><w:tr>{}{}{}</w:tr><w:tr>{}{}</w:tr><w:tr>{}{}{}</w:tr></w:tbl>",
            cell("", "job"),
            cell("", "when"),
            cell("", "who"),
            cell(r#"<w:vMerge w:val="restart"/>"#, "A|B"),
            cell(r#"<w:gridSpan w:val="2"/>"#, "nightly"),
            cell("<w:vMerge/>", ""),
            cell("", "weekly"),
            cell("", "ops"),
        ),
        "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></mc:Choice>\
         <mc:Fallback><w:p><w:r><w:t>in a box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent></w:r></w:p>"
            .to_owned(),
    ]
    .concat();
    let core = "<cp:coreProperties><dc:title>Plano &lt;1&gt;</dc:title></cp:coreProperties>";
    let footnotes = "<w:footnotes><w:footnote><w:p><w:r><w:t>said once</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let bytes = docx(
        &document(&body),
        &[
            ("word/styles.xml", STYLES.as_bytes()),
            ("word/numbering.xml", NUMBERING.as_bytes()),
            ("word/footnotes.xml", footnotes.as_bytes()),
            ("docProps/core.xml", core.as_bytes()),
        ],
    );
    let read = extract("plan.docx", bytes).await.unwrap();
    assert_eq!(
        (read.format, read.title.as_deref()),
        ("DOCX", Some("Plano <1>"))
    );
    assert_eq!(
        read.text,
        "# Manutenção & plano\n\nSee the page, new\nnext line\n\n## Steps\n\n1. stop\n  1. wait\n2. start\n- one\n\n\
         # Codes\n\n```\ndf -h\n# no heading\n```\n\n| job | when | who |\n|---|---|---|\n| A\\|B | nightly |  |\n\
         | A\\|B | weekly | ops |\n\nin a box\n\n## Footnotes\n\nsaid once\n"
    );
}

#[tokio::test]
async fn a_document_with_macros_is_text_alone() {
    let xml = document(&paragraph("", "plain words"));
    let bytes = docx(
        &xml,
        &[
            ("word/vbaProject.bin", b"\0\x01macro"),
            ("word/media/image1.png", b"\x89PNG"),
        ],
    );
    assert_eq!(
        extract("a.docm", bytes).await.unwrap().text,
        "plain words\n"
    );
}

/// B5: a name in a package is a name and no path.
#[tokio::test]
async fn names_that_climb_are_never_followed() {
    let xml = document(&paragraph("", "plain words"));
    let climbing = docx(
        &xml,
        &[
            ("../../../../tmp/resync-slip", b"x"),
            ("/etc/resync-slip", b"x"),
        ],
    );
    assert_eq!(
        extract("a.docx", climbing).await.unwrap().text,
        "plain words\n"
    );
    for path in ["/tmp/resync-slip", "/etc/resync-slip"] {
        assert!(!std::path::Path::new(path).exists());
    }
    // A relationship that points out of the package finds nothing.
    let relationships = r#"<Relationships><Relationship Type="x/officeDocument" Target="../../etc/document.xml"/></Relationships>"#;
    let outside = package(&[
        ("_rels/.rels", relationships.as_bytes()),
        ("word/document.xml", xml.as_bytes()),
    ]);
    assert!(reason("a.docx", outside).await.contains("missing"));
}

#[tokio::test]
async fn other_packages_are_named() {
    for (part, kind) in [
        ("xl/workbook.xml", "Excel"),
        ("ppt/presentation.xml", "PowerPoint"),
        ("a.txt", "ZIP"),
    ] {
        assert!(
            reason("a.docx", package(&[(part, b"x")]))
                .await
                .contains(kind)
        );
    }
}
