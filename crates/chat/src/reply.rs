//! Answers from templates: each intent has a file that gathers its evidence and words it.
//!
//! Invariants:
//! - No evidence, no figure: what could not be read is said, and the answer is `incomplete`.
//! - Text of logs and documents never decides what is said next and never becomes a step (I-13).

mod act;
mod book;
mod dependencies;
mod desk;
mod documents;
mod draft;
mod facts;
mod history;
mod job;
mod lists;
mod talk;
mod why;

use std::sync::Arc;

use resync_tws::model::Job;
use resync_tws::{Meta, Snapshot};

pub(crate) use book::Book;
pub(crate) use desk::Desk;
pub(crate) use draft::Draft;

use crate::context::KnownJob;
use crate::evidence::{EvidenceFact, EvidenceKind};
use crate::language::Language;
use crate::route::{Intent, Routing, narrowed};
use crate::text;
use crate::tools::{PlanToolError, Seen};
use crate::vocabulary::JobRef;

/// What an answer is made from.
pub(crate) struct Question<'a> {
    pub(crate) message: &'a str,
    pub(crate) routing: &'a Routing,
    pub(crate) snapshot: Result<&'a Seen<Snapshot>, PlanToolError>,
    pub(crate) can_propose: bool,
}

/// What is remembered of an answer.
#[derive(Debug, Default)]
pub(crate) struct Remember {
    /// The job that it was about.
    pub(crate) job: Option<KnownJob>,
    /// It asked which job is meant.
    pub(crate) asked_which: bool,
}

/// The job that a question is about.
enum Target {
    One(KnownJob),
    /// The answer has been given: asked which one, or said that there is none.
    Answered(Remember),
}

/// How many items a list in the text shows.
const SHOWN: usize = 10;

/// How many more wishes of one message are answered.
const ALSO: usize = 2;

/// Writes the answer into `draft`: to what was asked first, then to what else was asked for.
pub(crate) async fn reply(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) -> Remember {
    let remember = wish(desk, question, draft).await;
    if remember.asked_which {
        // The rest waits for the answer to that.
        return remember;
    }
    for intent in question.routing.also.iter().copied().take(ALSO) {
        also(desk, question, intent, remember.job.as_ref(), draft).await;
    }
    remember
}

/// Answers another wish of the same message, if it is a read and the budget allows it.
async fn also(
    desk: &Desk<'_>,
    question: &Question<'_>,
    intent: Intent,
    job: Option<&KnownJob>,
    draft: &mut Draft,
) {
    let is_talk = matches!(
        intent,
        Intent::Greeting
            | Intent::Help
            | Intent::Clarify
            | Intent::OutOfScope
            | Intent::PromptInjection
    );
    // Of several actions it was asked which one.
    let asked_which = intent.is_action() && question.routing.intent.is_action();
    if is_talk || asked_which || intent == question.routing.intent {
        return;
    }
    draft.paragraph();
    if intent.is_action() {
        draft.tell(
            "You also asked for an action; ask for it in a message of its own, and I prepare its card.",
            "Você também pediu uma ação; peça em uma mensagem própria, e preparo o cartão.",
        );
        return;
    }
    let routing = Routing {
        intent,
        also: Vec::new(),
        reference: job.cloned().or_else(|| question.routing.reference.clone()),
        ..question.routing.clone()
    };
    let question = Question {
        routing: &routing,
        ..*question
    };
    // What is remembered is what was asked first.
    let _second = wish(desk, &question, draft).await;
}

