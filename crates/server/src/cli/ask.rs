//! `resync ask`: one question to a running server, as whom the API key speaks for.
//!
//! It asks the server and not the store: the plan's cache, the limits and the conversation are there.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use resync_chat::{Answer, PageLinks, SessionId};
use serde_json::json;

use super::output::{Done, FAILURE, Failure, OK, UNCONFIRMED, UNREACHABLE, USAGE, end};
use super::remote::{Remote, RemoteArgs, json_of};

/// The longest question that is read from stdin, in bytes; the server takes 4,000 characters.
const MAX_QUESTION_BYTES: u64 = 64 * 1024;

/// What to ask, and how.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// The question, in English or Portuguese; `-` reads it from stdin.
    question: String,
    /// The conversation to go on with; `--json` shows its id.
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// The engine to ask about.
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Answer by rules, without a language model.
    #[arg(long)]
    no_llm: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Asks and prints the answer with its sources. Exits with 6 when the answer lacks what an engine or the
/// store of documents did not tell, and with 8 when it prepared an action, which a person has to confirm.
pub(super) async fn run(file: Option<PathBuf>, args: AskArgs) -> ExitCode {
    let AskArgs {
        question,
        session,
        engine,
        no_llm,
        json,
        remote,
    } = args;
    let remote = match Remote::find(remote, file) {
        Ok(remote) => remote,
        Err(code) => return code,
    };
    let question = match typed(question) {
        Ok(question) => question,
        Err(failure) => return end(Err(failure)),
    };
    let mut body = json!({"message": question});
    if let Some(fields) = body.as_object_mut() {
        if let Some(session) = session {
            fields.insert("session_id".to_owned(), json!(session));
        }
        if let Some(engine) = engine {
            fields.insert("engine".to_owned(), json!(engine));
        }
        if no_llm {
            fields.insert("mode".to_owned(), json!("deterministic"));
        }
    }
    end(ask(&remote, body, json).await)
}

async fn ask(remote: &Remote, body: serde_json::Value, as_json: bool) -> Done {
    let request = remote.post("/api/v1/chat").json(&body);
    let told = json_of(request).await?;
    let answer: Answer = serde_json::from_value(told.clone())
        .map_err(|error| Failure::new(FAILURE, format!("the answer cannot be read: {error}")))?;
    let code = if answer.proposal.is_some() {
        UNCONFIRMED
    } else if answer.incomplete {
        UNREACHABLE
    } else {
        OK
    };
    let text = if as_json {
        super::output::json(&told)?
    } else {
        shown(&answer, &PageLinks::new(&remote.base))
    };
    Ok((code, text))
}

fn typed(question: String) -> Result<String, Failure> {
    if question != "-" {
        return Ok(question);
    }
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(MAX_QUESTION_BYTES)
        .read_to_string(&mut text);
    read.map_err(|error| Failure::new(USAGE, format!("stdin cannot be read: {error}")))?;
    Ok(text)
}

/// The answer for a terminal; writing into a `String` does not fail.
fn shown(answer: &Answer, links: &PageLinks) -> String {
    let mut text = answer.answer.trim_end().to_owned();
    for choice in &answer.clarify {
        let _ok = write!(text, "\n  ? {choice}");
    }
    if let Some(card) = &answer.proposal {
        let link = links.job(card.engine.as_str(), card.job_id.as_str());
        let _ok = write!(text, "\n\nNothing has been done. Confirm at {link}");
    }
    if !answer.citations.is_empty() {
        text.push('\n');
    }
    for citation in &answer.citations {
        let link = links.of(&citation.place);
        let _ok = write!(text, "\n[{}] {}\n     {link}", citation.id, citation.title);
    }
    if !answer.saved {
        text.push_str("\n\n(not in the history: it could not be saved)");
    }
    text
}
