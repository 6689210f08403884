//! From the lines of pages to headings, paragraphs, lists, tables and code.
//!
//! - What is repeated at the edge of many pages, page numbers, and tables of contents are left out.
//! - A heading is set in larger type than the text, or is the bold number of a message.
//! - A word that was cut at the end of a line is joined again.

use std::collections::{HashMap, HashSet};

use regex::Regex;

use super::columns::Line;
use super::content::Size;
use crate::markdown::Markdown;
use crate::refusal::Refusal;

/// The part of a page's height, at its top and bottom, where headers and footers stand.
const EDGE: f32 = 0.11;
/// How much larger than the text a heading is.
const LARGER: f32 = 1.12;
/// A longer line in large type is no heading.
const MAX_HEADING_CHARS: usize = 160;
/// From line to line of a paragraph at most, in parts of the font's size.
const PITCH: f32 = 1.75;

/// A page in lines.
pub(super) struct Page {
    size: Size,
    lines: Vec<Line>,
    /// Where the second line from the top stands, and the second from the bottom.
    high: f32,
    low: f32,
}

impl Page {
    pub(super) fn new(size: Size, lines: Vec<Line>) -> Self {
        let mut heights: Vec<f32> = lines.iter().map(|line| line.y).collect();
        heights.sort_by(f32::total_cmp);
        heights.dedup_by(|a, b| (*a - *b).abs() < 1.0);
        let low = heights.get(1).or(heights.last()).copied().unwrap_or(0.0);
        let high = heights
            .iter()
            .rev()
            .nth(1)
            .or(heights.first())
            .copied()
            .unwrap_or(0.0);
        Self {
            size,
            lines,
            high,
            low,
        }
    }

    /// Visible characters.
    pub(super) fn chars(&self) -> usize {
        let chars = |line: &Line| line.text().chars().filter(|c| !c.is_whitespace()).count();
        self.lines.iter().map(chars).sum()
    }

    fn is_at_edge(&self, line: &Line) -> bool {
        let edge = self.size.height * EDGE;
        (line.y < edge && line.y <= self.low)
            || (line.y > self.size.height - edge && line.y >= self.high)
    }
}

/// Writes the text of the pages.
pub(super) fn write(pages: &[Page], md: &mut Markdown) -> Result<(), Refusal> {
    let marks = Marks::default();
    let repeated = repeated(pages);
    let lines = pages.iter().flat_map(|page| {
        let (marks, repeated) = (&marks, &repeated);
        page.lines.iter().filter(move |line| {
            let text = line.text();
            let at_edge = page.is_at_edge(line)
                && (repeated.contains(&masked(&text)) || marks.is_page_number(text.trim()));
            !(at_edge || marks.is_of_contents(&text))
        })
    });
    let lines: Vec<&Line> = lines.collect();
    let sizes = Sizes::of(&lines);
    let mut writer = Writer {
        md,
        marks: &marks,
        sizes,
        open: Open::Nothing,
        last: None,
    };
    let mut rest = lines.as_slice();
    while let Some(first) = rest.first() {
        let rows = table(rest);
        if let Some(rows) = rows {
            let (table, after) = rest.split_at(rows);
            writer.table(table)?;
            rest = after;
        } else {
            writer.line(first)?;
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    writer.close()
}

/// Numbers do not tell two headers apart.
fn masked(text: &str) -> String {
    let is_number = |word: &str| {
        let digits = word
            .chars()
            .all(|c| c.is_ascii_digit() || ".,()-".contains(c));
        digits || (!word.is_empty() && word.chars().all(|c| "ivxlc".contains(c)))
    };
    let words = text.split_whitespace();
    let words: Vec<&str> = words
        .map(|word| if is_number(word) { "#" } else { word })
        .collect();
    words.join(" ")
}

/// The lines at the edges that stand on several pages: with a page number twice, else on a third of them.
fn repeated(pages: &[Page]) -> HashSet<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for page in pages {
        for line in page.lines.iter().filter(|line| page.is_at_edge(line)) {
            *counts.entry(masked(&line.text())).or_default() += 1;
        }
    }
    counts.retain(|text, count| {
        let numbered = text.starts_with("# ") || text.ends_with(" #");
        (numbered && *count >= 2) || (*count >= 3 && *count * 3 >= pages.len())
    });
    counts.into_keys().collect()
}

/// What is known by its form.
struct Marks {
    page: Option<Regex>,
    item: Option<Regex>,
    message: Option<Regex>,
    contents: Option<Regex>,
}

impl Default for Marks {
    fn default() -> Self {
        let number = r"(?i)^(page|p[áa]gina|p[áa]g\.?|seite|-|–)?\s*(\d{1,4}|[ivxlc]{1,7})(\s*(/|of|de|von|-|–)\s*\d{0,4})?$";
        Self {
            page: Regex::new(number).ok(),
            item: Regex::new(r"^([•◦▪●■□–—·*\u{f0b7}\u{f0a7}-]|\d{1,3}[.)]|[a-z][.)])\s+(\S.*)$")
                .ok(),
            message: Regex::new(r"^[A-Z]{3,6}[A-Z0-9]{0,4}\d{3,5}[EIWS]\b").ok(),
            contents: Regex::new(r"(([.:·…_]\s?){5,}|…{2,})\s*(\d{1,4}|[ivxlc]{1,7})\s*$").ok(),
        }
    }
}

impl Marks {
    fn is_page_number(&self, text: &str) -> bool {
        self.page.as_ref().is_some_and(|page| page.is_match(text))
    }

    /// An entry of a table of contents: dots that lead to the number of a page.
    fn is_of_contents(&self, text: &str) -> bool {
        self.contents
            .as_ref()
            .is_some_and(|contents| contents.is_match(text))
    }

    /// The marker and the text of an item of a list.
    fn item<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        let found = self.item.as_ref()?.captures(text)?;
        let marker = found.get(1)?.as_str();
        let marker = if marker.starts_with(|c: char| c.is_ascii_digit()) {
            marker.replace(')', ".")
        } else {
            "-".to_owned()
        };
        if text.starts_with(|c: char| c.is_ascii_lowercase()) {
            // A letter may be referred to: it stays with the text.
            return Some((marker, text));
        }
        Some((marker, found.get(2)?.as_str()))
    }

    fn is_message(&self, text: &str) -> bool {
        self.message
            .as_ref()
            .is_some_and(|message| message.is_match(text))
    }
}

