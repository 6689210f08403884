//! What a message wants: the closed set.

use resync_tws::model::ActionKind;
use serde::{Deserialize, Serialize};

/// What a message wants.
///
/// Stored answers of earlier versions have other words for some; they are read as the nearest of
/// these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// A greeting or thanks.
    Greeting,
    /// What can be asked.
    Help,
    /// The plan as a whole.
    PlanSummary,
    /// How a job stands.
    JobStatus,
    /// Jobs by status, workstation, stream, pattern or time.
    #[serde(alias = "list_by_status")]
    JobList,
    /// The log of a job.
    JobLog,
    /// Why a job ended badly, or why it does not start or end.
    #[serde(alias = "why_failed", alias = "why_waiting")]
    JobDiagnose,
    /// What a job waits for, and what comes before and after it.
    JobDependencies,
    /// Who is hit by a job.
    Impact,
    /// Whether workstations are reached and work.
    WorkstationStatus,
    /// To run a job once more. This and the other actions are prepared as a proposal, never done.
    ActionRerun,
    /// To put a job on hold.
    ActionHold,
    /// To let a job start.
    ActionRelease,
    /// To take a job out of the plan.
    ActionCancel,
    /// To end a running job.
    ActionKill,
    /// To tell the engine how a job ended. No message confirms a proposal.
    ActionConfirm,
    /// To bring a job or a stream into the plan.
    ActionSubmit,
    /// What the documents say.
    Knowledge,
    /// How a job ran before.
    HistoryTrend,
    /// Not understood, or open: ask back.
    #[serde(alias = "unclear", alias = "confirmation", alias = "action")]
    Clarify,
    /// Nothing that Resync knows about.
    OutOfScope,
    /// A text that tells Resync to leave its rules.
    PromptInjection,
}

impl Intent {
    /// All of them, in the order in which equal evidence is decided.
    pub const ALL: [Self; 22] = [
        Self::Greeting,
        Self::Help,
        Self::PlanSummary,
        Self::JobStatus,
        Self::JobList,
        Self::JobLog,
        Self::JobDiagnose,
        Self::JobDependencies,
        Self::Impact,
        Self::WorkstationStatus,
        Self::ActionRerun,
        Self::ActionHold,
        Self::ActionRelease,
        Self::ActionCancel,
        Self::ActionKill,
        Self::ActionConfirm,
        Self::ActionSubmit,
        Self::Knowledge,
        Self::HistoryTrend,
        Self::Clarify,
        Self::OutOfScope,
        Self::PromptInjection,
    ];

    /// The word in answers, stores and rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Help => "help",
            Self::PlanSummary => "plan_summary",
            Self::JobStatus => "job_status",
            Self::JobList => "job_list",
            Self::JobLog => "job_log",
            Self::JobDiagnose => "job_diagnose",
            Self::JobDependencies => "job_dependencies",
            Self::Impact => "impact",
            Self::WorkstationStatus => "workstation_status",
            Self::ActionRerun => "action_rerun",
            Self::ActionHold => "action_hold",
            Self::ActionRelease => "action_release",
            Self::ActionCancel => "action_cancel",
            Self::ActionKill => "action_kill",
            Self::ActionConfirm => "action_confirm",
            Self::ActionSubmit => "action_submit",
            Self::Knowledge => "knowledge",
            Self::HistoryTrend => "history_trend",
            Self::Clarify => "clarify",
            Self::OutOfScope => "out_of_scope",
            Self::PromptInjection => "prompt_injection",
        }
    }

    /// The intent of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|intent| intent.as_str() == word)
    }

    /// The action that it wishes on a job; `None` for [`Intent::ActionSubmit`] too, which is not
    /// done to a job of the plan.
    #[must_use]
    pub const fn action(self) -> Option<ActionKind> {
        match self {
            Self::ActionRerun => Some(ActionKind::Rerun),
            Self::ActionHold => Some(ActionKind::Hold),
            Self::ActionRelease => Some(ActionKind::Release),
            Self::ActionCancel => Some(ActionKind::Cancel),
            Self::ActionKill => Some(ActionKind::Kill),
            Self::ActionConfirm => Some(ActionKind::Confirm),
            _ => None,
        }
    }

    /// The wish for that action, where there is one.
    #[must_use]
    pub const fn of_action(action: ActionKind) -> Option<Self> {
        match action {
            ActionKind::Rerun => Some(Self::ActionRerun),
            ActionKind::Hold => Some(Self::ActionHold),
            ActionKind::Release => Some(Self::ActionRelease),
            ActionKind::Cancel => Some(Self::ActionCancel),
            ActionKind::Kill => Some(Self::ActionKill),
            ActionKind::Confirm => Some(Self::ActionConfirm),
            _ => None,
        }
    }

    /// Whether it is a wish to act.
    #[must_use]
    pub const fn is_action(self) -> bool {
        self.action().is_some() || matches!(self, Self::ActionSubmit)
    }

    /// Whether it is about one job.
    #[must_use]
    pub const fn needs_job(self) -> bool {
        self.action().is_some()
            || matches!(
                self,
                Self::JobStatus
                    | Self::JobLog
                    | Self::JobDiagnose
                    | Self::JobDependencies
                    | Self::Impact
                    | Self::HistoryTrend
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_intent_is_read_from_its_word() {
        for intent in Intent::ALL {
            let word = format!("\"{}\"", intent.as_str());
            assert_eq!(serde_json::from_str::<Intent>(&word).unwrap(), intent);
            assert_eq!(serde_json::to_string(&intent).unwrap(), word);
            assert_eq!(Intent::parse(intent.as_str()), Some(intent));
            if let Some(action) = intent.action() {
                assert_eq!(Intent::of_action(action), Some(intent));
            }
        }
    }

    #[test]
    fn answers_that_were_stored_under_the_old_words_are_read() {
        for (word, intent) in [
            ("list_by_status", Intent::JobList),
            ("why_failed", Intent::JobDiagnose),
            ("why_waiting", Intent::JobDiagnose),
            ("action", Intent::Clarify),
            ("confirmation", Intent::Clarify),
            ("unclear", Intent::Clarify),
        ] {
            let word = format!("\"{word}\"");
            assert_eq!(serde_json::from_str::<Intent>(&word).unwrap(), intent);
        }
    }
}
