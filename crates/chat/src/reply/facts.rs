//! What a tool told, as facts of evidence. This is worked out of the tool's answer alone, apart from
//! how it is worded: so a wording that says something else does not stand the check.
//!
//! Invariants:
//! - A fact is a value that the tool told, under a name in English; foreign words are made harmless.
//! - The lists of a piece are as long as an answer may show, [`LISTED`], and its counts are over all.

use chrono::{DateTime, Utc};
use resync_tws::model::{Job, JobStatus, LinkState, Phase, Workstation};
use resync_tws::{
    Diagnosis, EvidenceKind, GraphNodeKind, GraphView, HistoryView, ImpactView, JobView, Meta,
    Past, PastRun, Snapshot, Summary, Transience, Verdict,
};

use super::SHOWN;
use crate::evidence::EvidenceFact as Fact;
use crate::text;
use crate::tools::{JobFilter, JobList};

/// How many items of a list a piece of evidence holds.
pub(super) const LISTED: usize = SHOWN;
/// How many past runs.
const RUNS: usize = 10;

/// A list of facts in the making.
#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn words(&mut self, name: &str, of: Option<&str>, value: &str) {
        self.push(Fact::words(name, &text::name(value)), of);
    }

    fn number(&mut self, name: &str, of: Option<&str>, value: impl TryInto<i64>) {
        self.push(Fact::number(name, value.try_into().unwrap_or(i64::MAX)), of);
    }

    fn count(&mut self, name: &str, of: Option<&str>, value: usize, unit: &str) {
        self.push(Fact::count(name, value, unit), of);
    }

    fn seconds(&mut self, name: &str, of: Option<&str>, value: Option<u64>) {
        if let Some(value) = value {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            self.push(Fact::number(name, value).in_unit("s"), of);
        }
    }

    fn time(&mut self, name: &str, of: Option<&str>, at: Option<DateTime<Utc>>) {
        if let Some(at) = at {
            self.push(Fact::time(name, at), of);
        }
    }

    fn push(&mut self, fact: Fact, of: Option<&str>) {
        self.0.push(match of {
            Some(of) => fact.of(&text::name(of)),
            None => fact,
        });
    }
}

/// How a phase is called.
pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Ready => "ready",
        Phase::Running => "running",
        Phase::Succeeded => "ended well",
        Phase::Failed => "failed",
        Phase::Blocked => "blocked",
        Phase::Cancelled => "cancelled",
        Phase::Suppressed => "suppressed",
        Phase::Undecided => "undecided",
    }
}

fn brief(facts: &mut Facts, job: &Job) {
    let label = job.label();
    let of = Some(label.as_str());
    facts.words("state", of, job.state().as_str());
    if let Some(code) = job.return_code() {
        facts.number("return code", of, code);
    }
}

fn standing(facts: &mut Facts, job: &Job, state: &JobStatus, now: DateTime<Utc>) {
    let label = job.label();
    let of = Some(label.as_str());
    facts.words("state", of, state.as_str());
    if let Some(substatus) = &job.substatus {
        facts.words("substatus", of, substatus);
    }
    if let Some(code) = job.return_code() {
        facts.number("return code", of, code);
    }
    let run = job.latest_run();
    facts.time("started", of, run.and_then(|run| run.started_at));
    facts.time("ended", of, run.and_then(|run| run.ended_at));
    if let Some(started) = run.and_then(|run| run.started_at)
        && state.phase() == Phase::Running
    {
        let seconds = u64::try_from((now - started).num_seconds()).ok();
        facts.seconds("running for", of, seconds);
    }
    facts.time("planned", of, job.scheduled_at);
    facts.time("earliest start", of, job.earliest_start);
    facts.time("deadline", of, job.deadline);
    facts.seconds("estimated duration", of, job.estimated_seconds);
    if let Some(priority) = job.priority {
        facts.number("priority", of, priority);
    }
    facts.number("runs", of, job.runs.len());
    for (name, is) in [
        ("late", job.late && !state.has_ended()),
        ("longer than usual", job.long_running && !state.has_ended()),
        ("critical", job.critical),
    ] {
        if is {
            facts.words(name, of, "yes");
        }
    }
}

