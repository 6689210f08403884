//! Styles and lists of a document.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::xml;

/// How far a style is followed to the one it is based on.
const MAX_BASES: usize = 12;

/// "Heading" as the versions of Word write it into the ids of styles. The names inside stay English, but
/// not in what other programs write.
const HEADINGS: &[&str] = &[
    "heading",
    "titulo",
    "título",
    "ttulo",
    "titre",
    "überschrift",
    "berschrift",
    "titolo",
    "encabezado",
    "cabeçalho",
    "kop",
    "rubrik",
    "nagłówek",
    "overskrift",
];

/// What a style makes of a paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The title of the document.
    Title,
    /// A heading, its level from 1.
    Heading(usize),
    /// An entry of a table of contents.
    Contents,
    /// Code.
    Code,
    /// Anything else.
    Body,
}

#[derive(Debug, Default, Clone)]
struct Style {
    id: String,
    name: String,
    base: Option<String>,
    outline: Option<usize>,
    numbering: Option<String>,
    level: usize,
    monospaced: bool,
}

/// The styles by id.
#[derive(Debug, Default)]
pub(super) struct Styles {
    known: HashMap<String, Style>,
    open: Option<Style>,
}

impl Styles {
    pub(super) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(element) | Event::Empty(element) => self.element(element),
            Event::End(element) => {
                let name = element.local_name();
                let name: &str = name.as_ref();
                if name == "style"
                    && let Some(style) = self.open.take()
                {
                    self.known.insert(style.id.clone(), style);
                }
            }
            _ => {}
        }
    }

    fn element(&mut self, element: &BytesStart<'_>) {
        let value = || xml::attribute(element, "val");
        let name = xml::local(element);
        if name == "style" {
            let id = xml::attribute(element, "styleId").unwrap_or_default();
            self.open = Some(Style {
                id,
                ..Style::default()
            });
            return;
        }
        let Some(style) = &mut self.open else { return };
        match name.as_str() {
            "name" => style.name = value().unwrap_or_default().to_lowercase(),
            "basedOn" => style.base = value(),
            "outlineLvl" => style.outline = value().and_then(|level| level.parse().ok()),
            "numId" => style.numbering = value(),
            "ilvl" => style.level = value().and_then(|level| level.parse().ok()).unwrap_or(0),
            "rFonts" => {
                let font = xml::attribute(element, "ascii");
                style.monospaced = font.is_some_and(|font| is_monospaced(&font));
            }
            _ => {}
        }
    }

    /// The style, then the ones it is based on.
    fn chain(&self, id: &str) -> impl Iterator<Item = &Style> {
        let first = self.known.get(id);
        std::iter::successors(first, |style| self.known.get(style.base.as_ref()?)).take(MAX_BASES)
    }

    /// What the style `id` makes of a paragraph.
    pub(super) fn role(&self, id: &str) -> Role {
        for style in self.chain(id) {
            match style.name.as_str() {
                "title" => return Role::Title,
                name if name.starts_with("toc ") || name == "toc heading" => return Role::Contents,
                _ => {}
            }
            let named = heading(&style.name).or_else(|| heading(&style.id.to_lowercase()));
            match (style.outline, named) {
                (Some(outline @ 0..=8), _) => return Role::Heading(outline + 1),
                (None, Some(level)) => return Role::Heading(level),
                _ => {}
            }
            let code = [
                "code",
                "source",
                "listing",
                "código",
                "html preformatted",
                "preformatted text",
                "plain text",
                "quelltext",
            ];
            if style.monospaced || code.iter().any(|word| style.name.contains(word)) {
                return Role::Code;
            }
        }
        match heading(&id.to_lowercase()) {
            Some(level) if !self.known.contains_key(id) => Role::Heading(level),
            _ => Role::Body,
        }
    }

    /// The list and the level that the style `id` gives a paragraph.
    pub(super) fn numbering(&self, id: &str) -> Option<(String, usize)> {
        self.chain(id)
            .find_map(|style| Some((style.numbering.clone()?, style.level)))
    }
}

/// `heading 2`, `Ttulo2`: the level.
fn heading(name: &str) -> Option<usize> {
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let level = name
        .get(word.len()..)?
        .parse()
        .ok()
        .filter(|level| (1..=9).contains(level))?;
    HEADINGS.contains(&word.trim_end()).then_some(level)
}

/// Whether a font is one for code.
pub(super) fn is_monospaced(font: &str) -> bool {
    let font = font.to_lowercase();
    [
        "courier",
        "consolas",
        "mono",
        "menlo",
        "lucida console",
        "monaco",
        "fixedsys",
        "source code",
    ]
    .iter()
    .any(|known| font.contains(known))
}

/// Which lists have numbers.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// By the abstract list's id and the level.
    numbered: HashMap<(String, usize), bool>,
    /// The abstract list of a list.
    lists: HashMap<String, String>,
    group: String,
    list: Option<String>,
    level: usize,
}

impl Numbering {
    pub(super) fn take(&mut self, event: &Event<'_>) {
        let (Event::Start(element) | Event::Empty(element)) = event else {
            return;
        };
        let value = || xml::attribute(element, "val").unwrap_or_default();
        match xml::local(element).as_str() {
            "abstractNum" => {
                self.group = xml::attribute(element, "abstractNumId").unwrap_or_default();
                self.list = None;
            }
            "num" => self.list = xml::attribute(element, "numId"),
            "abstractNumId" => {
                if let Some(list) = self.list.clone() {
                    self.lists.insert(list, value());
                }
            }
            "lvl" => {
                let level = xml::attribute(element, "ilvl");
                self.level = level.and_then(|level| level.parse().ok()).unwrap_or(0);
            }
            "numFmt" if self.list.is_none() => {
                let numbered = !matches!(value().as_str(), "bullet" | "none");
                self.numbered
                    .insert((self.group.clone(), self.level), numbered);
            }
            _ => {}
        }
    }

    /// Whether the items of a list have numbers; `None` when there is no such list.
    pub(super) fn is_numbered(&self, list: &str, level: usize) -> Option<bool> {
        let group = self.lists.get(list)?;
        Some(
            self.numbered
                .get(&(group.clone(), level))
                .copied()
                .unwrap_or(false),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::heading;

    #[test]
    fn headings_are_known_in_the_languages_of_word() {
        for (name, level) in [
            ("heading 1", 1),
            ("ttulo2", 2),
            ("título 3", 3),
            ("überschrift 4", 4),
        ] {
            assert_eq!(heading(name), Some(level), "{name}");
        }
        for name in ["heading", "body text 2", "heading 0", "heading 12", ""] {
            assert_eq!(heading(name), None, "{name}");
        }
    }
}
