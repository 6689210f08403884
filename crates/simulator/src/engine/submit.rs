//! Streams and jobs that somebody submits.
//!
//! The id of what is submitted is known at once, from definition, `schedTime` and alias; the instance
//! itself comes a second later. A job whose name its stream has already is refused.

use std::sync::Arc;

use super::{By, Due, Engine, action::NewNeed};
use crate::{
    model::{
        Change, Cycle, Job, JobModel, LateStart, Link, Need, Stream, StreamModel, Target, Waiter,
    },
    names::{Id, Secs, iso},
    plan::instances,
    table::{JobKey, ModelKey, StreamKey},
};

/// The stream where jobs go that are submitted without one.
const JOBS: &str = "JOBS";

/// Something to be submitted, checked already.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(crate) id: Id,
    /// Of the new instance.
    pub(crate) name: String,
    pub(crate) what: What,
    pub(crate) sched: Secs,
    pub(crate) priority: Option<u32>,
    pub(crate) start: Option<Secs>,
    pub(crate) deadline: Option<Secs>,
    pub(crate) latest: Option<(Secs, LateStart)>,
    pub(crate) limit: Change<u32>,
    pub(crate) needs: Vec<NewNeed>,
}

/// What is submitted.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Stream(ModelKey),
    /// A job, and the stream it goes to; JOBS when absent.
    Job(Arc<JobModel>, Option<StreamKey>),
}

impl PartialEq for Submission {
    /// Ids name submissions.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Submission {}

impl Engine {
    fn prefix(&self) -> Option<Id> {
        (!self.setup.ids_survive).then_some(self.plan.id)
    }

    /// The id that a stream submitted under `name` for `sched` will have.
    pub(crate) fn id_of_new_stream(&self, model: ModelKey, name: &str, sched: Secs) -> Id {
        let model = &self.catalogue.streams[model];
        let station = &self.catalogue.stations[model.station].name;
        let named = format!("/{station}#{}{name}@{}", model.folder, iso(sched));
        instances::stream_id(self.prefix(), &named)
    }

    /// The id that a job submitted under `name` will have.
    pub(crate) fn id_of_new_job(&self, name: &str, into: Option<StreamKey>) -> Id {
        let named = match into.or_else(|| self.jobs_stream()) {
            Some(stream) => {
                let stream = &self.plan.streams[stream];
                format!("{}.{name}@{}", stream.path, iso(stream.sched))
            }
            None => format!("/{}#/{JOBS}.{name}@{}", self.master(), iso(self.plan.start)),
        };
        instances::job_id(self.prefix(), &named)
    }

    /// Whether an instance with this id is in the plan or about to be.
    pub(crate) fn is_taken(&self, id: Id) -> bool {
        self.pending.contains(&id)
            || self.index.jobs.contains_key(&id)
            || self.index.streams.contains_key(&id)
    }

    /// A name that no instance has yet: `stem` and a number, 16 characters at most.
    pub(crate) fn fresh_name(&self, stem: &str) -> String {
        let number = format!("{:03}", self.inputs().len() % 1000);
        let kept = stem.chars().take(16 - number.len());
        kept.chain(number.chars()).collect()
    }

    fn jobs_stream(&self) -> Option<StreamKey> {
        let mut streams = self.plan.streams.iter();
        let found = streams.find(|(_, stream)| {
            stream.model.name == JOBS && stream.model_key.is_none() && !stream.canceled
        });
        found.map(|(key, _)| key)
    }

    fn master(&self) -> &str {
        let stations = self.catalogue.stations.rows();
        let master = stations.iter().find(|station| station.is_master());
        master.map_or("MDM", |station| &station.name)
    }

    pub(super) fn submit(&mut self, submission: &Submission, by: &By) {
        self.pending.remove(&submission.id);
        if self.is_taken(submission.id) {
            return;
        }
        match &submission.what {
            What::Stream(model) => self.submit_stream(*model, submission, by),
            What::Job(model, into) => self.submit_job(model, *into, submission, by),
        }
    }

    fn submit_stream(&mut self, key: ModelKey, submission: &Submission, by: &By) {
        let model = Arc::clone(&self.catalogue.streams[key]);
        let station = self.catalogue.stations[model.station].name.clone();
        let alias = (submission.name != model.name).then(|| submission.name.clone());
        let (prefix, sched) = (self.prefix(), submission.sched);
        let plan = &mut self.plan;
        let model_of = Arc::clone(&model);
        let stream = instances::new_stream(plan, &station, model_of, alias, sched, prefix);
        let stream = Stream {
            model_key: Some(key),
            submitter: Some(by.user.clone()),
            limit: submission.limit.over(model.limit),
            start: submission.start,
            deadline: submission.deadline,
            priority: submission.priority.unwrap_or(model.priority),
            orig_priority: submission.priority.unwrap_or(model.priority).max(1),
            ..stream
        };
        let id = stream.id;
        let stream = self.plan.streams.push(stream);
        self.index.streams.insert(id, stream);
        let links = self.own_links(&model.needs, &[], Waiter::Stream(stream));
        self.tie(Waiter::Stream(stream), links);
        let mut jobs = Vec::with_capacity(model.jobs.len());
        for (position, job) in (1..).zip(&model.jobs) {
            let row = instances::new_job(&self.plan, Arc::clone(job), stream, position, prefix);
            // Times of the definition count from the day; a submitted stream starts when told.
            let row = Job {
                start: None,
                latest: None,
                ..row
            };
            let key = self.enter(row);
            let links = self.own_links(&job.needs, &jobs, Waiter::Job(key));
            self.tie(Waiter::Job(key), links);
            jobs.push(key);
        }
        self.plan.streams[stream].jobs = jobs;
        self.depend(Waiter::Stream(stream), &submission.needs);
        for at in [Some(sched), submission.start].into_iter().flatten() {
            self.schedule(at, Due::StreamTime(stream));
        }
        for job in self.plan.streams[stream].jobs.clone() {
            self.satisfy_targets(job);
        }
        self.satisfy_stream(stream);
        self.consider_stream(stream);
    }