/// Answers one wish.
async fn wish(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) -> Remember {
    let intent = question.routing.intent;
    match intent {
        Intent::PlanSummary => lists::summary(desk, question, draft),
        Intent::JobList => lists::jobs(desk, question, draft).await,
        Intent::WorkstationStatus => lists::workstations(desk, question, draft),
        Intent::Knowledge => documents::answer(desk, question, draft).await,
        Intent::Help => talk::help(draft),
        Intent::Greeting => talk::greeting(draft),
        Intent::Clarify => match question.routing.open {
            Some(open) => return ask_back(desk, question, open, draft).await,
            None => talk::unclear(question, draft),
        },
        Intent::OutOfScope => talk::out_of_scope(draft),
        Intent::PromptInjection => talk::prompt_injection(draft),
        Intent::ActionSubmit => act::submit(draft),
        Intent::ActionRerun
        | Intent::ActionHold
        | Intent::ActionRelease
        | Intent::ActionCancel
        | Intent::ActionKill
        | Intent::ActionConfirm => {
            if !act::may(desk, question, draft) {
                return Remember::default();
            }
            return about_job(desk, question, draft).await;
        }
        Intent::JobStatus
        | Intent::JobLog
        | Intent::JobDiagnose
        | Intent::JobDependencies
        | Intent::Impact
        | Intent::HistoryTrend => {
            return about_job(desk, question, draft).await;
        }
    }
    Remember::default()
}

/// Asks which job is meant, where everything else was understood.
async fn ask_back(
    desk: &Desk<'_>,
    question: &Question<'_>,
    open: Intent,
    draft: &mut Draft,
) -> Remember {
    match open {
        Intent::JobList => lists::jobs(desk, question, draft).await,
        Intent::WorkstationStatus => lists::workstations(desk, question, draft),
        _ if open.is_action() && !act::may(desk, question, draft) => {}
        _ => match target(desk, question, draft) {
            Target::Answered(remember) => return remember,
            Target::One(job) => {
                return Remember {
                    job: Some(job),
                    asked_which: true,
                };
            }
        },
    }
    Remember::default()
}

async fn about_job(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) -> Remember {
    let target = match target(desk, question, draft) {
        Target::One(job) => job,
        Target::Answered(remember) => {
            if question.snapshot.is_err() && question.routing.intent == Intent::JobDiagnose {
                documents::instead(desk, question, draft).await;
            }
            return remember;
        }
    };
    let job = match question.routing.intent {
        Intent::JobDiagnose => why::answer(desk, question, &target, draft).await,
        Intent::JobDependencies => dependencies::answer(desk, &target, draft).await,
        Intent::HistoryTrend => history::answer(desk, &target, draft).await,
        Intent::JobLog => job::log(desk, &target, draft).await,
        Intent::Impact => job::impact(desk, &target, draft).await,
        intent if intent.is_action() => act::propose(desk, question, &target, draft).await,
        _ => job::status(desk, &target, draft).await,
    };
    others_named(question, draft);
    Remember {
        job: Some(job.unwrap_or(target)),
        asked_which: false,
    }
}

/// Says that only the first of several jobs was answered.
fn others_named(question: &Question<'_>, draft: &mut Draft) {
    let others: Vec<String> = question
        .routing
        .entities
        .jobs
        .iter()
        .skip(1)
        .map(|job| text::name(&job.name))
        .collect();
    if !others.is_empty() {
        let names = others.join(", ");
        draft.new_line();
        draft.tell(
            &format!("One job at a time: ask again for {names}."),
            &format!("Um job por vez: pergunte de novo sobre {names}."),
        );
    }
}

fn target(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) -> Target {
    let entities = &question.routing.entities;
    let snapshot = match question.snapshot {
        Ok(snapshot) => snapshot,
        Err(error) => {
            // A job that was spoken of may still be in the cache.
            if let Some(known) = &question.routing.reference {
                return Target::One(known.clone());
            }
            engine_down(desk, error, draft);
            return Target::Answered(Remember::default());
        }
    };
    if let Some(named) = entities.jobs.first() {
        let fitting = narrowed(&named.candidates, &entities.streams, &entities.workstations);
        return match fitting.as_slice() {
            [] => ask_which(desk, question, &named.candidates, draft),
            [one] => Target::One(known(one)),
            several => ask_which(desk, question, several, draft),
        };
    }
    if let Some(unknown) = entities.unknown.first() {
        not_in_plan(
            desk,
            question,
            &text::name(&unknown.text),
            &unknown.alike,
            draft,
        );
        return Target::Answered(Remember {
            job: None,
            asked_which: true,
        });
    }
    if let Some(stream) = entities.streams.first() {
        return of_stream(desk, question, snapshot, stream, draft);
    }
    if let Some(known) = &question.routing.reference {
        return Target::One(known.clone());
    }
    draft.tell(
        "Which job do you mean? Write its name.",
        "Qual job? Escreva o nome dele.",
    );
    Target::Answered(Remember {
        job: None,
        asked_which: true,
    })
}

