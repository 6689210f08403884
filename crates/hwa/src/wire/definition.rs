//! A definition of the wire: `{kind, key, def, status, actions}`, of which `def` matters.
//!
//! The task of a job is not read at all: it may hold secrets.

use resync_tws::model::{DefinitionId, JobDefinition, StreamDefinition};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::{
    List, Object, Place, Scalar, bare_workstation, folder, missing, required_id, required_name,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireDefinition {
    def: Object<WireDef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireDef {
    id: Scalar,
    name: Scalar,
    folder: Scalar,
    workstation: Scalar,
    description: Scalar,
    valid_from: Scalar,
    valid_to: Scalar,
    priority: Scalar,
    options: List<Scalar>,
    jobs: List<serde::de::IgnoredAny>,
    #[serde(rename = "type")]
    kind: Scalar,
    recovery: Object<WireRecovery>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireRecovery {
    action: Scalar,
}

impl WireDefinition {
    fn def(self, place: Place) -> Result<(DefinitionId, WireDef), GatewayError> {
        let def = self.def.0.ok_or_else(|| missing(place, "def"))?;
        Ok((required_id(&def.id, place, DefinitionId::parse)?, def))
    }

    /// The stream, or the place of what it cannot do without.
    pub(crate) fn stream(self, place: Place) -> Result<StreamDefinition, GatewayError> {
        let (id, def) = self.def(place)?;
        let is_draft = |option: &Scalar| {
            option
                .str()
                .is_some_and(|word| word.eq_ignore_ascii_case("draft"))
        };
        Ok(StreamDefinition {
            id,
            name: required_name(def.name, place)?,
            folder: folder(def.folder),
            workstation: bare_workstation(&def.workstation),
            description: def.description.into_text(),
            valid_from: def.valid_from.into_text(),
            valid_to: def.valid_to.into_text(),
            priority: def.priority.number(),
            draft: def.options.items().iter().any(is_draft),
            jobs: def.jobs.0.and_then(|jobs| u32::try_from(jobs.len()).ok()),
        })
    }

    /// The job, or the place of what it cannot do without.
    pub(crate) fn job(self, place: Place) -> Result<JobDefinition, GatewayError> {
        let (id, def) = self.def(place)?;
        Ok(JobDefinition {
            id,
            name: required_name(def.name, place)?,
            folder: folder(def.folder),
            workstation: bare_workstation(&def.workstation),
            description: def.description.into_text(),
            kind: def.kind.into_text(),
            recovery: def.recovery.or_default().action.into_text(),
        })
    }
}
