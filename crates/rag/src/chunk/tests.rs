use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::Span;

fn cut(text: &str, media: Media, target: usize) -> Vec<Chunk> {
    chunk(DocumentId(Uuid::nil()), text, media, target, usize::MAX).unwrap()
}

fn paths(chunks: &[Chunk]) -> Vec<String> {
    chunks
        .iter()
        .map(|chunk| chunk.heading_path.join(" / "))
        .collect()
}

#[test]
fn both_kinds_of_headings_make_sections() {
    let text =
        "Plan\n====\n\nintro\n\nSteps\n-----\none\n\n### Deep ###\n\ntwo\n\n## Next\nthree\n";
    let chunks = cut(text, Media::Markdown, 1200);
    assert_eq!(
        paths(&chunks),
        ["Plan", "Plan / Steps", "Plan / Steps / Deep", "Plan / Next"]
    );
    assert_eq!(chunks[1].text, "Steps\n-----\none");
    assert_eq!((chunks[1].span.start_line, chunks[1].span.end_line), (6, 8));
    assert_eq!(title(text, Media::Markdown).as_deref(), Some("Plan"));
}

#[test]
fn a_heading_without_text_goes_along_with_the_deeper_one() {
    let chunks = cut(
        "# Plan\n\n## Steps\n\none\n\n# Other\n",
        Media::Markdown,
        1200,
    );
    assert_eq!(paths(&chunks), ["Plan / Steps", "Other"]);
    assert_eq!(chunks[0].text, "# Plan\n\n## Steps\n\none");
}

#[test]
fn a_heading_inside_a_fence_is_code() {
    let text = "# A\n\n```sh\n# not a heading\nls\n\n# nor this\n```\n\nend\n";
    let chunks = cut(text, Media::Markdown, 1200);
    assert_eq!(paths(&chunks), ["A"]);
    assert!(chunks[0].text.ends_with("end"));
}

#[test]
fn a_fence_and_a_table_that_fit_stay_whole() {
    let code = format!("```\n{}```", "df -h /var/tmp\n\n".repeat(11));
    let table = format!("| a | b |\n|---|---|\n{}", "| one | two |\n".repeat(12));
    let text = format!("# A\n\n{}\n\n{code}\n\n{table}\n", "word ".repeat(36));
    let chunks = cut(&text, Media::Markdown, 200);
    assert!(chunks.iter().any(|chunk| chunk.text.contains(&code)));
    assert!(
        chunks
            .iter()
            .any(|chunk| chunk.text.contains(table.trim_end()))
    );
    assert!(chunks.len() >= 3);
}

#[test]
fn a_heading_stays_with_a_fence_that_just_fits() {
    let code = format!("```\n{}```", "x".repeat(11).repeat(17));
    let chunks = cut(
        &format!("## Long heading of this part\n\n{code}\n"),
        Media::Markdown,
        200,
    );
    assert_eq!(chunks.len(), 1);
}

#[test]
fn plain_text_has_no_headings() {
    let chunks = cut("# a\n\nb\n===\n", Media::Text, 1200);
    assert_eq!(paths(&chunks), [""]);
    assert_eq!(title("# a\n", Media::Text), None);
}

#[test]
fn a_rule_below_a_list_is_no_heading() {
    let chunks = cut("# A\n\n- one\n- two\n---\nrest\n", Media::Markdown, 1200);
    assert_eq!(paths(&chunks), ["A"]);
}

