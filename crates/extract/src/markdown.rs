//! Writes Markdown of which the chunker reads the structure back.
//!
//! Invariants:
//! - Blocks are set apart by a blank line; only a heading, a fence or a table that was written as such
//!   looks like one at the start of a line.
//! - A table whose columns have names too long for a line is written as records, each with the names.
//! - The text never grows beyond the limit: whoever writes more is told to stop.

use crate::refusal::Refusal;

/// The longest text of a file, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 32 * 1024 * 1024;

/// A longer heading is a paragraph.
const MAX_HEADING_CHARS: usize = 300;
/// Columns whose names take more than this are written as records, one list a row.
const MAX_TABLE_HEAD_CHARS: usize = 360;
/// The deepest indentation of a list.
const MAX_LIST_DEPTH: usize = 8;

/// What was written last, which decides what goes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Item,
    Block,
}

/// A Markdown text that is being written.
#[derive(Debug)]
pub(crate) struct Markdown {
    text: String,
    last: Last,
    headings: bool,
    max: usize,
}

impl Default for Markdown {
    fn default() -> Self {
        Self {
            text: String::new(),
            last: Last::Nothing,
            headings: false,
            max: MAX_TEXT_BYTES,
        }
    }
}

impl Markdown {
    /// Whether a heading of level 1 was written.
    pub(crate) fn has_top_heading(&self) -> bool {
        self.headings
    }

    /// Whether nothing was written.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    /// A heading of level 1 to 6; a number outside is moved to the nearer end.
    pub(crate) fn heading(&mut self, level: usize, title: &str) -> Result<(), Refusal> {
        let title = one_line(title);
        if title.is_empty() {
            return Ok(());
        }
        if title.chars().count() > MAX_HEADING_CHARS {
            return self.paragraph(&title);
        }
        let level = level.clamp(1, 6);
        self.headings |= level == 1;
        self.begin(Last::Block);
        self.push(&"#".repeat(level))?;
        self.push(" ")?;
        self.push(&title)
    }

