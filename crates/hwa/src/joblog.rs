//! Reads of job logs, by run.
//!
//! The whole log is asked for, header and trailer included, so that a line has one number whoever
//! asks. One line more than wanted is asked, to know whether the log goes on.

use async_trait::async_trait;
use resync_tws::model::{LineRange, LogText, RunId};
use resync_tws::ports::{GatewayError, LogGateway};

use crate::HwaClient;
use crate::body::{Body, Bytes};
use crate::encode::segment;
use crate::transport::Call;

#[async_trait]
impl LogGateway for HwaClient {
    async fn job_log(
        &self,
        run: &RunId,
        range: LineRange,
    ) -> Result<Option<LogText>, GatewayError> {
        let range = LineRange::clamped(range.from, range.count);
        let Some(id) = segment(run.as_str()) else {
            return Ok(None);
        };
        // The interface counts lines in 32 bits with a sign.
        let last = range.last().saturating_add(1).min(i32::MAX.unsigned_abs());
        let call = Call {
            accept: "text/plain",
            ..Call::get(format!("/plan/job/run/{id}/joblog"))
                .query("from_line", range.from.min(last))
                .query("to_line", last)
        };
        let cap = self.log_cap;
        let body = match self.transport.read(call, || Bytes::cut(cap)).await {
            Ok(body) => body,
            Err(failure) if failure.is_not_found() => return Ok(None),
            Err(failure) => return Err(failure.into_error(GatewayError::Unsupported)),
        };
        if body.html {
            return Err(GatewayError::Unreadable(
                "a web page instead of a log".into(),
            ));
        }
        // An engine without a log may answer with an empty body, or with a message as JSON.
        if body.json || (body.bytes.is_empty() && range.from == 1) {
            return Ok(None);
        }
        Ok(Some(log_text(run, range, &body)))
    }
}

fn log_text(run: &RunId, range: LineRange, body: &Body) -> LogText {
    let text = String::from_utf8_lossy(&body.bytes);
    let mut lines: Vec<String> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned())
        .collect();
    // What follows the last line end is no line, and what the cap cut off is no whole one.
    if lines.last().is_some_and(String::is_empty) || (body.cut && lines.len() > 1) {
        lines.pop();
    }
    let count = usize::try_from(range.count).unwrap_or(usize::MAX);
    if lines.len() > count.saturating_add(1) {
        // More than was asked for: this engine sent the log from its first line.
        let skipped = usize::try_from(range.from - 1).unwrap_or(usize::MAX);
        lines = lines.into_iter().skip(skipped).collect();
    }
    let truncated = body.cut || lines.len() > count;
    lines.truncate(count);
    LogText {
        run: run.clone(),
        from_line: range.from,
        lines,
        truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], cut: bool, from: u32, count: u32) -> LogText {
        let body = Body {
            bytes: bytes.to_vec(),
            html: false,
            json: false,
            cut,
        };
        let run = RunId::parse("r").unwrap();
        log_text(&run, LineRange::clamped(from, count), &body)
    }

    #[test]
    fn line_ends_of_every_kind_are_taken_off() {
        let log = read(b"a\r\nb\n\nc", false, 1, 10);
        assert_eq!(log.lines, ["a", "b", "", "c"]);
        assert!(!log.truncated);
        assert_eq!(read(b"a\n", false, 1, 10).lines, ["a"]);
        assert!(read(b"", false, 5, 10).lines.is_empty());
    }

    #[test]
    fn one_line_more_shows_that_the_log_goes_on() {
        let log = read(b"c\nd\ne\n", false, 3, 2);
        assert_eq!((log.from_line, log.truncated), (3, true));
        assert_eq!(log.lines, ["c", "d"]);
    }

    #[test]
    fn an_engine_that_ignores_the_range_is_counted_out_here() {
        let log = read(b"1\n2\n3\n4\n5\n6\n", false, 3, 2);
        assert_eq!(log.lines, ["3", "4"]);
        assert!(log.truncated);
    }

    #[test]
    fn a_log_that_is_cut_by_its_size_loses_its_half_line() {
        let log = read(b"whole\nhal", true, 1, 10);
        assert_eq!(log.lines, ["whole"]);
        assert!(log.truncated);
        assert_eq!(read(b"one long line", true, 1, 10).lines, ["one long line"]);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        assert_eq!(read(b"caf\xe9", false, 1, 1).lines, ["caf\u{fffd}"]);
    }
}
