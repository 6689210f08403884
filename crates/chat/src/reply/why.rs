//! Why a job failed or does not run: the diagnosis, its lines of the log, and the runbook for it.

use resync_tws::model::Phase;
use resync_tws::{Diagnosis, EvidenceKind, Past, Transience, Verdict};

use super::desk::Ground;
use super::draft::{Fact, LogLines};
use super::{Desk, Draft, Question, documents, engine_down, job, known_job};
use crate::context::{KnownJob, Standing};
use crate::text;
use crate::tools::PlanToolError;

/// How many steps the text shows.
const STEPS: usize = 4;

pub(super) async fn answer(
    desk: &Desk<'_>,
    question: &Question<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let told = match desk.diagnosis(&target.id).await {
        Ok(told) => told,
        Err(PlanToolError::Gone) => {
            job::gone(desk, target, draft);
            return None;
        }
        Err(error) => {
            engine_down(desk, error, draft);
            let query = format!("{} {}", target.name, question.message);
            documents::runbook(desk, &query, std::slice::from_ref(&target.name), draft).await;
            return None;
        }
    };
    let (found, by) = (&*told.value, &told.ground);
    let state = found.job.state();
    job::standing(&found.job, &state, by, draft);
    let standing = Standing::from(found.job.phase());
    match standing {
        Standing::Failed => failed(desk, found, by, draft).await,
        Standing::Waiting => waiting(found, by, draft),
        Standing::Other => neither(found, by, draft),
    }
    draft.say_age(by);
    Some(known_job(&found.job))
}

async fn failed(desk: &Desk<'_>, found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    let label = found.job.label();
    let mut marks = Vec::new();
    for evidence in found
        .evidence
        .iter()
        .filter(|evidence| evidence.kind == EvidenceKind::Log)
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
            marks.push(draft.cite_log(desk, &by.meta, lines));
        }
    }
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!(" {}", marks.join(" "))
    };
    cause(found, by, &marks, draft);
    past(found, by, draft);
    blocks(found, by, draft);
    steps(found, by, draft);
    missing(found, by, draft);
    let keys = keys(found);
    let query = query(found, &keys, draft);
    documents::runbook(desk, &query, &keys, draft).await;
}

/// What earlier runs tell of it.
fn past(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    let Some(past) = found.past.as_ref().filter(|past| past.runs > 0) else {
        return;
    };
    let Past {
        runs,
        failed,
        same_in_a_row,
        last_good,
        ..
    } = past;
    let fact = |en, pt| Fact {
        unit: Some("runs"),
        ..Fact::new(en, pt, "diagnosis")
    };
    let seen = draft.number(
        by,
        &fact("earlier runs seen", "execuções anteriores vistas"),
        *runs,
    );
    let bad = draft.number(by, &fact("of these failed", "destas falharam"), *failed);
    draft.new_line();
    draft.tell(
        &format!("Earlier runs seen: {seen}, of which {bad} failed."),
        &format!("Execuções anteriores vistas: {seen}, das quais {bad} falharam."),
    );
    if *same_in_a_row > 1 {
        let fact = fact(
            "in a row with this return code",
            "seguidas com este código de retorno",
        );
        let row = draft.number(by, &fact, *same_in_a_row);
        draft.tell(
            &format!("With this return code in a row: {row}."),
            &format!("Com este código de retorno em seguida: {row}."),
        );
    }
    if let Some(good) = last_good {
        let fact = Fact::new("last good run", "última execução boa", "diagnosis");
        let at = draft.time(by, &fact, good.ended_at);
        draft.tell(
            &format!("The last good run ended {at}."),
            &format!("A última execução boa terminou em {at}."),
        );
    }
}

/// The failed jobs that it comes from, where the job is a victim.
fn roots(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    if found.roots.is_empty() {
        return;
    }
    draft.new_line();
    draft.tell("It comes from:", "Vem de:");
    for root in &found.roots {
        let label = text::name(&root.label);
        let fact = |en, pt| Fact::new(en, pt, "diagnosis").of(&label);
        let state = draft.words(by, &fact("state", "estado"), &root.state);
        let mut line = format!("{label} ({state}");
        if let Some(code) = root.return_code {
            let fact = fact("return code", "código de retorno");
            let code = draft.code(by, &fact, code);
            line = format!("{line}, rc {code}");
        }
        line.push(')');
        if let Some(cause) = &root.cause {
            let sentence = resync_tws::Text::new(cause.en.clone(), cause.pt.clone());
            let words = draft.sentence(by, &fact("cause", "causa"), &sentence);
            line = format!("{line}: {words}");
        }
        draft.line(&line);
    }
}

fn cause(found: &Diagnosis, by: &Ground, marks: &str, draft: &mut Draft) {
    let Some(cause) = &found.cause else {
        draft.new_line();
        draft.tell(
            "I don't know why: no cause was found in what I looked at.",
            "Não sei por quê: nenhuma causa foi encontrada no que examinei.",
        );
        return;
    };
    let sure = match found.verdict {
        Verdict::Confirmed => draft.language.pick("confirmed", "confirmada"),
        Verdict::Likely => draft.language.pick("likely", "provável"),
        Verdict::Unknown => draft.language.pick("unsure", "incerta"),
    };
    let sentence = resync_tws::Text::new(cause.en.clone(), cause.pt.clone());
    let words = draft.sentence(by, &Fact::new("cause", "causa", "diagnosis"), &sentence);
    draft.new_line();
    draft.tell(
        &format!("Cause ({sure}): {words}{marks}"),
        &format!("Causa ({sure}): {words}{marks}"),
    );
    match found.transience {
        Transience::Transient => draft.tell("It may pass by itself.", "Pode passar por si só."),
        Transience::Persistent => draft.tell(
            "It stays until something is repaired.",
            "Permanece até que algo seja corrigido.",
        ),
        Transience::Unknown => {}
    }
}