fn known(job: &JobRef) -> KnownJob {
    KnownJob {
        id: job.id.clone(),
        name: job.name.clone(),
        label: job.label.clone(),
        standing: job.phase.into(),
    }
}

pub(crate) fn known_job(job: &Job) -> KnownJob {
    known(&JobRef::from(job))
}

/// Asks which of several jobs is meant, listing their labels.
fn ask_which(
    desk: &Desk<'_>,
    question: &Question<'_>,
    jobs: &[JobRef],
    draft: &mut Draft,
) -> Target {
    candidates(desk, question, jobs);
    draft.tell(
        "More than one job has that name. Which one do you mean?",
        "Há mais de um job com esse nome. De qual você fala?",
    );
    draft.listed = jobs.iter().take(SHOWN).map(known).collect();
    for job in jobs.iter().take(SHOWN) {
        // Two days of one stream share a label; the id tells them apart.
        let shared = jobs.iter().filter(|other| other.label == job.label).count() > 1;
        let label = text::name(&job.label);
        let option = if shared {
            format!("{label} ({})", job.id)
        } else {
            label
        };
        draft.line(&option);
        draft
            .clarify
            .push(if shared { job.id.to_string() } else { option });
    }
    if jobs.len() > SHOWN {
        draft.tell(
            "There are more; name the stream as well.",
            "Há mais; diga também o stream.",
        );
    }
    Target::Answered(Remember {
        job: None,
        asked_which: true,
    })
}

/// A question about a stream: the jobs of it that it can mean.
fn of_stream(
    desk: &Desk<'_>,
    question: &Question<'_>,
    snapshot: &Seen<Snapshot>,
    stream: &str,
    draft: &mut Draft,
) -> Target {
    let wanted = |job: &&Arc<Job>| match question.routing.intent {
        Intent::JobDiagnose => {
            crate::context::Standing::from(job.phase()) != crate::context::Standing::Other
        }
        _ => true,
    };
    let jobs: Vec<JobRef> = snapshot
        .value
        .jobs
        .iter()
        .filter(|job| job.stream.name.as_deref() == Some(stream))
        .filter(wanted)
        .map(|job| JobRef::from(&**job))
        .collect();
    let name = text::name(stream);
    names(
        desk,
        question,
        vec![EvidenceFact::words("looked for jobs of stream", &name)],
    );
    match jobs.as_slice() {
        [] => {
            draft.tell(
                &format!("No job of stream {name} is in that state."),
                &format!("Nenhum job do stream {name} está nesse estado."),
            );
            Target::Answered(Remember::default())
        }
        [one] => Target::One(known(one)),
        several => {
            candidates(desk, question, several);
            draft.tell(
                &format!("{name} is a stream. Which of its jobs do you mean?"),
                &format!("{name} é um stream. De qual job dele você fala?"),
            );
            draft.listed = several.iter().take(SHOWN).map(known).collect();
            for job in several.iter().take(SHOWN) {
                let label = text::name(&job.label);
                draft.line(&label);
                draft.clarify.push(label);
            }
            Target::Answered(Remember {
                job: None,
                asked_which: true,
            })
        }
    }
}

