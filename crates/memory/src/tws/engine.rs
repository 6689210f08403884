//! An engine in memory: a plan that a test writes, and that moves only by actions.
//!
//! It answers from what it was given and invents nothing. Faults are set by the test and stay until
//! they are taken back.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use resync_tws::model::{
    Action, Breaker, Capabilities, Command, ConfirmOutcome, DependencyKind, EngineInfo, Job,
    JobDefinition, JobId, JobKey, JobQuery, JobSort, JobStatus, JobStream, Justification,
    LineRange, LogText, NamePattern, Neighbour, NeighbourDirection, Prompt, Resource, Run, RunId,
    Slice, StreamDefinition, StreamRef, Submission, Target, Workstation,
};
use resync_tws::ports::{ActionError, ActionGateway, GatewayError, LogGateway, PlanGateway};

use super::lock;

/// A plan in memory, behind the ports of an engine.
#[derive(Debug, Default)]
pub struct ScriptedEngine {
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) jobs: Vec<Job>,
    pub(super) streams: Vec<JobStream>,
    pub(super) workstations: Vec<Workstation>,
    pub(super) resources: Vec<Resource>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) prompts_truncated: bool,
    pub(super) stream_definitions: Vec<StreamDefinition>,
    pub(super) job_definitions: Vec<JobDefinition>,
    pub(super) capabilities: Capabilities,
    pub(super) breaker: Breaker,
    pub(super) submitted: Vec<(Submission, Justification)>,
    logs: HashMap<RunId, Vec<String>>,
    version: Option<String>,
    reads_fail: Option<GatewayError>,
    pages_fail: Option<(u64, GatewayError)>,
    pub(super) actions_fail: Option<ActionError>,
    effects_off: bool,
    effects_late: u32,
    waiting: Vec<Command>,
    acted: Vec<(Command, Justification)>,
    reads: usize,
}

impl ScriptedEngine {
    /// An engine with these jobs and nothing else.
    #[must_use]
    pub fn with_jobs(jobs: Vec<Job>) -> Self {
        let engine = Self::default();
        lock(&engine.state).jobs = jobs;
        engine
    }

    /// A job of that id and name in that status, of the stream `STREAM` on the workstation `WS`, with
    /// priority 10, nothing said of the rest, and no run.
    ///
    /// # Panics
    /// When `id` is no id; it is written by a test.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test's own literal")]
    pub fn plain_job(id: &str, status: JobStatus) -> Job {
        let name = id.to_ascii_uppercase();
        let id = JobId::parse(id).expect("a literal of a test");
        Job {
            workstation: Some("WS".to_owned()),
            stream: StreamRef {
                id: None,
                name: Some("STREAM".to_owned()),
                workstation: Some("WS".to_owned()),
            },
            priority: Some(10),
            ..Job::bare(id, name, status)
        }
    }

    /// A run of that id.
    ///
    /// # Panics
    /// When `id` is no id; it is written by a test.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test's own literal")]
    pub fn plain_run(id: &str, status: JobStatus, return_code: Option<i32>) -> Run {
        let id = RunId::parse(id).expect("a literal of a test");
        Run {
            return_code,
            ..Run::bare(id, status)
        }
    }

    /// Puts `job` in the place of the one with its id, or at the end of the plan.
    pub fn put(&self, job: Job) {
        let mut state = lock(&self.state);
        match state.jobs.iter_mut().find(|old| old.id == job.id) {
            Some(old) => *old = job,
            None => state.jobs.push(job),
        }
    }

    /// Takes a job out of the plan.
    pub fn remove(&self, id: &JobId) {
        lock(&self.state).jobs.retain(|job| job.id != *id);
    }

    /// Sets the streams.
    pub fn set_streams(&self, streams: Vec<JobStream>) {
        lock(&self.state).streams = streams;
    }

    /// Sets the workstations.
    pub fn set_workstations(&self, workstations: Vec<Workstation>) {
        lock(&self.state).workstations = workstations;
    }

