//! The blocks of a text: headings, code fences, tables and runs of other lines.
//!
//! Invariant: blocks come in order, do not overlap, begin and end at a visible character of a
//! line, and leave out only blank lines and blanks at the ends of a block.
//! They are made one by one: a text of many short lines needs no memory for each.

use std::collections::VecDeque;

use crate::model::Media;

/// A longer line is text, whatever it begins with, so that headings stay small.
const MAX_HEADING_CHARS: usize = 512;

/// An underline below more lines is a rule; the look back stays short, so the work linear.
const MAX_HEADING_LINES: usize = 8;

/// A place in the text, counted three ways; `line` is from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bytes: usize,
    pub(super) chars: usize,
    pub(super) line: usize,
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading of level 1 to 6.
    Heading { level: u8, title: String },
    /// Anything else.
    Body,
}

/// A part of the text from `start` to before `end`; `end.line` is its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) start: Place,
    pub(super) end: Place,
}

#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: Place,
    chars: usize,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn end(&self) -> Place {
        Place {
            bytes: self.start.bytes + self.text.len(),
            chars: self.start.chars + self.chars,
            line: self.start.line,
        }
    }
}

/// The lines from a place on. A clone looks ahead.
#[derive(Debug, Clone)]
struct Lines<'a> {
    rest: Option<&'a str>,
    place: Place,
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

/// The blocks of `text` one by one; none but a heading is longer than `target` code points.
pub(super) struct Blocks<'a> {
    lines: Lines<'a>,
    media: Media,
    target: usize,
    /// The parts of a long block that were not given out yet.
    ready: VecDeque<Block>,
}

/// See [`Blocks`].
pub(super) fn blocks(text: &str, media: Media, target: usize) -> Blocks<'_> {
    let lines = Lines {
        rest: Some(text),
        place: Place {
            bytes: 0,
            chars: 0,
            line: 1,
        },
    };
    Blocks {
        lines,
        media,
        target,
        ready: VecDeque::new(),
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        while self.ready.is_empty() {
            let here = self.lines.clone();
            let first = self.lines.next()?;
            if first.is_blank() {
                continue;
            }
            let (kind, length) = match self.media {
                Media::Markdown => next_markdown(&here),
                Media::Text => (Kind::Body, run(here.clone(), |line| !line.is_blank())),
            };
            let length = length.max(1);
            self.ready = parts(&kind, here.take(length), self.target);
            if let Some(skip) = length.checked_sub(2) {
                self.lines.nth(skip);
            }
        }
        self.ready.pop_front()
    }
}

/// How many lines from the first on satisfy `wanted`.
fn run<'a>(lines: Lines<'a>, wanted: impl Fn(&Line<'a>) -> bool) -> usize {
    lines.take_while(wanted).count()
}

/// The kind and the number of lines of the block that starts at a line with text.
fn next_markdown(lines: &Lines<'_>) -> (Kind, usize) {
    let mut after = lines.clone();
    let Some(first) = after.next() else {
        return (Kind::Body, 0);
    };
    if let Some((level, title)) = atx(&first) {
        return (Kind::Heading { level, title }, 1);
    }
    if let Some(fence) = fence(first.text) {
        let inside = run(after.clone(), |line| !closes(line.text, fence));
        let closed = after.nth(inside).is_some();
        return (Kind::Body, 1 + inside + usize::from(closed));
    }
    if is_table(lines) {
        return (
            Kind::Body,
            run(lines.clone(), |line| line.text.contains('|')),
        );
    }
    let mut length = 1;
    let mut titles = vec![first];
    loop {
        let here = after.clone();
        let Some(line) = after.next() else { break };
        if line.is_blank() || atx(&line).is_some() || fence(line.text).is_some() || is_table(&here)
        {
            break;
        }
        if let Some(level) = underline(line.text).filter(|_| length <= MAX_HEADING_LINES) {
            let chars: usize = titles.iter().map(|line| line.chars + 1).sum();
            let listed = titles.iter().any(|line| is_list_or_quote(line.text));
            if chars <= MAX_HEADING_CHARS && line.chars <= MAX_HEADING_CHARS && !listed {
                let title: Vec<&str> = titles.iter().map(|line| line.text.trim()).collect();
                return (
                    Kind::Heading {
                        level,
                        title: title.join(" "),
                    },
                    length + 1,
                );
            }
        }
        if titles.len() < MAX_HEADING_LINES {
            titles.push(line);
        }
        length += 1;
    }
    (Kind::Body, length)
}

/// At most three blanks, then the rest; deeper is code.
fn outdented(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ');
    (line.len() - rest.len() <= 3).then_some(rest)
}

