//! What an accepted command does when its time has come.

use std::{borrow::Cow, sync::Arc};

use super::{
    By, Command, Deed, Due, Engine, Object,
    action::{NewNeed, Patch, RerunDetails},
};
use crate::{
    model::{
        Answer, Awaited, JobModel, Link, PromptKind, Recovery, RunKind, Status, StreamStatus,
        Target, Waiter,
    },
    plan::instances,
    table::{JobKey, PromptKey, StationKey, StreamKey},
};

impl Engine {
    pub(super) fn perform(&mut self, command: &Command, by: By) {
        let object = self.object(command);
        if let Command::Submit(submission) = command {
            self.submit(submission, &by);
            self.note(object, Deed::Done("submit"), None);
            return;
        }
        if self.check(command).is_err() {
            self.note(object, Deed::TooLate(command.name()), Some(by));
            return;
        }
        match command {
            Command::Hold(job) => self.set_priority(*job, 0),
            Command::Release(job) => {
                let priority = self.plan.jobs[*job].orig_priority;
                self.set_priority(*job, priority);
            }
            Command::Priority(job, priority) => {
                self.plan.jobs[*job].orig_priority = (*priority).max(1);
                self.set_priority(*job, *priority);
            }
            Command::ReleaseAll(job) => self.release_all(*job),
            Command::Kill(job) => self.kill(*job),
            Command::Cancel(job) => self.cancel_now(*job),
            Command::CancelPending(job) => {
                if self.plan.jobs[*job].status().waits() {
                    self.plan.jobs[*job].cancel_pending = true;
                    self.consider(*job);
                } else {
                    self.cancel_now(*job);
                }
            }
            Command::Confirm(job, good) => self.confirm(*job, *good, false),
            Command::ConfirmNamed(job, good) => self.confirm(*job, *good, true),
            Command::Rerun(job, details) => self.rerun(*job, details),
            Command::HoldStream(stream) => self.set_stream_priority(*stream, 0),
            Command::ReleaseStream(stream) => {
                let priority = self.plan.streams[*stream].orig_priority;
                self.set_stream_priority(*stream, priority);
            }
            Command::ReleaseAllOf(stream) => {
                let row = &mut self.plan.streams[*stream];
                row.released = true;
                row.links.iter_mut().for_each(|link| link.released = true);
                self.consider_stream(*stream);
            }
            Command::CancelStream(stream) => self.cancel_stream(*stream),
            Command::CancelPendingStream(stream) => {
                self.plan.streams[*stream].cancel_pending = true;
                self.consider_stream(*stream);
            }
            Command::Depend(owner, needs) => self.depend(*owner, needs),
            Command::Undepend(owner, numbers) => self.undepend(*owner, numbers),
            Command::SetAside(owner, numbers) => {
                for link in self.links_mut(*owner) {
                    link.released |= numbers.contains(&link.number);
                }
                self.look_at(*owner);
            }
            Command::Patch(owner, patch) => self.patch(*owner, patch),
            Command::Link(station, up) => self.relink(*station, *up, by),
            Command::Online(station, up) => self.set_link(*station, *up, Some(by)),
            Command::Start(station, up) => {
                self.catalogue.stations[*station].running = *up;
                self.look_everywhere();
            }
            Command::Limit(station, limit) => {
                self.catalogue.stations[*station].limit = *limit;
                self.look_everywhere();
            }
            Command::Fence(station, fence) => self.set_fence(*station, *fence),
            Command::Quantity(resource, quantity) => {
                self.catalogue.resources[*resource].quantity = *quantity;
                self.look_everywhere();
            }
            Command::Reply(prompt, yes) => self.reply(*prompt, *yes),
            Command::Submit(_) => {}
        }
        self.note(object, Deed::Done(command.name()), None);
    }

    fn set_fence(&mut self, station: StationKey, fence: u32) {
        self.catalogue.stations[station].fence = fence;
        for job in self.plan.jobs.keys() {
            if self.plan.jobs[job].model.station == station {
                self.consider(job);
            }
        }
    }

