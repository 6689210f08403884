//! Pages of a list: a bounded limit and an opaque cursor.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// How many items a page may hold: 1 to 500, 50 when not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

/// The limit is outside 1 to 500.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("limit must be 1 to 500")]
pub struct LimitError;

impl Limit {
    /// The greatest limit.
    pub const MAX: u32 = 500;

    /// Checks `limit`.
    ///
    /// # Errors
    /// [`LimitError`] outside 1 to 500.
    pub fn parse(limit: u32) -> Result<Self, LimitError> {
        if (1..=Self::MAX).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(LimitError)
        }
    }

    /// The number of items.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// A place in a list that only we can read; clients pass it back as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

/// The cursor is not one of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the cursor is not one that this list gave")]
pub struct CursorError;

impl Cursor {
    /// Wraps `position`.
    ///
    /// # Errors
    /// [`CursorError`] when `position` is no JSON.
    pub fn encode<P: Serialize>(position: &P) -> Result<Self, CursorError> {
        let json = serde_json::to_vec(position).map_err(|_| CursorError)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(json)))
    }

    /// Reads the position back.
    ///
    /// # Errors
    /// [`CursorError`] when `text` was not made by [`Cursor::encode`] for the same type.
    pub fn decode<P: DeserializeOwned>(text: &str) -> Result<P, CursorError> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        serde_json::from_slice(&json).map_err(|_| CursorError)
    }

    /// The text for the client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, at most as many as asked for.
    pub items: Vec<T>,
    /// Where the next page starts, if there is one.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_garbage_is_refused() {
        let cursor = Cursor::encode(&("FIN_EOD", 7)).unwrap();
        assert_eq!(
            Cursor::decode::<(String, i32)>(cursor.as_str()).unwrap(),
            ("FIN_EOD".into(), 7)
        );
        assert_eq!(Cursor::decode::<(String, i32)>("%%%"), Err(CursorError));
    }

    #[test]
    fn limits_are_1_to_500() {
        assert_eq!(Limit::parse(0), Err(LimitError));
        assert_eq!(Limit::parse(501), Err(LimitError));
        assert_eq!(Limit::parse(500).unwrap().get(), 500);
        assert_eq!(Limit::default().get(), 50);
    }
}
