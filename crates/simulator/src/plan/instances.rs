//! The plan of one day: what is carried forward, then an instance of every stream that runs.
//!
//! 1. Names, `schedTime` and persistent ids of what is carried forward stay; ids change, as they
//!    hold the plan's id.
//! 2. A dependency on something that is no longer in the plan is dropped: only ended streams stay
//!    behind, and nobody can wait for those any more.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use chrono::Datelike;

use crate::{
    model::{
        Answer, Awaited, Catalogue, Cycle, Job, JobModel, JobPath, Link, Need, Plan, Prompt,
        PromptKind, Run, RunKind, Status, Stream, StreamModel, StreamStatus, Target, Waiter,
    },
    names::{Id, Secs, id, iso, local},
    table::{JobKey, ModelKey, PromptKey, StationKey, StreamKey, Table},
};

/// Where the rows of the old plan went.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    pub(crate) jobs: HashMap<JobKey, JobKey>,
    pub(crate) streams: HashMap<StreamKey, StreamKey>,
    pub(crate) prompts: HashMap<PromptKey, PromptKey>,
    pub(crate) files: HashMap<crate::table::FileKey, crate::table::FileKey>,
}

/// How many day's edges an unfinished stream may cross: the scripted night waits long for its
/// operator, of any other night the day shift clears the rest.
fn carried_at_most(stream: &Stream) -> u32 {
    if stream.first_night { 5 } else { 1 }
}

/// The plan with `run_number` that covers `start..end`.
pub(crate) fn build(
    catalogue: &Catalogue,
    run_number: u32,
    start: Secs,
    end: Secs,
    old: Option<&Plan>,
    ids_survive: bool,
) -> (Plan, Moves) {
    let plan = Plan {
        id: id("plan", format_args!("{run_number}@{}", iso(start))),
        run_number,
        start,
        end,
        streams: Table::new(),
        jobs: Table::new(),
        prompts: Table::new(),
        files: Table::new(),
    };
    let mut builder = Builder {
        catalogue,
        plan,
        today: HashMap::new(),
        first: old.is_none(),
        ids_survive,
    };
    let moves = old.map(|old| builder.carry(old)).unwrap_or_default();
    for model in catalogue.streams.keys() {
        if builder.runs_today(&catalogue.streams[model]) {
            builder.instantiate(model);
        }
    }
    (builder.finish(), moves)
}

struct Builder<'a> {
    catalogue: &'a Catalogue,
    plan: Plan,
    today: HashMap<ModelKey, StreamKey>,
    first: bool,
    /// Ids do not hold the plan's.
    ids_survive: bool,
}

