//! From bytes to text: UTF-8, UTF-16 and the old one-byte encodings.
//!
//! Invariant: the text holds no NUL and no byte order mark, and `\n` is its only line end.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use resync_rag::text::{Decoded, with_unix_line_ends};

use crate::refusal::Refusal;

/// How far is looked for what tells the encoding, in bytes.
const LOOK: usize = 8192;

/// The text of `bytes`.
///
/// A byte order mark decides; else UTF-8 where it holds, a declaration of HTML or XML, and what the letters
/// tell, mostly Windows-1252, which holds Latin-1. What has bytes of no text is refused as binary.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<Decoded, Refusal> {
    let read = match Encoding::for_bom(&bytes) {
        Some((encoding, _)) => with(encoding, &bytes),
        None => without_mark(bytes)?,
    };
    if read.text.contains('\0') {
        return Err(binary());
    }
    Ok(Decoded {
        text: with_unix_line_ends(read.text),
        ..read
    })
}

pub(crate) fn binary() -> Refusal {
    Refusal::unsupported("binary data")
}

/// Whether the first bytes are of no text in any encoding.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    let head = bytes.get(..LOOK).unwrap_or(bytes);
    let wide = wide(head).is_some() || Encoding::for_bom(head).is_some();
    !wide && (head.contains(&0) || has_controls(head))
}

fn has_controls(head: &[u8]) -> bool {
    let control = |byte: &&u8| matches!(**byte, 0..=8 | 11 | 14..=26 | 28..=31 | 127);
    head.iter().filter(control).count() * 50 > head.len()
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> Decoded {
    Decoded {
        text: encoding.decode(bytes).0.into_owned(),
        encoding: encoding.name(),
    }
}

fn without_mark(bytes: Vec<u8>) -> Result<Decoded, Refusal> {
    if let Some(encoding) = wide(&bytes) {
        return Ok(with(encoding, &bytes));
    }
    if bytes.contains(&0) || is_binary(&bytes) {
        return Err(binary());
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => {
            let encoding = UTF_8.name();
            return Ok(Decoded { text, encoding });
        }
        Err(error) => error.into_bytes(),
    };
    if nearly_utf8(&bytes) {
        return Ok(with(UTF_8, &bytes));
    }
    let head = bytes.get(..LOOK).unwrap_or(&bytes);
    match declared(head).filter(|declared| *declared != UTF_8) {
        Some(declared) => Ok(with(declared, &bytes)),
        // By the letters that are in it.
        None => resync_rag::text::decode(bytes).map_err(|_| binary()),
    }
}

/// UTF-16 without a byte order mark: of most characters one byte is 0, always the same one.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..LOOK).unwrap_or(bytes);
    let pairs = head.len() / 2;
    let zeros = |at: usize| head.iter().skip(at).step_by(2).filter(|b| **b == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    if pairs < 2 {
        None
    } else if second * 2 > pairs && first * 20 < pairs {
        Some(UTF_16LE)
    } else if first * 2 > pairs && second * 20 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// UTF-8 with a few broken places, as a file that was cut off has: read as another encoding all of its
/// accents would be wrong.
fn nearly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    good > 0 && broken * 10 <= good.max(10)
}

/// The encoding that a declaration of HTML or XML names.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    ["charset=", "encoding="].iter().find_map(|mark| {
        let (_, after) = head.split_once(mark)?;
        let label: String = after
            .trim_start_matches(['"', '\'', ' '])
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
            .collect();
        Encoding::for_label(label.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "Manutenção programada: não há ação\r\nem São Paulo\n";
    const READ: &str = "Manutenção programada: não há ação\nem São Paulo\n";

    #[test]
    fn every_encoding_gives_the_same_text() {
        let utf16 = |mark: bool, little: bool| {
            let units = WORDS.encode_utf16();
            let units = mark.then_some(0xfeff).into_iter().chain(units);
            units
                .flat_map(|unit| {
                    if little {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect::<Vec<u8>>()
        };
        let latin1: Vec<u8> = WORDS
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        let marked = format!("\u{feff}{WORDS}").into_bytes();
        for bytes in [
            WORDS.as_bytes().to_vec(),
            marked,
            latin1,
            utf16(true, true),
            utf16(true, false),
            utf16(false, true),
            utf16(false, false),
        ] {
            assert_eq!(decode(bytes).unwrap().text, READ);
        }
    }

    #[test]
    fn a_text_that_was_cut_inside_a_letter_keeps_its_other_letters() {
        let mut bytes = "ação de cópia: não".as_bytes().to_vec();
        bytes.truncate(bytes.len() - 2);
        assert_eq!(decode(bytes).unwrap().text, "ação de cópia: n\u{fffd}");
    }

    #[test]
    fn a_declared_encoding_is_used() {
        let mut bytes = b"<meta charset=\"iso-8859-5\"><p>".to_vec();
        bytes.extend([0xb1, 0xd0]);
        assert!(decode(bytes).unwrap().text.ends_with("\u{411}\u{430}"));
    }

    #[test]
    fn bytes_that_are_no_text_are_binary() {
        let binary = Err(Refusal::unsupported("binary data"));
        assert_eq!(decode(b"ab\0cdefghij".to_vec()), binary);
        assert_eq!(decode((0..=255).collect()), binary);
        assert_eq!(decode(vec![1, 2, 3, 0xff]), binary);
    }
}
