//! Answers from the whole plan: the summary, lists of jobs, workstations.

use resync_tws::Snapshot;
use resync_tws::model::{Job, LinkState, Phase, Workstation};

use super::desk::Ground;
use super::draft::Fact;
use super::job::more;
use super::{
    Desk, Draft, Question, SHOWN, engine_down, engine_name, facts, known_job, not_in_plan, plan,
    plural,
};
use crate::evidence::EvidenceKind;
use crate::route::Entities;
use crate::text;
use crate::tools::{JobFilter, JobList, TimeSpan};

/// How many root failures the summary names.
const ROOTS: usize = 5;

pub(super) fn summary(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let board = &snapshot.summary;
    let told = facts::of_summary(board);
    let by = match desk.ground(EvidenceKind::Summary, "snapshot", meta, told) {
        Ok(by) => by,
        Err(error) => return engine_down(desk, error, draft),
    };
    let by = &by;
    let engine = engine_name(desk);
    let total = draft.number(
        by,
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
            let count = draft.number(by, &Fact::jobs(en, pt), count);
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
            let number = draft.number(by, &fact, count);
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
    roots(snapshot, by, draft);
    draft.say_age(by);
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn roots(snapshot: &Snapshot, by: &Ground, draft: &mut Draft) {
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
        let mut line = described(&failed.job, by, draft);
        if failed.victims > 0 {
            let label = text::name(&failed.job.label());
            let fact = Fact::jobs("jobs that wait for it", "jobs que esperam por ele").of(&label);
            let count = draft.number(by, &fact, failed.victims);
            let holds = draft.language.pick("holds up", "segura");
            line = format!("{line}, {holds} {count}");
        }
        draft.line(&line);
    }
}

/// `LABEL (ABEND, rc 12)`.
fn described(job: &Job, by: &Ground, draft: &mut Draft) -> String {
    let label = text::name(&job.label());
    let state = text::name(job.state().as_str());
    match job.return_code() {
        Some(code) => {
            let fact = Fact::new("return code", "código de retorno", "snapshot").of(&label);
            let code = draft.code(by, &fact, code);
            format!("{label} ({state}, rc {code})")
        }
        None => format!("{label} ({state})"),
    }
}

pub(super) async fn jobs(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let entities = &question.routing.entities;
    if let Some(unknown) = entities.unknown.first() {
        not_in_plan(
            desk,
            question,
            &text::name(&unknown.text),
            &unknown.alike,
            draft,
        );
        return;
    }
    if entities.statuses.iter().any(|status| status == "PROMPT") {
        prompts(desk, question, draft);
        return;
    }
    let filter = filter(entities, desk);
    let told = match desk.jobs(&filter).await {
        Ok(told) => told,
        Err(error) => return engine_down(desk, error, draft),
    };
    let (list, by) = (&*told.value, &told.ground);
    found(list, &filter, entities, by, draft);
    if entities.statuses.iter().any(|status| status == "STUCK") {
        stuck(desk, question, draft);
    }
    let windows = entities.windows.iter().filter(|window| *window != "now");
    if windows.count() > filter.spans.len() {
        draft.new_line();
        draft.tell(
            "One of the times in the question I could not place, so it does not narrow the list.",
            "Um dos horários da pergunta não pude situar; ele não restringe a lista.",
        );
    }
    draft.say_age(by);
}

fn filter(entities: &Entities, desk: &Desk<'_>) -> JobFilter {
    let now = desk.clock.now();
    let is_job_state = |status: &&String| *status != "LINKED" && *status != "UNLINKED";
    JobFilter {
        statuses: entities
            .statuses
            .iter()
            .filter(is_job_state)
            .cloned()
            .collect(),
        patterns: entities.patterns.clone(),
        streams: entities.streams.clone(),
        workstations: entities.workstations.clone(),
        spans: entities
            .windows
            .iter()
            .filter_map(|window| TimeSpan::of(window, now))
            .collect(),
        limit: SHOWN,
    }
}

fn found(list: &JobList, filter: &JobFilter, entities: &Entities, by: &Ground, draft: &mut Draft) {
    let fact = Fact::jobs("jobs found", "jobs encontrados");
    let count = draft.number(by, &fact, list.total);
    let nouns = ("job", "jobs");
    let noun = plural(draft.language, list.total, nouns, nouns);
    let which = which(&filter.statuses, list.total, draft);
    let place = place(entities);
    let mut times = Vec::new();
    for span in &filter.spans {
        let from = draft.time(by, &Fact::new("from", "de", "job_list"), span.from);
        let to = draft.time(by, &Fact::new("to", "até", "job_list"), span.to);
        let (en, pt) = (
            format!(", between {from} and {to}"),
            format!(", entre {from} e {to}"),
        );
        times.push(draft.language.pick(&en, &pt).to_owned());
    }
    let times = times.concat();
    let end = if list.total == 0 { "." } else { ":" };
    draft.tell(
        &format!("{count} {noun}{which}{}{times}{end}", place.0),
        &format!("{count} {noun}{which}{}{times}{end}", place.1),
    );
    draft.listed = list.items.iter().map(|job| known_job(job)).collect();
    for job in &list.items {
        let line = described(job, by, draft);
        draft.line(&line);
    }
    more(list.total, by, draft);
    if !filter.spans.is_empty() {
        draft.new_line();
        draft.tell(
            "A job counts by when it ended, else started, else is planned; days that are gone may be out of the plan.",
            "Um job conta por quando terminou, senão iniciou, senão está planejado; dias passados podem já ter saído do plano.",
        );
    }
    if let Some(job) = list.items.iter().find(|job| job.state().has_failed()) {
        let name = text::name(&job.name);
        draft.new_line();
        draft.tell(
            &format!("Next: ask \"why did {name} fail?\" for its cause and its runbook."),
            &format!(
                "Próximo passo: pergunte \"por que o {name} falhou?\" para ver a causa e o runbook."
            ),
        );
    }
}

/// The statuses of a list in words, with a blank before them.
fn which(statuses: &[String], count: usize, draft: &Draft) -> String {
    let word = |status: &String| {
        let (en, one, many) = match status.as_str() {
            "ABEND" | "FAIL" => ("failed", "com falha", "com falha"),
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

fn stuck(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let told = facts::of_stuck(&snapshot.summary);
    let Ok(by) = desk.ground(EvidenceKind::Summary, "snapshot", meta, told) else {
        draft.incomplete = true;
        return;
    };
    let streams = &snapshot.summary.stuck_streams;
    let fact = Fact {
        unit: Some("streams"),
        ..Fact::jobs("stuck streams", "streams travados")
    };
    let count = draft.number(&by, &fact, streams.len());
    draft.new_line();
    draft.tell(
        &format!("Stuck streams: {count}."),
        &format!("Streams travados: {count}."),
    );
    for stream in streams.iter().take(SHOWN) {
        draft.line(&text::name(&stream.name));
    }
}

fn prompts(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let told = facts::of_prompts(&snapshot.summary);
    let by = match desk.ground(EvidenceKind::Summary, "snapshot", meta, told) {
        Ok(by) => by,
        Err(error) => return engine_down(desk, error, draft),
    };
    let prompts = &snapshot.summary.prompts_waiting;
    let fact = Fact {
        unit: Some("prompts"),
        ..Fact::jobs("prompts without an answer", "prompts sem resposta")
    };
    let count = draft.number(&by, &fact, prompts.len());
    draft.tell(
        &format!("Prompts that wait for an answer: {count}."),
        &format!("Prompts à espera de resposta: {count}."),
    );
    for prompt in prompts.iter().take(SHOWN) {
        let name = prompt.name.as_deref().unwrap_or("-");
        // The question of a prompt is the engine's text; it is recorded as a figure.
        let words = prompt.text.as_deref().unwrap_or("");
        let words = draft.words(
            &by,
            &Fact::new("prompt", "prompt", "snapshot"),
            &format!("{name}: {words}"),
        );
        draft.line(&words);
    }
    draft.say_age(&by);
}

pub(super) fn workstations(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some((snapshot, meta)) = plan(desk, question, draft) else {
        return;
    };
    let names = &question.routing.entities.workstations;
    if let (Some(unknown), true) = (question.routing.entities.unknown.first(), names.is_empty()) {
        not_in_plan(
            desk,
            question,
            &text::name(&unknown.text),
            &unknown.alike,
            draft,
        );
        return;
    }
    let wanted = |station: &&Workstation| {
        if names.is_empty() {
            station.is_off()
        } else {
            names.contains(&station.name)
        }
    };
    let stations: Vec<&Workstation> = snapshot.workstations.iter().filter(wanted).collect();
    let told = facts::of_workstations(snapshot, stations.iter().copied());
    let by = match desk.ground(EvidenceKind::Workstations, "snapshot", meta, told) {
        Ok(by) => by,
        Err(error) => return engine_down(desk, error, draft),
    };
    if names.is_empty() {
        all_workstations(snapshot, &stations, &by, draft);
    }
    for name in names {
        match stations.iter().find(|station| station.name == *name) {
            Some(station) => one_workstation(station, snapshot, &by, draft),
            None => not_in_plan(desk, question, &text::name(name), &[], draft),
        }
        draft.new_line();
    }
    draft.say_age(&by);
}

fn all_workstations(snapshot: &Snapshot, off: &[&Workstation], by: &Ground, draft: &mut Draft) {
    let counts = snapshot.summary.workstations;
    let fact = |en, pt| Fact {
        unit: Some("workstations"),
        ..Fact::jobs(en, pt)
    };
    let number = draft.number(
        by,
        &fact("workstations off", "workstations fora"),
        counts.off,
    );
    let total = draft.number(by, &fact("workstations", "workstations"), counts.total);
    let noun = if counts.total == 1 {
        "workstation"
    } else {
        "workstations"
    };
    let can = if counts.off == 1 { "pode" } else { "podem" };
    draft.tell(
        &format!("{number} of {total} {noun} cannot start jobs."),
        &format!("{number} de {total} {noun} não {can} iniciar jobs."),
    );
    for station in off.iter().take(SHOWN) {
        let line = format!("{} ({})", text::name(&station.name), link(station, draft));
        draft.line(&line);
    }
    more(counts.off, by, draft);
    if counts.off > 0 {
        draft.new_line();
        draft.tell(
            "Next: see that the agent runs on each and that the network reaches it; jobs there wait meanwhile.",
            "Próximo passo: verifique se o agente está ativo em cada uma e se a rede a alcança; os jobs de lá esperam.",
        );
    }
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

fn one_workstation(station: &Workstation, snapshot: &Snapshot, by: &Ground, draft: &mut Draft) {
    let name = text::name(&station.name);
    let link = link(station, draft);
    let mut parts = vec![link];
    if let Some(limit) = station.limit.and_then(|limit| usize::try_from(limit).ok()) {
        let fact = Fact {
            unit: None,
            ..Fact::jobs("limit", "limite")
        }
        .of(&name);
        let limit = draft.number(by, &fact, limit);
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
        let fence = draft.number(by, &fact, fence);
        parts.push(format!("fence {fence}"));
    }
    for (phase, en, pt) in [
        (Phase::Running, "running", "em execução"),
        (Phase::Failed, "failed", "com falha"),
        (Phase::Waiting, "waiting", "esperando"),
    ] {
        let number = draft.number(
            by,
            &Fact::jobs(en, pt).of(&name),
            facts::jobs_on(snapshot, station, phase),
        );
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