/// The sizes of type in the document.
struct Sizes {
    body: f32,
    /// Those of headings, the largest first.
    headings: Vec<f32>,
}

impl Sizes {
    fn of(lines: &[&Line]) -> Self {
        let mut known: Vec<(f32, usize)> = Vec::new();
        for line in lines {
            let chars: usize = line.cells.iter().map(|cell| cell.text.len()).sum();
            match known
                .iter_mut()
                .find(|(size, _)| (size - line.size).abs() < 0.3)
            {
                Some((_, count)) => *count += chars,
                None => known.push((line.size, chars)),
            }
        }
        let body = known
            .iter()
            .max_by_key(|(_, chars)| *chars)
            .map_or(10.0, |(size, _)| *size);
        let mut headings: Vec<f32> = known
            .iter()
            .map(|(size, _)| *size)
            .filter(|size| *size > body * LARGER)
            .collect();
        headings.sort_by(|a, b| b.total_cmp(a));
        Self { body, headings }
    }

    /// The level of a line in type of a heading, from 1.
    fn level(&self, line: &Line) -> Option<usize> {
        if line.size <= self.body * LARGER || line.text().chars().count() > MAX_HEADING_CHARS {
            return None;
        }
        let rank = self
            .headings
            .iter()
            .position(|size| (size - line.size).abs() < 0.31)?;
        Some((rank + 1).min(6))
    }
}

/// What the next line may go on with.
enum Open {
    Nothing,
    Heading(usize, String),
    Paragraph(String),
    Item(String, String),
    /// Lines of code with where they begin.
    Code(Vec<(f32, String)>),
}

struct Writer<'a> {
    md: &'a mut Markdown,
    marks: &'a Marks,
    sizes: Sizes,
    open: Open,
    last: Option<Line>,
}

