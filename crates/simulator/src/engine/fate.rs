//! What becomes of a run: forced, foretold by the run before, scripted for the first night, or
//! chance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::{
    dice::{Dice, scaled},
    failure::{Ending, Failure, KINDS, Rerun, find},
    model::{Fate, LogStyle, RunKind, Status},
    names::Secs,
    table::JobKey,
};

/// The outcome that a test or a demo forces on the next run of a job.
///
/// ```
/// use resync_simulator::Outcome;
/// use std::time::Duration;
///
/// let deadlock = Outcome::fails("F01").lasting(Duration::from_secs(30));
/// assert_eq!(deadlock.failure.as_deref(), Some("F01"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// A kind of failure, `F01` to `F30`; the log shows its lines. A code that is none of these
    /// counts as a good end.
    #[serde(default)]
    pub failure: Option<String>,
    /// A return code of its own; the job's mapping judges it.
    #[serde(default)]
    pub code: Option<i32>,
    /// How long the run lasts, in virtual seconds.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// How the run's log looks: `plain`, `short`, `huge` (200,000 lines), `latin1`, `crlf`, `ansi`,
    /// `long_line` (a megabyte), `unended`, `secrets` or `steering`. Another name counts as `plain`.
    #[serde(default)]
    pub log: Option<String>,
}

impl Outcome {
    /// Ends well, after about the estimated duration.
    #[must_use]
    pub fn succeeds() -> Self {
        Self::default()
    }

    /// Ends as failure kind `code` (`F01` to `F30`) does.
    #[must_use]
    pub fn fails(code: &str) -> Self {
        Self {
            failure: Some(code.to_owned()),
            ..Self::default()
        }
    }

    /// Ends with this return code.
    #[must_use]
    pub fn returns(code: i32) -> Self {
        Self {
            code: Some(code),
            ..Self::default()
        }
    }

    /// The log looks like this; see [`Outcome::log`].
    #[must_use]
    pub fn logging(mut self, style: &str) -> Self {
        self.log = Some(style.to_owned());
        self
    }

    /// Lasts this long in virtual time; whole seconds count.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.seconds = Some(duration.as_secs());
        self
    }
}

/// Chance of a failure that nobody scripted, a run.
const RANDOM: f64 = 0.004;

impl Engine {
    pub(super) fn decide(&mut self, job: JobKey) -> Fate {
        let row = &self.plan.jobs[job];
        let id = row.persistent_id.to_string();
        let mut dice = Dice::new(self.seed(), "fate", &id, row.run.number);
        let full = scaled(row.model.estimated, dice.lognormal(0.18), 2);
        let recovers = self.plan.jobs[job].run.kind == RunKind::Recovery;
        if let Some(outcome) = self.forced(job).filter(|_| !recovers) {
            let failure = outcome.failure.as_deref().and_then(find);
            let mut fate = fate_of(failure, full, &mut dice);
            fate.code = outcome.code.unwrap_or(fate.code);
            fate.log = outcome.log.as_deref().and_then(LogStyle::find);
            if let Some(seconds) = outcome.seconds {
                fate.duration = Secs::try_from(seconds).unwrap_or(Secs::MAX).max(1);
            }
            return fate;
        }
        let row = &self.plan.jobs[job];
        if row.run.kind == RunKind::Recovery {
            let duration = dice.between(20, 60);
            return Fate {
                failure: None,
                duration,
                code: 0,
                log: None,
            };
        }
        // The recovery job's own run says nothing about the job.
        let before = row
            .earlier
            .iter()
            .rev()
            .find(|run| run.kind != RunKind::Recovery);
        if let Some(before) = before.filter(|run| run.status.is_bad() || run.killed) {
            let failure = before
                .fate
                .and_then(|fate| fate.failure)
                .filter(|_| !before.killed);
            let since = before.ended.map_or(0, |ended| self.now - ended);
            let mended = before.fixed;
            let again = failure.filter(|kind| !mended && repeats(kind, since, &mut dice));
            return fate_of(again, full, &mut dice);
        }
        let scripted = row
            .model
            .special()
            .first_night
            .filter(|_| self.setup.profile.has_failures())
            .filter(|_| self.plan.streams[row.stream].first_night && row.run.number == 1);
        if let Some(kind) = scripted.and_then(find) {
            // The ledger's post job ends after 4 min 12 s of its 18 minutes.
            let duration = match kind.ending {
                Ending::Code(code) if code > row.model.ok_to => {
                    scaled(row.model.estimated, 0.234, 2)
                }
                _ => full,
            };
            return Fate {
                duration,
                ..fate_of(Some(kind), full, &mut dice)
            };
        }
        if let Some(kind) = self.struck(job) {
            return fate_of(Some(kind), full, &mut dice);
        }
        let failure = if self.setup.profile.has_failures() && dice.chance(RANDOM) {
            by_weight(&mut dice)
        } else {
            None
        };
        fate_of(failure, full, &mut dice)
    }

    fn forced(&mut self, job: JobKey) -> Option<Outcome> {
        if self.scripts.is_empty() {
            return None;
        }
        let row = &self.plan.jobs[job];
        let short = format!(
            "{}.{}",
            self.plan.streams[row.stream].model.name, row.model.name
        );
        let names = [
            row.path().to_string(),
            short,
            row.model.name.to_string(),
            row.id.to_string(),
        ];
        names
            .iter()
            .find_map(|name| self.scripts.get_mut(name)?.pop_front())
    }

    /// How the run's code is judged.
    pub(super) fn verdict(&self, job: JobKey, code: i32) -> Status {
        let model = &self.plan.jobs[job].model;
        match (0..=model.ok_to).contains(&code) {
            true if self.plan.jobs[job].confirm => Status::Pend,
            true => Status::Succ,
            false => Status::Abend,
        }
    }
}

fn repeats(kind: &Failure, since: Secs, dice: &mut Dice) -> bool {
    match kind.rerun {
        Rerun::Succeeds => false,
        Rerun::Same => true,
        Rerun::Half => dice.chance(0.5),
        Rerun::After(wait) => since < wait,
    }
}

fn by_weight(dice: &mut Dice) -> Option<&'static Failure> {
    let total: u32 = KINDS.iter().map(|kind| kind.weight).sum();
    let mut left = dice.between(1, i64::from(total));
    KINDS.iter().find(|kind| {
        left -= i64::from(kind.weight);
        left <= 0
    })
}

fn fate_of(failure: Option<&'static Failure>, full: Secs, dice: &mut Dice) -> Fate {
    let (code, factor) = match failure.map(|kind| (kind.code, kind.ending)) {
        None => (0, 1.0),
        Some(("F24", _)) => (0, 6.0),
        Some((_, Ending::Code(code))) => (code, 0.1 + 0.6 * dice.unit()),
        Some((_, Ending::Killed)) => (0, 0.5),
        Some((_, Ending::Refused)) => (0, 0.0),
    };
    Fate {
        failure,
        duration: scaled(full, factor, 2),
        code,
        log: None,
    }
}
