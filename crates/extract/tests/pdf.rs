//! PDF with a text layer, and without one.

use crate::files::{extract, pdf, pdf_of, pdf_with, reason, show, stream};

fn page(number: usize, lines: &[String]) -> String {
    let header = show("F1", 8, 60, 810, "Operations manual");
    let footer = show("F1", 8, 300, 20, &format!("{number}"));
    [header, lines.concat(), footer].concat()
}

#[tokio::test]
async fn headings_paragraphs_lists_tables_and_code_come_out() {
    let body = |y: u32, text: &str| show("F1", 10, 60, y, text);
    let first = page(
        1,
        &[
            body(795, "Disk full . . . . . . . . . . . . . . . . . . . 1"),
            show("F2", 20, 60, 780, "Recovery"),
            show("F2", 14, 60, 750, "Disk full"),
            body(
                730,
                "When the disk is full, the agent stops and all of its jobs wait. This is re-",
            ),
            body(
                718,
                "peated until someone frees space, as caf\\351 staff know.",
            ),
            body(690, "Do this:"),
            body(670, "1. Stop the agent."),
            body(
                655,
                "2. Remove old files, which takes a while on machines that have",
            ),
            body(643, "many of them."),
            show("F3", 10, 60, 615, "find /var/tmp -mtime +7"),
            show("F3", 10, 72, 603, "-delete"),
            body(570, "job"),
            body(570, "")
                .replace("60 570", "200 570")
                .replace("()", "(owner)"),
            show("F1", 10, 60, 556, "PAYROLL"),
            show("F1", 10, 200, 556, "ana"),
            show("F1", 10, 60, 542, "FINANCE"),
            show("F1", 10, 200, 542, "rui"),
        ],
    );
    let second = page(
        2,
        &[
            show("F2", 10, 60, 770, "AWSBCT001E The file is full."),
            body(750, "Explanation: see above."),
        ],
    );
    let third = page(3, &[body(750, "The end of the manual.")]);
    let bytes = pdf_with(
        &[first, second, third],
        "/Info<</Title(Manual of operations)>>",
    );
    let read = extract("manual.pdf", bytes).await.unwrap();
    assert_eq!(
        (read.format, read.title.as_deref()),
        ("PDF", Some("Manual of operations"))
    );
    assert_eq!(
        read.text,
        "# Recovery\n\n## Disk full\n\nWhen the disk is full, the agent stops and all of its jobs wait. This is \
         repeated until someone frees space, as café staff know.\n\nDo this:\n\n1. Stop the agent.\n2. Remove old \
         files, which takes a while on machines that have many of them.\n\n```\nfind /var/tmp -mtime +7\n  -delete\n\
         ```\n\n| job | owner |\n|---|---|\n| PAYROLL | ana |\n| FINANCE | rui |\n\n#### AWSBCT001E The file is \
         full.\n\nExplanation: see above.\n\nThe end of the manual.\n"
    );
}

#[tokio::test]
async fn a_scan_and_a_locked_file_say_what_to_do() {
    let scan = pdf(&[
        "q 100 0 0 100 0 0 cm /Im1 Do Q".to_owned(),
        show("F1", 8, 300, 20, "2"),
    ]);
    assert!(reason("scan.pdf", scan).await.contains("no text layer"));
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 0/Kids[]>>".to_vec(),
        "<</Filter/Standard/V 2/R 3/Length 128/P -4/O<{00}>/U<{00}>>>"
            .replace("{00}", &"00".repeat(32))
            .into_bytes(),
    ];
    let locked = pdf_of(&objects, "/Encrypt 3 0 R/ID[<00><00>]");
    assert!(reason("locked.pdf", locked).await.contains("password"));
}

#[tokio::test]
async fn codes_are_read_by_their_map_to_unicode() {
    let map = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n\
               2 beginbfchar\n<0001> <00e7>\n<0002> <0066006c>\nendbfchar\n1 beginbfrange\n<0010> <0029> <0061>\nendbfrange\nendcmap\nend\nend";
    let content = "BT /F1 10 Tf 60 700 Td [<0010001100120001> -300 <000200100013>] TJ 0 -12 Td <00110012> Tj T* ET";
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>".to_vec(),
        stream("", content.as_bytes()),
        b"<</Type/Font/Subtype/Type0/BaseFont/ABC/Encoding/Identity-H/ToUnicode 6 0 R/DescendantFonts[<</Subtype/CIDFontType2/DW 500>>]>>".to_vec(),
        stream("", map.as_bytes()),
    ];
    assert_eq!(
        extract("a.pdf", pdf_of(&objects, "")).await.unwrap().text,
        "abcç flad bc\n"
    );
}