    fn submit_job(
        &mut self,
        model: &Arc<JobModel>,
        into: Option<StreamKey>,
        submission: &Submission,
        by: &By,
    ) {
        let stream = into
            .or_else(|| self.jobs_stream())
            .unwrap_or_else(|| self.open_jobs_stream(by));
        let position = u32::try_from(self.plan.streams[stream].jobs.len() + 1).unwrap_or(u32::MAX);
        let prefix = self.prefix();
        let row = instances::new_job(&self.plan, Arc::clone(model), stream, position, prefix);
        let row = Job {
            priority: submission.priority.unwrap_or(model.priority),
            orig_priority: submission.priority.unwrap_or(model.priority).max(1),
            start: submission.start,
            deadline: submission.deadline,
            latest: submission.latest,
            ..row
        };
        let key = self.enter(row);
        self.plan.streams[stream].jobs.push(key);
        self.plan.streams[stream].ended = None;
        let links = self.own_links(&model.needs, &[], Waiter::Job(key));
        self.tie(Waiter::Job(key), links);
        self.depend(Waiter::Job(key), &submission.needs);
        if let Some(at) = submission.start {
            self.schedule(at, Due::JobTime(key));
        }
        if let Some((at, _)) = submission.latest {
            self.schedule(at, Due::Latest(key));
        }
        self.look_at(Waiter::Job(key));
    }

    fn open_jobs_stream(&mut self, by: &By) -> StreamKey {
        let mut stations = self.catalogue.stations.iter();
        let master = stations.find(|(_, station)| station.is_master());
        let master = master.map(|(key, station)| (key, station.name.clone()));
        let first = self.catalogue.stations.keys().next();
        // A catalogue has stations, and a master among them.
        let (station, name) = master
            .or(first.map(|key| (key, "MDM".to_owned())))
            .unwrap_or((crate::table::Key::new(0), "MDM".to_owned()));
        let model = Arc::new(StreamModel {
            name: JOBS.to_owned(),
            folder: "/".to_owned(),
            station,
            cycle: Cycle::Daily,
            at: 0,
            priority: 10,
            limit: None,
            needs: Vec::new(),
            jobs: Vec::new(),
        });
        let (start, prefix) = (self.plan.start, self.prefix());
        let stream = instances::new_stream(&mut self.plan, &name, model, None, start, prefix);
        let stream = Stream {
            internal_id: JOBS.to_owned(),
            submitter: Some(by.user.clone()),
            ..stream
        };
        let id = stream.id;
        let key = self.plan.streams.push(stream);
        self.index.streams.insert(id, key);
        key
    }

    fn enter(&mut self, job: Job) -> JobKey {
        let key = self.plan.jobs.push(job);
        self.index.enter(key, &self.plan.jobs[key]);
        key
    }

    /// What a definition waits for, as far as it is in the plan.
    fn own_links(&mut self, needs: &[Need], jobs: &[JobKey], owner: Waiter) -> Vec<Target> {
        let mut targets = Vec::with_capacity(needs.len());
        for need in needs {
            targets.extend(match need {
                Need::Internal(place) => jobs.get(*place).copied().map(Target::Internal),
                Need::Job(model, place) => self
                    .latest_of(*model)
                    .and_then(|stream| self.plan.streams[stream].jobs.get(*place).copied())
                    .map(Target::Job),
                Need::Stream(model) => self.latest_of(*model).map(Target::Stream),
                other => instances::own_target(&mut self.plan, other, owner, false),
            });
        }
        for target in &targets {
            match target {
                Target::Prompt(key) => {
                    let id = self.plan.prompts[*key].id;
                    self.index.prompts.insert(id, *key);
                }
                Target::File(key) => {
                    let from = self.plan.files[*key].from;
                    self.schedule(from, Due::File(*key));
                }
                _ => {}
            }
        }
        targets
    }

    fn latest_of(&self, model: ModelKey) -> Option<StreamKey> {
        let keys = self.plan.streams.keys().rev();
        let mut keys = keys.filter(|key| self.plan.streams[*key].model_key == Some(model));
        keys.next()
    }

    /// Makes an instance wait for its targets.
    fn tie(&mut self, owner: Waiter, targets: Vec<Target>) {
        for (number, target) in (1..).zip(targets) {
            match target {
                Target::Internal(job) | Target::Job(job) => {
                    self.plan.jobs[job].waiters.push(owner);
                }
                Target::Stream(stream) => self.plan.streams[stream].waiters.push(owner),
                Target::Resource(..) | Target::Prompt(_) | Target::File(_) => {}
            }
            self.links_mut(owner).push(Link {
                number,
                ..Link::to(target)
            });
        }
    }
}
