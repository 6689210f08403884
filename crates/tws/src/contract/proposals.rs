//! The laws of a store of proposals.

#![expect(clippy::unwrap_used, reason = "a law fails by panicking")]

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use resync_kernel::UserId;
use uuid::Uuid;

use crate::model::{Action, EngineName, JobId, Priority, RunId};
use crate::ports::{ProposalError, ProposalId, ProposalStore, Redemption, StoredProposal};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(seconds)
}

/// A proposal that ends at second 300.
fn proposal(number: u128) -> StoredProposal {
    StoredProposal {
        id: ProposalId(Uuid::from_u128(number)),
        user: UserId(Uuid::from_u128(7)),
        mac: "ab".repeat(32),
        engine: EngineName::parse("prod").unwrap(),
        target: JobId::parse("job-1").unwrap().into(),
        label: "WS#STREAM.JOB".to_owned(),
        run: Some(RunId::parse("run-1").unwrap()),
        action: Action::Priority {
            priority: Priority::new(50).unwrap(),
        },
        fingerprint: "cd".repeat(32),
        reason: "operação: disco limpo".to_owned(),
        ticket: Some("INC-4711".to_owned()),
        expires_at: at(300),
        used: false,
    }
}

/// What was kept reads back whole; what was not is absent.
pub async fn a_proposal_reads_back_whole(store: &dyn ProposalStore) {
    store.insert(&proposal(1)).await.unwrap();
    let found = store.find(ProposalId(Uuid::from_u128(1))).await.unwrap();
    assert_eq!(found, Some(proposal(1)));
    let missing = store.find(ProposalId(Uuid::from_u128(2))).await.unwrap();
    assert_eq!(missing, None);
}

/// An id is taken once.
pub async fn an_id_is_taken_once(store: &dyn ProposalStore) {
    store.insert(&proposal(1)).await.unwrap();
    let again = store.insert(&proposal(1)).await;
    assert!(matches!(again, Err(ProposalError::AlreadyExists)));
}

/// A proposal is used once, and its row says so from then on.
pub async fn a_proposal_is_used_once(store: &dyn ProposalStore) {
    let id = ProposalId(Uuid::from_u128(1));
    store.insert(&proposal(1)).await.unwrap();
    let first = store.redeem(id, at(299)).await.unwrap();
    assert_eq!(first, Redemption::Redeemed);
    for second in [at(0), at(299), at(900)] {
        let again = store.redeem(id, second).await.unwrap();
        assert_eq!(again, Redemption::AlreadyUsed);
    }
    assert!(store.find(id).await.unwrap().unwrap().used);
}

/// At its end a proposal is expired, and asking did not use it.
pub async fn an_expired_proposal_is_not_used(store: &dyn ProposalStore) {
    let id = ProposalId(Uuid::from_u128(1));
    store.insert(&proposal(1)).await.unwrap();
    let late = store.redeem(id, at(300)).await.unwrap();
    assert_eq!(late, Redemption::Expired);
    assert!(!store.find(id).await.unwrap().unwrap().used);
}

/// What is not there cannot be used.
pub async fn an_unknown_proposal_is_unknown(store: &dyn ProposalStore) {
    let unknown = store.redeem(ProposalId(Uuid::from_u128(9)), at(0)).await;
    assert_eq!(unknown.unwrap(), Redemption::Unknown);
}

/// A purge takes what ended before, used or not, and nothing else.
pub async fn a_purge_takes_what_has_ended(store: &dyn ProposalStore) {
    store.insert(&proposal(1)).await.unwrap();
    store.insert(&proposal(2)).await.unwrap();
    let later = StoredProposal {
        expires_at: at(301),
        ..proposal(3)
    };
    store.insert(&later).await.unwrap();
    let used = store.redeem(ProposalId(Uuid::from_u128(2)), at(0)).await;
    assert_eq!(used.unwrap(), Redemption::Redeemed);
    assert_eq!(store.purge(at(300)).await.unwrap(), 0);
    assert_eq!(store.purge(at(301)).await.unwrap(), 2);
    assert_eq!(store.find(later.id).await.unwrap(), Some(later));
}

/// C3: of twenty that use it at the same time, one does.
pub async fn of_many_at_once_one_uses_it<S: ProposalStore + 'static>(store: Arc<S>) {
    let id = ProposalId(Uuid::from_u128(1));
    store.insert(&proposal(1)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.redeem(id, at(0)).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    let redeemed = outcomes.iter().filter(|&&o| o == Redemption::Redeemed);
    assert_eq!(redeemed.count(), 1);
    let used = outcomes.iter().filter(|&&o| o == Redemption::AlreadyUsed);
    assert_eq!(used.count(), 19);
}