impl Writer<'_> {
    fn line(&mut self, line: &Line) -> Result<(), Refusal> {
        let text = line.text();
        let text = text.trim();
        let level = self.sizes.level(line);
        let follows = self.follows(line);
        let message = line.bold && self.marks.is_message(text);
        if line.monospaced && level.is_none() {
            let code = (line.x(), line.text());
            if let Open::Code(lines) = &mut self.open {
                lines.push(code);
            } else {
                self.close()?;
                self.open = Open::Code(vec![code]);
            }
        } else if let Some(level) = level.or(message.then(|| self.sizes.headings.len().min(4) + 2))
        {
            match &mut self.open {
                Open::Heading(open, title) if *open == level && follows && !message => {
                    append(title, text);
                }
                _ => {
                    self.close()?;
                    self.open = Open::Heading(level, text.to_owned());
                }
            }
        } else if let Some((marker, text)) = self.marks.item(text) {
            self.close()?;
            self.open = Open::Item(marker, text.to_owned());
        } else {
            match &mut self.open {
                Open::Paragraph(open) if follows => append(open, text),
                Open::Item(_, open) if follows => append(open, text),
                _ => {
                    self.close()?;
                    self.open = Open::Paragraph(text.to_owned());
                }
            }
        }
        self.last = Some(line.clone());
        Ok(())
    }

    /// Whether a line goes on with the one before: just below it, or at the top of the next column or page
    /// when that one was full.
    fn follows(&self, line: &Line) -> bool {
        let Some(last) = &self.last else { return false };
        if (last.size - line.size).abs() > 0.1 * last.size.max(line.size) || last.bold != line.bold
        {
            // A bold beginning of a paragraph is in the same line as what follows.
            return false;
        }
        let down = last.y - line.y;
        if down > 0.0 {
            return down <= PITCH * line.size;
        }
        let open = match &self.open {
            Open::Paragraph(text) | Open::Item(_, text) => text.trim_end(),
            _ => return false,
        };
        !open.ends_with(['.', '!', '?', ':', ';'])
            && line.text().trim().starts_with(|c: char| c.is_lowercase())
    }

    fn table(&mut self, lines: &[&Line]) -> Result<(), Refusal> {
        self.close()?;
        let starts: Vec<f32> = lines
            .first()
            .map(|line| line.cells.iter().map(|cell| cell.x).collect())
            .unwrap_or_default();
        let mut rows: Vec<Vec<String>> = Vec::new();
        for line in lines {
            if line.cells.len() == starts.len() {
                rows.push(
                    line.cells
                        .iter()
                        .map(|cell| cell.text.trim().to_owned())
                        .collect(),
                );
                continue;
            }
            // The rest of cells that were too long for one line.
            for cell in &line.cells {
                let column = nearest(&starts, cell.x);
                let row = rows.last_mut().and_then(|row| row.get_mut(column));
                if let Some(row) = row {
                    append(row, cell.text.trim());
                }
            }
        }
        self.last = None;
        self.md.table(&rows)
    }

    fn close(&mut self) -> Result<(), Refusal> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => Ok(()),
            Open::Heading(level, title) => self.md.heading(level, &title),
            Open::Paragraph(text) => self.md.paragraph(&text),
            Open::Item(marker, text) => self.md.item(0, &marker, &text),
            Open::Code(lines) => self.md.code("", &indented(&lines, self.sizes.body)),
        }
    }
}

/// Lines of code, set in as far as they stand in.
fn indented(lines: &[(f32, String)], size: f32) -> String {
    let left = lines
        .iter()
        .map(|(x, _)| *x)
        .min_by(f32::total_cmp)
        .unwrap_or(0.0);
    let step = (size * 0.6).max(1.0);
    let mut code = String::new();
    for (x, text) in lines {
        let mut at = left + step * 0.5;
        while at < *x && at < left + step * 60.0 {
            code.push(' ');
            at += step;
        }
        code.push_str(text.trim_end());
        code.push('\n');
    }
    code
}

/// Goes on in the next line; a word that was cut is joined.
fn append(text: &mut String, next: &str) {
    let goes_on = next.starts_with(|c: char| c.is_lowercase());
    if let Some(cut) = text.strip_suffix('\u{ad}') {
        text.truncate(cut.len());
    } else if let Some(cut) = text.strip_suffix(['-', '\u{2010}'])
        && goes_on
        && cut.ends_with(char::is_alphabetic)
    {
        text.truncate(cut.len());
    } else {
        text.push(' ');
    }
    text.push_str(next);
}

fn nearest(starts: &[f32], x: f32) -> usize {
    let distance = |start: &f32| (start - x).abs();
    let columns = starts.iter().enumerate();
    columns
        .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)))
        .map_or(0, |(at, _)| at)
}

/// How many lines from the first on are a table, if they are one: two rows at least with the same columns
/// below each other.
fn table(lines: &[&Line]) -> Option<usize> {
    let first = lines
        .first()
        .filter(|line| line.cells.len() >= 2 && !line.monospaced)?;
    let aligned = |line: &Line| {
        line.cells.iter().all(|cell| {
            first.cells.iter().any(|column| {
                let near = 0.8 * first.size;
                let centre = |x: f32, end: f32| f32::midpoint(x, end);
                (cell.x - column.x).abs() < near
                    || (cell.end - column.end).abs() < near
                    || (centre(cell.x, cell.end) - centre(column.x, column.end)).abs() < near
            })
        })
    };
    let (mut rows, mut length, mut last) = (1, 1, *first);
    for line in lines.get(1..).unwrap_or_default() {
        let down = last.y - line.y;
        if down <= 0.0 || down > 3.0 * first.size || !aligned(line) {
            break;
        }
        if line.cells.len() == first.cells.len() {
            rows += 1;
        } else if line.cells.len() > first.cells.len()
            || down > 1.4 * first.size
            || line.end() > first.end() + 60.0
        {
            break;
        }
        length += 1;
        last = line;
    }
    (rows >= 2).then_some(length)
}
