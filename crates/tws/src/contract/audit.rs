//! The laws of an audit.

#![expect(clippy::unwrap_used, reason = "a law fails by panicking")]

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::model::EngineName;
use crate::ports::{
    AuditAction, AuditEntry, AuditError, AuditEvent, AuditId, AuditLog, AuditOutcome, GENESIS,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(seconds)
}

fn entry(number: u128, action: AuditAction, action_id: Option<u128>) -> AuditEntry {
    AuditEntry {
        id: AuditId(Uuid::from_u128(number)),
        event: AuditEvent {
            at: at(0),
            actor: "joão".to_owned(),
            user_id: None,
            action,
            target: Some("rerun WS#STREAM.JOB".to_owned()),
            engine: Some(EngineName::parse("prod").unwrap()),
            reason: Some("disco \"limpo\" \u{1F600}".to_owned()),
            ticket: None,
            outcome: AuditOutcome::Succeeded,
            detail: None,
            request_id: Some("req-1".to_owned()),
            action_id: action_id.map(Uuid::from_u128),
        },
    }
}

fn login(number: u128) -> AuditEntry {
    entry(number, AuditAction::Login, None)
}

/// Rows are numbered from 1 without gaps, tied to each other, and read back as they were said.
pub async fn rows_are_a_chain(log: &dyn AuditLog) {
    for number in 1..=3 {
        log.append(login(number)).await.unwrap();
    }
    let rows = log.after(0, 10).await.unwrap();
    let numbers: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let mut prev = GENESIS.to_owned();
    for (row, number) in rows.iter().zip(1..) {
        assert_eq!(row.prev_hash, prev);
        prev.clone_from(&row.hash);
        let record = row.open().unwrap();
        assert_eq!(record.event, login(number).event);
        assert_eq!(record.id, login(number).id);
    }
}

/// Both ways of paging cover every row once.
pub async fn paging_covers_every_row_once(log: &dyn AuditLog) {
    for number in 1..=5 {
        log.append(login(number)).await.unwrap();
    }
    let numbers = |rows: Vec<crate::ports::SealedRow>| -> Vec<u64> {
        rows.iter().map(|row| row.seq).collect()
    };
    assert_eq!(numbers(log.after(0, 2).await.unwrap()), [1, 2]);
    assert_eq!(numbers(log.after(2, 9).await.unwrap()), [3, 4, 5]);
    assert_eq!(numbers(log.after(5, 9).await.unwrap()), [0; 0]);
    assert_eq!(numbers(log.before(None, 2).await.unwrap()), [5, 4]);
    assert_eq!(numbers(log.before(Some(4), 9).await.unwrap()), [3, 2, 1]);
    assert_eq!(numbers(log.before(Some(1), 9).await.unwrap()), [0; 0]);
}

/// I-09: an action has one outcome; a second one is refused and leaves no row.
pub async fn an_action_has_one_outcome(log: &dyn AuditLog) {
    let outcome = |number| entry(number, AuditAction::ActionOutcome, Some(70));
    let intent = entry(1, AuditAction::ActionIntent, Some(70));
    log.append(intent).await.unwrap();
    log.append(outcome(2)).await.unwrap();
    let again = log.append(outcome(3)).await;
    assert!(matches!(again, Err(AuditError::OutcomeExists)));
    log.append(login(4)).await.unwrap();
    assert_eq!(log.after(0, 10).await.unwrap().len(), 3);
}

/// I-09: an intent without an outcome is found, oldest first; one with an outcome is not.
pub async fn an_unfinished_intent_is_found(log: &dyn AuditLog) {
    let intent = |number, action| entry(number, AuditAction::ActionIntent, Some(action));
    log.append(intent(1, 71)).await.unwrap();
    log.append(intent(2, 72)).await.unwrap();
    log.append(intent(3, 73)).await.unwrap();
    let done = entry(4, AuditAction::ActionOutcome, Some(72));
    log.append(done).await.unwrap();
    let open = log.unfinished(10).await.unwrap();
    let numbers: Vec<u64> = open.iter().map(|row| row.seq).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(log.unfinished(1).await.unwrap().len(), 1);
}

/// Writers at the same time are put one behind the other.
pub async fn writers_at_once_make_one_chain<L: AuditLog + 'static>(log: Arc<L>) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=20 {
        let log = Arc::clone(&log);
        tasks.spawn(async move { log.append(login(number)).await.unwrap().seq });
    }
    let mut numbers = tasks.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<u64>>());
    let mut prev = GENESIS.to_owned();
    for row in log.after(0, 50).await.unwrap() {
        assert_eq!(row.prev_hash, prev);
        assert!(row.open().is_ok());
        prev = row.hash;
    }
}
