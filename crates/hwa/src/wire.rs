//! The objects of the wire, and how they become ours.
//!
//! Only fields that we use are named; others are skipped. An object without an id or a name fails its
//! whole answer with its place in it: a page with a hole would let someone believe that a job does
//! not exist. Two things are left out instead, since the object around them says enough without: a
//! run without an id (it can be asked for nothing; the job has its own status), and the id of a
//! predecessor that cannot stand in a URL. A status that is missing reads as undecided.

mod definition;
mod job;
mod lenient;
mod prompt;
mod resource;
mod stream;
mod workstation;

pub(crate) use definition::WireDefinition;
pub(crate) use job::WireJob;
pub(crate) use lenient::{List, Object, Scalar};
pub(crate) use prompt::{Waiting, WirePrompt, WireWaiting};
pub(crate) use resource::WireResource;
pub(crate) use stream::WireStream;
pub(crate) use workstation::WireWorkstation;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use resync_tws::model::{EngineInfo, JobStatus, NameError, Neighbour, folder_with_slash};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

/// Where an object stands in its answer, for what is said of it. Written only when something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The answer itself.
    Whole(&'static str),
    /// An element of `results`.
    Result(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(name) => f.write_str(name),
            Self::Result(index) => write!(f, "results[{index}]"),
        }
    }
}

/// `/engine/info`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireEngineInfo {
    display_version: Scalar,
    full_version: Scalar,
    timezone: Scalar,
    capabilities: serde_json::Value,
}

impl From<WireEngineInfo> for EngineInfo {
    fn from(wire: WireEngineInfo) -> Self {
        Self {
            version: wire
                .display_version
                .text()
                .or_else(|| wire.full_version.text()),
            timezone: wire.timezone.text(),
            // Our simulator says so; a real engine has no such capability.
            simulated: wire.capabilities.get("simulator").is_some(),
        }
    }
}

/// A job or a stream, told apart by `flowNodeType`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireNode {
    flow_node_type: Scalar,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl WireNode {
    pub(crate) fn read(self, place: Place) -> Result<Neighbour, GatewayError> {
        let kind = self.flow_node_type.text();
        // A job knows its stream's name; a stream has a name of its own kind.
        let is_stream = match kind.as_deref() {
            Some("JOBSTREAM") => true,
            Some("JOB") => false,
            _ => self.rest.contains_key("originalJobStreamName"),
        };
        let value = serde_json::Value::Object(self.rest);
        if is_stream {
            let wire = WireStream::deserialize(value).map_err(|_| missing(place, "object"))?;
            Ok(Neighbour::Stream(wire.read(place)?))
        } else {
            let wire = WireJob::deserialize(value).map_err(|_| missing(place, "object"))?;
            Ok(Neighbour::Job(Box::new(wire.read(place)?)))
        }
    }
}

/// `compositeStatus` of jobs, runs and streams.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireComposite {
    pub(crate) status: Scalar,
    pub(crate) substatus: Scalar,
    pub(crate) canceled: Scalar,
    pub(crate) cancel_pending: Scalar,
}

impl WireComposite {
    pub(crate) fn status(&self) -> Option<JobStatus> {
        self.status.str().map(|word| read_status(&word))
    }
}

/// Words of streams that jobs spell otherwise, then [`JobStatus::read`].
pub(crate) fn read_status(word: &str) -> JobStatus {
    match word.trim() {
        "UNDECIDED" => JobStatus::Undecided,
        word => JobStatus::read(word),
    }
}

/// What a common status says of the internal one, when it stands alone. The others group several,
/// and are kept as words that we do not know.
pub(crate) fn status_from_common(word: &str) -> JobStatus {
    match word.trim() {
        "READY" => JobStatus::Ready,
        "RUNNING" => JobStatus::Exec,
        "SUCCESSFUL" | "SUCCEED" => JobStatus::Succ,
        "CANCELED" => JobStatus::Cancl,
        "HELD" => JobStatus::Hold,
        "SUPPRESS" | "SUPPRESS_BY_COND" => JobStatus::Suppr,
        "UNDECIDED" => JobStatus::Undecided,
        other => JobStatus::Other(other.into()),
    }
}

/// `/FOLDER/WKS` as `WKS`.
pub(crate) fn bare_workstation(text: &Scalar) -> Option<String> {
    let text = text.str()?;
    let bare = text.rsplit('/').next().unwrap_or(&text);
    (!bare.is_empty()).then(|| bare.to_owned())
}

/// A folder with its last slash.
pub(crate) fn folder(text: Scalar) -> Option<String> {
    match text.into_text() {
        Some(text) if text.ends_with('/') => Some(text),
        other => other.map(|text| folder_with_slash(&text)),
    }
}

/// An answer that cannot be used, by the place of what is missing.
pub(crate) fn missing(place: Place, what: &str) -> GatewayError {
    GatewayError::Unreadable(Arc::from(format!("{place}.{what} is missing")))
}

/// Reads an id that the object cannot do without.
pub(crate) fn required_id<T>(
    value: &Scalar,
    place: Place,
    parse: fn(&str) -> Result<T, NameError>,
) -> Result<T, GatewayError> {
    let text = value.str().ok_or_else(|| missing(place, "id"))?;
    parse(&text)
        .map_err(|error| GatewayError::Unreadable(Arc::from(format!("{place}.id: {error}"))))
}

/// An id that the object can do without.
pub(crate) fn optional_id<T, E>(value: &Scalar, parse: fn(&str) -> Result<T, E>) -> Option<T> {
    value.str().and_then(|text: Cow<'_, str>| parse(&text).ok())
}

/// Reads a name that the object cannot do without.
pub(crate) fn required_name(value: Scalar, place: Place) -> Result<String, GatewayError> {
    value.into_text().ok_or_else(|| missing(place, "name"))
}
