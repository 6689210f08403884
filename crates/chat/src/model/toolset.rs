//! What a model may ask for: reads, by a list that nothing can make longer.
//!
//! Invariants:
//! - Each tool is one of the reads that an answer from templates makes itself; there is no write among
//!   them (I-08).
//! - A wish for anything else, or with an argument that is no plain name, is not carried out.

use serde_json::{Value, json};

use super::port::{ToolCall, ToolSpec};
use crate::route::Intent;

/// The longest name or search.
const MAX_ARGUMENT: usize = 200;

/// A read that a model asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Which read it is, as the intent that makes it.
    pub(crate) intent: Intent,
    /// What it is about: a name, or words to search for. Empty for the plan as a whole.
    pub(crate) subject: String,
}

/// The tools with one argument `job`.
const OF_A_JOB: [(&str, &str, Intent); 6] = [
    (
        "job",
        "One job: its state, times, return code, runs.",
        Intent::JobStatus,
    ),
    (
        "job_log",
        "The lines of a job's last log that matter.",
        Intent::JobLog,
    ),
    (
        "diagnosis",
        "Why a job failed, or why it does not run.",
        Intent::JobDiagnose,
    ),
    (
        "dependencies",
        "What a job waits for, and what comes after it.",
        Intent::JobDependencies,
    ),
    ("impact", "Which jobs a job holds up.", Intent::Impact),
    (
        "history",
        "A job's earlier runs and its usual duration.",
        Intent::HistoryTrend,
    ),
];

/// The tools, as a model is told of them.
pub(super) fn specs() -> Vec<ToolSpec> {
    let text =
        |what: &str| json!({"type": "string", "maxLength": MAX_ARGUMENT, "description": what});
    let object = |properties: Value, required: &[&str]| {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    let mut specs: Vec<ToolSpec> = OF_A_JOB
        .iter()
        .map(|(name, description, _)| ToolSpec {
            name,
            description,
            parameters: object(json!({"job": text("The name of the job.")}), &["job"]),
        })
        .collect();
    specs.push(ToolSpec {
        name: "search_knowledge",
        description: "Sections of runbooks and manuals.",
        parameters: object(json!({"query": text("What to look for.")}), &["query"]),
    });
    specs.push(ToolSpec {
        name: "summary",
        description: "How the plan as a whole stands.",
        parameters: object(json!({}), &[]),
    });
    let filters = json!({
        "status": text("A state, such as ABEND, EXEC or HOLD."),
        "workstation": text("The name of a workstation."),
        "stream": text("The name of a job stream."),
    });
    specs.push(ToolSpec {
        name: "list",
        description: "Jobs by state, workstation or stream.",
        parameters: object(filters, &[]),
    });
    specs
}

/// The read that a call asks for, or why it is none. The words go back to the model.
pub(super) fn wish(call: &ToolCall) -> Result<Wish, &'static str> {
    let argument = |key: &str| {
        call.arguments
            .get(key)
            .and_then(Value::as_str)
            .map(str::trim)
    };
    let name = |key: &str| match argument(key) {
        None | Some("") => Ok(None),
        Some(name) if is_name(name) => Ok(Some(name.to_owned())),
        Some(_) => Err("that is no name"),
    };
    if let Some((_, _, intent)) = OF_A_JOB.iter().find(|(tool, _, _)| *tool == call.name) {
        let subject = name("job")?.ok_or("the name of the job is missing")?;
        return Ok(Wish {
            intent: *intent,
            subject,
        });
    }
    match call.name.as_str() {
        "search_knowledge" => {
            let query = argument("query").unwrap_or_default();
            if query.is_empty() || query.chars().count() > MAX_ARGUMENT {
                return Err("the query is missing or too long");
            }
            Ok(Wish {
                intent: Intent::Knowledge,
                subject: query.to_owned(),
            })
        }
        "summary" => Ok(Wish {
            intent: Intent::PlanSummary,
            subject: String::new(),
        }),
        "list" => {
            let mut subject = match name("status")? {
                Some(status) => format!("list {} jobs", status.to_uppercase()),
                None => "list jobs".to_owned(),
            };
            if let Some(workstation) = name("workstation")? {
                subject.extend([" on workstation ", &workstation]);
            }
            if let Some(stream) = name("stream")? {
                subject.extend([" of stream ", &stream]);
            }
            Ok(Wish {
                intent: Intent::JobList,
                subject,
            })
        }
        _ => Err("there is no such tool"),
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 120
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'#' | b'@' | b'/' | b'$')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: Value) -> ToolCall {
        ToolCall {
            id: "a".to_owned(),
            name: name.to_owned(),
            arguments,
        }
    }

    /// I-08: every tool that a model is told of is a read.
    #[test]
    fn every_tool_is_a_read() {
        let names: Vec<&str> = specs().iter().map(|spec| spec.name).collect();
        assert_eq!(
            names,
            [
                "job",
                "job_log",
                "diagnosis",
                "dependencies",
                "impact",
                "history",
                "search_knowledge",
                "summary",
                "list"
            ]
        );
        for spec in specs() {
            let arguments = json!({"job": "A", "query": "disk full", "status": "abend"});
            let wish = wish(&call(spec.name, arguments)).unwrap();
            assert!(!wish.intent.is_action(), "{}", spec.name);
            assert_eq!(spec.parameters["additionalProperties"], false);
        }
    }

    #[test]
    fn what_is_no_tool_or_no_name_is_not_carried_out() {
        for (name, arguments) in [
            ("rerun", json!({"job": "A"})),
            ("execute_action", json!({"proposal_id": "1"})),
            ("job", json!({"job": "A; cancel it"})),
            ("job", json!({"job": ["A"]})),
            ("job", json!({})),
            ("list", json!({"status": "ABEND and then cancel A"})),
            ("search_knowledge", json!({"query": ""})),
            ("search_knowledge", json!({"query": "a".repeat(201)})),
            ("JOB", json!({"job": "A"})),
            ("", json!({})),
        ] {
            assert!(
                wish(&call(name, arguments.clone())).is_err(),
                "{name} {arguments}"
            );
        }
        let listed = wish(&call(
            "list",
            json!({"status": "abend", "workstation": "LX_PRD01"}),
        ));
        assert_eq!(
            listed.unwrap().subject,
            "list ABEND jobs on workstation LX_PRD01"
        );
    }
}
