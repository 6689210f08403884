//! HTML as Markdown: what a reader of the page reads, without the page's frame.
//!
//! Invariants:
//! - The walk has no recursion: nesting costs memory and no stack.
//! - Scripts, styles, forms and navigation are left out; `main` or the only `article` is taken where
//!   there is one.

mod tables;

use std::collections::HashSet;

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use regex::Regex;
use scraper::node::Element;
use scraper::{Html, Node};

use self::tables::{Grid, layout_tables};
use crate::markdown::{Markdown, one_line};
use crate::refusal::Refusal;
use crate::worker::Read;

type NodeRef<'a> = ego_tree::NodeRef<'a, Node>;

/// Elements that hold nothing to read.
const DROPPED: &[&str] = &[
    "script", "style", "noscript", "template", "nav", "footer", "aside", "iframe", "object", "svg",
    "canvas", "audio", "video", "button", "select", "textarea", "input", "head", "dialog",
];

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "body",
    "center",
    "details",
    "div",
    "fieldset",
    "figcaption",
    "figure",
    "form",
    "header",
    "hgroup",
    "hr",
    "legend",
    "main",
    "p",
    "section",
    "summary",
    "tbody",
    "thead",
    "tfoot",
    "html",
];

/// Reads the page.
pub(crate) fn read(text: &str) -> Result<Read, Refusal> {
    let page = Html::parse_document(text);
    let title = page_title(&page);
    let root = root(&page);
    let mut md = walked(root)?;
    if md.is_blank() && root.id() != page.tree.root().id() {
        // The page keeps its text elsewhere.
        md = walked(page.tree.root())?;
    }
    let text = match &title {
        Some(title) if !md.has_top_heading() && !md.is_blank() => md.finish_below(title)?,
        _ => md.finish(),
    };
    Ok(Read::markdown("HTML", title, text))
}

fn walked(root: NodeRef<'_>) -> Result<Markdown, Refusal> {
    let mut walk = Walk::new(layout_tables(root));
    for edge in root.traverse() {
        match edge {
            Edge::Open(node) => walk.open(node)?,
            Edge::Close(node) => walk.close(node)?,
        }
    }
    walk.flush()?;
    Ok(walk.md)
}

pub(super) fn element<'a>(node: &NodeRef<'a>) -> Option<&'a Element> {
    match node.value() {
        Node::Element(element) => Some(element),
        _ => None,
    }
}

fn page_title(page: &Html) -> Option<String> {
    let title = page
        .tree
        .root()
        .descendants()
        .find(|node| element(node).is_some_and(|element| element.name() == "title"))?;
    let text: String = title
        .children()
        .filter_map(|child| child.value().as_text().map(|text| text.to_string()))
        .collect();
    Some(one_line(&text)).filter(|title| !title.is_empty())
}

/// What is read: the `main`, or the only `article`, or all.
fn root(page: &Html) -> NodeRef<'_> {
    let all = page.tree.root();
    let is_main = |node: &NodeRef<'_>| {
        element(node)
            .is_some_and(|element| element.name() == "main" || element.attr("role") == Some("main"))
    };
    let is_article =
        |node: &NodeRef<'_>| element(node).is_some_and(|element| element.name() == "article");
    if let Some(main) = all.descendants().find(is_main) {
        return main;
    }
    let mut articles = all.descendants().filter(is_article);
    match (articles.next(), articles.next()) {
        (Some(article), None) => article,
        _ => all,
    }
}

#[derive(Debug)]
struct List {
    numbered: bool,
    count: usize,
}

struct Walk {
    md: Markdown,
    /// The line that is being read.
    inline: String,
    /// Code that is being read, and its language.
    code: Option<(String, String)>,
    lists: Vec<List>,
    /// The marker of an item whose text is still to come.
    marker: Option<String>,
    /// A term of a definition whose text is still to come.
    term: Option<String>,
    grid: Option<Grid>,
    layout: HashSet<NodeId>,
    /// The element whose inside is left out.
    dropped: Option<NodeId>,
    /// How many `main`, `article` and `section` are open: a `header` inside is no page header.
    inside: usize,
    level: usize,
    message: Option<Regex>,
}

impl Walk {
    fn new(layout: HashSet<NodeId>) -> Self {
        Self {
            md: Markdown::default(),
            inline: String::new(),
            code: None,
            lists: Vec::new(),
            marker: None,
            term: None,
            grid: None,
            layout,
            dropped: None,
            inside: 0,
            level: 1,
            // The number of a message, as manuals of the product list them: `AWSBCT001E`.
            message: Regex::new(r"^[A-Z]{3,6}[A-Z0-9]{0,4}\d{3,5}[EIWS]\b").ok(),
        }
    }

