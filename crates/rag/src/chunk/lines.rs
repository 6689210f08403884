//! The lines of a text, each with its place.
//!
//! Invariant: a place counts bytes, code points and lines alike, so that a slice and a span of the
//! same two places are the same part of the text.

/// A place in the text, counted three ways; `line` is from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bytes: usize,
    pub(super) chars: usize,
    pub(super) line: usize,
}

impl Place {
    /// The beginning of a text.
    pub(super) const START: Self = Self {
        bytes: 0,
        chars: 0,
        line: 1,
    };
}

/// A line without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) start: Place,
    pub(super) chars: usize,
}

impl Line<'_> {
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    pub(super) fn end(&self) -> Place {
        Place {
            bytes: self.start.bytes + self.text.len(),
            chars: self.start.chars + self.chars,
            line: self.start.line,
        }
    }
}

/// The lines from a place on. A clone looks ahead.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    rest: Option<&'a str>,
    place: Place,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            rest: Some(text),
            place: Place::START,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.rest?;
        let (text, after) = match rest.split_once('\n') {
            Some((text, after)) => (text, Some(after)),
            None => (rest, None),
        };
        let line = Line {
            text,
            start: self.place,
            chars: text.chars().count(),
        };
        self.rest = after;
        self.place.bytes += text.len() + 1;
        self.place.chars += line.chars + 1;
        self.place.line += 1;
        Some(line)
    }
}

/// At most three blanks, then the rest; deeper is code.
pub(super) fn outdented(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ');
    (line.len() - rest.len() <= 3).then_some(rest)
}

/// What follows the mark of a list's item, if the line begins with one.
pub(super) fn item(line: &str) -> Option<&str> {
    let rest = line.trim_start();
    let bullet = ["- ", "* ", "+ "]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark));
    let numbered = || {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = rest.len() - after.len();
        let after = after
            .strip_prefix(". ")
            .or_else(|| after.strip_prefix(") "));
        after.filter(|_| (1..=9).contains(&digits))
    };
    bullet.or_else(numbered)
}

/// At most the first `max` code points of `text`.
pub(super) fn head(text: &str, max: usize) -> &str {
    let cut = text
        .char_indices()
        .nth(max)
        .map_or(text.len(), |(at, _)| at);
    text.get(..cut).unwrap_or(text)
}
