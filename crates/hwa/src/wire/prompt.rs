//! A prompt of the wire: an element of its own list, or a dependency of a job or a stream.
//!
//! The list is in no document; what it sends is read by either of two spellings for each field.

use resync_tws::model::{Prompt, PromptId, PromptStatus};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::{List, Object, Place, Scalar, bare_workstation, folder, optional_id, required_id};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WirePrompt {
    id: Scalar,
    name: Scalar,
    prompt_name: Scalar,
    folder: Scalar,
    text: Scalar,
    status: Scalar,
    prompt_status: Scalar,
    number: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
    prompt_type: Scalar,
    job_key: Scalar,
    job_stream_key: Scalar,
}

impl WirePrompt {
    /// The prompt, or the place of what it cannot do without.
    pub(crate) fn read(self, place: Place) -> Result<Prompt, GatewayError> {
        let id = required_id(&self.id, place, PromptId::parse)?;
        Ok(self.with(id))
    }

    fn with(self, id: PromptId) -> Prompt {
        let status = self.prompt_status.str().or_else(|| self.status.str());
        let holder = self.job_key.into_text();
        let holder = holder.or(self.job_stream_key.into_text());
        Prompt {
            id,
            status: PromptStatus::read(status.as_deref().unwrap_or("UNKNOWN")),
            name: self.prompt_name.into_text().or(self.name.into_text()),
            folder: folder(self.folder),
            text: self.text.into_text(),
            number: self.number.number(),
            kind: self.prompt_type.into_text().or(self.kind.into_text()),
            waiting_count: u64::from(holder.is_some()),
            waiting: holder.into_iter().collect(),
        }
    }
}

/// A job or a stream, as far as the prompts go that it waits for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireWaiting {
    id: Scalar,
    key: Scalar,
    name: Scalar,
    workstation: Scalar,
    job_stream_name: Scalar,
    dependencies: List<Object<WireNeed>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireNeed {
    dependency_type: Scalar,
    id: Scalar,
    prompt_name: Scalar,
    text: Scalar,
    prompt_status: Scalar,
    number: Scalar,
    prompt_type: Scalar,
}

/// What waits, and for which prompts.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its id, when it has one.
    pub(crate) id: Option<String>,
    /// Each is waited for by this one alone.
    pub(crate) prompts: Vec<Prompt>,
}

impl WireWaiting {
    /// The prompts that it waits for. One without a usable id can be neither shown nor answered as
    /// itself, and is left out; its holder shows as waiting all the same.
    pub(crate) fn read(self) -> Waiting {
        let (label, id) = (self.label(), self.id.text());
        let needs = self.dependencies.into_items().into_iter();
        let prompts = needs
            .filter_map(|need| need.0)
            .filter(|need| need.dependency_type.str().as_deref() == Some("PROMPT"))
            .filter_map(|need| {
                let id = optional_id(&need.id, PromptId::parse)?;
                let prompt = WirePrompt {
                    prompt_name: need.prompt_name,
                    text: need.text,
                    prompt_status: need.prompt_status,
                    number: need.number,
                    prompt_type: need.prompt_type,
                    ..WirePrompt::default()
                };
                let mut prompt = prompt.with(id);
                if let Some(label) = &label {
                    prompt.add_waiting(label.clone());
                }
                Some(prompt)
            });
        Waiting {
            id,
            prompts: prompts.collect(),
        }
    }

    /// `WORKSTATION#STREAM.JOB`, or the engine's own key.
    fn label(&self) -> Option<String> {
        let name = self.name.text();
        match (bare_workstation(&self.workstation), name) {
            (Some(workstation), Some(name)) => Some(match self.job_stream_name.str() {
                Some(stream) => format!("{workstation}#{stream}.{name}"),
                None => format!("{workstation}#{name}"),
            }),
            (None, name) => name.or_else(|| self.key.text()),
            (Some(_), None) => self.key.text(),
        }
    }
}