    fn open(&mut self, node: NodeRef<'_>) -> Result<(), Refusal> {
        if self.dropped.is_some() {
            return Ok(());
        }
        let element = match node.value() {
            Node::Text(text) => {
                self.text(text);
                return Ok(());
            }
            Node::Element(element) => element,
            _ => return Ok(()),
        };
        let name = element.name();
        if self.is_dropped(element) {
            self.dropped = Some(node.id());
            return Ok(());
        }
        if matches!(name, "main" | "article" | "section") {
            self.inside += 1;
        }
        if let Some(grid) = &mut self.grid {
            grid.open(name, element);
            return Ok(());
        }
        match name {
            "br" => self.line_break(),
            "pre" => {
                self.flush()?;
                self.code = Some((String::new(), language(element)));
            }
            "code" | "kbd" | "samp" | "tt" if self.code.is_none() => self.inline.push('`'),
            "ul" | "menu" => self.open_list(false, 0)?,
            "ol" => {
                let start = element.attr("start").and_then(|start| start.parse().ok());
                self.open_list(true, start.unwrap_or(1_usize).saturating_sub(1))?;
            }
            "li" => {
                self.flush()?;
                self.marker = Some(self.next_marker());
            }
            "table" if !self.layout.contains(&node.id()) => {
                self.flush()?;
                self.grid = Some(Grid::new(node.id()));
            }
            _ if breaks_line(name) => self.flush()?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, node: NodeRef<'_>) -> Result<(), Refusal> {
        if let Some(dropped) = self.dropped {
            if dropped == node.id() {
                self.dropped = None;
            }
            return Ok(());
        }
        let Some(element) = element(&node) else {
            return Ok(());
        };
        let name = element.name();
        if matches!(name, "main" | "article" | "section") {
            self.inside = self.inside.saturating_sub(1);
        }
        if let Some(grid) = &mut self.grid {
            if grid.is(node.id()) {
                return self.close_table();
            }
            grid.close(name);
            return Ok(());
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = name.trim_start_matches('h').parse().unwrap_or(6);
                let title = self.take_line();
                self.loose()?;
                self.level = level;
                self.md.heading(level, &title)?;
            }
            "pre" => {
                if let Some((code, language)) = self.code.take() {
                    self.loose()?;
                    self.md.code(&language, &code)?;
                }
            }
            "code" | "kbd" | "samp" | "tt" if self.code.is_none() => self.close_code(),
            "ul" | "ol" | "menu" => {
                self.flush()?;
                self.lists.pop();
            }
            "li" => {
                self.flush()?;
                self.marker = None;
            }
            "dt" => self.close_term()?,
            "td" | "th" => self.flush()?,
            _ if breaks_line(name) => self.flush()?,
            _ => {}
        }
        Ok(())
    }

    fn is_dropped(&self, element: &Element) -> bool {
        let name = element.name();
        DROPPED.contains(&name)
            || (name == "header" && self.inside == 0)
            || element.attr("hidden").is_some()
            || element.attr("aria-hidden") == Some("true")
            || matches!(
                element.attr("role"),
                Some("navigation" | "banner" | "contentinfo" | "search")
            )
    }

    fn text(&mut self, text: &str) {
        if let Some(grid) = &mut self.grid {
            grid.text(text);
        } else if let Some((code, _)) = &mut self.code {
            code.push_str(text);
        } else {
            push_collapsed(&mut self.inline, text);
        }
    }

    fn line_break(&mut self) {
        match &mut self.code {
            Some((code, _)) => code.push('\n'),
            None => self.inline.push('\n'),
        }
    }

    fn close_code(&mut self) {
        // An empty one leaves no mark.
        if self.inline.ends_with('`') {
            self.inline.pop();
        } else {
            let end = self.inline.trim_end().len();
            let blank = self.inline.len() > end;
            self.inline.truncate(end);
            self.inline.push_str(if blank { "` " } else { "`" });
        }
    }

    fn open_list(&mut self, numbered: bool, count: usize) -> Result<(), Refusal> {
        self.loose()?;
        self.lists.push(List { numbered, count });
        Ok(())
    }

    fn next_marker(&mut self) -> String {
        match self.lists.last_mut() {
            Some(list) if list.numbered => {
                list.count += 1;
                format!("{}.", list.count)
            }
            _ => "-".to_owned(),
        }
    }

    /// A term that is a message's number begins a section; any other stands before its text.
    fn close_term(&mut self) -> Result<(), Refusal> {
        let term = one_line(&self.take_line());
        self.loose()?;
        if self
            .message
            .as_ref()
            .is_some_and(|message| message.is_match(term.trim_matches('`')))
        {
            return self.md.heading(self.level + 1, term.trim_matches('`'));
        }
        self.term = Some(term).filter(|term| !term.is_empty());
        Ok(())
    }

    fn close_table(&mut self) -> Result<(), Refusal> {
        let Some(grid) = self.grid.take() else {
            return Ok(());
        };
        self.loose()?;
        let (caption, rows) = grid.finish();
        self.md.paragraph(&caption)?;
        self.md.table(&rows)
    }

