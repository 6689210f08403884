//! The fields that queries may name, with their types.

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Text,
    Number,
    Bool,
    Instant,
    Duration,
    /// A text out of a closed list.
    Enum(&'static [&'static str]),
}

/// The fields of one sort of object.
#[derive(Debug)]
pub(crate) struct Schema(&'static [(&'static str, Kind)]);

impl Schema {
    pub(crate) fn find(&self, name: &str) -> Option<(&'static str, Kind)> {
        self.0.iter().copied().find(|(known, _)| *known == name)
    }
}

use Kind::{Bool, Duration, Enum, Instant, Number, Text};

const JOB_STATUS: Kind = Enum(&[
    "HOLD",
    "READY",
    "FENCE",
    "INTRO",
    "FAIL",
    "EXEC",
    "WAIT",
    "SUPPR",
    "END",
    "SUCC",
    "SUCCP",
    "ABEND",
    "CANCL",
    "CANCLP",
    "ABENP",
    "PEND",
    "SUSP",
    "STUCK",
    "EXTRN",
    "INTRPT",
    "COMPLT",
    "ERROR",
    "PENDPRED",
    "STARTED",
    "UNDCDED",
    "ARRVING",
    "NONREPPRED",
]);

const STREAM_STATUS: Kind = Enum(&[
    "READY",
    "HOLD",
    "EXEC",
    "ABEND",
    "CANCL",
    "CANCLP",
    "SUCC",
    "UNKNOWN",
    "ADD",
    "FAIL",
    "WAIT",
    "INTRO",
    "ABENP",
    "SUCCP",
    "SUSP",
    "STUCK",
    "PEND",
    "BOUND",
    "SUPPR",
    "EXTRN",
    "COMPLETE",
    "DELETED",
    "ERROR",
    "PENDINGPRED",
    "STARTED",
    "UNDECIDED",
    "WAITFORINPUT",
    "INTERRUPTED",
    "NONREPORTINGPRED",
    "SUPPRBYCOND",
]);

/// Both spellings of success are taken.
const COMMON_STATUS: Kind = Enum(&[
    "WAITING",
    "WAITING_FOR_TRIGGER",
    "READY",
    "READY_PREV_WS_NONREP",
    "COMPLETED",
    "SUPPRESS_BY_COND",
    "INTERRUPTED",
    "DUMMY_COMPLETED",
    "RUNNING",
    "SUCCESSFUL",
    "SUCCEED",
    "ERROR",
    "CANCELED",
    "HELD",
    "UNDECIDED",
    "BLOCKED",
    "SUPPRESS",
]);

const DEPENDENCY_STATUS: Kind = Enum(&["SATISFIED", "UNSATISFIED", "UNDECIDED", "UNBOUND"]);

/// Jobs of the plan.
pub(crate) static JOB: Schema = Schema(&[
    ("id", Text),
    ("persistentId", Text),
    ("planId", Text),
    ("key", Text),
    ("name", Text),
    ("folder", Text),
    ("folderId", Text),
    ("workstation", Text),
    ("workstationId", Text),
    ("jobStreamId", Text),
    ("jobStreamName", Text),
    ("jobStreamWorkstation", Text),
    ("position", Number),
    ("priority", Number),
    ("origPriority", Number),
    ("schedTime", Instant),
    ("lastRunCommonStatus", COMMON_STATUS),
    ("lastRunCompositeStatus.status", JOB_STATUS),
    ("lastRunCompositeStatus.substatus", Text),
    ("lastRunCompositeStatus.canceled", Bool),
    ("jobruns.id", Text),
    ("jobruns.compositeStatus.status", JOB_STATUS),
    ("jobruns.compositeStatus.canceled", Bool),
    ("jobruns.commonStatus", COMMON_STATUS),
    ("jobruns.returnCode", Number),
    ("jobruns.jobNumber", Number),
    (
        "jobruns.rerunType",
        Enum(&[
            "RERUN",
            "RECOVERY_RERUN",
            "RERUN_EVERY",
            "RERUN_FROM",
            "RECOVERY",
            "REGULAR",
            "RERUN_STEP",
        ]),
    ),
    ("jobruns.step", Text),
    ("jobruns.actualWorkstation", Text),
    ("jobruns.timeInfo.actualStartTime", Instant),
    ("jobruns.timeInfo.actualEndTime", Instant),
    ("jobruns.elapsedTime", Duration),
    ("jobruns.maxDurationGone", Bool),
    ("jobruns.minDurationNotReached", Bool),
    ("jobOptions.critical", Bool),
    ("jobOptions.every", Bool),
    ("jobOptions.noOperation", Bool),
    ("jobOptions.requiresConfirmation", Bool),
    ("jobStatusFlags.jobLate", Bool),
    ("jobDefinition.taskType", Text),
    ("jobDefinition.userLogin", Text),
    (
        "jobDefinition.recoveryOption",
        Enum(&[
            "STOP",
            "CONTINUE",
            "CONTINUE_PROMPT",
            "RERUN",
            "RERUN_PROMPT",
        ]),
    ),
    ("timeRestrictions.startTime", Instant),
    ("timeRestrictions.deadlineTime", Instant),
    ("dependencies.jobId", Text),
    ("dependencies.jobStreamId", Text),
    ("dependencies.jobStreamName", Text),
    ("dependencies.dependencyStatus", DEPENDENCY_STATUS),
    ("dependenciesStats.numberOfPromptDependencies", Number),
    ("dependenciesStats.numberOfUnresolvedDependencies", Number),
]);