    /// Sets the log of a run.
    pub fn set_log(&self, run: RunId, lines: Vec<String>) {
        lock(&self.state).logs.insert(run, lines);
    }

    /// Sets what the engine says of its version.
    pub fn set_version(&self, version: &str) {
        lock(&self.state).version = Some(version.to_owned());
    }

    /// Makes every read fail, or none.
    pub fn fail_reads(&self, error: Option<GatewayError>) {
        lock(&self.state).reads_fail = error;
    }

    /// Makes the pages of jobs that begin at `offset` or behind fail.
    pub fn fail_pages_from(&self, offset: u64, error: GatewayError) {
        lock(&self.state).pages_fail = Some((offset, error));
    }

    /// Makes every action end with `error`. An unknown outcome is still carried out, as when the
    /// answer is lost; the others are not.
    pub fn fail_actions(&self, error: Option<ActionError>) {
        lock(&self.state).actions_fail = error;
    }

    /// Whether accepted actions change the plan; they do unless told.
    pub fn set_effects(&self, on: bool) {
        lock(&self.state).effects_off = !on;
    }

    /// Accepted actions change the plan only after a job was read so many times.
    pub fn set_effects_late(&self, reads: u32) {
        lock(&self.state).effects_late = reads;
    }

    /// What was sent, in order, also what failed.
    #[must_use]
    pub fn acted(&self) -> Vec<(Command, Justification)> {
        lock(&self.state).acted.clone()
    }

    /// How many reads the ports were asked for.
    #[must_use]
    pub fn reads(&self) -> usize {
        lock(&self.state).reads
    }

    /// Runs `read` on the plan, unless reads fail.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut State) -> T) -> Result<T, GatewayError> {
        let mut state = lock(&self.state);
        state.reads += 1;
        match &state.reads_fail {
            Some(error) => Err(error.clone()),
            None => Ok(read(&mut state)),
        }
    }
}

impl State {
    /// One more look at a target; the last one that effects wait for lets them happen.
    pub(super) fn count_late(&mut self) {
        if self.effects_late > 0 {
            self.effects_late -= 1;
            if self.effects_late == 0 {
                for command in std::mem::take(&mut self.waiting) {
                    self.apply(&command);
                }
            }
        }
    }