#[test]
fn an_entry_of_a_catalogue_is_a_chunk_of_its_own() {
    let headings = "# Messages\n\n## AWSBHT001E Not launched\n\none\n\n### Response\n\ntwo\n\n\
        ## AWSBHT002E Lost\n\nthree\n\n## See also\n\nfour\n";
    let lines = "# Messages\n\nBefore.\n\n**AWSBHT001E** Not launched\n\none\n\ntwo\n\n\
        **AWSBHT002E** Lost\nthree\n";
    let catalogue = "AWSBHT001E Not launched\none\nAWSBHT002E Lost\ntwo\n";
    let list = "Known:\n\n- AWSBHT001E: not launched\n- AWSBHT002E: lost\n\nAfter.\n";
    let rows = "| Id | Text |\n|---|---|\n| AWSBHT001E | not |\n| | launched |\n\
        | AWSBHT002E | lost |\n| other | row |\n| and | more |\n| AWSBHT003E | third |\n\nAfter.\n";
    for (text, media, expected) in [
        (
            headings,
            Media::Markdown,
            &[
                "# Messages\n\n## AWSBHT001E Not launched\n\none\n\n### Response\n\ntwo",
                "## AWSBHT002E Lost\n\nthree",
                "## See also\n\nfour",
            ][..],
        ),
        (
            lines,
            Media::Markdown,
            &[
                "# Messages\n\nBefore.",
                "**AWSBHT001E** Not launched\n\none\n\ntwo",
                "**AWSBHT002E** Lost\nthree",
            ],
        ),
        (
            catalogue,
            Media::Text,
            &["AWSBHT001E Not launched\none", "AWSBHT002E Lost\ntwo"],
        ),
        (
            list,
            Media::Markdown,
            &[
                "Known:",
                "- AWSBHT001E: not launched",
                "- AWSBHT002E: lost",
                "After.",
            ],
        ),
        (
            rows,
            Media::Markdown,
            &[
                "| Id | Text |\n|---|---|\n| AWSBHT001E | not |\n| | launched |",
                "| AWSBHT002E | lost |",
                "| other | row |\n| and | more |",
                "| AWSBHT003E | third |",
                "After.",
            ],
        ),
    ] {
        let chunks = cut(text, media, 1200);
        let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        assert_eq!(texts, expected);
        assert_law(text, &chunks);
    }
    let chunks = cut(headings, Media::Markdown, 1200);
    assert_eq!(paths(&chunks)[0], "Messages / AWSBHT001E Not launched");
    assert_eq!(chunks[0].section.end_line, chunks[0].span.end_line);
    let contexts: Vec<_> = cut(rows, Media::Markdown, 1200);
    let contexts: Vec<&str> = contexts
        .iter()
        .map(|chunk| chunk.context.as_str())
        .collect();
    let head = "| Id | Text |";
    assert_eq!(contexts, ["", head, head, head, ""]);
}

#[test]
fn an_entry_that_is_too_long_says_in_each_part_what_it_is_of() {
    let long = "Check the log of the agent. ".repeat(12);
    let text =
        format!("# Messages\n\nAWSBHT001E Not launched\n\n{long}\n\n{long}\n\nAWSBHT002E Lost\n");
    let chunks = cut(&text, Media::Markdown, 400);
    let contexts: Vec<&str> = chunks.iter().map(|chunk| chunk.context.as_str()).collect();
    let more = "Messages\nAWSBHT001E Not launched";
    assert_eq!(contexts, ["Messages", more, "Messages"]);
    let parts = format!("## AWSBHT001E Not launched\n\n{long}\n\n### Response\n\n{long}\n");
    let chunks = cut(&parts, Media::Markdown, 400);
    let starts: Vec<&str> = chunks.iter().map(|chunk| &chunk.text[..12]).collect();
    assert_eq!(starts, ["## AWSBHT001", "### Response"]);
    assert_eq!(chunks[0].section.end_line, chunks[1].section.end_line);
    assert!(chunks[1].context.contains("AWSBHT001E"));
}

#[test]
fn rows_that_are_cut_off_keep_the_head_of_their_table() {
    let row = "| some_parameter | what it is for and when to set it |\n";
    let text = format!("# A\n\n| Name | Meaning |\n|---|---|\n{}", row.repeat(20));
    let chunks = cut(&text, Media::Markdown, 400);
    assert!(chunks.len() > 2);
    assert_eq!(chunks[0].context, "A");
    for chunk in &chunks[1..] {
        assert_eq!(chunk.context, "A\n| Name | Meaning |");
        assert!(chunk.text.starts_with("| some"), "rows are not cut");
    }
    assert_law(&text, &chunks);
}