/// Of one job.
pub(super) fn of_job(view: &JobView, meta: &Meta) -> Vec<Fact> {
    let mut facts = Facts::default();
    standing(&mut facts, &view.job, &view.state, meta.fetched_at);
    if let Some(why) = &view.why_waiting {
        facts.words("why it waits", None, &why.en);
    }
    facts.0
}

/// Of the plan as a whole.
pub(super) fn of_summary(board: &Summary) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.count("jobs in the plan", None, board.total, "jobs");
    for (group, count) in &board.by_phase {
        facts.count(phase(*group), None, *count, "jobs");
    }
    if !board.by_phase.contains_key(&Phase::Failed) {
        facts.count("failed", None, 0, "jobs");
    }
    facts.count("late", None, board.late.count, "jobs");
    facts.count("long running", None, board.long_running.count, "jobs");
    facts.count(
        "waiting for a failed one",
        None,
        board.victims_total,
        "jobs",
    );
    facts.count("stuck streams", None, board.stuck_streams.len(), "streams");
    facts.count(
        "prompts without an answer",
        None,
        board.prompts_waiting.len(),
        "prompts",
    );
    facts.count(
        "workstations off",
        None,
        board.workstations.off,
        "workstations",
    );
    facts.count(
        "workstations",
        None,
        board.workstations.total,
        "workstations",
    );
    for failed in board
        .failed
        .iter()
        .filter(|failed| failed.root)
        .take(LISTED)
    {
        brief(&mut facts, &failed.job);
        let label = failed.job.label();
        facts.count(
            "jobs that wait for it",
            Some(&label),
            failed.victims,
            "jobs",
        );
    }
    facts.0
}

/// Of a list of jobs: what was asked for, and what there is.
pub(super) fn of_jobs(filter: &JobFilter, list: &JobList) -> Vec<Fact> {
    let mut facts = Facts::default();
    let asked = [
        ("asked for status", &filter.statuses),
        ("asked for names", &filter.patterns),
        ("asked for streams", &filter.streams),
        ("asked for workstations", &filter.workstations),
    ];
    for (name, values) in asked {
        if !values.is_empty() {
            facts.words(name, None, &values.join(", "));
        }
    }
    for span in &filter.spans {
        facts.time("asked from", None, Some(span.from));
        facts.time("asked to", None, Some(span.to));
    }
    facts.count("jobs found", None, list.total, "jobs");
    facts.count(
        "not listed",
        None,
        list.total.saturating_sub(list.items.len()),
        "jobs",
    );
    for (state, count) in &list.by_state {
        facts.count(state, None, *count, "jobs");
    }
    for job in list.items.iter().take(LISTED) {
        brief(&mut facts, job);
        let run = job.latest_run();
        let label = job.label();
        facts.time("ended", Some(&label), run.and_then(|run| run.ended_at));
    }
    facts.0
}

/// Of the streams that cannot go on, and of the prompts that wait.
pub(super) fn of_stuck(board: &Summary) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.count("stuck streams", None, board.stuck_streams.len(), "streams");
    for stream in board.stuck_streams.iter().take(LISTED) {
        facts.words("stuck stream", None, &stream.name);
    }
    facts.0
}

/// Of the prompts that wait for an answer.
pub(super) fn of_prompts(board: &Summary) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.count(
        "prompts without an answer",
        None,
        board.prompts_waiting.len(),
        "prompts",
    );
    for prompt in board.prompts_waiting.iter().take(LISTED) {
        let name = prompt.name.as_deref().unwrap_or("-");
        let words = prompt.text.as_deref().unwrap_or("");
        facts.words("prompt", None, &format!("{name}: {words}"));
    }
    facts.0
}

/// Of jobs that a name can mean.
pub(super) fn of_candidates<'a>(
    name: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.words("looked for", None, name);
    for (label, id) in labels.take(LISTED) {
        facts.words("job", None, label);
        facts.words("id", Some(label), id);
    }
    facts.0
}

/// Of a name that the plan lacks.
pub(super) fn of_missing_name(name: &str, alike: &[String]) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.words(
        "not among the names of jobs, streams and workstations",
        None,
        name,
    );
    for alike in alike {
        facts.words("name that is near", None, alike);
    }
    facts.0
}

