//! Other readings of a silent document, to be chosen one by one.
//!
//! A client must survive each of them; none is on by default.

use std::str::FromStr;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{
    dice::Dice,
    names::{ZONE, parse_duration},
};

/// Declares the quirks and their names on the command line in one place.
macro_rules! quirks {
    ($($(#[$doc:meta])* $quirk:ident = $name:literal,)+) => {
        /// A way in which an engine may differ from what this one does by default.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quirk {
            $($(#[$doc])* $quirk,)+
        }

        const NAMES: &[(&str, Quirk)] = &[$(($name, Quirk::$quirk)),+];
    };
}

quirks! {
    /// Absent optional fields of plan objects are sent as `null`.
    Nulls = "nulls",
    /// Plan objects carry fields that no document knows.
    ExtraFields = "extra_fields",
    /// About one in seven plan objects has the status `QUEUED_NEW`.
    UnknownEnums = "unknown_enums",
    /// Instants are sent with the offset of the engine's zone instead of `Z`.
    DatesOffset = "dates_offset",
    /// Releasing what is not held answers 200 and changes nothing.
    ReleaseNoop = "release_noop",
    /// `next` and `previous` are `null` where there is no such page.
    NextNull = "next_null",
    /// `next` and `previous` are empty texts where there is no such page.
    NextEmpty = "next_empty",
    /// The log of a run that has not started is an empty text instead of 404.
    LogEmpty = "log_empty",
    /// Integers and booleans in `task`, statistics and counts are sent as texts.
    Stringly = "stringly",
    /// Booleans with two names come under the older one alone: `isError`, `isCommand`, `isSatisfied`
    /// and `isService` are not sent, `error`, `command`, `satisfied` and `service` are.
    Isless = "isless",
    /// Instants and durations are sent as integers in milliseconds.
    DatesMillis = "dates_millis",
    /// Without ORDER BY each page has an order of its own, and another one once the plan has changed.
    UnstableOrder = "unstable_order",
    /// An action by filter that matches nothing answers 404.
    NomatchNotFound = "nomatch_404",
    /// An action by filter that matches too much acts on the first ones.
    FirstN = "first_n",
    /// Confirming where it changes nothing answers 400.
    ConfirmBad = "confirm_400",
    /// The day's edge leaves ids as they are.
    IdsSurvive = "ids_survive",
    /// A filter with a value outside an enumeration finds nothing instead of answering 400.
    UnknownEnumEmpty = "unknown_enum_empty",
    /// A job that was not started in time and must not run stays in HOLD.
    LateHold = "late_hold",
    /// `count` is left out of every list.
    NoCount = "no_count",
    /// Lists answer without `results` when there are none.
    NoResults = "no_results",
}

/// A name that is no quirk.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no quirk is called {0:?}")]
pub struct UnknownQuirk(String);

impl Quirk {
    /// Every quirk with its name on the command line.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        NAMES.iter().copied()
    }
}

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
        Value::String(text) => {
            if let Some(changed) = instant(settings, text) {
                *value = changed;
            }
        }
        _ => {}
    }
}

/// An instant or a duration in another spelling.
fn instant(settings: &super::Settings, text: &str) -> Option<Value> {
    let (offset, millis) = (
        settings.has(Quirk::DatesOffset),
        settings.has(Quirk::DatesMillis),
    );
    if millis
        && text.len() > 2
        && let Some(seconds) = parse_duration(text)
    {
        return Some(json!(seconds.saturating_mul(1000)));
    }
    if !(offset || millis) || text.len() != 20 {
        return None;
    }
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(if millis {
        json!(at.timestamp_millis())
    } else {
        json!(at.with_timezone(&ZONE).to_rfc3339())
    })
}

/// Objects whose numbers and flags some engines send as texts.
const STRINGLY: &[&str] = &[
    "task",
    "jobStreamStats",
    "dependenciesStats",
    "groupedCount",
];

fn stringly(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(stringly),
        Value::Array(items) => items.iter_mut().for_each(stringly),
        Value::Number(_) | Value::Bool(_) => *value = Value::String(value.to_string()),
        Value::Null | Value::String(_) => {}
    }
}

fn object(settings: &super::Settings, seed: u64, fields: &mut Map<String, Value>) {
    if settings.has(Quirk::Stringly) {
        for part in STRINGLY {
            if let Some(part) = fields.get_mut(*part) {
                stringly(part);
            }
        }
    }
    if settings.has(Quirk::Isless) {
        for name in [
            "isError",
            "isCommand",
            "isSatisfied",
            "isService",
            "isSuccCondition",
        ] {
            if let Some(value) = fields.remove(name) {
                let older = name.trim_start_matches("is");
                let mut letters = older.chars();
                let first = letters.next().map(|first| first.to_ascii_lowercase());
                let older = first.into_iter().chain(letters).collect::<String>();
                fields.insert(older, value);
            }
        }
    }
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
