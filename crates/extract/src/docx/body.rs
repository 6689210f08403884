//! The paragraphs, lists and tables of a document.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::styles::{Numbering, Role, Styles, is_monospaced};
use super::xml;
use crate::markdown::Markdown;
use crate::refusal::Refusal;

/// How deeply paragraphs (of text boxes) and tables may stand inside each other.
const MAX_DEPTH: usize = 50;
/// The most columns of a table.
const MAX_COLUMNS: usize = 200;

/// Elements whose inside is left out: properties as they were before a change, and the older twin of
/// what is there in a newer form.
const SKIPPED: &[&str] = &[
    "Fallback",
    "pPrChange",
    "rPrChange",
    "tblPrChange",
    "tcPrChange",
    "sectPrChange",
    "instrText",
    "delText",
    "moveFrom",
];

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    outline: Option<usize>,
    list: Option<String>,
    level: usize,
    /// Characters, and those of them in a font for code.
    chars: usize,
    code_chars: usize,
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: String,
    columns: usize,
    continues: bool,
}

/// Reads the events of a part with text.
pub(super) struct Body<'a> {
    styles: &'a Styles,
    numbering: &'a Numbering,
    md: Markdown,
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    /// Paragraphs of code that follow each other.
    code: Vec<String>,
    counters: HashMap<(String, usize), usize>,
    /// How many elements are open below one that is left out, itself among them.
    skipped: usize,
    in_text: bool,
    run_is_code: bool,
    has_title: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(styles: &'a Styles, numbering: &'a Numbering) -> Self {
        Self {
            styles,
            numbering,
            md: Markdown::default(),
            paragraphs: Vec::new(),
            tables: Vec::new(),
            code: Vec::new(),
            counters: HashMap::new(),
            skipped: 0,
            in_text: false,
            run_is_code: false,
            has_title: false,
        }
    }

    pub(super) fn finish(mut self) -> Result<Markdown, Refusal> {
        self.end_code()?;
        Ok(self.md)
    }

    pub(super) fn take(&mut self, event: &Event<'_>) -> Result<(), Refusal> {
        match event {
            Event::Start(element) => {
                let name = xml::local(element);
                if self.skipped > 0 || SKIPPED.contains(&name.as_str()) {
                    self.skipped += 1;
                    return Ok(());
                }
                self.start(&name, element)
            }
            Event::Empty(element) if self.skipped == 0 => {
                let name = xml::local(element);
                self.start(&name, element)?;
                self.end(&name)
            }
            Event::End(element) => {
                if self.skipped > 0 {
                    self.skipped -= 1;
                    return Ok(());
                }
                let name = element.local_name();
                let name: &str = name.as_ref();
                self.end(name)
            }
            _ if self.in_text && self.skipped == 0 => {
                let mut text = String::new();
                xml::push_text(event, &mut text);
                self.push(&text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, text: &str) {
        let code = self.run_is_code;
        if let Some(paragraph) = self.paragraphs.last_mut() {
            let chars = text.chars().filter(|c| !c.is_whitespace()).count();
            paragraph.chars += chars;
            paragraph.code_chars += if code { chars } else { 0 };
            paragraph.text.push_str(text);
        }
    }

    fn start(&mut self, name: &str, element: &BytesStart<'_>) -> Result<(), Refusal> {
        let value = || xml::attribute(element, "val");
        let number = || value().and_then(|number| number.parse::<usize>().ok());
        match name {
            "p" => {
                self.paragraphs.push(Paragraph::default());
                if self.paragraphs.len() > MAX_DEPTH {
                    return Err(Refusal::too_deep());
                }
            }
            "tbl" => {
                self.end_code()?;
                self.tables.push(Table::default());
                if self.tables.len() > MAX_DEPTH {
                    return Err(Refusal::too_deep());
                }
            }
            "r" => self.run_is_code = false,
            "rFonts" => {
                let font = xml::attribute(element, "ascii");
                self.run_is_code = font.is_some_and(|font| is_monospaced(&font));
            }
            "t" => self.in_text = true,
            "tab" | "ptab" => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("-"),
            _ => {}
        }
        if let Some(paragraph) = self.paragraphs.last_mut() {
            match name {
                "pStyle" => paragraph.style = value(),
                "outlineLvl" => paragraph.outline = number(),
                "numId" => paragraph.list = value(),
                "ilvl" => paragraph.level = number().unwrap_or(0),
                _ => {}
            }
        } else if let Some(table) = self.tables.last_mut() {
            match name {
                "tc" => (table.columns, table.continues) = (1, false),
                "gridSpan" => table.columns = number().unwrap_or(1).clamp(1, MAX_COLUMNS),
                "vMerge" => table.continues = value().is_none_or(|value| value == "continue"),
                _ => {}
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Refusal> {
        match name {
            "t" => self.in_text = false,
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    return self.paragraph(paragraph);
                }
            }
            "tc" => self.end_cell(),
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    let row = std::mem::take(&mut table.row);
                    table.rows.push(row);
                }
            }
            "tbl" => return self.end_table(),
            _ => {}
        }
        Ok(())
    }

    /// A cell that goes on from the row above says what that one says.
    fn end_cell(&mut self) {
        let Some(table) = self.tables.last_mut() else {
            return;
        };
        let mut text = std::mem::take(&mut table.cell);
        let column = table.row.len();
        if table.continues && text.trim().is_empty() {
            let above = table.rows.last().and_then(|row| row.get(column));
            text = above.cloned().unwrap_or_default();
        }
        table.row.push(text);
        let width = (column + table.columns).min(MAX_COLUMNS);
        if width > table.row.len() {
            table.row.resize(width, String::new());
        }
    }

    fn end_table(&mut self) -> Result<(), Refusal> {
        let Some(table) = self.tables.pop() else {
            return Ok(());
        };
        match self.tables.last_mut() {
            // A table in a cell is text of the cell.
            Some(outer) => {
                for row in table.rows {
                    outer.cell.push_str(&row.join(" "));
                    outer.cell.push('\n');
                }
                Ok(())
            }
            None if self.paragraphs.is_empty() => self.md.table(&table.rows),
            None => {
                let rows: Vec<String> = table.rows.iter().map(|row| row.join(" ")).collect();
                self.push(&rows.join("\n"));
                Ok(())
            }
        }
    }

    fn paragraph(&mut self, paragraph: Paragraph) -> Result<(), Refusal> {
        if let Some(outer) = self.paragraphs.last_mut() {
            // A text box: its text belongs to the paragraph it is tied to.
            outer.text.push('\n');
            outer.text.push_str(paragraph.text.trim());
            outer.text.push('\n');
            return Ok(());
        }
        if let Some(table) = self.tables.last_mut() {
            table.cell.push_str(&paragraph.text);
            table.cell.push('\n');
            return Ok(());
        }
        let style = paragraph.style.as_deref().unwrap_or("");
        let role = match paragraph.outline {
            Some(outline @ 0..=8) => Role::Heading(outline + 1),
            _ => self.styles.role(style),
        };
        let is_code = paragraph.chars > 0 && paragraph.code_chars == paragraph.chars;
        if role == Role::Code || (role == Role::Body && is_code) {
            self.code.push(paragraph.text);
            return Ok(());
        }
        if paragraph.text.trim().is_empty() {
            // A blank line between lines of code is one of them.
            if let Some(last) = self.code.last_mut() {
                last.push('\n');
            }
            return Ok(());
        }
        self.end_code()?;
        match role {
            Role::Contents => Ok(()),
            Role::Title => {
                self.has_title = true;
                self.md.heading(1, &paragraph.text)
            }
            Role::Heading(level) => self
                .md
                .heading(level + usize::from(self.has_title), &paragraph.text),
            Role::Code | Role::Body => self.text(&paragraph, style),
        }
    }

    fn text(&mut self, paragraph: &Paragraph, style: &str) -> Result<(), Refusal> {
        let text = paragraph.text.replace('\t', " ");
        let list = match &paragraph.list {
            Some(list) => Some((list.clone(), paragraph.level)),
            None => self.styles.numbering(style),
        };
        let Some((list, level)) = list.filter(|(list, _)| list != "0") else {
            return self.md.paragraph(&text);
        };
        let Some(numbered) = self.numbering.is_numbered(&list, level) else {
            return self.md.item(level, "-", &text);
        };
        // Deeper levels count from 1 again.
        self.counters
            .retain(|(known, deep), _| *known != list || *deep <= level);
        let count = self.counters.entry((list, level)).or_insert(0);
        *count += 1;
        let marker = if numbered {
            format!("{count}.")
        } else {
            "-".to_owned()
        };
        self.md.item(level, &marker, &text)
    }

    fn end_code(&mut self) -> Result<(), Refusal> {
        let code = std::mem::take(&mut self.code).join("\n");
        self.md.code("", &code)
    }
}
