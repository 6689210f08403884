//! Which words of a text the question asks for, and which part of it to show.
//!
//! Invariant: ranges are Unicode code points of the hit's text, in order, disjoint and within it.

use crate::search::analysis::Sought;
use crate::search::hit::Range;
use crate::search::plan::Concept;

/// Most marked words.
const MAX_MATCHES: usize = 64;
/// Greatest length of the part to show, in code points, unless one word is longer.
const SNIPPET_CHARS: usize = 240;

/// The words of `text` that say something of the question.
pub(crate) fn matches(text: &str, concepts: &[Concept]) -> Vec<Range> {
    let wanted = concepts
        .iter()
        .flat_map(|concept| &concept.ways)
        .filter(|way| way.counts)
        .flat_map(|way| &way.words)
        .flatten();
    let sought = Sought::new(wanted.map(String::as_str));
    let mut found = Vec::new();
    let (mut bytes, mut chars) = (0, 0);
    for word in sought.words(text) {
        if found.len() == MAX_MATCHES {
            break;
        }
        let mut pieces = vec![&word];
        if !sought.is(&word) {
            pieces = word.parts.iter().collect();
        }
        for piece in pieces {
            if !sought.is(piece) {
                continue;
            }
            chars += count(text, bytes, piece.start);
            let end = chars + count(text, piece.start, piece.end);
            found.push(Range {
                start: narrow(chars),
                end: narrow(end),
            });
            (bytes, chars) = (piece.end, end);
        }
    }
    found
}

/// The part of `text` with the most `matches`; the earliest of equal ones.
pub(crate) fn snippet(text: &str, matches: &[Range]) -> Range {
    let length = text.chars().count();
    let limit = narrow(SNIPPET_CHARS);
    let mut best = (0, 0, 0);
    for (at, first) in matches.iter().enumerate() {
        let rest = matches.get(at..).unwrap_or_default();
        let within = rest.iter().take_while(|m| m.end - first.start <= limit);
        let (number, end) = within.fold((0, first.start), |(n, _), m| (n + 1, m.end));
        if number > best.0 {
            best = (number, first.start, end);
        }
    }
    let (_, from, to) = best;
    // The words around, evenly, as far as there is room; then cut at spaces.
    let spare = limit.saturating_sub(to - from);
    let start = from.saturating_sub(spare / 4);
    let end = start.saturating_add(limit).max(to).min(narrow(length));
    let chars: Vec<char> = text
        .chars()
        .skip(usize::try_from(start).unwrap_or(0))
        .take(usize::try_from(end - start).unwrap_or(0))
        .collect();
    let mut skip = 0;
    if start > 0 {
        skip = chars
            .iter()
            .take(usize::try_from(from - start).unwrap_or(0))
            .position(|c| c.is_whitespace())
            .map_or(0, |at| at + 1);
    }
    let mut keep = chars.len();
    if usize::try_from(end).is_ok_and(|end| end < length) {
        let least = usize::try_from(to.saturating_sub(start)).unwrap_or(0);
        keep = chars
            .iter()
            .skip(least)
            .rposition(|c| c.is_whitespace())
            .map_or(keep, |at| at + least);
    }
    Range {
        start: start + narrow(skip),
        end: start + narrow(keep.max(skip)),
    }
}

/// Code points of `text` between two bytes.
fn count(text: &str, from: usize, to: usize) -> usize {
    text.get(from..to).map_or(0, |part| part.chars().count())
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::analysis::words;
    use crate::search::plan::Way;

    fn asked(text: &str) -> Vec<Concept> {
        words(text)
            .into_iter()
            .filter(|word| !word.forms.is_empty())
            .map(|word| Concept {
                surface: word.surface,
                ways: vec![Way {
                    words: vec![word.forms],
                    weight: 1.0,
                    counts: true,
                }],
                technical: false,
                everyday: false,
            })
            .collect()
    }

    fn slice(text: &str, range: Range) -> String {
        text.chars()
            .skip(range.start as usize)
            .take((range.end - range.start) as usize)
            .collect()
    }

    #[test]
    fn matches_are_the_words_of_the_question_in_code_points() {
        let text = "A execução não terminou: enLegacyStart, execuções.";
        let found = matches(text, &asked("execução legacy"));
        let found: Vec<_> = found.into_iter().map(|range| slice(text, range)).collect();
        assert_eq!(found, ["execução", "Legacy", "execuções"]);
    }

    #[test]
    fn the_snippet_is_where_most_of_the_question_stands_and_cuts_no_word() {
        let filler = "Words about other things follow here. ".repeat(30);
        let text = format!("A deadlock. {filler}The deadlock of the database ends. {filler}");
        let found = matches(&text, &asked("deadlock database"));
        let shown = slice(&text, snippet(&text, &found));
        assert!(shown.contains("deadlock of the database"), "{shown}");
        assert!(shown.chars().count() <= SNIPPET_CHARS);
        assert!(shown.starts_with(|c: char| c.is_alphabetic()));
        assert!(text.contains(&format!(" {} ", shown.trim())), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn ranges_are_in_order_and_within_the_text(text in "[a-c ção\\n]{0,400}") {
            let found = matches(&text, &asked("ab ção ca"));
            let length = text.chars().count();
            let mut last = 0;
            for range in &found {
                proptest::prop_assert!(range.start >= last && range.start < range.end);
                last = range.end;
            }
            proptest::prop_assert!(last as usize <= length);
            let shown = snippet(&text, &found);
            proptest::prop_assert!(shown.start <= shown.end && shown.end as usize <= length);
        }
    }
}
