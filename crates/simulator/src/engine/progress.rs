//! How jobs and streams move from status to status.
//!
//! 1. Every change of a job's status goes through [`Engine::set_status`], which keeps the stream's
//!    status and the journal in step.
//! 2. A job leaves HOLD only when its stream is open and nothing it waits for is missing.
//! 3. What has freed a successor once is not taken back by a rerun.

use std::borrow::Cow;

use super::{Deed, Due, Engine, Object};
use crate::{
    failure::Ending,
    model::{
        Answer, Job, LateStart, Link, PromptKind, Recovery, RunKind, Status, Stream, StreamStatus,
        Target, Waiter,
    },
    names::Secs,
    plan::instances::{new_run, push_prompt},
    table::{JobKey, PromptKey, StreamKey},
};

/// Earlier runs that are kept of a job; a repeating job would grow without end.
const EARLIER: usize = 12;

impl Engine {
    pub(super) fn set_status(&mut self, job: JobKey, status: Status) {
        let row = &mut self.plan.jobs[job];
        let before = row.run.status;
        if before == status {
            return;
        }
        row.run.status = status;
        let (object, stream) = (Object::from(&*row), row.stream);
        self.index.change(job, before, status);
        self.note(object, Deed::Moved(before, status), None);
        self.refresh(stream);
    }

    /// Whether the stream's own conditions are met.
    pub(crate) fn is_open(&self, stream: &Stream) -> bool {
        !stream.canceled
            && stream.priority > 0
            && self.now >= stream.start.unwrap_or(stream.sched)
            && !stream.links.iter().any(crate::model::Link::blocks)
    }

    /// Whether nothing but the queue stands before the job.
    pub(crate) fn is_free(&self, row: &Job) -> bool {
        row.priority > 0
            && self.is_open(&self.plan.streams[row.stream])
            && row
                .start
                .is_none_or(|start| self.now >= start || row.released)
            && !row.links.iter().any(crate::model::Link::blocks)
    }

    /// Looks again at a job that has not been launched.
    pub(super) fn consider(&mut self, job: JobKey) {
        let row = &self.plan.jobs[job];
        if !row.status().waits() || row.canceled {
            return;
        }
        self.ask_prompts(job);
        let row = &self.plan.jobs[job];
        if !self.is_free(row) {
            self.dequeue(job);
            self.set_status(job, Status::Hold);
        } else if row.cancel_pending {
            self.cancel_now(job);
        } else if row.priority <= self.catalogue.stations[row.model.station].fence {
            self.dequeue(job);
            self.set_status(job, Status::Fence);
        } else {
            self.set_status(job, Status::Ready);
            self.enqueue(job);
        }
    }

    pub(super) fn consider_stream(&mut self, stream: StreamKey) {
        self.ask_for_stream(stream);
        if self.cancel_stream_when_open(stream) {
            return;
        }
        let jobs = self.plan.streams[stream].jobs.clone();
        for job in jobs {
            self.consider(job);
        }
        self.refresh(stream);
    }

    /// A prompt is asked once everything else that its job waits for is there.
    fn ask_prompts(&mut self, job: JobKey) {
        let row = &self.plan.jobs[job];
        let early = row.start.is_some_and(|start| self.now < start);
        if early || !self.is_open(&self.plan.streams[row.stream]) {
            return;
        }
        let prompts = unasked(&row.links);
        self.ask(prompts);
    }

    fn ask_for_stream(&mut self, stream: StreamKey) {
        let row = &self.plan.streams[stream];
        let early = self.now < row.start.unwrap_or(row.sched);
        if early || row.canceled || row.priority == 0 {
            return;
        }
        let prompts = unasked(&row.links);
        self.ask(prompts);
    }

    pub(super) fn ask(&mut self, prompts: Vec<PromptKey>) {
        for prompt in prompts {
            let now = self.now;
            let row = &mut self.plan.prompts[prompt];
            if row.state == Answer::NotAsked {
                row.state = Answer::Asked;
                row.asked = Some(now);
                let name = Object::from(&*row.name);
                self.note(name, Deed::Plain("asked"), None);
            }
        }
    }

    /// Marks what is there: files, answered prompts, and predecessors that have ended well.
    pub(super) fn satisfy_targets(&mut self, job: JobKey) {
        let mut links = std::mem::take(&mut self.plan.jobs[job].links);
        for link in &mut links {
            link.satisfied |= self.is_met(link.target);
        }
        self.plan.jobs[job].links = links;
    }

