//! The things that a message names.

use std::collections::BTreeMap;

use resync_tws::model::ActionKind;
use serde::Serialize;

use crate::text::name;
use crate::vocabulary::JobRef;

/// A job that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedJob {
    /// The name as the engine writes it; as the person wrote it when the plan could not be read.
    pub name: String,
    /// The jobs that it may be; empty when the plan could not be read.
    pub candidates: Vec<JobRef>,
}

/// A word written like a name that the plan does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownName {
    /// As written.
    pub text: String,
    /// Names like it, most alike first, at most three.
    pub alike: Vec<String>,
}

/// What a message names, each once, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entities {
    /// Jobs.
    pub jobs: Vec<NamedJob>,
    /// Streams.
    pub streams: Vec<String>,
    /// Workstations.
    pub workstations: Vec<String>,
    /// Engines.
    pub engines: Vec<String>,
    /// Names with wildcards.
    pub patterns: Vec<String>,
    /// Written like names, and not in the plan.
    pub unknown: Vec<UnknownName>,
    /// Return codes, digits.
    pub return_codes: Vec<String>,
    /// Ids of messages, such as `ORA-00060`.
    pub message_ids: Vec<String>,
    /// Statuses in normal form.
    pub statuses: Vec<String>,
    /// Spans of time in normal form.
    pub windows: Vec<String>,
    /// Commands that were given.
    pub actions: Vec<ActionKind>,
}

impl Entities {
    /// Values by type, for answers: `job`, `job_stream`, `workstation`, `status`, `rc`,
    /// `message_code`, `time_window`, `engine`. Names are in upper case. Types without a value are
    /// left out.
    #[must_use]
    pub fn by_type(&self) -> BTreeMap<String, Vec<String>> {
        let upper = |names: &[String]| names.iter().map(|each| normal(each)).collect::<Vec<_>>();
        let jobs: Vec<String> = self.jobs.iter().map(|job| normal(&job.name)).collect();
        let all: [(&str, Vec<String>); 8] = [
            ("job", jobs),
            ("job_stream", upper(&self.streams)),
            ("workstation", upper(&self.workstations)),
            ("engine", upper(&self.engines)),
            ("status", self.statuses.clone()),
            ("rc", self.return_codes.clone()),
            ("message_code", self.message_ids.clone()),
            ("time_window", self.windows.clone()),
        ];
        all.into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(kind, values)| (kind.to_owned(), values))
            .collect()
    }

    /// Whether it names anything of the plan.
    #[must_use]
    pub fn names_any(&self) -> bool {
        let lists = [&self.streams, &self.workstations, &self.patterns];
        !self.jobs.is_empty()
            || !self.unknown.is_empty()
            || lists.iter().any(|names| !names.is_empty())
    }
}

/// A name in the form of answers.
pub(super) fn normal(written: &str) -> String {
    name(written).to_uppercase()
}

/// Adds `value` once.
pub(super) fn push(list: &mut Vec<String>, value: &str) {
    if !list.iter().any(|known| known == value) {
        list.push(value.to_owned());
    }
}

/// `AWSBHT002E`, `ORA-00060`, `SQL0911N`, `IEC030I`, `AMQ9202`.
pub(crate) fn is_message_id(raw: &str) -> bool {
    let upper = raw.to_uppercase();
    let is_number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    for prefix in [
        "ORA-", "TNS-", "PLS-", "RMAN-", "SP2-", "ORA", "AMQ", "DB2-",
    ] {
        if let Some(number) = upper.strip_prefix(prefix) {
            let number = number.trim_end_matches(['E', 'I', 'W']);
            if is_number(number, 4..=5) {
                return true;
            }
        }
    }
    let letters = upper.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = upper
        .bytes()
        .skip(letters)
        .take_while(u8::is_ascii_digit)
        .count();
    let rest: Vec<u8> = upper.bytes().skip(letters + digits).collect();
    (3..=8).contains(&letters)
        && (3..=5).contains(&digits)
        && matches!(rest.as_slice(), [last] if b"EIWNCASDR".contains(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_messages_are_told_from_names() {
        for id in [
            "AWSBHT001E",
            "ora-00060",
            "SQL0911N",
            "IEC030I",
            "AMQ9202E",
            "TNS-12541",
        ] {
            assert!(is_message_id(id), "{id}");
        }
        for name in [
            "FIN_GL_POST",
            "BACKUP_DB2",
            "LX_PRD01",
            "SAP_JOB77",
            "DWH_CUST01",
        ] {
            assert!(!is_message_id(name), "{name}");
        }
    }

    #[test]
    fn names_are_in_upper_case_and_types_without_a_value_are_left_out() {
        let entities = Entities {
            streams: vec!["Fin_Eod".to_owned()],
            ..Entities::default()
        };
        let found: Vec<_> = entities.by_type().into_iter().collect();
        assert_eq!(
            found,
            [("job_stream".to_owned(), vec!["FIN_EOD".to_owned()])]
        );
    }
}
