//! A wish to act becomes a card, and nothing more.
//!
//! Invariants (I-08, I-13):
//! - A card comes from the person's own message alone; it holds no token and changes nothing.
//! - The actions' own service decides again, on the job as it is then.

use resync_tws::Text;
use resync_tws::model::{Action, ActionKind, ConfirmOutcome};

use super::draft::Fact;
use super::{Desk, Draft, Question, engine_down, engine_name, job, known_job};
use crate::answer::{CardImpact, Needs, ProposalCard};
use crate::context::KnownJob;
use crate::evidence::EvidenceFact;
use crate::text;
use crate::tools::PlanToolError;

/// Whether a card can be made of the message at all; says why not.
pub(super) fn may(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) -> bool {
    let actions = &question.routing.entities.actions;
    if actions.len() > 1 {
        draft.tell(
            "One action at a time. Which one?",
            "Uma ação por vez. Qual?",
        );
        draft
            .clarify
            .extend(actions.iter().map(|action| action.as_str().to_owned()));
        return false;
    }
    let Some(action) = actions.first().copied() else {
        draft.tell(
            "Which action, and on which job?",
            "Qual ação, e em qual job?",
        );
        return false;
    };
    if !is_prepared(action) {
        draft.tell(
            &format!("I do not prepare {} here; it is done on the job's page, where a person confirms it.", action.as_str()),
            &format!("Não preparo {} aqui; é feito na página do job, onde uma pessoa confirma.", action.as_str()),
        );
        return false;
    }
    if !question.can_propose {
        draft.tell(
            "You do not have the permission to propose actions.",
            "Você não tem permissão para propor ações.",
        );
        return false;
    }
    if desk.engine.as_ref().is_some_and(|engine| engine.read_only) {
        let engine = engine_name(desk);
        desk.engine_is(vec![EvidenceFact::words("read-only", "yes")]);
        draft.tell(
            &format!("The engine {engine} is read-only here; no action is ever sent to it."),
            &format!("O engine {engine} é somente leitura aqui; nenhuma ação é enviada a ele."),
        );
        return false;
    }
    true
}

/// A submission names something that is not in the plan yet, and Resync brings nothing into it.
pub(super) fn submit(draft: &mut Draft) {
    draft.tell(
        "I submit nothing: Resync brings neither jobs nor streams into the plan. Submit it in the \
         engine's own console or with conman; once it is in the plan I can show it and prepare actions on it.",
        "Não submeto nada: o Resync não coloca jobs nem streams no plano. Submeta no console do \
         próprio engine ou com o conman; quando estiver no plano, posso mostrar e preparar ações sobre ele.",
    );
}

pub(super) async fn propose(
    desk: &Desk<'_>,
    question: &Question<'_>,
    target: &KnownJob,
    draft: &mut Draft,
) -> Option<KnownJob> {
    let action = question.routing.entities.actions.first().copied()?;
    let engine = desk.engine.as_ref()?.name.clone();
    let told = match desk.job(&target.id).await {
        Ok(told) => told,
        Err(PlanToolError::Gone) => {
            job::gone(desk, target, draft);
            return None;
        }
        Err(error) => {
            engine_down(desk, error, draft);
            return None;
        }
    };
    let (view, by) = (&*told.value, &told.ground);
    let label = text::name(&view.job.label());
    job::standing(&view.job, &view.state, by, draft);
    let (en, pt) = noun(action);
    let Some(prepared) = prepared(action, question) else {
        how_did_it_end(&view.job.name, draft);
        draft.say_age(by);
        return Some(known_job(&view.job));
    };
    // A card in a state that forbids the action would send a person to a sure refusal.
    if prepared.allowed_for(&view.job).is_err() {
        draft.tell(
            &format!("That state does not allow {en}, so no card was prepared."),
            &format!("Esse estado não permite {pt}, e nenhum cartão foi preparado."),
        );
        draft.say_age(by);
        return Some(known_job(&view.job));
    }
    let impact = impact(desk, target, action, draft).await;
    draft.tell(
        &format!("I prepared {en} of {label}. Nothing has been done: give a reason on the card, then confirm."),
        &format!("Preparei {pt} de {label}. Nada foi feito: informe o motivo no cartão e depois confirme."),
    );
    draft.say_age(by);
    draft.proposal = Some(ProposalCard {
        engine,
        job_id: view.job.id.clone(),
        label,
        action,
        status: match prepared {
            Action::Confirm { status } => Some(status),
            _ => None,
        },
        state: text::name(view.state.as_str()),
        impact,
        needs: Needs::Reason,
    });
    Some(known_job(&view.job))
}

