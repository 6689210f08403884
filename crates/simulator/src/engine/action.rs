//! What operators do.
//!
//! 1. [`Engine::accept`] checks and answers; the change comes later, as an event. A caller that
//!    does not read back is caught.
//! 2. The state is checked again when the change is due: a job that has ended meanwhile is left as
//!    it is.
//! 3. Every accepted action stands in the journal with the user and the justification.

use super::{By, Deed, Due, Engine, Input, Object, Submission, queue::HIGH};
use crate::{
    model::{Answer, Change, LateStart, Status, Waiter},
    names::Secs,
    plan::instances::Moves,
    table::{JobKey, ModelKey, PromptKey, ResourceKey, StationKey, StreamKey},
};

/// What a rerun may bring along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RerunDetails {
    pub(crate) priority: Option<u32>,
    pub(crate) start: Option<Secs>,
    /// The step to begin at.
    pub(crate) step: Option<Box<str>>,
    /// Another definition to run in the job's place.
    pub(crate) from: Option<(ModelKey, usize)>,
    /// Jobs behind it that run again, too, nearest first.
    pub(crate) successors: Vec<JobKey>,
}

/// A dependency that somebody adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewNeed {
    On(Waiter),
    Resource(ResourceKey, u32),
    /// Name and question.
    Prompt(Option<String>, String),
    File(String),
}

/// Fields that a merge patch may change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) priority: Option<u32>,
    pub(crate) limit: Change<u32>,
    pub(crate) start: Change<Secs>,
    pub(crate) deadline: Change<Secs>,
    pub(crate) latest: Change<(Secs, LateStart)>,
    pub(crate) confirm: Option<bool>,
}

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Hold(JobKey),
    Release(JobKey),
    ReleaseAll(JobKey),
    Kill(JobKey),
    Cancel(JobKey),
    CancelPending(JobKey),
    Confirm(JobKey, bool),
    /// Confirms output conditions by name: what runs goes on and ends that way.
    ConfirmNamed(JobKey, bool),
    Priority(JobKey, u32),
    Rerun(JobKey, RerunDetails),
    HoldStream(StreamKey),
    ReleaseStream(StreamKey),
    ReleaseAllOf(StreamKey),
    CancelStream(StreamKey),
    CancelPendingStream(StreamKey),
    Depend(Waiter, Vec<NewNeed>),
    /// Takes dependencies away, by their numbers.
    Undepend(Waiter, Vec<u32>),
    /// Sets dependencies aside for this run, by their numbers.
    SetAside(Waiter, Vec<u32>),
    Patch(Waiter, Patch),
    Submit(Box<Submission>),
    Link(StationKey, bool),
    Online(StationKey, bool),
    Start(StationKey, bool),
    Limit(StationKey, u32),
    Fence(StationKey, u32),
    Quantity(ResourceKey, u32),
    Reply(PromptKey, bool),
}

/// Why a command is not accepted: a sentence for the answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// What a command is about.
enum Subject {
    Job(JobKey),
    Stream(StreamKey),
    Other,
}

impl Command {
    fn subject(&self) -> Subject {
        match self {
            Self::Hold(job)
            | Self::Release(job)
            | Self::ReleaseAll(job)
            | Self::Kill(job)
            | Self::Cancel(job)
            | Self::CancelPending(job)
            | Self::Confirm(job, _)
            | Self::ConfirmNamed(job, _)
            | Self::Priority(job, _)
            | Self::Rerun(job, _)
            | Self::Depend(Waiter::Job(job), _)
            | Self::Undepend(Waiter::Job(job), _)
            | Self::SetAside(Waiter::Job(job), _)
            | Self::Patch(Waiter::Job(job), _) => Subject::Job(*job),
            Self::HoldStream(stream)
            | Self::ReleaseStream(stream)
            | Self::ReleaseAllOf(stream)
            | Self::CancelStream(stream)
            | Self::CancelPendingStream(stream)
            | Self::Depend(Waiter::Stream(stream), _)
            | Self::Undepend(Waiter::Stream(stream), _)
            | Self::SetAside(Waiter::Stream(stream), _)
            | Self::Patch(Waiter::Stream(stream), _) => Subject::Stream(*stream),
            Self::Submit(_)
            | Self::Link(..)
            | Self::Online(..)
            | Self::Start(..)
            | Self::Limit(..)
            | Self::Fence(..)
            | Self::Quantity(..)
            | Self::Reply(..) => Subject::Other,
        }
    }