impl Builder<'_> {
    /// The first plan holds every stream, whatever its cycle, since it holds the scripted night.
    fn runs_today(&self, model: &StreamModel) -> bool {
        let day = local(self.plan.start);
        let working = day.weekday().num_days_from_monday() < 5;
        let first_working = working
            && (day.day() == 1 || (day.weekday().num_days_from_monday() == 0 && day.day() <= 3));
        self.first
            || match model.cycle {
                Cycle::Daily => true,
                Cycle::Weekdays => working,
                Cycle::MonthStart => first_working,
            }
    }

    /// What ids of instances begin with.
    fn of_plan(&self) -> Option<Id> {
        (!self.ids_survive).then_some(self.plan.id)
    }

    fn instantiate(&mut self, key: ModelKey) {
        let model = Arc::clone(&self.catalogue.streams[key]);
        let stream = self.push_stream(Arc::clone(&model), self.plan.start + model.at, 0);
        self.plan.streams[stream].model_key = Some(key);
        self.today.insert(key, stream);
        self.plan.streams[stream].first_night = self.first;
        let links = model
            .needs
            .iter()
            .filter_map(|need| self.link(need, &[], Waiter::Stream(stream)))
            .collect();
        self.plan.streams[stream].links = numbered(links);
        let mut jobs = Vec::with_capacity(model.jobs.len());
        for (position, job) in (1..).zip(&model.jobs) {
            let key = self.push_job(Arc::clone(job), stream, position);
            let links = job
                .needs
                .iter()
                .filter_map(|need| self.link(need, &jobs, Waiter::Job(key)))
                .collect();
            self.plan.jobs[key].links = numbered(links);
            jobs.push(key);
        }
        self.plan.streams[stream].jobs = jobs;
    }

    fn push_stream(&mut self, model: Arc<StreamModel>, sched: Secs, carried: u32) -> StreamKey {
        let station = &self.catalogue.stations[model.station].name;
        let prefix = self.of_plan();
        let mut stream = new_stream(&mut self.plan, station, model, None, sched, prefix);
        stream.carried = carried;
        self.plan.streams.push(stream)
    }

    fn push_job(&mut self, model: Arc<JobModel>, stream: StreamKey, position: u32) -> JobKey {
        let prefix = self.of_plan();
        let job = new_job(&self.plan, model, stream, position, prefix);
        self.plan.jobs.push(job)
    }

    fn link(&mut self, need: &Need, jobs: &[JobKey], owner: Waiter) -> Option<Link> {
        let target = match need {
            Need::Internal(place) => Target::Internal(*jobs.get(*place)?),
            Need::Job(model, place) => {
                let stream = self.today.get(model)?;
                Target::Job(*self.plan.streams[*stream].jobs.get(*place)?)
            }
            Need::Stream(model) => Target::Stream(*self.today.get(model)?),
            other => own_target(&mut self.plan, other, owner, self.first)?,
        };
        Some(Link::to(target))
    }

    fn carry(&mut self, old: &Plan) -> Moves {
        let mut moves = Moves::default();
        for (key, stream) in old.streams.iter() {
            let over = stream.status.has_ended() || stream.canceled || stream.model.name == "FINAL";
            if over || stream.carried >= carried_at_most(stream) {
                continue;
            }
            let new = self.push_stream(
                Arc::clone(&stream.model),
                stream.sched,
                stream.carried.saturating_add(1),
            );
            moves.streams.insert(key, new);
            let mut jobs = Vec::with_capacity(stream.jobs.len());
            for &job in &stream.jobs {
                let row = &old.jobs[job];
                let here = self.push_job(Arc::clone(&row.model), new, row.position);
                moves.jobs.insert(job, here);
                let fresh = &mut self.plan.jobs[here];
                let mut next = row.clone();
                next.stream = new;
                next.id = fresh.id;
                next.queued = None;
                next.waiters = Vec::new();
                for run in next.earlier.iter_mut().chain([&mut next.run]) {
                    run.id = run_id(next.id, run.number);
                }
                *fresh = next;
                jobs.push(here);
            }
            let fresh = &mut self.plan.streams[new];
            let kept = Stream {
                id: fresh.id,
                internal_id: std::mem::take(&mut fresh.internal_id),
                carried: fresh.carried,
                waiters: Vec::new(),
                jobs,
                ..stream.clone()
            };
            *fresh = kept;
        }
        self.carry_links(old, &mut moves);
        moves
    }

    /// Once every carried row has its new key, the dependencies between them can be moved.
    fn carry_links(&mut self, old: &Plan, moves: &mut Moves) {
        for job in self.plan.jobs.keys() {
            if let Some(prompt) = self.plan.jobs[job].recovery_prompt {
                let mut row = old.prompts[prompt].clone();
                row.owner = Waiter::Job(job);
                row.id = prompt_id(&self.plan, row.owner, &row.name);
                let key = self.plan.prompts.push(row);
                moves.prompts.insert(prompt, key);
                self.plan.jobs[job].recovery_prompt = Some(key);
            }
            let links = std::mem::take(&mut self.plan.jobs[job].links);
            self.plan.jobs[job].links = self.moved(links, old, moves, Waiter::Job(job));
        }
        for stream in self.plan.streams.keys() {
            let links = std::mem::take(&mut self.plan.streams[stream].links);
            self.plan.streams[stream].links = self.moved(links, old, moves, Waiter::Stream(stream));
        }
    }

    fn moved(
        &mut self,
        links: Vec<Link>,
        old: &Plan,
        moves: &mut Moves,
        owner: Waiter,
    ) -> Vec<Link> {
        let mut kept = Vec::with_capacity(links.len());
        for link in links {
            let target = match link.target {
                Target::Internal(job) => moves.jobs.get(&job).copied().map(Target::Internal),
                Target::Job(job) => moves.jobs.get(&job).copied().map(Target::Job),
                Target::Stream(stream) => moves.streams.get(&stream).copied().map(Target::Stream),
                Target::Resource(..) => Some(link.target),
                Target::Prompt(prompt) => {
                    let mut row = old.prompts[prompt].clone();
                    row.id = prompt_id(&self.plan, owner, &row.name);
                    row.owner = owner;
                    let key = self.plan.prompts.push(row);
                    moves.prompts.insert(prompt, key);
                    Some(Target::Prompt(key))
                }
                Target::File(file) => {
                    let key = self.plan.files.push(Awaited {
                        owner,
                        ..old.files[file].clone()
                    });
                    moves.files.insert(file, key);
                    Some(Target::File(key))
                }
            };
            kept.extend(target.map(|target| Link { target, ..link }));
        }
        kept
    }

    fn waiters(&mut self) {
        let mut found = Vec::new();
        for (key, job) in self.plan.jobs.iter() {
            found.extend(job.links.iter().map(|link| (link.target, Waiter::Job(key))));
        }
        for (key, stream) in self.plan.streams.iter() {
            found.extend(
                stream
                    .links
                    .iter()
                    .map(|link| (link.target, Waiter::Stream(key))),
            );
        }
        for (target, waiter) in found {
            match target {
                Target::Internal(job) | Target::Job(job) => {
                    self.plan.jobs[job].waiters.push(waiter);
                }
                Target::Stream(stream) => self.plan.streams[stream].waiters.push(waiter),
                Target::Resource(..) | Target::Prompt(_) | Target::File(_) => {}
            }
        }
    }

    /// The plan, in no more room than it takes.
    fn finish(mut self) -> Plan {
        self.waiters();
        self.plan.jobs.shrink_to_fit();
        self.plan.streams.shrink_to_fit();
        for job in self.plan.jobs.rows_mut() {
            job.waiters.shrink_to_fit();
        }
        for stream in self.plan.streams.rows_mut() {
            stream.waiters.shrink_to_fit();
        }
        self.plan
    }
}

