//! The tools: their names, who may call them, what they take.

use std::sync::Arc;

use resync_auth::{Permission, Principal};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// What a tool gave.
pub(super) struct Called {
    /// The whole of it.
    pub(super) value: Value,
    /// The same in words, where words are better.
    pub(super) text: Option<String>,
    /// There is text of logs, documents or the engine in it.
    pub(super) untrusted: bool,
}

/// One tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ask,
    PlanSummary,
    JobList,
    JobStatus,
    JobLog,
    JobDiagnose,
    JobDependencies,
    Impact,
    HistoryTrend,
    WorkstationStatus,
    SearchKnowledge,
    PreviewAction,
    ExecuteAction,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Ask,
        Self::PlanSummary,
        Self::JobList,
        Self::JobStatus,
        Self::JobLog,
        Self::JobDiagnose,
        Self::JobDependencies,
        Self::Impact,
        Self::HistoryTrend,
        Self::WorkstationStatus,
        Self::SearchKnowledge,
        Self::PreviewAction,
        Self::ExecuteAction,
    ];

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::PlanSummary => "plan_summary",
            Self::JobList => "job_list",
            Self::JobStatus => "job_status",
            Self::JobLog => "job_log",
            Self::JobDiagnose => "job_diagnose",
            Self::JobDependencies => "job_dependencies",
            Self::Impact => "impact",
            Self::HistoryTrend => "history_trend",
            Self::WorkstationStatus => "workstation_status",
            Self::SearchKnowledge => "search_knowledge",
            Self::PreviewAction => "preview_action",
            Self::ExecuteAction => "execute_action",
        }
    }

    /// Who may call it.
    pub(super) fn needs(self) -> Permission {
        match self {
            Self::Ask => Permission::Chat,
            Self::SearchKnowledge => Permission::ReadKnowledge,
            Self::PreviewAction | Self::ExecuteAction => Permission::ProposeActions,
            Self::PlanSummary
            | Self::JobList
            | Self::JobStatus
            | Self::JobLog
            | Self::JobDiagnose
            | Self::JobDependencies
            | Self::Impact
            | Self::HistoryTrend
            | Self::WorkstationStatus => Permission::ReadPlan,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Ask => {
                "Ask Resync in English or Portuguese. The answer names its sources, with links."
            }
            Self::PlanSummary => {
                "The plan at a glance: jobs by state, root failures with their victims, late and stuck \
                 jobs, workstations that are off."
            }
            Self::JobList => {
                "Jobs of the plan by status, name, stream, workstation or planned time, or those that are \
                 late, stuck or long-running."
            }
            Self::JobStatus => "One job: its state, its runs, its times, and why it waits.",
            Self::JobLog => {
                "Lines of a run's log; with search, the lines that match are told. Secrets are taken out."
            }
            Self::JobDiagnose => {
                "Why a job failed: cause (confirmed, likely or unknown), evidence, what is missing, next steps."
            }
            Self::JobDependencies => {
                "What a job waits for, or what waits for it, to a depth of 10."
            }
            Self::Impact => "Which jobs a job holds up, and which deadlines fall.",
            Self::HistoryTrend => {
                "The runs of a job that were seen, how long they took, how many failed."
            }
            Self::WorkstationStatus => {
                "One workstation, or all of them: linked, running, limit, fence."
            }
            Self::SearchKnowledge => {
                "Search the company's runbooks and manuals; each hit has its document, section and lines."
            }
            Self::PreviewAction => {
                "Prepare an action on a job and see what it would mean for others. Nothing is done: a person \
                 with the right confirms it in Resync, by the link, within five minutes."
            }
            Self::ExecuteAction => {
                "What came of a prepared action. It runs only when a person confirms it in Resync; until then \
                 this says so and gives the link to hand to them."
            }
        }
    }

    fn input(self) -> Value {
        let engine = json!({"type": "string", "description": "The engine's name; the first one when absent."});
        let job = json!({"type": "string", "description": "The job's name, `STREAM.JOB`, `WORKSTATION#STREAM.JOB`, or its id."});
        let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "description": "Items at most; 20 when absent."});
        match self {
            Self::Ask => schema(
                &json!({
                    "question": {"type": "string", "description": "The question, at most 4000 characters."},
                    "session_id": {"type": "string", "description": "The conversation to go on with, from the answer before."},
                    "engine": engine,
                }),
                &["question"],
            ),
            Self::PlanSummary => schema(&json!({"engine": engine}), &[]),
            Self::JobList => schema(
                &json!({
                    "status": {"type": "array", "items": {"type": "string"}, "description": "Any of these, such as ABEND, EXEC, HOLD, READY, SUCC."},
                    "only": {"type": "string", "enum": ["late", "stuck", "long_running"], "description": "Those alone; the other filters do not count then."},
                    "job": {"type": "string", "description": "The job's name; `*` and `?` are wildcards."},
                    "stream": {"type": "string", "description": "The stream's name; `*` and `?` are wildcards."},
                    "workstation": {"type": "string", "description": "The workstation's name; `*` and `?` are wildcards."},
                    "since": {"type": "string", "format": "date-time", "description": "Planned at this time or later."},
                    "until": {"type": "string", "format": "date-time", "description": "Planned before this time."},
                    "limit": limit,
                    "engine": engine,
                }),
                &[],
            ),
            Self::JobStatus | Self::JobDiagnose | Self::Impact => {
                schema(&json!({"job": job, "engine": engine}), &["job"])
            }
            Self::JobLog => schema(
                &json!({
                    "job": job,
                    "run": {"type": "string", "description": "The run's id; the latest when absent."},
                    "from": {"type": "integer", "minimum": 1, "description": "The first line; the last lines when absent."},
                    "lines": {"type": "integer", "minimum": 1, "maximum": 500, "description": "Lines at most; 100 when absent."},
                    "search": {"type": "string", "description": "Text to look for in the whole log."},
                    "engine": engine,
                }),
                &["job"],
            ),
            Self::JobDependencies => schema(
                &json!({
                    "job": job,
                    "direction": {"type": "string", "enum": ["predecessors", "successors", "both"]},
                    "depth": {"type": "integer", "minimum": 1, "maximum": 10, "description": "1 when absent."},
                    "engine": engine,
                }),
                &["job"],
            ),
            Self::HistoryTrend => schema(
                &json!({"job": job, "limit": limit, "engine": engine}),
                &["job"],
            ),
            Self::WorkstationStatus => schema(
                &json!({
                    "workstation": {"type": "string", "description": "Its name; all of them when absent."},
                    "engine": engine,
                }),
                &[],
            ),
            Self::SearchKnowledge => schema(
                &json!({
                    "query": {"type": "string", "description": "What to look for, in either language."},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 20, "description": "Hits at most; 5 when absent."},
                    "collection": {"type": "string", "description": "Only documents of this collection."},
                }),
                &["query"],
            ),
            Self::PreviewAction => schema(
                &json!({
                    "action": {"type": "string", "enum": ["rerun", "hold", "release", "cancel", "kill", "confirm", "priority"]},
                    "job": job,
                    "reason": {"type": "string", "description": "Why, 1 to 500 characters; it goes to the engine's audit."},
                    "ticket": {"type": "string", "description": "A ticket number."},
                    "status": {"type": "string", "enum": ["succ", "abend"], "description": "For confirm."},
                    "priority": {"type": "integer", "minimum": 0, "maximum": 101, "description": "For priority."},
                    "engine": engine,
                }),
                &["action", "job", "reason"],
            ),
            Self::ExecuteAction => schema(
                &json!({"proposal_id": {"type": "string", "description": "From preview_action."}}),
                &["proposal_id"],
            ),
        }
    }

    fn tool(self) -> Tool {
        let Value::Object(schema) = self.input() else {
            return Tool::new(self.name(), self.description(), Arc::new(JsonObject::new()));
        };
        // Neither of the last two changes the plan: one writes down what could be done, the other
        // tells what was.
        let annotations = ToolAnnotations::new()
            .read_only(self != Self::PreviewAction)
            .destructive(false)
            .idempotent(self != Self::PreviewAction && self != Self::Ask)
            .open_world(false);
        Tool::new(self.name(), self.description(), Arc::new(schema)).with_annotations(annotations)
    }
}

fn schema(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    })
}

/// What that principal may call.
pub(super) fn listed(principal: &Principal) -> Vec<Tool> {
    Kind::ALL
        .into_iter()
        .filter(|kind| principal.can(kind.needs()))
        .map(Kind::tool)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_found_by_its_own_name_and_takes_an_object() {
        for kind in Kind::ALL {
            assert_eq!(Kind::find(kind.name()), Some(kind));
            let tool = kind.tool();
            assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
            let properties = tool.input_schema["properties"].as_object().unwrap();
            for name in tool.input_schema["required"].as_array().unwrap() {
                assert!(properties.contains_key(name.as_str().unwrap()));
            }
        }
        assert_eq!(Kind::find("act"), None);
    }
}