#[test]
fn a_list_that_fits_stays_whole_with_its_code_and_a_longer_one_is_cut_at_items() {
    let item = |n: usize| {
        format!(
            "{n}. Look at the log:\n\n   ```sh\n   # not a heading\n   tail -n 5 log\n   ```\n\n   Then wait.\n\n"
        )
    };
    let list: String = (1..=3).map(item).collect();
    let text = format!("# A\n\n{}\n\n{list}\nAfter.\n", "word ".repeat(40));
    let chunks = cut(&text, Media::Markdown, 300);
    assert!(
        chunks
            .iter()
            .any(|chunk| chunk.text.contains(list.trim_end()))
    );
    assert_law(&text, &chunks);
    let long: String = (1..=9).map(item).collect();
    let chunks = cut(&long, Media::Markdown, 300);
    assert!(chunks.len() > 2);
    for chunk in &chunks {
        assert!(
            chunk.text.starts_with(|c: char| c.is_ascii_digit()),
            "{}",
            chunk.text
        );
        assert!(chunk.text.ends_with("Then wait."), "{}", chunk.text);
    }
}

#[test]
fn a_section_ends_at_the_next_heading_that_is_no_deeper() {
    let text = "intro\n\n# A\n\none\n\n## B\n\ntwo\n\n### C\n\nthree\n\n## D\n\nfour\n\n# E\n";
    let chunks = cut(text, Media::Markdown, 1200);
    let sections: Vec<&str> = chunks
        .iter()
        .map(|chunk| chunk.section.slice(text).unwrap())
        .collect();
    let from = |start: &str, end: &str| {
        text[text.find(start).unwrap()..text.find(end).unwrap()].trim_end()
    };
    assert_eq!(
        sections,
        [
            "intro",
            from("# A", "# E"),
            from("## B", "## D"),
            from("### C", "## D"),
            from("## D", "# E"),
            "# E"
        ]
    );
}

/// B5: ten thousand headings, one below the other or one after the other: the path stays bounded.
#[test]
fn ten_thousand_headings_are_cut_in_one_go() {
    let deep: Vec<String> = (0..10_000_usize)
        .map(|n| format!("{} Heading {n}\n\n", "#".repeat(n + 1)))
        .collect();
    let deep = deep.concat();
    let nested: Vec<String> = (0..10_000_usize)
        .map(|n| format!("{} Heading {n}\n\ntext\n\n", "#".repeat(n % 6 + 1)))
        .collect();
    let nested = nested.concat();
    let row = "## Heading\n\ntext\n\n".repeat(10_000);
    for (text, least) in [(deep, 1), (nested, 10_000), (row, 10_000)] {
        let chunks = cut(&text, Media::Markdown, 1200);
        assert!(chunks.len() >= least);
        assert!(chunks.iter().all(|chunk| chunk.heading_path.len() <= 6));
        let last = chunks.last().unwrap();
        assert_eq!(last.section.end_char, last.span.end_char);
    }
}

