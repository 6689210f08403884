//! From the codes of a font to text, and how wide it is.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Encoding, Object};

use super::MAX_STREAM;
use super::code_map::CodeMap;

/// The most widths that are kept of one font.
const MAX_WIDTHS: usize = 70_000;

/// A font as far as its text goes.
pub(super) struct Font<'a> {
    map: Option<CodeMap>,
    encoding: Option<Encoding<'a>>,
    widths: HashMap<u32, f32>,
    missing: f32,
    /// Codes have two bytes.
    wide: bool,
    pub(super) bold: bool,
    pub(super) monospaced: bool,
}

impl<'a> Font<'a> {
    pub(super) fn new(font: &'a Dictionary, document: &'a Document) -> Self {
        let name = |dictionary: &Dictionary, key: &[u8]| {
            let name = dictionary
                .get_deref(key, document)
                .and_then(Object::as_name);
            name.map(|name| String::from_utf8_lossy(name).to_lowercase())
                .unwrap_or_default()
        };
        let wide = name(font, b"Subtype") == "type0";
        let base = name(font, b"BaseFont");
        let monospaced = ["courier", "mono", "consolas", "menlo", "typewriter", "cmtt"]
            .iter()
            .any(|known| base.contains(known));
        let bold = ["bold", "black", "heavy", "demi"]
            .iter()
            .any(|known| base.contains(known));
        let mut read = Self {
            map: map(font, document),
            encoding: encoding(font, document, wide),
            widths: HashMap::new(),
            missing: if monospaced { 0.6 } else { 0.5 },
            wide,
            bold,
            monospaced,
        };
        if wide {
            read.wide_widths(font, document);
        } else {
            read.narrow_widths(font, document);
        }
        read
    }

    fn narrow_widths(&mut self, font: &Dictionary, document: &Document) {
        let scale = font
            .get_deref(b"FontMatrix", document)
            .and_then(Object::as_array)
            .ok()
            .and_then(|matrix| matrix.first()?.as_float().ok())
            .unwrap_or(0.001);
        let first = font
            .get_deref(b"FirstChar", document)
            .and_then(Object::as_i64)
            .unwrap_or(0);
        let widths = font
            .get_deref(b"Widths", document)
            .and_then(Object::as_array);
        let Ok(widths) = widths else { return };
        for (code, width) in (u32::try_from(first).unwrap_or(0)..).zip(widths.iter().take(256)) {
            if let Some(width) = number(width, document).filter(|width| *width > 0.0) {
                self.widths.insert(code, width * scale);
            }
        }
    }

    /// `W` holds `first [w w w]` and `first last w`.
    fn wide_widths(&mut self, font: &Dictionary, document: &Document) {
        self.missing = 1.0;
        let descendant = font
            .get_deref(b"DescendantFonts", document)
            .and_then(Object::as_array)
            .ok()
            .and_then(|fonts| document.dereference(fonts.first()?).ok())
            .and_then(|(_, font)| font.as_dict().ok());
        let Some(descendant) = descendant else { return };
        if let Some(width) = descendant
            .get(b"DW")
            .ok()
            .and_then(|width| number(width, document))
        {
            self.missing = width / 1000.0;
        }
        let widths = descendant
            .get_deref(b"W", document)
            .and_then(Object::as_array);
        let mut widths = widths.map_or(&[][..], Vec::as_slice).iter();
        let code = |object: &Object| u32::try_from(object.as_i64().ok()?).ok();
        while let (Some(first), Some(second)) = (widths.next().and_then(code), widths.next()) {
            let second = document
                .dereference(second)
                .map_or(second, |(_, object)| object);
            if let Ok(list) = second.as_array() {
                for (code, width) in (first..).zip(list) {
                    self.keep(code, number(width, document));
                }
            } else if let (Some(last), Some(width)) = (code(second), widths.next()) {
                let width = number(width, document);
                for code in first..=last.min(0xffff) {
                    self.keep(code, width);
                }
            }
        }
    }

    fn keep(&mut self, code: u32, width: Option<f32>) {
        if let Some(width) = width.filter(|_| self.widths.len() < MAX_WIDTHS) {
            self.widths.insert(code, width / 1000.0);
        }
    }

    /// The text of a string; empty where the font does not say what its codes mean.
    pub(super) fn text(&self, bytes: &[u8]) -> String {
        let by_map = self
            .map
            .as_ref()
            .map(|map| map.text(bytes, if self.wide { 2 } else { 1 }));
        // A map of a few letters leaves the others to the encoding.
        let text = by_map.filter(|text| !text.is_empty()).or_else(|| {
            let encoding = self.encoding.as_ref()?;
            encoding.bytes_to_string(bytes).ok()
        });
        let mut text = text.unwrap_or_default();
        for (ligature, letters) in [
            ('\u{fb00}', "ff"),
            ('\u{fb01}', "fi"),
            ('\u{fb02}', "fl"),
            ('\u{fb03}', "ffi"),
            ('\u{fb04}', "ffl"),
        ] {
            if text.contains(ligature) {
                text = text.replace(ligature, letters);
            }
        }
        text.retain(|c| !c.is_control() || c == '\t');
        text.replace(['\u{a0}', '\t'], " ")
    }

    /// The widths of a string's codes, in parts of the font's size, and whether each is a blank.
    pub(super) fn advances<'b>(
        &'b self,
        bytes: &'b [u8],
    ) -> impl Iterator<Item = (f32, bool)> + 'b {
        let size = if self.wide { 2 } else { 1 };
        bytes.chunks(size).map(|code| {
            let code = code
                .iter()
                .fold(0_u32, |code, byte| (code << 8) | u32::from(*byte));
            let width = self.widths.get(&code).copied().unwrap_or(self.missing);
            (width, !self.wide && code == 32)
        })
    }
}

fn number(object: &Object, document: &Document) -> Option<f32> {
    let (_, object) = document.dereference(object).ok()?;
    object
        .as_float()
        .ok()
        .filter(|number| number.is_finite() && number.abs() < 1e5)
}

/// The font's own map, which says more than its encoding.
fn map(font: &Dictionary, document: &Document) -> Option<CodeMap> {
    let stream = font
        .get_deref(b"ToUnicode", document)
        .and_then(Object::as_stream)
        .ok()?;
    CodeMap::parse(&stream.get_plain_content_with_limit(MAX_STREAM).ok()?)
}

fn encoding<'a>(font: &'a Dictionary, document: &'a Document, wide: bool) -> Option<Encoding<'a>> {
    match font.get_font_encoding_with_limit(document, MAX_STREAM) {
        // For want of anything better it takes the codes of one byte.
        Ok(Encoding::OneByteEncoding(_)) if wide => None,
        found => found.ok(),
    }
}
