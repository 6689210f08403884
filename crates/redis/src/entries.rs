//! The entries that replicas share behind their caches.
//!
//! 1. Each step is one script, in one round trip: nobody can come between a look and its lease, or between
//!    an invalidation and what was being fetched.
//! 2. Ages are by Redis's clock alone; no replica's clock has a say.
//! 3. A lease is the right to write. After Redis lost what it knew, no lease of before counts, so nothing
//!    that was made void before can be written.
//! 4. A Redis that is full takes invalidations, too: then every entry is void.
//! 5. An invalidation is tried also while Redis counts as away: it is the one call that must not be missed.
//!
//! All keys lie in one slot of a cluster, since the prefix carries a hash tag.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use redis::{Script, ScriptInvocation};
use resync_kernel::{IdGenerator, SystemIds};
use resync_sync::{
    EntryLease, INVALIDATED, Look, SharedEntries, SharedEntry, SharedKey, SharedUnavailable,
};

use crate::bus::RedisBus;
use crate::client::{CallError, RedisClient, millis};

/// How long the number of a scope is kept: longer than any entry or lease lives.
const GENERATION_LIVES: Duration = Duration::from_hours(72);
/// How long an entry is kept at most.
const ENTRY_LIVES: Duration = Duration::from_hours(48);

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/look.lua")));
static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/put.lua")));
pub(crate) static RELEASE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/release.lua")));
static VOID: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/void.lua")));

/// Keeps entries in Redis.
pub struct RedisEntries {
    redis: RedisClient,
    prefix: String,
    bus: RedisBus,
}

impl RedisEntries {
    /// Entries whose keys begin with `prefix`, which should carry a hash tag, as in `resync:{cache}`; what
    /// is made void is told through `bus`. A client of its own keeps large entries out of the way of small
    /// calls.
    #[must_use]
    pub fn new(redis: RedisClient, prefix: impl Into<String>, bus: RedisBus) -> Self {
        Self {
            redis,
            prefix: prefix.into(),
            bus,
        }
    }

    fn lease_key(&self, key: &SharedKey) -> String {
        format!("{}:lease:{}", self.prefix, key.name)
    }

    fn since_key(&self) -> String {
        format!("{}:since", self.prefix)
    }

    fn scope_key(&self, scope: &str) -> String {
        format!("{}:at:{scope}", self.prefix)
    }

    fn call<'a>(&self, script: &'a Script, key: &SharedKey) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(format!("{}:entry:{}", self.prefix, key.name))
            .key(self.lease_key(key))
            .key(self.since_key());
        for scope in &key.scopes {
            call.key(self.scope_key(scope));
        }
        call
    }
}

fn unavailable(error: CallError) -> SharedUnavailable {
    SharedUnavailable(error.into())
}

#[async_trait]
impl SharedEntries for RedisEntries {
    async fn look(
        &self,
        key: &SharedKey,
        younger_than: Duration,
        lease: Duration,
    ) -> Result<Look, SharedUnavailable> {
        let token = SystemIds.next().simple().to_string();
        let mut call = self.call(&LOOK, key);
        call.arg(&token)
            .arg(millis(lease))
            .arg(millis(younger_than))
            .arg(millis(GENERATION_LIVES));
        let found: (u8, Vec<u8>, u64) = self.redis.run(&call).await.map_err(unavailable)?;
        Ok(match found {
            (1, bytes, age) => Look::Found {
                bytes: bytes.into(),
                age: Duration::from_millis(age),
            },
            (2, generations, _) => Look::Leased(EntryLease {
                token,
                generations: String::from_utf8_lossy(&generations).into_owned(),
            }),
            _ => Look::Busy,
        })
    }

    async fn put(
        &self,
        key: &SharedKey,
        lease: &EntryLease,
        entry: SharedEntry,
    ) -> Result<bool, SharedUnavailable> {
        let mut call = self.call(&PUT, key);
        call.arg(&lease.token)
            .arg(&lease.generations)
            .arg(&*entry.bytes)
            .arg(millis(entry.age))
            .arg(millis(entry.lives.min(ENTRY_LIVES)).max(1));
        self.redis.run(&call).await.map_err(unavailable)
    }

    async fn release(&self, key: &SharedKey, lease: &EntryLease) -> Result<(), SharedUnavailable> {
        let mut call = RELEASE.prepare_invoke();
        call.key(self.lease_key(key)).arg(&lease.token);
        self.redis.run(&call).await.map_err(unavailable)
    }

    async fn invalidate(&self, scope: &str) -> Result<(), SharedUnavailable> {
        let mut call = VOID.prepare_invoke();
        call.key(self.scope_key(scope))
            .key(format!("{}:at", self.prefix))
            .key(self.since_key())
            .arg(millis(GENERATION_LIVES))
            .arg(self.bus.channel())
            .arg(self.bus.message(INVALIDATED, scope));
        self.redis.insist(&call).await.map_err(unavailable)
    }
}
