//! What an action is about, as it was read.

use super::{Job, JobStream, LinkState, Prompt, Resource, StateWord, Target, Workstation};

/// The object of an action, as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A job, boxed since it is so much larger.
    Job(Box<Job>),
    /// A job stream.
    Stream(JobStream),
    /// A workstation.
    Workstation(Workstation),
    /// A resource.
    Resource(Resource),
    /// A prompt.
    Prompt(Prompt),
}

impl Subject {
    /// What names it.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Job(job) => Target::Job(job.id.clone()),
            Self::Stream(stream) => Target::Stream(stream.id.clone()),
            Self::Workstation(station) => Target::Workstation(station.id.clone()),
            Self::Resource(resource) => Target::Resource(resource.id.clone()),
            Self::Prompt(prompt) => Target::Prompt(prompt.id.clone()),
        }
    }

    /// The state to show.
    #[must_use]
    pub fn state(&self) -> StateWord {
        match self {
            Self::Job(job) => job.state().into(),
            Self::Stream(stream) => stream.status.clone().into(),
            Self::Workstation(station) => StateWord::new(match station.link {
                LinkState::Linked => "LINKED",
                LinkState::Unlinked => "UNLINKED",
                LinkState::Unknown => "UNKNOWN",
            }),
            Self::Resource(resource) => {
                StateWord::new(resource.status.as_deref().unwrap_or("UNKNOWN"))
            }
            Self::Prompt(prompt) => StateWord::new(prompt.status.as_str()),
        }
    }

    /// The name that operators use.
    #[must_use]
    pub fn label(&self) -> String {
        let on = |workstation: &Option<String>, name: &str| match workstation {
            Some(workstation) => format!("{workstation}#{name}"),
            None => name.to_owned(),
        };
        match self {
            Self::Job(job) => job.label(),
            Self::Stream(stream) => on(&stream.workstation, &stream.name),
            Self::Workstation(station) => station.name.clone(),
            Self::Resource(resource) => on(&resource.workstation, &resource.name),
            Self::Prompt(prompt) => match (&prompt.name, prompt.number) {
                (Some(name), _) => name.clone(),
                (None, Some(number)) => format!("#{number}"),
                (None, None) => prompt.id.to_string(),
            },
        }
    }

    /// The job, when it is one.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        match self {
            Self::Job(job) => Some(job),
            _ => None,
        }
    }
}
