//! What the plan really holds: what a graded answer is compared with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Engine;
use crate::{
    model::{Answer, Status, StreamStatus, Target, Waiter},
    names::iso,
    table::JobKey,
};

impl Engine {
    /// Time, plan and counts.
    pub(crate) fn state(&self) -> Value {
        let counts = Status::ALL.map(|status| (status.text(), self.index.count(status)));
        let jobs: BTreeMap<&str, usize> =
            counts.into_iter().filter(|(_, count)| *count > 0).collect();
        let mut streams = BTreeMap::new();
        for stream in self.plan.streams.rows() {
            *streams.entry(stream.status.text()).or_insert(0_u32) += 1;
        }
        json!({
            "now": iso(self.now()),
            "version": self.version(),
            "seed": self.seed(),
            "planId": self.plan.id,
            "runNumber": self.plan.run_number,
            "planStart": iso(self.plan.start),
            "planEnd": iso(self.plan.end),
            "switching": self.is_switching(),
            "jobs": jobs,
            "jobCount": self.plan.jobs.len(),
            "canceledJobs": self.plan.jobs.rows().iter().filter(|job| job.canceled).count(),
            "streams": streams,
        })
    }

    /// Failures with their causes, who waits for whom, what nobody has answered.
    pub(crate) fn truth(&self) -> Value {
        let mut truth = self.state();
        let failed = self
            .plan
            .jobs
            .iter()
            .filter(|(_, j)| j.status().is_bad() && !j.canceled);
        let failures: Vec<_> = failed.map(|(key, _)| self.failure(key)).collect();
        // What is odd and yet no failure: a code that the mapping takes for success, a run that goes on.
        let odd = self.plan.jobs.rows().iter().filter_map(|job| {
            let kind = job.run.fate.and_then(|fate| fate.failure)?;
            let mapped = job.status() == Status::Succ && job.run.code.is_some_and(|code| code != 0);
            let shows = mapped || job.status() == Status::Exec;
            let odd = shows && !job.canceled && !job.run.killed;
            odd.then(|| {
                json!({"job": job.path(), "jobId": job.id, "status": job.status().text(),
                       "kind": kind.code, "cause": kind.name})
            })
        });
        let odd: Vec<_> = odd.collect();
        let stuck = self.plan.streams.rows().iter();
        let stuck: Vec<_> = stuck
            .filter(|stream| stream.status == StreamStatus::Stuck)
            .map(|stream| json!({"id": stream.id, "path": *stream.path}))
            .collect();
        let prompts = self.plan.prompts.rows().iter();
        let prompts: Vec<_> = prompts
            .filter(|prompt| prompt.state == Answer::Asked)
            .map(|prompt| {
                let (path, id) = match prompt.owner {
                    Waiter::Job(job) => {
                        let job = &self.plan.jobs[job];
                        (job.path().to_string(), job.id)
                    }
                    Waiter::Stream(stream) => {
                        let stream = &self.plan.streams[stream];
                        (stream.path.to_string(), stream.id)
                    }
                };
                json!({"id": prompt.id, "name": prompt.name, "text": prompt.text,
                       "job": path, "jobId": id})
            })
            .collect();
        let stations = self.catalogue.stations.iter();
        let lost: Vec<_> = stations
            .filter(|(_, station)| !station.linked || !station.running)
            .map(|(key, station)| {
                let waiting = self.plan.jobs.rows().iter();
                let waiting = waiting
                    .filter(|job| job.model.station == key && job.status() == Status::Ready)
                    .count();
                json!({"name": station.path(), "readyJobs": waiting})
            })
            .collect();
        if let Value::Object(fields) = &mut truth {
            fields.insert("failures".to_owned(), failures.into());
            fields.insert("odd".to_owned(), odd.into());
            fields.insert("stuckStreams".to_owned(), stuck.into());
            fields.insert("askedPrompts".to_owned(), prompts.into());
            fields.insert("incidents".to_owned(), self.incidents());
            fields.insert("lostWorkstations".to_owned(), lost.into());
        }
        truth
    }

    fn failure(&self, key: JobKey) -> Value {
        let job = &self.plan.jobs[key];
        let kind = job
            .run
            .fate
            .and_then(|fate| fate.failure)
            .filter(|_| !job.run.killed);
        let mut victims = self.victims(key);
        let count = victims.len();
        victims.truncate(500);
        json!({
            "job": job.path(),
            "jobId": job.id,
            "runId": job.run.id,
            "status": job.status().text(),
            "returnCode": job.run.code,
            "endedAt": job.run.ended.map(iso),
            "kind": kind.map(|kind| kind.code),
            "cause": kind.map_or("killed by an operator", |kind| kind.name),
            "rerun": kind.map(|kind| kind.rerun.text()),
            "helps": kind.map(|kind| kind.helps),
            "victimCount": count,
            "victims": victims,
        })
    }

    /// Every job that waits, directly or not, for this one.
    pub(crate) fn victims(&self, from: JobKey) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(key) = open.pop() {
            let job = &self.plan.jobs[key];
            let stream_waiters = &self.plan.streams[job.stream].waiters;
            for waiter in job.waiters.iter().chain(stream_waiters) {
                let waiting = match *waiter {
                    Waiter::Job(job) => vec![job],
                    Waiter::Stream(stream) => self.plan.streams[stream].jobs.clone(),
                };
                for next in waiting {
                    let row = &self.plan.jobs[next];
                    let held = self.waits_for(*waiter, key);
                    if row.status().waits() && !row.canceled && held && seen.insert(next) {
                        open.push(next);
                    }
                }
            }
        }
        seen.remove(&from);
        seen.into_iter()
            .map(|key| self.plan.jobs[key].path().to_string())
            .collect()
    }

    fn waits_for(&self, waiter: Waiter, job: JobKey) -> bool {
        let links = match waiter {
            Waiter::Job(job) => &self.plan.jobs[job].links,
            Waiter::Stream(stream) => &self.plan.streams[stream].links,
        };
        let stream = self.plan.jobs[job].stream;
        links
            .iter()
            .filter(|link| link.blocks())
            .any(|link| match link.target {
                Target::Internal(other) | Target::Job(other) => other == job,
                Target::Stream(other) => other == stream,
                Target::Resource(..) | Target::Prompt(_) | Target::File(_) => false,
            })
    }
}