/// Of a diagnosis, without its lines of logs, which are pieces of their own.
pub(super) fn of_diagnosis(found: &Diagnosis, meta: &Meta) -> Vec<Fact> {
    let mut facts = Facts::default();
    standing(&mut facts, &found.job, &found.job.state(), meta.fetched_at);
    facts.words(
        "how sure",
        None,
        match found.verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Likely => "likely",
            Verdict::Unknown => "unknown",
        },
    );
    if let Some(cause) = &found.cause {
        facts.words("cause", None, &cause.en);
        facts.words("causa", None, &cause.pt);
        facts.words("code of the cause", None, &cause.code);
    }
    facts.words(
        "passes by itself",
        None,
        match found.transience {
            Transience::Transient => "may",
            Transience::Persistent => "no",
            Transience::Unknown => "not known",
        },
    );
    for evidence in &found.evidence {
        if evidence.kind != EvidenceKind::Log {
            facts.words("rests on", None, &evidence.text);
        }
    }
    if let Some(victims) = found.victims {
        facts.count("jobs that wait for it", None, victims, "jobs");
    }
    for root in &found.roots {
        let of = Some(root.label.as_str());
        facts.words("root failure", of, &root.state);
        if let Some(code) = root.return_code {
            facts.number("return code", of, code);
        }
        if let Some(cause) = &root.cause {
            facts.words("cause", of, &cause.en);
            facts.words("causa", of, &cause.pt);
        }
    }
    if let Some(past) = &found.past {
        of_past(&mut facts, past);
    }
    for step in &found.next_steps {
        facts.words("next step", None, &step.en);
        facts.words("próximo passo", None, &step.pt);
    }
    for missing in &found.missing {
        facts.words("looked at", None, &missing.en);
        facts.words("examinado", None, &missing.pt);
    }
    facts.0
}

fn of_past(facts: &mut Facts, past: &Past) {
    facts.count("earlier runs seen", None, past.runs, "runs");
    facts.count("earlier runs that failed", None, past.failed, "runs");
    facts.count(
        "runs in a row with this return code",
        None,
        past.same_in_a_row,
        "runs",
    );
    if let Some(good) = &past.last_good {
        facts.time("last good run ended", None, Some(good.ended_at));
    }
    facts.seconds("median of good runs", None, past.usual_seconds);
    facts.seconds("this run took", None, past.seconds);
    facts.time("observed since", None, past.observed_since);
}

/// Of what is around a job, one way.
pub(super) fn of_graph(graph: &GraphView) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.number("steps walked", None, graph.depth);
    let others = graph.nodes.len().saturating_sub(1);
    let next = graph.nodes.iter().filter(|node| node.distance == 1).count();
    facts.number("directly", None, next);
    facts.number("further away", None, others.saturating_sub(next));
    let open = graph
        .edges
        .iter()
        .filter(|edge| edge.to == graph.root && edge.satisfied != Some(true));
    facts.number("not met", None, open.count());
    if graph.truncated {
        facts.words("cut", None, "yes");
    }
    for node in graph.nodes.iter().take(2 * LISTED) {
        let of = Some(node.label.as_str());
        match &node.kind {
            GraphNodeKind::Job { state, .. } => facts.words("state", of, state.as_str()),
            GraphNodeKind::Stream { .. } => facts.words("kind", of, "stream"),
            GraphNodeKind::Other { what } => facts.words("kind", of, what),
        }
        let edge = graph
            .edges
            .iter()
            .find(|edge| edge.from == node.id && edge.to == graph.root);
        if let Some(met) = edge.and_then(|edge| edge.satisfied) {
            facts.words("met", of, if met { "yes" } else { "no" });
        }
    }
    facts.0
}

