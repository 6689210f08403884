//! Tables of a page: which of them hold data, and their cells.

use std::collections::HashSet;

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use scraper::node::Element;

use super::{NodeRef, element, push_collapsed};

/// The most cells that one cell spans in a direction.
const MAX_SPAN: usize = 50;
/// The most columns.
const MAX_COLUMNS: usize = 200;

/// The tables that lay out a page: they hold headings, code or other tables.
pub(super) fn layout_tables(root: NodeRef<'_>) -> HashSet<NodeId> {
    let mut layout = HashSet::new();
    let mut open: Vec<NodeId> = Vec::new();
    for edge in root.traverse() {
        match edge {
            Edge::Open(node) => {
                let Some(element) = element(&node) else {
                    continue;
                };
                let name = element.name();
                let lays_out = matches!(
                    name,
                    "table" | "pre" | "dl" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
                );
                if lays_out && let Some(table) = open.last() {
                    layout.insert(*table);
                }
                if name == "table" {
                    open.push(node.id());
                    if matches!(element.attr("role"), Some("presentation" | "none")) {
                        layout.insert(node.id());
                    }
                }
            }
            Edge::Close(node) => {
                if open.last() == Some(&node.id()) {
                    open.pop();
                }
            }
        }
    }
    layout
}

/// What is read of a table of data.
pub(super) struct Grid {
    table: NodeId,
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: Option<Cell>,
    caption: Option<String>,
    captions: String,
    /// For each column how many more rows its cell spans, and the cell.
    spans: Vec<(usize, String)>,
}

struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

impl Grid {
    pub(super) fn new(table: NodeId) -> Self {
        Self {
            table,
            rows: Vec::new(),
            row: Vec::new(),
            cell: None,
            caption: None,
            captions: String::new(),
            spans: Vec::new(),
        }
    }

    pub(super) fn is(&self, node: NodeId) -> bool {
        self.table == node
    }

    pub(super) fn open(&mut self, name: &str, element: &Element) {
        let span = |name: &str| {
            let value = element
                .attr(name)
                .and_then(|value| value.trim().parse().ok());
            value.unwrap_or(1_usize).clamp(1, MAX_SPAN)
        };
        match name {
            "tr" => self.end_row(),
            "td" | "th" => {
                self.end_cell();
                self.cell = Some(Cell {
                    text: String::new(),
                    columns: span("colspan"),
                    rows: span("rowspan"),
                });
            }
            "caption" => self.caption = Some(String::new()),
            // Whatever else begins a line is set off by a blank.
            "br" | "p" | "div" | "li" | "ul" | "ol" => self.text(" "),
            _ => {}
        }
    }

    pub(super) fn close(&mut self, name: &str) {
        match name {
            "td" | "th" => self.end_cell(),
            "tr" => self.end_row(),
            "caption" => self.captions.extend(self.caption.take()),
            "p" | "div" | "li" => self.text(" "),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(cell) = &mut self.cell {
            push_collapsed(&mut cell.text, text);
        } else if let Some(caption) = &mut self.caption {
            push_collapsed(caption, text);
        }
    }

    /// The caption and the rows.
    pub(super) fn finish(mut self) -> (String, Vec<Vec<String>>) {
        self.end_row();
        (self.captions, self.rows)
    }

    fn end_cell(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        self.fill_spanned();
        for column in 0..cell.columns {
            let at = self.row.len();
            if at >= MAX_COLUMNS {
                return;
            }
            if self.spans.len() <= at {
                self.spans.resize(at + 1, (0, String::new()));
            }
            let text = if column == 0 {
                cell.text.trim().to_owned()
            } else {
                String::new()
            };
            if let Some(span) = self.spans.get_mut(at).filter(|_| cell.rows > 1) {
                *span = (cell.rows - 1, text.clone());
            }
            self.row.push(text);
        }
    }

    /// Repeats the cells of rows above that reach into this one.
    fn fill_spanned(&mut self) {
        while let Some((left, text)) = self.spans.get_mut(self.row.len()) {
            if *left == 0 {
                return;
            }
            *left -= 1;
            self.row.push(text.clone());
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        if self.row.is_empty() {
            return;
        }
        self.fill_spanned();
        self.rows.push(std::mem::take(&mut self.row));
    }
}
