//! The part of a query that the engine can decide, in its language.
//!
//! Invariant: what is pushed never leaves out a job that the query wants.

use resync_tws::model::{JobKey, JobQuery, JobStatus};
use resync_tws::ports::GatewayError;

use crate::oql::{Op, Oql, OqlError, Value};

const LAST_RUN_STATUS: &str = "lastRunCompositeStatus.status";
const LAST_RUN_CANCELED: &str = "lastRunCompositeStatus.canceled";
const ANY_RUN_STATUS: &str = "jobruns.compositeStatus.status";

/// How much of the wanted statuses the engine can decide.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StatusFilter {
    /// All of it.
    Exact(Oql),
    /// It narrows the list, which must be looked through afterwards.
    Wider(Oql),
    /// Nothing of it.
    None,
}

/// The words of the vendor's document for a status; none when it has none.
fn words(status: &JobStatus) -> &'static [&'static str] {
    match status {
        JobStatus::Hold => &["HOLD"],
        JobStatus::Ready => &["READY"],
        JobStatus::Fence => &["FENCE"],
        JobStatus::Intro => &["INTRO"],
        JobStatus::Wait => &["WAIT"],
        JobStatus::Exec => &["EXEC"],
        JobStatus::Pend => &["PEND"],
        JobStatus::SuccPending => &["SUCCP"],
        JobStatus::AbendPending => &["ABENP"],
        JobStatus::Succ => &["SUCC"],
        JobStatus::Abend => &["ABEND"],
        JobStatus::Fail => &["FAIL"],
        JobStatus::Suppr => &["SUPPR"],
        JobStatus::Cancl => &["CANCL"],
        JobStatus::CanclPending => &["CANCLP"],
        JobStatus::Susp => &["SUSP"],
        JobStatus::Stuck => &["STUCK"],
        JobStatus::Undecided => &["UNDCDED", "EXTRN", "ERROR"],
        JobStatus::Sched | JobStatus::Add | JobStatus::Other(_) => &[],
    }
}

/// Whether a job in this status has a run, at whichever release.
fn needs_a_run(status: &JobStatus) -> bool {
    matches!(
        status,
        JobStatus::Exec
            | JobStatus::Pend
            | JobStatus::SuccPending
            | JobStatus::AbendPending
            | JobStatus::Succ
            | JobStatus::Abend
            | JobStatus::Fail
    )
}

pub(super) fn status_filter(
    wanted: &[JobStatus],
    by_last_run: bool,
) -> Result<StatusFilter, OqlError> {
    if wanted.is_empty() || wanted.iter().any(|status| words(status).is_empty()) {
        return Ok(StatusFilter::None);
    }
    if !by_last_run {
        if !wanted.iter().all(needs_a_run) {
            return Ok(StatusFilter::None);
        }
        let words = wanted.iter().flat_map(words).copied();
        return Ok(StatusFilter::Wider(Oql::any_of(ANY_RUN_STATUS, words)?));
    }
    // Not every engine filters by the flag of a pending cancel, so it is looked at afterwards.
    if wanted.contains(&JobStatus::CanclPending) {
        return Ok(StatusFilter::None);
    }
    // A cancelled job keeps its status beside the flag, and the flag beats it.
    let mut either = Vec::new();
    let plain: Vec<&str> = wanted
        .iter()
        .filter(|status| !matches!(status, JobStatus::Cancl))
        .flat_map(words)
        .copied()
        .collect();
    if !plain.is_empty() {
        either.push(Oql::all([
            Oql::any_of(LAST_RUN_STATUS, plain)?,
            Oql::flag(LAST_RUN_CANCELED, false)?,
        ])?);
    }
    if wanted.contains(&JobStatus::Cancl) {
        either.push(Oql::flag(LAST_RUN_CANCELED, true)?);
        either.push(Oql::is(LAST_RUN_STATUS, "CANCL")?);
    }
    Ok(StatusFilter::Exact(Oql::any(either)?))
}

pub(super) fn other_filters(query: &JobQuery) -> Result<Vec<Oql>, OqlError> {
    let mut parts = Vec::new();
    if let Some(name) = &query.name {
        parts.push(Oql::name("name", name)?);
    }
    if let Some(stream) = &query.stream {
        parts.push(Oql::name("jobStreamName", stream)?);
    }
    if let Some(workstation) = &query.workstation {
        parts.push(Oql::workstation("workstation", workstation)?);
    }
    if let Some(folder) = &query.folder {
        parts.push(Oql::folder("folder", folder)?);
    }
    Ok(parts)
}

/// What comes behind a job in the order by name, then id.
pub(super) fn behind(key: &JobKey) -> Result<Oql, OqlError> {
    let name = Value::text(&key.name)?;
    let id = Value::text(key.id.as_str())?;
    Oql::any([
        Oql::test("name", Op::Greater, name.clone())?,
        Oql::all([
            Oql::test("name", Op::Equal, name)?,
            Oql::test("id", Op::Greater, id)?,
        ])?,
    ])
}

pub(crate) fn filter_error(error: OqlError) -> GatewayError {
    GatewayError::Rejected(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use resync_tws::model::NamePattern;

    #[test]
    fn a_status_that_the_engine_cannot_decide_is_not_pushed() {
        for status in [
            JobStatus::Sched,
            JobStatus::CanclPending,
            JobStatus::Other("X' OR".into()),
        ] {
            assert_eq!(
                status_filter(&[JobStatus::Hold, status], true),
                Ok(StatusFilter::None)
            );
        }
    }

    #[test]
    fn the_flag_of_a_cancel_beats_the_status() {
        let Ok(StatusFilter::Exact(oql)) =
            status_filter(&[JobStatus::Abend, JobStatus::Cancl], true)
        else {
            panic!("not exact");
        };
        assert_eq!(
            oql.to_string(),
            "lastRunCompositeStatus.status = 'ABEND' AND lastRunCompositeStatus.canceled != true \
             OR lastRunCompositeStatus.canceled = true OR lastRunCompositeStatus.status = 'CANCL'"
        );
    }

    #[test]
    fn without_the_last_run_only_statuses_with_a_run_are_pushed() {
        assert_eq!(
            status_filter(&[JobStatus::Hold, JobStatus::Abend], false),
            Ok(StatusFilter::None)
        );
        assert_eq!(
            status_filter(&[JobStatus::Abend], false),
            Ok(StatusFilter::Wider(
                Oql::is(ANY_RUN_STATUS, "ABEND").unwrap()
            ))
        );
    }

    #[test]
    fn every_filter_of_a_query_is_pushed() {
        let pattern = |text: &str| Some(NamePattern::parse(text).unwrap());
        let query = JobQuery {
            name: pattern("FIN_*"),
            stream: pattern("FIN_EOD"),
            workstation: pattern("/FINDB01"),
            folder: pattern("/FIN/"),
            ..JobQuery::default()
        };
        let text = Oql::all(other_filters(&query).unwrap())
            .unwrap()
            .to_string();
        assert_eq!(
            text,
            "name LIKE 'FIN_@' AND jobStreamName = 'FIN_EOD' AND workstation = '/FINDB01' \
             AND folder IN ['/FIN/','/FIN']"
        );
    }
}
