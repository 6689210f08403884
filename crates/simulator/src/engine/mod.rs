//! The plan in motion.
//!
//! 1. One writer: everything that changes goes through `&mut Engine`, in one order.
//! 2. Time moves from event to event, ordered by (time, kind, sequence); nothing reads a real
//!    clock. Equal arguments and equal commands at equal virtual times give equal plans.
//! 3. After every event the queues are settled: whatever can start has started.

mod action;
mod edge;
mod fate;
mod incident;
mod journal;
#[cfg(test)]
mod laws;
mod perform;
mod progress;
mod queue;
#[cfg(test)]
mod rules;
mod submit;
mod truth;

pub(crate) use action::{Command, NewNeed, Patch, Refusal, RerunDetails};
pub use fate::Outcome;
pub(crate) use journal::{Deed, Entry, Object};
pub(crate) use queue::Obstacle;
pub(crate) use submit::{Submission, What};

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque},
    sync::OnceLock,
};

use journal::Journal;

use crate::{
    dice::Dice,
    model::{Catalogue, Job, Place, Plan, Status, Waiter},
    names::{Id, Secs, id, local_hour, parse_id},
    plan::{bank, catalogue, instances},
    profile::Profile,
    table::{FileKey, JobKey, ModelKey, PromptKey, StationKey, StreamKey, Table},
};

/// What decides a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) jobs: usize,
    pub(crate) start: Secs,
    pub(crate) profile: Profile,
    /// The day's edge leaves ids as they are.
    pub(crate) ids_survive: bool,
    /// A job that must not run any more stays in HOLD.
    pub(crate) late_hold: bool,
    /// Confirming where it changes nothing is refused.
    pub(crate) confirm_strictly: bool,
}

/// What came from outside, for a second engine to repeat.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Command(Command, By),
    Script(String, Outcome),
    Fix(String, Option<String>),
    Switch,
}

/// Something due at a time. The order of the kinds is the order at equal times.
#[derive(Debug, Clone)]
enum Due {
    Command(Box<(Command, By)>),
    Outage(StationKey, bool),
    File(FileKey),
    Ended(JobKey, u32),
    Started(JobKey, u32),
    Recover(JobKey, u32),
    Deadline(JobKey),
    /// What the operator of the profile does.
    Help(Help),
    Again(JobKey, u32),
    Latest(JobKey),
    StreamTime(StreamKey),
    JobTime(JobKey),
    Switch,
}

/// What a scripted operator does.
#[derive(Debug, Clone, Copy)]
enum Help {
    /// Answers yes to the payroll's question.
    Payroll,
    /// Reruns the ledger's post job, 24 minutes after it has failed.
    Ledger,
}

impl Due {
    fn rank(&self) -> u8 {
        match self {
            Self::Command(_) => 0,
            Self::Outage(..) => 1,
            Self::File(_) => 2,
            Self::Ended(..) => 3,
            Self::Started(..) => 4,
            Self::Recover(..) => 5,
            Self::Again(..) => 6,
            Self::Latest(_) => 7,
            Self::Deadline(_) => 8,
            Self::StreamTime(_) => 9,
            Self::JobTime(_) => 10,
            Self::Help(_) => 11,
            Self::Switch => 12,
        }
    }
}

#[derive(Debug)]
struct Event {
    at: Secs,
    sequence: u64,
    due: Due,
}

impl Event {
    fn key(&self) -> (Secs, u8, u64) {
        (self.at, self.due.rank(), self.sequence)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Who asks for a change, and why; kept in the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) user: String,
    pub(crate) category: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) ticket: Option<String>,
}

/// Ids of the current plan.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) jobs: HashMap<Id, JobKey>,
    pub(crate) streams: HashMap<Id, StreamKey>,
    pub(crate) runs: HashMap<Id, (JobKey, u32)>,
    pub(crate) prompts: HashMap<Id, PromptKey>,
    /// Jobs by the status of their latest run, in the plan's order.
    by_status: HashMap<Status, BTreeSet<JobKey>>,
    /// Jobs that have run more than once.
    reran: BTreeSet<JobKey>,
}

