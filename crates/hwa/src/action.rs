//! Actions on one job, sent once.
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
use resync_tws::model::{Action, Command, ConfirmOutcome, Justification, Target};
use resync_tws::ports::{ActionError, ActionGateway, GatewayError};
use serde::Deserialize;

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
        let mut call = call_of(command)?;
        let mut add = |name: &'static str, text: &str| -> Result<(), ActionError> {
            call.headers.push((
                reqwest::header::HeaderName::from_static(name),
                encode::header_value(text).ok_or_else(|| {
                    ActionError::NotDone(GatewayError::Rejected(
                        "the reason cannot be sent as a header".into(),
                    ))
                })?,
            ));
            Ok(())
        };
        add("justification-category", &why.category)?;
        add("justification-description", &why.reason)?;
        if let Some(ticket) = &why.ticket {
            add("justification-ticket-num", ticket)?;
        }
        match self.transport.write(call, Bytes::up_to(JSON_CAP)).await {
            Ok(body) => read_outcome(&body),
            Err(failure) => Err(outcome_of(failure)),
        }
    }
}

fn call_of(command: &Command) -> Result<Call, ActionError> {
    let Target::Job(job) = &command.target else {
        return Err(ActionError::NotDone(GatewayError::Unsupported));
    };
    let job = segment(job.as_str()).ok_or(ActionError::UnknownTarget)?;
    let plain = |word: &str| Call::put(format!("/plan/job/{job}/action/{word}"));
    Ok(match command.action {
        Action::Rerun(_) => {
            let run = command.run.as_ref().ok_or_else(|| {
                ActionError::NotDone(GatewayError::Rejected(
                    "a job without a run cannot be run again".into(),
                ))
            })?;
            let run = segment(run.as_str()).ok_or(ActionError::UnknownTarget)?;
            Call {
                json: Some("{}".to_owned()),
                ..Call::put(format!("/plan/job/run/{run}/action/rerun"))
            }
        }
        Action::Hold => plain("hold"),
        Action::Release => plain("release"),
        Action::Cancel => plain("cancel"),
        Action::Kill => plain("kill"),
        Action::Confirm { status } => Call {
            json: Some(r#"{"conditions":[]}"#.to_owned()),
            ..plain(match status {
                ConfirmOutcome::Succ => "confirm-succ",
                ConfirmOutcome::Abend => "confirm-abend",
            })
        },
        Action::Priority { priority } => plain("update-priority").query("priority", priority.get()),
        Action::ReleaseDependencies
        | Action::Reply { .. }
        | Action::Link
        | Action::Unlink
        | Action::Start
        | Action::Stop
        | Action::Limit { .. }
        | Action::Fence { .. }
        | Action::Quantity { .. } => {
            return Err(ActionError::NotDone(GatewayError::Unsupported));
        }
    })
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

fn read_outcome(body: &Body) -> Result<(), ActionError> {
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

fn outcome_of(failure: Failure) -> ActionError {
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
