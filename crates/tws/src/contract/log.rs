//! The laws of reading job logs.

use super::Stage;
use crate::model::{JobStatus, LineRange, LogText, RunId};

async fn ended_run(stage: &Stage) -> RunId {
    let job = stage.job_in(&JobStatus::Succ).await;
    job.latest_run().expect("an ended job has a run").id.clone()
}

async fn lines(stage: &Stage, run: &RunId, from: u32, count: u32) -> LogText {
    let range = LineRange::clamped(from, count);
    let log = stage.logs.job_log(run, range).await.expect("a log");
    log.expect("an ended run has a log")
}

/// A run that nobody knows has no log, which is no error.
pub async fn an_unknown_run_has_no_log(stage: &Stage) {
    let run = RunId::parse("00000000-0000-3000-8000-00000000beef").expect("an id");
    let log = stage.logs.job_log(&run, LineRange::clamped(1, 10)).await;
    assert_eq!(log, Ok(None));
}

/// Line n of a part is line n of the whole, whatever part it is.
pub async fn lines_are_numbered_as_asked(stage: &Stage) {
    let run = ended_run(stage).await;
    let whole = lines(stage, &run, 1, LineRange::MAX_COUNT).await;
    assert_eq!((&whole.run, whole.from_line), (&run, 1));
    assert!(whole.lines.len() >= 3, "{} lines", whole.lines.len());
    let last = u32::try_from(whole.lines.len()).expect("a few lines");
    for (from, count) in [(1, 1), (2, 2), (3, 1), (last, 5)] {
        let part = lines(stage, &run, from, count).await;
        assert_eq!(part.from_line, from);
        let start = from as usize - 1;
        let end = (start + count as usize).min(whole.lines.len());
        assert_eq!(part.lines, whole.lines[start..end], "{from} + {count}");
    }
}

/// `truncated` tells whether there is more after the part.
pub async fn a_log_that_goes_on_says_so(stage: &Stage) {
    let run = ended_run(stage).await;
    let whole = lines(stage, &run, 1, LineRange::MAX_COUNT).await;
    let length = u32::try_from(whole.lines.len()).expect("a few lines");
    assert!(lines(stage, &run, 1, length - 1).await.truncated);
    assert!(!lines(stage, &run, 1, length).await.truncated);
    assert!(!lines(stage, &run, 2, length).await.truncated);
}

/// Past the end there are no lines, but there is a log.
pub async fn past_the_end_of_a_log_there_are_no_lines(stage: &Stage) {
    let run = ended_run(stage).await;
    let log = lines(stage, &run, 1_000_000, 10).await;
    assert_eq!(log.from_line, 1_000_000);
    assert!(log.lines.is_empty() && !log.truncated);
}