impl Index {
    /// Jobs whose latest run has one of these statuses, and with `any_run` those that have run more
    /// than once besides, as an earlier run may have it; in the plan's order.
    pub(crate) fn with_status(&self, statuses: &[Status], any_run: bool) -> Vec<JobKey> {
        let sets = statuses
            .iter()
            .filter_map(|status| self.by_status.get(status));
        let mut keys: Vec<JobKey> = sets.flatten().copied().collect();
        if any_run {
            keys.extend(&self.reran);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// How many jobs have a status.
    pub(crate) fn count(&self, status: Status) -> usize {
        self.by_status.get(&status).map_or(0, BTreeSet::len)
    }

    /// Enters a job that was not there.
    fn enter(&mut self, key: JobKey, job: &Job) {
        self.jobs.insert(job.id, key);
        for run in job.runs() {
            self.runs.insert(run.id, (key, run.number));
        }
        self.by_status.entry(job.status()).or_default().insert(key);
        if !job.earlier.is_empty() {
            self.reran.insert(key);
        }
    }

    fn change(&mut self, key: JobKey, before: Status, after: Status) {
        if let Some(keys) = self.by_status.get_mut(&before) {
            keys.remove(&key);
        }
        self.by_status.entry(after).or_default().insert(key);
    }
}

/// An engine with its plan.
#[derive(Debug)]
pub(crate) struct Engine {
    setup: Setup,
    pub(crate) catalogue: Catalogue,
    pub(crate) plan: Plan,
    pub(crate) index: Index,
    now: Secs,
    version: u64,
    sequence: u64,
    heap: BinaryHeap<Reverse<Event>>,
    queues: Table<StationKey, BTreeSet<Place>>,
    dirty: BTreeSet<StationKey>,
    journal: Journal,
    scripts: HashMap<String, VecDeque<Outcome>>,
    next_job_number: u32,
    inputs: Vec<(Secs, Input)>,
    /// What is broken this night, and what that costs.
    incidents: Vec<incident::Incident>,
    /// Ids of what was submitted and has not come yet.
    pending: HashSet<Id>,
    /// Where each job definition stands, by its id; made when first asked for.
    definitions: OnceLock<HashMap<Id, (ModelKey, usize)>>,
}

impl Engine {
    /// An engine at `setup.start`, its plan day lived from the start of day on.
    pub(crate) fn new(setup: Setup) -> Self {
        let mut engine = Self::begin(setup);
        engine.advance_to(setup.start);
        engine
    }

    /// An engine at the start of the plan day that `setup.start` lies in.
    pub(crate) fn begin(setup: Setup) -> Self {
        let catalogue = catalogue(setup.profile, setup.seed, setup.jobs);
        let mut start = local_hour(setup.start, bank::START_OF_DAY, 0);
        if start > setup.start {
            start = local_hour(setup.start, bank::START_OF_DAY, -1);
        }
        let end = local_hour(start, bank::START_OF_DAY, 1);
        let (plan, _) = instances::build(&catalogue, 1, start, end, None, setup.ids_survive);
        let queues = catalogue
            .stations
            .rows()
            .iter()
            .map(|_| BTreeSet::new())
            .collect();
        let first_number = Dice::new(setup.seed, "job number", "", 0).between(0, 40_000_000);
        let mut engine = Self {
            setup,
            catalogue,
            plan,
            index: Index::default(),
            now: start,
            version: 0,
            sequence: 0,
            heap: BinaryHeap::new(),
            queues,
            dirty: BTreeSet::new(),
            journal: Journal::default(),
            scripts: HashMap::new(),
            next_job_number: 250_000_000 + u32::try_from(first_number).unwrap_or(0),
            inputs: Vec::new(),
            incidents: Vec::new(),
            pending: HashSet::new(),
            definitions: OnceLock::new(),
        };
        engine.open_plan(&HashMap::new());
        engine
    }

    /// What came from outside so far, with the times at which it came.
    pub(crate) fn inputs(&self) -> &[(Secs, Input)] {
        &self.inputs
    }

    /// Lives up to `until` with the inputs of another engine from the `fed`th on; how many it has
    /// had then. Equal engines stay equal.
    pub(crate) fn feed(&mut self, inputs: &[(Secs, Input)], fed: usize, until: Secs) -> usize {
        let mut fed = fed;
        while let Some((at, input)) = inputs.get(fed).filter(|(at, _)| *at <= until) {
            self.advance_to(*at);
            self.take(input.clone());
            fed += 1;
        }
        self.advance_to(until);
        fed
    }

    fn take(&mut self, input: Input) {
        match input {
            // What was accepted once is accepted again.
            Input::Command(command, by) => drop(self.accept(command, by)),
            Input::Script(job, outcome) => self.script(&job, outcome),
            Input::Fix(failure, job) => drop(self.fix(&failure, job.as_deref())),
            Input::Switch => self.switch_soon(),
        }
    }

    fn record(&mut self, input: Input) {
        self.inputs.push((self.now, input));
    }

    /// The folder that an object of the plan lies in.
    pub(crate) fn folder_of(&self, node: Waiter) -> &str {
        &self.plan.streams[self.stream_of(node)].model.folder
    }

    /// The stream that a job belongs to, or that a stream is.
    pub(crate) fn stream_of(&self, node: Waiter) -> StreamKey {
        match node {
            Waiter::Job(job) => self.plan.jobs[job].stream,
            Waiter::Stream(stream) => stream,
        }
    }

    /// The stream and the place of the job definition with this id.
    pub(crate) fn definition(&self, id: Id) -> Option<(ModelKey, usize)> {
        let index = self.definitions.get_or_init(|| {
            let streams = self.catalogue.streams.iter();
            let jobs = streams.flat_map(|(key, stream)| {
                let jobs = stream.jobs.iter().enumerate();
                jobs.map(move |(place, job)| (job.definition_id(&stream.folder), (key, place)))
            });
            jobs.collect()
        });
        index.get(&id).copied()
    }

    /// The same by its key: `/FINDB01#/FIN/EOD/FIN_GL_POST`, or without the workstation.
    pub(crate) fn definition_by_key(&self, key: &str) -> Option<(ModelKey, usize)> {
        let path = key.split_once('#').map_or(key, |(_, path)| path);
        let at = path.rfind('/')?;
        let (folder, name) = path.split_at_checked(at + 1)?;
        self.definition(id("definition", format_args!("{folder}{name}")))
    }

    /// When the definitions were put in place: 30 days before the first plan.
    pub(crate) fn deployed(&self) -> Secs {
        self.setup.start - self.setup.start.rem_euclid(86_400) - 30 * 86_400
    }

    /// When the next thing happens.
    pub(crate) fn next_due(&self) -> Option<Secs> {
        self.heap.peek().map(|Reverse(event)| event.at)
    }

    /// The day's edge comes now.
    pub(crate) fn switch_soon(&mut self) {
        self.record(Input::Switch);
        self.version += 1;
        let end = self.now.max(self.plan.start + 1);
        if end < self.plan.end {
            self.plan.end = end;
            let switch = self.edge().switch;
            self.heap
                .retain(|Reverse(event)| !matches!(event.due, Due::Switch));
            self.schedule(switch, Due::Switch);
        }
    }

    /// The job of this id, path, `STREAM.JOB` or name; the first one in the plan's order.
    pub(crate) fn find_job(&self, name: &str) -> Option<JobKey> {
        if let Some(key) = parse_id(name).and_then(|id| self.index.jobs.get(&id)) {
            return Some(*key);
        }
        let mut jobs = self.plan.jobs.iter();
        let found = jobs.find(|(_, job)| self.is_called(job, name));
        found.map(|(key, _)| key)
    }

    /// Whether `name` is the job's id, path, `STREAM.JOB` or name.
    fn is_called(&self, job: &Job, name: &str) -> bool {
        let stream = self.plan.streams[job.stream].name();
        let short = || {
            let rest = name.strip_prefix(stream)?.strip_prefix('.')?;
            Some(*rest == *job.model.name)
        };
        *job.model.name == *name
            || parse_id(name) == Some(job.id)
            || job.path().is(name)
            || short() == Some(true)
    }

    /// The status of the latest run of a job named as in [`Engine::find_job`].
    pub(crate) fn status_of(&self, job: &str) -> Option<&'static str> {
        let key = self.find_job(job)?;
        Some(self.plan.jobs[key].status().text())
    }

    /// The cause of failures of kind `code` is gone, for one job or for all; how many failed jobs
    /// that concerns.
    pub(crate) fn fix(&mut self, code: &str, job: Option<&str>) -> usize {
        self.record(Input::Fix(code.to_owned(), job.map(str::to_owned)));
        self.version += 1;
        let failed = self.plan.jobs.iter().filter(|(_, row)| {
            let kind = row.run.fate.and_then(|fate| fate.failure);
            row.status().is_bad()
                && kind.is_some_and(|kind| kind.code == code)
                && job.is_none_or(|name| self.is_called(row, name))
        });
        let failed: Vec<JobKey> = failed.map(|(key, _)| key).collect();
        for key in &failed {
            self.plan.jobs[*key].run.fixed = true;
        }
        failed.len()
    }

    pub(crate) fn now(&self) -> Secs {
        self.now
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn seed(&self) -> u64 {
        self.setup.seed
    }

    pub(crate) fn journal(&self) -> impl Iterator<Item = &Entry> {
        self.journal.iter()
    }

    /// Lives through everything due up to and at `time`; earlier times change nothing.
    pub(crate) fn advance_to(&mut self, time: Secs) {
        while self
            .heap
            .peek()
            .is_some_and(|Reverse(event)| event.at <= time)
        {
            let Some(Reverse(event)) = self.heap.pop() else {
                break;
            };
            self.now = self.now.max(event.at);
            self.happen(event.due);
            self.settle();
        }
        self.now = self.now.max(time);
    }

    /// Forces the outcome of the next run of the job with this name or path, after those forced
    /// before.
    pub(crate) fn script(&mut self, job: &str, outcome: Outcome) {
        self.record(Input::Script(job.to_owned(), outcome.clone()));
        self.scripts
            .entry(job.to_owned())
            .or_default()
            .push_back(outcome);
        self.version += 1;
    }

    fn schedule(&mut self, at: Secs, due: Due) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.heap.push(Reverse(Event {
            at: at.max(self.now),
            sequence,
            due,
        }));
    }

    fn note(&mut self, object: impl Into<Object>, deed: Deed, by: Option<By>) {
        self.version += 1;
        self.journal.push(Entry {
            version: self.version,
            at: self.now,
            object: object.into(),
            deed,
            by: by.map(Box::new),
        });
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Command(command) => {
                let (command, by) = *command;
                self.perform(&command, by);
            }
            Due::Help(help) => self.help(help),
            Due::Deadline(job) => self.deadline(job),
            Due::Outage(station, up) => self.set_link(station, up, None),
            Due::File(file) => {
                let owner = self.plan.files[file].owner;
                self.look_at(owner);
            }
            Due::Ended(job, run) => self.run_ends(job, run),
            Due::Started(job, run) => self.run_starts(job, run),
            Due::Recover(job, run) => self.recover(job, run),
            Due::Again(job, run) => self.run_again(job, run),
            Due::Latest(job) => self.latest_start(job),
            Due::StreamTime(stream) => self.consider_stream(stream),
            Due::JobTime(job) => self.consider(job),
            Due::Switch => self.switch(),
        }
    }

    /// A delay that depends on what it is for.
    fn delay(&self, purpose: &str, object: &str, number: u32, low: Secs, high: Secs) -> Secs {
        Dice::new(self.setup.seed, purpose, object, number).between(low, high)
    }
}
