//! The named streams of the bank: what the night of the first plan day is about.
//!
//! Order matters twice: a small plan keeps the first ones, and a stream may only wait for one
//! above it.

use super::bank::{Places, at, job};
use crate::{
    model::{Cycle, JobModel, LateStart, Need, Recovery, StreamModel},
    names::Secs,
    table::{Key, ModelKey, StationKey},
};

/// Where `FIN_EOD` and its last but one job stand; the fill waits for them.
pub(super) const FIN_EOD: u32 = 0;
pub(super) const FIN_CLOSE_DAY: usize = 12;

struct Shape {
    name: &'static str,
    folder: &'static str,
    station: StationKey,
    at: Secs,
    priority: u32,
}

impl Shape {
    fn with(self, jobs: Vec<JobModel>) -> StreamModel {
        StreamModel {
            name: self.name.to_owned(),
            folder: self.folder.to_owned(),
            station: self.station,
            cycle: Cycle::Daily,
            at: self.at,
            priority: self.priority,
            limit: None,
            needs: Vec::new(),
            jobs: jobs.into_iter().map(JobModel::kept).collect(),
        }
    }
}

fn shape(
    name: &'static str,
    folder: &'static str,
    station: StationKey,
    at: Secs,
    priority: u32,
) -> Shape {
    Shape {
        name,
        folder,
        station,
        at,
        priority,
    }
}

/// The named streams, `FIN_EOD` first.
pub(super) fn streams(places: &Places, jobs: usize) -> Vec<StreamModel> {
    let mut streams = vec![
        fin_eod(places),
        card_clear(places),
        pay_monthly(places),
        crm_sync(places),
        dwh_stage(places),
        dwh_night(places),
        reg_daily(places),
        fin_reports(places),
    ];
    streams.extend(backups(places));
    streams.extend(housekeeping(places));
    streams.push(risk_limits(places));
    streams.push(final_stream(places));
    let branches = if jobs < 500 { 3 } else { 40 };
    streams.extend((0..branches).map(|branch| branch_stream(places, branch)));
    streams
}

fn fin_eod(p: &Places) -> StreamModel {
    let db = p.findb;
    let gl = Need::Resource(p.gldb, 2);
    let mut stream = shape("FIN_EOD", "/FIN/EOD/", db, at(20, 0), 60).with(vec![
        job("FIN_BR_TOTALS", db, 24).about("Collect the branches' totals of the day"),
        job("FIN_FX_RATES", db, 6).about("Load the closing exchange rates"),
        job("FIN_JRN_EXTRACT", db, 30).after(&[0]).needs(gl.clone()),
        job("FIN_JRN_VALIDATE", db, 22).after(&[1, 2]),
        job("FIN_GL_EXTRACT", db, 26).after(&[3]).needs(gl.clone()),
        job("FIN_GL_POST", db, 18)
            .after(&[4])
            .needs(gl.clone())
            .at(at(22, 41))
            .about("Post the day's journals to the general ledger")
            .critical(at(2, 30))
            .fails_first_night("F01"),
        job("FIN_INT_CALC", db, 35)
            .after(&[5])
            .needs(gl)
            .about("Accrue the day's interest"),
        job("FIN_EOD_BAL", db, 12)
            .after(&[6])
            .about("Compare debit and credit totals"),
        job("FIN_RPT_LEDGER", p.finapp, 14).after(&[7]),
        job("FIN_RPT_POSITION", p.finapp, 16).after(&[7]),
        job("FIN_RPT_SEND", p.mft, 5).after(&[8, 9]),
        job("FIN_SNAPSHOT", db, 10).after(&[7]),
        job("FIN_CLOSE_DAY", db, 4)
            .after(&[10, 11])
            .about("Set the flag that closes the accounting day")
            .critical(at(2, 30)),
        job("FIN_EOD_NOTIFY", p.finapp, 1).after(&[12]),
    ]);
    stream.cycle = Cycle::Weekdays;
    stream
}

fn card_clear(p: &Places) -> StreamModel {
    let file = "/mft/in/CLEARING_%D.dat".to_owned();
    // On the first night the file comes 37 minutes late.
    let file = Need::File(Box::new((file, at(20, 22), at(19, 41))));
    let mut receive = job("CARD_RECV_CLEARING", p.mft, 4).needs(file);
    receive.special_mut().deadline = Some(at(19, 45));
    shape("CARD_CLEAR", "/CARD/", p.mft, at(19, 30), 40).with(vec![
        receive.about("Take in the scheme's clearing file"),
        job("CARD_VALIDATE", p.mft, 7).after(&[0]),
        job("CARD_POST", p.findb, 20)
            .after(&[1])
            .needs(Need::Resource(p.gldb, 1)),
        job("CARD_RECONCILE", p.findb, 12).after(&[2]),
        job("CARD_REPORT", p.finapp, 6).after(&[3]),
    ])
}

