//! The laws of [`NoticeBus`].

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout;

use super::SOON;
use crate::{Heard, Notice, NoticeBus, Notices};

/// Replicas that hear each other and nobody else.
#[async_trait]
pub trait NoticesHarness: Send + Sync {
    /// The bus of another replica, which hears already.
    async fn replica(&self) -> Arc<dyn NoticeBus>;
}

/// Gives an adapter one test for each law; `$make` returns the future of a [`NoticesHarness`].
#[macro_export]
macro_rules! notice_bus_contract {
    ($make:path) => {
        $crate::__sync_laws!(
            notices,
            $make,
            a_notice_reaches_every_other_replica,
            a_slow_listener_is_told_that_something_is_missing,
            a_notice_keeps_its_words,
        );
    };
}

fn notice(body: impl Into<String>) -> Notice {
    Notice {
        topic: "test".to_owned(),
        body: body.into(),
    }
}

async fn next(notices: &mut Notices) -> Heard {
    timeout(SOON, notices.next()).await.unwrap().unwrap()
}

/// Each listener of each other replica, in order; its teller hears only what others say.
pub async fn a_notice_reaches_every_other_replica(harness: &dyn NoticesHarness) {
    let (one, two, three) = (
        harness.replica().await,
        harness.replica().await,
        harness.replica().await,
    );
    let mut own = one.subscribe();
    let mut others = [two.subscribe(), two.subscribe(), three.subscribe()];
    for number in 0..20 {
        one.publish(&notice(number.to_string())).await.unwrap();
    }
    for other in &mut others {
        for number in 0..20 {
            let told = Heard::Notice(notice(number.to_string()));
            assert_eq!(next(other).await, told);
        }
    }
    two.publish(&notice("back")).await.unwrap();
    assert_eq!(next(&mut own).await, Heard::Notice(notice("back")));
}

/// Who does not listen for long hears of a gap first, and nobody waits for it.
pub async fn a_slow_listener_is_told_that_something_is_missing(harness: &dyn NoticesHarness) {
    let (one, other) = (harness.replica().await, harness.replica().await);
    let (mut slow, mut quick) = (other.subscribe(), other.subscribe());
    for number in 0..600 {
        one.publish(&notice(number.to_string())).await.unwrap();
        let told = Heard::Notice(notice(number.to_string()));
        assert_eq!(next(&mut quick).await, told);
    }
    assert_eq!(next(&mut slow).await, Heard::Gap);
    assert!(matches!(next(&mut slow).await, Heard::Notice(_)));
}

/// Whatever characters it has.
pub async fn a_notice_keeps_its_words(harness: &dyn NoticesHarness) {
    let (one, other) = (harness.replica().await, harness.replica().await);
    let mut heard = other.subscribe();
    for body in ["", "\r\n\0\"\u{1f600}\\", " a b ", &"é".repeat(10_000)] {
        one.publish(&notice(body)).await.unwrap();
        assert_eq!(next(&mut heard).await, Heard::Notice(notice(body)));
    }
}