impl Link {
    /// A dependency that is not met yet; its number comes when its owner takes it.
    pub(crate) fn to(target: Target) -> Self {
        Self {
            target,
            number: 0,
            satisfied: false,
            released: false,
        }
    }
}

fn numbered(mut links: Vec<Link>) -> Vec<Link> {
    for (number, link) in (1..).zip(&mut links) {
        link.number = number;
    }
    links.shrink_to_fit();
    links
}

/// A further instance of a stream, not yet in the plan; `prefix` is what its id begins with.
pub(crate) fn new_stream(
    plan: &mut Plan,
    station: &str,
    model: Arc<StreamModel>,
    alias: Option<String>,
    sched: Secs,
    prefix: Option<Id>,
) -> Stream {
    let name = alias.as_deref().unwrap_or(&model.name);
    let path: Arc<str> = format!("/{station}#{}{name}", model.folder).into();
    let named = format!("{path}@{}", iso(sched));
    let counter = u64::from(plan.run_number) * 7919 + plan.streams.len() as u64;
    Stream {
        id: stream_id(prefix, &named),
        persistent_id: id("stream", &named),
        internal_id: internal_id(counter),
        path,
        sched,
        priority: model.priority,
        orig_priority: model.priority.max(1),
        limit: model.limit,
        model,
        model_key: None,
        alias,
        start: None,
        deadline: None,
        submitter: None,
        cancel_pending: false,
        released: false,
        links: Vec::new(),
        waiters: Vec::new(),
        jobs: Vec::new(),
        status: StreamStatus::Hold,
        canceled: false,
        started: None,
        ended: None,
        carried: 0,
        first_night: false,
    }
}

/// The id of a stream's instance: of `path@schedTime` in its plan.
pub(crate) fn stream_id(prefix: Option<Id>, named: &str) -> Id {
    of_plan("stream", prefix, named)
}

/// The id of a job's instance: of `path@schedTime` in its plan.
pub(crate) fn job_id(prefix: Option<Id>, named: &str) -> Id {
    of_plan("job", prefix, named)
}

fn of_plan(kind: &str, prefix: Option<Id>, named: &str) -> Id {
    match prefix {
        Some(plan) => id(kind, format_args!("{plan}{named}")),
        None => id(kind, named),
    }
}

