//! The names that the plan really has, to check the words of a question against.
//!
//! Invariant: a name is found whatever its case, and comes back as the engine writes it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use resync_tws::model::{Job, JobId, Phase};

/// A job of the plan, as far as a question needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// The engine's id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// `WORKSTATION#STREAM.JOB`.
    pub label: String,
    /// Its stream's name.
    pub stream: Option<String>,
    /// Its workstation.
    pub workstation: Option<String>,
    /// Its planned position in time.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The group of its state when the plan was read.
    pub phase: Phase,
}

impl From<&Job> for JobRef {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.clone(),
            name: job.name.clone(),
            label: job.label(),
            stream: job.stream.name.clone(),
            workstation: job.workstation.clone(),
            scheduled_at: job.scheduled_at,
            phase: job.phase(),
        }
    }
}

/// The names of one engine's plan.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    jobs: HashMap<String, Vec<JobRef>>,
    ids: HashMap<String, JobRef>,
    streams: HashMap<String, String>,
    workstations: HashMap<String, String>,
    engines: HashMap<String, String>,
    /// What a name is compared by: its letters as bits, its key, and the name as the engine writes
    /// it; each name once, in the order of the keys.
    compared: Vec<(u64, String, String)>,
}

/// How many names are offered.
const OFFERED: usize = 3;

impl Vocabulary {
    /// The names of `jobs`, of their streams, and of `workstations`.
    pub fn new<'a>(
        jobs: impl IntoIterator<Item = &'a Job>,
        workstations: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut names = Self::default();
        for job in jobs {
            let known = JobRef::from(job);
            if let Some(stream) = &known.stream {
                names
                    .streams
                    .entry(key(stream))
                    .or_insert_with(|| stream.clone());
            }
            for workstation in [&job.workstation, &job.stream.workstation]
                .into_iter()
                .flatten()
            {
                names.add_workstation(workstation);
            }
            names.ids.insert(key(job.id.as_str()), known.clone());
            names.jobs.entry(key(&job.name)).or_default().push(known);
        }
        for workstation in workstations {
            names.add_workstation(workstation);
        }
        names.compared = names.comparable();
        names
    }

    /// With the names of the engines that can be asked.
    #[must_use]
    pub fn with_engines<'a>(mut self, engines: impl IntoIterator<Item = &'a str>) -> Self {
        self.engines = engines
            .into_iter()
            .map(|name| (key(name), name.to_owned()))
            .collect();
        self
    }

    fn comparable(&self) -> Vec<(u64, String, String)> {
        let jobs = self.jobs.iter();
        let jobs = jobs.filter_map(|(key, jobs)| Some((key, &jobs.first()?.name)));
        let others = self.streams.iter().chain(&self.workstations);
        let mut names: Vec<_> = jobs
            .chain(others)
            .map(|(key, name)| (letters(key), key.clone(), name.clone()))
            .collect();
        names.sort_unstable_by(|a, b| a.1.cmp(&b.1));
        names.dedup_by(|a, b| a.1 == b.1);
        names
    }

    /// The engine of that name, as it is configured.
    #[must_use]
    pub fn engine(&self, name: &str) -> Option<&str> {
        self.engines.get(&key(name)).map(String::as_str)
    }

    fn add_workstation(&mut self, name: &str) {
        self.workstations
            .entry(key(name))
            .or_insert_with(|| name.to_owned());
    }

    /// The jobs of that name; more than one when several streams or days have it.
    #[must_use]
    pub fn jobs(&self, name: &str) -> &[JobRef] {
        self.jobs.get(&key(name)).map_or(&[], Vec::as_slice)
    }

    /// The job with that id of the engine.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&JobRef> {
        self.ids.get(&key(id))
    }

    /// The stream of that name, as the engine writes it.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&str> {
        self.streams.get(&key(name)).map(String::as_str)
    }

    /// The workstation of that name, as the engine writes it.
    #[must_use]
    pub fn workstation(&self, name: &str) -> Option<&str> {
        self.workstations.get(&key(name)).map(String::as_str)
    }

    /// Whether it is the name of a job, a stream or a workstation.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let key = key(name);
        self.jobs.contains_key(&key)
            || self.streams.contains_key(&key)
            || self.workstations.contains_key(&key)
    }

    /// Whether the plan has a job or a stream written exactly so, case included.
    #[must_use]
    pub fn has_exactly(&self, name: &str) -> bool {
        self.jobs(name).iter().any(|job| job.name == name)
            || self.stream(name) == Some(name)
            || self.workstation(name) == Some(name)
    }

    /// Names like `name`, most alike first, at most three: two slips of the pen away, one for names of
    /// fewer than five characters, or longer by a part.
    #[must_use]
    pub fn alike(&self, name: &str) -> Vec<String> {
        let wanted = key(name);
        let (bits, length) = (letters(&wanted), wanted.chars().count());
        let allowed = if length < 5 { 1 } else { 2 };
        let mut found: BTreeSet<(usize, &str)> = BTreeSet::new();
        for (candidate_bits, candidate, written) in &self.compared {
            let longer = length >= 3 && candidate.contains(wanted.as_str());
            // Each edit changes at most two of the letters that are there: a name with more others
            // is not compared.
            let others = (bits ^ candidate_bits).count_ones();
            if others as usize <= 2 * allowed && candidate.len().abs_diff(wanted.len()) <= allowed {
                let edits = strsim::damerau_levenshtein(&wanted, candidate);
                if edits <= allowed {
                    found.insert((edits, written));
                    continue;
                }
            }
            if longer {
                found.insert((LONGER + candidate.len(), written));
            }
        }
        found
            .into_iter()
            .take(OFFERED)
            .map(|(_, name)| name.to_owned())
            .collect()
    }
}

