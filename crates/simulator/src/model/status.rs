//! Statuses of jobs and streams, and why a run exists.

/// A job's status, as the wire spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Status {
    Hold,
    Ready,
    Fence,
    Intro,
    /// Handed to an access method, not yet running.
    Wait,
    Exec,
    /// Running, and confirmed as good or bad beforehand.
    Succp,
    Abenp,
    Succ,
    Abend,
    Fail,
    Pend,
    Suppr,
}

impl Status {
    pub(crate) const ALL: [Self; 13] = [
        Self::Hold,
        Self::Ready,
        Self::Fence,
        Self::Intro,
        Self::Wait,
        Self::Exec,
        Self::Succp,
        Self::Abenp,
        Self::Succ,
        Self::Abend,
        Self::Fail,
        Self::Pend,
        Self::Suppr,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Hold => "HOLD",
            Self::Ready => "READY",
            Self::Fence => "FENCE",
            Self::Intro => "INTRO",
            Self::Wait => "WAIT",
            Self::Exec => "EXEC",
            Self::Succp => "SUCCP",
            Self::Abenp => "ABENP",
            Self::Succ => "SUCC",
            Self::Abend => "ABEND",
            Self::Fail => "FAIL",
            Self::Pend => "PEND",
            Self::Suppr => "SUPPR",
        }
    }

    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succ | Self::Abend | Self::Fail | Self::Suppr)
    }

    /// Whether it holds a slot of its workstation.
    pub(crate) fn is_active(self) -> bool {
        matches!(
            self,
            Self::Intro | Self::Wait | Self::Exec | Self::Succp | Self::Abenp
        )
    }

    /// Whether it runs, confirmed beforehand or not.
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::Exec | Self::Succp | Self::Abenp)
    }

    /// Whether it has not been launched yet.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Hold | Self::Ready | Self::Fence)
    }

    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Abend | Self::Fail)
    }
}

/// A stream's status, as the wire spells it; cancelling is a flag beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamStatus {
    Hold,
    Ready,
    Exec,
    Succ,
    Abend,
    Stuck,
    Suppr,
}

impl StreamStatus {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Hold => "HOLD",
            Self::Ready => "READY",
            Self::Exec => "EXEC",
            Self::Succ => "SUCC",
            Self::Abend => "ABEND",
            Self::Stuck => "STUCK",
            Self::Suppr => "SUPPR",
        }
    }

    /// Whether the day's edge leaves it behind.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succ | Self::Abend | Self::Suppr)
    }
}

/// Why a run exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunKind {
    Regular,
    Rerun,
    /// Another definition runs in the job's place.
    RerunFrom,
    /// Begins at a step.
    RerunStep,
    Every,
    /// The recovery job's own run.
    Recovery,
    RecoveryRerun,
}

impl RunKind {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Regular => "REGULAR",
            Self::Rerun => "RERUN",
            Self::RerunFrom => "RERUN_FROM",
            Self::RerunStep => "RERUN_STEP",
            Self::Every => "RERUN_EVERY",
            Self::Recovery => "RECOVERY",
            Self::RecoveryRerun => "RECOVERY_RERUN",
        }
    }
}
