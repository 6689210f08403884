//! The laws of what replicas share, on the adapters for one process.

use std::future::{Ready, ready};
use std::sync::Arc;

use async_trait::async_trait;
use resync_kernel::ManualClock;
use tokio::time::Duration;

use crate::contract::answers::{AnswersHarness, KEEP};
use crate::contract::lease::LeasesHarness;
use crate::contract::notices::NoticesHarness;
use crate::contract::shared::SharedHarness;
use crate::{
    AnswerStore, Heard, InProcessAnswers, InProcessEntries, InProcessHub, InProcessLeases, Leases,
    Notice, NoticeBus, SharedEntries,
};

struct Entries {
    hub: InProcessHub,
    first: InProcessEntries,
}

#[async_trait]
impl SharedHarness for Entries {
    async fn replica(&self) -> (Arc<dyn SharedEntries>, Arc<dyn NoticeBus>) {
        let bus = self.hub.join();
        (Arc::new(self.first.replica(bus.clone())), Arc::new(bus))
    }

    async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }
}

fn entries() -> Ready<Entries> {
    tokio::time::pause();
    let hub = InProcessHub::default();
    let first = InProcessEntries::new(hub.join());
    ready(Entries { hub, first })
}

crate::shared_entries_contract!(entries);

#[async_trait]
impl NoticesHarness for InProcessHub {
    async fn replica(&self) -> Arc<dyn NoticeBus> {
        Arc::new(self.join())
    }
}

fn hub() -> Ready<InProcessHub> {
    ready(InProcessHub::default())
}

crate::notice_bus_contract!(hub);

#[async_trait]
impl LeasesHarness for InProcessLeases {
    async fn replica(&self) -> Arc<dyn Leases> {
        Arc::new(self.clone())
    }
}

fn leases() -> Ready<InProcessLeases> {
    ready(InProcessLeases::default())
}

crate::leases_contract!(leases);

struct Answers {
    clock: Arc<ManualClock>,
    answers: InProcessAnswers,
}

#[async_trait]
impl AnswersHarness for Answers {
    async fn replica(&self) -> Arc<dyn AnswerStore> {
        Arc::new(self.answers.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

fn answers() -> Ready<Answers> {
    let clock = Arc::new(ManualClock::default());
    ready(Answers {
        answers: InProcessAnswers::new(clock.clone(), KEEP, 100),
        clock,
    })
}

crate::answer_store_contract!(answers);

#[tokio::test]
async fn who_was_cut_off_is_told_that_something_is_missing() {
    let hub = InProcessHub::default();
    let (one, other) = (hub.join(), hub.join());
    let mut heard = other.subscribe();
    let before = other.hearing();
    other.cut_off();
    assert_eq!(other.hearing(), None);
    let notice = Notice {
        topic: "test".to_owned(),
        body: "unheard".to_owned(),
    };
    one.publish(&notice).await.unwrap();
    assert!(other.publish(&notice).await.is_err());
    other.rejoin();
    assert_eq!(heard.next().await, Some(Heard::Gap));
    assert!(other.hearing() > before);
    one.publish(&notice).await.unwrap();
    assert_eq!(heard.next().await, Some(Heard::Notice(notice)));
}
