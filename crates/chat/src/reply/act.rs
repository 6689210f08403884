//! A wish to act becomes a card, and nothing more.
//!
//! Invariants (I-08, I-13):
//! - A card comes from the person's own message alone; it holds no token and changes nothing.
//! - The actions' own service decides again, on the job as it is then.

use resync_tws::Text;
use resync_tws::model::{Action, ActionKind};

use super::draft::Fact;
use super::{Desk, Draft, Question, engine_down, engine_name, job, known_job};
use crate::answer::{CardImpact, Needs, ProposalCard};
use crate::context::KnownJob;
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
    if prepared(action).is_none() {
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
        draft.tell(
            &format!("The engine {engine} is read-only here; no action is ever sent to it."),
            &format!("O engine {engine} é somente leitura aqui; nenhuma ação é enviada a ele."),
        );
        return false;
    }
    true
}

/// A submission names something that is not in the plan yet.
pub(super) fn submit(draft: &mut Draft) {
    draft.tell(
        "I do not prepare a submission here; it is done in the engine's own console.",
        "Não preparo a submissão aqui; é feita no console do próprio engine.",
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
    let seen = match desk.job(&target.id).await {
        Ok(seen) => seen,
        Err(PlanToolError::Gone) => {
            job::gone(desk, target, draft);
            return None;
        }
        Err(error) => {
            engine_down(desk, error, draft);
            return None;
        }
    };
    let (view, meta) = (&*seen.value, &seen.meta);
    let label = text::name(&view.job.label());
    job::standing(&view.job, &view.state, meta, draft);
    let (en, pt) = noun(action);
    // A card in a state that forbids the action would send a person to a sure refusal.
    let allowed = prepared(action).is_some_and(|action| action.allowed_for(&view.job).is_ok());
    if !allowed {
        draft.tell(
            &format!("That state does not allow {en}, so no card was prepared."),
            &format!("Esse estado não permite {pt}, e nenhum cartão foi preparado."),
        );
        draft.say_age(meta);
        return Some(known_job(&view.job));
    }
    let impact = impact(question, target, action, draft);
    draft.tell(
        &format!("I prepared {en} of {label}. Nothing has been done: give a reason on the card, then confirm."),
        &format!("Preparei {pt} de {label}. Nada foi feito: informe o motivo no cartão e depois confirme."),
    );
    draft.say_age(meta);
    draft.proposal = Some(ProposalCard {
        engine,
        job_id: view.job.id.clone(),
        label,
        action,
        state: text::name(view.state.as_str()),
        impact,
        needs: Needs::Reason,
    });
    Some(known_job(&view.job))
}

fn impact(
    question: &Question<'_>,
    target: &KnownJob,
    action: ActionKind,
    draft: &mut Draft,
) -> CardImpact {
    let note = Some(note(action));
    let Ok(snapshot) = question.snapshot else {
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
    let victims = snapshot.value.victims(&target.id);
    if !victims.is_empty() {
        let fact = Fact::jobs("jobs that wait for it", "jobs que esperam por ele");
        let count = draft.number(&snapshot.meta, &fact, victims.len());
        draft.tell(
            &format!("Jobs that wait for it: {count}."),
            &format!("Jobs que esperam por ele: {count}."),
        );
    }
    CardImpact {
        blocked: Some(victims.len()),
        jobs: victims
            .iter()
            .take(10)
            .map(|job| text::name(&job.label()))
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
        ActionKind::Kill
        | ActionKind::Confirm
        | ActionKind::Priority
        | ActionKind::ReleaseDependencies => {
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

/// The action that a card can be made of. The others are done on the job's page.
fn prepared(action: ActionKind) -> Option<Action> {
    match action {
        ActionKind::Rerun => Some(Action::RERUN),
        ActionKind::Hold => Some(Action::Hold),
        ActionKind::Release => Some(Action::Release),
        ActionKind::Cancel => Some(Action::Cancel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Context, Standing};
    use crate::language::Language;
    use crate::route::Router;
    use resync_tws::model::JobId;

    #[test]
    fn a_plan_that_was_not_read_gives_a_card_without_a_count() {
        let message = "rerun FIN_GL_POST";
        let routing = Router::default().route(message, None, &Context::default());
        let question = Question {
            message,
            routing: &routing,
            snapshot: Err(PlanToolError::TimedOut),
            can_propose: true,
        };
        let target = KnownJob {
            id: JobId::parse("id-1").unwrap(),
            name: "FIN_GL_POST".to_owned(),
            label: "LX_PRD01#FIN_EOD.FIN_GL_POST".to_owned(),
            standing: Standing::Failed,
        };
        let mut draft = Draft::new(Language::English);
        let impact = impact(&question, &target, ActionKind::Rerun, &mut draft);
        assert_eq!(impact.blocked, None);
        assert!(draft.incomplete && draft.figures.is_empty());
        let json = serde_json::to_value(&impact).unwrap();
        assert_eq!(json.get("blocked"), Some(&serde_json::Value::Null));
    }
}
