//! Ended runs in PostgreSQL.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_tws::model::{EngineName, RunId};
use resync_tws::ports::{EndedRun, HistoryError, JobIdentity, RunHistory};
use sqlx::FromRow;

use crate::row::{RowName, signed, storable};
use crate::{PgDatabase, PgError};

/// Ended runs in the table `run_history`.
#[derive(Debug, Clone)]
pub struct PgRunHistory {
    database: PgDatabase,
}

#[derive(FromRow)]
struct Row {
    run: String,
    status: String,
    good: bool,
    return_code: Option<i32>,
    started_at_ms: Option<i64>,
    ended_at_ms: i64,
    seconds: Option<i64>,
}

impl Row {
    fn read(self, job: &JobIdentity) -> Result<EndedRun, PgError> {
        let name = RowName {
            table: "run_history",
            id: &self.run,
        };
        let run = RunId::parse(&self.run).map_err(|error| name.broken("run", error))?;
        Ok(EndedRun {
            job: job.clone(),
            run,
            status: self.status.clone(),
            good: self.good,
            return_code: self.return_code,
            started_at: self
                .started_at_ms
                .map(|ms| name.time("started_at_ms", ms))
                .transpose()?,
            ended_at: name.time("ended_at_ms", self.ended_at_ms)?,
            seconds: self
                .seconds
                .map(|seconds| name.number("seconds", seconds))
                .transpose()?,
        })
    }
}

/// Runs by their columns, as one statement takes them however many they are.
#[derive(Default)]
struct Columns {
    engine: Vec<String>,
    run: Vec<String>,
    workstation: Vec<String>,
    folder: Vec<String>,
    stream: Vec<String>,
    job: Vec<String>,
    status: Vec<String>,
    good: Vec<bool>,
    return_code: Vec<Option<i32>>,
    started_at_ms: Vec<Option<i64>>,
    ended_at_ms: Vec<i64>,
    seconds: Vec<Option<i64>>,
}

impl Columns {
    fn of(runs: &[EndedRun]) -> Self {
        let mut columns = Self::default();
        for run in runs {
            columns.engine.push(run.job.engine.to_string());
            columns.run.push(storable(run.run.as_str()).into_owned());
            columns
                .workstation
                .push(storable(&run.job.workstation).into_owned());
            columns.folder.push(storable(&run.job.folder).into_owned());
            columns.stream.push(storable(&run.job.stream).into_owned());
            columns.job.push(storable(&run.job.job).into_owned());
            columns.status.push(storable(&run.status).into_owned());
            columns.good.push(run.good);
            columns.return_code.push(run.return_code);
            columns
                .started_at_ms
                .push(run.started_at.map(|at| at.timestamp_millis()));
            columns.ended_at_ms.push(run.ended_at.timestamp_millis());
            columns.seconds.push(run.seconds.map(signed));
        }
        columns
    }
}

/// In the order of the key, so that two replicas that record the same runs never wait for each other in
/// a circle.
const RECORD: &str = "\
    WITH since AS (
        INSERT INTO run_history_since (engine, at_ms) VALUES ($13, $14) ON CONFLICT (engine) DO NOTHING
    )
    INSERT INTO run_history (engine, run, workstation, folder, stream, job, status, good, return_code,
        started_at_ms, ended_at_ms, seconds)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::bool[], $9::int[], $10::bigint[], $11::bigint[], $12::bigint[])
        AS run (engine, run, workstation, folder, stream, job, status, good, return_code,
            started_at_ms, ended_at_ms, seconds)
    ORDER BY engine, run
    ON CONFLICT (engine, run) DO NOTHING";

/// The durations of good runs as an array for each place in a list of names. The index gives the runs of
/// a job in their order, so that no more than the newest are touched.
const GOOD_SECONDS: &str = "\
    SELECT wanted.place, newest.seconds
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
        AS wanted (engine, job, stream, workstation, folder, place)
    CROSS JOIN LATERAL (
        SELECT array_agg(seconds ORDER BY ended_at_ms DESC, run) AS seconds FROM (
            SELECT run, ended_at_ms, seconds, good FROM run_history AS one
            WHERE one.engine = wanted.engine AND one.job = wanted.job AND one.stream = wanted.stream
                AND one.workstation = wanted.workstation AND one.folder = wanted.folder
            ORDER BY ended_at_ms DESC, run LIMIT $6
        ) AS runs WHERE good AND seconds IS NOT NULL
    ) AS newest
    WHERE newest.seconds IS NOT NULL";