    fn satisfy(&mut self, waiters: &[Waiter], met: impl Fn(Target) -> bool) {
        for waiter in waiters {
            let links = match *waiter {
                Waiter::Job(job) => &mut self.plan.jobs[job].links,
                Waiter::Stream(stream) => &mut self.plan.streams[stream].links,
            };
            for link in links.iter_mut().filter(|link| met(link.target)) {
                link.satisfied = true;
            }
            match *waiter {
                Waiter::Job(job) => self.consider(job),
                Waiter::Stream(stream) => self.consider_stream(stream),
            }
        }
    }

    pub(super) fn free_successors(&mut self, job: JobKey) {
        let waiters = self.plan.jobs[job].waiters.clone();
        self.satisfy(
            &waiters,
            |target| matches!(target, Target::Internal(other) | Target::Job(other) if other == job),
        );
    }

    pub(super) fn free_stream_successors(&mut self, stream: StreamKey) {
        let waiters = self.plan.streams[stream].waiters.clone();
        self.satisfy(&waiters, |target| target == Target::Stream(stream));
    }

    pub(super) fn run_starts(&mut self, job: JobKey, number: u32) {
        let row = &self.plan.jobs[job];
        let current =
            row.run.number == number && matches!(row.status(), Status::Intro | Status::Wait);
        let (Some(fate), true) = (row.run.fate, current) else {
            return;
        };
        if !self.is_able(row.model.station) {
            // The agent was lost while starting: back into the queue until it is there again.
            self.give_back(job);
            let run = &mut self.plan.jobs[job].run;
            run.fate = None;
            for link in &mut self.plan.jobs[job].links {
                link.satisfied &= !matches!(link.target, Target::Resource(..));
            }
            self.set_status(job, Status::Ready);
            self.consider(job);
            return;
        }
        if fate
            .failure
            .is_some_and(|kind| kind.ending == Ending::Refused)
        {
            self.finish(job, Status::Fail, None);
            return;
        }
        let now = self.now;
        let row = &mut self.plan.jobs[job];
        if row.status() == Status::Intro
            && self.catalogue.stations[row.model.station].kind == "X-AGENT"
        {
            // The access method has it before it runs.
            let id = row.persistent_id.to_string();
            let wait = self.delay("access method", &id, number, 5, 60);
            self.set_status(job, Status::Wait);
            self.schedule(now + wait, Due::Started(job, number));
            return;
        }
        row.run.started = Some(now);
        let stream = &mut self.plan.streams[row.stream];
        stream.started = stream.started.or(Some(now));
        self.set_status(job, Status::Exec);
        self.schedule(now.saturating_add(fate.duration), Due::Ended(job, number));
    }

    pub(super) fn run_ends(&mut self, job: JobKey, number: u32) {
        let row = &self.plan.jobs[job];
        let current = row.run.number == number && row.status().is_running();
        let (Some(fate), true) = (row.run.fate, current) else {
            return;
        };
        if fate
            .failure
            .is_some_and(|kind| kind.ending == Ending::Killed)
        {
            self.plan.jobs[job].run.killed = true;
            self.finish(job, Status::Abend, None);
        } else {
            let status = match self.plan.jobs[job].status() {
                Status::Succp => Status::Succ,
                Status::Abenp => Status::Abend,
                _ => self.verdict(job, fate.code),
            };
            self.finish(job, status, Some(fate.code));
        }
    }

