//! Entries of catalogues: a message id and what it means.
//!
//! Invariant: a line begins an entry when an id of a message stands first in it, however it is marked
//! up, and nothing but the entry can follow; a sentence about a message, "AWSBHT001E, which", is none.

use super::lines::{item, outdented};

/// The severities that ids of messages end with.
const SEVERITIES: &str = "AEINSW";
/// The longest id.
const MAX_ID: usize = 24;

/// How a block stands to the entries of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is part of whatever was begun before it.
    No,
    /// An entry begins here, and what follows belongs to it.
    Begins,
    /// It is an entry from its beginning to its end: what follows is something else.
    Whole,
}

/// Whether `token` has the form of a message's id: `AWSBHT001E`, `SQL0911N`, `ORA-00060`.
fn is_message_id(token: &str) -> bool {
    if token.len() > MAX_ID || !token.is_ascii() {
        return false;
    }
    let after = token.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = token.len() - after.len();
    if let Some(number) = after.strip_prefix('-') {
        let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = number.len() - rest.len();
        return (2..=5).contains(&letters) && (4..=6).contains(&digits) && is_severity(rest, true);
    }
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = after.len() - rest.len();
    (3..=8).contains(&letters) && (3..=5).contains(&digits) && is_severity(rest, false)
}

fn is_severity(text: &str, may_lack: bool) -> bool {
    match text.len() {
        0 => may_lack,
        1 => SEVERITIES.contains(text),
        _ => false,
    }
}

const MARKS: [char; 6] = ['*', '_', '`', '[', ']', '~'];

/// The text after a message's id that `text` begins with.
fn after_id(text: &str) -> Option<&str> {
    let bare = text.trim_start_matches(MARKS);
    let end = bare
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(bare.len());
    let (token, rest) = bare.split_at(end);
    // "AWSBHT001E-" has a dash between id and text.
    let token = token.trim_end_matches('-');
    if !is_message_id(token) {
        return None;
    }
    let rest = rest.trim_start_matches(MARKS);
    let ends = rest.is_empty() || rest.starts_with([' ', '\t', ':', '|', '(', '–', '—', '=']);
    ends.then(|| rest.trim_start_matches([' ', '\t', ':', '-', '–', '—', '=']))
}

/// Whether a line, or a heading's text, begins an entry, and of which kind.
pub(super) fn entry(line: &str) -> Entry {
    let Some(text) = outdented(line) else {
        return Entry::No;
    };
    if let Some(listed) = item(text) {
        // A list of ids alone is a list, of entries it is a catalogue.
        return match after_id(listed) {
            Some(rest) if !rest.trim().is_empty() => Entry::Whole,
            _ => Entry::No,
        };
    }
    match after_id(text) {
        Some(_) => Entry::Begins,
        None => Entry::No,
    }
}

/// The id that stands alone in a table row's first cell.
pub(super) fn row_id(row: &str) -> Option<&str> {
    let cells = row.trim().trim_start_matches('|');
    let (first, others) = cells.split_once('|')?;
    let id = first.trim().trim_matches(MARKS);
    let says = others.chars().any(char::is_alphanumeric);
    (says && is_message_id(id)).then_some(id)
}

/// Whether a table's row goes on with the one above it.
pub(super) fn continues_row(row: &str) -> bool {
    let cells = row.trim().trim_start_matches('|');
    cells
        .split_once('|')
        .is_some_and(|(first, _)| first.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_messages_are_told_from_names() {
        for id in [
            "AWSBHT001E",
            "AWSJCO084E",
            "SQL0911N",
            "IEF450I",
            "ORA-00060",
            "TNS-12541",
        ] {
            assert!(is_message_id(id), "{id}");
        }
        for name in [
            "FINAPP01",
            "LX_PRD01",
            "PAYROLL",
            "RC12",
            "awsbht001e",
            "AWSBHT001",
            "JOB12345Z",
            "",
        ] {
            assert!(!is_message_id(name), "{name}");
        }
    }

    #[test]
    fn an_entry_begins_with_its_id() {
        for (line, expected) in [
            ("AWSBHT001E The job could not be launched", Entry::Begins),
            ("**AWSBHT001E** The job", Entry::Begins),
            ("**AWSBHT001E The job**", Entry::Begins),
            ("`ORA-00060`: deadlock detected", Entry::Begins),
            ("AWSBHT001E - The job", Entry::Begins),
            ("AWSBHT001E", Entry::Begins),
            ("- AWSBHT001E: the job", Entry::Whole),
            ("2. `AWSBHT001E` the job", Entry::Whole),
            ("- AWSBHT001E", Entry::No),
            ("AWSBHT001E, which the agent writes", Entry::No),
            ("see AWSBHT001E", Entry::No),
            ("    AWSBHT001E in code", Entry::No),
            ("FINAPP01 The host", Entry::No),
            ("", Entry::No),
        ] {
            assert_eq!(entry(line), expected, "{line}");
        }
        assert_eq!(row_id("| `AWSBHT001E` | text |"), Some("AWSBHT001E"));
        assert_eq!(row_id("AWSBHT001E | text"), Some("AWSBHT001E"));
        assert_eq!(row_id("| AWSBHT001E | |"), None);
        assert_eq!(row_id("| see AWSBHT001E | text |"), None);
        assert!(continues_row("| | and more |") && !continues_row("| a | b |"));
    }
}
