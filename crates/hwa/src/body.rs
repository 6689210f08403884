//! What takes a body as it arrives: whole and bounded, or as one JSON object.
//!
//! Lists, which may be large, have a sink of their own in [`crate::list`].

use std::marker::PhantomData;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::wire::Object;

/// The most bytes of a JSON answer that is held as a whole.
pub(crate) const JSON_CAP: usize = 8 << 20;

/// What is known of a body before its first byte.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Head {
    pub(crate) html: bool,
    pub(crate) json: bool,
    pub(crate) length: Option<u64>,
}

impl Head {
    pub(crate) fn of(headers: &HeaderMap, length: Option<u64>) -> Self {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_ascii_lowercase();
        Self {
            html: kind.starts_with("text/html") || kind.starts_with("application/xhtml"),
            json: kind.contains("json"),
            length,
        }
    }

    pub(crate) fn is_longer_than(&self, cap: usize) -> bool {
        self.length.is_some_and(|length| length > cap as u64)
    }
}

/// Takes the body of one answer.
pub(crate) trait Sink: Send {
    /// What becomes of it.
    type Output: Send;
    /// Before the body; may refuse it by what is known so far.
    fn begin(&mut self, head: Head) -> Result<(), Failure>;
    /// A piece of it; whether more is wanted.
    fn chunk(&mut self, bytes: &[u8]) -> Result<bool, Failure>;
    /// After its last piece.
    fn end(self) -> Result<Self::Output, Failure>;
}

/// A body with what is known of it.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) html: bool,
    pub(crate) json: bool,
    /// Whether there was more than the cap.
    pub(crate) cut: bool,
}

/// Takes a body as bytes, up to a cap.
#[derive(Debug)]
pub(crate) struct Bytes {
    body: Body,
    cap: usize,
    cut_at_cap: bool,
}

impl Bytes {
    /// One that keeps the first `cap` bytes.
    pub(crate) fn cut(cap: usize) -> Self {
        Self {
            body: Body::default(),
            cap,
            cut_at_cap: true,
        }
    }

    /// One for which more than `cap` bytes are an error.
    pub(crate) fn up_to(cap: usize) -> Self {
        Self {
            cut_at_cap: false,
            ..Self::cut(cap)
        }
    }
}

impl Sink for Bytes {
    type Output = Body;

    fn begin(&mut self, head: Head) -> Result<(), Failure> {
        if !self.cut_at_cap && head.is_longer_than(self.cap) {
            return Err(Failure::too_large(self.cap));
        }
        self.body.html = head.html;
        self.body.json = head.json;
        Ok(())
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let room = self.cap.saturating_sub(self.body.bytes.len());
        if bytes.len() <= room {
            self.body.bytes.extend_from_slice(bytes);
            return Ok(true);
        }
        if !self.cut_at_cap {
            return Err(Failure::too_large(self.cap));
        }
        self.body
            .bytes
            .extend_from_slice(bytes.get(..room).unwrap_or(&[]));
        self.body.cut = true;
        Ok(false)
    }

    fn end(self) -> Result<Body, Failure> {
        Ok(self.body)
    }
}

/// Takes a body as one JSON object.
#[derive(Debug)]
pub(crate) struct Json<T> {
    bytes: Bytes,
    object: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Bytes::up_to(JSON_CAP),
            object: PhantomData,
        }
    }
}

impl<T: DeserializeOwned + Send> Sink for Json<T> {
    type Output = T;

    fn begin(&mut self, head: Head) -> Result<(), Failure> {
        self.bytes.begin(head)
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.bytes.chunk(bytes)
    }

    fn end(self) -> Result<T, Failure> {
        self.bytes.end()?.read()
    }
}

impl Body {
    /// The object in it.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let start = self
            .bytes
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.bytes);
        let begins_with_tag = start.trim_ascii_start().first() == Some(&b'<');
        if self.html || begins_with_tag {
            return Err(Failure::garbled("a web page instead of JSON"));
        }
        // Checked as a whole, so that it does not depend on which fields are read.
        let text =
            std::str::from_utf8(start).map_err(|_| Failure::garbled("bytes that are no UTF-8"))?;
        match serde_json::from_str::<Object<T>>(text) {
            Ok(Object(Some(value))) => Ok(value),
            Ok(Object(None)) => Err(Failure::garbled("JSON, but no object")),
            Err(error) => Err(Failure::garbled(json_fault(text, &error))),
        }
    }
}

/// What is wrong with a JSON text, without repeating any of it.
fn json_fault(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        "an empty body".to_owned()
    } else if error.is_eof() {
        format!("half of a JSON text, {} bytes", text.len())
    } else {
        format!("no JSON at byte {}", byte_of(text, error))
    }
}

/// Where a parser stopped, in bytes counted from 1.
pub(crate) fn byte_of(text: &str, error: &serde_json::Error) -> usize {
    let lines_before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    lines_before + error.column()
}
