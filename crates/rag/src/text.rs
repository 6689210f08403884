//! From uploaded bytes to stored text, and from a client's file name to a label.
//!
//! Invariants: the stored text is valid Unicode without NUL, without a leading byte order mark and
//! with `\n` as its only line end; a label has no path and no control character, so that it can
//! never name a file of ours.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8};
use resync_kernel::is_hidden;
use thiserror::Error;

/// The bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file is no text: byte {offset} does not belong there")]
pub struct NotText {
    /// The first byte that does not belong, from 0, in the uploaded file.
    pub offset: usize,
}

/// A text and the encoding that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, normalised: no byte order mark, `\n` as its only line end.
    pub text: String,
    /// The encoding's usual name: `UTF-8`, `UTF-16LE`, `UTF-16BE`, `windows-1252` (Latin-1 among it)
    /// or another one that browsers know.
    pub encoding: &'static str,
}

/// Control characters that texts have: tab, line feed, form feed, carriage return, and the escape of
/// logs in colour.
fn is_usual_control(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b)
}

/// The text of `bytes`: by their byte order mark where there is one, else UTF-8 where they are valid,
/// else the code page that a guess finds, in which English and Portuguese texts are taken to be more
/// likely than others.
///
/// # Errors
/// [`NotText`] for NUL outside UTF-16, for bytes that break the encoding that they announce, and when
/// more than two bytes in a hundred are control characters.
pub fn decode(bytes: Vec<u8>) -> Result<Decoded, NotText> {
    if let Some((encoding, mark)) = Encoding::for_bom(&bytes) {
        let body = bytes.get(mark..).unwrap_or_default();
        let text = strictly(encoding, body).map_err(|offset| NotText {
            offset: offset + mark,
        })?;
        if let Some(at) = text.find('\0') {
            let before = text.get(..at).unwrap_or_default();
            let bytes = if encoding == UTF_8 {
                at
            } else {
                before.encode_utf16().count() * 2
            };
            return Err(NotText {
                offset: mark + bytes,
            });
        }
        return Ok(decoded(text, encoding));
    }
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        return Err(NotText { offset });
    }
    let controls = |byte: &&u8| byte.is_ascii_control() && !is_usual_control(**byte);
    if bytes.iter().filter(controls).count() * 50 > bytes.len() {
        let offset = bytes.iter().position(|byte| controls(&byte)).unwrap_or(0);
        return Err(NotText { offset });
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(decoded(text, UTF_8)),
        Err(error) => error.into_bytes(),
    };
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes, true);
    let encoding = detector.guess(Some(b"br"), Utf8Detection::Deny);
    let text = strictly(encoding, &bytes).map_err(|offset| NotText { offset })?;
    Ok(decoded(text, encoding))
}

/// The text, or the place of the first byte that breaks the encoding.
fn strictly(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, usize> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let mut text = String::with_capacity(room.unwrap_or(bytes.len()));
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        (DecoderResult::Malformed(broken, after), read) => {
            Err(read.saturating_sub(usize::from(broken) + usize::from(after)))
        }
        (DecoderResult::OutputFull, read) => Err(read),
    }
}

/// `text` with `\n` as its only line end.
#[must_use]
pub fn with_unix_line_ends(text: String) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

fn decoded(text: String, encoding: &'static Encoding) -> Decoded {
    let mut text = with_unix_line_ends(text);
    text.shrink_to_fit();
    Decoded {
        text,
        encoding: encoding.name(),
    }
}

/// The greatest length of a label, in characters.
pub const MAX_LABEL_CHARS: usize = 255;

/// `text` without hidden characters and outer blanks.
#[must_use]
pub fn visible(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    kept.trim().to_owned()
}

/// The last path segment of `file_name` as a label of at most [`MAX_LABEL_CHARS`]; a long name
/// keeps its extension. Empty when nothing visible is left.
#[must_use]
pub fn label(file_name: &str) -> String {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = visible(last);
    if name == "." || name == ".." {
        return String::new();
    }
    let length = name.chars().count();
    if length <= MAX_LABEL_CHARS {
        return name;
    }
    let (stem, dotted) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.chars().count() <= 16 => {
            (stem, format!(".{extension}"))
        }
        _ => (name.as_str(), String::new()),
    };
    let room = MAX_LABEL_CHARS - dotted.chars().count();
    let mut short: String = stem.chars().take(room).collect();
    short.push_str(&dotted);
    short
}

