use proptest::prelude::*;
use uuid::Uuid;

use super::*;

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

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zé ]{0,60}",
        1 => "#{1,7} ?[A-Zç]{0,20}",
        1 => Just("```".to_owned()),
        1 => Just("~~~~".to_owned()),
        1 => Just("---".to_owned()),
        1 => Just("====".to_owned()),
        1 => Just(String::new()),
        1 => Just("| a | b |".to_owned()),
        1 => Just("|---|---|".to_owned()),
        1 => "[0-9a-z😀 ]{200,900}",
        1 => "\\PC{0,40}",
    ]
}

proptest! {
    #[test]
    fn chunks_are_slices_in_order_and_hold_every_visible_character(
        lines in prop::collection::vec(line(), 0..60),
        markdown: bool,
        target in 200_usize..600,
    ) {
        let text = lines.join("\n");
        let media = if markdown { Media::Markdown } else { Media::Text };
        let chunks = cut(&text, media, target);
        let mut end = 0;
        for (at, chunk) in chunks.iter().enumerate() {
            prop_assert_eq!(chunk.ordinal as usize, at);
            prop_assert_eq!(chunk.span.slice(&text), Some(chunk.text.as_str()));
            prop_assert!(chunk.span.start_char >= end);
            prop_assert!(chunk.span.start_char < chunk.span.end_char);
            end = chunk.span.end_char;
            let before = text.chars().take(usize::try_from(chunk.span.start_char).unwrap());
            let line = 1 + before.filter(|c| *c == '\n').count() as u64;
            prop_assert_eq!(chunk.span.start_line, line);
            let inside = chunk.text.matches('\n').count() as u64;
            prop_assert_eq!(chunk.span.end_line, line + inside);
            // Six headings of at most 512 characters, each with its blank lines.
            prop_assert!(chunk.text.chars().count() <= target + 6 * 600);
        }
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let kept: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        prop_assert_eq!(visible(&kept), visible(&text));
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
