//! What an engine says when it refuses, as text that is safe to show.
//!
//! The vendor's document describes no error body, so every shape that engines and the proxies before
//! them are known to send is tried in turn. The text is cut to 300 characters and holds no control
//! characters; a web page gives its title alone.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::Value;

/// The longest message that is passed on, in characters.
pub(crate) const MAX_CHARS: usize = 300;

static MESSAGE_ID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bAW[SK][A-Z]{2,3}\d{3,4}[A-Z]\b").ok());
static TITLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?is)<title[^>]*>(.*?)</title").ok());

const KEYS: [&str; 8] = [
    "messages",
    "message",
    "errorMessage",
    "detail",
    "title",
    "error",
    "exceptionName",
    "code",
];

/// The message in a body, or `HTTP <status>` when there is none.
pub(crate) fn from_body(status: u16, body: &[u8]) -> Arc<str> {
    let text = String::from_utf8_lossy(body);
    let found = if looks_like_html(&text) {
        title(&text).map(|title| format!("HTTP {status}: {title}"))
    } else {
        match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
            Ok(value) => from_json(&value, 0),
            Err(_) => Some(text.into_owned()),
        }
    };
    let shown = tidy(&found.unwrap_or_default());
    if shown.is_empty() {
        format!("HTTP {status}").into()
    } else {
        shown.into()
    }
}

/// Whether a text begins like a web page.
pub(crate) fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    start.starts_with('<')
}

/// One line without control characters, at most [`MAX_CHARS`] long.
pub(crate) fn tidy(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        // Marks that turn the direction of writing can disguise a text as much as control
        // characters do.
        let hidden = c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let c = if hidden { ' ' } else { c };
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if length == MAX_CHARS {
            break;
        }
        out.push(c);
        length += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

fn title(html: &str) -> Option<String> {
    let captures = TITLE.as_ref()?.captures(html)?;
    captures.get(1).map(|m| m.as_str().to_owned())
}

fn from_json(value: &Value, depth: u8) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => {
            let texts: Vec<String> = items
                .iter()
                .take(8)
                .filter_map(|item| from_json(item, depth + 1))
                .collect();
            // The one with the vendor's message id says most, so it comes first.
            let best = texts
                .iter()
                .position(|text| MESSAGE_ID.as_ref().is_some_and(|id| id.is_match(text)));
            match best {
                Some(at) => {
                    let mut ordered: Vec<&String> = texts.iter().skip(at).collect();
                    ordered.extend(texts.iter().take(at));
                    Some(
                        ordered
                            .into_iter()
                            .map(String::as_str)
                            .collect::<Vec<_>>()
                            .join("; "),
                    )
                }
                None if texts.is_empty() => None,
                None => Some(texts.join("; ")),
            }
        }
        Value::Object(map) => KEYS
            .iter()
            .filter_map(|key| map.get(*key))
            .find_map(|inner| from_json(inner, depth + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(body: &str) -> String {
        from_body(400, body.as_bytes()).to_string()
    }

    #[test]
    fn every_shape_of_body_gives_its_message() {
        for (body, said) in [
            (r#"{"messages":["AWSJCO042E no"]}"#, "AWSJCO042E no"),
            (
                r#"{"messages":["first","AWSJCO042E no"]}"#,
                "AWSJCO042E no; first",
            ),
            (r#"{"message":"no"}"#, "no"),
            (r#"{"errorMessage":"no"}"#, "no"),
            (r#"{"title":"Bad","detail":"no"}"#, "no"),
            (r#"{"error":{"message":"inner"}}"#, "inner"),
            (r#"{"exceptionName":"com.X"}"#, "com.X"),
            (r#"{"code":17}"#, "17"),
            (r#"[{"message":"a"},"b"]"#, "a; b"),
            ("plain text", "plain text"),
            (
                "<html><head><title>Sign\n in</title></head>secret</html>",
                "HTTP 400: Sign in",
            ),
            ("", "HTTP 400"),
            ("{}", "HTTP 400"),
            ("null", "HTTP 400"),
            (r#"{"messages":[]}"#, "HTTP 400"),
            ("<html></html>", "HTTP 400"),
        ] {
            assert_eq!(of(body), said, "{body}");
        }
    }

    #[test]
    fn a_message_is_one_line_and_not_too_long() {
        assert_eq!(of("a\r\n\tb\u{1b}[31mc\u{202e}d"), "a b [31mc d");
        assert_eq!(of(&"x".repeat(5_000)).chars().count(), MAX_CHARS);
    }

    proptest! {
        #[test]
        fn any_body_gives_a_short_clean_message(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            let text = from_body(500, &body);
            prop_assert!(!text.is_empty());
            prop_assert!(text.chars().count() <= MAX_CHARS + 10);
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
}
