//! What ties failures together: one broken thing, several failed jobs.
//!
//! 1. Each night but the scripted first one has two to four incidents, the lost agent of
//!    [`Engine::outage`] and late files among them; seed and run number decide which.
//! 2. An incident hits a bounded number of runs, so a night stays a night.

use serde_json::{Value, json};

use super::Engine;
use crate::{
    dice::Dice,
    failure::{Failure, find},
    model::{Job, Waiter},
    names::{Secs, iso},
    table::StationKey,
};

/// Whom it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Station(StationKey),
    User(String),
    Folder(String),
}

/// One broken thing.
#[derive(Debug, Clone)]
pub(super) struct Incident {
    cause: &'static str,
    codes: &'static [&'static str],
    scope: Scope,
    from: Secs,
    until: Secs,
    /// Runs it still hits.
    left: u32,
    /// Paths of the jobs it has hit.
    hit: Vec<String>,
}

/// Cause, kinds of failure, and how many runs it hits at most.
const CAUSES: &[(&str, &[&str], u32)] = &[
    ("a file system is full", &["F05"], 5),
    ("a database account is locked", &["F04"], 6),
    ("the network to a partner is down", &["F08", "F11"], 5),
    ("a bad release", &["F14", "F15", "F16"], 6),
];

impl Engine {
    /// Plans what breaks this night.
    pub(super) fn break_things(&mut self) {
        self.incidents.clear();
        if self.plan.run_number == 1 || !self.setup.profile.has_failures() {
            return;
        }
        let mut dice = Dice::new(self.seed(), "incidents", "", self.plan.run_number);
        // With the lost agent, two to four in all.
        let wanted = dice.between(1, 3);
        let jobs: Vec<_> = self.plan.jobs.keys().collect();
        for _ in 0..wanted {
            let (Some((cause, codes, most)), Some(job)) = (dice.pick(CAUSES), dice.pick(&jobs))
            else {
                continue;
            };
            let row = &self.plan.jobs[*job];
            let scope = match *codes {
                ["F04"] => Scope::User(row.model.user.to_string()),
                ["F14", ..] => Scope::Folder(self.folder_of(Waiter::Job(*job)).to_owned()),
                _ => Scope::Station(row.model.station),
            };
            let from = self.plan.start + dice.between(3 * 3600, 12 * 3600);
            self.incidents.push(Incident {
                cause,
                codes,
                scope,
                from,
                until: from + dice.between(1800, 4 * 3600),
                left: *most,
                hit: Vec::new(),
            });
        }
        // One file in ten comes late, and nothing else is wrong with its job.
        for key in self.plan.files.keys() {
            let file = &mut self.plan.files[key];
            let mut dice = Dice::new(
                self.setup.seed,
                "late file",
                &file.path,
                self.plan.run_number,
            );
            if file.from >= self.plan.start && dice.chance(0.1) {
                file.from += dice.between(20, 90) * 60;
            }
        }
    }

    /// The failure that an incident brings over a run that starts now.
    pub(super) fn struck(&mut self, job: crate::table::JobKey) -> Option<&'static Failure> {
        let now = self.now;
        let row = &self.plan.jobs[job];
        let folder = &self.plan.streams[row.stream].model.folder;
        let strikes = |incident: &Incident, row: &Job| {
            incident.left > 0
                && (incident.from..incident.until).contains(&now)
                && match &incident.scope {
                    Scope::Station(station) => row.model.station == *station,
                    Scope::User(user) => row.model.user == *user,
                    Scope::Folder(hit) => folder == hit,
                }
        };
        let mut incidents = self.incidents.iter_mut();
        let incident = incidents.find(|incident| strikes(incident, row))?;
        incident.left -= 1;
        incident.hit.push(row.path().to_string());
        let id = row.persistent_id.to_string();
        let mut dice = Dice::new(self.setup.seed, "struck", &id, row.run.number);
        dice.pick(incident.codes).and_then(|code| find(code))
    }

    /// What is broken, and whom it has hit so far.
    pub(super) fn incidents(&self) -> Value {
        let row = |incident: &Incident| {
            let scope = match &incident.scope {
                Scope::Station(key) => self.catalogue.stations[*key].path().to_owned(),
                Scope::User(user) => user.clone(),
                Scope::Folder(folder) => folder.clone(),
            };
            json!({"cause": incident.cause, "kinds": incident.codes, "where": scope,
                   "from": iso(incident.from), "until": iso(incident.until),
                   "jobs": incident.hit})
        };
        self.incidents.iter().map(row).collect()
    }
}
