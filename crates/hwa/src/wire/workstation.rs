//! A workstation of the wire: `WorkstationInPlanV2`, whose link is derived from its active states.

use resync_tws::model::{LinkState, Workstation, WorkstationId};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::{List, Place, Scalar, folder, required_id, required_name};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireWorkstation {
    id: Scalar,
    name: Scalar,
    folder: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
    os: Scalar,
    limit: Scalar,
    fence: Scalar,
    active_states: List<Scalar>,
    ignore: Scalar,
}

/// Any of these is a link; the master is linked to itself without one.
const LINKED: [&str; 8] = [
    "LINKED",
    "FULLY_LINKED",
    "FULLYLINKED",
    "DIRECTLY_LINKED",
    "HOST_LINKED",
    "EXTENDED_LINKED",
    "TCP_IP_LINKED",
    "MASTER",
];

/// Any of these means that it can start jobs.
const RUNNING: [&str; 3] = ["JOBMAN_UP", "RUNNING", "INSTALLED_AND_RUNNING"];

/// Kinds without a job manager of their own, by both spellings: its absence says nothing.
const WITHOUT_JOBMAN: [&str; 8] = [
    "POOL",
    "D-POOL",
    "DYNAMIC_POOL",
    "X-AGENT",
    "XA",
    "REM-ENG",
    "BROKER",
    "WORKLOAD_BROKER",
];

impl WireWorkstation {
    /// The workstation, or the place of what it cannot do without.
    pub(crate) fn read(self, place: Place) -> Result<Workstation, GatewayError> {
        let kind = self.kind.text();
        let states: Option<Vec<String>> = self
            .active_states
            .0
            .as_ref()
            .map(|states| states.iter().filter_map(Scalar::text).collect());
        let has = |words: &[&str]| {
            states
                .as_ref()
                .map(|states| states.iter().any(|state| words.contains(&state.as_str())))
        };
        let link = match has(&LINKED) {
            Some(true) => LinkState::Linked,
            Some(false) => LinkState::Unlinked,
            None => LinkState::Unknown,
        };
        let without = kind
            .as_deref()
            .is_some_and(|kind| WITHOUT_JOBMAN.contains(&kind));
        let jobman_up = has(&RUNNING).filter(|up| *up || !without);
        Ok(Workstation {
            id: required_id(&self.id, place, WorkstationId::parse)?,
            name: required_name(self.name, place)?,
            folder: folder(self.folder),
            kind,
            os: self.os.text(),
            limit: self.limit.number(),
            fence: self.fence.number(),
            link,
            jobman_up,
            ignored: self.ignore.is_set(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Workstation {
        serde_json::from_str::<WireWorkstation>(json)
            .unwrap()
            .read(Place::Whole("workstation"))
            .unwrap()
    }

    #[test]
    fn the_link_is_derived_from_the_active_states() {
        for (states, link, jobman) in [
            (r#"["LINKED","JOBMAN_UP"]"#, LinkState::Linked, Some(true)),
            (r#"["FULLYLINKED"]"#, LinkState::Linked, Some(false)),
            (r#"["MASTER","JOBMAN_UP"]"#, LinkState::Linked, Some(true)),
            (r#"["IS_INITED"]"#, LinkState::Unlinked, Some(false)),
            ("[]", LinkState::Unlinked, Some(false)),
            ("null", LinkState::Unknown, None),
            ("\"LINKED\"", LinkState::Unknown, None),
        ] {
            let ws = read(&format!(
                r#"{{"id":"a","name":"W","type":"FTA","activeStates":{states},"limit":-1}}"#
            ));
            assert_eq!((ws.link, ws.jobman_up), (link, jobman), "{states}");
            assert_eq!(ws.limit, None);
        }
        let pool = read(r#"{"id":"a","name":"W","type":"D-POOL","activeStates":["LINKED"]}"#);
        assert_eq!(pool.jobman_up, None);
    }
}
