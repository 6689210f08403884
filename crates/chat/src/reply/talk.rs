//! Answers without evidence: greeting, help, asking back, and why a message confirms nothing.

use super::{Draft, Question};

pub(super) fn greeting(draft: &mut Draft) {
    draft.tell(
        "Hello. Ask me about the plan, a job, a workstation or a runbook.",
        "Olá. Pergunte sobre o plano, um job, uma workstation ou um runbook.",
    );
}

pub(super) fn help(draft: &mut Draft) {
    draft.tell(
        "I answer from the live plan and from your documents:",
        "Respondo a partir do plano ao vivo e dos seus documentos:",
    );
    let lines = [
        (
            "the plan: \"how is the plan?\"",
            "o plano: \"como está o plano?\"",
        ),
        (
            "lists: \"which jobs failed?\", \"what is late on WORKSTATION?\"",
            "listas: \"quais jobs falharam?\", \"o que está atrasado na WORKSTATION?\"",
        ),
        (
            "a job: its status, log, impact, why it failed or waits",
            "um job: status, log, impacto, por que falhou ou espera",
        ),
        (
            "workstations: \"which agents are down?\"",
            "workstations: \"quais agentes estão fora do ar?\"",
        ),
        (
            "runbooks: \"what should I do when JOB abends?\"",
            "runbooks: \"o que fazer quando JOB abenda?\"",
        ),
        (
            "actions: rerun, hold, release, cancel; I prepare a card, a person confirms it",
            "ações: rerun, hold, release, cancel; eu preparo um cartão, uma pessoa confirma",
        ),
    ];
    for (en, pt) in lines {
        let line = draft.language.pick(en, pt);
        draft.line(line);
    }
}

/// Not about jobs, the plan or its documents.
pub(super) fn out_of_scope(draft: &mut Draft) {
    draft.tell(
        "That is outside what I know: I answer about the plan, its jobs and workstations, and your documents.",
        "Isso está fora do que eu sei: respondo sobre o plano, seus jobs e workstations, e os seus documentos.",
    );
}

/// A text that tells Resync to leave its rules changes nothing (I-13).
pub(super) fn prompt_injection(draft: &mut Draft) {
    draft.tell(
        "That asks me to leave my rules, which no message can do; nothing was done.",
        "Isso pede que eu saia das minhas regras, o que nenhuma mensagem consegue; nada foi feito.",
    );
}

/// Asks back. A message can confirm nothing (I-08), and what is done elsewhere is said.
pub(super) fn unclear(question: &Question<'_>, draft: &mut Draft) {
    let routing = question.routing;
    if routing.confirms {
        draft.tell(
            "A message confirms nothing. To act, give a reason on the card of the proposal and confirm there.",
            "Uma mensagem não confirma nada. Para agir, informe o motivo no cartão da proposta e confirme lá.",
        );
        return;
    }
    if let Some(action) = routing.entities.actions.first() {
        draft.tell(
            &format!("I do not prepare {} here; it is done on the job's page, where a person confirms it.", action.as_str()),
            &format!("Não preparo {} aqui; é feito na página do job, onde uma pessoa confirma.", action.as_str()),
        );
        return;
    }
    draft.tell(
        "I did not understand that. Do you mean one of these?",
        "Não entendi. Você quer dizer uma destas?",
    );
    draft.clarify.clone_from(&routing.clarify);
}
