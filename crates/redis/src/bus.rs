//! Notices between replicas, by Redis's publish and subscribe.
//!
//! 1. Hearing has a connection of its own; telling goes with the other calls.
//! 2. Whether it still hears is asked ten times a second: a connection that is silently gone is noticed
//!    within [`NoticeBus::notices_loss_within`].
//! 3. It connects again by itself, five times a second, and listeners are told of the gap.

use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use redis::{Msg, RedisError, Script, Value};
use resync_kernel::{BoxError, IdGenerator, SystemIds};
use resync_sync::{Listeners, Notice, NoticeBus, NoticeError, Notices};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::{CallError, RedisClient};

/// How often it is asked whether the connection still is one.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Pause between two tries to connect.
const CONNECT_EVERY: Duration = Duration::from_millis(200);
/// What a machine that does other things may take to notice.
const SLACK: Duration = Duration::from_millis(50);

static PUBLISH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/publish.lua")));

/// Tells and hears by one channel of Redis. Cheap to clone; clones are one replica.
#[derive(Clone)]
pub struct RedisBus(Arc<Inner>);

struct Inner {
    redis: RedisClient,
    channel: String,
    /// Tells this replica's own notices from those of others.
    own: String,
    listeners: Listeners,
}

impl RedisBus {
    /// The bus of this replica on `channel`. It hears nothing before [`RedisBus::listen`] runs.
    #[must_use]
    pub fn new(redis: RedisClient, channel: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            redis,
            channel: channel.into(),
            own: SystemIds.next().simple().to_string(),
            listeners: Listeners::default(),
        }))
    }

    /// Hears what others tell, and connects again when the connection is lost, until the end.
    pub async fn listen(self, until: CancellationToken) {
        let mut again = interval(CONNECT_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                _ = again.tick() => {}
            }
            let heard = tokio::select! {
                () = until.cancelled() => None,
                Err(error) = self.hear() => Some(error),
            };
            let heard_before = self.0.listeners.hearing().is_some();
            self.0.listeners.deaf();
            if let Some(error) = heard.filter(|_| heard_before) {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "notices of other replicas are not heard for now; nothing cached is trusted"
                );
            }
        }
    }

    /// Hears until the connection is lost.
    async fn hear(&self) -> Result<std::convert::Infallible, BoxError> {
        let Inner {
            redis,
            channel,
            listeners,
            ..
        } = &*self.0;
        let limit = redis.timeout();
        let (mut sink, mut stream) = timeout(limit, redis.pubsub()).await??.split();
        timeout(limit, sink.subscribe(channel)).await??;
        listeners.hears();
        tracing::debug!("notices of other replicas are heard");
        let asks = async {
            let mut tick = interval(ASK_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                timeout(limit, sink.ping::<Value>()).await??;
            }
        };
        let hears = async {
            while let Some(message) = stream.next().await {
                self.heard(&message);
            }
        };
        tokio::select! {
            lost = asks => lost,
            () = hears => Err("the connection was closed".into()),
        }
    }

    fn heard(&self, message: &Msg) {
        let text: Result<String, RedisError> = message.get_payload();
        let Ok(text) = text else { return };
        let mut parts = text.splitn(3, '\n');
        let (Some(from), Some(topic), Some(body)) = (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        if from != self.0.own {
            self.0.listeners.tell(Notice {
                topic: topic.to_owned(),
                body: body.to_owned(),
            });
        }
    }

    pub(crate) fn channel(&self) -> &str {
        &self.0.channel
    }

    /// The notice as it goes through the channel.
    pub(crate) fn message(&self, topic: &str, body: &str) -> String {
        format!("{}\n{topic}\n{body}", self.0.own)
    }
}

#[async_trait]
impl NoticeBus for RedisBus {
    async fn publish(&self, notice: &Notice) -> Result<(), NoticeError> {
        if notice.topic.contains('\n') {
            return Err(NoticeError("a topic is one line".into()));
        }
        let mut call = PUBLISH.prepare_invoke();
        call.key(self.channel())
            .arg(self.message(&notice.topic, &notice.body));
        let told: Result<(), CallError> = self.0.redis.run(&call).await;
        told.map_err(|error| NoticeError(error.into()))
    }

    fn subscribe(&self) -> Notices {
        self.0.listeners.subscribe()
    }

    fn hearing(&self) -> Option<NonZeroU64> {
        self.0.listeners.hearing()
    }

    fn notices_loss_within(&self) -> Duration {
        ASK_EVERY + self.0.redis.timeout() + SLACK
    }
}