    fn apply(&mut self, command: &Command) {
        let runs = self.jobs.iter().map(|job| job.runs.len()).sum::<usize>();
        let Target::Job(id) = &command.target else {
            self.apply_to_object(&command.target, command.action);
            return;
        };
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == *id) else {
            return;
        };
        match command.action {
            Action::Rerun(_) => {
                for run in &mut job.runs {
                    run.last_in_chain = false;
                }
                if let Ok(id) = RunId::parse(&format!("{}-rerun-{runs}", job.id)) {
                    job.runs.push(Run {
                        id,
                        number: None,
                        workstation: None,
                        status: JobStatus::Ready,
                        return_code: None,
                        submitted_at: None,
                        started_at: None,
                        ended_at: None,
                        elapsed_seconds: None,
                        kind: Some("RERUN".to_owned()),
                        last_in_chain: true,
                    });
                }
                job.cancelled = false;
                job.status = JobStatus::Ready;
            }
            Action::Hold => job.priority = Some(0),
            Action::Release => job.priority = Some(10),
            Action::Cancel => job.cancelled = true,
            Action::Kill => job.status = JobStatus::Abend,
            Action::Confirm { status } => {
                job.status = match status {
                    ConfirmOutcome::Succ => JobStatus::Succ,
                    ConfirmOutcome::Abend => JobStatus::Abend,
                }
            }
            Action::Priority { priority } => job.priority = Some(priority.get()),
            Action::ReleaseDependencies => {
                for dependency in &mut job.dependencies {
                    dependency.satisfied = Some(true);
                }
                job.unresolved_dependencies = Some(0);
                job.status = JobStatus::Ready;
            }
            _ => {}
        }
    }

    fn matching(&self, query: &JobQuery) -> Vec<&Job> {
        let name = |pattern: &Option<NamePattern>, name: Option<&str>| match pattern {
            None => true,
            Some(pattern) => name.is_some_and(|name| fits(pattern.as_str(), name)),
        };
        let folder = |job: &Job| match &query.folder {
            None => true,
            Some(pattern) => job.folder.as_deref().is_some_and(|folder| {
                fits(
                    pattern.as_str().trim_end_matches('/'),
                    folder.trim_end_matches('/'),
                )
            }),
        };
        let mut jobs: Vec<&Job> = self
            .jobs
            .iter()
            .filter(|job| query.status.is_empty() || query.status.contains(&job.state()))
            .filter(|job| name(&query.name, Some(&job.name)))
            .filter(|job| name(&query.stream, job.stream.name.as_deref()))
            .filter(|job| name(&query.workstation, job.workstation.as_deref()))
            .filter(|job| folder(job))
            .filter(|job| {
                query
                    .after
                    .as_ref()
                    .is_none_or(|after| JobKey::of(job) > *after)
            })
            .collect();
        match query.sort {
            JobSort::Plan => {}
            JobSort::Name => jobs.sort_by_key(|job| JobKey::of(job)),
            JobSort::Priority => jobs.sort_by_key(|job| std::cmp::Reverse(job.priority)),
        }
        jobs
    }

    /// The jobs that `id` waits for, or that wait for it, in one step.
    fn next_to(&self, id: &JobId, direction: NeighbourDirection) -> Vec<JobId> {
        let predecessors = |job: &Job| -> Vec<JobId> {
            let ids = job.dependencies.iter().filter_map(|d| match &d.kind {
                DependencyKind::Job { job_id, .. } => job_id.clone(),
                _ => None,
            });
            ids.collect()
        };
        match direction {
            NeighbourDirection::Predecessors => self
                .jobs
                .iter()
                .find(|job| job.id == *id)
                .map(predecessors)
                .unwrap_or_default(),
            NeighbourDirection::Successors => self
                .jobs
                .iter()
                .filter(|job| predecessors(job).contains(id))
                .map(|job| job.id.clone())
                .collect(),
        }
    }
}

/// Whether `text` fits `pattern`, in which `*` is any run of characters and `?` is one.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = pattern.get(1..).unwrap_or("");
            fits(rest, text)
                || text
                    .chars()
                    .next()
                    .is_some_and(|c| fits(pattern, text.get(c.len_utf8()..).unwrap_or("")))
        }
        (Some(p), Some(t)) if p == '?' || p == t => fits(
            pattern.get(p.len_utf8()..).unwrap_or(""),
            text.get(t.len_utf8()..).unwrap_or(""),
        ),
        _ => false,
    }
}

/// A page of `all`.
pub(super) fn slice<T: Clone>(all: &[T], offset: u64, limit: u32) -> Slice<T> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let items: Vec<T> = all
        .iter()
        .skip(start)
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .cloned()
        .collect();
    let end = start.saturating_add(items.len());
    Slice {
        next_offset: (end < all.len()).then(|| offset.saturating_add(items.len() as u64)),
        total: Some(all.len() as u64),
        items,
    }
}

#[async_trait]
impl PlanGateway for ScriptedEngine {
    async fn engine_info(&self) -> Result<EngineInfo, GatewayError> {
        self.read(|state| EngineInfo {
            version: state.version.clone(),
            timezone: None,
            simulated: false,
        })
    }