fn pay_monthly(p: &Places) -> StreamModel {
    let pay = p.pay;
    let question = Need::Prompt(Box::new(("PAY_TOTALS_OK", "Payroll totals checked?")));
    let mut send = job("PAY_SEND_SEPA", p.mft, 5)
        .after(&[6])
        .critical(at(4, 0));
    send.confirm = true;
    let mut stream = shape("PAY_MONTHLY", "/HR/PAY/", pay, at(21, 15), 50).with(vec![
        job("PAY_EXTRACT", pay, 12),
        job("PAY_GROSS_CALC", pay, 34)
            .after(&[0])
            .needs(Need::Resource(p.sap, 2)),
        job("PAY_NET_CALC", pay, 40)
            .after(&[1])
            .about("Net pay of every employee")
            .fails_first_night("F04"),
        job("PAY_TOTALS", pay, 6).after(&[1]),
        job("PAY_APPROVE_TOTALS", pay, 1)
            .after(&[3])
            .needs(question)
            .about("Records that somebody checked the totals"),
        job("PAY_SLIPS", pay, 25).after(&[2]),
        job("PAY_SEPA_FILE", pay, 8).after(&[2, 4]),
        send.about("Send the payments to the clearing house, cut-off 04:00"),
        job("PAY_ARCHIVE", pay, 9).after(&[7]),
    ]);
    stream.cycle = Cycle::MonthStart;
    stream
}

fn crm_sync(p: &Places) -> StreamModel {
    let mut delta = job("CRM_SYNC_DELTA", p.crm, 3).about("Fetch changed customers");
    delta.every = Some(15 * 60);
    delta.recovery = Recovery::Continue;
    let mut check = job("CRM_SYNC_CHECK", p.crm, 1).after(&[0]);
    check.every = Some(60 * 60);
    shape("CRM_SYNC", "/CRM/SYNC/", p.crm, at(16, 5), 10).with(vec![delta, check])
}

fn dwh_stage(p: &Places) -> StreamModel {
    let etl = p.etl3;
    shape("DWH_STAGE_EXT", "/DWH/LOAD/", etl, at(1, 20), 20).with(vec![
        job("DWH_STAGE_CARDS", etl, 20),
        job("DWH_STAGE_MARKET", etl, 14),
        job("DWH_STAGE_PARTNER", etl, 11),
        job("DWH_STAGE_WEB", etl, 25),
        job("DWH_STAGE_CHECK", etl, 4).after(&[0, 1, 2, 3]),
    ])
}

fn dwh_night(p: &Places) -> StreamModel {
    let pool = p.dwh_pool;
    let slot = || Need::Resource(p.dwh_slot, 2);
    let close = Need::Job(ModelKey::new(FIN_EOD), FIN_CLOSE_DAY);
    let mut stream = shape("DWH_NIGHT", "/DWH/LOAD/", pool, at(0, 30), 30).with(vec![
        job("DWH_STAGE_GL", pool, 18).needs(slot()),
        job("DWH_DIM_CUSTOMER", pool, 15).after(&[0]).needs(slot()),
        job("DWH_DIM_PRODUCT", pool, 8).after(&[0]).needs(slot()),
        job("DWH_LOAD_FACT_SALES", pool, 44)
            .after(&[1, 2])
            .needs(slot()),
        job("DWH_LOAD_FACT_GL", pool, 38)
            .after(&[1, 2])
            .needs(slot()),
        job("DWH_MART_FIN", pool, 20).after(&[3, 4]),
        job("DWH_MART_SALES", pool, 22).after(&[3]),
        job("DWH_CHECKS", pool, 6)
            .after(&[5, 6])
            .critical(at(6, 30)),
        job("DWH_PUBLISH", pool, 3).after(&[7]),
    ]);
    stream.needs.push(close);
    stream
}

fn reg_daily(p: &Places) -> StreamModel {
    let close = Need::Job(ModelKey::new(FIN_EOD), FIN_CLOSE_DAY);
    shape("REG_DAILY", "/REG/", p.mft, at(3, 0), 45).with(vec![
        job("REG_COLLECT", p.findb, 12).needs(close),
        job("REG_FORMAT", p.mft, 6).after(&[0]),
        job("REG_SEND", p.mft, 3)
            .after(&[1])
            .about("Send the daily return to the regulator")
            .critical(at(6, 0))
            .fails_first_night("F10"),
        job("REG_ARCHIVE", p.mft, 2).after(&[2]),
    ])
}

