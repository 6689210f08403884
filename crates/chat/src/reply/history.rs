//! How a job ran before.
//!
//! Invariants:
//! - Only runs that were seen to end count, and since when they were is said.
//! - With few runs nothing is said to be usual.

use resync_tws::model::Phase;
use resync_tws::{HistoryView, JobView, PastRun};

use super::desk::{Ground, Told};
use super::draft::Fact;
use super::{Desk, Draft, job, known_job};
use crate::context::KnownJob;
use crate::text;
use crate::tools::PlanToolError;

/// How many runs are looked at.
const RUNS: u32 = 50;
/// How many are shown.
const LAST: usize = 5;
/// With fewer good runs than this there is no telling what is usual.
const ENOUGH: usize = 5;

pub(super) async fn answer(
    desk: &Desk<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let label = text::name(&target.label);
    let told = match desk.history(&target.id, RUNS).await {
        Ok(told) => told,
        Err(PlanToolError::NotKept) => {
            draft.tell(
                &format!("I don't know how {label} ran before: no history of runs is kept here."),
                &format!(
                    "Não sei como o {label} rodou antes: aqui não se guarda histórico de execuções."
                ),
            );
            return None;
        }
        Err(error) => {
            job::not_read(desk, target, error, draft);
            return None;
        }
    };
    let job = desk.job(&target.id).await.ok();
    let (view, by) = (&*told.value, &told.ground);
    counts(view, by, draft);
    if view.runs.is_empty() {
        draft.say_age(by);
        return job.map(|told| known_job(&told.value.job));
    }
    usual(view, job.as_ref(), by, draft);
    draft.new_line();
    draft.tell("Last runs:", "Últimas execuções:");
    for run in view.runs.iter().take(LAST) {
        let line = line(run, by, draft);
        draft.line(&line);
    }
    draft.say_age(by);
    job.map(|told| known_job(&told.value.job))
}

fn counts(view: &HistoryView, by: &Ground, draft: &mut Draft) {
    let label = text::name(&view.label);
    let figures = &view.statistics;
    let fact = |en, pt| Fact {
        what: "history",
        unit: Some("runs"),
        ..Fact::new(en, pt, "history")
    };
    let count = draft.number(
        by,
        &fact("runs seen", "execuções vistas").of(&label),
        figures.count,
    );
    let since = view.observed_since.map(|at| {
        let fact = Fact::new("observed since", "observado desde", "history");
        draft.time(by, &fact, at)
    });
    let (en, pt) = match &since {
        Some(at) => (format!(" since {at}"), format!(" desde {at}")),
        None => (String::new(), String::new()),
    };
    draft.tell(
        &format!("{label}: runs seen{en}: {count}."),
        &format!("{label}: execuções vistas{pt}: {count}."),
    );
    if figures.count > 0 {
        let good = draft.number(
            by,
            &fact("ended well", "terminaram bem").of(&label),
            figures.good,
        );
        let failed = figures.count.saturating_sub(figures.good);
        let failed = draft.number(by, &fact("failed", "falharam").of(&label), failed);
        draft.tell(
            &format!("Ended well: {good}; failed: {failed}."),
            &format!("Terminaram bem: {good}; falharam: {failed}."),
        );
    }
}

/// The usual duration, and how the run of now compares; or that it cannot be told.
fn usual(view: &HistoryView, job: Option<&Told<JobView>>, by: &Ground, draft: &mut Draft) {
    let figures = &view.statistics;
    let (Some(median), Some(p95)) = (figures.median_seconds, figures.p95_seconds) else {
        draft.tell(
            "No good run with a duration was seen, so I don't know what is usual.",
            "Nenhuma execução boa com duração foi vista; não sei o que é normal.",
        );
        return;
    };
    let label = text::name(&view.label);
    let fact = Fact::new(
        "median of good runs",
        "mediana das execuções boas",
        "history",
    );
    let shown = draft.duration(by, &fact.of(&label), median);
    draft.tell(
        &format!("Median of the good runs: {shown}."),
        &format!("Mediana das execuções boas: {shown}."),
    );
    if figures.good < ENOUGH {
        draft.tell(
            "That is too few runs to tell what is usual.",
            "São execuções de menos para dizer o que é normal.",
        );
        return;
    }
    let fact = Fact::new(
        "95% of good runs took at most",
        "95% das execuções boas levaram no máximo",
        "history",
    );
    let limit = draft.duration(by, &fact.of(&label), p95);
    draft.tell(
        &format!("95% of them took at most {limit}."),
        &format!("95% delas levaram no máximo {limit}."),
    );
    if let Some(told) = job {
        compare(told, &label, (median, p95), view, by, draft);
    }
}

fn compare(
    told: &Told<JobView>,
    label: &str,
    (median, p95): (u64, u64),
    view: &HistoryView,
    by: &Ground,
    draft: &mut Draft,
) {
    let (job, now) = (&told.value, told.ground.meta.fetched_at);
    let run = job.job.latest_run();
    let running = run
        .and_then(|run| run.started_at)
        .filter(|_| job.state.phase() == Phase::Running);
    if let Some(started) = running {
        let Ok(seconds) = u64::try_from((now - started).num_seconds()) else {
            return;
        };
        let fact = Fact::new("running for", "em execução há", "job");
        let shown = draft.duration(&told.ground, &fact.of(label), seconds);
        let (en, pt) = verdict(seconds, median, p95);
        draft.tell(
            &format!("It has been running for {shown}: {en}."),
            &format!("Está em execução há {shown}: {pt}."),
        );
        return;
    }
    if let Some((last, seconds)) = view.runs.first().and_then(|run| Some((run, run.seconds?))) {
        let fact = Fact::new("took", "levou", "history");
        let shown = draft.duration(by, &fact.of(last.run.as_str()), seconds);
        let (en, pt) = verdict(seconds, median, p95);
        draft.tell(
            &format!("The last run took {shown}: {en}."),
            &format!("A última execução levou {shown}: {pt}."),
        );
    }
}

const fn verdict(seconds: u64, median: u64, p95: u64) -> (&'static str, &'static str) {
    if seconds > p95 {
        ("slower than usual", "mais lenta que o normal")
    } else if seconds > median {
        (
            "above the median, and within the usual",
            "acima da mediana, dentro do normal",
        )
    } else {
        ("within the usual", "dentro do normal")
    }
}

/// `SUCC, rc 0, ended 2026-03-02 01:10 UTC, took 12 min`.
fn line(run: &PastRun, by: &Ground, draft: &mut Draft) -> String {
    let id = run.run.as_str();
    let fact = |en, pt| Fact::new(en, pt, "history").of(id);
    let mut en = vec![draft.words(by, &fact("state", "estado"), &run.status)];
    let mut pt = en.clone();
    if let Some(code) = run.return_code {
        let code = draft.code(by, &fact("return code", "código de retorno"), code);
        en.push(format!("rc {code}"));
        pt.push(format!("rc {code}"));
    }
    let ended = draft.time(by, &fact("ended", "fim"), run.ended_at);
    en.push(format!("ended {ended}"));
    pt.push(format!("terminou em {ended}"));
    if let Some(seconds) = run.seconds {
        let took = draft.duration(by, &fact("took", "levou"), seconds);
        en.push(format!("took {took}"));
        pt.push(format!("levou {took}"));
    }
    let parts = if draft.language.pick("en", "pt") == "en" {
        en
    } else {
        pt
    };
    parts.join(", ")
}
