//! Foreign text in a path, a query or a header: none of it can leave its place.

use reqwest::header::HeaderValue;

/// The longest header value, in bytes: servers of engines take about 8 kB for all headers.
const MAX_HEADER: usize = 2_000;
/// What begins an extended value of RFC 8187 in UTF-8 and no language.
const EXTENDED: &str = "UTF-8''";

/// An id as one segment of a path: everything but letters, digits, `-`, `_`, `.` and `~` in percent
/// form. `.` and `..` have none, since every parser of URLs takes them for steps.
pub(crate) fn segment(id: &str) -> Option<String> {
    if matches!(id, "" | "." | "..") {
        return None;
    }
    Some(percent(id, "-_.~"))
}

/// A value of a query: a space as `%20`, since an engine may take `+` for itself.
pub(crate) fn query_value(value: &str) -> String {
    percent(value, "-_.~")
}

/// Text as a header value: visible ASCII and inner blanks as they are, everything else as an
/// extended value of RFC 8187 (`UTF-8''Caf%C3%A9`), which tells its own encoding. Cut to 2000 bytes,
/// between characters.
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) && !text.starts_with(EXTENDED);
    let mut value = String::from(if plain { "" } else { EXTENDED });
    for c in text.chars() {
        let before = value.len();
        if plain {
            value.push(c);
        } else {
            push_percent(&mut value, c, "!#$&+-.^_`|~");
        }
        if value.len() > MAX_HEADER {
            value.truncate(before);
            break;
        }
    }
    HeaderValue::from_str(value.trim_end()).ok()
}

fn percent(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_percent(&mut out, c, keep);
    }
    out
}

fn push_percent(out: &mut String, c: char, keep: &str) {
    if c.is_ascii_alphanumeric() || keep.contains(c) {
        out.push(c);
        return;
    }
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push('%');
        for half in [byte >> 4, byte & 15] {
            let digit = char::from_digit(u32::from(half), 16).unwrap_or('0');
            out.push(digit.to_ascii_uppercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::Url;

    fn header(text: &str) -> String {
        header_value(text).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn an_id_is_one_segment() {
        assert_eq!(segment("a-b_c.D").as_deref(), Some("a-b_c.D"));
        assert_eq!(segment("WKS;0AAA;JOB").as_deref(), Some("WKS%3B0AAA%3BJOB"));
        assert_eq!(segment("a#b@c").as_deref(), Some("a%23b%40c"));
        for step in ["", ".", ".."] {
            assert_eq!(segment(step), None, "{step:?}");
        }
    }

    #[test]
    fn a_reason_in_ascii_is_sent_as_it_is() {
        assert_eq!(
            header(" Rerun after fix, see INC-1 (50%) "),
            "Rerun after fix, see INC-1 (50%)"
        );
    }

    #[test]
    fn a_reason_with_other_letters_tells_its_encoding() {
        assert_eq!(header("Reinício"), "UTF-8''Rein%C3%ADcio");
        assert_eq!(header("a\r\nX: y"), "UTF-8''a%0D%0AX%3A%20y");
        // A text that only looks encoded is encoded, so that it reads back as itself.
        assert_eq!(header("UTF-8''x"), "UTF-8''UTF-8%27%27x");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let value = header(&"é".repeat(500));
        assert!(value.len() <= MAX_HEADER);
        assert!(value.ends_with("%C3%A9"), "{value}");
    }

    proptest! {
        /// B4: no id reaches a path that is not its own.
        #[test]
        fn no_id_leaves_its_segment(id in any::<String>()) {
            if let Some(text) = segment(&id) {
                let url = Url::parse(&format!("http://h/twsd/plan/job/{text}/action/kill")).unwrap();
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                // A text such as `%2e%2e` cannot come about: a percent sign is encoded itself.
                prop_assert_eq!(&segments[..3], ["twsd", "plan", "job"]);
                prop_assert_eq!(segments[3], text.as_str());
                prop_assert_eq!(&segments[4..], ["action", "kill"]);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }

        /// No reason can end its header or begin another one.
        #[test]
        fn no_reason_leaves_its_header(text in any::<String>()) {
            let value = header(&text);
            prop_assert!(value.len() <= MAX_HEADER);
            prop_assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
        }
    }
}
