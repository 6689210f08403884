//! Every error of the domains but `auth`, matched without `_` (P2-01).

use axum::http::StatusCode;
use resync_chat::ChatError;
use resync_kernel::CursorError;
use resync_rag::{KnowledgeError, SearchError, UploadError};
use resync_tws::ports::{AuditError, GatewayError, ProposalError, ThresholdError};
use resync_tws::{
    AttentionError, ConfirmError, EngineAdminError, FollowError, HistoryReadError, NotAllowed,
    ProposeError, ReadError, ThresholdChangeError, UnknownEngine,
};

use super::Problem;

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        Self::invalid("?cursor", error.to_string())
    }
}

impl From<UnknownEngine> for Problem {
    fn from(error: UnknownEngine) -> Self {
        match error {
            UnknownEngine::Named(_) => Self::not_found("unknown-engine", "No engine has that name"),
            UnknownEngine::NoneConfigured => {
                Self::not_found("no-engine", "No engine is configured")
                    .detail("add one under [[tws.engine]]")
            }
        }
    }
}

fn unknown_object() -> Problem {
    Problem::not_found("unknown-object", "The plan has no such object")
}

fn unknown_job() -> Problem {
    Problem::not_found("unknown-job", "The plan has no such job")
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownEngine(error) => error.into(),
            ReadError::UnknownJob(_) => unknown_job(),
            ReadError::UnknownObject(_) => unknown_object(),
            ReadError::UnknownWorkstation => {
                Self::not_found("unknown-workstation", "The plan has no such workstation")
            }
            ReadError::NoLog => Self::not_found("no-log", "The engine has no log of that run"),
            ReadError::Gateway(error) => error.into(),
            error @ (ReadError::Lost(_) | ReadError::Unwritable) => {
                Self::internal().caused_by(error)
            }
        }
    }
}

/// An engine's trouble is ours towards the client: 502, 503 or 504, never its own status (I-11).
impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        let detail = error.to_string();
        let problem = match error {
            GatewayError::Unreachable(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "upstream-unreachable",
                "The engine cannot be reached",
            ),
            GatewayError::TimedOut(_) => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "upstream-timeout",
                "The engine did not answer in time",
            ),
            GatewayError::CredentialsRefused => Self::new(
                StatusCode::BAD_GATEWAY,
                "upstream-auth",
                "The engine refused Resync's credentials",
            ),
            GatewayError::Forbidden => Self::new(
                StatusCode::BAD_GATEWAY,
                "upstream-auth",
                "The engine denies Resync's user the right",
            ),
            GatewayError::Busy { retry_after } => {
                let problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream-busy",
                    "The engine is busy",
                );
                match retry_after {
                    Some(after) => problem.retry_after(after),
                    None => problem,
                }
            }
            GatewayError::CircuitOpen { retry_after } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream-unavailable",
                "The engine is not asked for now",
            )
            .retry_after(retry_after),
            GatewayError::Rejected(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "upstream-rejected",
                "The engine did not accept the request",
            ),
            GatewayError::Unsupported => Self::new(
                StatusCode::BAD_GATEWAY,
                "upstream-unsupported",
                "The engine's release lacks this",
            ),
            GatewayError::Unreadable(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "upstream-unreadable",
                "The engine's answer cannot be read",
            ),
        };
        problem.detail(detail)
    }
}

impl From<HistoryReadError> for Problem {
    fn from(error: HistoryReadError) -> Self {
        match error {
            HistoryReadError::Read(error) => error.into(),
            error @ HistoryReadError::Store(_) => Self::unavailable(error),
        }
    }
}

impl From<AttentionError> for Problem {
    fn from(error: AttentionError) -> Self {
        match error {
            AttentionError::Read(error) => error.into(),
            error @ (AttentionError::Thresholds(_) | AttentionError::History(_)) => {
                Self::unavailable(error)
            }
        }
    }
}

impl From<ThresholdError> for Problem {
    fn from(error: ThresholdError) -> Self {
        Self::unavailable(error)
    }
}

impl From<ThresholdChangeError> for Problem {
    fn from(error: ThresholdChangeError) -> Self {
        match error {
            ThresholdChangeError::Empty => Self::invalid("", error.to_string()),
            ThresholdChangeError::OutOfRange(field) => {
                Self::invalid(format!("/{field}"), "must be 1 to 527040")
            }
            ThresholdChangeError::Unknown => {
                Self::not_found("unknown-threshold", "There is no such threshold")
            }
            ThresholdChangeError::Store(error) => error.into(),
            error @ ThresholdChangeError::NotAudited(_) => not_audited(error),
        }
    }
}

