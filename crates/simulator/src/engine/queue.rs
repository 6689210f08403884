//! Who starts, and when.
//!
//! 1. A slot, a stream's limit and resources are taken together when a job leaves READY, and given
//!    back together when its run ends: none is ever held above its bound by starting a job.
//! 2. The queue's order is the stream's priority, the job's, `schedTime`, then the plan's order.
//! 3. HI and GO pass the workstation's limit, neither the stream's limit nor the fence.

use std::cmp::Reverse;

use super::{Deed, Due, Engine, Object};
use crate::{
    dice::Dice,
    failure::Ending,
    model::{Place, Status, Target},
    names::Secs,
    table::{JobKey, ResourceKey, StationKey},
};

/// From here on a priority passes the workstation's limit: HI is 100, GO is 101.
pub(crate) const HIGH: u32 = 100;

/// Why a READY job does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Agent,
    Limit,
    Resources,
}

impl Engine {
    /// Whether jobs can start there: for a pool, on any of its members.
    pub(crate) fn is_able(&self, station: StationKey) -> bool {
        let row = &self.catalogue.stations[station];
        // A fault-tolerant agent goes on with what it knows when nobody reaches it.
        (row.linked || row.kind == "FTA")
            && row.running
            && (row.members.is_empty() || row.members.iter().any(|m| self.is_able(*m)))
    }

    pub(super) fn enqueue(&mut self, job: JobKey) {
        let row = &self.plan.jobs[job];
        let ranks = (self.plan.streams[row.stream].priority, row.priority);
        if row.queued == Some(ranks) {
            return;
        }
        self.dequeue(job);
        let (station, place) = self.place(job, ranks);
        self.plan.jobs[job].queued = Some(ranks);
        self.queues[station].insert(place);
        self.dirty.insert(station);
    }

    pub(super) fn dequeue(&mut self, job: JobKey) {
        if let Some(ranks) = self.plan.jobs[job].queued.take() {
            let (station, place) = self.place(job, ranks);
            self.queues[station].remove(&place);
        }
    }

    /// Which queue a job stands in, and where.
    fn place(&self, job: JobKey, (stream_rank, rank): (u32, u32)) -> (StationKey, Place) {
        let row = &self.plan.jobs[job];
        let sched = self.plan.streams[row.stream].sched;
        let place = (Reverse(stream_rank), Reverse(rank), sched, job);
        (row.model.station, place)
    }

    /// Looks again at every queue that something happened to.
    pub(super) fn settle(&mut self) {
        while let Some(station) = self.dirty.pop_first() {
            if !self.is_able(station) {
                continue;
            }
            let waiting: Vec<JobKey> = self.queues[station].iter().map(|place| place.3).collect();
            for job in waiting {
                if self.plan.jobs[job].queued.is_some() && self.obstacle(job).is_none() {
                    self.launch(job);
                }
            }
        }
    }

    /// What keeps a READY job from starting now.
    pub(crate) fn obstacle(&self, job: JobKey) -> Option<Obstacle> {
        let row = &self.plan.jobs[job];
        let station = &self.catalogue.stations[row.model.station];
        let stream = &self.plan.streams[row.stream];
        if !self.is_able(row.model.station) {
            return Some(Obstacle::Agent);
        }
        let high = row.priority >= HIGH || stream.priority >= HIGH;
        if station.busy >= station.limit && !high {
            return Some(Obstacle::Limit);
        }
        if let Some(limit) = stream.limit {
            let active = stream
                .jobs
                .iter()
                .filter(|j| self.plan.jobs[**j].status().is_active());
            if active.count() >= limit as usize {
                return Some(Obstacle::Limit);
            }
        }
        let short = self
            .wanted(job)
            .any(|(resource, quantity)| self.catalogue.resources[resource].available() < quantity);
        short.then_some(Obstacle::Resources)
    }

