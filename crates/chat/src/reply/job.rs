//! One job: how it stands, its log, who waits for it.

use resync_tws::model::{Job, JobStatus, Phase};
use resync_tws::{LogRequest, LogView, Meta};

use super::draft::{Fact, LogLines};
use super::{Desk, Draft, Question, SHOWN, engine_down, engine_name, known_job, plan};
use crate::context::KnownJob;
use crate::text;
use crate::tools::{PlanToolError, Seen};

/// How many lines of a log are shown: its end, which is where errors stand.
const TAIL: usize = 20;
/// How many ranges of a log are read to find its end.
const RANGES: u32 = 5;

/// Says that the job has left the plan.
pub(super) fn gone(desk: &Desk<'_>, target: &KnownJob, draft: &mut Draft) {
    let (label, engine) = (text::name(&target.label), engine_name(desk));
    draft.tell(
        &format!("Not found; looked in the plan of {engine}: {label} is no longer in it."),
        &format!("Não encontrado; foi visto o plano de {engine}: {label} não está mais nele."),
    );
}

/// `X is in ABEND, return code 12, ended 2026-03-02 01:10 UTC.`
pub(super) fn standing(job: &Job, state: &JobStatus, meta: &Meta, draft: &mut Draft) {
    let label = text::name(&job.label());
    let fact = |en, pt| Fact {
        what: "job",
        ..Fact::new(en, pt, "job")
    };
    let state = draft.words(meta, &fact("state", "estado").of(&label), state.as_str());
    let mut en = vec![format!("{label} is in {state}")];
    let mut pt = vec![format!("{label} está em {state}")];
    if let Some(code) = job.return_code() {
        let code = draft.code(
            meta,
            &fact("return code", "código de retorno").of(&label),
            code,
        );
        en.push(format!("return code {code}"));
        pt.push(format!("código de retorno {code}"));
    }
    let run = job.latest_run();
    if let Some(at) = run.and_then(|run| run.ended_at) {
        let at = draft.time(meta, &fact("ended", "fim").of(&label), at);
        en.push(format!("ended {at}"));
        pt.push(format!("terminou em {at}"));
    } else if let Some(at) = run.and_then(|run| run.started_at) {
        let at = draft.time(meta, &fact("started", "início").of(&label), at);
        en.push(format!("started {at}"));
        pt.push(format!("iniciou em {at}"));
    } else if let Some(at) = job.scheduled_at {
        let at = draft.time(meta, &fact("planned", "planejado").of(&label), at);
        en.push(format!("planned for {at}"));
        pt.push(format!("planejado para {at}"));
    }
    draft.tell(
        &format!("{}.", en.join(", ")),
        &format!("{}.", pt.join(", ")),
    );
}

pub(super) async fn status(
    desk: &Desk<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let seen = match desk.job(&target.id).await {
        Ok(seen) => seen,
        Err(error) => {
            not_read(desk, target, error, draft);
            return None;
        }
    };
    let (view, meta) = (&*seen.value, &seen.meta);
    standing(&view.job, &view.state, meta, draft);
    if let Some(why) = &view.why_waiting {
        let why = draft.sentence(
            meta,
            &Fact::new("why it waits", "por que espera", "job"),
            why,
        );
        draft.say(&why);
    }
    if view.job.late && !view.state.has_ended() {
        draft.tell("It is late.", "Está atrasado.");
    }
    if view.job.long_running && view.state.phase() == Phase::Running {
        draft.tell(
            "It runs longer than usual.",
            "Está rodando há mais tempo que o normal.",
        );
    }
    draft.say_age(meta);
    Some(known_job(&view.job))
}

pub(super) fn not_read(
    desk: &Desk<'_>,
    target: &KnownJob,
    error: PlanToolError,
    draft: &mut Draft,
) {
    if error == PlanToolError::Gone {
        gone(desk, target, draft);
    } else {
        engine_down(desk, error, draft);
    }
}