impl From<EngineAdminError> for Problem {
    fn from(error: EngineAdminError) -> Self {
        match error {
            EngineAdminError::NameTaken => Self::new(
                StatusCode::CONFLICT,
                "engine-exists",
                "There is an engine of that name",
            ),
            EngineAdminError::Unknown => {
                Self::not_found("unknown-engine", "There is no such engine")
            }
            EngineAdminError::Configured => Self::new(
                StatusCode::CONFLICT,
                "engine-configured",
                "The engine comes from the configuration and is changed there",
            ),
            EngineAdminError::Invalid { field, problem } => {
                Self::invalid(format!("/{field}"), problem)
            }
            error @ EngineAdminError::Seal(_) => Self::internal().caused_by(error),
            error @ EngineAdminError::Unavailable(_) => Self::unavailable(error),
            error @ EngineAdminError::NotAudited(_) => not_audited(error),
        }
    }
}

/// A change that was made, and lacks its row.
fn not_audited(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::unavailable(error)
        .detail("the change was made, but the audit log could not be written")
}

impl From<NotAllowed> for Problem {
    fn from(error: NotAllowed) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not-allowed-in-state",
            "Its state does not allow that",
        )
        .detail(error.to_string())
        .member("state", error.state.as_str())
    }
}

fn read_only() -> Problem {
    Problem::forbidden("read-only", "The engine takes no actions from Resync")
}

impl From<ProposalError> for Problem {
    fn from(error: ProposalError) -> Self {
        match error {
            ProposalError::AlreadyExists => Self::internal().caused_by(error),
            ProposalError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<ProposeError> for Problem {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::UnknownEngine(error) => error.into(),
            ProposeError::ReadOnly => read_only(),
            ProposeError::UnknownJob(_) => unknown_job(),
            ProposeError::UnknownObject(_) => unknown_object(),
            ProposeError::NotAllowed(error) => error.into(),
            ProposeError::Read(error) => error.into(),
            ProposeError::Store(error) => error.into(),
            ProposeError::Token(error) => Self::internal().caused_by(error),
        }
    }
}

impl From<FollowError> for Problem {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Unknown => {
                Self::not_found("unknown-proposal", "There is no such proposal of yours")
            }
            FollowError::Store(error) => error.into(),
            FollowError::Audit(error) => error.into(),
        }
    }
}