fn blocks(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    // An unread plan is told by `missing`; a count of it would be made up.
    let Some(victims) = found.victims.filter(|&count| count > 0) else {
        return;
    };
    let fact = Fact {
        what: "diagnosis",
        ..Fact::jobs("jobs that wait for it", "jobs que esperam por ele")
    };
    let count = draft.number(by, &fact, victims);
    let (en, pt) = if victims == 1 {
        (
            format!("{count} job waits for it."),
            format!("{count} job espera por ele."),
        )
    } else {
        (
            format!("{count} jobs wait for it."),
            format!("{count} jobs esperam por ele."),
        )
    };
    draft.new_line();
    draft.tell(&en, &pt);
}

/// The steps come from the table of known causes, never from the log.
fn steps(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    if found.next_steps.is_empty() {
        return;
    }
    draft.new_line();
    draft.tell("Next steps:", "Próximos passos:");
    for step in found.next_steps.iter().take(STEPS) {
        let step = draft.sentence(
            by,
            &Fact::new("next step", "próximo passo", "diagnosis"),
            step,
        );
        draft.line(&step);
    }
}

fn missing(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    for text in &found.missing {
        let sentence = draft.sentence(by, &Fact::new("looked at", "examinado", "diagnosis"), text);
        draft.new_line();
        draft.say(&sentence);
    }
}

/// What a runbook for this failure names: the job, and the ids of messages in its log.
fn keys(found: &Diagnosis) -> Vec<String> {
    if !found.search.keys.is_empty() {
        return found.search.keys.clone();
    }
    let mut keys = vec![found.job.name.clone()];
    for evidence in found
        .evidence
        .iter()
        .filter(|evidence| evidence.kind == EvidenceKind::Log)
    {
        let ids = text::tokens(&evidence.text)
            .into_iter()
            .map(|token| token.raw);
        keys.extend(ids.filter(|word| crate::route::is_message_id(word)).take(4));
    }
    keys.dedup();
    keys
}

/// The keys and the words of the cause.
fn query(found: &Diagnosis, keys: &[String], draft: &Draft) -> String {
    let words = draft.language.pick(&found.search.en, &found.search.pt);
    if !words.is_empty() {
        return format!("{} {words}", keys.join(" "));
    }
    let code = found.cause.as_ref().map_or("", |cause| &*cause.code);
    format!("{} {}", keys.join(" "), code.replace('-', " "))
}

fn waiting(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    if let Some(cause) = &found.cause {
        let sentence = resync_tws::Text::new(cause.en.clone(), cause.pt.clone());
        let words = draft.sentence(
            by,
            &Fact::new("why it waits", "por que espera", "diagnosis"),
            &sentence,
        );
        draft.say(&words);
    } else {
        draft.tell(
            "I don't know why it does not run: the engine gives no reason.",
            "Não sei por que não roda: o engine não dá um motivo.",
        );
    }
    roots(found, by, draft);
    blocks(found, by, draft);
    steps(found, by, draft);
    missing(found, by, draft);
}

fn neither(found: &Diagnosis, by: &Ground, draft: &mut Draft) {
    match found.job.phase() {
        Phase::Running => draft.tell(
            "It is running, so it waits for nothing.",
            "Está em execução; não espera nada.",
        ),
        _ => draft.tell(
            "It has not failed and waits for nothing.",
            "Ele não falhou e não espera nada.",
        ),
    }
    if let Some(cause) = &found.cause {
        let sentence = resync_tws::Text::new(cause.en.clone(), cause.pt.clone());
        let words = draft.sentence(by, &Fact::new("note", "observação", "diagnosis"), &sentence);
        draft.say(&words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::vocabulary::tests::job;
    use resync_tws::model::EngineName;
    use resync_tws::{CacheStatus, Meta};

    fn blocked_by(victims: Option<usize>) -> Draft {
        let found = Diagnosis {
            victims,
            ..Diagnosis::bare(std::sync::Arc::new(job(
                "FIN_GL_POST",
                "FIN_EOD",
                "LX_PRD01",
            )))
        };
        let meta = Meta {
            engine: EngineName::parse("prod").unwrap(),
            fetched_at: chrono::DateTime::UNIX_EPOCH,
            age_ms: 0,
            stale: false,
            cache: CacheStatus::Miss,
            refresh_failed: false,
        };
        let by = Ground {
            meta,
            evidence: "e1".to_owned(),
        };
        let mut draft = Draft::new(Language::English);
        blocks(&found, &by, &mut draft);
        draft
    }

    #[test]
    fn a_plan_that_was_not_read_gives_no_figure_of_who_waits() {
        let unread = blocked_by(None);
        assert!(unread.figures.is_empty());
        assert_eq!(unread.text(), "");
        let read = blocked_by(Some(2));
        assert_eq!(read.figures.len(), 1);
        assert_eq!(read.text(), "2 jobs wait for it.");
    }
}
