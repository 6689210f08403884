//! Other readings of a silent document, to be chosen one by one.
//!
//! A client must survive each of them; none is on by default.

use std::str::FromStr;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{dice::Dice, names::ZONE};

/// A way in which an engine may differ from what this one does by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Absent optional fields of plan objects are sent as `null`.
    Nulls,
    /// Plan objects carry fields that no document knows.
    ExtraFields,
    /// About one in seven plan objects has the status `QUEUED_NEW`.
    UnknownEnums,
    /// Instants are sent with the offset of the engine's zone instead of `Z`.
    DatesOffset,
    /// Releasing what is not held answers 200 and changes nothing.
    ReleaseNoop,
    /// `next` and `previous` are `null` where there is no such page.
    NextNull,
    /// The log of a run that has not started is an empty text instead of 404.
    LogEmpty,
}

/// A name that is no quirk.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no quirk is called {0:?}")]
pub struct UnknownQuirk(String);

const NAMES: &[(&str, Quirk)] = &[
    ("nulls", Quirk::Nulls),
    ("extra_fields", Quirk::ExtraFields),
    ("unknown_enums", Quirk::UnknownEnums),
    ("dates_offset", Quirk::DatesOffset),
    ("release_noop", Quirk::ReleaseNoop),
    ("next_null", Quirk::NextNull),
    ("log_empty", Quirk::LogEmpty),
];

impl FromStr for Quirk {
    type Err = UnknownQuirk;

    fn from_str(name: &str) -> Result<Self, UnknownQuirk> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, quirk)| *quirk)
            .ok_or_else(|| UnknownQuirk(name.to_owned()))
    }
}

/// Optional fields of plan objects that our plans never or not always fill.
const OPTIONAL: &[&str] = &[
    "cpuTime",
    "criticalStart",
    "endTime",
    "confidenceInterval",
    "repeatInterval",
    "timeRestrictions",
    "timeInfo",
    "dependencies",
    "dependenciesStats",
    "jobDefinition",
    "aliasJobStreamName",
    "serviceName",
    "submitter",
    "variableTableId",
    "approvalInfo",
    "returnCode",
    "jobNumber",
    "submittedTime",
    "step",
    "substatus",
    "actualStartTime",
    "actualEndTime",
    "elapsedTime",
];

/// Changes a body the way the quirks ask for.
pub(super) fn apply(settings: &super::Settings, seed: u64, body: &mut Value) {
    if settings.quirks.is_empty() {
        return;
    }
    walk(settings, seed, body);
}

fn walk(settings: &super::Settings, seed: u64, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(settings, seed, item)),
        Value::Object(fields) => {
            for item in fields.values_mut() {
                walk(settings, seed, item);
            }
            object(settings, seed, fields);
        }
        Value::String(text) if settings.has(Quirk::DatesOffset) => {
            if text.len() == 20
                && let Ok(at) = chrono::DateTime::parse_from_rfc3339(text)
            {
                *text = at.with_timezone(&ZONE).to_rfc3339();
            }
        }
        _ => {}
    }
}

fn object(settings: &super::Settings, seed: u64, fields: &mut Map<String, Value>) {
    let is_node = fields.contains_key("flowNodeType");
    let is_plan_object = is_node || fields.contains_key("engineId");
    let is_part = fields.contains_key("estimatedDuration")
        || fields.contains_key("rerunType")
        || fields.contains_key("cancelPending");
    if settings.has(Quirk::Nulls) && (is_plan_object || is_part) {
        for name in OPTIONAL {
            fields.entry(*name).or_insert(Value::Null);
        }
    }
    if settings.has(Quirk::ExtraFields) && is_plan_object {
        fields.insert(
            "futureField".to_owned(),
            json!({"nested": [1, "two", null]}),
        );
        fields.insert("xInternal".to_owned(), json!(true));
    }
    if settings.has(Quirk::UnknownEnums) && is_node {
        let id = fields
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if Dice::new(seed, "unknown enum", &id, 0).between(1, 7) == 1 {
            for part in ["lastRunCompositeStatus", "compositeStatus"] {
                if let Some(Value::Object(status)) = fields.get_mut(part) {
                    status.insert("status".to_owned(), json!("QUEUED_NEW"));
                }
            }
            for part in ["lastRunCommonStatus", "commonStatus"] {
                if let Some(status) = fields.get_mut(part) {
                    *status = json!("QUEUED_NEW");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_others_are_not() {
        for (name, quirk) in NAMES {
            assert_eq!(name.parse::<Quirk>(), Ok(*quirk));
        }
        assert!("strict".parse::<Quirk>().is_err());
    }
}