    /// A link that comes back brings its agent's processes with it.
    fn relink(&mut self, station: StationKey, up: bool, by: By) {
        if up {
            self.set_link(station, true, Some(by));
            return;
        }
        let row = &mut self.catalogue.stations[station];
        row.linked = false;
        let name = Object::from(row.path());
        self.note(name, Deed::Plain("unlinked"), Some(by));
        self.look_everywhere();
    }

    fn set_priority(&mut self, job: JobKey, priority: u32) {
        self.plan.jobs[job].priority = priority;
        self.consider(job);
    }

    fn set_stream_priority(&mut self, stream: StreamKey, priority: u32) {
        self.plan.streams[stream].priority = priority;
        self.consider_stream(stream);
    }

    fn release_all(&mut self, job: JobKey) {
        let row = &mut self.plan.jobs[job];
        row.released = true;
        for link in &mut row.links {
            link.released |= !matches!(link.target, Target::Resource(..));
        }
        self.consider(job);
    }

    pub(super) fn kill(&mut self, job: JobKey) {
        self.plan.jobs[job].run.killed = true;
        self.finish(job, Status::Abend, None);
    }

    fn cancel_stream(&mut self, stream: StreamKey) {
        let row = &mut self.plan.streams[stream];
        row.canceled = true;
        row.cancel_pending = false;
        for job in row.jobs.clone() {
            if !self.plan.jobs[job].is_over() {
                self.cancel_now(job);
            }
        }
        self.free_stream_successors(stream);
        self.refresh(stream);
    }

    /// A stream whose cancelling waits is cancelled once its dependencies are met.
    pub(super) fn cancel_stream_when_open(&mut self, stream: StreamKey) -> bool {
        let row = &self.plan.streams[stream];
        let due = row.cancel_pending && self.is_open(row);
        if due {
            self.cancel_stream(stream);
        }
        due
    }

    /// The table of the manual; with conditions named, what runs goes on as confirmed.
    fn confirm(&mut self, job: JobKey, good: bool, named: bool) {
        let status = self.plan.jobs[job].status();
        let target = match (status, good) {
            (Status::Exec, true) if named => Status::Succp,
            (Status::Exec, false) if named => Status::Abenp,
            (Status::Abenp, true) => Status::Succp,
            (Status::Exec | Status::Pend | Status::Intro | Status::Wait, false) => Status::Abend,
            (
                Status::Exec
                | Status::Pend
                | Status::Intro
                | Status::Wait
                | Status::Abend
                | Status::Suppr,
                true,
            ) => Status::Succ,
            _ => return,
        };
        self.plan.jobs[job].run.confirmed = true;
        if target.is_running() {
            self.set_status(job, target);
        } else {
            self.finish(job, target, None);
        }
    }

    fn rerun(&mut self, job: JobKey, details: &RerunDetails) {
        let kind = match (&details.from, &details.step) {
            (Some((stream, place)), _) => {
                let other = self.catalogue.streams[*stream].jobs.get(*place);
                if let Some(other) = other.map(Arc::clone) {
                    self.replace_definition(job, &other);
                }
                RunKind::RerunFrom
            }
            (None, Some(_)) => RunKind::RerunStep,
            (None, None) => RunKind::Rerun,
        };
        let row = &mut self.plan.jobs[job];
        row.priority = details.priority.unwrap_or(10);
        row.orig_priority = row.priority.max(1);
        row.recoveries = 0;
        row.until_gone = false;
        row.start = details.start;
        if let Some(start) = details.start {
            self.schedule(start, Due::JobTime(job));
        }
        self.new_run(job, kind);
        self.plan.jobs[job].run.step.clone_from(&details.step);
        for next in &details.successors {
            let row = &self.plan.jobs[*next];
            if row.status().has_ended() || row.canceled {
                self.new_run(*next, RunKind::Rerun);
            }
        }
    }