    /// The action's name in paths.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hold(_) | Self::HoldStream(_) => "hold",
            Self::Release(_) | Self::ReleaseStream(_) => "release",
            Self::ReleaseAll(_) | Self::ReleaseAllOf(_) => "release-all-dependencies",
            Self::Kill(_) => "kill",
            Self::Cancel(_) | Self::CancelStream(_) => "cancel",
            Self::CancelPending(_) | Self::CancelPendingStream(_) => "cancel-pending",
            Self::Confirm(_, true) | Self::ConfirmNamed(_, true) => "confirm-succ",
            Self::Confirm(_, false) | Self::ConfirmNamed(_, false) => "confirm-abend",
            Self::Priority(..) => "update-priority",
            Self::Rerun(..) => "rerun",
            Self::Depend(..) => "add-dependencies",
            Self::Undepend(..) => "remove-dependencies",
            Self::SetAside(..) => "release-dependencies",
            Self::Patch(..) => "update",
            Self::Submit(_) => "submit",
            Self::Link(_, true) => "link",
            Self::Link(_, false) => "unlink",
            Self::Online(_, true) => "set-online",
            Self::Online(_, false) => "set-offline",
            Self::Start(_, true) => "start",
            Self::Start(_, false) => "stop",
            Self::Limit(..) => "update-limit",
            Self::Fence(..) => "update-fence",
            Self::Quantity(..) => "update-quantity",
            Self::Reply(..) => "reply",
        }
    }

    /// The same command on the rows of the next plan; `None` when its row stayed behind.
    pub(super) fn moved(self, moves: &Moves) -> Option<Self> {
        let job = |key| moves.jobs.get(&key).copied();
        let stream = |key| moves.streams.get(&key).copied();
        let node = |node| match node {
            Waiter::Job(key) => job(key).map(Waiter::Job),
            Waiter::Stream(key) => stream(key).map(Waiter::Stream),
        };
        Some(match self {
            Self::Hold(key) => Self::Hold(job(key)?),
            Self::Release(key) => Self::Release(job(key)?),
            Self::ReleaseAll(key) => Self::ReleaseAll(job(key)?),
            Self::Kill(key) => Self::Kill(job(key)?),
            Self::Cancel(key) => Self::Cancel(job(key)?),
            Self::CancelPending(key) => Self::CancelPending(job(key)?),
            Self::Confirm(key, good) => Self::Confirm(job(key)?, good),
            Self::ConfirmNamed(key, good) => Self::ConfirmNamed(job(key)?, good),
            Self::Priority(key, priority) => Self::Priority(job(key)?, priority),
            Self::Rerun(key, mut details) => {
                let kept = details.successors.iter().filter_map(|key| job(*key));
                details.successors = kept.collect();
                Self::Rerun(job(key)?, details)
            }
            Self::HoldStream(key) => Self::HoldStream(stream(key)?),
            Self::ReleaseStream(key) => Self::ReleaseStream(stream(key)?),
            Self::ReleaseAllOf(key) => Self::ReleaseAllOf(stream(key)?),
            Self::CancelStream(key) => Self::CancelStream(stream(key)?),
            Self::CancelPendingStream(key) => Self::CancelPendingStream(stream(key)?),
            Self::Depend(owner, needs) => {
                let needs = needs.into_iter().filter_map(|need| match need {
                    NewNeed::On(other) => node(other).map(NewNeed::On),
                    other => Some(other),
                });
                Self::Depend(node(owner)?, needs.collect())
            }
            Self::Undepend(owner, numbers) => Self::Undepend(node(owner)?, numbers),
            Self::SetAside(owner, numbers) => Self::SetAside(node(owner)?, numbers),
            Self::Patch(owner, patch) => Self::Patch(node(owner)?, patch),
            Self::Reply(prompt, yes) => Self::Reply(*moves.prompts.get(&prompt)?, yes),
            // A submission that the edge overtakes is lost, as its stream may be.
            Self::Submit(_) => return None,
            kept @ (Self::Link(..)
            | Self::Online(..)
            | Self::Start(..)
            | Self::Limit(..)
            | Self::Fence(..)
            | Self::Quantity(..)) => kept,
        })
    }
}