    /// The end of a run, whatever way: slots, successors, recovery, repetition.
    pub(super) fn finish(&mut self, job: JobKey, status: Status, code: Option<i32>) {
        let now = self.now;
        let was_active = self.plan.jobs[job].status().is_active();
        let run = &mut self.plan.jobs[job].run;
        run.ended = run.ended.or(Some(now));
        run.code = code.or(run.code);
        let number = run.number;
        if was_active {
            self.give_back(job);
        }
        let row = &self.plan.jobs[job];
        let model = std::sync::Arc::clone(&row.model);
        if row.run.kind == RunKind::Recovery {
            // The recovery job has run; now the job itself runs again. Nobody is freed by it.
            let row = &mut self.plan.jobs[job];
            let before = std::mem::replace(&mut row.run.status, status);
            self.index.change(job, before, status);
            self.new_run(job, RunKind::RecoveryRerun);
            return;
        }
        if status == Status::Succ || model.recovery == Recovery::Continue {
            let next = row.run.submitted.unwrap_or(now) + model.every.unwrap_or(0);
            // Nothing is repeated across the day's edge.
            let fits = next < self.plan.end - 600 && model.every.is_some() && !row.canceled;
            if fits {
                self.plan.jobs[job].repeats = true;
                self.schedule(next, Due::Again(job, number));
            }
        }
        if let Recovery::Rerun {
            interval,
            occurrences,
            ..
        } = model.recovery
        {
            let row = &self.plan.jobs[job];
            let wanted = status.is_bad() && !row.run.killed && !row.canceled;
            if wanted && row.recoveries < occurrences {
                self.schedule(now + interval, Due::Recover(job, number));
            }
        }
        self.set_status(job, status);
        self.ask_after_failure(job);
        if self.plan.jobs[job].frees() {
            self.free_successors(job);
        }
    }

    /// Some failures are put before a person.
    fn ask_after_failure(&mut self, job: JobKey) {
        let row = &self.plan.jobs[job];
        let asks = matches!(
            row.model.recovery,
            Recovery::ContinuePrompt | Recovery::RerunPrompt
        );
        if !asks || !row.status().is_bad() || row.canceled || row.run.killed {
            return;
        }
        let text = format!("{} has failed. Go on?", row.model.name);
        let name = format!("RECOVERY_{}", row.run.number);
        let (name, text) = (Cow::Owned(name), Cow::Owned(text));
        let (plan, kind) = (&mut self.plan, PromptKind::Restart);
        let prompt = push_prompt(plan, Waiter::Job(job), name, text, kind);
        let id = self.plan.prompts[prompt].id;
        self.index.prompts.insert(id, prompt);
        self.plan.jobs[job].recovery_prompt = Some(prompt);
        self.ask(vec![prompt]);
    }

    /// A job that is late and must not go on is killed.
    pub(super) fn deadline(&mut self, job: JobKey) {
        let row = &self.plan.jobs[job];
        let passed = row.deadline.is_some_and(|at| self.now >= at);
        if passed && row.model.special().late_kill && row.status().is_active() {
            self.kill(job);
        }
    }

    pub(super) fn recover(&mut self, job: JobKey, number: u32) {
        let row = &mut self.plan.jobs[job];
        if row.run.number == number && row.status().is_bad() && !row.canceled {
            row.recoveries += 1;
            let first = match row.model.recovery {
                Recovery::Rerun { job: Some(_), .. } => RunKind::Recovery,
                _ => RunKind::RecoveryRerun,
            };
            self.new_run(job, first);
        }
    }

    pub(super) fn run_again(&mut self, job: JobKey, number: u32) {
        let row = &mut self.plan.jobs[job];
        row.repeats = false;
        if row.run.number == number && row.status().has_ended() && !row.canceled {
            self.new_run(job, RunKind::Every);
        } else {
            let stream = row.stream;
            self.refresh(stream);
        }
    }

    /// A further run, with the dependencies that the definition gives.
    pub(super) fn new_run(&mut self, job: JobKey, kind: RunKind) {
        let row = &mut self.plan.jobs[job];
        let number = row.run.number + 1;
        let next = new_run(row.id, number, kind, row.model.station);
        let ended = std::mem::replace(&mut row.run, next);
        self.index.change(job, ended.status, Status::Hold);
        self.index.reran.insert(job);
        row.earlier.push(ended);
        self.index.runs.insert(row.run.id, (job, number));
        if row.earlier.len() > EARLIER {
            let forgotten = row.earlier.remove(0);
            self.index.runs.remove(&forgotten.id);
        }
        row.repeats = false;
        row.canceled = false;
        row.cancel_pending = false;
        row.released = false;
        row.waived = false;
        row.recovery_prompt = None;
        for link in &mut row.links {
            link.released = false;
            link.satisfied = false;
        }
        let (object, stream) = (Object::from(&*row), row.stream);
        self.note(object, Deed::Run(number, kind), None);
        self.plan.streams[stream].ended = None;
        self.satisfy_targets(job);
        self.consider(job);
        self.refresh(stream);
    }

