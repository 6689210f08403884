//! Answers from the whole plan: the summary, lists of jobs, workstations.

use std::sync::Arc;

use resync_tws::model::{Job, JobStatus, LinkState, Phase, Workstation};
use resync_tws::{Meta, Snapshot};

use super::draft::Fact;
use super::job::more;
use super::{Desk, Draft, Question, SHOWN, engine_name, not_in_plan, plan, plural};
use crate::route::Entities;
use crate::text;

/// How many root failures the summary names.
const ROOTS: usize = 5;

pub(super) fn summary(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let board = &snapshot.summary;
    let engine = engine_name(desk);
    let total = draft.number(
        meta,
        &Fact::jobs("jobs in the plan", "jobs no plano"),
        board.total,
    );
    let mut parts = Vec::new();
    for (phase, en, one, many) in [
        (Phase::Failed, "failed", "falhou", "falharam"),
        (Phase::Blocked, "blocked", "bloqueado", "bloqueados"),
        (Phase::Running, "running", "em execução", "em execução"),
        (Phase::Ready, "ready", "pronto", "prontos"),
        (Phase::Waiting, "waiting", "esperando", "esperando"),
        (
            Phase::Succeeded,
            "ended well",
            "terminou bem",
            "terminaram bem",
        ),
        (Phase::Cancelled, "cancelled", "cancelado", "cancelados"),
    ] {
        let count = board.by_phase.get(&phase).copied().unwrap_or(0);
        if count > 0 || phase == Phase::Failed {
            let pt = if count == 1 { one } else { many };
            let count = draft.number(meta, &Fact::jobs(en, pt), count);
            parts.push(format!("{count} {}", draft.language.pick(en, pt)));
        }
    }
    let parts = parts.join(", ");
    let noun = if board.total == 1 { "job" } else { "jobs" };
    draft.tell(
        &format!("{engine}: {total} {noun} in the plan: {parts}."),
        &format!("{engine}: {total} {noun} no plano: {parts}."),
    );
    let counts = [
        (board.late.count, Fact::jobs("late", "atrasados")),
        (
            board.long_running.count,
            Fact::jobs("long running", "rodando há muito tempo"),
        ),
        (
            board.victims_total,
            Fact::jobs("waiting for a failed one", "esperando um que falhou"),
        ),
        (
            board.stuck_streams.len(),
            Fact {
                unit: Some("streams"),
                ..Fact::jobs("stuck streams", "streams travados")
            },
        ),
        (
            board.prompts_waiting.len(),
            Fact {
                unit: Some("prompts"),
                ..Fact::jobs("prompts without an answer", "prompts sem resposta")
            },
        ),
        (
            board.workstations.off,
            Fact {
                unit: Some("workstations"),
                ..Fact::jobs("workstations off", "workstations fora")
            },
        ),
    ];
    let mut others = Vec::new();
    for (count, fact) in counts {
        if count > 0 {
            let number = draft.number(meta, &fact, count);
            others.push(format!(
                "{}: {number}",
                draft.language.pick(fact.en, fact.pt)
            ));
        }
    }
    if !others.is_empty() {
        let mut others = others.join("; ");
        others.push('.');
        draft.say(&capital(&others));
    }
    roots(snapshot, meta, draft);
    draft.say_age(meta);
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn roots(snapshot: &Snapshot, meta: &Meta, draft: &mut Draft) {
    let roots: Vec<_> = snapshot
        .summary
        .failed
        .iter()
        .filter(|failed| failed.root)
        .take(ROOTS)
        .collect();
    if roots.is_empty() {
        return;
    }
    draft.new_line();
    draft.tell("Look here first:", "Comece por aqui:");
    for failed in roots {
        let mut line = described(&failed.job, meta, draft);
        if failed.victims > 0 {
            let label = text::name(&failed.job.label());
            let fact = Fact::jobs("jobs that wait for it", "jobs que esperam por ele").of(&label);
            let count = draft.number(meta, &fact, failed.victims);
            let holds = draft.language.pick("holds up", "segura");
            line = format!("{line}, {holds} {count}");
        }
        draft.line(&line);
    }
}

/// `LABEL (ABEND, rc 12)`.
fn described(job: &Job, meta: &Meta, draft: &mut Draft) -> String {
    let label = text::name(&job.label());
    let state = text::name(job.state().as_str());
    match job.return_code() {
        Some(code) => {
            let fact = Fact::new("return code", "código de retorno", "snapshot").of(&label);
            let code = draft.code(meta, &fact, code);
            format!("{label} ({state}, rc {code})")
        }
        None => format!("{label} ({state})"),
    }
}

/// Whether the job is in one of the statuses, in the normal form of the entities.
fn is_in(job: &Job, statuses: &[String]) -> bool {
    let state = job.state();
    let one = |status: &String| match status.as_str() {
        // "Failed" is a job that ended badly, in whichever of the engine's words.
        "FAIL" => state.has_failed(),
        "STUCK" => state.phase() == Phase::Blocked,
        "EXEC" => state.phase() == Phase::Running,
        "LATE" => job.late && !state.has_ended(),
        "LONG" => job.long_running && !state.has_ended(),
        "HOLD" => state == JobStatus::Hold || (job.priority == Some(0) && !state.has_ended()),
        "CANCL" => matches!(state, JobStatus::Cancl | JobStatus::CanclPending),
        other => state.as_str() == other,
    };
    statuses.is_empty() || statuses.iter().any(one)
}

fn fits(job: &Job, entities: &Entities) -> bool {
    let within = |names: &[String], name: Option<&str>| {
        names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
    };
    let named = entities.patterns.is_empty()
        || entities
            .patterns
            .iter()
            .any(|pattern| matches(pattern, &job.name.to_uppercase()));
    named
        && within(&entities.streams, job.stream.name.as_deref())
        && within(&entities.workstations, job.workstation.as_deref())
}

/// Whether `name` fits `pattern`, in which `*` is any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or("")) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

pub(super) fn jobs(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let entities = &question.routing.entities;
    if let Some(unknown) = entities.unknown.first() {
        not_in_plan(desk, &text::name(&unknown.text), &unknown.alike, draft);
        return;
    }
    if entities.statuses.iter().any(|status| status == "PROMPT") {
        prompts(snapshot, meta, draft);
        draft.say_age(meta);
        return;
    }
    let statuses: Vec<String> = entities
        .statuses
        .iter()
        .filter(|s| *s != "LINKED" && *s != "UNLINKED")
        .cloned()
        .collect();
    let found: Vec<&Arc<Job>> = snapshot
        .jobs
        .iter()
        .filter(|job| fits(job, entities) && is_in(job, &statuses))
        .collect();
    let place = place(entities);
    let fact = Fact::jobs("jobs found", "jobs encontrados");
    let count = draft.number(meta, &fact, found.len());
    let noun = plural(
        draft.language,
        found.len(),
        ("job", "jobs"),
        ("job", "jobs"),
    );
    let which = which(&statuses, found.len(), draft);
    let end = if found.is_empty() { "." } else { ":" };
    draft.tell(
        &format!("{count} {noun}{which}{}{end}", place.0),
        &format!("{count} {noun}{which}{}{end}", place.1),
    );
    for job in found.iter().take(SHOWN) {
        let line = described(job, meta, draft);
        draft.line(&line);
    }
    more(found.len(), meta, draft);
    if entities.statuses.iter().any(|status| status == "STUCK") {
        stuck(snapshot, meta, draft);
    }
    if entities.windows.iter().any(|window| window != "now") {
        draft.new_line();
        draft.tell(
            "This is the plan as it stands now; a time in the question does not narrow it.",
            "Este é o plano como está agora; um horário na pergunta não o restringe.",
        );
    }
    draft.say_age(meta);
}

/// The statuses of a list in words, with a blank before them.
fn which(statuses: &[String], count: usize, draft: &Draft) -> String {
    let word = |status: &String| {
        let (en, one, many) = match status.as_str() {
            "FAIL" => ("failed", "com falha", "com falha"),
            "STUCK" => ("stuck", "travado", "travados"),
            "EXEC" => ("running", "em execução", "em execução"),
            "LATE" => ("late", "atrasado", "atrasados"),
            "LONG" => (
                "running too long",
                "rodando há tempo demais",
                "rodando há tempo demais",
            ),
            "HOLD" => ("waiting (HOLD)", "esperando (HOLD)", "esperando (HOLD)"),
            "READY" => ("ready", "pronto", "prontos"),
            "SUCC" => (
                "ended well",
                "terminado com sucesso",
                "terminados com sucesso",
            ),
            "CANCL" => ("cancelled", "cancelado", "cancelados"),
            other => return format!("{} {other}", draft.language.pick("in", "em")),
        };
        plural(draft.language, count, (en, en), (one, many)).to_owned()
    };
    let words: Vec<String> = statuses.iter().map(word).collect();
    let or = draft.language.pick(" or ", " ou ");
    if words.is_empty() {
        String::new()
    } else {
        format!(" {}", words.join(or))
    }
}

/// The filters of the list in words, English and Portuguese.
fn place(entities: &Entities) -> (String, String) {
    let (mut en, mut pt) = (String::new(), String::new());
    let parts = [
        (&entities.streams, " of stream ", " do stream "),
        (&entities.workstations, " on ", " na "),
        (&entities.patterns, " named ", " com nome "),
    ];
    for (names, english, portuguese) in parts {
        if !names.is_empty() {
            let names = text::name(&names.join(", "));
            en.push_str(english);
            en.push_str(&names);
            pt.push_str(portuguese);
            pt.push_str(&names);
        }
    }
    (en, pt)
}

fn stuck(snapshot: &Snapshot, meta: &Meta, draft: &mut Draft) {
    let streams = &snapshot.summary.stuck_streams;
    let fact = Fact {
        unit: Some("streams"),
        ..Fact::jobs("stuck streams", "streams travados")
    };
    let count = draft.number(meta, &fact, streams.len());
    draft.new_line();
    draft.tell(
        &format!("Stuck streams: {count}."),
        &format!("Streams travados: {count}."),
    );
    for stream in streams.iter().take(SHOWN) {
        draft.line(&text::name(&stream.name));
    }
}

fn prompts(snapshot: &Snapshot, meta: &Meta, draft: &mut Draft) {
    let prompts = &snapshot.summary.prompts_waiting;
    let fact = Fact {
        unit: Some("prompts"),
        ..Fact::jobs("prompts without an answer", "prompts sem resposta")
    };
    let count = draft.number(meta, &fact, prompts.len());
    draft.tell(
        &format!("Prompts that wait for an answer: {count}."),
        &format!("Prompts à espera de resposta: {count}."),
    );
    for prompt in prompts.iter().take(SHOWN) {
        let name = prompt.name.as_deref().unwrap_or("-");
        // The question of a prompt is the engine's text; it is recorded as a figure.
        let words = prompt.text.as_deref().unwrap_or("");
        let words = draft.words(
            meta,
            &Fact::new("prompt", "prompt", "snapshot"),
            &format!("{name}: {words}"),
        );
        draft.line(&words);
    }
}

pub(super) fn workstations(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let names = &question.routing.entities.workstations;
    if let (Some(unknown), true) = (question.routing.entities.unknown.first(), names.is_empty()) {
        not_in_plan(desk, &text::name(&unknown.text), &unknown.alike, draft);
        return;
    }
    if names.is_empty() {
        all_workstations(snapshot, meta, draft);
    }
    for name in names {
        match snapshot
            .workstations
            .iter()
            .find(|station| station.name == *name)
        {
            Some(station) => one_workstation(station, snapshot, meta, draft),
            None => not_in_plan(desk, &text::name(name), &[], draft),
        }
        draft.new_line();
    }
    draft.say_age(meta);
}

fn all_workstations(snapshot: &Snapshot, meta: &Meta, draft: &mut Draft) {
    let counts = snapshot.summary.workstations;
    let fact = |en, pt| Fact {
        unit: Some("workstations"),
        ..Fact::jobs(en, pt)
    };
    let off = draft.number(
        meta,
        &fact("workstations off", "workstations fora"),
        counts.off,
    );
    let total = draft.number(meta, &fact("workstations", "workstations"), counts.total);
    let noun = if counts.total == 1 {
        "workstation"
    } else {
        "workstations"
    };
    let can = if counts.off == 1 { "pode" } else { "podem" };
    draft.tell(
        &format!("{off} of {total} {noun} cannot start jobs."),
        &format!("{off} de {total} {noun} não {can} iniciar jobs."),
    );
    for station in snapshot
        .workstations
        .iter()
        .filter(|station| station.is_off())
        .take(SHOWN)
    {
        let line = format!("{} ({})", text::name(&station.name), link(station, draft));
        draft.line(&line);
    }
    more(counts.off, meta, draft);
}

fn link(station: &Workstation, draft: &Draft) -> String {
    let link = match station.link {
        LinkState::Linked => "LINKED",
        LinkState::Unlinked => "UNLINKED",
        LinkState::Unknown => draft.language.pick("link unknown", "link desconhecido"),
    };
    match station.jobman_up {
        Some(false) => format!(
            "{link}, {}",
            draft
                .language
                .pick("job manager down", "gerenciador de jobs parado")
        ),
        Some(true) | None => link.to_owned(),
    }
}

fn one_workstation(station: &Workstation, snapshot: &Snapshot, meta: &Meta, draft: &mut Draft) {
    let name = text::name(&station.name);
    let link = link(station, draft);
    let count = |phase| {
        let here = snapshot
            .jobs
            .iter()
            .filter(|job| job.workstation.as_deref() == Some(&*station.name));
        here.filter(|job| job.phase() == phase).count()
    };
    let mut parts = vec![link];
    if let Some(limit) = station.limit.and_then(|limit| usize::try_from(limit).ok()) {
        let fact = Fact {
            unit: None,
            ..Fact::jobs("limit", "limite")
        }
        .of(&name);
        let limit = draft.number(meta, &fact, limit);
        parts.push(format!(
            "{} {limit}",
            draft.language.pick("limit", "limite")
        ));
    }
    if let Some(fence) = station.fence.and_then(|fence| usize::try_from(fence).ok()) {
        let fact = Fact {
            unit: None,
            ..Fact::jobs("fence", "fence")
        }
        .of(&name);
        let fence = draft.number(meta, &fact, fence);
        parts.push(format!("fence {fence}"));
    }
    for (phase, en, pt) in [
        (Phase::Running, "running", "em execução"),
        (Phase::Failed, "failed", "com falha"),
        (Phase::Waiting, "waiting", "esperando"),
    ] {
        let number = draft.number(meta, &Fact::jobs(en, pt).of(&name), count(phase));
        parts.push(format!("{}: {number}", draft.language.pick(en, pt)));
    }
    let verdict = if station.is_off() {
        draft
            .language
            .pick("cannot start jobs", "não pode iniciar jobs")
    } else {
        draft.language.pick("can start jobs", "pode iniciar jobs")
    };
    draft.say(&format!("{name} {verdict} ({}).", parts.join("; ")));
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_any_run_of_characters() {
        assert!(matches("PAY*", "PAY_CALC"));
        assert!(matches("*CALC", "PAY_CALC"));
        assert!(matches("P*C*C", "PAY_CALC"));
        assert!(matches("PAY_CALC", "PAY_CALC"));
        assert!(!matches("PAY", "PAY_CALC"));
        assert!(!matches("PAY*X", "PAY_CALC"));
    }
}