fn not_in_plan(
    desk: &Desk<'_>,
    question: &Question<'_>,
    name: &str,
    alike: &[String],
    draft: &mut Draft,
) {
    names(desk, question, facts::of_missing_name(name, alike));
    let engine = engine_name(desk);
    draft.tell(
        &format!("Not found; looked at the names of the jobs, streams and workstations in the plan of {engine}: {name} is none of them."),
        &format!("Não encontrado; foram vistos os nomes de jobs, streams e workstations do plano de {engine}: {name} não está entre eles."),
    );
    if !alike.is_empty() {
        let names = alike
            .iter()
            .map(|name| text::name(name))
            .collect::<Vec<_>>();
        draft.tell(
            &format!("Did you mean {}?", names.join(", ")),
            &format!("Você quis dizer {}?", names.join(", ")),
        );
        draft.clarify.extend(names);
    }
}

/// Keeps on record which jobs a name can mean.
fn candidates(desk: &Desk<'_>, question: &Question<'_>, jobs: &[JobRef]) {
    let name = jobs.first().map_or("", |job| job.name.as_str());
    let labels = jobs.iter().map(|job| (job.label.as_str(), job.id.as_str()));
    names(desk, question, facts::of_candidates(name, labels));
}

/// Keeps on record what was looked up among the names of the plan.
fn names(desk: &Desk<'_>, question: &Question<'_>, facts: Vec<EvidenceFact>) {
    if let Ok(seen) = question.snapshot {
        let _ground = desk.ground(EvidenceKind::Names, "snapshot", &seen.meta, facts);
    }
}

pub(crate) fn engine_name(desk: &Desk<'_>) -> String {
    desk.engine
        .as_ref()
        .map_or_else(String::new, |engine| text::name(engine.name.as_str()))
}

/// Says that the plan could not be read. No figure is given.
fn engine_down(desk: &Desk<'_>, error: PlanToolError, draft: &mut Draft) {
    draft.incomplete = true;
    if desk.engine.is_none() {
        draft.tell(
            "No engine is configured, so I can say nothing about the plan.",
            "Nenhum engine está configurado; não posso dizer nada sobre o plano.",
        );
        return;
    }
    let engine = engine_name(desk);
    let (en, pt) = match error {
        PlanToolError::Unreachable => ("cannot be reached", "está inacessível"),
        PlanToolError::TimedOut => ("did not answer in time", "não respondeu a tempo"),
        PlanToolError::Refused => (
            "refused Resync's credentials",
            "recusou as credenciais do Resync",
        ),
        PlanToolError::Unusable
        | PlanToolError::Gone
        | PlanToolError::NoLog
        | PlanToolError::NotKept => (
            "gave an answer that cannot be used",
            "deu uma resposta que não pode ser usada",
        ),
        PlanToolError::Spent => {
            draft.tell(
                "This answer has had all the calls that one answer may have; ask for the rest in a message of its own.",
                "Esta resposta já usou todas as consultas que uma resposta pode ter; peça o resto em outra mensagem.",
            );
            return;
        }
    };
    draft.tell(
        &format!("The engine {engine} {en}, so I have no figures of the plan."),
        &format!("O engine {engine} {pt}; não tenho dados do plano."),
    );
}

/// The word for a count.
fn plural<'a>(
    language: Language,
    count: usize,
    en: (&'a str, &'a str),
    pt: (&'a str, &'a str),
) -> &'a str {
    let pick = |(one, many): (&'a str, &'a str)| if count == 1 { one } else { many };
    language.pick(pick(en), pick(pt))
}

/// The plan, or the sentence that there is none.
fn plan<'a>(
    desk: &Desk<'_>,
    question: &Question<'a>,
    draft: &mut Draft,
) -> Option<(&'a Snapshot, &'a Meta)> {
    match question.snapshot {
        Ok(seen) => Some((&*seen.value, &seen.meta)),
        Err(error) => {
            engine_down(desk, error, draft);
            None
        }
    }
}