/// The rank of a name that is longer by a part, behind those that are slips.
const LONGER: usize = 10;

/// Which letters and digits a name has, as bits.
fn letters(key: &str) -> u64 {
    key.bytes()
        .fold(0, |bits, byte| bits | 1_u64.rotate_left(u32::from(byte)))
}

fn key(name: &str) -> String {
    name.to_uppercase()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use resync_tws::model::{JobStatus, StreamRef};

    pub(crate) fn job(name: &str, stream: &str, workstation: &str) -> Job {
        let id = JobId::parse(&format!("id-{workstation}-{stream}-{name}")).unwrap();
        Job {
            workstation: Some(workstation.to_owned()),
            stream: StreamRef {
                id: None,
                name: Some(stream.to_owned()),
                workstation: Some(workstation.to_owned()),
            },
            priority: Some(10),
            ..Job::bare(id, name, JobStatus::Succ)
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_come_back_as_written() {
        let jobs = [
            job("FIN_GL_POST", "FIN_EOD", "LX_PRD01"),
            job("cleanup", "HOUSE", "LX_PRD01"),
        ];
        let names = Vocabulary::new(&jobs, ["LX_PRD02"]);
        assert_eq!(
            names.jobs("fin_gl_post")[0].label,
            "LX_PRD01#FIN_EOD.FIN_GL_POST"
        );
        assert_eq!(names.workstation("lx_prd02"), Some("LX_PRD02"));
        assert_eq!(names.stream("Fin_Eod"), Some("FIN_EOD"));
        assert!(names.has_exactly("cleanup") && !names.has_exactly("CLEANUP"));
        assert_eq!(
            names.by_id("id-LX_PRD01-HOUSE-cleanup").unwrap().name,
            "cleanup"
        );
    }

    #[test]
    fn a_slip_of_the_pen_is_offered_and_a_stranger_is_not() {
        let jobs = [
            job("FIN_GL_POST", "FIN_EOD", "LX_PRD01"),
            job("PAY_CALC", "PAYROLL", "LX_PRD01"),
        ];
        let names = Vocabulary::new(&jobs, []);
        assert_eq!(names.alike("FIN_GL_PSOT"), ["FIN_GL_POST"]);
        assert_eq!(names.alike("PAYROL"), ["PAYROLL"]);
        assert!(names.alike("ZZZ_UNKNOWN").is_empty());
    }
}
