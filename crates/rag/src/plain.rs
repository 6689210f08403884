//! The reader of Markdown and plain text.

use async_trait::async_trait;

use crate::model::Media;
use crate::ports::{ExtractError, Extracted, TextExtractor};
use crate::text::{NotText, decode, extension};

/// Bytes that [`TextExtractor::check`] looks at.
const LOOKED_AT: usize = 8192;

/// Reads Markdown and plain text, which it tells apart by the file's extension (`md`, `markdown`,
/// `txt`, `text`), in any encoding that [`decode`] knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainText;

fn media(file_name: &str) -> Result<Media, ExtractError> {
    let extension = extension(file_name);
    Media::of_extension(&extension).ok_or_else(|| ExtractError::Unsupported {
        kind: if extension.is_empty() {
            "no extension".to_owned()
        } else {
            format!(".{extension}")
        },
    })
}

fn unreadable(error: NotText) -> ExtractError {
    ExtractError::Unreadable {
        reason: error.to_string(),
    }
}

#[async_trait]
impl TextExtractor for PlainText {
    fn check(&self, file_name: &str, bytes: &[u8]) -> Result<(), ExtractError> {
        media(file_name)?;
        let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let nul = bytes.iter().take(LOOKED_AT).position(|byte| *byte == 0);
        match nul.filter(|_| !wide) {
            Some(offset) => Err(unreadable(NotText { offset })),
            None => Ok(()),
        }
    }

    async fn extract(&self, file_name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
        let media = media(file_name)?;
        let decoded = tokio::task::spawn_blocking(move || decode(bytes))
            .await
            .map_err(|error| ExtractError::Unavailable(Box::new(error)))?
            .map_err(unreadable)?;
        Ok(Extracted {
            text: decoded.text,
            media,
            title: None,
            format: match media {
                Media::Markdown => "Markdown",
                Media::Text => "text",
            },
            encoding: Some(decoded.encoding),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_door_refuses_the_reader_refuses_too() {
        for (name, bytes) in [("a.exe", &b"MZ"[..]), ("a", b"x"), ("a.md", b"a\0b")] {
            assert!(PlainText.check(name, bytes).is_err(), "{name}");
            assert!(
                PlainText.extract(name, bytes.to_vec()).await.is_err(),
                "{name}"
            );
        }
        let wide = b"\xff\xfea\0".to_vec();
        PlainText.check("a.TXT", &wide).unwrap();
        let read = PlainText.extract("a.TXT", wide).await.unwrap();
        assert_eq!(
            (read.text.as_str(), read.media, read.encoding),
            ("a", Media::Text, Some("UTF-16LE"))
        );
    }
}
