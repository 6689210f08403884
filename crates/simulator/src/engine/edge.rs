//! The day's edge: one plan ends, the next begins.
//!
//! 1. Ended streams stay behind, unfinished ones go on in the new plan under new ids.
//! 2. What runs goes on running: its slot, its resources and its end move along.
//! 3. Around the switch reads are refused for 30 to 90 s, as the database is busy.

use std::{cmp::Reverse, collections::HashMap};

use super::{By, Command, Deed, Due, Engine, Event, Help, Index, RerunDetails};
use crate::{
    dice::Dice,
    model::{Answer, Waiter},
    names::{Secs, local_hour},
    plan::{
        bank,
        instances::{self, Moves},
    },
    profile::Profile,
    table::JobKey,
};

/// When the switch happens after the plan's end, and when reads are refused.
pub(super) struct Edge {
    pub(super) switch: Secs,
    outage: std::ops::Range<Secs>,
}

impl Engine {
    pub(super) fn edge(&self) -> Edge {
        let mut dice = Dice::new(self.seed(), "edge", "", self.plan.run_number);
        let switch = self.plan.end + dice.between(60, 240);
        let from = switch - dice.between(20, 40);
        Edge {
            switch,
            outage: from..from + dice.between(30, 90),
        }
    }

    /// Whether the plan is being switched and cannot be read.
    pub(crate) fn is_switching(&self) -> bool {
        let before = self.edge().outage;
        if before.contains(&self.now) {
            return true;
        }
        // The outage began under the plan before this one and may still last.
        let mut dice = Dice::new(
            self.seed(),
            "edge",
            "",
            self.plan.run_number.wrapping_sub(1),
        );
        let switch = self.plan.start + dice.between(60, 240);
        let from = switch - dice.between(20, 40);
        self.plan.run_number > 1 && (from..from + dice.between(30, 90)).contains(&self.now)
    }

    pub(super) fn switch(&mut self) {
        let start = self.plan.end;
        let end = local_hour(start, bank::START_OF_DAY, 1);
        let run_number = self.plan.run_number + 1;
        let (plan, moves) = instances::build(
            &self.catalogue,
            run_number,
            start,
            end,
            Some(&self.plan),
            self.setup.ids_survive,
        );
        let old = std::mem::replace(&mut self.plan, plan);
        self.pending.clear();
        for queue in self.queues.rows_mut() {
            queue.clear();
        }
        // Runs that stay behind (the ones of FINAL) give back what they hold.
        for (key, job) in old.jobs.iter() {
            if job.status().is_active() && !moves.jobs.contains_key(&key) {
                let busy = &mut self.catalogue.stations[job.model.station].busy;
                *busy = busy.saturating_sub(1);
            }
        }
        for resource in self.catalogue.resources.rows_mut() {
            let held = std::mem::take(&mut resource.holders);
            resource.holders = held
                .into_iter()
                .filter_map(|(job, quantity)| Some((*moves.jobs.get(&job)?, quantity)))
                .collect();
            resource.used = resource.holders.iter().map(|(_, quantity)| quantity).sum();
        }
        let due: Vec<_> = std::mem::take(&mut self.heap).into_sorted_vec();
        for Reverse(Event { at, sequence, due }) in due {
            if let Some(due) = moved(due, &moves) {
                self.heap.push(Reverse(Event { at, sequence, due }));
            }
        }
        self.note("plan", Deed::Plan(run_number), None);
        self.open_plan(&moves.jobs);
    }

    /// Makes the index and plans what the new instances are to do; `carried` have plans already.
    pub(super) fn open_plan(&mut self, carried: &HashMap<JobKey, JobKey>) {
        let carried: std::collections::HashSet<JobKey> = carried.values().copied().collect();
        let mut index = Index::default();
        for (key, job) in self.plan.jobs.iter() {
            index.enter(key, job);
        }
        for (key, stream) in self.plan.streams.iter() {
            index.streams.insert(stream.id, key);
        }
        for (key, prompt) in self.plan.prompts.iter() {
            index.prompts.insert(prompt.id, key);
        }
        self.index = index;
        self.break_things();
        let mut due = Vec::new();
        for (key, stream) in self.plan.streams.iter().filter(|(_, s)| s.carried == 0) {
            due.push((stream.sched, Due::StreamTime(key)));
        }
        for (key, job) in self
            .plan
            .jobs
            .iter()
            .filter(|(key, _)| !carried.contains(key))
        {
            due.extend(job.start.map(|at| (at, Due::JobTime(key))));
            due.extend(job.latest.map(|(at, _)| (at, Due::Latest(key))));
            let kill = job.deadline.filter(|_| job.model.special().late_kill);
            due.extend(kill.map(|at| (at, Due::Deadline(key))));
        }
        for (key, file) in self
            .plan
            .files
            .iter()
            .filter(|(_, f)| !matches!(f.owner, Waiter::Job(job) if carried.contains(&job)))
        {
            due.push((file.from, Due::File(key)));
        }
        due.push((self.edge().switch, Due::Switch));
        due.extend(self.outage());
        due.extend(self.helpers());
        for (at, due) in due {
            self.schedule(at, due);
        }
        for job in self.plan.jobs.keys() {
            self.satisfy_targets(job);
            self.consider(job);
        }
        self.look_everywhere();
    }