pub(super) async fn log(desk: &Desk<'_>, target: &KnownJob, draft: &mut Draft) -> Option<KnownJob> {
    let label = text::name(&target.label);
    let seen = match tail(desk, target).await {
        Ok(seen) => seen,
        Err(PlanToolError::NoLog) => {
            draft.tell(
                &format!("Not found; asked the engine for the log of {label}: there is none (not started, or kept no longer)."),
                &format!("Não encontrado; o log de {label} foi pedido ao engine: não há (não iniciou, ou não é mais guardado)."),
            );
            return None;
        }
        Err(error) => {
            not_read(desk, target, error, draft);
            return None;
        }
    };
    let (view, meta) = (&*seen.value, &seen.meta);
    let skipped = view.lines.len().saturating_sub(TAIL);
    let lines = view.lines.get(skipped..).unwrap_or(&[]);
    if lines.is_empty() {
        draft.tell(
            &format!("The log of {label} is empty."),
            &format!("O log de {label} está vazio."),
        );
        return None;
    }
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let from = view.from_line.saturating_add(count(skipped));
    let to = from.saturating_add(count(lines.len()).saturating_sub(1));
    let words = lines.join("\n");
    let mark = draft.cite_log(
        meta,
        LogLines {
            label: &label,
            job: &view.job_id,
            run: &view.run,
            from,
            to,
            text: &words,
        },
    );
    draft.tell(
        &format!("The end of the log of {label}, lines {from} to {to} {mark}."),
        &format!("O fim do log de {label}, linhas {from} a {to} {mark}."),
    );
    if view.truncated {
        draft.tell(
            "The log goes on after them.",
            "O log continua depois delas.",
        );
    }
    if view.redacted > 0 {
        draft.tell(
            "Secrets in it were taken out.",
            "Segredos nele foram removidos.",
        );
    }
    draft.say_age(meta);
    None
}

/// The last range of the log.
async fn tail(desk: &Desk<'_>, target: &KnownJob) -> Result<Seen<LogView>, PlanToolError> {
    let range = |from| LogRequest {
        from: Some(from),
        lines: Some(2_000),
        ..LogRequest::default()
    };
    let mut seen = desk.log(&target.id, range(1)).await?;
    for _ in 1..RANGES {
        let read = u32::try_from(seen.value.lines.len()).unwrap_or(u32::MAX);
        if !seen.value.truncated || read == 0 {
            break;
        }
        match desk
            .log(&target.id, range(seen.value.from_line.saturating_add(read)))
            .await
        {
            Ok(next) if !next.value.lines.is_empty() => seen = next,
            Ok(_) | Err(PlanToolError::NoLog) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}

pub(super) fn impact(
    desk: &Desk<'_>,
    question: &Question<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let (snapshot, meta) = plan(desk, question, draft)?;
    let Some(job) = snapshot.job(&target.id) else {
        gone(desk, target, draft);
        return None;
    };
    let victims = snapshot.victims(&target.id);
    let label = text::name(&job.label());
    let fact = Fact::jobs("jobs that wait for it", "jobs que esperam por ele");
    let count = draft.number(meta, &fact.of(&label), victims.len());
    match victims.len() {
        0 => draft.tell(
            &format!("{count} jobs wait for {label}."),
            &format!("{count} jobs esperam por {label}."),
        ),
        1 => draft.tell(
            &format!("{count} job that has not ended waits for {label}:"),
            &format!("{count} job não terminado espera por {label}:"),
        ),
        _ => draft.tell(
            &format!(
                "{count} jobs that have not ended wait for {label}, directly or through others:"
            ),
            &format!("{count} jobs não terminados esperam por {label}, direta ou indiretamente:"),
        ),
    }
    if !victims.is_empty() {
        for victim in victims.iter().take(SHOWN) {
            draft.line(&format!(
                "{} ({})",
                text::name(&victim.label()),
                text::name(victim.state().as_str())
            ));
        }
        more(victims.len(), meta, draft);
    }
    draft.say_age(meta);
    Some(known_job(job))
}

/// Says how many items the list left out.
pub(super) fn more(total: usize, meta: &Meta, draft: &mut Draft) {
    if total > SHOWN {
        let fact = Fact::jobs("not listed", "não listados");
        let rest = draft.number(meta, &fact, total - SHOWN);
        draft.tell(&format!("… and {rest} more."), &format!("… e mais {rest}."));
    }
}
