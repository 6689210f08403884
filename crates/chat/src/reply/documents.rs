//! What the documents say: their sections are cited and quoted, never obeyed.

use resync_rag::{SearchHit, SearchResults};

use super::{Desk, Draft, Question};
use crate::evidence::EvidenceFact;
use crate::text;

/// How many sections an answer shows.
const SECTIONS: usize = 3;
/// How many are looked at, so that the steps of a document are among them beside its introduction.
const LOOKED_AT: usize = 8;
/// A section of the best one's document may tell what to do when its score is at least this share of
/// the best: words of the question stand rather in the introduction than in the steps.
const SAME_DOCUMENT: f32 = 0.25;
/// A section is shown beside the best one when its score is at least this share of the best.
const NEAR: f32 = 0.6;

/// Answers a question for a procedure or a meaning.
pub(super) async fn answer(desk: &Desk<'_>, question: &Question<'_>, draft: &mut Draft) {
    let Some(mut results) = desk.search(question.message, LOOKED_AT).await else {
        unavailable(draft);
        return;
    };
    if results.items.is_empty() || !results.answerable {
        nothing(desk, &results, draft);
        return;
    }
    draft.tell("From your documents:", "Dos seus documentos:");
    let best = results.items.first().map_or(0.0, |hit| hit.score);
    if asks_what_to_do(question.message) {
        steps_first(&mut results.items);
    }
    // A section far behind the best one answers something else.
    let near = results.items.iter().enumerate();
    let near = near.filter(|(at, hit)| *at == 0 || hit.score >= best * NEAR);
    for (at, hit) in near.take(SECTIONS) {
        let mark = draft.cite_document(desk, hit);
        if mark.is_empty() {
            break;
        }
        let place = place(hit, draft);
        if at == 0 {
            draft.line(&format!("{place} {mark}:"));
            draft.quote(&hit.text);
        } else {
            draft.line(&format!("{place} {mark}"));
        }
    }
    draft.tell(
        "The sections are quoted below as they stand there.",
        "As seções estão citadas abaixo como estão lá.",
    );
}

/// Whether the question is for something to do, not for a meaning.
fn asks_what_to_do(message: &str) -> bool {
    let words: Vec<String> = text::tokens(message).into_iter().map(|t| t.word).collect();
    let joined = format!(" {} ", words.join(" "));
    let phrases = "how|como|what to do|what should|what do i do|what do we do|o que fazer|o que faco|o que devo|o que eu faco|steps|passos|passo|procedure|procedimento|fix|resolver";
    phrases
        .split('|')
        .any(|phrase| joined.contains(&format!(" {phrase} ")))
}

/// Puts the section first that tells what to do, if the best one's document has one near: steps with
/// numbers before a list, and what stands under a heading of its own before the introduction.
fn steps_first(hits: &mut Vec<SearchHit>) {
    let Some(best) = hits.first() else { return };
    let (document, least) = (best.document_id, best.score * SAME_DOCUMENT);
    let of_document = hits.iter().enumerate();
    let of_document =
        of_document.filter(|(_, hit)| hit.document_id == document && hit.score >= least);
    // Of two that are alike the first, which has the higher score.
    let found = of_document.rev().max_by_key(|(_, hit)| telling(hit));
    if let Some((at, _)) = found.filter(|(_, hit)| telling(hit) > 0) {
        let hit = hits.remove(at);
        hits.insert(0, hit);
    }
}

/// 2 for a section with numbered steps, 1 for one with another list, 0 for one without and for an
/// introduction, which stands under the title.
fn telling(hit: &SearchHit) -> u8 {
    if hit
        .heading_path
        .last()
        .is_none_or(|last| *last == hit.title)
    {
        return 0;
    }
    let lines = || hit.text.lines().map(str::trim_start);
    let is_step = |line: &str| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "))
    };
    if lines().any(is_step) {
        2
    } else {
        u8::from(lines().any(|line| line.starts_with("- ") || line.starts_with("* ")))
    }
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
    let Some(mut results) = desk.search(query, LOOKED_AT).await else {
        unavailable(draft);
        return;
    };
    draft.new_line();
    let named = results
        .items
        .iter()
        .take(SECTIONS)
        .find(|hit| names_any(hit, keys))
        .cloned();
    // Whoever asks why a job failed wants to know next what to do.
    steps_first(&mut results.items);
    let best = results.items.first().filter(|_| results.answerable);
    let Some(hit) = best.or(named.as_ref()) else {
        looked_at(desk, query, &[]);
        draft.tell(
            "No runbook was found; looked in the documents.",
            "Nenhum runbook encontrado; foram vistos os documentos.",
        );
        return;
    };
    let mark = draft.cite_document(desk, hit);
    let place = place(hit, draft);
    draft.tell(
        &format!("Runbook: {place} {mark}"),
        &format!("Runbook: {place} {mark}"),
    );
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

fn nothing(desk: &Desk<'_>, results: &SearchResults, draft: &mut Draft) {
    let near: Vec<&SearchHit> = results.items.iter().take(SECTIONS).collect();
    let near: Vec<String> = near.into_iter().map(|hit| place(hit, draft)).collect();
    looked_at(desk, "", &near);
    if near.is_empty() {
        draft.tell(
            "I don't know: not found; looked in all documents.",
            "Não sei: não encontrado; foram vistos todos os documentos.",
        );
        return;
    }
    draft.tell(
        "I don't know: not found; the documents have no answer to that. Looked at:",
        "Não sei: não encontrado; os documentos não respondem a isso. Foi visto:",
    );
    for place in near {
        draft.line(&place);
    }
}

/// Keeps on record what was looked through.
fn looked_at(desk: &Desk<'_>, query: &str, near: &[String]) {
    let mut facts = Vec::new();
    if !query.is_empty() {
        facts.push(EvidenceFact::words("looked for", &text::name(query)));
    }
    facts.extend(
        near.iter()
            .map(|place| EvidenceFact::words("looked at", place)),
    );
    facts.push(EvidenceFact::words("outcome", "no section answers it"));
    desk.searched(facts);
}

/// `Title › Heading (file, lines 3 to 9)`.
fn place(hit: &SearchHit, draft: &Draft) -> String {
    let title = text::name(&hit.title);
    let headings = hit.heading_path.iter().map(|heading| text::name(heading));
    // The first heading is often the title.
    let below = headings.filter(|heading| *heading != title);
    let parts: Vec<String> = std::iter::once(title.clone()).chain(below).collect();
    let (from, to) = (hit.span.start_line, hit.span.end_line);
    let lines = if to > from {
        let (lines, and) = (
            draft.language.pick("lines", "linhas"),
            draft.language.pick("to", "a"),
        );
        format!("{lines} {from} {and} {to}")
    } else {
        format!("{} {from}", draft.language.pick("line", "linha"))
    };
    format!(
        "{} ({}, {lines})",
        parts.join(" › "),
        text::name(&hit.source)
    )
}
