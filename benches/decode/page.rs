//! A page of jobs as an engine sends it, and the fields of it that matter as plain structs.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

const SAMPLE: &str = include_str!("../../crates/hwa/tests/data/job.json");

/// The body of a page of so many jobs, without definitions and dependencies, as lists are asked for.
pub(crate) fn body(jobs: usize) -> Result<Vec<u8>, serde_json::Error> {
    let mut job: Value = serde_json::from_str(SAMPLE)?;
    if let Some(fields) = job.as_object_mut() {
        fields.remove("jobDefinition");
        fields.remove("dependencies");
    }
    let mut body = format!(r#"{{"count":{jobs},"results":["#).into_bytes();
    for number in 0..jobs {
        if let Some(fields) = job.as_object_mut() {
            fields.insert(
                "id".to_owned(),
                format!("a788f98b-7064-3c3b-98b1-{number:012x}").into(),
            );
            fields.insert("name".to_owned(), format!("FIN_GL_POST_{number:05}").into());
            fields.insert("priority".to_owned(), (number % 102).into());
        }
        if number > 0 {
            body.push(b',');
        }
        serde_json::to_writer(&mut body, &job)?;
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

/// The same fields as `resync_tws::model::Job` is made of, decoded strictly.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MinimalPage {
    pub(crate) count: u64,
    pub(crate) results: Vec<MinimalJob>,
}

#[expect(
    dead_code,
    reason = "what is decoded is not read; that it is decoded is the point"
)]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MinimalJob {
    id: String,
    name: String,
    folder: Option<String>,
    workstation: Option<String>,
    job_stream_id: Option<String>,
    job_stream_name: Option<String>,
    job_stream_workstation: Option<String>,
    last_run_composite_status: Option<Composite>,
    last_run_common_status: Option<String>,
    #[serde(default)]
    jobruns: Vec<Run>,
    priority: Option<u8>,
    sched_time: Option<DateTime<Utc>>,
    critical_start: Option<DateTime<Utc>>,
    time_restrictions: Option<Times>,
    job_options: Option<Options>,
    job_status_flags: Option<Flags>,
    dependencies_stats: Option<Stats>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    status: Option<String>,
    substatus: Option<String>,
    canceled: Option<bool>,
    cancel_pending: Option<bool>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    start_time: Option<DateTime<Utc>>,
    deadline_time: Option<DateTime<Utc>>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    critical: Option<bool>,
    requires_confirmation: Option<bool>,
    every: Option<bool>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flags {
    job_late: Option<bool>,
    deadline_has_passed: Option<bool>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    number_of_unresolved_dependencies: Option<u32>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: String,
    job_number: Option<u64>,
    actual_workstation: Option<String>,
    composite_status: Option<Composite>,
    common_status: Option<String>,
    return_code: Option<i32>,
    time_info: Option<RunTimes>,
    submitted_time: Option<DateTime<Utc>>,
    rerun_type: Option<String>,
    last_in_rerun_chain: Option<bool>,
    max_duration_gone: Option<bool>,
}

#[expect(dead_code, reason = "as above")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunTimes {
    estimated_duration: Option<String>,
    actual_start_time: Option<DateTime<Utc>>,
    elapsed_time: Option<String>,
    actual_end_time: Option<DateTime<Utc>>,
}
