//! Actions on one object of the plan, by its id, sent once.
//!
//! What the caller may rely on:
//! - Nothing is sent twice, whatever happens; a second host is tried only when no connection was made.
//! - [`ActionError::NotDone`] is said only when the engine cannot have acted: no connection, or a
//!   refusal of credentials, rights, rate or method.
//! - Every other end without a plain yes or no is [`ActionError::OutcomeUnknown`]: time ran out, the
//!   connection broke, a status of 5xx (a gateway may give up after the engine acted), or a 2xx whose
//!   body cannot be read.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::SecondsFormat;
use reqwest::header::HeaderName;
use resync_tws::model::{
    Action, Command, ConfirmOutcome, Justification, ObjectKind, PromptAnswer, RerunOptions,
};
use resync_tws::ports::{ActionError, ActionGateway, GatewayError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::HwaClient;
use crate::body::{Body, Bytes, JSON_CAP};
use crate::encode::{self, segment};
use crate::failure::{Failure, status_error};
use crate::message;
use crate::transport::Call;
use crate::wire::{List, Object, Scalar};

#[async_trait]
impl ActionGateway for HwaClient {
    async fn act(&self, command: &Command, why: &Justification) -> Result<(), ActionError> {
        let call = justify(call_of(command)?, why)?;
        match self.transport.write(call, Bytes::up_to(JSON_CAP)).await {
            Ok(body) => read_outcome(&body),
            Err(failure) => Err(outcome_of(failure)),
        }
    }
}

/// The person's reason and ticket, for the engine's own audit; an engine may insist on them.
pub(crate) fn justify(mut call: Call, why: &Justification) -> Result<Call, ActionError> {
    let mut add = |name: &'static str, text: &str| -> Result<(), ActionError> {
        let value = encode::header_value(text)
            .ok_or_else(|| not_sent("the reason cannot be sent as a header"))?;
        call.headers.push((HeaderName::from_static(name), value));
        Ok(())
    };
    add("justification-category", &why.category)?;
    add("justification-description", &why.reason)?;
    if let Some(ticket) = &why.ticket {
        add("justification-ticket-num", ticket)?;
    }
    Ok(call)
}

fn not_sent(why: &'static str) -> ActionError {
    ActionError::NotDone(GatewayError::Rejected(why.into()))
}

fn call_of(command: &Command) -> Result<Call, ActionError> {
    let kind = command.target.kind();
    if !command.action.kind().goes_with(kind) {
        return Err(not_sent("the action does not go with its target"));
    }
    let id = segment(command.target.id()).ok_or(ActionError::UnknownTarget)?;
    let of = match kind {
        ObjectKind::Job => "job",
        ObjectKind::Stream => "jobstream",
        ObjectKind::Workstation => "workstation",
        ObjectKind::Resource => "resource",
        ObjectKind::Prompt => "prompt",
    };
    let plain = |word: &str| Call::put(format!("/plan/{of}/{id}/action/{word}"));
    let with = |word: &str, body: &Value| Call {
        json: Some(body.to_string()),
        ..plain(word)
    };
    Ok(match command.action {
        Action::Rerun(options) => {
            let run = command
                .run
                .as_ref()
                .ok_or_else(|| not_sent("a job without a run cannot be run again"))?;
            let run = segment(run.as_str()).ok_or(ActionError::UnknownTarget)?;
            Call {
                json: Some(rerun_details(&options).to_string()),
                ..Call::put(format!("/plan/job/run/{run}/action/rerun"))
            }
        }
        Action::Hold => plain("hold"),
        Action::Release => plain("release"),
        Action::Cancel => plain("cancel"),
        Action::Kill => plain("kill"),
        Action::Confirm { status } => {
            let word = match status {
                ConfirmOutcome::Succ => "confirm-succ",
                ConfirmOutcome::Abend => "confirm-abend",
            };
            with(word, &json!({"conditions": []}))
        }
        Action::Priority { priority } => plain("update-priority").query("priority", priority.get()),
        Action::ReleaseDependencies => plain("release-all-dependencies"),
        Action::Reply { answer } => {
            let yes = match answer {
                PromptAnswer::Yes => true,
                PromptAnswer::No => false,
            };
            with("reply", &json!({ "answer": yes }))
        }
        Action::Link => plain("link"),
        Action::Unlink => plain("unlink"),
        Action::Start => plain("start"),
        Action::Stop => plain("stop"),
        Action::Limit { limit } => plain("update-limit").query("limit", u32::from(limit)),
        Action::Fence { fence } => plain("update-fence").query("priority", fence.get()),
        Action::Quantity { quantity } => plain("update-quantity").query("quantity", quantity),
    })
}