/// Each chunk is the text at its span, in order; none is lost; sections hold their chunks and nest.
fn assert_law(text: &str, chunks: &[Chunk]) {
    let mut end = 0;
    let mut line = 1;
    let mut passed = text.chars();
    let mut at = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        assert_eq!(chunk.span.slice(text), Some(chunk.text.as_str()));
        assert!(chunk.span.start_char >= end);
        assert!(chunk.span.start_char < chunk.span.end_char);
        end = chunk.span.end_char;
        while at < chunk.span.start_char {
            line += u64::from(passed.next() == Some('\n'));
            at += 1;
        }
        assert_eq!(chunk.span.start_line, line);
        let inside = chunk.text.matches('\n').count() as u64;
        assert_eq!(chunk.span.end_line, line + inside);
        let (span, section) = (chunk.span, chunk.section);
        assert!(section.start_char <= span.start_char && span.end_char <= section.end_char);
        assert!(section.start_line <= span.start_line && span.end_line <= section.end_line);
        assert!(section.slice(text).is_some());
    }
    let sections: Vec<Span> = chunks.iter().map(|chunk| chunk.section).collect();
    let mut open: Vec<Span> = Vec::new();
    for section in sections {
        while open
            .last()
            .is_some_and(|last| last.end_char <= section.start_char)
        {
            open.pop();
        }
        if let Some(last) = open.last() {
            let inside = last.start_char <= section.start_char && section.end_char <= last.end_char;
            assert!(inside, "{section:?} crosses {last:?}");
        }
        open.push(section);
    }
    let visible = |text: &str| {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
    };
    let kept: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(visible(&kept), visible(text));
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zé ]{0,60}",
        1 => "#{1,7} ?[A-Zç]{0,20}",
        1 => "#{1,4} AWS[A-Z]{3}00[0-9]E [a-z]{0,20}",
        1 => Just("```".to_owned()),
        1 => Just("   ~~~~".to_owned()),
        1 => Just("---".to_owned()),
        1 => Just("====".to_owned()),
        2 => Just(String::new()),
        1 => Just("| a | b |".to_owned()),
        1 => "\\| AWSBHT00[0-9]E \\| [a-z ]{0,300}\\|",
        1 => Just("|---|---|".to_owned()),
        1 => "( {0,4}|\t)([-*+]|[0-9]{1,3}[.)]) [a-z ]{0,90}",
        1 => "(- |\\*\\*)?(AWSBHT00[0-9]E|ORA-0006[0-9])(\\*\\*)?:? [a-z ]{0,90}",
        1 => " {2,5}[a-z ]{1,90}",
        1 => "[0-9a-z😀 ]{200,900}",
        1 => "\\PC{0,40}",
    ]
}

proptest! {
    #[test]
    fn chunks_are_slices_in_order_hold_every_visible_character_and_sections_nest(
        lines in prop::collection::vec(line(), 0..60),
        markdown: bool,
        target in 200_usize..600,
    ) {
        let text = lines.join("\n");
        let media = if markdown { Media::Markdown } else { Media::Text };
        let chunks = cut(&text, media, target);
        assert_law(&text, &chunks);
        for chunk in &chunks {
            // Six headings of at most 512 characters, each with its blank lines.
            prop_assert!(chunk.text.chars().count() <= target + 6 * 600);
            prop_assert!(chunk.heading_path.len() <= 6);
            let titles: usize = chunk.heading_path.iter().map(|title| title.chars().count() + 1).sum();
            prop_assert!(chunk.context.chars().count() <= titles + 2 * parts::MAX_LEAD_CHARS + 2);
        }
    }
}

/// B5: a step that looked at all lines for each line would not end here.
#[test]
fn a_text_made_to_be_slow_is_cut_all_the_same() {
    for line in [
        "a\n",
        "a\n\n",
        "---\n",
        "# a\n",
        "```\n",
        "|-|\n",
        "- a\n---\n",
        "| a |\n",
        "~",
        "- a\n\n",
        "- a\n\n  b\n",
        "- a\n  ```\n",
        "AWSBHT001E a\n",
        "## AWSBHT001E a\n### b\n",
        "- AWSBHT001E a\n",
        "| AWSBHT001E | a |\n|-|-|\n",
    ] {
        let text = line.repeat(400_000 / line.len());
        let chunks = cut(&text, Media::Markdown, 1200);
        let kept: usize = chunks.iter().map(|chunk| chunk.text.len()).sum();
        assert!(kept <= text.len(), "{line:?}");
        assert!(chunks.len() <= text.len() / 2, "{line:?}");
    }
}

/// B5: a text of headings alone would make a chunk of every few bytes.
#[test]
fn cutting_stops_at_the_first_chunk_too_many() {
    let id = DocumentId(Uuid::nil());
    let text = "# a\n".repeat(100_000);
    assert_eq!(
        chunk(id, &text, Media::Markdown, 1200, 10),
        Err(TooManyChunks { max: 10 })
    );
    assert_eq!(
        chunk(id, "# a\n# b\n", Media::Markdown, 1200, 2)
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        chunk(id, "# a\n# b\n", Media::Markdown, 1200, 1),
        Err(TooManyChunks { max: 1 })
    );
}
