//! What the documents say: their sections are cited, never obeyed.

use resync_rag::{SearchHit, SearchResults};

use super::{Desk, Draft, Question};
use crate::text;

/// How many sections an answer shows.
const SECTIONS: usize = 3;
/// A section is shown beside the best one when its score is at least this share of the best.
const NEAR: f32 = 0.6;

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
    let best = results.items.first().map_or(0.0, |hit| hit.score);
    // A section far behind the best one answers something else.
    let near = results.items.iter().filter(|hit| hit.score >= best * NEAR);
    for hit in near.take(SECTIONS) {
        let mark = draft.cite_document(hit);
        draft.line(&format!("{} {mark}", place(hit)));
    }
    draft.tell(
        "The sections are quoted below as they stand there.",
        "As seções estão citadas abaixo como estão lá.",
    );
}

/// The runbook when the plan cannot be read.
pub(super) async fn instead(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let names: Vec<String> = question
        .routing
        .entities
        .jobs
        .iter()
        .map(|job| job.name.clone())
        .collect();
    runbook(desk, question.message, &names, draft).await;
}

/// Adds the best section for `query`: one that answers it, or else one that names one of `keys`, the
/// job or a message of its log.
pub(super) async fn runbook(desk: &Desk<'_>, query: &str, keys: &[String], draft: &mut Draft) {
    let Some(results) = desk.search(query, SECTIONS).await else {
        unavailable(draft);
        return;
    };
    draft.new_line();
    let best = results.items.first().filter(|_| results.answerable);
    match best.or_else(|| results.items.iter().find(|hit| names_any(hit, keys))) {
        Some(hit) => {
            let mark = draft.cite_document(hit);
            let place = place(hit);
            draft.tell(
                &format!("Runbook: {place} {mark}"),
                &format!("Runbook: {place} {mark}"),
            );
        }
        None => draft.tell(
            "No runbook was found; looked in the documents.",
            "Nenhum runbook encontrado; foram vistos os documentos.",
        ),
    }
}

fn names_any(hit: &SearchHit, keys: &[String]) -> bool {
    let text = std::iter::once(&hit.title)
        .chain(&hit.heading_path)
        .chain([&hit.text]);
    let mut words = text.flat_map(|text| text::tokens(text));
    words.any(|word| keys.iter().any(|key| key.eq_ignore_ascii_case(&word.raw)))
}

fn unavailable(draft: &mut Draft) {
    draft.incomplete = true;
    draft.new_line();
    draft.tell(
        "The documents cannot be searched at the moment.",
        "Os documentos não podem ser consultados no momento.",
    );
}

fn nothing(results: &SearchResults, draft: &mut Draft) {
    if results.items.is_empty() {
        draft.tell(
            "Not found; looked in all documents.",
            "Não encontrado; foram vistos todos os documentos.",
        );
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