impl From<ConfirmError> for Problem {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::UnknownProposal => {
                Self::not_found("unknown-proposal", "There is no such proposal of yours")
            }
            ConfirmError::Used => Self::new(
                StatusCode::CONFLICT,
                "proposal-used",
                "The proposal was confirmed before",
            ),
            ConfirmError::Expired => Self::new(
                StatusCode::GONE,
                "proposal-expired",
                "The proposal has expired; propose again",
            ),
            ConfirmError::StateChanged { state } => Self::new(
                StatusCode::CONFLICT,
                "state-changed",
                "The job has changed; look again",
            )
            .member("state", state.as_str()),
            ConfirmError::NotAllowed(error) => error.into(),
            ConfirmError::UnknownEngine(error) => error.into(),
            ConfirmError::ReadOnly => read_only(),
            ConfirmError::UnknownJob(_) => unknown_job(),
            ConfirmError::UnknownObject(_) => unknown_object(),
            ConfirmError::Read(error) => error.into(),
            ConfirmError::Store(error) => error.into(),
            error @ ConfirmError::NoAudit(_) => Self::unavailable(error)
                .detail("the audit log could not be written, so nothing was done; propose again"),
            ConfirmError::Refused { reason, audit_id } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "upstream-refused",
                "The engine refused the action",
            )
            .detail(reason)
            .member("audit_id", audit_id.to_string()),
            ConfirmError::NotDone { cause, audit_id } => Self::from(cause)
                .member("executed", false)
                .member("audit_id", audit_id.to_string()),
            ConfirmError::OutcomeUnknown {
                cause,
                audit_id,
                state,
                effect_seen,
            } => {
                let status = match cause {
                    GatewayError::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
                    GatewayError::Unreachable(_)
                    | GatewayError::CredentialsRefused
                    | GatewayError::Forbidden
                    | GatewayError::Busy { .. }
                    | GatewayError::CircuitOpen { .. }
                    | GatewayError::Rejected(_)
                    | GatewayError::Unsupported
                    | GatewayError::Unreadable(_) => StatusCode::BAD_GATEWAY,
                };
                let problem = Self::new(
                    status,
                    "outcome-unknown",
                    "The action was sent; its outcome is unknown",
                )
                .detail("it is not repeated; look at the job before doing anything else")
                .member("audit_id", audit_id.to_string())
                .member("effect_seen", effect_seen);
                match state {
                    Some(state) => problem.member("state", state.as_str()),
                    None => problem,
                }
            }
            ConfirmError::NotAudited {
                executed,
                audit_id,
                cause,
            } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "not-audited",
                "The action was sent, but its outcome could not be written to the audit log",
            )
            .member("executed", executed)
            .member("audit_id", audit_id.to_string())
            .caused_by(cause),
            error @ ConfirmError::Interrupted => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome-unknown",
                "The action was interrupted; its outcome is unknown",
            )
            .caused_by(error),
        }
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::OutcomeExists => Self::internal().caused_by(error),
            AuditError::Broken(row) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "audit-broken",
                "A row of the audit log does not belong where it stands",
            )
            .member("first_broken", row.seq)
            .caused_by(row),
            AuditError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<KnowledgeError> for Problem {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::Cursor(error) => error.into(),
            KnowledgeError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::EmptyQuery | SearchError::TooLong { .. } => {
                Self::invalid("?q", error.to_string())
            }
            SearchError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let detail = error.to_string();
        match error {
            UploadError::TooLarge { .. } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The body is larger than this address takes",
            )
            .detail(detail),
            UploadError::Unreadable { .. } | UploadError::Empty => Self::invalid("/file", detail),
            UploadError::Unsupported { .. } => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "This kind of file cannot be read",
            )
            .error("/file".to_owned(), detail),
            UploadError::InvalidField { field } => Self::invalid(format!("/{field}"), detail),
            UploadError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many uploads are under way",
            )
            .retry_after(std::time::Duration::from_secs(5)),
            UploadError::NoRoom(_) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "no-room",
                "The store has no room left for it",
            ),
            UploadError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let detail = error.to_string();
        match error {
            ChatError::EmptyMessage | ChatError::TooLong { .. } => {
                Self::invalid("/message", detail)
            }
            ChatError::UnknownEngine(_) => {
                Self::not_found("unknown-engine", "No engine has that name")
            }
            ChatError::UnknownSession => {
                Self::not_found("unknown-session", "There is no such conversation of yours")
            }
            ChatError::UnknownMessage => {
                Self::not_found("unknown-message", "There is no such answer of yours")
            }
            ChatError::Title { .. } => Self::invalid("/title", detail),
            ChatError::Reason { .. } => Self::invalid("/reason", detail),
            ChatError::Cursor(error) => error.into(),
            ChatError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use resync_tws::model::JobStatus;
    use resync_tws::ports::AuditId;
    use uuid::Uuid;

    use super::*;

    fn every_gateway_error() -> Vec<GatewayError> {
        vec![
            GatewayError::Unreachable("refused".into()),
            GatewayError::TimedOut(Duration::from_secs(2)),
            GatewayError::CredentialsRefused,
            GatewayError::Forbidden,
            GatewayError::Busy {
                retry_after: Some(Duration::from_secs(7)),
            },
            GatewayError::CircuitOpen {
                retry_after: Duration::from_secs(9),
            },
            GatewayError::Rejected("no".into()),
            GatewayError::Unsupported,
            GatewayError::Unreadable("half a body".into()),
        ]
    }

    /// I-11: the engine's trouble is never the client's 4xx, above all not a 401.
    #[test]
    fn an_engines_trouble_is_a_5xx_of_ours() {
        let seen: Vec<_> = every_gateway_error()
            .into_iter()
            .map(|error| {
                let problem = Problem::from(error);
                (problem.status().as_u16(), problem.code())
            })
            .collect();
        assert_eq!(
            seen,
            [
                (502, "upstream-unreachable"),
                (504, "upstream-timeout"),
                (502, "upstream-auth"),
                (502, "upstream-auth"),
                (503, "upstream-busy"),
                (503, "upstream-unavailable"),
                (502, "upstream-rejected"),
                (502, "upstream-unsupported"),
                (502, "upstream-unreadable"),
            ]
        );
    }

    /// P2-01: the outcomes of a confirmation that a client must tell apart have codes of their own.
    #[test]
    fn port_error_maps_to_problem_json() {
        let audit_id = AuditId(Uuid::nil());
        let cause = || GatewayError::TimedOut(Duration::from_secs(2));
        let table = [
            (ConfirmError::UnknownProposal, 404, "unknown-proposal"),
            (ConfirmError::Used, 409, "proposal-used"),
            (ConfirmError::Expired, 410, "proposal-expired"),
            (
                ConfirmError::StateChanged {
                    state: JobStatus::Succ.into(),
                },
                409,
                "state-changed",
            ),
            (ConfirmError::ReadOnly, 403, "read-only"),
            (
                ConfirmError::Refused {
                    reason: "no".into(),
                    audit_id,
                },
                422,
                "upstream-refused",
            ),
            (
                ConfirmError::NotDone {
                    cause: cause(),
                    audit_id,
                },
                504,
                "upstream-timeout",
            ),
            (
                ConfirmError::OutcomeUnknown {
                    cause: cause(),
                    audit_id,
                    state: None,
                    effect_seen: false,
                },
                504,
                "outcome-unknown",
            ),
            (
                ConfirmError::NoAudit(AuditError::Unavailable("disk".into())),
                503,
                "unavailable",
            ),
            (
                ConfirmError::NotAudited {
                    executed: Some(true),
                    audit_id,
                    cause: AuditError::Unavailable("disk".into()),
                },
                500,
                "not-audited",
            ),
            (ConfirmError::Interrupted, 503, "outcome-unknown"),
        ];
        for (error, status, code) in table {
            let problem = Problem::from(error);
            assert_eq!((problem.status().as_u16(), problem.code()), (status, code));
        }
    }
}
