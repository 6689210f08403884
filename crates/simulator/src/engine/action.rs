//! What operators do.
//!
//! 1. [`Engine::accept`] checks and answers; the change comes later, as an event. A caller that
//!    does not read back is caught.
//! 2. The state is checked again when the change is due: a job that has ended meanwhile is left as
//!    it is.
//! 3. Every accepted action stands in the journal with the user and the justification.

use super::{By, Due, Engine, Input, queue::HIGH};
use crate::{
    model::{Answer, RunKind, Status, Target},
    names::Secs,
    table::{JobKey, PromptKey, ResourceKey, StationKey, StreamKey},
};

/// What a rerun may bring along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RerunDetails {
    pub(crate) priority: Option<u32>,
    pub(crate) start: Option<Secs>,
}

/// A change that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Hold(JobKey),
    Release(JobKey),
    ReleaseAll(JobKey),
    Kill(JobKey),
    Cancel(JobKey),
    CancelPending(JobKey),
    Confirm(JobKey, bool),
    Priority(JobKey, u32),
    Rerun(JobKey, RerunDetails),
    HoldStream(StreamKey),
    ReleaseStream(StreamKey),
    CancelStream(StreamKey),
    Link(StationKey, bool),
    Start(StationKey, bool),
    Limit(StationKey, u32),
    Fence(StationKey, u32),
    Quantity(ResourceKey, u32),
    Reply(PromptKey, bool),
}

/// Why a command is not accepted: a sentence for the answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

impl Engine {
    /// Checks a command and plans its effect.
    pub(crate) fn accept(&mut self, command: Command, by: By) -> Result<(), Refusal> {
        self.check(command)?;
        self.record(Input::Command(command, by.clone()));
        let (low, high) = match command {
            Command::Kill(_) => (2, 8),
            Command::Link(..) => (2, 10),
            Command::Start(..) => (3, 15),
            _ => (1, 1),
        };
        let object = self.object(command);
        let version = u32::try_from(self.version() & 0xffff_ffff).unwrap_or(0);
        let wait = self.delay("action", &object, version, low, high);
        self.note(
            object,
            format!("accepted {}", name(command)),
            Some(by.clone()),
        );
        self.schedule(self.now() + wait, Due::Command(command, by));
        Ok(())
    }

    fn object(&self, command: Command) -> String {
        match command {
            Command::Hold(job)
            | Command::Release(job)
            | Command::ReleaseAll(job)
            | Command::Kill(job)
            | Command::Cancel(job)
            | Command::CancelPending(job)
            | Command::Confirm(job, _)
            | Command::Priority(job, _)
            | Command::Rerun(job, _) => self.plan.jobs[job].path.clone(),
            Command::HoldStream(stream)
            | Command::ReleaseStream(stream)
            | Command::CancelStream(stream) => self.plan.streams[stream].path.clone(),
            Command::Link(station, _)
            | Command::Start(station, _)
            | Command::Limit(station, _)
            | Command::Fence(station, _) => self.catalogue.stations[station].path(),
            Command::Quantity(resource, _) => self.catalogue.resources[resource].name.clone(),
            Command::Reply(prompt, _) => self.plan.prompts[prompt].name.to_owned(),
        }
    }

