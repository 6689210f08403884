//! The profile `bank`: workstations, resources and the day's streams of a retail bank.
//!
//! The named streams come first, in the order of their weight for the night's story; numbered
//! streams fill up to exactly the number of jobs asked for. A plan smaller than the named streams
//! holds the first of them, whole, and fewer numbered ones.

use std::sync::Arc;

use super::{core, fill};
use crate::{
    dice::Dice,
    model::{Catalogue, JobModel, Need, Resource, Station},
    names::Secs,
    table::{ResourceKey, StationKey, Table},
};

/// The hour at which the plan day begins, local time: the whole night lies in one plan.
pub(crate) const START_OF_DAY: u32 = 16;

/// Seconds from the plan's start to `hour:minute` of the night that follows.
pub(crate) fn at(hour: i64, minute: i64) -> Secs {
    ((hour - i64::from(START_OF_DAY)).rem_euclid(24) * 60 + minute) * 60
}

/// The places that definitions name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) mdm: StationKey,
    pub(super) findb: StationKey,
    pub(super) finapp: StationKey,
    pub(super) pay: StationKey,
    pub(super) etl1: StationKey,
    pub(super) etl3: StationKey,
    pub(super) bkp: StationKey,
    pub(super) crm: StationKey,
    pub(super) mft: StationKey,
    pub(super) dwh_pool: StationKey,
    pub(super) brn_pool: StationKey,
    pub(super) gldb: ResourceKey,
    pub(super) tape: ResourceKey,
    pub(super) sap: ResourceKey,
    pub(super) dwh_slot: ResourceKey,
}

/// Definitions for a plan of about `jobs` jobs.
pub(super) fn catalogue(seed: u64, jobs: usize) -> Catalogue {
    let mut stations = Table::new();
    let mut resources = Table::new();
    // Shared resources grow with what shares them; there are four tape drives, whatever the size.
    let scale = u32::try_from(jobs / 2000).unwrap_or(1).max(1);
    let places = places(&mut stations, &mut resources, scale);
    let mut agents = vec![
        places.findb,
        places.finapp,
        places.pay,
        places.crm,
        places.mft,
    ];
    agents.extend([
        places.dwh_pool,
        places.brn_pool,
        places.etl1,
        places.etl3,
        places.bkp,
    ]);
    // 14 workstations serve 2,000 jobs, 60 serve 20,000 and 300 serve 100,000.
    let more = jobs.saturating_sub(2000) / 390 + jobs.saturating_sub(20_000) / 2000;
    let named = [
        ("DWHETL04", "AGENT", "LINUX", 10),
        ("WINRPT01", "AGENT", "WINDOWS", 8),
        ("SAPXA1", "X-AGENT", "OTHER", 8),
    ];
    for (name, kind, os, limit) in named.into_iter().take(more) {
        agents.push(stations.push(Station::new(name, kind, os, limit)));
    }
    for number in 1..=more.saturating_sub(named.len()) {
        let name = format!("AGT{number:03}");
        agents.push(stations.push(Station::new(&name, "AGENT", "LINUX", 14)));
    }
    let mut streams = Table::new();
    let mut total = 0;
    for model in core::streams(&places, jobs) {
        if total + model.jobs.len() <= jobs {
            total += model.jobs.len();
            streams.push(Arc::new(model));
        }
    }
    let closes = streams.len() > 0;
    fill::streams(seed, jobs - total, &agents, &places, &mut streams, closes);
    Catalogue {
        streams,
        stations,
        resources,
    }
}

