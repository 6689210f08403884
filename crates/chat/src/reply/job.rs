//! One job: how it stands, its log, who waits for it.

use resync_tws::model::{Job, JobStatus, Phase};
use resync_tws::{DeadlineKind, EvidenceKind, ImpactView, LogRequest, LogView};

use super::desk::{EXCERPT, Ground};
use super::draft::{Fact, LogLines};
use super::{Desk, Draft, SHOWN, engine_down, engine_name, known_job};
use crate::context::KnownJob;
use crate::evidence::EvidenceFact;
use crate::text;
use crate::tools::{PlanToolError, Seen};

/// How many lines of a log are shown: its end, which is where errors stand.
const TAIL: usize = 20;
/// How many ranges of a log are read to find its end.
const RANGES: u32 = 5;

/// How many streams and deadlines of an impact are named.
const NAMED: usize = 5;

/// Says that the job has left the plan.
pub(super) fn gone(desk: &Desk<'_>, target: &KnownJob, draft: &mut Draft) {
    looked_for(desk, target);
    let (label, engine) = (text::name(&target.label), engine_name(desk));
    draft.tell(
        &format!("Not found; looked in the plan of {engine}: {label} is no longer in it."),
        &format!("Não encontrado; foi visto o plano de {engine}: {label} não está mais nele."),
    );
}

/// Keeps on record which job was asked for, where the tool that was asked told nothing of it.
fn looked_for(desk: &Desk<'_>, target: &KnownJob) {
    desk.engine_is(vec![EvidenceFact::words(
        "asked for",
        &text::name(&target.label),
    )]);
}