/// `RerunDetailsV2`, with what was asked for alone.
fn rerun_details(options: &RerunOptions) -> Value {
    let mut body = Map::new();
    if let Some(priority) = options.priority {
        body.insert("priority".to_owned(), json!(priority.get()));
    }
    if let Some(at) = options.start_at {
        let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        body.insert("startTime".to_owned(), json!(text));
    }
    if options.same_workstation {
        body.insert("rerunJobOnSameWorkstation".to_owned(), json!(true));
    }
    Value::Object(body)
}

/// `{id, url, message, isError, error}`, or the two lists of an action by filter.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireOutcome {
    message: Scalar,
    messages: List<Scalar>,
    is_error: Scalar,
    error: Scalar,
    failed_resource_responses: List<Object<WireFailed>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireFailed {
    message: Scalar,
}

pub(crate) fn read_outcome(body: &Body) -> Result<(), ActionError> {
    // Accepted without a word: 204, or a 200 whose document promises a body but does not need one.
    if body.bytes.trim_ascii().is_empty() && !body.html {
        return Ok(());
    }
    let outcome: WireOutcome = body.read().map_err(outcome_of)?;
    let failed = outcome.failed_resource_responses.items();
    if !outcome.is_error.is_set() && !outcome.error.is_set() && failed.is_empty() {
        return Ok(());
    }
    let said = failed
        .iter()
        .filter_map(Object::get)
        .find_map(|one| one.message.text())
        .or_else(|| outcome.message.text())
        .or_else(|| outcome.messages.items().iter().find_map(Scalar::text))
        .map_or_else(
            || "no reason was given".to_owned(),
            |text| message::tidy(&text),
        );
    Err(ActionError::Refused(Arc::from(said)))
}

pub(crate) fn outcome_of(failure: Failure) -> ActionError {
    match failure {
        Failure::NotSent(error) => ActionError::NotDone(error),
        Failure::Unanswered(error) | Failure::Garbled(error) | Failure::Unusable(error) => {
            ActionError::OutcomeUnknown(error)
        }
        Failure::Status {
            status,
            retry_after,
            message,
        } => match status {
            404 | 410 => ActionError::UnknownTarget,
            401 | 403 | 405 | 406 | 415 | 429 | 501 => {
                ActionError::NotDone(status_error(status, retry_after, message))
            }
            // Mostly 400 and 409: the state of the job does not allow it, or it is locked.
            400..=499 => ActionError::Refused(message),
            _ => ActionError::OutcomeUnknown(status_error(status, retry_after, message)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_that_carries_an_error_is_a_refusal() {
        let of = |json: &str| {
            read_outcome(&Body {
                bytes: json.as_bytes().to_vec(),
                html: false,
                json: true,
                cut: false,
            })
        };
        assert_eq!(of(r#"{"id":"a","url":"/x"}"#), Ok(()));
        assert_eq!(of(""), Ok(()));
        for json in [
            r#"{"isError":true,"message":"locked"}"#,
            r#"{"error":"true","messages":["locked"]}"#,
            r#"{"failedResourceResponses":[{"message":"locked"}]}"#,
        ] {
            assert_eq!(
                of(json),
                Err(ActionError::Refused("locked".into())),
                "{json}"
            );
        }
        assert!(matches!(of("{\"id\""), Err(ActionError::OutcomeUnknown(_))));
    }
}