/// A further instance of a job, not yet in the plan.
pub(crate) fn new_job(
    plan: &Plan,
    model: Arc<JobModel>,
    stream: StreamKey,
    position: u32,
    prefix: Option<Id>,
) -> Job {
    let parent = &plan.streams[stream];
    let path = JobPath::new(&parent.path, &model.name);
    let named = format!("{path}@{}", iso(parent.sched));
    let id_of_job = job_id(prefix, &named);
    let (day, special) = (plan.start, model.special());
    Job {
        stream,
        position,
        persistent_id: id("job", &named),
        home: Arc::clone(&parent.path),
        priority: model.priority,
        orig_priority: if model.priority == 0 {
            10
        } else {
            model.priority
        },
        links: Vec::new(),
        waiters: Vec::new(),
        start: special.at.map(|at| day + at),
        deadline: special.deadline.map(|at| day + at),
        latest: special.latest.map(|(at, action)| (day + at, action)),
        canceled: false,
        cancel_pending: false,
        until_gone: false,
        released: false,
        recoveries: 0,
        repeats: false,
        confirm: model.confirm,
        recovery_prompt: None,
        waived: false,
        queued: None,
        earlier: Vec::new(),
        run: new_run(id_of_job, 1, RunKind::Regular, model.station),
        id: id_of_job,
        model,
    }
}

/// The target of a need that brings its own row: a resource, a prompt or a file.
pub(crate) fn own_target(
    plan: &mut Plan,
    need: &Need,
    owner: Waiter,
    first_night: bool,
) -> Option<Target> {
    let station = match owner {
        Waiter::Job(job) => plan.jobs[job].model.station,
        Waiter::Stream(stream) => plan.streams[stream].model.station,
    };
    match need {
        Need::Resource(resource, quantity) => Some(Target::Resource(*resource, *quantity)),
        Need::Prompt(question) => {
            let (name, text) = **question;
            let (name, text) = (Cow::Borrowed(name), Cow::Borrowed(text));
            let key = push_prompt(plan, owner, name, text, PromptKind::Predefined);
            Some(Target::Prompt(key))
        }
        Need::File(file) => {
            let (path, first, later) = &**file;
            let day = local(plan.start).format("%Y%m%d").to_string();
            let from = if first_night { *first } else { *later };
            Some(Target::File(plan.files.push(Awaited {
                path: path.replace("%D", &day),
                station,
                from: plan.start + from,
                owner,
            })))
        }
        Need::Internal(_) | Need::Job(..) | Need::Stream(_) => None,
    }
}

/// Adds a prompt that nobody has been asked yet.
pub(crate) fn push_prompt(
    plan: &mut Plan,
    owner: Waiter,
    name: Cow<'static, str>,
    text: Cow<'static, str>,
    kind: PromptKind,
) -> PromptKey {
    let number = plan.prompts.len() + 1;
    let prompt = Prompt {
        id: prompt_id(plan, owner, &name),
        name,
        text,
        number: u32::try_from(number).unwrap_or(u32::MAX),
        state: Answer::NotAsked,
        kind,
        owner,
        asked: None,
        replied: None,
    };
    plan.prompts.push(prompt)
}

fn prompt_id(plan: &Plan, owner: Waiter, name: &str) -> Id {
    let owner = match owner {
        Waiter::Job(job) => plan.jobs[job].id,
        Waiter::Stream(stream) => plan.streams[stream].id,
    };
    id("prompt", format_args!("{owner}{name}"))
}

/// The id of a run, which its job and number determine.
pub(crate) fn run_id(job: Id, number: u32) -> Id {
    id("run", format_args!("{job}#{number}"))
}

/// A run that has not been launched.
pub(crate) fn new_run(job: Id, number: u32, kind: RunKind, station: StationKey) -> Run {
    Run {
        number,
        id: run_id(job, number),
        status: Status::Hold,
        kind,
        job_number: None,
        station,
        submitted: None,
        started: None,
        ended: None,
        code: None,
        fate: None,
        killed: false,
        confirmed: false,
        fixed: false,
        step: None,
    }
}

/// `0`, as many `A` as needed, then the counter in base 36: sixteen characters.
fn internal_id(mut counter: u64) -> String {
    let mut digits = Vec::new();
    while counter > 0 {
        let digit = u32::try_from(counter % 36).unwrap_or(0);
        digits.push(
            char::from_digit(digit, 36)
                .unwrap_or('0')
                .to_ascii_uppercase(),
        );
        counter /= 36;
    }
    let digits: String = digits.into_iter().rev().collect();
    format!("0{digits:A>15}")
}
