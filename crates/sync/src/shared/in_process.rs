//! Entries that several replicas in one process share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    EntryLease, INVALIDATED, Look, SharedEntries, SharedEntry, SharedKey, SharedUnavailable,
};
use crate::notices::{InProcessBus, Notice, NoticeBus};

/// Keeps entries in this process, for the replicas that are clones of it, each with its own bus.
#[derive(Clone)]
pub struct InProcessEntries {
    store: Arc<Mutex<Store>>,
    bus: InProcessBus,
}

#[derive(Default)]
struct Store {
    entries: HashMap<String, Entry>,
    leases: HashMap<String, (String, Instant)>,
    generations: HashMap<String, u64>,
    last: u64,
}

struct Entry {
    bytes: Bytes,
    fetched: Instant,
    age: Duration,
    until: Instant,
    generations: String,
}

impl InProcessEntries {
    /// The first replica of a new store.
    #[must_use]
    pub fn new(bus: InProcessBus) -> Self {
        Self {
            store: Arc::default(),
            bus,
        }
    }

    /// Another replica of the same store.
    #[must_use]
    pub fn replica(&self, bus: InProcessBus) -> Self {
        Self {
            store: Arc::clone(&self.store),
            bus,
        }
    }

    /// The store, unless this replica is cut off. Held for a few lines.
    fn store(&self) -> Result<MutexGuard<'_, Store>, SharedUnavailable> {
        if self.bus.hearing().is_none() {
            return Err(SharedUnavailable("this replica is cut off".into()));
        }
        Ok(self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    fn generations(&self, scopes: &[String]) -> String {
        let of = |scope| {
            self.generations
                .get(scope)
                .copied()
                .unwrap_or(0)
                .to_string()
        };
        scopes.iter().map(of).collect::<Vec<_>>().join(",")
    }

    fn holds(&self, key: &SharedKey, lease: &EntryLease) -> bool {
        let held = self.leases.get(&key.name);
        held.is_some_and(|(token, until)| *token == lease.token && Instant::now() < *until)
    }
}

#[async_trait]
impl SharedEntries for InProcessEntries {
    async fn look(
        &self,
        key: &SharedKey,
        younger_than: Duration,
        lease: Duration,
    ) -> Result<Look, SharedUnavailable> {
        let (mut store, now) = (self.store()?, Instant::now());
        let generations = store.generations(&key.scopes);
        if let Some(entry) = store.entries.get(&key.name) {
            let age = entry.age + (now - entry.fetched);
            if age < younger_than && now < entry.until && entry.generations == generations {
                let bytes = entry.bytes.clone();
                return Ok(Look::Found { bytes, age });
            }
        }
        let held = store.leases.get(&key.name);
        if held.is_some_and(|(_, until)| now < *until) {
            return Ok(Look::Busy);
        }
        store.last += 1;
        let token = store.last.to_string();
        let until = now + lease;
        store
            .leases
            .insert(key.name.clone(), (token.clone(), until));
        Ok(Look::Leased(EntryLease { token, generations }))
    }

    async fn put(
        &self,
        key: &SharedKey,
        lease: &EntryLease,
        entry: SharedEntry,
    ) -> Result<bool, SharedUnavailable> {
        let (mut store, now) = (self.store()?, Instant::now());
        if !store.holds(key, lease) {
            return Ok(false);
        }
        store.leases.remove(&key.name);
        if store.generations(&key.scopes) != lease.generations {
            return Ok(false);
        }
        let entry = Entry {
            bytes: entry.bytes,
            fetched: now,
            age: entry.age,
            until: now + entry.lives,
            generations: lease.generations.clone(),
        };
        store.entries.insert(key.name.clone(), entry);
        Ok(true)
    }

    async fn release(&self, key: &SharedKey, lease: &EntryLease) -> Result<(), SharedUnavailable> {
        let mut store = self.store()?;
        if store.holds(key, lease) {
            store.leases.remove(&key.name);
        }
        Ok(())
    }

    async fn invalidate(&self, scope: &str) -> Result<(), SharedUnavailable> {
        {
            let mut store = self.store()?;
            store.last += 1;
            let generation = store.last;
            store.generations.insert(scope.to_owned(), generation);
        }
        let notice = Notice {
            topic: INVALIDATED.to_owned(),
            body: scope.to_owned(),
        };
        let told = self.bus.publish(&notice).await;
        told.map_err(|error| SharedUnavailable(error.into()))
    }
}
