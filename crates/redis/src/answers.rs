//! What was answered to a request, over all replicas.
//!
//! 1. Beginning is one step of one script: of many replicas one does the work.
//! 2. A claim ends with its holder: given up when it is dropped, or at the time that the work may take.
//! 3. While Redis is away each process keeps answers for itself. The same request may then be worked on by
//!    two replicas; what must happen once has to be guarded where it happens, as the token of a proposal is
//!    in the database.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::Script;
use resync_kernel::{IdGenerator, SystemIds};
use resync_sync::{AnswerClaim, AnswerStore, Asked, Fingerprint, InProcessAnswers, KeepAnswer};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::client::{CallError, Fallback, RedisClient, millis};

static BEGIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/begin.lua")));
static FINISH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/finish.lua")));

/// What [`RedisAnswers`] is built from.
pub struct AnswersParts {
    /// Where answers are kept.
    pub redis: RedisClient,
    /// What its keys begin with. Each call touches one key, so it needs no hash tag.
    pub prefix: String,
    /// How long an answer is kept.
    pub keep: Duration,
    /// How long the work may take: the claim of a holder that died ends then.
    pub claim: Duration,
    /// Keeps answers while Redis is away.
    pub away: InProcessAnswers,
    /// Gives claims back that were dropped.
    pub tracker: TaskTracker,
}

/// Keeps answers in Redis, or in this process while Redis is away.
pub struct RedisAnswers(Arc<AnswersParts>);

impl RedisAnswers {
    /// A store of these parts.
    #[must_use]
    pub fn new(parts: AnswersParts) -> Self {
        Self(Arc::new(parts))
    }
}

#[async_trait]
impl AnswerStore for RedisAnswers {
    async fn begin(&self, key: &str, question: Fingerprint) -> Asked {
        let parts = &self.0;
        let work = Work {
            parts: Arc::clone(parts),
            key: format!("{}:{key}", parts.prefix),
            token: SystemIds.next().simple().to_string(),
        };
        let mut call = BEGIN.prepare_invoke();
        call.key(&work.key)
            .arg(&question)
            .arg(&work.token)
            .arg(millis(parts.claim));
        match parts.redis.run::<(u8, Vec<u8>)>(&call).await {
            Ok((0, _)) => Asked::New(AnswerClaim::new(Claimed(Some(work)))),
            Ok((1, answer)) => Asked::Answered(answer.into()),
            Ok((2, _)) => Asked::UnderWay,
            Ok(_) => Asked::OtherQuestion,
            Err(_) => {
                parts.redis.fell_back(Fallback::Answers);
                parts.away.begin_now(key, question)
            }
        }
    }
}

struct Work {
    parts: Arc<AnswersParts>,
    key: String,
    token: String,
}

impl Work {
    /// Keeps the answer, or without one gives the work up.
    async fn settle(&self, answer: Option<&[u8]>) -> Result<(), CallError> {
        let keep = answer.map_or(0, |_| millis(self.parts.keep).max(1));
        let mut call = FINISH.prepare_invoke();
        call.key(&self.key)
            .arg(&self.token)
            .arg(keep)
            .arg(answer.unwrap_or_default());
        self.parts.redis.run(&call).await
    }
}

/// Work under way; dropped, it is given up.
struct Claimed(Option<Work>);

#[async_trait]
impl KeepAnswer for Claimed {
    async fn keep(mut self: Box<Self>, answer: Bytes) {
        if let Some(work) = &self.0 {
            if let Err(error) = work.settle(Some(&answer)).await {
                work.parts.redis.fell_back(Fallback::Answers);
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "an answer is not kept; the request counts as under way for a while"
                );
            }
            // Settled, or not known to be: then the claim ends by itself, for the work was done.
            self.0 = None;
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let Some(work) = self.0.take() else { return };
        // Without a runtime the claim ends by itself.
        if Handle::try_current().is_ok() {
            let tracker = work.parts.tracker.clone();
            drop(tracker.spawn(async move {
                let (Ok(()) | Err(_)) = work.settle(None).await;
            }));
        }
    }
}