    /// A paragraph; its line breaks stay.
    pub(crate) fn paragraph(&mut self, text: &str) -> Result<(), Refusal> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let Some(first) = lines.next() else {
            return Ok(());
        };
        self.begin(Last::Block);
        self.push(&plain_line(first))?;
        for line in lines {
            self.push("\n")?;
            self.push(&plain_line(line))?;
        }
        Ok(())
    }

    /// An item of a list, `depth` from 0; `marker` is `-` or a number with its point.
    pub(crate) fn item(&mut self, depth: usize, marker: &str, text: &str) -> Result<(), Refusal> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let Some(first) = lines.next() else {
            return Ok(());
        };
        self.begin(Last::Item);
        let indent = "  ".repeat(depth.min(MAX_LIST_DEPTH));
        self.push(&format!("{indent}{marker} {first}"))?;
        for line in lines {
            self.push(&format!("\n{indent}  {line}"))?;
        }
        Ok(())
    }

    /// Code in a fence that nothing inside it closes.
    pub(crate) fn code(&mut self, language: &str, code: &str) -> Result<(), Refusal> {
        let code = code.trim_end();
        let code = code.trim_start_matches('\n');
        if code.trim().is_empty() {
            return Ok(());
        }
        let longest = code.lines().map(leading_ticks).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        self.begin(Last::Block);
        self.push(&format!("{fence}{language}\n"))?;
        self.push(code)?;
        self.push(&format!("\n{fence}"))
    }

    /// A table; the first row names the columns.
    pub(crate) fn table(&mut self, rows: &[Vec<String>]) -> Result<(), Refusal> {
        let rows = rows
            .iter()
            .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        let mut body = rows.clone();
        let Some(head) = body.next() else {
            return Ok(());
        };
        let mut head = head.clone();
        head.resize(rows.map(Vec::len).max().unwrap_or(0), String::new());
        let table = self.begin_table(&head)?;
        for row in body {
            self.table_row(&table, row)?;
        }
        Ok(())
    }

    /// Begins a table whose rows come one by one.
    pub(crate) fn begin_table(&mut self, head: &[String]) -> Result<Table, Refusal> {
        let names: Vec<String> = head.iter().map(|cell| cell_text(cell)).collect();
        let chars: usize = names.iter().map(|name| name.chars().count() + 3).sum();
        let table = Table {
            records: names.len() < 2 || chars > MAX_TABLE_HEAD_CHARS,
            names,
        };
        if !table.records {
            let columns = table.names.len();
            self.begin(Last::Block);
            self.push(&row_text(&table.names, columns))?;
            self.push(&format!("\n|{}", "---|".repeat(columns)))?;
        } else if table.names.len() < 2 {
            self.paragraph(&head.join(" "))?;
        }
        Ok(table)
    }

    /// The next row of a table; blank rows are left out.
    pub(crate) fn table_row(&mut self, table: &Table, row: &[String]) -> Result<(), Refusal> {
        if row.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(());
        }
        if table.records {
            return self.record(table, row);
        }
        let columns = table.names.len();
        let mut cells: Vec<String> = row.iter().map(|cell| cell_text(cell)).collect();
        // Cells beyond the last column are kept in it.
        let beyond = cells.split_off(columns.min(cells.len()));
        if let (Some(last), false) = (cells.last_mut(), beyond.is_empty()) {
            *last = one_line(&format!("{last} {}", beyond.join(" ")));
        }
        self.push("\n")?;
        self.push(&row_text(&cells, columns))
    }

    /// A row as a list of its columns, where a line would be too long to be read.
    fn record(&mut self, table: &Table, row: &[String]) -> Result<(), Refusal> {
        if table.names.len() < 2 {
            return self.paragraph(&row.join(" "));
        }
        let names = table.names.iter().map(String::as_str);
        let names = names.chain(std::iter::repeat(""));
        // A paragraph first, so that the lists of two rows do not run together.
        let mut cells = names.zip(row).filter(|(_, cell)| !cell.trim().is_empty());
        if let Some((name, cell)) = cells.next() {
            self.paragraph(&pair(name, cell))?;
        }
        for (name, cell) in cells {
            self.item(0, "-", &pair(name, cell))?;
        }
        Ok(())
    }

    /// The text, which ends in a line end.
    pub(crate) fn finish(mut self) -> String {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text
    }

    /// Puts `before` in front of everything.
    pub(crate) fn finish_below(self, title: &str) -> Result<String, Refusal> {
        let mut whole = Self::default();
        whole.heading(1, title)?;
        let rest = self.finish();
        if !rest.is_empty() {
            whole.begin(Last::Block);
            whole.push(rest.trim_end())?;
        }
        Ok(whole.finish())
    }

    fn begin(&mut self, next: Last) {
        match (self.last, next) {
            (Last::Nothing, _) => {}
            (Last::Item, Last::Item) => self.text.push('\n'),
            _ => self.text.push_str("\n\n"),
        }
        self.last = next;
    }

    fn push(&mut self, text: &str) -> Result<(), Refusal> {
        if self.text.len() + text.len() + 2 > self.max {
            return Err(Refusal::unreadable(format!(
                "its text is longer than {} MiB",
                self.max / (1024 * 1024)
            )));
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// A table whose rows come one by one.
#[derive(Debug)]
pub(crate) struct Table {
    names: Vec<String>,
    records: bool,
}

fn pair(name: &str, cell: &str) -> String {
    let cell = one_line(cell);
    if name.is_empty() {
        cell
    } else {
        format!("{name}: {cell}")
    }
}

/// Without line ends and runs of blanks.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(1024));
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

fn cell_text(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

fn row_text(cells: &[String], columns: usize) -> String {
    let mut row = String::from("|");
    let blank = String::new();
    for cell in cells.iter().chain(std::iter::repeat(&blank)).take(columns) {
        row.push(' ');
        row.push_str(cell);
        row.push_str(" |");
    }
    row
}

fn leading_ticks(line: &str) -> usize {
    let line = line.trim_start();
    line.len() - line.trim_start_matches('`').len()
}

/// A line that would be read as a heading, a rule, a fence or a table gets a backslash.
fn plain_line(line: &str) -> String {
    let hashes = line.len() - line.trim_start_matches('#').len();
    let after = line.get(hashes..).unwrap_or("");
    let heading = (1..=6).contains(&hashes) && (after.is_empty() || after.starts_with([' ', '\t']));
    let rule = ['=', '-']
        .iter()
        .any(|mark| line.chars().all(|c| c == *mark));
    let fence = line.starts_with("```") || line.starts_with("~~~");
    let table = line.contains('-')
        && line.contains('|')
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
    if heading || rule || fence || table {
        format!("\\{line}")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn blocks_stand_apart_and_items_together() {
        let mut md = Markdown::default();
        md.heading(1, "Plan \n of the day").unwrap();
        md.paragraph("one\n two ").unwrap();
        md.item(0, "-", "a").unwrap();
        md.item(1, "1.", "b").unwrap();
        md.code("sh", "ls\n\n").unwrap();
        md.table(&[strings(&["a", "b|c"]), strings(&["1"])])
            .unwrap();
        assert_eq!(
            md.finish(),
            "# Plan of the day\n\none\ntwo\n\n- a\n  1. b\n\n```sh\nls\n```\n\n| a | b\\|c |\n|---|---|\n| 1 |  |\n"
        );
    }

    #[test]
    fn what_only_looks_like_structure_is_no_structure() {
        let mut md = Markdown::default();
        for line in ["# no", "----", "===", "```", "|---|", "#1 yes"] {
            md.paragraph(line).unwrap();
        }
        assert_eq!(
            md.finish(),
            "\\# no\n\n\\----\n\n\\===\n\n\\```\n\n\\|---|\n\n#1 yes\n"
        );
    }

    #[test]
    fn nothing_inside_a_fence_closes_it() {
        let mut md = Markdown::default();
        md.code("", "a\n````\nb").unwrap();
        assert_eq!(md.finish(), "`````\na\n````\nb\n`````\n");
    }

    #[test]
    fn columns_with_long_names_become_records() {
        let names: Vec<String> = (0..30)
            .map(|n| format!("a long name of column {n}"))
            .collect();
        let row: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        let mut md = Markdown::default();
        md.table(&[names, row]).unwrap();
        let text = md.finish();
        assert!(text.starts_with("a long name of column 0: 0\n\n- a long name of column 1: 1\n- "));
    }

    #[test]
    fn a_text_beyond_the_limit_is_refused() {
        let mut md = Markdown {
            max: 100,
            ..Markdown::default()
        };
        md.paragraph(&"a".repeat(90)).unwrap();
        assert!(md.paragraph(&"b".repeat(90)).is_err());
    }
}