fn fin_reports(p: &Places) -> StreamModel {
    shape("FIN_REPORTS", "/FIN/RPT/", p.finapp, at(1, 40), 20).with(vec![
        job("FIN_RPT_BUILD", p.finapp, 20),
        job("FIN_RPT_PRINT", p.finapp, 10)
            .after(&[0])
            .at(at(2, 2))
            .fails_first_night("F05"),
        job("FIN_RPT_MAIL", p.finapp, 3).after(&[1]),
    ])
}

fn backups(p: &Places) -> Vec<StreamModel> {
    let names = [
        ("BKP_FULL", "BKP_DB_FINDB01", 150, Some("F23")),
        ("BKP_DWH", "BKP_DB_DWH", 290, None),
        ("BKP_CRM", "BKP_DB_CRM", 240, None),
        ("BKP_PAY", "BKP_DB_PAYROLL", 230, None),
        ("BKP_FILES", "BKP_FS_SHARED", 260, None),
        ("BKP_MAIL", "BKP_FS_MAIL", 180, None),
    ];
    let model =
        |(stream, name, minutes, fails): (&'static str, &str, i64, Option<&'static str>)| {
            let mut backup = job(name, p.bkp, minutes).needs(Need::Resource(p.tape, 1));
            backup.ok_to = 4;
            backup.special_mut().first_night = fails;
            let mut verify = job(&name.replacen("BKP_", "BKP_VERIFY_", 1), p.bkp, 12).after(&[0]);
            // Sooner than this it has not read the whole tape.
            verify.special_mut().shortest = Some(11 * 60);
            shape(stream, "/INF/BKP/", p.bkp, at(23, 30), 15).with(vec![backup, verify])
        };
    names.into_iter().map(model).collect()
}

fn housekeeping(p: &Places) -> Vec<StreamModel> {
    // The same stream with the same jobs in two folders: names alone find two.
    [("/INF/HK/", p.finapp), ("/DWH/HK/", p.etl1)]
        .into_iter()
        .map(|(folder, station)| {
            let mut purge = job("HK_PURGE_ARCHIVE", station, 15).after(&[1]);
            purge.special_mut().latest = Some((at(23, 0), LateStart::DoNotRun));
            shape("HK_DAILY", folder, station, at(18, 0), 10).with(vec![
                job("HK_CLEAN_WORK", station, 6).about("Empty the work areas"),
                job("HK_ROTATE_LOGS", station, 4).after(&[0]),
                purge,
                job("HK_CHECK_SPACE", station, 1).after(&[1]),
            ])
        })
        .collect()
}

fn risk_limits(p: &Places) -> StreamModel {
    let question = Need::Prompt(Box::new((
        "RISK_LIMITS_OK",
        "Risk limits of the day approved?",
    )));
    let mut stress = job("RISK_STRESS", p.etl1, 220).after(&[0]);
    stress.special_mut().longest = Some(180 * 60);
    // It must not run into the morning: about half of the nights it is killed.
    stress.special_mut().deadline = Some(at(3, 45));
    stress.special_mut().late_kill = true;
    shape("RISK_NIGHT", "/RISK/", p.etl1, at(23, 45), 25).with(vec![
        job("RISK_LOAD_POSITIONS", p.etl1, 18),
        stress.about("Stress scenarios, the longest job of the night"),
        job("RISK_VALIDATE", p.etl1, 6)
            .after(&[0])
            .fails_first_night("F30"),
        job("RISK_LIMITS", p.etl1, 5).after(&[0]).needs(question),
        job("RISK_REPORT", p.finapp, 7).after(&[1, 3]),
    ])
}

fn final_stream(p: &Places) -> StreamModel {
    // One minute before the next start of day.
    let end = 24 * 3600 - 60;
    shape("FINAL", "/", p.mdm, end, 101).with(vec![
        job("MAKEPLAN", p.mdm, 1).about("Builds the next plan"),
        job("SWITCHPLAN", p.mdm, 1)
            .after(&[0])
            .about("Puts the next plan in place"),
        job("UPDATESTATS", p.mdm, 1).after(&[1]),
    ])
}

fn branch_stream(p: &Places, branch: i64) -> StreamModel {
    let number = 201 + branch * 3;
    let name = |verb: &str| format!("BRN_{number:04}_{verb}");
    let pool = p.brn_pool;
    let mut stream = shape("BRN", "/BRN/EOD/", pool, at(20, 30) + branch % 8 * 60, 20).with(vec![
        job(&name("CUTOFF"), pool, 3),
        job(&name("TOTALS"), pool, 9).after(&[0]),
        job(&name("CASH"), pool, 6).after(&[0]),
        job(&name("CLOSE"), pool, 4).after(&[1, 2]),
    ]);
    stream.name = name("EOD");
    stream
}
