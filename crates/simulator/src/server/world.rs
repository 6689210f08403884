//! The engine with its clock, its faults and what it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    engine::{Engine, Setup},
    fault::{Faults, Rule},
    names::instant,
};

/// How virtual time moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Only by `advance`.
    Frozen,
    /// This many virtual seconds a real one, 1 to 86,400.
    Times(u32),
}

/// A request as it was received. `Authorization` is never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Virtual time.
    pub at: DateTime<Utc>,
    /// `GET`, `PUT`.
    pub method: String,
    /// The whole path, as sent.
    pub path: String,
    /// The query, as sent.
    pub query: Option<String>,
    /// Names in lower case, without `authorization`.
    pub headers: BTreeMap<String, String>,
    /// SHA-256 of the body, in hexadecimal.
    pub body_sha256: String,
}

/// More requests than this are not remembered; the oldest go first.
const REMEMBERED: usize = 10_000;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    setup: Setup,
    speed: Speed,
    initial_speed: Speed,
    initial_faults: Vec<Rule>,
    /// Virtual milliseconds at `since`.
    base: i64,
    since: Instant,
    pub(crate) faults: Faults,
    requests: VecDeque<Received>,
}

impl World {
    pub(crate) fn new(setup: Setup, speed: Speed, faults: Vec<Rule>) -> Self {
        Self {
            engine: Engine::new(setup),
            setup,
            speed,
            initial_speed: speed,
            base: setup.start * 1000,
            since: Instant::now(),
            faults: Faults::new(&faults),
            initial_faults: faults,
            requests: VecDeque::new(),
        }
    }

    /// Everything as it was at the start, with the faults of the start.
    pub(crate) fn reset(&mut self) {
        let faults = std::mem::take(&mut self.initial_faults);
        *self = Self::new(self.setup, self.initial_speed, faults);
    }

    fn now_ms(&self) -> i64 {
        let times = match self.speed {
            Speed::Frozen => 0,
            Speed::Times(times) => i64::from(times),
        };
        let real = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.base.saturating_add(real.saturating_mul(times))
    }

    /// Brings the plan to the present.
    pub(crate) fn tick(&mut self) {
        let now = self.now_ms();
        self.engine.advance_to(now.div_euclid(1000));
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.base = self
            .base
            .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
        self.tick();
    }

    pub(crate) fn set_speed(&mut self, speed: Speed) {
        self.tick();
        self.base = self.now_ms();
        self.since = Instant::now();
        self.speed = match speed {
            Speed::Times(times) => Speed::Times(times.clamp(1, 86_400)),
            Speed::Frozen => Speed::Frozen,
        };
    }

    pub(crate) fn speed(&self) -> Speed {
        self.speed
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        instant(self.engine.now())
    }

    pub(crate) fn remember(&mut self, request: Received) {
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.requests.iter().cloned().collect()
    }
}