    /// The job keeps its name and place and runs what another definition says.
    fn replace_definition(&mut self, job: JobKey, other: &JobModel) {
        let stream = self.plan.jobs[job].stream;
        let folder = self.plan.streams[stream].model.folder.clone();
        let row = &mut self.plan.jobs[job];
        let old = Arc::clone(&row.model);
        let own_name = || format!("{folder}{}", old.name).into();
        let mut model = JobModel {
            name: old.name.clone(),
            station: old.station,
            critical: old.critical,
            every: old.every,
            needs: old.needs.clone(),
            ..other.clone()
        };
        let (was, special) = (old.special(), model.special_mut());
        special.deadline = was.deadline;
        special.first_night = None;
        // Made of the other's name, not of this one's.
        special.told = Some(other.description().into());
        special.runs = Some(other.script().into());
        special.defined_as = Some(was.defined_as.clone().unwrap_or_else(own_name));
        row.model = model.kept();
    }

    fn reply(&mut self, prompt: PromptKey, yes: bool) {
        let now = self.now;
        let row = &mut self.plan.prompts[prompt];
        row.state = if yes { Answer::Yes } else { Answer::No };
        row.replied = Some(now);
        let (owner, kind) = (row.owner, row.kind);
        match owner {
            Waiter::Job(job) if kind == PromptKind::Restart => self.after_failure(job, yes),
            Waiter::Job(job) => {
                self.satisfy_targets(job);
                self.consider(job);
            }
            Waiter::Stream(stream) => {
                self.satisfy_stream(stream);
                self.consider_stream(stream);
            }
        }
    }

    /// Somebody has said what becomes of a failed job.
    fn after_failure(&mut self, job: JobKey, yes: bool) {
        let row = &mut self.plan.jobs[job];
        row.recovery_prompt = None;
        if !yes || !row.status().is_bad() || row.canceled {
            return;
        }
        if row.model.recovery == Recovery::RerunPrompt {
            self.new_run(job, RunKind::RecoveryRerun);
        } else {
            row.waived = true;
            let stream = row.stream;
            self.free_successors(job);
            self.refresh(stream);
        }
    }

    pub(super) fn links_mut(&mut self, owner: Waiter) -> &mut Vec<Link> {
        match owner {
            Waiter::Job(job) => &mut self.plan.jobs[job].links,
            Waiter::Stream(stream) => &mut self.plan.streams[stream].links,
        }
    }

    pub(super) fn look_at(&mut self, owner: Waiter) {
        match owner {
            Waiter::Job(job) => {
                self.satisfy_targets(job);
                self.consider(job);
                let stream = self.plan.jobs[job].stream;
                self.refresh(stream);
            }
            Waiter::Stream(stream) => {
                self.satisfy_stream(stream);
                self.consider_stream(stream);
            }
        }
    }

    /// Adds dependencies; their prompts and files come with them.
    pub(super) fn depend(&mut self, owner: Waiter, needs: &[NewNeed]) {
        for need in needs {
            let target = match need {
                NewNeed::On(Waiter::Stream(stream)) => Target::Stream(*stream),
                NewNeed::On(Waiter::Job(job)) => match owner {
                    Waiter::Job(own)
                        if self.plan.jobs[own].stream == self.plan.jobs[*job].stream =>
                    {
                        Target::Internal(*job)
                    }
                    _ => Target::Job(*job),
                },
                NewNeed::Resource(resource, quantity) => Target::Resource(*resource, *quantity),
                NewNeed::Prompt(name, text) => {
                    let count = self.plan.prompts.len() + 1;
                    let kind = name
                        .as_ref()
                        .map_or(PromptKind::AdHoc, |_| PromptKind::Predefined);
                    let name = name.clone().unwrap_or_else(|| format!("ADHOC_{count}"));
                    let (name, text) = (Cow::Owned(name), Cow::Owned(text.clone()));
                    let plan = &mut self.plan;
                    let key = instances::push_prompt(plan, owner, name, text, kind);
                    let id = self.plan.prompts[key].id;
                    self.index.prompts.insert(id, key);
                    Target::Prompt(key)
                }
                NewNeed::File(path) => {
                    // Nobody has promised it: it comes in half an hour.
                    let from = self.now.saturating_add(1800);
                    let station = match owner {
                        Waiter::Job(job) => self.plan.jobs[job].model.station,
                        Waiter::Stream(stream) => self.plan.streams[stream].model.station,
                    };
                    let path = path.clone();
                    let file = Awaited {
                        path,
                        station,
                        from,
                        owner,
                    };
                    let key = self.plan.files.push(file);
                    self.schedule(from, Due::File(key));
                    Target::File(key)
                }
            };
            match target {
                Target::Internal(job) | Target::Job(job) => {
                    self.plan.jobs[job].waiters.push(owner);
                }
                Target::Stream(stream) => self.plan.streams[stream].waiters.push(owner),
                Target::Resource(..) | Target::Prompt(_) | Target::File(_) => {}
            }
            let links = self.links_mut(owner);
            let last = links.iter().map(|link| link.number).max().unwrap_or(0);
            links.push(Link {
                number: last.saturating_add(1),
                ..Link::to(target)
            });
        }
        self.look_at(owner);
    }

