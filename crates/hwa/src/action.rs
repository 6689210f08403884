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
use reqwest::header::HeaderValue;
use resync_tws::model::{Action, Command, ConfirmOutcome, Justification};
use resync_tws::ports::{ActionError, ActionGateway, GatewayError};
use serde::Deserialize;

use crate::HwaClient;
use crate::message;
use crate::transport::{Body, Call, Failure, JSON_CAP, segment, status_error};
use crate::wire::{List, Object, Scalar};

/// The longest header value, in bytes: servers of engines take about 8 kB for all headers.
const MAX_HEADER: usize = 2_000;

#[async_trait]
impl ActionGateway for HwaClient {
    async fn act(&self, command: &Command, why: &Justification) -> Result<(), ActionError> {
        let mut call = call_of(command)?;
        let mut add = |name: &'static str, text: &str| -> Result<(), ActionError> {
            call.headers.push((
                reqwest::header::HeaderName::from_static(name),
                header_value(text).ok_or_else(|| {
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
        match self.transport.send(call, JSON_CAP, false).await {
            Ok(body) => read_outcome(body),
            Err(failure) => Err(outcome_of(failure)),
        }
    }
}

fn call_of(command: &Command) -> Result<Call, ActionError> {
    let job = segment(command.job.as_str()).ok_or(ActionError::UnknownJob)?;
    let plain = |word: &str| Call::put(format!("/plan/job/{job}/action/{word}"));
    Ok(match command.action {
        Action::Rerun => {
            let run = command.run.as_ref().ok_or_else(|| {
                ActionError::NotDone(GatewayError::Rejected(
                    "a job without a run cannot be run again".into(),
                ))
            })?;
            let run = segment(run.as_str()).ok_or(ActionError::UnknownJob)?;
            Call {
                json: Some("{}"),
                ..Call::put(format!("/plan/job/run/{run}/action/rerun"))
            }
        }
        Action::Hold => plain("hold"),
        Action::Release => plain("release"),
        Action::Cancel => plain("cancel"),
        Action::Kill => plain("kill"),
        Action::Confirm { status } => Call {
            json: Some(r#"{"conditions":[]}"#),
            ..plain(match status {
                ConfirmOutcome::Succ => "confirm-succ",
                ConfirmOutcome::Abend => "confirm-abend",
            })
        },
        Action::Priority { priority } => plain("update-priority").query("priority", priority.get()),
    })
}

/// Text as a header value: visible ASCII and inner blanks as they are, everything else as an extended
/// value of RFC 8187 (`UTF-8''Caf%C3%A9`), which tells its own encoding. Cut to 2000 bytes.
fn header_value(text: &str) -> Option<HeaderValue> {
    const PREFIX: &str = "UTF-8''";
    let text = text.trim();
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) && !text.starts_with(PREFIX);
    let mut value = String::new();
    if !plain {
        value.push_str(PREFIX);
    }
    for c in text.chars() {
        let mut piece = String::new();
        if plain || c.is_ascii_alphanumeric() || "!#$&+-.^_`|~".contains(c) {
            piece.push(c);
        } else {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                piece.push_str(&format!("%{byte:02X}"));
            }
        }
        if value.len() + piece.len() > MAX_HEADER {
            break;
        }
        value.push_str(&piece);
    }
    HeaderValue::from_str(value.trim_end()).ok()
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

fn read_outcome(body: Body) -> Result<(), ActionError> {
    // Accepted without a word: 204, or a 200 whose document promises a body but does not need one.
    if body.bytes.trim_ascii().is_empty() && !body.html {
        return Ok(());
    }
    let outcome: WireOutcome = body.read().map_err(ActionError::OutcomeUnknown)?;
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
        Failure::Unanswered(error) => ActionError::OutcomeUnknown(error),
        Failure::Status {
            status,
            retry_after,
            message,
        } => match status {
            404 | 410 => ActionError::UnknownJob,
            400 | 409 | 412 | 422 | 423 => ActionError::Refused(message),
            401 | 403 | 405 | 406 | 415 | 429 | 501 => {
                ActionError::NotDone(status_error(status, retry_after, message))
            }
            400..=499 => ActionError::Refused(message),
            _ => ActionError::OutcomeUnknown(status_error(status, retry_after, message)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> String {
        header_value(text).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_reason_in_ascii_is_sent_as_it_is() {
        assert_eq!(
            value(" Rerun after fix, see INC-1 (50%) "),
            "Rerun after fix, see INC-1 (50%)"
        );
    }

    #[test]
    fn a_reason_with_other_letters_tells_its_encoding() {
        assert_eq!(value("Reinício"), "UTF-8''Rein%C3%ADcio");
        assert_eq!(value("a\r\nX: y"), "UTF-8''a%0D%0AX%3A%20y");
        // A text that only looks encoded is encoded, so that it reads back as itself.
        assert_eq!(value("UTF-8''x"), "UTF-8''UTF-8%27%27x");
    }

    proptest! {
        /// No reason can end its header or begin another one.
        #[test]
        fn no_reason_leaves_its_header(text in any::<String>()) {
            let value = value(&text);
            prop_assert!(value.len() <= MAX_HEADER);
            prop_assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
        }
    }

    #[test]
    fn a_yes_that_carries_an_error_is_a_refusal() {
        let of = |json: &str| {
            read_outcome(Body {
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
