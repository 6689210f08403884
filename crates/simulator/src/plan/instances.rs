//! The plan of one day: what is carried forward, then an instance of every stream that runs.
//!
//! 1. Names, `schedTime` and persistent ids of what is carried forward stay; ids change, as they
//!    hold the plan's id.
//! 2. A dependency on something that is no longer in the plan is dropped: only ended streams stay
//!    behind, and nobody can wait for those any more.

use std::{collections::HashMap, sync::Arc};

use chrono::Datelike;

use crate::{
    model::{
        Answer, Awaited, Catalogue, Cycle, Job, JobModel, Link, Need, Plan, Prompt, Run, RunKind,
        Status, Stream, StreamModel, StreamStatus, Target, Waiter,
    },
    names::{Secs, id, iso, local},
    table::{JobKey, ModelKey, StreamKey, Table},
};

/// Where the rows of the old plan went.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    pub(crate) jobs: HashMap<JobKey, JobKey>,
    pub(crate) streams: HashMap<StreamKey, StreamKey>,
    pub(crate) prompts: HashMap<crate::table::PromptKey, crate::table::PromptKey>,
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
        id: id("plan", &format!("{run_number}@{}", iso(start))),
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
    builder.waiters();
    (builder.plan, moves)
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
    fn of_plan(&self) -> &str {
        if self.ids_survive { "" } else { &self.plan.id }
    }

    fn instantiate(&mut self, key: ModelKey) {
        let model = Arc::clone(&self.catalogue.streams[key]);
        let stream = self.push_stream(Arc::clone(&model), self.plan.start + model.at, 0);
        self.today.insert(key, stream);
        self.plan.streams[stream].first_night = self.first;
        let links = model
            .needs
            .iter()
            .filter_map(|need| self.link(need, &[], None))
            .collect();
        self.plan.streams[stream].links = links;
        let mut jobs = Vec::with_capacity(model.jobs.len());
        for (position, job) in (1..).zip(&model.jobs) {
            let key = self.push_job(Arc::clone(job), stream, position);
            let links = job
                .needs
                .iter()
                .filter_map(|need| self.link(need, &jobs, Some(key)))
                .collect();
            self.plan.jobs[key].links = links;
            jobs.push(key);
        }
        self.plan.streams[stream].jobs = jobs;
    }

    fn push_stream(&mut self, model: Arc<StreamModel>, sched: Secs, carried: u32) -> StreamKey {
        let station = &self.catalogue.stations[model.station].name;
        let path = format!("/{station}#{}{}", model.folder, model.name);
        let named = format!("{path}@{}", iso(sched));
        let counter = u64::from(self.plan.run_number) * 7919 + self.plan.streams.len() as u64;
        self.plan.streams.push(Stream {
            id: id("stream", &format!("{}{named}", self.of_plan())),
            persistent_id: id("stream", &named),
            internal_id: internal_id(counter),
            path,
            sched,
            priority: model.priority,
            orig_priority: model.priority,
            model,
            links: Vec::new(),
            waiters: Vec::new(),
            jobs: Vec::new(),
            status: StreamStatus::Hold,
            canceled: false,
            started: None,
            ended: None,
            carried,
            first_night: false,
        })
    }

    fn push_job(&mut self, model: Arc<JobModel>, stream: StreamKey, position: u32) -> JobKey {
        let parent = &self.plan.streams[stream];
        let path = format!("{}.{}", parent.path, model.name);
        let named = format!("{path}@{}", iso(parent.sched));
        let job_id = id("job", &format!("{}{named}", self.of_plan()));
        let day = self.plan.start;
        self.plan.jobs.push(Job {
            stream,
            position,
            persistent_id: id("job", &named),
            path,
            priority: model.priority,
            orig_priority: if model.priority == 0 {
                10
            } else {
                model.priority
            },
            links: Vec::new(),
            waiters: Vec::new(),
            start: model.at.map(|at| day + at),
            deadline: model.deadline.map(|at| day + at),
            latest: model.latest.map(|(at, action)| (day + at, action)),
            canceled: false,
            cancel_pending: false,
            until_gone: false,
            released: false,
            recoveries: 0,
            repeats: false,
            queued: None,
            earlier: Vec::new(),
            run: first_run(&job_id, &model),
            id: job_id,
            model,
        })
    }

    fn link(&mut self, need: &Need, jobs: &[JobKey], job: Option<JobKey>) -> Option<Link> {
        let target = match need {
            Need::Internal(place) => Target::Internal(*jobs.get(*place)?),
            Need::Job(model, place) => {
                let stream = self.today.get(model)?;
                Target::Job(*self.plan.streams[*stream].jobs.get(*place)?)
            }
            Need::Stream(model) => Target::Stream(*self.today.get(model)?),
            Need::Resource(resource, quantity) => Target::Resource(*resource, *quantity),
            Need::Prompt(name, text) => {
                let (job, number) = (job?, self.plan.prompts.len() + 1);
                Target::Prompt(self.plan.prompts.push(Prompt {
                    id: id("prompt", &format!("{}{name}", self.plan.jobs[job].id)),
                    name,
                    text,
                    number: u32::try_from(number).unwrap_or(u32::MAX),
                    state: Answer::NotAsked,
                    job,
                }))
            }
            Need::File(path, first_night, later) => {
                let job = job?;
                let day = local(self.plan.start).format("%Y%m%d").to_string();
                let from = if self.first { *first_night } else { *later };
                Target::File(self.plan.files.push(Awaited {
                    path: path.replace("%D", &day),
                    station: self.plan.jobs[job].model.station,
                    from: self.plan.start + from,
                    job,
                }))
            }
        };
        Some(Link {
            target,
            satisfied: false,
            released: false,
        })
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
                next.id = std::mem::take(&mut fresh.id);
                next.queued = None;
                next.waiters = Vec::new();
                for run in next.earlier.iter_mut().chain([&mut next.run]) {
                    run.id = run_id(&next.id, run.number);
                }
                *fresh = next;
                jobs.push(here);
            }
            let fresh = &mut self.plan.streams[new];
            let kept = Stream {
                id: std::mem::take(&mut fresh.id),
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
            let links = std::mem::take(&mut self.plan.jobs[job].links);
            self.plan.jobs[job].links = self.moved(links, old, moves, Some(job));
        }
        for stream in self.plan.streams.keys() {
            let links = std::mem::take(&mut self.plan.streams[stream].links);
            self.plan.streams[stream].links = self.moved(links, old, moves, None);
        }
    }

    fn moved(
        &mut self,
        links: Vec<Link>,
        old: &Plan,
        moves: &mut Moves,
        owner: Option<JobKey>,
    ) -> Vec<Link> {
        let mut kept = Vec::with_capacity(links.len());
        for link in links {
            let target = match link.target {
                Target::Internal(job) => moves.jobs.get(&job).copied().map(Target::Internal),
                Target::Job(job) => moves.jobs.get(&job).copied().map(Target::Job),
                Target::Stream(stream) => moves.streams.get(&stream).copied().map(Target::Stream),
                Target::Resource(..) => Some(link.target),
                Target::Prompt(prompt) => owner.map(|job| {
                    let mut row = old.prompts[prompt].clone();
                    row.id = id("prompt", &format!("{}{}", self.plan.jobs[job].id, row.name));
                    row.job = job;
                    let key = self.plan.prompts.push(row);
                    moves.prompts.insert(prompt, key);
                    Target::Prompt(key)
                }),
                Target::File(file) => owner.map(|job| {
                    let key = self.plan.files.push(Awaited {
                        job,
                        ..old.files[file].clone()
                    });
                    moves.files.insert(file, key);
                    Target::File(key)
                }),
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
}

/// The id of a run, which its job and number determine.
pub(crate) fn run_id(job: &str, number: u32) -> String {
    id("run", &format!("{job}#{number}"))
}

fn first_run(job: &str, model: &JobModel) -> Run {
    Run {
        number: 1,
        id: run_id(job, 1),
        status: Status::Hold,
        kind: RunKind::Regular,
        job_number: None,
        station: model.station,
        submitted: None,
        started: None,
        ended: None,
        code: None,
        fate: None,
        killed: false,
        confirmed: false,
        fixed: false,
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
