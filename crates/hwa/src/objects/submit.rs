//! Submissions, sent once; their outcomes are told as those of actions are.

use async_trait::async_trait;
use chrono::SecondsFormat;
use reqwest::Method;
use resync_tws::model::{Justification, Submission, SubmitOptions, Submitted};
use resync_tws::ports::{ActionError, SubmitGateway};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::HwaClient;
use crate::action::{justify, outcome_of, read_outcome};
use crate::body::{Bytes, JSON_CAP};
use crate::encode::segment;
use crate::transport::Call;
use crate::wire::{List, Object, Scalar};

/// `{id, url}` for a job, `{count, results[{id, url}]}` for a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireSubmitted {
    id: Scalar,
    results: List<Object<WireNew>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireNew {
    id: Scalar,
}

fn options(options: &SubmitOptions) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(alias) = &options.alias {
        body.insert("alias".to_owned(), json!(alias.as_str()));
    }
    if let Some(priority) = options.priority {
        body.insert("priority".to_owned(), json!(priority.get()));
    }
    if let Some(at) = options.scheduled_at {
        let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        body.insert("inputArrivalTime".to_owned(), json!(text));
    }
    if !options.variables.is_empty() {
        body.insert("parameters".to_owned(), json!(options.variables));
    }
    body
}

fn call_of(submission: &Submission) -> Result<Call, ActionError> {
    let definition = segment(submission.definition().as_str()).ok_or(ActionError::UnknownTarget)?;
    let mut body = options(submission.options());
    let path = match submission {
        Submission::Stream { .. } => format!("/plan/jobstream/{definition}/submit"),
        Submission::Job { stream, .. } => {
            if let Some(stream) = stream {
                body.insert("jobStreamId".to_owned(), json!(stream.as_str()));
            }
            format!("/plan/job/{definition}/submit")
        }
    };
    Ok(Call {
        method: Method::POST,
        json: Some(Value::Object(body).to_string()),
        ..Call::get(path)
    })
}

#[async_trait]
impl SubmitGateway for HwaClient {
    async fn submit(
        &self,
        submission: &Submission,
        why: &Justification,
    ) -> Result<Submitted, ActionError> {
        let call = justify(call_of(submission)?, why)?;
        let body = self
            .transport
            .write(call, Bytes::up_to(JSON_CAP))
            .await
            .map_err(outcome_of)?;
        read_outcome(&body)?;
        // Accepted; what it does not say of the new ids is found by reading the plan.
        let new: WireSubmitted = body.read().unwrap_or_default();
        let listed = new.results.into_items().into_iter().filter_map(|one| one.0);
        let ids = listed.map(|one| one.id).chain([new.id]);
        Ok(Submitted {
            ids: ids.filter_map(Scalar::into_text).collect(),
        })
    }
}