/// The greatest length of a path, in characters.
pub const MAX_PATH_CHARS: usize = 1024;

/// `path` as a label: segments between `/`, without hidden characters, `.`, `..` and empty ones. `None`
/// when nothing is left or it is longer than [`MAX_PATH_CHARS`].
#[must_use]
pub fn path_label(path: &str) -> Option<String> {
    let segments = path.split(['/', '\\']).map(visible);
    let kept: Vec<String> = segments
        .filter(|segment| !matches!(segment.as_str(), "" | "." | ".."))
        .collect();
    let joined = kept.join("/");
    let fits = !joined.is_empty() && joined.chars().count() <= MAX_PATH_CHARS;
    fits.then_some(joined)
}

/// The extension of a label in lower case, empty when it has none.
#[must_use]
pub fn extension(label: &str) -> String {
    label
        .rsplit_once('.')
        .map(|(_, extension)| {
            extension
                .chars()
                .take(16)
                .filter(char::is_ascii_alphanumeric)
        })
        .map(|kept| kept.collect::<String>().to_ascii_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, &'static str) {
        let found = decode(bytes.to_vec()).unwrap();
        (found.text, found.encoding)
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_are_normalised() {
        let (text, encoding) = read("\u{feff}a\r\nb\rc\n".as_bytes());
        assert_eq!((text.as_str(), encoding), ("a\nb\nc\n", "UTF-8"));
    }

    /// Each encoding that Windows editors write is read, and named.
    #[test]
    fn encodings_are_recognised_by_their_mark_or_their_bytes() {
        let line = "Não há espaço em disco: ação do operador às 6h.\n";
        let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let marked = format!("\u{feff}{line}");
            marked.encode_utf16().flat_map(order).collect()
        };
        let latin: Vec<u8> = line.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let cases: [(&[u8], &str); 5] = [
            (line.as_bytes(), "UTF-8"),
            (&format!("\u{feff}{line}").into_bytes(), "UTF-8"),
            (&wide(u16::to_le_bytes), "UTF-16LE"),
            (&wide(u16::to_be_bytes), "UTF-16BE"),
            (&latin, "windows-1252"),
        ];
        for (bytes, encoding) in cases {
            assert_eq!(read(bytes), (line.to_owned(), encoding));
        }
        // Quotes and dashes of Windows, which Latin-1 lacks.
        let (text, encoding) = read(b"\x93stop\x94 \x96 then wait");
        assert_eq!(
            (text.as_str(), encoding),
            ("\u{201c}stop\u{201d} \u{2013} then wait", "windows-1252")
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_offset() {
        let offset = |bytes: &[u8]| decode(bytes.to_vec()).unwrap_err().offset;
        assert_eq!(offset(b"abc\0d"), 3);
        assert_eq!(offset(b"\xef\xbb\xbfab\xffc"), 5, "it announced UTF-8");
        assert_eq!(offset(b"\xff\xfea\0\0\xd8b\0"), 4, "half a surrogate pair");
        assert_eq!(offset(b"PK\x03\x04\x14\x06\x08"), 2);
        assert_eq!(offset(b"\xff\xfea\0\0\0"), 4, "NUL in UTF-16");
    }

    /// B4: a file name is a label only.
    #[test]
    fn a_file_name_is_a_label_without_path_and_hidden_characters() {
        assert_eq!(label("../../etc/passwd.md"), "passwd.md");
        assert_eq!(label("C:\\docs\\plano.md"), "plano.md");
        assert_eq!(label("a\u{0}b\u{202e}c\n.md"), "abc.md");
        assert_eq!(label("docs/.."), "");
        assert_eq!(label("   "), "");
    }

    /// B4: a path names versions, and no file of ours.
    #[test]
    fn a_path_is_a_label_that_leads_nowhere() {
        let label = |path: &str| path_label(path);
        assert_eq!(label("/runbooks//a.md").as_deref(), Some("runbooks/a.md"));
        assert_eq!(
            label("..\\..\\etc\\./x\u{0}.md").as_deref(),
            Some("etc/x.md")
        );
        assert_eq!(label("../.."), None);
        assert_eq!(label(&"a/".repeat(600)), None);
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let label = label(&format!("{}.md", "é".repeat(400)));
        assert_eq!(label.chars().count(), MAX_LABEL_CHARS);
        assert_eq!(extension(&label), "md");
    }
}