    /// Whether the object's state allows the command now.
    pub(super) fn check(&self, command: Command) -> Result<(), Refusal> {
        let refuse = |text: String| Err(Refusal(text));
        if let Command::Priority(_, priority) = command
            && priority > HIGH + 1
        {
            return refuse(format!("the priority {priority} is not between 0 and 101"));
        }
        match command {
            Command::Hold(job)
            | Command::Release(job)
            | Command::ReleaseAll(job)
            | Command::Kill(job)
            | Command::Cancel(job)
            | Command::CancelPending(job)
            | Command::Confirm(job, _)
            | Command::Priority(job, _)
            | Command::Rerun(job, _) => {
                if self.allows(command, job) {
                    return Ok(());
                }
                let row = &self.plan.jobs[job];
                let flag = if row.canceled { " and canceled" } else { "" };
                let status = row.status().text();
                refuse(format!(
                    "the action {} is not allowed for {} in status {status}{flag}",
                    name(command),
                    row.path
                ))
            }
            Command::HoldStream(stream)
            | Command::ReleaseStream(stream)
            | Command::CancelStream(stream) => {
                let row = &self.plan.streams[stream];
                let over = row.canceled || row.status.has_ended();
                let held = row.priority == 0;
                if over || (matches!(command, Command::ReleaseStream(_)) && !held) {
                    return refuse(format!(
                        "the action {} is not allowed for {} in status {}",
                        name(command),
                        row.path,
                        row.status.text()
                    ));
                }
                Ok(())
            }
            Command::Reply(prompt, _) => match self.plan.prompts[prompt].state {
                Answer::Asked => Ok(()),
                state => refuse(format!("the prompt is {}, not ASKED", state.text())),
            },
            Command::Limit(_, limit) if limit > 1024 => refuse(format!("limit {limit} above 1024")),
            Command::Fence(_, fence) if fence > 101 => refuse(format!("fence {fence} above 101")),
            Command::Quantity(_, n) if n > 1024 => refuse(format!("quantity {n} above 1024")),
            Command::Link(..)
            | Command::Start(..)
            | Command::Limit(..)
            | Command::Fence(..)
            | Command::Quantity(..) => Ok(()),
        }
    }

    /// The table of states that allow an action on a job.
    pub(crate) fn allows(&self, command: Command, job: JobKey) -> bool {
        let row = &self.plan.jobs[job];
        let status = row.status();
        let ended = status.has_ended() || row.canceled;
        match command {
            Command::Hold(_) => status.waits() && !row.canceled,
            Command::Release(_) => row.priority == 0 && !ended,
            Command::ReleaseAll(_) => status == Status::Hold && !row.canceled,
            Command::Kill(_) => status.is_active(),
            Command::Cancel(_) | Command::CancelPending(_) | Command::Priority(..) => !ended,
            Command::Confirm(_, good) => match status {
                Status::Succ | Status::Fail => false,
                Status::Suppr => good,
                _ if row.canceled => false,
                // What is not there to be confirmed stays as it is.
                status if self.setup.confirm_strictly => {
                    !status.waits() && (good || status != Status::Abend)
                }
                _ => true,
            },
            Command::Rerun(..) => {
                (matches!(status, Status::Succ | Status::Abend | Status::Fail) && !row.repeats)
                    || (row.canceled && !status.is_active())
            }
            _ => false,
        }
    }

    pub(super) fn perform(&mut self, command: &Command, by: By) {
        let command = *command;
        if self.check(command).is_err() {
            let object = self.object(command);
            self.note(object, format!("{} came too late", name(command)), Some(by));
            return;
        }
        match command {
            Command::Hold(job) => self.set_priority(job, 0),
            Command::Release(job) => self.set_priority(job, self.plan.jobs[job].orig_priority),
            Command::Priority(job, priority) => {
                self.plan.jobs[job].orig_priority = priority.max(1);
                self.set_priority(job, priority);
            }
            Command::ReleaseAll(job) => {
                let row = &mut self.plan.jobs[job];
                row.released = true;
                for link in &mut row.links {
                    link.released |= !matches!(link.target, Target::Resource(..));
                }
                self.consider(job);
            }
            Command::Kill(job) => {
                self.plan.jobs[job].run.killed = true;
                self.finish(job, Status::Abend, None);
            }
            Command::Cancel(job) => self.cancel_now(job),
            Command::CancelPending(job) => {
                if self.plan.jobs[job].status().waits() {
                    self.plan.jobs[job].cancel_pending = true;
                    self.consider(job);
                } else {
                    self.cancel_now(job);
                }
            }
            Command::Confirm(job, good) => self.confirm(job, good),
            Command::Rerun(job, details) => self.rerun(job, details),
            Command::HoldStream(stream) => self.set_stream_priority(stream, 0),
            Command::ReleaseStream(stream) => {
                self.set_stream_priority(stream, self.plan.streams[stream].orig_priority);
            }
            Command::CancelStream(stream) => self.cancel_stream(stream),
            Command::Link(station, up) => self.set_link(station, up, Some(by)),
            Command::Start(station, up) => {
                self.catalogue.stations[station].running = up;
                self.look_everywhere();
            }
            Command::Limit(station, limit) => {
                self.catalogue.stations[station].limit = limit;
                self.look_everywhere();
            }
            Command::Fence(station, fence) => {
                self.catalogue.stations[station].fence = fence;
                for job in self.plan.jobs.keys() {
                    if self.plan.jobs[job].model.station == station {
                        self.consider(job);
                    }
                }
            }
            Command::Quantity(resource, quantity) => {
                self.catalogue.resources[resource].quantity = quantity;
                self.look_everywhere();
            }
            Command::Reply(prompt, yes) => self.reply(prompt, yes),
        }
        let object = self.object(command);
        self.note(object, format!("done {}", name(command)), None);
    }

