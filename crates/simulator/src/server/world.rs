//! The engine with its clock, its faults and what it was asked.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    engine::{Engine, Setup},
    fault::{Effect, Faults, Rule},
    names::{Secs, instant},
    wire::{self, Answer, Request, Settings},
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
    /// Wrong passwords since the last right one, for each user.
    pub(crate) bad_tries: HashMap<String, u32>,
    /// The master answers nobody before this virtual time.
    down_until: Secs,
    replica: Option<Replica>,
}

/// What reads see when the database lags behind the plan.
#[derive(Debug)]
struct Replica {
    engine: Engine,
    lag: Secs,
    /// How many of the real engine's inputs it has had.
    fed: usize,
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
            bad_tries: HashMap::new(),
            down_until: Secs::MIN,
            replica: None,
        }
    }

    /// Answers a request: reads from what the database shows, writes to the plan.
    pub(crate) fn answer(&mut self, settings: &Settings, request: &Request) -> Answer {
        let now = self.engine.now();
        match &mut self.replica {
            Some(replica) if request.method == "GET" => {
                let (until, inputs) = (now - replica.lag, self.engine.inputs());
                replica.fed = replica.engine.feed(inputs, replica.fed, until);
                wire::answer(&mut replica.engine, settings, request)
            }
            _ => wire::answer(&mut self.engine, settings, request),
        }
    }

    /// Reads show the plan as it was `lag` virtual seconds ago, own writes included; 0 ends it.
    pub(crate) fn set_lag(&mut self, lag: Secs) {
        self.replica = (lag > 0).then(|| Replica {
            engine: Engine::begin(self.setup),
            lag,
            fed: 0,
        });
    }

    /// The master drops every request for so many virtual seconds.
    pub(crate) fn go_down(&mut self, seconds: Secs) {
        self.down_until = self.engine.now().saturating_add(seconds);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.engine.now() < self.down_until
    }

    /// Asks the rules on connections about a new one.
    pub(crate) fn greet(&mut self) -> Option<Effect> {
        self.tick();
        self.faults
            .on_connect(self.engine.seed(), self.engine.now())
    }

    /// Moves virtual time from event to event until `met`, for `within` seconds at most; whether it
    /// was met.
    pub(crate) fn advance_until(&mut self, within: Secs, met: impl Fn(&Engine) -> bool) -> bool {
        self.tick();
        let end = self.engine.now().saturating_add(within);
        while !met(&self.engine) {
            let next = self.engine.next_due().filter(|at| *at <= end);
            let at = next.unwrap_or(end);
            self.engine.advance_to(at);
            if next.is_none() {
                break;
            }
        }
        self.base = self.base.max(self.engine.now().saturating_mul(1000));
        self.since = Instant::now();
        met(&self.engine)
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