/// `X is in ABEND, return code 12, ended 2026-03-02 01:10 UTC.`
pub(super) fn standing(job: &Job, state: &JobStatus, by: &Ground, draft: &mut Draft) {
    let label = text::name(&job.label());
    let fact = |en, pt| Fact {
        what: "job",
        ..Fact::new(en, pt, "job")
    };
    let state = draft.words(by, &fact("state", "estado").of(&label), state.as_str());
    let mut en = vec![format!("{label} is in {state}")];
    let mut pt = vec![format!("{label} está em {state}")];
    if let Some(code) = job.return_code() {
        let code = draft.code(
            by,
            &fact("return code", "código de retorno").of(&label),
            code,
        );
        en.push(format!("return code {code}"));
        pt.push(format!("código de retorno {code}"));
    }
    let run = job.latest_run();
    if let Some(at) = run.and_then(|run| run.ended_at) {
        let at = draft.time(by, &fact("ended", "fim").of(&label), at);
        en.push(format!("ended {at}"));
        pt.push(format!("terminou em {at}"));
    } else if let Some(at) = run.and_then(|run| run.started_at) {
        let at = draft.time(by, &fact("started", "início").of(&label), at);
        en.push(format!("started {at}"));
        pt.push(format!("iniciou em {at}"));
    } else if let Some(at) = job.scheduled_at {
        let at = draft.time(by, &fact("planned", "planejado").of(&label), at);
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
    let told = match desk.job(&target.id).await {
        Ok(told) => told,
        Err(error) => {
            not_read(desk, target, error, draft);
            return None;
        }
    };
    let (view, by) = (&*told.value, &told.ground);
    standing(&view.job, &view.state, by, draft);
    if let Some(why) = &view.why_waiting {
        let why = draft.sentence(by, &Fact::new("why it waits", "por que espera", "job"), why);
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
    if view.state.has_failed() {
        let name = text::name(&view.job.name);
        draft.tell(
            &format!("Next: ask \"why did {name} fail?\" for its cause and its runbook."),
            &format!(
                "Próximo passo: pergunte \"por que o {name} falhou?\" para ver a causa e o runbook."
            ),
        );
    }
    draft.say_age(by);
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
            looked_for(desk, target);
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
    let skipped = view.lines.len() - end(&view.lines).len();
    let lines = end(&view.lines);
    if lines.is_empty() {
        looked_for(desk, target);
        draft.tell(
            &format!("The log of {label} is empty."),
            &format!("O log de {label} está vazio."),
        );
        return None;
    }
    let from = view.from_line.saturating_add(count(skipped));
    let to = from.saturating_add(count(lines.len()).saturating_sub(1));
    let words = lines.join("\n");
    let lines = LogLines {
        label: &label,
        job: &view.job_id,
        run: &view.run,
        from,
        to,
        text: &words,
    };
    let mark = draft.cite_log(desk, meta, lines);
    looked_for(desk, target);
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
    let by = Ground {
        meta: meta.clone(),
        evidence: draft.last_evidence(),
    };
    telling_lines(desk, target, draft).await;
    draft.say_age(&by);
    None
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The last lines: as many as are shown, and no more than the words of a citation hold, since the end
/// must not be what is cut.
fn end(lines: &[String]) -> &[String] {
    let mut room = EXCERPT;
    let fits = lines.iter().rev().take(TAIL).take_while(|line| {
        let length = line.chars().count() + 1;
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    });
    // A last line that is longer than all the room is shown by its beginning.
    let shown = fits.count().max(1).min(lines.len());
    lines.get(lines.len() - shown..).unwrap_or(&[])
}

/// The lines of the log that name the cause of a failure, where one is known.
async fn telling_lines(desk: &Desk<'_>, target: &KnownJob, draft: &mut Draft) {
    let Ok(told) = desk.diagnosis(&target.id).await else {
        return;
    };
    let found = &told.value;
    if !found.job.state().has_failed() {
        return;
    }
    let label = text::name(&target.label);
    for evidence in found
        .evidence
        .iter()
        .filter(|one| one.kind == EvidenceKind::Log)
    {
        if let (Some(run), Some(from), Some(to)) =
            (&evidence.run, evidence.from_line, evidence.to_line)
        {
            let lines = LogLines {
                label: &label,
                job: &found.job.id,
                run,
                from,
                to,
                text: &evidence.text,
            };
            let mark = draft.cite_log(desk, &told.ground.meta, lines);
            draft.tell(
                &format!("Lines {from} to {to} name the cause {mark}."),
                &format!("As linhas {from} a {to} dizem a causa {mark}."),
            );
        }
    }
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
        let read = count(seen.value.lines.len());
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

pub(super) async fn impact(
    desk: &Desk<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let told = match desk.impact(&target.id).await {
        Ok(told) => told,
        Err(error) => {
            not_read(desk, target, error, draft);
            return None;
        }
    };
    let (view, by) = (&*told.value, &told.ground);
    held_up(view, by, draft);
    deadlines(view, by, draft);
    if view.total > 0 && view.state.has_failed() {
        let name = text::name(&target.name);
        draft.new_line();
        draft.tell(
            &format!("Next: ask \"why did {name} fail?\"; these jobs go on when it has ended well."),
            &format!("Próximo passo: pergunte \"por que o {name} falhou?\"; esses jobs seguem quando ele terminar bem."),
        );
    }
    draft.say_age(by);
    Some(KnownJob {
        standing: view.state.phase().into(),
        ..target.clone()
    })
}

fn held_up(view: &ImpactView, by: &Ground, draft: &mut Draft) {
    let label = text::name(&view.label);
    let state = draft.words(
        by,
        &Fact::new("state", "estado", "impact").of(&label),
        view.state.as_str(),
    );
    let fact = |en, pt| Fact {
        what: "impact",
        ..Fact::jobs(en, pt)
    };
    let waits = fact("jobs that wait for it", "jobs que esperam por ele").of(&label);
    let total = draft.number(by, &waits, view.total);
    match view.total {
        0 => draft.tell(
            &format!("{label} is in {state}; {total} jobs wait for it."),
            &format!("{label} está em {state}; {total} jobs esperam por ele."),
        ),
        1 => draft.tell(
            &format!("{label} is in {state}; {total} job that has not ended waits for it:"),
            &format!("{label} está em {state}; {total} job não terminado espera por ele:"),
        ),
        _ => draft.tell(
            &format!("{label} is in {state}; {total} jobs that have not ended wait for it, directly or through others:"),
            &format!("{label} está em {state}; {total} jobs não terminados esperam por ele, direta ou indiretamente:"),
        ),
    }
    for held in view.jobs.iter().take(SHOWN) {
        let (label, state) = (text::name(&held.label), text::name(held.state.as_str()));
        draft.line(&format!("{label} ({state})"));
    }
    more(view.total, by, draft);
    if view.total > 1 {
        let direct = draft.number(by, &fact("directly", "diretamente").of(&label), view.direct);
        let critical = fact("on a critical path", "em caminho crítico").of(&label);
        let critical = draft.number(by, &critical, view.critical_total);
        draft.new_line();
        draft.tell(
            &format!("Directly: {direct}; on a critical path: {critical}."),
            &format!("Diretamente: {direct}; em caminho crítico: {critical}."),
        );
        let mut streams = Vec::new();
        for stream in view.by_stream.iter().take(NAMED) {
            let name = text::name(stream.stream.name.as_deref().unwrap_or("-"));
            let fact = fact("held up in stream", "seguros no stream").of(&name);
            let count = draft.number(by, &fact, stream.jobs);
            streams.push(format!("{name} {count}"));
        }
        let streams = streams.join(", ");
        draft.tell(
            &format!("Most in streams: {streams}."),
            &format!("Mais nos streams: {streams}."),
        );
    }
}

fn deadlines(view: &ImpactView, by: &Ground, draft: &mut Draft) {
    if view.total == 0 {
        return;
    }
    let label = text::name(&view.label);
    let fact = Fact {
        what: "impact",
        unit: Some("deadlines"),
        ..Fact::jobs("deadlines that fall", "prazos que caem")
    };
    let count = draft.number(by, &fact.of(&label), view.deadlines_total);
    draft.new_line();
    draft.tell(
        &format!("Deadlines that can no longer be met: {count}."),
        &format!("Prazos que já não podem ser cumpridos: {count}."),
    );
    for fallen in view.deadlines.iter().take(NAMED) {
        let label = text::name(&fallen.label);
        let fact = |en, pt| Fact::new(en, pt, "impact").of(&label);
        let at = draft.time(by, &fact("deadline", "prazo"), fallen.deadline);
        let late = u64::try_from(fallen.late_by_seconds).unwrap_or(0);
        let late = draft.duration(by, &fact("late by", "atraso"), late);
        let (en, pt) = match fallen.kind {
            DeadlineKind::Deadline => ("must end by", "deve terminar até"),
            DeadlineKind::CriticalStart => ("must start by", "deve iniciar até"),
        };
        let line = draft
            .language
            .pick(
                &format!("{label} {en} {at}, and will be at least {late} late"),
                &format!("{label} {pt} {at}, e atrasará pelo menos {late}"),
            )
            .to_owned();
        draft.line(&line);
    }
    if view.deadlines_total > 0 {
        draft.tell(
            "By the estimated durations, as if it ran again now and nothing else held them up.",
            "Pelas durações estimadas, como se rodasse de novo agora e nada mais os segurasse.",
        );
    }
}

/// Says how many items the list left out.
pub(super) fn more(total: usize, by: &Ground, draft: &mut Draft) {
    if total > SHOWN {
        let fact = Fact::jobs("not listed", "não listados");
        let rest = draft.number(by, &fact, total - SHOWN);
        draft.tell(&format!("… and {rest} more."), &format!("… e mais {rest}."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_what_is_shown_however_long_its_lines() {
        let lines = |n: usize, length: usize| vec!["x".repeat(length); n];
        assert_eq!(end(&lines(50, 10)).len(), TAIL);
        assert_eq!(end(&lines(50, 399)).len(), 3);
        assert_eq!(end(&lines(3, 5_000)).len(), 1);
        assert!(end(&[]).is_empty());
    }
}