    async fn jobs(&self, query: &JobQuery) -> Result<Slice<Job>, GatewayError> {
        self.read(|state| {
            if let Some((offset, error)) = &state.pages_fail
                && query.offset >= *offset
            {
                return Err(error.clone());
            }
            let mut jobs: Vec<Job> = state.matching(query).into_iter().cloned().collect();
            if !query.with_dependencies {
                for job in &mut jobs {
                    job.dependencies.clear();
                }
            }
            Ok(slice(&jobs, query.offset, query.limit))
        })?
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, GatewayError> {
        self.read(|state| {
            state.count_late();
            state.jobs.iter().find(|job| job.id == *id).cloned()
        })
    }

    async fn neighbours(
        &self,
        id: &JobId,
        direction: NeighbourDirection,
        depth: u8,
    ) -> Result<Option<Vec<Neighbour>>, GatewayError> {
        self.read(|state| {
            if !state.jobs.iter().any(|job| job.id == *id) {
                return None;
            }
            let mut seen = vec![id.clone()];
            let mut edge = vec![id.clone()];
            for _ in 0..depth {
                let mut next = Vec::new();
                for id in edge {
                    for neighbour in state.next_to(&id, direction) {
                        if !seen.contains(&neighbour) {
                            seen.push(neighbour.clone());
                            next.push(neighbour);
                        }
                    }
                }
                edge = next;
            }
            let jobs = seen
                .iter()
                .skip(1)
                .filter_map(|id| state.jobs.iter().find(|job| job.id == *id));
            Some(
                jobs.map(|job| Neighbour::Job(Box::new(job.clone())))
                    .collect(),
            )
        })
    }

    async fn streams(&self, offset: u64, limit: u32) -> Result<Slice<JobStream>, GatewayError> {
        self.read(|state| slice(&state.streams, offset, limit))
    }

    async fn workstations(&self) -> Result<Vec<Workstation>, GatewayError> {
        self.read(|state| state.workstations.clone())
    }
}

#[async_trait]
impl LogGateway for ScriptedEngine {
    async fn job_log(
        &self,
        run: &RunId,
        range: LineRange,
    ) -> Result<Option<LogText>, GatewayError> {
        self.read(|state| {
            let all = state.logs.get(run)?;
            let from = usize::try_from(range.from).unwrap_or(usize::MAX).max(1) - 1;
            let count = usize::try_from(range.count).unwrap_or(usize::MAX);
            let lines: Vec<String> = all.iter().skip(from).take(count).cloned().collect();
            Some(LogText {
                run: run.clone(),
                from_line: range.from,
                truncated: from.saturating_add(lines.len()) < all.len(),
                lines,
            })
        })
    }
}

#[async_trait]
impl ActionGateway for ScriptedEngine {
    async fn act(&self, command: &Command, why: &Justification) -> Result<(), ActionError> {
        let mut state = lock(&self.state);
        state.acted.push((command.clone(), why.clone()));
        let failure = state.actions_fail.clone();
        match &failure {
            None | Some(ActionError::OutcomeUnknown(_)) => {}
            Some(error) => return Err(error.clone()),
        }
        if !state.has(&command.target) {
            return Err(ActionError::UnknownTarget);
        }
        let ended = |job: &Job| command.target.job() == Some(&job.id) && job.state().has_ended();
        match command.action {
            Action::Rerun(_) if command.run.is_none() => {
                let error = GatewayError::Rejected("a rerun needs a run".into());
                return Err(ActionError::NotDone(error));
            }
            Action::Rerun(_) | Action::Confirm { .. } => {}
            _ if !command.action.kind().goes_with(command.target.kind()) => {
                let error = GatewayError::Rejected("that does not go with the target".into());
                return Err(ActionError::NotDone(error));
            }
            _ if state.jobs.iter().any(ended) => {
                return Err(ActionError::Refused("the job has ended".into()));
            }
            _ => {}
        }
        if state.effects_late > 0 {
            state.waiting.push(command.clone());
        } else if !state.effects_off {
            state.apply(command);
        }
        failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_run_and_a_question_mark_is_one_character() {
        assert!(fits("FIN_*", "FIN_GL_POST"));
        assert!(fits("*", ""));
        assert!(fits("*POST", "FIN_GL_POST"));
        assert!(fits("F?N", "FIN"));
        assert!(!fits("F?N", "FN"));
        assert!(!fits("FIN", "FINX"));
    }
}