/// Job streams of the plan.
pub(crate) static STREAM: Schema = Schema(&[
    ("id", Text),
    ("persistentId", Text),
    ("planId", Text),
    ("key", Text),
    ("name", Text),
    ("originalJobStreamName", Text),
    ("aliasJobStreamName", Text),
    ("folder", Text),
    ("folderId", Text),
    ("workstation", Text),
    ("workstationId", Text),
    ("internalIdentifier", Text),
    ("schedTime", Instant),
    ("commonStatus", COMMON_STATUS),
    ("compositeStatus.status", STREAM_STATUS),
    ("compositeStatus.canceled", Bool),
    ("priority", Number),
    ("origPriority", Number),
    ("limit", Number),
    ("timeInfo.actualStartTime", Instant),
    ("timeInfo.actualEndTime", Instant),
    ("timeRestrictions.startTime", Instant),
    ("timeRestrictions.deadlineTime", Instant),
    ("jobStreamStats.numberOfJob", Number),
    ("jobStreamStats.numberOfSuccessfullJob", Number),
    ("jobStreamStats.numberOfExecutingJob", Number),
    ("jobStreamStats.numberOfAbendedJob", Number),
    ("jobStreamStats.numberOfFailedJob", Number),
    ("jobStreamStats.numberOfNotRunningJob", Number),
    ("dependencies.jobId", Text),
    ("dependencies.jobStreamId", Text),
    ("dependencies.jobStreamName", Text),
    ("dependencies.dependencyStatus", DEPENDENCY_STATUS),
    ("dependenciesStats.numberOfPromptDependencies", Number),
    ("jsOptions.monitored", Bool),
    ("jsDefinitionFlags.carriedForward", Bool),
    ("pendingPredecessor", Bool),
]);

/// Workstations of the plan.
pub(crate) static STATION: Schema = Schema(&[
    ("id", Text),
    ("key", Text),
    ("name", Text),
    ("folder", Text),
    (
        "type",
        Enum(&[
            "AGENT",
            "POOL",
            "D-POOL",
            "REM-ENG",
            "MANAGER",
            "FTA",
            "X-AGENT",
            "S-AGENT",
            "WORKLOAD_BROKER",
            "DOMAIN_MANAGER",
        ]),
    ),
    ("domainName", Text),
    ("activeStates", Text),
    ("jobmanUp", Bool),
]);

/// Resources of the plan.
pub(crate) static RESOURCE: Schema = Schema(&[
    ("id", Text),
    ("key", Text),
    ("name", Text),
    ("folder", Text),
    ("workstation", Text),
    ("quantity", Number),
    ("quantityInUse", Number),
    ("quantityAvailable", Number),
    ("status", Enum(&["AVAILABLE", "NOT_AVAILABLE", "UNDECIDED"])),
]);

/// Prompts of the plan.
pub(crate) static PROMPT: Schema = Schema(&[
    ("id", Text),
    ("name", Text),
    ("folder", Text),
    ("text", Text),
    (
        "status",
        Enum(&["NOT_ASKED", "ASKED", "ANSWERED_YES", "ANSWERED_NO"]),
    ),
    ("number", Number),
    ("jobId", Text),
    ("jobStreamId", Text),
]);

/// Folders, for counts.
pub(crate) static FOLDER: Schema = Schema(&[
    ("folder", Text),
    ("folderId", Text),
    ("parent", Text),
    ("parentId", Text),
]);

/// Definitions of any sort.
pub(crate) static MODEL: Schema = Schema(&[
    ("id", Text),
    ("name", Text),
    ("folder", Text),
    ("folderId", Text),
    ("key", Text),
    ("workstation", Text),
    ("description", Text),
    ("type", Text),
    ("taskType", Text),
]);