    fn wanted(&self, job: JobKey) -> impl Iterator<Item = (ResourceKey, u32)> {
        self.plan.jobs[job]
            .links
            .iter()
            .filter_map(|link| match link.target {
                Target::Resource(resource, quantity) if !link.released => {
                    Some((resource, quantity))
                }
                _ => None,
            })
    }

    fn launch(&mut self, job: JobKey) {
        self.dequeue(job);
        let wanted: Vec<_> = self.wanted(job).collect();
        for (resource, quantity) in wanted {
            let row = &mut self.catalogue.resources[resource];
            row.used += quantity;
            row.holders.push((job, quantity));
        }
        for link in &mut self.plan.jobs[job].links {
            if matches!(link.target, Target::Resource(..)) {
                link.satisfied = true;
            }
        }
        let station = self.plan.jobs[job].model.station;
        self.catalogue.stations[station].busy += 1;
        let fate = self.decide(job);
        let actual = self.actual_station(job, station);
        let step = self.delay("step", "", self.next_job_number, 1, 97);
        self.next_job_number += u32::try_from(step).unwrap_or(1);
        let (number, now) = (self.next_job_number, self.now);
        let run = &mut self.plan.jobs[job].run;
        run.job_number = Some(number);
        run.station = actual;
        run.submitted = Some(now);
        run.fate = Some(fate);
        let attempt = run.number;
        let refused = fate
            .failure
            .is_some_and(|kind| kind.ending == Ending::Refused);
        let (low, high) = if refused { (1, 10) } else { (2, 8) };
        let id = self.plan.jobs[job].persistent_id.to_string();
        let wait = self.delay("start", &id, attempt, low, high);
        self.set_status(job, Status::Intro);
        self.schedule(self.now + wait, Due::Started(job, attempt));
    }

    fn actual_station(&self, job: JobKey, station: StationKey) -> StationKey {
        let members = &self.catalogue.stations[station].members;
        let able: Vec<_> = members
            .iter()
            .copied()
            .filter(|m| self.is_able(*m))
            .collect();
        let row = &self.plan.jobs[job];
        let id = row.persistent_id.to_string();
        let mut dice = Dice::new(self.seed(), "member", &id, row.run.number);
        dice.pick(&able).copied().unwrap_or(station)
    }

    /// Gives back what a run held.
    pub(super) fn give_back(&mut self, job: JobKey) {
        let station = self.plan.jobs[job].model.station;
        let busy = &mut self.catalogue.stations[station].busy;
        *busy = busy.saturating_sub(1);
        self.dirty.insert(station);
        let mut freed = false;
        for resource in self.catalogue.resources.rows_mut() {
            let held = resource
                .holders
                .iter()
                .position(|(holder, _)| *holder == job);
            if let Some(held) = held {
                let (_, quantity) = resource.holders.remove(held);
                resource.used = resource.used.saturating_sub(quantity);
                freed = true;
            }
        }
        // Any queue may hold somebody who waits for it; so may the stream's limit.
        if freed
            || self.plan.streams[self.plan.jobs[job].stream]
                .limit
                .is_some()
        {
            self.look_everywhere();
        }
    }

    pub(super) fn look_everywhere(&mut self) {
        let waiting = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        let waiting: Vec<StationKey> = waiting.map(|(key, _)| key).collect();
        self.dirty.extend(waiting);
    }

    pub(super) fn set_link(&mut self, station: StationKey, up: bool, by: Option<super::By>) {
        let row = &mut self.catalogue.stations[station];
        row.linked = up;
        row.running = up;
        let (name, word) = (
            Object::from(row.path()),
            if up { "linked" } else { "unlinked" },
        );
        self.note(name, Deed::Plain(word), by);
        self.look_everywhere();
    }

    /// How long a run has been going on.
    pub(crate) fn elapsed(&self, started: Option<Secs>, ended: Option<Secs>) -> Option<Secs> {
        started.map(|from| ended.unwrap_or(self.now) - from)
    }
}