    pub(super) fn latest_start(&mut self, job: JobKey) {
        let row = &mut self.plan.jobs[job];
        let Some((_, action)) = row.latest else {
            return;
        };
        if !row.status().waits() || row.canceled {
            return;
        }
        row.until_gone = true;
        match action {
            LateStart::Continue => {}
            LateStart::Cancel => self.cancel_now(job),
            LateStart::DoNotRun if self.setup.late_hold => {}
            LateStart::DoNotRun => {
                self.dequeue(job);
                self.set_status(job, Status::Suppr);
            }
        }
    }

    /// Takes a job out of the way of its successors.
    pub(super) fn cancel_now(&mut self, job: JobKey) {
        self.dequeue(job);
        let row = &mut self.plan.jobs[job];
        row.canceled = true;
        row.cancel_pending = false;
        row.repeats = false;
        let (object, stream) = (Object::from(&*row), row.stream);
        self.note(object, Deed::Plain("canceled"), None);
        self.free_successors(job);
        self.refresh(stream);
    }

    /// Brings a stream's status in step with its jobs.
    pub(super) fn refresh(&mut self, stream: StreamKey) {
        let status = self.stream_status(&self.plan.streams[stream]);
        let now = self.now;
        let row = &mut self.plan.streams[stream];
        if row.status == status {
            return;
        }
        let before = std::mem::replace(&mut row.status, status);
        row.ended = status.has_ended().then_some(now);
        let object = Object::from(&*row);
        self.note(object, Deed::StreamMoved(before, status), None);
        if status == StreamStatus::Succ {
            self.free_stream_successors(stream);
        }
    }

    fn stream_status(&self, stream: &Stream) -> StreamStatus {
        let jobs = || stream.jobs.iter().map(|job| &self.plan.jobs[*job]);
        if jobs().all(Job::is_over) {
            let bad = jobs().any(|job| job.status().is_bad() && !job.frees());
            let ran = jobs().any(|job| job.status() != Status::Suppr);
            return match (bad, ran) {
                (true, _) => StreamStatus::Abend,
                (false, true) => StreamStatus::Succ,
                (false, false) => StreamStatus::Suppr,
            };
        }
        let active = jobs().any(|job| job.status().is_active());
        let started =
            jobs().any(|job| job.run.submitted.is_some() || !job.earlier.is_empty()) || active;
        if !self.is_open(stream) && !active && (!started || stream.priority == 0) {
            return StreamStatus::Hold;
        }
        if !started {
            return StreamStatus::Ready;
        }
        let blocked = self.blocked_by_failure(stream);
        let stuck = jobs().zip(&stream.jobs).all(|(job, key)| {
            job.is_over() || (job.status() == Status::Hold && blocked.contains(key))
        });
        if stuck {
            StreamStatus::Stuck
        } else {
            StreamStatus::Exec
        }
    }

    /// The jobs of a stream that cannot go on because one of them failed. Jobs stand behind their
    /// predecessors, so one pass in order finds all.
    pub(crate) fn blocked_by_failure(&self, stream: &Stream) -> Vec<JobKey> {
        let mut failed = Vec::new();
        let mut blocked = Vec::new();
        for &key in &stream.jobs {
            let job = &self.plan.jobs[key];
            if (job.status().is_bad() || job.status() == Status::Suppr) && !job.frees() {
                failed.push(key);
            } else if !job.is_over() && job.status() == Status::Hold {
                let waits_on_failed = job.links.iter().filter(|link| link.blocks()).any(|link| {
                    matches!(link.target, Target::Internal(other)
                        if failed.contains(&other) || blocked.contains(&other))
                });
                if waits_on_failed {
                    blocked.push(key);
                }
            }
        }
        blocked
    }

    /// When a job becomes late, and whether it is.
    pub(crate) fn is_late(&self, job: &Job) -> bool {
        let limit: Secs = job.deadline.unwrap_or(Secs::MAX);
        job.run.ended.unwrap_or(self.now) > limit && !job.canceled
    }
}

/// The prompts among dependencies that nobody has been asked, once nothing else is missing.
fn unasked(links: &[Link]) -> Vec<PromptKey> {
    let prompt = |link: &Link| match link.target {
        Target::Prompt(prompt) => Some(prompt),
        _ => None,
    };
    if links
        .iter()
        .any(|link| prompt(link).is_none() && link.blocks())
    {
        return Vec::new();
    }
    links.iter().filter_map(prompt).collect()
}
