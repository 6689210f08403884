//! The lockout of one process: attempts in the order of their time, counted under three keys.
//!
//! 1. `parallel_attempts_share_one_limit`: counting and refusing are one step under one mutex.
//! 2. `a_refused_attempt_is_counted_nowhere`: a lock ends when it would have ended.
//! 3. `an_attempt_counts_for_exactly_the_window`: by the monotonic clock; the wall clock has no say.
//! 4. `the_counts_are_empty_when_the_window_is`: no key outlives its attempts.
//! 5. `a_full_table_refuses_what_it_cannot_count`: it never forgets to make room, and never lets in
//!    what it cannot count.
//!
//! The mutex guards [`State`], plain data changed in a few lines without `await`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::{Clock, Monotonic};

use crate::ports::{
    AccountKey, AddressKey, Attempt, LockoutLimits, LockoutStore, LockoutStoreError, Outcome,
    Reservation, ReserveError,
};

/// How many attempts are kept at once: some 20 MB, or 2,185 addresses at their limit.
const MAX_ATTEMPTS: usize = 65_536;

/// Counts attempts in this process.
pub struct InProcessLockout {
    state: Mutex<State>,
    limits: LockoutLimits,
    capacity: usize,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    /// By id, and thereby by time.
    attempts: BTreeMap<u64, (Monotonic, Attempt)>,
    by_pair: HashMap<Attempt, BTreeSet<u64>>,
    by_account: HashMap<AccountKey, BTreeSet<u64>>,
    by_address: HashMap<AddressKey, BTreeSet<u64>>,
}

fn remove_from<K: Eq + Hash>(index: &mut HashMap<K, BTreeSet<u64>>, key: &K, id: u64) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

impl State {
    fn insert(&mut self, now: Monotonic, attempt: Attempt) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.attempts.insert(id, (now, attempt));
        self.by_pair.entry(attempt).or_default().insert(id);
        self.by_account
            .entry(attempt.account)
            .or_default()
            .insert(id);
        self.by_address
            .entry(attempt.address)
            .or_default()
            .insert(id);
        id
    }

    fn remove(&mut self, id: u64) {
        if let Some((_, attempt)) = self.attempts.remove(&id) {
            remove_from(&mut self.by_pair, &attempt, id);
            remove_from(&mut self.by_account, &attempt.account, id);
            remove_from(&mut self.by_address, &attempt.address, id);
        }
    }

    fn expire(&mut self, now: Monotonic, window: Duration) {
        while let Some((&id, &(at, _))) = self.attempts.first_key_value() {
            if now - at < window {
                break;
            }
            self.remove(id);
        }
    }

    /// How long until fewer than `limit` of `ids` are left, `None` if that is so now.
    fn wait(
        &self,
        ids: Option<&BTreeSet<u64>>,
        limit: u32,
        now: Monotonic,
        window: Duration,
    ) -> Option<Duration> {
        let ids = ids?;
        let surplus = ids
            .len()
            .checked_sub(usize::try_from(limit).unwrap_or(usize::MAX))?;
        let (at, _) = self.attempts.get(ids.iter().nth(surplus)?)?;
        Some(window.saturating_sub(now - *at))
    }
}

impl InProcessLockout {
    /// A lockout that has counted nothing. A limit of zero looks at no password at all.
    #[must_use]
    pub fn new(limits: LockoutLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Mutex::default(),
            limits,
            capacity: MAX_ATTEMPTS,
            clock,
        }
    }

    // Nothing panics under the lock, so a poisoned one still holds whole counts.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, state: &State, attempt: Attempt, now: Monotonic) -> Option<Duration> {
        let LockoutLimits {
            per_account_and_address,
            per_account,
            per_address,
            window,
        } = self.limits;
        if self.limits.forbid_all() {
            return Some(window);
        }
        let full = (state.attempts.len() >= self.capacity)
            .then(|| state.attempts.first_key_value())
            .flatten()
            .map(|(_, (at, _))| window.saturating_sub(now - *at));
        let pair = state.by_pair.get(&attempt);
        let account = state.by_account.get(&attempt.account);
        let address = state.by_address.get(&attempt.address);
        [
            full,
            state.wait(pair, per_account_and_address, now, window),
            state.wait(account, per_account, now, window),
            state.wait(address, per_address, now, window),
        ]
        .into_iter()
        .flatten()
        .max()
    }
}

#[async_trait]
impl LockoutStore for InProcessLockout {
    async fn reserve(&self, attempt: Attempt) -> Result<Reservation, ReserveError> {
        let mut state = self.lock();
        let now = self.clock.monotonic();
        state.expire(now, self.limits.window);
        if let Some(retry_after) = self.wait(&state, attempt, now) {
            return Err(ReserveError::Locked { retry_after });
        }
        Ok(Reservation {
            id: state.insert(now, attempt),
            attempt,
        })
    }

    async fn settle(
        &self,
        reservation: Reservation,
        outcome: Outcome,
    ) -> Result<(), LockoutStoreError> {
        let mut state = self.lock();
        state.remove(reservation.id);
        if outcome == Outcome::Succeeded {
            let ids = state
                .by_pair
                .get(&reservation.attempt)
                .cloned()
                .unwrap_or_default();
            for id in ids {
                state.remove(id);
            }
        }
        Ok(())
    }

    async fn locked_for(&self, attempt: Attempt) -> Result<Option<Duration>, LockoutStoreError> {
        let mut state = self.lock();
        let now = self.clock.monotonic();
        state.expire(now, self.limits.window);
        Ok(self.wait(&state, attempt, now))
    }

    async fn unlock(&self, account: AccountKey) -> Result<(), LockoutStoreError> {
        let mut state = self.lock();
        // The attempts stay counted against their addresses, so they are taken from two indices only.
        let ids = state.by_account.remove(&account).unwrap_or_default();
        for id in ids {
            if let Some((_, attempt)) = state.attempts.get(&id).copied() {
                remove_from(&mut state.by_pair, &attempt, id);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