/// Of who is held up by a job.
pub(super) fn of_impact(view: &ImpactView) -> Vec<Fact> {
    let mut facts = Facts::default();
    let of = Some(view.label.as_str());
    facts.words("state", of, view.state.as_str());
    facts.count("jobs that wait for it", of, view.total, "jobs");
    facts.count("directly", of, view.direct, "jobs");
    facts.count("on a critical path", of, view.critical_total, "jobs");
    facts.count("deadlines that fall", of, view.deadlines_total, "deadlines");
    facts.count("not listed", of, view.total.saturating_sub(LISTED), "jobs");
    facts.count("without an estimate", of, view.without_estimate, "jobs");
    for stream in view.by_stream.iter().take(LISTED) {
        let name = stream.stream.name.as_deref().unwrap_or("-");
        facts.count("held up in stream", Some(name), stream.jobs, "jobs");
    }
    for held in view.jobs.iter().take(LISTED) {
        facts.words("state", Some(&held.label), held.state.as_str());
    }
    for fallen in view.deadlines.iter().take(LISTED) {
        let of = Some(fallen.label.as_str());
        facts.time("deadline", of, Some(fallen.deadline));
        facts.time("earliest", of, Some(fallen.earliest));
        facts.seconds("late by", of, u64::try_from(fallen.late_by_seconds).ok());
    }
    facts.words("assumption", None, &view.assumption.en);
    facts.0
}

/// Of past runs.
pub(super) fn of_history(view: &HistoryView) -> Vec<Fact> {
    let mut facts = Facts::default();
    let of = Some(view.label.as_str());
    let figures = &view.statistics;
    facts.time("observed since", None, view.observed_since);
    facts.count("runs seen", of, figures.count, "runs");
    facts.count("ended well", of, figures.good, "runs");
    facts.count(
        "failed",
        of,
        figures.count.saturating_sub(figures.good),
        "runs",
    );
    facts.seconds("median of good runs", of, figures.median_seconds);
    facts.seconds("95% of good runs took at most", of, figures.p95_seconds);
    if let Some(good) = &figures.last_good {
        facts.time("last good run ended", of, Some(good.ended_at));
    }
    for (code, count) in &figures.return_codes {
        facts.count(
            &format!("ended with return code {code}"),
            of,
            *count,
            "runs",
        );
    }
    for run in view.runs.iter().take(RUNS) {
        of_run(&mut facts, run);
    }
    facts.0
}

fn of_run(facts: &mut Facts, run: &PastRun) {
    let of = Some(run.run.as_str());
    facts.words("state", of, &run.status);
    if let Some(code) = run.return_code {
        facts.number("return code", of, code);
    }
    facts.time("ended", of, Some(run.ended_at));
    facts.seconds("took", of, run.seconds);
}

/// Of workstations: all counts, and those that are off or were asked for.
pub(super) fn of_workstations<'a>(
    snapshot: &Snapshot,
    stations: impl Iterator<Item = &'a Workstation>,
) -> Vec<Fact> {
    let mut facts = Facts::default();
    let counts = snapshot.summary.workstations;
    facts.count("workstations", None, counts.total, "workstations");
    facts.count("workstations off", None, counts.off, "workstations");
    facts.count(
        "not listed",
        None,
        counts.off.saturating_sub(LISTED),
        "workstations",
    );
    for station in stations.take(LISTED) {
        let of = Some(station.name.as_str());
        facts.words("link", of, link(station.link));
        if let Some(up) = station.jobman_up {
            facts.words("job manager", of, if up { "up" } else { "down" });
        }
        if let Some(limit) = station.limit {
            facts.number("limit", of, limit);
        }
        if let Some(fence) = station.fence {
            facts.number("fence", of, fence);
        }
        for group in [Phase::Running, Phase::Failed, Phase::Waiting, Phase::Ready] {
            let count = jobs_on(snapshot, station, group);
            facts.count(phase(group), of, count, "jobs");
        }
    }
    facts.0
}

/// How many jobs of a workstation are in that phase.
pub(super) fn jobs_on(snapshot: &Snapshot, station: &Workstation, phase: Phase) -> usize {
    let here = snapshot
        .jobs
        .iter()
        .filter(|job| job.workstation.as_deref() == Some(&*station.name));
    here.filter(|job| job.phase() == phase).count()
}

/// The word for a link.
pub(super) const fn link(link: LinkState) -> &'static str {
    match link {
        LinkState::Linked => "LINKED",
        LinkState::Unlinked => "UNLINKED",
        LinkState::Unknown => "unknown",
    }
}