/// A confirm says how the job ended, which only a person knows.
fn how_did_it_end(name: &str, draft: &mut Draft) {
    let name = text::name(name);
    draft.tell(
        "How did it end: well (succ) or badly (abend)? Say which, and I prepare the card.",
        "Como terminou: bem (succ) ou mal (abend)? Diga qual, e preparo o cartão.",
    );
    for status in ["SUCC", "ABEND"] {
        let choice = draft.language.pick("confirm", "confirme o");
        let like = draft.language.pick("as", "como");
        draft
            .clarify
            .push(format!("{choice} {name} {like} {status}"));
    }
}

async fn impact(
    desk: &Desk<'_>,
    target: &KnownJob,
    action: ActionKind,
    draft: &mut Draft,
) -> CardImpact {
    let note = Some(note(action));
    let Ok(told) = desk.impact(&target.id).await else {
        draft.incomplete = true;
        draft.tell(
            "Who waits for it could not be read.",
            "Não foi possível ler quem espera por ele.",
        );
        return CardImpact {
            blocked: None,
            jobs: Vec::new(),
            note,
        };
    };
    let (view, by) = (&*told.value, &told.ground);
    if view.total > 0 {
        let fact = Fact {
            what: "impact",
            ..Fact::jobs("jobs that wait for it", "jobs que esperam por ele")
        };
        let count = draft.number(by, &fact, view.total);
        draft.tell(
            &format!("Jobs that wait for it: {count}."),
            &format!("Jobs que esperam por ele: {count}."),
        );
    }
    CardImpact {
        blocked: Some(view.total),
        jobs: view
            .jobs
            .iter()
            .take(10)
            .map(|job| text::name(&job.label))
            .collect(),
        note,
    }
}

/// The action as a thing that can be prepared, English and Portuguese.
const fn noun(action: ActionKind) -> (&'static str, &'static str) {
    match action {
        ActionKind::Rerun => ("a rerun", "a reexecução"),
        ActionKind::Hold => ("a hold", "o bloqueio (hold)"),
        ActionKind::Release => ("a release", "a liberação"),
        ActionKind::Cancel => ("a cancel", "o cancelamento"),
        ActionKind::Kill => ("a kill", "a interrupção (kill)"),
        ActionKind::Confirm => ("a confirmation", "a confirmação"),
        ActionKind::Priority => ("a change of priority", "a mudança de prioridade"),
        ActionKind::ReleaseDependencies => {
            ("a release of dependencies", "a liberação de dependências")
        }
        ActionKind::Reply => ("a reply to a prompt", "a resposta a um prompt"),
        ActionKind::Link => ("a link", "a conexão (link)"),
        ActionKind::Unlink => ("an unlink", "a desconexão (unlink)"),
        ActionKind::Start => ("a start", "o início (start)"),
        ActionKind::Stop => ("a stop", "a parada (stop)"),
        ActionKind::Limit => ("a change of limit", "a mudança de limite"),
        ActionKind::Fence => ("a change of fence", "a mudança da fence"),
        ActionKind::Quantity => ("a change of units", "a mudança de unidades"),
    }
}