    /// The scripted operator of the first night: in `helped` both times, in `bank` the payroll's
    /// question alone, and that in half of the seeds.
    fn helpers(&self) -> Vec<(Secs, Due)> {
        let hour = |hour: i64, minute: i64| self.plan.start + bank::at(hour, minute);
        let answers = match self.setup.profile {
            Profile::Helped => true,
            Profile::Bank => Dice::new(self.seed(), "payroll answered", "", 1).chance(0.5),
            Profile::Quiet | Profile::Small => false,
        };
        let mut due = Vec::new();
        if self.plan.run_number == 1 && answers {
            due.push((hour(22, 50), Due::Help(Help::Payroll)));
        }
        if self.plan.run_number == 1 && self.setup.profile == Profile::Helped {
            due.push((hour(22, 30), Due::Help(Help::Ledger)));
        }
        due
    }

    pub(super) fn help(&mut self, help: Help) {
        let by = By {
            user: "night-operator".to_owned(),
            ..By::default()
        };
        match help {
            Help::Payroll => {
                let asked = self.plan.prompts.keys().find(|key| {
                    let row = &self.plan.prompts[*key];
                    row.name == "PAY_TOTALS_OK" && row.state == Answer::Asked
                });
                if let Some(key) = asked {
                    self.admit(Command::Reply(key, true), by);
                }
            }
            Help::Ledger => {
                let Some(job) = self.find_job("FIN_EOD.FIN_GL_POST") else {
                    return;
                };
                let row = &self.plan.jobs[job];
                let now = self.now;
                let waited = row.run.ended.map_or(0, |ended| now - ended);
                let failed = row.status().is_bad() && !row.canceled;
                let over = row.is_over();
                if failed && waited >= 24 * 60 {
                    let details = RerunDetails::default();
                    self.admit(Command::Rerun(job, details), by);
                } else if failed || !over {
                    self.schedule(now + 60, Due::Help(Help::Ledger));
                }
            }
        }
    }

    /// The agent that is lost this night: a scripted one first, any other later.
    fn outage(&self) -> Vec<(Secs, Due)> {
        if !self.setup.profile.has_failures() {
            return Vec::new();
        }
        let agents = self
            .catalogue
            .stations
            .iter()
            .filter(|(_, s)| s.kind == "AGENT");
        let agents: Vec<_> = agents
            .map(|(key, station)| (key, station.name.as_str()))
            .collect();
        let mut dice = Dice::new(self.seed(), "outage", "", self.plan.run_number);
        let hour = |hour: i64, minute: i64| self.plan.start + bank::at(hour, minute);
        let (station, from, until) = if self.plan.run_number == 1 {
            let lost = agents.iter().find(|(_, name)| *name == "DWHETL03").copied();
            (lost, hour(1, 10), hour(5, 10))
        } else {
            let from = hour(20, 0) + dice.between(0, 9 * 3600);
            (dice.pick(&agents).copied(), from, from + 1200)
        };
        station.map_or_else(Vec::new, |(key, _)| {
            vec![
                (from, Due::Outage(key, false)),
                (until, Due::Outage(key, true)),
            ]
        })
    }
}

/// The same thing due for the row's new key; `None` when the row stayed behind.
fn moved(due: Due, moves: &Moves) -> Option<Due> {
    let job = |key| moves.jobs.get(&key).copied();
    Some(match due {
        Due::Command(command) => {
            let (command, by) = *command;
            Due::Command(Box::new((command.moved(moves)?, by)))
        }
        Due::Outage(station, up) => Due::Outage(station, up),
        Due::File(file) => Due::File(*moves.files.get(&file)?),
        Due::Ended(key, run) => Due::Ended(job(key)?, run),
        Due::Started(key, run) => Due::Started(job(key)?, run),
        Due::Recover(key, run) => Due::Recover(job(key)?, run),
        Due::Again(key, run) => Due::Again(job(key)?, run),
        Due::Latest(key) => Due::Latest(job(key)?),
        Due::Deadline(key) => Due::Deadline(job(key)?),
        Due::StreamTime(stream) => Due::StreamTime(*moves.streams.get(&stream)?),
        Due::JobTime(key) => Due::JobTime(job(key)?),
        Due::Help(_) | Due::Switch => return None,
    })
}
