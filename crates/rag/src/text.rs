//! From uploaded bytes to stored text, and from a client's file name to a label.
//!
//! Invariants: the stored text is valid UTF-8 without NUL, without a leading byte order mark and
//! with `\n` as its only line end; a label has no path and no control character, so that it can
//! never name a file of ours.

use resync_kernel::is_hidden;
use thiserror::Error;

/// The bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file is not UTF-8 text: byte {offset} does not belong there")]
pub struct NotText {
    /// The first byte that does not belong, from 0, in the uploaded file.
    pub offset: usize,
}

/// The text to store: byte order mark off, CRLF and CR to LF.
///
/// # Errors
/// [`NotText`] at the first byte that is not UTF-8, or is NUL.
pub fn normalise(bytes: Vec<u8>) -> Result<String, NotText> {
    let nul = bytes.iter().position(|byte| *byte == 0);
    let mut text = match (String::from_utf8(bytes), nul) {
        (Ok(text), None) => text,
        (Ok(_), Some(offset)) => return Err(NotText { offset }),
        (Err(error), nul) => {
            let offset = error
                .utf8_error()
                .valid_up_to()
                .min(nul.unwrap_or(usize::MAX));
            return Err(NotText { offset });
        }
    };
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    Ok(text)
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

    #[test]
    fn line_ends_and_the_byte_order_mark_are_normalised() {
        let bytes = "\u{feff}a\r\nb\rc\n".as_bytes().to_vec();
        assert_eq!(normalise(bytes).unwrap(), "a\nb\nc\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_offset() {
        assert_eq!(normalise(b"ab\xffc".to_vec()), Err(NotText { offset: 2 }));
        assert_eq!(normalise(b"abc\0d".to_vec()), Err(NotText { offset: 3 }));
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

    #[test]
    fn a_long_name_keeps_its_extension() {
        let label = label(&format!("{}.md", "é".repeat(400)));
        assert_eq!(label.chars().count(), MAX_LABEL_CHARS);
        assert_eq!(extension(&label), "md");
    }
}
