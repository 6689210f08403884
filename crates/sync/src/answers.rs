//! What was answered to a request, over all replicas: asked again, it is told again, and nothing is done
//! twice.
//!
//! 1. `one_of_many_does_the_work`: the others are told that it is under way.
//! 2. `an_answer_is_told_again`, to who asks for the same thing; another question under the key is refused.
//! 3. `work_without_an_answer_leaves_nothing`: dropped, or of a holder that died, at the time that it may
//!    take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use resync_kernel::Clock;

use crate::ledger::{Begun, Claim, Fingerprint, Ledger};

/// What [`AnswerStore::begin`] found.
#[derive(Debug)]
pub enum Asked {
    /// Nobody did it yet: do it, and finish the claim.
    New(AnswerClaim),
    /// It was done; this was the answer.
    Answered(Bytes),
    /// Somebody does it right now.
    UnderWay,
    /// The key stands for another question.
    OtherQuestion,
}

/// Where answers are kept. The laws are in `contract::answers`.
///
/// It answers always: an adapter whose store is away keeps answers for its own process meanwhile.
#[async_trait]
pub trait AnswerStore: Send + Sync {
    /// Begins the work of `key`, unless it was done or is under way. Cancel safe: a claim that is not handed
    /// out ends by itself.
    async fn begin(&self, key: &str, question: Fingerprint) -> Asked;
}

/// Keeps one answer.
#[async_trait]
pub trait KeepAnswer: Send {
    /// Keeps it, as long as its store keeps answers.
    async fn keep(self: Box<Self>, answer: Bytes);
}

/// The right to do the work of a key. Dropped without [`AnswerClaim::finish`], it is as if nobody had begun.
#[must_use = "the work is under way until this is finished or dropped"]
pub struct AnswerClaim(Box<dyn KeepAnswer>);

impl fmt::Debug for AnswerClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnswerClaim").finish_non_exhaustive()
    }
}

impl AnswerClaim {
    /// A claim that `keep` settles; to drop `keep` gives the claim up.
    pub fn new(keep: impl KeepAnswer + 'static) -> Self {
        Self(Box::new(keep))
    }

    /// Keeps what was answered.
    pub async fn finish(self, answer: Bytes) {
        self.0.keep(answer).await;
    }
}

/// Keeps answers in this process.
#[derive(Clone)]
pub struct InProcessAnswers(Ledger<String, Bytes>);

impl InProcessAnswers {
    /// Keeps an answer for `keep`, and at most `most` of them.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, keep: Duration, most: usize) -> Self {
        Self(Ledger::new(clock, keep, most))
    }

    /// Begins as [`AnswerStore::begin`] does, without a future: nothing here waits.
    #[must_use]
    pub fn begin_now(&self, key: &str, question: Fingerprint) -> Asked {
        match self.0.begin(key.to_owned(), question) {
            Begun::First(claim) => Asked::New(AnswerClaim::new(claim)),
            Begun::Done(answer) => Asked::Answered(answer),
            Begun::UnderWay => Asked::UnderWay,
            Begun::OtherQuestion => Asked::OtherQuestion,
        }
    }
}

#[async_trait]
impl AnswerStore for InProcessAnswers {
    async fn begin(&self, key: &str, question: Fingerprint) -> Asked {
        self.begin_now(key, question)
    }
}

#[async_trait]
impl KeepAnswer for Claim<String, Bytes> {
    async fn keep(self: Box<Self>, answer: Bytes) {
        self.finish(answer);
    }
}