    fn undepend(&mut self, owner: Waiter, numbers: &[u32]) {
        let gone = |link: &Link| numbers.contains(&link.number);
        let links = self.links_mut(owner);
        let targets: Vec<Target> = links
            .iter()
            .filter(|link| gone(link))
            .map(|link| link.target)
            .collect();
        links.retain(|link| !gone(link));
        for target in targets {
            let waiters = match target {
                Target::Internal(job) | Target::Job(job) => &mut self.plan.jobs[job].waiters,
                Target::Stream(stream) => &mut self.plan.streams[stream].waiters,
                Target::Resource(..) | Target::Prompt(_) | Target::File(_) => continue,
            };
            if let Some(place) = waiters.iter().position(|waiter| *waiter == owner) {
                waiters.remove(place);
            }
        }
        self.look_at(owner);
    }

    fn patch(&mut self, owner: Waiter, patch: &Patch) {
        let now = self.now;
        match owner {
            Waiter::Job(job) => {
                let row = &mut self.plan.jobs[job];
                if let Some(priority) = patch.priority {
                    row.priority = priority;
                    row.orig_priority = priority.max(1);
                }
                row.start = patch.start.over(row.start);
                row.deadline = patch.deadline.over(row.deadline);
                row.latest = patch.latest.over(row.latest);
                row.confirm = patch.confirm.unwrap_or(row.confirm);
                let (start, latest) = (row.start, row.latest);
                if let Some(at) = start.filter(|at| *at > now) {
                    self.schedule(at, Due::JobTime(job));
                }
                if let Some((at, _)) = latest {
                    self.schedule(at, Due::Latest(job));
                }
            }
            Waiter::Stream(stream) => {
                let row = &mut self.plan.streams[stream];
                if let Some(priority) = patch.priority {
                    row.priority = priority;
                    row.orig_priority = priority.max(1);
                }
                row.limit = patch.limit.over(row.limit);
                row.start = patch.start.over(row.start);
                row.deadline = patch.deadline.over(row.deadline);
                if let Some(at) = row.start.filter(|at| *at > now) {
                    self.schedule(at, Due::StreamTime(stream));
                }
                self.look_everywhere();
            }
        }
        self.look_at(owner);
    }

    /// Marks what a stream's own dependencies find met.
    pub(super) fn satisfy_stream(&mut self, stream: StreamKey) {
        let mut links = std::mem::take(&mut self.plan.streams[stream].links);
        for link in &mut links {
            link.satisfied |= self.is_met(link.target);
        }
        self.plan.streams[stream].links = links;
    }

    /// Whether what a dependency waits for is there.
    pub(super) fn is_met(&self, target: Target) -> bool {
        match target {
            Target::Internal(other) | Target::Job(other) => self.plan.jobs[other].frees(),
            Target::Stream(other) => {
                let other = &self.plan.streams[other];
                other.canceled || other.status == StreamStatus::Succ
            }
            Target::Prompt(prompt) => self.plan.prompts[prompt].state == Answer::Yes,
            Target::File(file) => self.now >= self.plan.files[file].from,
            Target::Resource(..) => false,
        }
    }
}
