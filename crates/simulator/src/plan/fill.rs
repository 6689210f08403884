//! Numbered streams that fill the plan up to its size.
//!
//! Their shape follows the bank: chains with fans, 3 to 16 jobs, some with up to 60, a few that
//! wait for another stream, for a resource or for a file, a few that repeat. Each stream has its
//! own dice, so a larger plan begins with the streams of the smaller one.

use std::sync::Arc;

use super::{
    bank::{Places, at, dice, job},
    core::{FIN_CLOSE_DAY, FIN_EOD},
};
use crate::{
    dice::Dice,
    model::{Cycle, JobModel, LateStart, LogStyle, Need, Recovery, StreamModel},
    names::Secs,
    table::{Key, ModelKey, StationKey, Table},
};

type Models = Table<ModelKey, Arc<StreamModel>>;

const AREAS: &[(&str, &[&str])] = &[
    ("DWH", &["/DWH/LOAD/", "/DWH/MART/"]),
    ("FIN", &["/FIN/EOD/", "/FIN/MEND/"]),
    ("CRM", &["/CRM/SYNC/", "/CRM/CAMP/"]),
    ("CARD", &["/CARD/", "/CARD/FRAUD/"]),
    ("RISK", &["/RISK/"]),
    ("REG", &["/REG/"]),
    ("INF", &["/INF/HK/", "/INF/MON/"]),
    ("PAY", &["/HR/PAY/"]),
];

const VERBS: &[&str] = &[
    "EXTRACT", "LOAD", "MERGE", "VALIDATE", "SORT", "POST", "EXPORT", "REPORT", "SYNC", "CHECK",
];

/// Adds streams until `jobs` jobs are placed; with `closes` some wait for the accounting day to be
/// closed.
pub(super) fn streams(
    seed: u64,
    mut jobs: usize,
    agents: &[StationKey],
    places: &Places,
    into: &mut Models,
    closes: bool,
) {
    let core = into.len();
    let mut number = 0;
    while jobs > 0 {
        number += 1;
        let mut dice = dice(seed, number);
        let size = size(&mut dice).min(jobs);
        jobs -= size;
        let model = stream(
            seed, number, size, &mut dice, agents, places, into, core, closes,
        );
        into.push(Arc::new(model));
    }
}

fn size(dice: &mut Dice) -> usize {
    let size = if dice.chance(0.012) {
        dice.between(30, 60)
    } else {
        dice.between(3, 15)
    };
    usize::try_from(size).unwrap_or(3)
}

/// Most of a bank's work is done at night.
fn start(dice: &mut Dice) -> Secs {
    let part = dice.unit();
    let (from, to) = if part < 0.14 {
        (at(16, 0), at(18, 30))
    } else if part < 0.68 {
        (at(18, 30), at(1, 30))
    } else if part < 0.84 {
        (at(1, 30), at(6, 0))
    } else {
        (at(6, 0), at(14, 30))
    };
    dice.between(from / 60, to / 60) * 60
}

#[expect(
    clippy::too_many_arguments,
    reason = "all that decides a stream's shape, at one place"
)]
fn stream(
    seed: u64,
    number: usize,
    size: usize,
    dice: &mut Dice,
    agents: &[StationKey],
    places: &Places,
    earlier: &Models,
    core: usize,
    closes: bool,
) -> StreamModel {
    let (area, folders) = dice.pick(AREAS).copied().unwrap_or(("INF", &["/INF/"]));
    let mut folder = dice.pick(folders).copied().unwrap_or("/");
    if dice.chance(0.15) {
        folder = "/";
    }
    let station = dice.pick(agents).copied().unwrap_or(places.mdm);
    let at = start(dice);
    let mut model = StreamModel {
        name: format!("{area}_B{number:04}"),
        folder: folder.to_owned(),
        station,
        cycle: if dice.chance(0.2) {
            Cycle::Weekdays
        } else {
            Cycle::Daily
        },
        at,
        priority: *dice.pick(&[10, 10, 10, 20, 30]).unwrap_or(&10),
        limit: dice.chance(0.08).then_some(2),
        needs: Vec::new(),
        jobs: Vec::new(),
    };
    // A few wait for the accounting day to be closed: they are the victims of the night.
    if (at > super::bank::at(21, 0)) && dice.chance(0.16) && closes {
        model
            .needs
            .push(Need::Job(ModelKey::new(FIN_EOD), FIN_CLOSE_DAY));
    }
    let mut shape = Shape {
        seed,
        dice,
        area,
        number,
        station,
        places,
        earlier,
        at,
        core,
        last: 0,
    };
    model.jobs = (0..size)
        .map(|place| shape.job(place, size).kept())
        .collect();
    model
}