fn places(
    stations: &mut Table<StationKey, Station>,
    resources: &mut Table<ResourceKey, Resource>,
    scale: u32,
) -> Places {
    let mut add = |name, kind, os, limit| stations.push(Station::new(name, kind, os, limit));
    let mdm = add("MDM", "MANAGER", "LINUX", 20);
    let _backup = add("BKM", "FTA", "LINUX", 20);
    let _broker = add("MDM_DWB", "WORKLOAD_BROKER", "OTHER", 200);
    let findb = add("FINDB01", "AGENT", "LINUX", 14);
    let finapp = add("FINAPP01", "AGENT", "LINUX", 14);
    let pay = add("PAYAPP01", "AGENT", "AIX", 12);
    let etl1 = add("DWHETL01", "AGENT", "LINUX", 10);
    let etl2 = add("DWHETL02", "AGENT", "LINUX", 10);
    let etl3 = add("DWHETL03", "AGENT", "LINUX", 10);
    let bkp = add("BKPSRV01", "AGENT", "LINUX", 12);
    let crm = add("CRMAPP01", "AGENT", "LINUX", 12);
    let mft = add("MFT01", "AGENT", "LINUX", 12);
    let dwh_pool = add("DWHPOOL", "POOL", "OTHER", 12);
    let brn_pool = add("BRNPOOL", "POOL", "OTHER", 12);
    stations[dwh_pool].members = vec![etl1, etl2, etl3];
    stations[brn_pool].members = vec![finapp, crm];
    let mut hold = |name: &str, station, quantity| {
        let name = name.to_owned();
        resources.push(Resource {
            name,
            station,
            quantity,
            used: 0,
            holders: Vec::new(),
        })
    };
    Places {
        mdm,
        findb,
        finapp,
        pay,
        etl1,
        etl3,
        bkp,
        crm,
        mft,
        dwh_pool,
        brn_pool,
        gldb: hold("GLDB_CONN", findb, 10 * scale),
        tape: hold("TAPE_DRV", bkp, 4),
        sap: hold("SAP_BTC", pay, 8 * scale),
        dwh_slot: hold("DWH_SLOT", dwh_pool, 12 * scale),
    }
}

/// A plain job, to be refined with struct update by the methods below.
pub(crate) fn job(name: &str, station: StationKey, minutes: i64) -> JobModel {
    let area = name.split('_').next().unwrap_or(name).to_lowercase();
    let user = match area.as_str() {
        "pay" => "payroll",
        "dwh" | "etl" => "etl",
        "bkp" => "bkpadm",
        "crm" => "crmsync",
        _ => "finbatch",
    };
    JobModel::plain(name, station, user, minutes * 60)
}

impl JobModel {
    /// Follows the jobs at these places of its stream.
    pub(super) fn after(mut self, places: &[usize]) -> Self {
        self.needs
            .extend(places.iter().copied().map(Need::Internal));
        self
    }

    pub(super) fn needs(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    pub(super) fn at(mut self, at: Secs) -> Self {
        self.special_mut().at = Some(at);
        self
    }

    pub(super) fn fails_first_night(mut self, code: &'static str) -> Self {
        self.special_mut().first_night = Some(code);
        self
    }

    pub(super) fn about(mut self, description: &str) -> Self {
        self.special_mut().told = Some(description.into());
        self
    }

    pub(super) fn critical(mut self, deadline: Secs) -> Self {
        self.critical = true;
        self.special_mut().deadline = Some(deadline);
        self
    }
}

/// Seeds of one stream's shape.
pub(super) fn dice(seed: u64, number: usize) -> Dice {
    Dice::new(
        seed,
        "stream",
        "",
        u32::try_from(number).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_has_as_many_jobs_as_asked_for() {
        for jobs in [12, 100, 450, 2000] {
            let catalogue = catalogue(42, jobs);
            let total: usize = catalogue.streams.rows().iter().map(|s| s.jobs.len()).sum();
            assert_eq!(total, jobs);
        }
    }

    #[test]
    fn sizes_follow_the_bank() {
        let (small, large) = (catalogue(42, 2000), catalogue(42, 20_000));
        assert_eq!(small.stations.len(), 14);
        assert_eq!(large.stations.len(), 60);
        assert!(
            (200..300).contains(&small.streams.len()),
            "{} streams",
            small.streams.len()
        );
    }

    #[test]
    fn names_fit_the_engine_and_some_stand_in_two_folders() {
        let catalogue = catalogue(42, 2000);
        let mut folders = std::collections::HashMap::<_, std::collections::HashSet<_>>::new();
        for stream in catalogue.streams.rows() {
            assert!(stream.name.len() <= 16, "{} is too long", stream.name);
            assert!(stream.jobs.iter().all(|job| job.name.len() <= 40));
            folders
                .entry(&stream.name)
                .or_default()
                .insert(&stream.folder);
        }
        assert!(folders.values().any(|folders| folders.len() == 2));
    }
}