fn note(action: ActionKind) -> Text {
    let (en, pt) = match action {
        ActionKind::Rerun => (
            "The job would run once more.",
            "O job seria executado mais uma vez.",
        ),
        ActionKind::Hold => (
            "The job would not start until it is released.",
            "O job não iniciaria até ser liberado.",
        ),
        ActionKind::Release => (
            "The job could start again.",
            "O job poderia iniciar de novo.",
        ),
        ActionKind::Cancel => (
            "The job would leave the plan, and jobs after it would not wait for it.",
            "O job sairia do plano, e os jobs depois dele não esperariam por ele.",
        ),
        ActionKind::Kill => (
            "The run would be ended at once, whatever it is doing.",
            "A execução seria encerrada na hora, o que quer que esteja fazendo.",
        ),
        ActionKind::Confirm => (
            "The engine would take the job as ended that way, and jobs after it would go on or stay by that.",
            "O engine consideraria o job terminado assim, e os jobs depois dele seguiriam ou não conforme isso.",
        ),
        ActionKind::Priority | ActionKind::ReleaseDependencies => {
            ("It is done on the job's page.", "É feito na página do job.")
        }
        ActionKind::Reply
        | ActionKind::Link
        | ActionKind::Unlink
        | ActionKind::Start
        | ActionKind::Stop
        | ActionKind::Limit
        | ActionKind::Fence
        | ActionKind::Quantity => ("It is not done to a job.", "Não se faz em um job."),
    };
    Text::new(en, pt)
}

/// Whether a card can be made of the action. The others are done on the job's page.
const fn is_prepared(action: ActionKind) -> bool {
    matches!(
        action,
        ActionKind::Rerun
            | ActionKind::Hold
            | ActionKind::Release
            | ActionKind::Cancel
            | ActionKind::Kill
            | ActionKind::Confirm
    )
}

/// The action with what it needs from the message; `None` when the message does not say it.
fn prepared(action: ActionKind, question: &Question<'_>) -> Option<Action> {
    Some(match action {
        ActionKind::Rerun => Action::RERUN,
        ActionKind::Hold => Action::Hold,
        ActionKind::Release => Action::Release,
        ActionKind::Cancel => Action::Cancel,
        ActionKind::Kill => Action::Kill,
        ActionKind::Confirm => {
            let outcome = |status: &String| match status.as_str() {
                "SUCC" => Some(ConfirmOutcome::Succ),
                "ABEND" | "FAIL" => Some(ConfirmOutcome::Abend),
                _ => None,
            };
            let said = question.routing.entities.statuses.iter();
            let mut said = said.filter_map(outcome);
            // Two outcomes are none: which one is meant, only the person knows.
            let first = said.next()?;
            if said.any(|other| other != first) {
                return None;
            }
            Action::Confirm { status: first }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Standing;
    use crate::events::Silent;
    use crate::language::Language;
    use crate::reply::Book;
    use crate::tools::{EngineFacts, MockKnowledgeTools, MockPlanTools};
    use resync_kernel::ManualClock;
    use resync_tws::model::{EngineName, JobId};
    use std::sync::Mutex;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_plan_that_was_not_read_gives_a_card_without_a_count() {
        let mut plan = MockPlanTools::new();
        plan.expect_impact()
            .returning(|_, _| Err(PlanToolError::TimedOut));
        let (knowledge, clock) = (MockKnowledgeTools::new(), ManualClock::default());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        let desk = Desk {
            plan: &plan,
            knowledge: &knowledge,
            clock: &clock,
            progress: &Silent,
            plan_deadline: deadline,
            deadline,
            engine: Some(EngineFacts {
                name: EngineName::parse("prod").unwrap(),
                read_only: false,
                demo: false,
            }),
            used: Mutex::default(),
            book: Book::default(),
        };
        let target = KnownJob {
            id: JobId::parse("id-1").unwrap(),
            name: "FIN_GL_POST".to_owned(),
            label: "LX_PRD01#FIN_EOD.FIN_GL_POST".to_owned(),
            standing: Standing::Failed,
        };
        let mut draft = Draft::new(Language::English);
        let impact = impact(&desk, &target, ActionKind::Rerun, &mut draft).await;
        assert_eq!(impact.blocked, None);
        assert!(draft.incomplete && draft.figures.is_empty());
        let json = serde_json::to_value(&impact).unwrap();
        assert_eq!(json.get("blocked"), Some(&serde_json::Value::Null));
    }
}