fn atx(line: &Line<'_>) -> Option<(u8, String)> {
    if line.chars > MAX_HEADING_CHARS {
        return None;
    }
    let rest = outdented(line.text)?;
    let after = rest.trim_start_matches('#');
    let level = u8::try_from(rest.len() - after.len())
        .ok()
        .filter(|n| (1..=6).contains(n))?;
    if !(after.is_empty() || after.starts_with([' ', '\t'])) {
        return None;
    }
    let title = after.trim();
    let bare = title.trim_end_matches('#');
    let closed = bare.is_empty() || bare.ends_with([' ', '\t']);
    Some((level, if closed { bare.trim() } else { title }.to_owned()))
}

fn underline(line: &str) -> Option<u8> {
    let rest = outdented(line)?.trim_end();
    let all = |c: char| !rest.is_empty() && rest.chars().all(|found| found == c);
    if all('=') {
        Some(1)
    } else if all('-') {
        Some(2)
    } else {
        None
    }
}

fn is_list_or_quote(line: &str) -> bool {
    let rest = line.trim_start();
    let numbered = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with(['>', '|'])
        || ["- ", "* ", "+ "].iter().any(|mark| rest.starts_with(mark))
        || (numbered.len() < rest.len()
            && (numbered.starts_with(". ") || numbered.starts_with(") ")))
}

/// The mark and the length of an opening fence.
fn fence(line: &str) -> Option<(char, usize)> {
    let rest = outdented(line)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let after = rest.trim_start_matches(mark);
    let length = rest.len() - after.len();
    (length >= 3 && !(mark == '`' && after.contains('`'))).then_some((mark, length))
}

fn closes(line: &str, (mark, length): (char, usize)) -> bool {
    let Some(rest) = outdented(line) else {
        return false;
    };
    let after = rest.trim_start_matches(mark);
    rest.len() - after.len() >= length && after.trim().is_empty()
}

/// A row with `|`, and below it a row of dashes, colons and bars.
fn is_table(lines: &Lines<'_>) -> bool {
    let mut lines = lines.clone();
    let Some(head) = lines.next().filter(|head| head.text.contains('|')) else {
        return false;
    };
    let Some(rule) = lines.next() else {
        return false;
    };
    let rule = rule.text.trim();
    head.chars > 0
        && rule.contains('|')
        && rule.contains('-')
        && rule.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// The lines as one block, or as several when they are longer than `target`; blank lines at the
/// end are left out.
fn parts<'a>(
    kind: &Kind,
    lines: impl Iterator<Item = Line<'a>> + Clone,
    target: usize,
) -> VecDeque<Block> {
    let mut visible = lines.clone().filter(|line| !line.is_blank());
    let Some(first) = visible.next() else {
        return VecDeque::new();
    };
    let last = visible.last().unwrap_or(first);
    let (start, end) = (first.start, last.end());
    if end.chars - start.chars <= target || matches!(kind, Kind::Heading { .. }) {
        return VecDeque::from([Block {
            kind: kind.clone(),
            start,
            end,
        }]);
    }
    let mut found = VecDeque::new();
    let mut open: Option<(Place, Place)> = None;
    for piece in lines.flat_map(|line| pieces(&line, target)) {
        open = match open {
            Some((start, _)) if piece.1.chars - start.chars <= target => Some((start, piece.1)),
            Some((start, end)) => {
                found.push_back(Block {
                    kind: Kind::Body,
                    start,
                    end,
                });
                Some(piece)
            }
            None => Some(piece),
        };
    }
    if let Some((start, end)) = open {
        found.push_back(Block {
            kind: Kind::Body,
            start,
            end,
        });
    }
    found
}

/// The line, or parts of at most `target` code points that end at a blank where there is one.
fn pieces(line: &Line<'_>, target: usize) -> Vec<(Place, Place)> {
    if line.is_blank() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let (mut start, mut rest) = (line.start, line.text);
    loop {
        let cut = rest.char_indices().nth(target).map(|(at, _)| at);
        let Some(limit) = cut else {
            let end = line.end();
            if !rest.trim().is_empty() {
                parts.push((start, end));
            }
            return parts;
        };
        let head = rest.get(..limit).unwrap_or(rest);
        let at = head.rfind(' ').map_or(limit, |blank| blank + 1);
        let (part, remaining) = rest.split_at(at);
        let next = Place {
            bytes: start.bytes + part.len(),
            chars: start.chars + part.chars().count(),
            line: start.line,
        };
        if !part.trim().is_empty() {
            parts.push((start, next));
        }
        (start, rest) = (next, remaining);
    }
}