impl Engine {
    /// Checks a command and plans its effect.
    pub(crate) fn accept(&mut self, command: Command, by: By) -> Result<(), Refusal> {
        self.check(&command)?;
        self.record(Input::Command(command.clone(), by.clone()));
        self.admit(command, by);
        Ok(())
    }

    /// Plans the effect of a command that is allowed; what the plan itself does is no input.
    pub(super) fn admit(&mut self, command: Command, by: By) {
        let (low, high) = match command {
            Command::Kill(_) => (2, 8),
            Command::Link(..) | Command::Online(..) => (2, 10),
            Command::Start(..) => (3, 15),
            _ => (1, 1),
        };
        let object = self.object(&command);
        let version = u32::try_from(self.version() & 0xffff_ffff).unwrap_or(0);
        let wait = self.delay("action", &object.to_string(), version, low, high);
        let deed = Deed::Accepted(command.name());
        self.note(object, deed, Some(by.clone()));
        if let Command::Submit(submission) = &command {
            self.pending.insert(submission.id);
        }
        self.schedule(self.now() + wait, Due::Command(Box::new((command, by))));
    }

    pub(super) fn object(&self, command: &Command) -> Object {
        match command.subject() {
            Subject::Job(job) => return Object::from(&self.plan.jobs[job]),
            Subject::Stream(stream) => return Object::from(&self.plan.streams[stream]),
            Subject::Other => {}
        }
        match command {
            Command::Link(station, _)
            | Command::Online(station, _)
            | Command::Start(station, _)
            | Command::Limit(station, _)
            | Command::Fence(station, _) => self.catalogue.stations[*station].path().into(),
            Command::Quantity(resource, _) => {
                self.catalogue.resources[*resource].name.as_str().into()
            }
            Command::Reply(prompt, _) => (*self.plan.prompts[*prompt].name).into(),
            Command::Submit(submission) => submission.name.as_str().into(),
            _ => "".into(),
        }
    }

    /// Whether the object's state allows the command now.
    pub(super) fn check(&self, command: &Command) -> Result<(), Refusal> {
        let refuse = |text: String| Err(Refusal(text));
        let priority = match command {
            Command::Priority(_, priority) => Some(*priority),
            Command::Patch(_, patch) => patch.priority,
            _ => None,
        };
        if let Some(priority) = priority.filter(|priority| *priority > HIGH + 1) {
            return refuse(format!("the priority {priority} is not between 0 and 101"));
        }
        match command.subject() {
            Subject::Job(job) => {
                if self.allows(command, job) {
                    return self.check_dependencies(command);
                }
                let row = &self.plan.jobs[job];
                let flag = if row.canceled { " and canceled" } else { "" };
                refuse(format!(
                    "the action {} is not allowed for {} in status {}{flag}",
                    command.name(),
                    row.path(),
                    row.status().text()
                ))
            }
            Subject::Stream(stream) => {
                if self.allows_stream(command, stream) {
                    return self.check_dependencies(command);
                }
                let row = &self.plan.streams[stream];
                refuse(format!(
                    "the action {} is not allowed for {} in status {}",
                    command.name(),
                    row.path,
                    row.status.text()
                ))
            }
            Subject::Other => match command {
                Command::Reply(prompt, _) => match self.plan.prompts[*prompt].state {
                    Answer::Asked => Ok(()),
                    state => refuse(format!("the prompt is {}, not ASKED", state.text())),
                },
                Command::Limit(_, n) if *n > 1024 => refuse(format!("limit {n} above 1024")),
                Command::Fence(_, n) if *n > 101 => refuse(format!("fence {n} above 101")),
                Command::Quantity(_, n) if *n > 1024 => refuse(format!("quantity {n} above 1024")),
                _ => Ok(()),
            },
        }
    }

