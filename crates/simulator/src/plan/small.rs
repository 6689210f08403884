//! The profile `small`: a workshop with four workstations.
//!
//! Four named streams and numbered ones up to the number of jobs asked for. One failure a night: the
//! invoices find a key twice (F20), and what follows them waits.

use std::sync::Arc;

use super::{
    bank::{Places, at, job},
    fill,
};
use crate::{
    model::{Catalogue, Cycle, JobModel, Need, Recovery, Resource, Station, StreamModel},
    names::Secs,
    table::{StationKey, Table},
};

/// Definitions for a plan of about `jobs` jobs.
pub(super) fn catalogue(seed: u64, jobs: usize) -> Catalogue {
    let mut stations = Table::new();
    let mut resources = Table::new();
    let mut add = |name, kind, os, limit| stations.push(Station::new(name, kind, os, limit));
    let mdm = add("MDM", "MANAGER", "LINUX", 10);
    let app = add("APP01", "AGENT", "LINUX", 6);
    let db = add("DB01", "AGENT", "LINUX", 6);
    let files = add("FILE01", "AGENT", "WINDOWS", 4);
    let mut hold = |name: &str, station, quantity| {
        resources.push(Resource {
            name: name.to_owned(),
            station,
            quantity,
            used: 0,
            holders: Vec::new(),
        })
    };
    let (sessions, disk) = (hold("DB_SESSIONS", db, 6), hold("BACKUP_DISK", files, 1));
    // The numbered streams know the bank's places: each has its like here.
    let places = Places {
        mdm,
        findb: db,
        finapp: app,
        pay: app,
        etl1: app,
        etl3: app,
        bkp: files,
        crm: app,
        mft: files,
        dwh_pool: db,
        brn_pool: app,
        gldb: sessions,
        tape: disk,
        sap: sessions,
        dwh_slot: sessions,
    };
    let mut streams = Table::new();
    let mut total = 0;
    for model in named(&places) {
        if total + model.jobs.len() <= jobs {
            total += model.jobs.len();
            streams.push(Arc::new(model));
        }
    }
    let agents = [app, db, files];
    fill::streams(seed, jobs - total, &agents, &places, &mut streams, false);
    Catalogue {
        streams,
        stations,
        resources,
    }
}

fn stream(
    name: &str,
    folder: &str,
    station: StationKey,
    at: Secs,
    jobs: Vec<JobModel>,
) -> StreamModel {
    StreamModel {
        name: name.to_owned(),
        folder: folder.to_owned(),
        station,
        cycle: Cycle::Daily,
        at,
        priority: 10,
        limit: None,
        needs: Vec::new(),
        jobs: jobs.into_iter().map(JobModel::kept).collect(),
    }
}

fn named(p: &Places) -> Vec<StreamModel> {
    let mut sync = job("SHOP_STOCK_SYNC", p.crm, 2).about("Fetch the web shop's orders");
    sync.every = Some(30 * 60);
    sync.recovery = Recovery::Continue;
    let backup = |name: &str, minutes| job(name, p.bkp, minutes).needs(Need::Resource(p.tape, 1));
    vec![
        stream(
            "SHOP_CLOSE",
            "/SHOP/",
            p.findb,
            at(20, 0),
            vec![
                job("SHOP_ORDERS_LOAD", p.findb, 8),
                job("SHOP_INVOICE_RUN", p.findb, 20)
                    .after(&[0])
                    .about("Write the day's invoices")
                    .fails_first_night("F20"),
                job("SHOP_INVOICE_MAIL", p.finapp, 5).after(&[1]),
                job("SHOP_LEDGER", p.findb, 6)
                    .after(&[1])
                    .critical(at(6, 0)),
            ],
        ),
        stream("SHOP_STOCK", "/SHOP/", p.crm, at(16, 5), vec![sync]),
        stream(
            "BACKUP",
            "/INF/",
            p.bkp,
            at(23, 0),
            vec![backup("BKP_DB01", 60), backup("BKP_FILE01", 90)],
        ),
        stream(
            "FINAL",
            "/",
            p.mdm,
            24 * 3600 - 60,
            vec![
                job("MAKEPLAN", p.mdm, 1).about("Builds the next plan"),
                job("SWITCHPLAN", p.mdm, 1).after(&[0]),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workshop_has_four_workstations_and_as_many_jobs_as_asked_for() {
        for jobs in [5, 100, 400] {
            let catalogue = catalogue(42, jobs);
            let total: usize = catalogue.streams.rows().iter().map(|s| s.jobs.len()).sum();
            assert_eq!((total, catalogue.stations.len()), (jobs, 4));
        }
    }
}
