//! A page of the engine's answer, and where the next one begins.
//!
//! Invariant: the next offset is greater than this one, so that reading to the end ends.

use resync_tws::ports::GatewayError;

use crate::list::WireList;
use crate::wire::Scalar;

/// A page, and where the next one begins.
pub(crate) struct ListPage<T> {
    pub(crate) items: Vec<T>,
    /// How many came.
    pub(crate) came: usize,
    pub(crate) total: Option<u64>,
    pub(crate) next_offset: Option<u64>,
}

pub(crate) fn page_of<T>(
    wire: WireList<T>,
    offset: u64,
    limit: u32,
) -> Result<ListPage<T>, GatewayError> {
    let count = wire.count.number::<u64>();
    let items = match wire.results {
        Some(results) => results,
        None if count == Some(0) => Vec::new(),
        None => return Err(GatewayError::Unreadable("results is missing".into())),
    };
    let came = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let end = offset.saturating_add(came);
    // A count below what was seen is a guess of the engine's, or a zero that means "not counted".
    let total = count.filter(|count| *count >= end || (came == 0 && *count <= offset));
    let next_offset = if came == 0 {
        None
    } else {
        match next_offset_of(&wire.next) {
            // One that does not go forward would page for ever.
            Some(Some(next)) if next > offset => Some(next),
            Some(_) => Some(end),
            // A document-conform engine leaves `next` out on the last page only; one that forgets it
            // still shows by its count and a full page that there is more.
            None => {
                (total.is_some_and(|total| total > end) && came >= u64::from(limit)).then_some(end)
            }
        }
    };
    Ok(ListPage {
        came: items.len(),
        items,
        total,
        next_offset,
    })
}

/// The offset in the query part of a `next` URL: nothing without a URL, and nothing inside when it
/// names no offset. Its host is the engine's idea of itself, and is not looked at.
#[expect(
    clippy::option_option,
    reason = "no page, and a page at an unknown place, are two things"
)]
fn next_offset_of(next: &Scalar) -> Option<Option<u64>> {
    let text = next.text()?;
    let (_, query) = text.split_once('?').unwrap_or(("", ""));
    let query = query.split('#').next().unwrap_or("");
    Some(
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == "offset")
            .and_then(|(_, value)| value.parse().ok()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Sink;
    use crate::list::ListSink;

    fn page(json: &str, offset: u64, limit: u32) -> Result<ListPage<()>, GatewayError> {
        let mut sink = ListSink::new(|_: serde::de::IgnoredAny, _| Ok(()));
        sink.chunk(json.as_bytes()).unwrap();
        page_of(sink.end().unwrap(), offset, limit)
    }

    #[test]
    fn only_the_query_of_next_is_used() {
        let json = r#"{"count":9,"results":[{}],"next":"https://evil:1/x?limit=2&offset=7#f"}"#;
        let read = page(json, 4, 2).unwrap();
        assert_eq!((read.total, read.next_offset), (Some(9), Some(7)));
    }

    #[test]
    fn a_next_that_goes_back_or_says_nothing_goes_on_by_what_came() {
        for next in ["https://h/x?offset=0", "https://h/x", "?offset=x"] {
            let json = format!(r#"{{"results":[{{}},{{}}],"next":"{next}"}}"#);
            assert_eq!(page(&json, 4, 2).unwrap().next_offset, Some(6), "{next}");
        }
    }

    #[test]
    fn the_last_page_has_no_next_however_that_is_written() {
        for next in ["", r#","next":null"#, r#","next":"""#] {
            let json = format!(r#"{{"count":5,"results":[{{}}]{next}}}"#);
            assert_eq!(page(&json, 4, 2).unwrap().next_offset, None, "{next}");
        }
    }

    #[test]
    fn a_forgotten_next_is_made_up_for_by_the_count() {
        let read = page(r#"{"count":5,"results":[{},{}]}"#, 0, 2).unwrap();
        assert_eq!(read.next_offset, Some(2));
    }

    #[test]
    fn an_empty_page_is_the_last_whatever_it_says() {
        let read = page(r#"{"count":5,"results":[],"next":"?offset=9"}"#, 2, 2).unwrap();
        assert_eq!(read.next_offset, None);
    }

    #[test]
    fn a_count_that_cannot_be_is_no_total() {
        for json in [
            r#"{"results":[{}]}"#,
            r#"{"count":-1,"results":[{}]}"#,
            r#"{"count":0,"results":[{}]}"#,
            r#"{"count":"many","results":[{}]}"#,
        ] {
            assert_eq!(page(json, 0, 2).unwrap().total, None, "{json}");
        }
        assert_eq!(page(r#"{"count":0}"#, 0, 2).unwrap().total, Some(0));
        assert_eq!(
            page(r#"{"count":"3","results":[{}]}"#, 0, 2).unwrap().total,
            Some(3)
        );
    }

    #[test]
    fn results_that_are_not_there_are_named() {
        for json in ["{}", r#"{"results":null}"#, r#"{"count":3,"results":{}}"#] {
            assert_eq!(
                page(json, 0, 2).map(|_| ()),
                Err(GatewayError::Unreadable("results is missing".into()))
            );
        }
    }
}