    /// New dependencies close no circle; those to be removed or set aside are there.
    fn check_dependencies(&self, command: &Command) -> Result<(), Refusal> {
        let refuse = |text: &str| Err(Refusal(text.to_owned()));
        match command {
            Command::Depend(owner, needs) => {
                let on = |need: &NewNeed| match need {
                    NewNeed::On(other) => Some(*other),
                    _ => None,
                };
                if needs
                    .iter()
                    .filter_map(on)
                    .any(|other| self.reaches(other, *owner))
                {
                    return refuse("the dependencies would close a circle");
                }
                Ok(())
            }
            Command::Undepend(owner, numbers) | Command::SetAside(owner, numbers) => {
                let links = self.links(*owner);
                let known = |number: &u32| links.iter().any(|link| link.number == *number);
                if numbers.iter().all(known) {
                    return Ok(());
                }
                refuse("a dependency of the body is not one of the object's")
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn links(&self, owner: Waiter) -> &[crate::model::Link] {
        match owner {
            Waiter::Job(job) => &self.plan.jobs[job].links,
            Waiter::Stream(stream) => &self.plan.streams[stream].links,
        }
    }

    /// Whether `to` stands before `from`, directly or not, or is the same.
    fn reaches(&self, from: Waiter, to: Waiter) -> bool {
        use crate::model::Target;
        let mut seen = std::collections::BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            let targets = self
                .links(node)
                .iter()
                .filter_map(|link| match link.target {
                    Target::Internal(job) | Target::Job(job) => Some(Waiter::Job(job)),
                    Target::Stream(stream) => Some(Waiter::Stream(stream)),
                    Target::Resource(..) | Target::Prompt(_) | Target::File(_) => None,
                });
            let mut next: Vec<Waiter> = targets.collect();
            match node {
                // A job waits for all that its stream waits for, a stream for all its jobs.
                Waiter::Job(job) => {
                    let stream = Waiter::Stream(self.plan.jobs[job].stream);
                    let before = self.links(stream).iter();
                    next.extend(before.filter_map(|link| match link.target {
                        Target::Internal(job) | Target::Job(job) => Some(Waiter::Job(job)),
                        Target::Stream(stream) => Some(Waiter::Stream(stream)),
                        Target::Resource(..) | Target::Prompt(_) | Target::File(_) => None,
                    }));
                }
                Waiter::Stream(stream) => {
                    let jobs = self.plan.streams[stream].jobs.iter();
                    next.extend(jobs.map(|job| Waiter::Job(*job)));
                }
            }
            open.extend(next.into_iter().filter(|node| seen.insert(*node)));
        }
        false
    }

    /// The table of states that allow an action on a job.
    pub(crate) fn allows(&self, command: &Command, job: JobKey) -> bool {
        let row = &self.plan.jobs[job];
        let status = row.status();
        let ended = status.has_ended() || row.canceled;
        match command {
            Command::Hold(_) => status.waits() && !row.canceled,
            Command::Release(_) => row.priority == 0 && !ended,
            Command::ReleaseAll(_) => status == Status::Hold && !row.canceled,
            Command::Kill(_) => status.is_active(),
            Command::Cancel(_)
            | Command::CancelPending(_)
            | Command::Priority(..)
            | Command::Depend(..)
            | Command::Undepend(..)
            | Command::SetAside(..)
            | Command::Patch(..) => !ended,
            Command::Confirm(_, good) | Command::ConfirmNamed(_, good) => match status {
                Status::Succ | Status::Fail => false,
                Status::Suppr => *good,
                _ if row.canceled => false,
                // What is not there to be confirmed stays as it is.
                status if self.setup.confirm_strictly => match status {
                    Status::Succp => false,
                    Status::Abend | Status::Abenp => *good,
                    status => !status.waits(),
                },
                _ => true,
            },
            Command::Rerun(..) => {
                (matches!(status, Status::Succ | Status::Abend | Status::Fail) && !row.repeats)
                    || (row.canceled && !status.is_active())
            }
            _ => false,
        }
    }

    /// The same for a stream.
    pub(crate) fn allows_stream(&self, command: &Command, stream: StreamKey) -> bool {
        let row = &self.plan.streams[stream];
        let over = row.canceled || row.status.has_ended();
        match command {
            Command::ReleaseStream(_) => !over && row.priority == 0,
            Command::CancelPendingStream(_) | Command::ReleaseAllOf(_) => {
                !over && row.started.is_none()
            }
            _ => !over,
        }
    }

    /// The jobs behind `job` that a rerun with its successors runs again, nearest first.
    ///
    /// What runs or is about to run behind it forbids that, unless `unchecked`; what has not begun
    /// ends the chain, and what ended or was cancelled passes it on.
    pub(crate) fn rerun_chain(
        &self,
        job: JobKey,
        depth: usize,
        unchecked: bool,
    ) -> Result<Vec<JobKey>, Refusal> {
        let first = self.job_successors(Waiter::Job(job));
        self.chain(first, depth, unchecked)
    }

    /// The same for the jobs behind a stream.
    pub(crate) fn rerun_after(
        &self,
        stream: StreamKey,
        depth: usize,
    ) -> Result<Vec<JobKey>, Refusal> {
        let mut first = self.job_successors(Waiter::Stream(stream));
        for job in &self.plan.streams[stream].jobs {
            let behind = self.job_successors(Waiter::Job(*job));
            first.extend(
                behind
                    .into_iter()
                    .filter(|job| self.plan.jobs[*job].stream != stream),
            );
        }
        self.chain(first, depth, false)
    }

    fn chain(
        &self,
        first: Vec<JobKey>,
        depth: usize,
        unchecked: bool,
    ) -> Result<Vec<JobKey>, Refusal> {
        /// More successors than this are not run again at once.
        const MOST: usize = 1000;
        let mut seen = std::collections::BTreeSet::new();
        let (mut level, mut open, mut found) = (0, first, Vec::new());
        while level < depth && !open.is_empty() {
            let mut next = Vec::new();
            for job in open {
                if !seen.insert(job) {
                    continue;
                }
                let row = &self.plan.jobs[job];
                match row.status() {
                    _ if row.canceled => {}
                    Status::Hold | Status::Fence => continue,
                    Status::Succ | Status::Abend | Status::Fail | Status::Suppr => {}
                    _ if unchecked => continue,
                    status => {
                        let text = format!("{} behind it is {}", row.path(), status.text());
                        return Err(Refusal(text));
                    }
                }
                found.push(job);
                if found.len() > MOST {
                    return Err(Refusal(format!("more than {MOST} successors")));
                }
                next.extend(self.job_successors(Waiter::Job(job)));
            }
            open = next;
            level += 1;
        }
        Ok(found)
    }

    fn job_successors(&self, node: Waiter) -> Vec<JobKey> {
        let waiters = match node {
            Waiter::Job(job) => &self.plan.jobs[job].waiters,
            Waiter::Stream(stream) => &self.plan.streams[stream].waiters,
        };
        let jobs = waiters.iter().flat_map(|waiter| match waiter {
            Waiter::Job(job) => vec![*job],
            Waiter::Stream(stream) => self.plan.streams[*stream].jobs.clone(),
        });
        jobs.collect()
    }
}
