//! What the documents say: their sections are cited, never obeyed.

use resync_rag::{SearchHit, SearchResults};

use super::{Desk, Draft, Question};
use crate::text;

/// How many sections an answer shows.
const SECTIONS: usize = 3;

/// Answers a question for a procedure or a meaning.
pub(super) async fn answer(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some(results) = desk.search(question.message, SECTIONS).await else {
        unavailable(draft);
        return;
    };
    if results.items.is_empty() || !results.answerable {
        nothing(&results, draft);
        return;
    }
    draft.tell("From your documents:", "Dos seus documentos:");
    for hit in results.items.iter().take(SECTIONS) {
        let mark = draft.cite_document(hit);
        draft.line(&format!("{} {mark}", place(hit)));
    }
    draft.tell("The sections are quoted below as they stand there.", "As seções estão citadas abaixo como estão lá.");
}

/// The runbook when the plan cannot be read.
pub(super) async fn instead(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    runbook(desk, question.message, draft).await;
}

/// Adds the best section for `query`, when the documents have one.
pub(super) async fn runbook(desk: &Desk<'_>, query: &str, draft: &mut Draft) {
    let Some(results) = desk.search(query, SECTIONS).await else {
        unavailable(draft);
        return;
    };
    draft.new_line();
    match results.items.first().filter(|_| results.answerable) {
        Some(hit) => {
            let mark = draft.cite_document(hit);
            let place = place(hit);
            draft.tell(&format!("Runbook: {place} {mark}"), &format!("Runbook: {place} {mark}"));
        }
        None => draft.tell(
            "No runbook was found; looked in the documents.",
            "Nenhum runbook encontrado; foram vistos os documentos.",
        ),
    }
}

fn unavailable(draft: &mut Draft) {
    draft.incomplete = true;
    draft.new_line();
    draft.tell("The documents cannot be searched at the moment.", "Os documentos não podem ser consultados no momento.");
}

fn nothing(results: &SearchResults, draft: &mut Draft) {
    if results.items.is_empty() {
        draft.tell("Not found; looked in all documents.", "Não encontrado; foram vistos todos os documentos.");
        return;
    }
    let near: Vec<String> = results.items.iter().take(SECTIONS).map(place).collect();
    draft.tell(
        "Not found; the documents have no answer to that. Looked at:",
        "Não encontrado; os documentos não respondem a isso. Foi visto:",
    );
    for place in near {
        draft.line(&place);
    }
}

/// `Title › Heading (file)`.
fn place(hit: &SearchHit) -> String {
    let title = text::name(&hit.title);
    let headings = hit.heading_path.iter().map(|heading| text::name(heading));
    // The first heading is often the title.
    let below = headings.filter(|heading| *heading != title);
    let parts: Vec<String> = std::iter::once(title.clone()).chain(below).collect();
    format!("{} ({})", parts.join(" › "), text::name(&hit.source))
}
