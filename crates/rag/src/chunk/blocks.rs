//! The blocks of a text: headings, code fences, tables, lists and runs of other lines.
//!
//! Invariant: blocks come in order, do not overlap, begin and end at a visible character of a
//! line, and leave out only blank lines and blanks at the ends of a block.
//! They are made one by one, without recursion: a text of many short lines needs no memory for each,
//! and no line is looked at more than a few times.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entries::Entry;
use super::lines::{Line, Lines, Place, item, outdented};
use super::parts::parts;
use crate::model::Media;

/// A longer line is text, whatever it begins with, so that headings stay small.
const MAX_HEADING_CHARS: usize = 512;

/// An underline below more lines is a rule; the look back stays short, so the work linear.
const MAX_HEADING_LINES: usize = 8;

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading of level 1 to 6.
    Heading { level: u8, title: String },
    /// Anything else.
    Body,
}

/// How a block may be cut when it is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// At lines.
    Code,
    /// At rows; the parts after the first one need the head.
    Table,
    /// At items of lists where there are such, else at lines.
    Prose,
}

/// A part of the text from `start` to before `end`; `end.line` is its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) entry: Entry,
    /// What a reader needs to know before it, where it goes on with something.
    pub(super) lead: Option<Arc<str>>,
    pub(super) start: Place,
    pub(super) end: Place,
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
    Blocks {
        lines: Lines::of(text),
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
            let (kind, shape, length) = match self.media {
                Media::Markdown => next_markdown(&here),
                Media::Text => {
                    let length = run(here.clone(), |line| !line.is_blank());
                    (Kind::Body, Shape::Prose, length)
                }
            };
            let length = length.max(1);
            self.ready = parts(&kind, shape, here.take(length), self.target);
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

/// The kind, the shape and the number of lines of the block that starts at a line with text.
fn next_markdown(lines: &Lines<'_>) -> (Kind, Shape, usize) {
    let mut after = lines.clone();
    let Some(first) = after.next() else {
        return (Kind::Body, Shape::Prose, 0);
    };
    if let Some((level, title)) = atx(&first) {
        return (Kind::Heading { level, title }, Shape::Prose, 1);
    }
    if let Some(length) = fenced(lines) {
        return (Kind::Body, Shape::Code, length);
    }
    if is_table(lines) {
        let rows = run(lines.clone(), |line| line.text.contains('|'));
        return (Kind::Body, Shape::Table, rows);
    }
    let mut length = 1;
    let mut titles = vec![first];
    let mut listed = item(first.text).is_some();
    loop {
        let here = after.clone();
        let Some(line) = after.next() else { break };
        if ends_prose(&line, &here) {
            break;
        }
        if let Some(level) = underline(line.text).filter(|_| length <= MAX_HEADING_LINES) {
            let chars: usize = titles.iter().map(|line| line.chars + 1).sum();
            let listed = titles.iter().any(|line| is_list_or_quote(line.text));
            if chars <= MAX_HEADING_CHARS && line.chars <= MAX_HEADING_CHARS && !listed {
                let title: Vec<&str> = titles.iter().map(|line| line.text.trim()).collect();
                let title = title.join(" ");
                return (Kind::Heading { level, title }, Shape::Prose, length + 1);
            }
        }
        if titles.len() < MAX_HEADING_LINES {
            titles.push(line);
        }
        listed |= item(line.text).is_some();
        length += 1;
    }
    if listed {
        length += rest_of_list(lines, length);
    }
    (Kind::Body, Shape::Prose, length)
}

/// Whether `line`, which `here` begins with, is no more of a run of lines.
fn ends_prose(line: &Line<'_>, here: &Lines<'_>) -> bool {
    line.is_blank() || atx(line).is_some() || fence(line.text).is_some() || is_table(here)
}

/// How many lines after the first `length` belong to the list that these end with: items after blank
/// lines, and what is indented below an item, code among it.
fn rest_of_list(lines: &Lines<'_>, length: usize) -> usize {
    let mut after = lines.clone();
    skip(&mut after, length);
    let mut more = 0;
    loop {
        let mut next = after.clone();
        let blank = run(next.clone(), Line::is_blank);
        skip(&mut next, blank);
        let here = next.clone();
        let Some(line) = next.next() else {
            return more;
        };
        let indented = line.text.starts_with("  ") || line.text.starts_with('\t');
        if !indented && item(line.text).is_none() {
            return more;
        }
        let length = match fenced(&here) {
            Some(length) => length,
            None if ends_prose(&line, &here) => return more,
            None => {
                let mut length = 1;
                loop {
                    let here = next.clone();
                    match next.next() {
                        Some(line) if !ends_prose(&line, &here) => length += 1,
                        _ => break,
                    }
                }
                length
            }
        };
        more += blank + length;
        skip(&mut after, blank + length);
    }
}

/// Goes on by `count` lines.
fn skip(lines: &mut Lines<'_>, count: usize) {
    if let Some(last) = count.checked_sub(1) {
        lines.nth(last);
    }
}

/// How many lines the code has that opens with the first line, if code does.
fn fenced(lines: &Lines<'_>) -> Option<usize> {
    let mut after = lines.clone();
    let fence = fence(after.next()?.text)?;
    let inside = run(after.clone(), |line| !closes(line.text, fence));
    let closed = after.nth(inside).is_some();
    Some(1 + inside + usize::from(closed))
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
    item(line).is_some() || line.trim_start().starts_with(['>', '|'])
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
