//! A font's map from codes to Unicode (`ToUnicode`).
//!
//! Read by its operators alone, wherever they stand: programs that write such maps agree on little else,
//! and a reader that wants the whole form loses the text of their fonts.

use std::collections::HashMap;

/// The most entries that are kept.
const MAX_ENTRIES: usize = 200_000;
/// The longest list of operands that is kept.
const MAX_OPERANDS: usize = 4096;

/// Which codes are which text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CodeMap {
    /// Number of bytes, first and last code.
    spaces: Vec<(usize, u32, u32)>,
    single: HashMap<u32, String>,
    /// First and last code, and what the first one is in UTF-16; by first code.
    ranges: Vec<(u32, u32, Vec<u16>)>,
}

/// An operand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Hex(Vec<u8>),
    Open,
    Close,
}

impl CodeMap {
    /// The map, or `None` when there is no entry in it.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut map = Self::default();
        let mut operands = Vec::new();
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            match first {
                b'%' => {
                    let end = after.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    rest = after.get(end.unwrap_or(after.len())..)?;
                }
                b'<' if after.first() != Some(&b'<') => {
                    let end = after
                        .iter()
                        .position(|byte| *byte == b'>')
                        .unwrap_or(after.len());
                    keep(&mut operands, Token::Hex(hex(after.get(..end)?)));
                    rest = after.get(end + 1..).unwrap_or_default();
                }
                b'[' => {
                    keep(&mut operands, Token::Open);
                    rest = after;
                }
                b']' => {
                    keep(&mut operands, Token::Close);
                    rest = after;
                }
                byte if byte.is_ascii_alphabetic() => {
                    let end = after.iter().position(|byte| !byte.is_ascii_alphanumeric());
                    let (_, left) = after.split_at(end.unwrap_or(after.len()));
                    let word = rest.get(..rest.len() - left.len())?;
                    map.operator(word, &mut operands);
                    rest = left;
                }
                _ => rest = after,
            }
        }
        map.ranges.sort_by_key(|(first, _, _)| *first);
        (!map.single.is_empty() || !map.ranges.is_empty()).then_some(map)
    }

    fn operator(&mut self, word: &[u8], operands: &mut Vec<Token>) {
        match word {
            b"endcodespacerange" => self.spaces(operands),
            b"endbfchar" => self.singles(operands),
            b"endbfrange" => self.ranges(operands),
            _ => {}
        }
        operands.clear();
    }

    fn spaces(&mut self, operands: &[Token]) {
        for pair in operands.chunks_exact(2) {
            if let [Token::Hex(first), Token::Hex(last)] = pair
                && (1..=4).contains(&first.len())
                && self.spaces.len() < 64
            {
                self.spaces.push((first.len(), number(first), number(last)));
            }
        }
    }

    fn singles(&mut self, operands: &[Token]) {
        for pair in operands.chunks_exact(2) {
            if let [Token::Hex(code), Token::Hex(text)] = pair
                && self.single.len() < MAX_ENTRIES
            {
                self.single
                    .insert(number(code), String::from_utf16_lossy(&units(text)));
            }
        }
    }

    fn ranges(&mut self, operands: &[Token]) {
        let mut tokens = operands.iter();
        while let (Some(Token::Hex(first)), Some(Token::Hex(last))) = (tokens.next(), tokens.next())
        {
            let (first, last) = (number(first), number(last));
            match tokens.next() {
                Some(Token::Hex(text)) if self.ranges.len() < MAX_ENTRIES => {
                    self.ranges.push((first, last, units(text)));
                }
                Some(Token::Open) => {
                    let mut code = first;
                    for token in tokens.by_ref() {
                        let Token::Hex(text) = token else { break };
                        if code <= last && self.single.len() < MAX_ENTRIES {
                            self.single
                                .insert(code, String::from_utf16_lossy(&units(text)));
                        }
                        code = code.saturating_add(1);
                    }
                }
                _ => return,
            }
        }
    }

    /// The text of a string whose codes have `usual` bytes where the map does not say.
    pub(super) fn text(&self, bytes: &[u8], usual: usize) -> String {
        let mut text = String::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = self.length(rest).unwrap_or(usual).clamp(1, rest.len());
            let (code, after) = rest.split_at(length);
            self.push(number(code), &mut text);
            rest = after;
        }
        text
    }

    fn length(&self, bytes: &[u8]) -> Option<usize> {
        let fits = |(length, first, last): &&(usize, u32, u32)| {
            bytes
                .get(..*length)
                .is_some_and(|code| (*first..=*last).contains(&number(code)))
        };
        self.spaces
            .iter()
            .filter(fits)
            .map(|(length, _, _)| *length)
            .min()
    }

    fn push(&self, code: u32, text: &mut String) {
        if let Some(known) = self.single.get(&code) {
            text.push_str(known);
            return;
        }
        let after = self.ranges.partition_point(|(first, _, _)| *first <= code);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        let Some((first, last, base)) = range else {
            return;
        };
        if code > *last {
            return;
        }
        let shift = u16::try_from(code - first).unwrap_or(0);
        let mut units = base.clone();
        if let Some(unit) = units.last_mut() {
            *unit = unit.wrapping_add(shift);
        }
        text.push_str(&String::from_utf16_lossy(&units));
    }
}

fn keep(operands: &mut Vec<Token>, token: Token) {
    if operands.len() < MAX_OPERANDS {
        operands.push(token);
    }
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .iter()
        .filter_map(|digit| char::from(*digit).to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => high << 4 | low,
            [high] => high << 4,
            _ => 0,
        })
        .collect()
}

fn number(code: &[u8]) -> u32 {
    code.iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn units(text: &[u8]) -> Vec<u16> {
    match text {
        [unit] => vec![u16::from(*unit)],
        _ => text
            .as_chunks()
            .0
            .iter()
            .map(|pair| u16::from_be_bytes(*pair))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_in_whatever_form_they_come() {
        let map = CodeMap::parse(
            b"%!PS\n/CMapName/X def 1 begincodespacerange<0000><ffff>endcodespacerange\n\
              2 beginbfchar <0001><00e7>\n<0002> <0066006c> endbfchar\n\
              2 beginbfrange<0010><0029><0061><0030><0031>[<0041> <0042>]endbfrange",
        )
        .unwrap();
        let codes = [0, 1, 0, 2, 0, 0x11, 0, 0x31, 0, 0x99];
        assert_eq!(map.text(&codes, 1), "\u{e7}flbB");
        assert_eq!(CodeMap::parse(b"begincmap endcmap"), None);
        assert_eq!(CodeMap::parse(b"<<</ [ ] < endbfrange"), None);
    }

    #[test]
    fn codes_of_one_byte_need_no_space() {
        let map = CodeMap::parse(b"1 beginbfrange <20> <7e> <0020> endbfrange").unwrap();
        assert_eq!(map.text(b"as is", 1), "as is");
    }
}
