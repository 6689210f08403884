//! A hit with its neighbours.
//!
//! Invariant: it stays within the hit's section and the bound, and grows by whole chunks, on the side
//! after the hit first, as an answer more often goes on than begins earlier.

use crate::search::hit::{SearchHit, Wide};
use crate::search::index::{IndexError, Place, State};
use crate::search::rows::Row;

/// The hit's text with as many neighbours as fit into `most` code points; `None` when none does.
pub(crate) fn widen(
    state: &State,
    hit: &SearchHit,
    most: usize,
) -> Result<Option<Wide>, IndexError> {
    let place = Place {
        document: hit.document_id,
        ordinal: hit.ordinal,
    };
    let Some((entry, _)) = state.row(place) else {
        return Ok(None);
    };
    let rows = &entry.chunks;
    let Some(at) = rows.iter().position(|row| row.ordinal == hit.ordinal) else {
        return Ok(None);
    };
    let section = hit.section;
    let inside = |row: &Row| {
        row.span.start_char >= section.start_char && row.span.end_char <= section.end_char
    };
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let (mut first, mut last) = (at, at);
    let fits = |first: usize, last: usize| {
        let (Some(first), Some(last)) = (rows.get(first), rows.get(last)) else {
            return false;
        };
        last.span.end_char.saturating_sub(first.span.start_char) <= most
    };
    while rows.get(last + 1).is_some_and(inside) && fits(first, last + 1) {
        last += 1;
    }
    while let Some(before) = first.checked_sub(1)
        && rows.get(before).is_some_and(inside)
        && fits(before, last)
    {
        first = before;
    }
    match rows.get(first..=last) {
        Some([first, more @ ..]) if !more.is_empty() => join(first, more).map(Some),
        _ => Ok(None),
    }
}

/// The texts with as many line ends and blanks between them as the document has there.
fn join(first: &Row, more: &[Row]) -> Result<Wide, IndexError> {
    let mut wide = Wide {
        text: first.text.text()?,
        span: first.span,
    };
    for row in more {
        let chars = row.span.start_char.saturating_sub(wide.span.end_char);
        let lines = row.span.start_line.saturating_sub(wide.span.end_line);
        for at in 0..chars {
            wide.text.push(if at < lines { '\n' } else { ' ' });
        }
        wide.text.push_str(&row.text.text()?);
        wide.span.end_char = row.span.end_char;
        wide.span.end_line = row.span.end_line;
    }
    Ok(wide)
}