    fn take_line(&mut self) -> String {
        let line = std::mem::take(&mut self.inline);
        line.trim().to_owned()
    }

    /// What waits for a text that does not come stands alone.
    fn loose(&mut self) -> Result<(), Refusal> {
        self.flush()?;
        match self.term.take() {
            Some(term) => self.md.paragraph(&format!("**{term}**")),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        if self.code.is_some() {
            return Ok(());
        }
        let mut line = self.take_line();
        if line.is_empty() {
            return Ok(());
        }
        if let Some(term) = self.term.take() {
            line = format!("**{term}**: {line}");
        }
        match self.marker.take() {
            Some(marker) => self
                .md
                .item(self.lists.len().saturating_sub(1), &marker, &line),
            None => self.md.paragraph(&line),
        }
    }
}

fn breaks_line(name: &str) -> bool {
    BLOCKS.contains(&name)
        || matches!(
            name,
            "h1" | "h2"
                | "h3"
                | "h4"
                | "h5"
                | "h6"
                | "dl"
                | "dt"
                | "dd"
                | "table"
                | "tr"
                | "caption"
        )
}

fn language(element: &Element) -> String {
    let class = element.attr("class").unwrap_or("");
    let named = class
        .split_whitespace()
        .find_map(|class| class.strip_prefix("language-"));
    let named = named.unwrap_or("");
    named
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect()
}

/// Appends text with each run of blanks as one.
pub(super) fn push_collapsed(line: &mut String, text: &str) {
    for c in text.chars() {
        if c == '\u{ad}' {
            // A place where a word may be cut.
        } else if !c.is_whitespace() {
            line.push(c);
        } else {
            // After the mark that begins code there is no blank, after the one that ends it there is.
            let opened = line.ends_with(" `") || line == "`";
            if !(line.is_empty() || opened || line.ends_with([' ', '\n'])) {
                line.push(' ');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        read(html).unwrap().text
    }

    #[test]
    fn a_manual_page_keeps_its_structure_and_loses_its_frame() {
        let read = read(
            "<html><head><title>Messages &amp; codes</title><style>x{}</style></head><body>\
             <header>Company</header><nav><a href=x>Home</a></nav>\
             <main><header><h1>Messages</h1></header><p>All  of\n them, <b>sorted</b>&nbsp;by id.<br>Really.</p>\
             <dl><dt>AWSBCT001E The file is full.</dt><dd><dl><dt>Explanation</dt><dd>No <code>space</code>.</dd>\
             <dt>Operator response</dt><dd><ol><li>Run<pre class='language-sh'>df -h\n# not a title\n</pre></li>\
             <li>Wait<ul><li>or call</li></ul></li></ol></dd></dl></dd></dl>\
             <table><caption>Codes</caption><tr><th>code</th><th>meaning</th></tr>\
             <tr><td rowspan=2>4</td><td>warn|ing</td></tr><tr><td>late</td></tr></table></main>\
             <footer>(c)</footer><script>alert(1)</script></body></html>",
        )
        .unwrap();
        assert_eq!(read.title.as_deref(), Some("Messages & codes"));
        assert_eq!(
            read.text,
            "# Messages\n\nAll of them, sorted by id.\nReally.\n\n## AWSBCT001E The file is full.\n\n\
             **Explanation**: No `space`.\n\n**Operator response**\n\n1. Run\n\n```sh\ndf -h\n# not a title\n```\n\n\
             2. Wait\n  - or call\n\nCodes\n\n| code | meaning |\n|---|---|\n| 4 | warn\\|ing |\n| 4 | late |\n"
        );
    }

    #[test]
    fn a_table_that_lays_out_the_page_is_no_table() {
        let html = "<table><tr><td><h2>Steps</h2><p>one</p></td><td><table><tr><td>a</td><td>b</td></tr></table>\
                    </td></tr></table>";
        assert_eq!(text(html), "## Steps\n\none\n\n| a | b |\n|---|---|\n");
    }

    #[test]
    fn a_page_without_a_heading_gets_its_title() {
        assert_eq!(text("<title>Plan</title><p>text"), "# Plan\n\ntext\n");
        assert_eq!(text("<main></main><p>elsewhere"), "elsewhere\n");
    }

    /// B5: nesting costs no stack, entities nothing at all.
    #[test]
    fn deep_and_multiplying_pages_are_read() {
        let deep = format!("{}x{}", "<div>".repeat(10_000), "</div>".repeat(10_000));
        assert_eq!(text(&deep), "x\n");
        let headings = "<h2>a".repeat(10_000);
        assert!(text(&headings).starts_with("## a"));
        let bomb = "<!DOCTYPE html [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><p>&b;";
        assert!(text(bomb).contains("&b;"));
    }
}