/// A few logs look odd; the dice are the job's own.
fn log_style(seed: u64, job: &str) -> LogStyle {
    let mut dice = Dice::new(seed, "log style", job, 0);
    let odd = [
        LogStyle::Short,
        LogStyle::Latin1,
        LogStyle::Crlf,
        LogStyle::Ansi,
        LogStyle::Unended,
        LogStyle::Secrets,
    ];
    let chosen = dice.chance(0.03).then(|| dice.pick(&odd).copied());
    chosen.flatten().unwrap_or_default()
}

struct Shape<'a> {
    seed: u64,
    dice: &'a mut Dice,
    area: &'static str,
    number: usize,
    station: StationKey,
    places: &'a Places,
    earlier: &'a Models,
    at: Secs,
    core: usize,
    /// The job that the present fan follows.
    last: usize,
}

impl Shape<'_> {
    fn job(&mut self, place: usize, size: usize) -> JobModel {
        let verb = self.dice.pick(VERBS).copied().unwrap_or("RUN");
        let name = format!("{}_{verb}_B{:04}_{place:02}", self.area, self.number);
        let minutes = crate::dice::scaled(13, self.dice.lognormal(0.7), 1);
        let mut model = job(&name, self.station, minutes);
        if place > 0 {
            // Half of the jobs go on with the chain; the others fan out from its last joint.
            model = model.after(&[self.last]);
            if self.dice.chance(0.5) || place + 1 == size {
                if self.last + 1 < place {
                    model = model.after(&[place - 1]);
                }
                self.last = place;
            }
        }
        self.outside_needs(&mut model, place);
        self.options(&mut model, place, size);
        model.log = log_style(self.seed, &model.name);
        model
    }

    fn outside_needs(&mut self, model: &mut JobModel, place: usize) {
        if place == 0 && self.dice.chance(0.35) && self.earlier.len() > self.core {
            let newest = i64::try_from(self.earlier.len()).unwrap_or(i64::MAX) - 1;
            let oldest = i64::try_from(self.core).unwrap_or(0);
            let other = u32::try_from(self.dice.between(oldest, newest)).map(ModelKey::new);
            if let Ok(other) = other {
                let other_model = &self.earlier[other];
                let last = other_model.jobs.len().saturating_sub(1);
                if other_model.at <= self.at && other_model.cycle == Cycle::Daily {
                    let whole = self.dice.chance(0.4);
                    model.needs.push(if whole {
                        Need::Stream(other)
                    } else {
                        Need::Job(other, last)
                    });
                }
            }
        }
        if self.dice.chance(0.06) {
            let pick = [
                (self.places.gldb, 1),
                (self.places.sap, 1),
                (self.places.dwh_slot, 2),
            ];
            if let Some((resource, quantity)) = self.dice.pick(&pick) {
                model.needs.push(Need::Resource(*resource, *quantity));
            }
        }
        if self.dice.chance(0.02) {
            let path = format!("/mft/in/{}_B{:04}_%D.csv", self.area, self.number);
            let from = self.at + self.dice.between(-60, 40) * 60;
            model.needs.push(Need::File(Box::new((path, from, from))));
        }
    }

    fn options(&mut self, model: &mut JobModel, place: usize, size: usize) {
        if self.dice.chance(0.02) {
            model.critical = true;
            model.special_mut().deadline = Some(self.at + model.estimated + 4 * 3600);
        }
        if self.dice.chance(0.04) && place + 1 == size {
            model.every = Some(*self.dice.pick(&[15, 20, 30, 60]).unwrap_or(&30) * 60);
            model.estimated = model.estimated.min(300);
        }
        model.confirm = self.dice.chance(0.004);
        if self.dice.chance(0.003) {
            model.priority = 0;
        }
        if self.dice.chance(0.0015) {
            model.needs.push(Need::Prompt(Box::new((
                "CHECKED_BY_HAND",
                "Input checked by hand?",
            ))));
        }
        if self.dice.chance(0.05) {
            model.recovery = Recovery::Rerun {
                interval: 120,
                occurrences: 2,
                // A third of the streams cleans up before it tries again.
                job: self.number.is_multiple_of(3).then_some("CLEAN_UP"),
            };
        } else if self.dice.chance(0.03) {
            model.recovery = Recovery::Continue;
        }
        if self.dice.chance(0.05) {
            model.ok_to = 4;
        }
        if self.dice.chance(0.01) {
            let actions = [LateStart::Continue, LateStart::Cancel, LateStart::DoNotRun];
            let action = self
                .dice
                .pick(&actions)
                .copied()
                .unwrap_or(LateStart::Continue);
            model.special_mut().latest = Some((self.at + 5 * 3600, action));
        }
    }
}
