//! Answers that were recorded, read as if an engine had sent them.

use resync_tws::model::{Job, Slice};
use resync_tws::ports::GatewayError;

use crate::body::Sink;
use crate::failure::Failure;
use crate::list::ListSink;
use crate::plan::page_of;
use crate::wire::WireJob;

/// A page of `/plan/job`, from the pieces that its body came in. `offset` and `limit` are those it was
/// asked with.
///
/// ```
/// let body = br#"{"count":1,"results":[{"id":"a1","name":"FIN_GL_POST","priority":50}]}"#;
/// let page = resync_hwa::read_job_page(body.chunks(16), 0, 10)?;
/// assert_eq!((page.total, page.items[0].priority), (Some(1), Some(50)));
/// # Ok::<(), resync_tws::ports::GatewayError>(())
/// ```
///
/// # Errors
/// [`GatewayError::Unreadable`] with the place of what is wrong.
pub fn read_job_page<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    offset: u64,
    limit: u32,
) -> Result<Slice<Job>, GatewayError> {
    let fault = |failure: Failure| failure.into_error(GatewayError::Unsupported);
    let mut sink = ListSink::new(WireJob::read);
    for piece in pieces {
        sink.chunk(piece).map_err(fault)?;
    }
    let page = page_of(sink.end().map_err(fault)?, offset, limit)?;
    Ok(Slice {
        items: page.items,
        total: page.total,
        next_offset: page.next_offset,
    })
}