    fn set_priority(&mut self, job: JobKey, priority: u32) {
        self.plan.jobs[job].priority = priority;
        self.consider(job);
    }

    fn set_stream_priority(&mut self, stream: StreamKey, priority: u32) {
        self.plan.streams[stream].priority = priority;
        self.consider_stream(stream);
    }

    fn cancel_stream(&mut self, stream: StreamKey) {
        self.plan.streams[stream].canceled = true;
        for job in self.plan.streams[stream].jobs.clone() {
            if !self.plan.jobs[job].is_over() {
                self.cancel_now(job);
            }
        }
        self.free_stream_successors(stream);
        self.refresh(stream);
    }

    /// The table of the manual, for jobs without output conditions.
    fn confirm(&mut self, job: JobKey, good: bool) {
        let status = self.plan.jobs[job].status();
        let target = match (status, good) {
            (Status::Exec | Status::Pend | Status::Intro, false) => Status::Abend,
            (Status::Exec | Status::Pend | Status::Intro | Status::Abend | Status::Suppr, true) => {
                Status::Succ
            }
            _ => return,
        };
        self.plan.jobs[job].run.confirmed = true;
        self.finish(job, target, None);
    }

    fn rerun(&mut self, job: JobKey, details: RerunDetails) {
        let row = &mut self.plan.jobs[job];
        row.priority = details.priority.unwrap_or(10);
        row.orig_priority = row.priority.max(1);
        row.recoveries = 0;
        row.until_gone = false;
        row.start = details.start;
        if let Some(start) = details.start {
            self.schedule(start, Due::JobTime(job));
        }
        self.new_run(job, RunKind::Rerun);
    }

    fn reply(&mut self, prompt: PromptKey, yes: bool) {
        let row = &mut self.plan.prompts[prompt];
        row.state = if yes { Answer::Yes } else { Answer::No };
        let job = row.job;
        self.satisfy_targets(job);
        self.consider(job);
    }
}

fn name(command: Command) -> &'static str {
    match command {
        Command::Hold(_) | Command::HoldStream(_) => "hold",
        Command::Release(_) | Command::ReleaseStream(_) => "release",
        Command::ReleaseAll(_) => "release-all-dependencies",
        Command::Kill(_) => "kill",
        Command::Cancel(_) | Command::CancelStream(_) => "cancel",
        Command::CancelPending(_) => "cancel-pending",
        Command::Confirm(_, true) => "confirm-succ",
        Command::Confirm(_, false) => "confirm-abend",
        Command::Priority(..) => "update-priority",
        Command::Rerun(..) => "rerun",
        Command::Link(_, true) => "link",
        Command::Link(_, false) => "unlink",
        Command::Start(_, true) => "start",
        Command::Start(_, false) => "stop",
        Command::Limit(..) => "update-limit",
        Command::Fence(..) => "update-fence",
        Command::Quantity(..) => "update-quantity",
        Command::Reply(..) => "reply",
    }
}