impl From<PgError> for HistoryError {
    fn from(error: PgError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl PgRunHistory {
    /// The runs of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl RunHistory for PgRunHistory {
    async fn record(
        &self,
        engine: &EngineName,
        runs: &[EndedRun],
        now: DateTime<Utc>,
    ) -> Result<u64, HistoryError> {
        let columns = Columns::of(runs);
        let query = sqlx::query(RECORD)
            .bind(columns.engine)
            .bind(columns.run)
            .bind(columns.workstation)
            .bind(columns.folder)
            .bind(columns.stream)
            .bind(columns.job)
            .bind(columns.status)
            .bind(columns.good)
            .bind(columns.return_code)
            .bind(columns.started_at_ms)
            .bind(columns.ended_at_ms)
            .bind(columns.seconds)
            .bind(engine.to_string())
            .bind(now.timestamp_millis());
        Ok(self.database.change(query).await?)
    }

    async fn of_job(&self, job: &JobIdentity, limit: u32) -> Result<Vec<EndedRun>, HistoryError> {
        let query = sqlx::query_as::<_, Row>(
            "SELECT run, status, good, return_code, started_at_ms, ended_at_ms, seconds
             FROM run_history
             WHERE engine = $1 AND job = $2 AND stream = $3 AND workstation = $4 AND folder = $5
             ORDER BY ended_at_ms DESC, run LIMIT $6",
        )
        .bind(job.engine.as_str())
        .bind(storable(&job.job))
        .bind(storable(&job.stream))
        .bind(storable(&job.workstation))
        .bind(storable(&job.folder))
        .bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        Ok(rows
            .into_iter()
            .map(|row| row.read(job))
            .collect::<Result<_, _>>()?)
    }

    async fn good_seconds(
        &self,
        jobs: &[JobIdentity],
        limit: u32,
    ) -> Result<HashMap<JobIdentity, Vec<u64>>, HistoryError> {
        // Each once, so that the number of a job stands for it alone.
        let jobs: BTreeSet<&JobIdentity> = jobs.iter().collect();
        let jobs: Vec<&JobIdentity> = jobs.into_iter().collect();
        let names = |part: fn(&JobIdentity) -> &str| -> Vec<String> {
            jobs.iter()
                .map(|job| storable(part(job)).into_owned())
                .collect()
        };
        let query = sqlx::query_as(GOOD_SECONDS)
            .bind(names(|job| job.engine.as_str()))
            .bind(names(|job| &job.job))
            .bind(names(|job| &job.stream))
            .bind(names(|job| &job.workstation))
            .bind(names(|job| &job.folder))
            .bind(i64::from(limit));
        let rows: Vec<(i64, Vec<i64>)> = self.database.rows(query).await?;
        let mut found = HashMap::new();
        for (place, seconds) in rows {
            // The places count from 1; the query numbers nothing but what it was given.
            let at = usize::try_from(place)
                .ok()
                .and_then(|place| place.checked_sub(1));
            let Some(&job) = at.and_then(|at| jobs.get(at)) else {
                continue;
            };
            let name = RowName {
                table: "run_history",
                id: &job.job,
            };
            let seconds: Result<Vec<u64>, PgError> = seconds
                .into_iter()
                .map(|seconds| name.number("seconds", seconds))
                .collect();
            found.insert(job.clone(), seconds?);
        }
        Ok(found)
    }

    async fn observed_since(
        &self,
        engine: &EngineName,
    ) -> Result<Option<DateTime<Utc>>, HistoryError> {
        let query = sqlx::query_as("SELECT at_ms FROM run_history_since WHERE engine = $1")
            .bind(engine.as_str());
        let at: Option<(i64,)> = self.database.row(query).await?;
        let name = RowName {
            table: "run_history_since",
            id: engine,
        };
        Ok(at.map(|(ms,)| name.time("at_ms", ms)).transpose()?)
    }

    async fn purge(&self, before: DateTime<Utc>, keep: u32) -> Result<u64, HistoryError> {
        let query = sqlx::query(
            "DELETE FROM run_history USING (
                 SELECT engine, run, ended_at_ms, row_number() OVER (
                     PARTITION BY engine, job, stream, workstation, folder
                     ORDER BY ended_at_ms DESC, run) AS place
                 FROM run_history
             ) AS numbered
             WHERE run_history.engine = numbered.engine AND run_history.run = numbered.run
                 AND (numbered.ended_at_ms < $1 OR numbered.place > $2)",
        )
        .bind(before.timestamp_millis())
        .bind(i64::from(keep));
        Ok(self.database.change(query).await?)
    }
}
