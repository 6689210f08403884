//! An answer as OpenAI's libraries read one.
//!
//! Invariants:
//! - The text is the answer's own, with its sources behind it as links into our page.
//! - Tokens are those that a language model read and wrote; an answer without one used none.

use std::fmt::Write;

use resync_chat::{Answer, Citation, Language, Place, ProposalCard};
use serde_json::{Value, json};

use crate::state::App;

/// `chatcmpl-` and the message's id.
pub(super) fn id_of(message: impl std::fmt::Display) -> String {
    format!("chatcmpl-{message}")
}

/// The whole answer.
pub(super) fn completion(answer: &Answer, model: &str, app: &App) -> Value {
    let content = format!("{}{}", answer.answer, behind(answer, app));
    json!({
        "id": id_of(answer.message_id),
        "object": "chat.completion",
        "created": app.clock.now().timestamp(),
        "model": model,
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant",
                "content": content,
                "refusal": null,
                "annotations": annotations(answer, app),
            },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(answer),
    })
}

/// What stands behind the text: where to act, the sources, and the conversation, which is how the next
/// request finds it.
pub(super) fn behind(answer: &Answer, app: &App) -> String {
    let words = Words::of(answer.language);
    let links = &app.edge.links;
    let mut text = String::new();
    // Writing into a String does not fail.
    if let Some(card) = &answer.proposal {
        let _ok = write!(text, "\n\n[{}]({})", words.review, review(card, app));
    }
    if !answer.citations.is_empty() {
        let _ok = write!(text, "\n\n{}:\n", words.sources);
        for citation in &answer.citations {
            let (id, link) = (&citation.id, links.of(&citation.place));
            let _ok = write!(text, "\n- [{id}] [{}]({link})", titled(citation, &words));
        }
        text.push('\n');
        // So that the marks within the text are links, too.
        for citation in &answer.citations {
            let _ok = write!(text, "\n[{}]: {}", citation.id, links.of(&citation.place));
        }
    }
    if answer.saved {
        let link = links.export(answer.session_id);
        let _ok = write!(text, "\n\n[{}]({link})", words.conversation);
    }
    text
}

fn review(card: &ProposalCard, app: &App) -> String {
    app.edge
        .links
        .job(card.engine.as_str(), card.job_id.as_str())
}

fn titled(citation: &Citation, words: &Words) -> String {
    let title: String = citation
        .title
        .chars()
        .map(|c| {
            if matches!(c, '[' | ']' | '\\' | '`' | '<' | '>') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let (from, to) = match &citation.place {
        Place::Log {
            from_line, to_line, ..
        } => (u64::from(*from_line), u64::from(*to_line)),
        Place::Document { span, .. } => (span.start_line, span.end_line),
    };
    format!("{title}, {} {from}-{to}", words.lines)
}

struct Words {
    sources: &'static str,
    lines: &'static str,
    review: &'static str,
    conversation: &'static str,
}

impl Words {
    fn of(language: Language) -> Self {
        match language {
            Language::English => Self {
                sources: "Sources",
                lines: "lines",
                review: "Review and confirm in Resync",
                conversation: "This conversation",
            },
            Language::Portuguese => Self {
                sources: "Fontes",
                lines: "linhas",
                review: "Revisar e confirmar no Resync",
                conversation: "Esta conversa",
            },
        }
    }
}

/// The citations by the places of their marks in the text, in characters.
pub(super) fn annotations(answer: &Answer, app: &App) -> Vec<Value> {
    let mut found = Vec::new();
    for citation in &answer.citations {
        let mark = format!("[{}]", citation.id);
        let Some((before, _)) = answer.answer.split_once(&mark) else {
            continue;
        };
        let start = before.chars().count();
        found.push(json!({"type": "url_citation", "url_citation": {
            "start_index": start,
            "end_index": start + mark.chars().count(),
            "url": app.edge.links.of(&citation.place),
            "title": citation.title,
        }}));
    }
    found
}

pub(super) fn usage(answer: &Answer) -> Value {
    let model = answer.model.as_ref();
    let read = model.and_then(|model| model.prompt_tokens).unwrap_or(0);
    let written = model.and_then(|model| model.completion_tokens).unwrap_or(0);
    json!({
        "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
    })
}
