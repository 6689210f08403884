//! bcrypt on own threads: the one [`PasswordHasher`] of production.
//!
//! Invariants:
//! - No hash is computed on the thread that asks, and at most `workers` at once.
//! - A password that bcrypt would cut or misread (over 72 bytes, or with a NUL) is refused.
//! - An unknown user costs a hash of the configured cost in the same queue.

use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use resync_kernel::{BoxError, EntropyError, ExposeSecret, SecretString, fill_random};
use thiserror::Error;

use crate::model::{PasswordHash, PasswordPolicy};
use crate::ports::{HasherError, PasswordHasher};
use crate::workers::Workers;

/// Size and cost of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BcryptConfig {
    /// The cost of new hashes, 4 to 31; each step doubles the work, 12 is about 0.25 s.
    pub cost: u32,
    /// Threads; as many as there are cores.
    pub workers: NonZeroUsize,
    /// How many passwords may wait.
    pub queue: NonZeroUsize,
}

/// Why there is no pool.
#[derive(Debug, Error)]
pub enum BcryptPoolError {
    /// bcrypt knows no such cost.
    #[error("auth.bcrypt_cost is {0} and has to be 4 to 31")]
    Cost(u32),
    /// The system gave no thread.
    #[error("the hashing threads could not be started")]
    Threads(#[source] std::io::Error),
    /// The system gave no randomness for the dummy hash.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Hashes with bcrypt on own threads. Dropping it waits for the hashes that are being computed.
pub struct BcryptPool {
    workers: Workers,
    cost: u32,
    dummy: PasswordHash,
}

impl BcryptPool {
    /// Starts the threads. Computes no hash itself.
    ///
    /// # Errors
    /// [`BcryptPoolError`] for a cost that bcrypt does not know, or when the system gives no thread or
    /// no randomness.
    pub fn start(config: BcryptConfig) -> Result<Self, BcryptPoolError> {
        Self::start_observed(config, |_| {})
    }

    /// As [`BcryptPool::start`]; `waited` is told how long each password waited for a thread, on that
    /// thread, and must not block.
    ///
    /// # Errors
    /// As [`BcryptPool::start`].
    pub fn start_observed(
        config: BcryptConfig,
        waited: impl Fn(Duration) + Send + Sync + 'static,
    ) -> Result<Self, BcryptPoolError> {
        if !(4..=31).contains(&config.cost) {
            return Err(BcryptPoolError::Cost(config.cost));
        }
        let dummy = dummy_hash(config.cost)?;
        let workers = Workers::start(
            "resync-hash",
            config.workers,
            config.queue,
            Box::new(waited),
        )
        .map_err(BcryptPoolError::Threads)?;
        Ok(Self {
            workers,
            cost: config.cost,
            dummy,
        })
    }

    /// Passwords that wait for a thread; those that are being hashed do not count.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.workers.waiting()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
    ) -> Result<T, HasherError> {
        let answer = self
            .workers
            .submit(work)
            .map_err(|full| HasherError::Overloaded {
                retry_after: self.time_for(full.waiting),
            })?;
        let result = answer.await.map_err(unavailable)?;
        result.map_err(unavailable)
    }

    /// How long `waiting` hashes take, from 0.25 s for one of cost 12 on one core; at least a second.
    fn time_for(&self, waiting: usize) -> Duration {
        let one = Duration::from_millis(250).mul_f64(2_f64.powi(self.cost.cast_signed() - 12));
        let rounds = u32::try_from(waiting.div_ceil(self.workers.count())).unwrap_or(u32::MAX);
        one.saturating_mul(rounds).max(Duration::from_secs(1))
    }
}

/// A well-formed hash of no known password: a random salt, and random bytes where the hash would be.
/// To verify against it is the work of a real one, to make it is none.
fn dummy_hash(cost: u32) -> Result<PasswordHash, EntropyError> {
    let (mut salt, mut hash) = ([0; 16], [0; 23]);
    fill_random(&mut salt)?;
    fill_random(&mut hash)?;
    let alphabet = GeneralPurpose::new(&BCRYPT, NO_PAD);
    let (salt, hash) = (alphabet.encode(salt), alphabet.encode(hash));
    Ok(PasswordHash::from_stored(format!(
        "$2b${cost:02}${salt}{hash}"
    )))
}

fn unavailable(error: impl Into<BoxError>) -> HasherError {
    HasherError::Unavailable(error.into())
}

fn hashable(password: &SecretString) -> Result<(), HasherError> {
    let text = password.expose_secret();
    if text.len() > PasswordPolicy::MAX_BYTES || text.contains('\0') {
        return Err(HasherError::Unhashable);
    }
    Ok(())
}

#[async_trait]
impl PasswordHasher for BcryptPool {
    /// Cancel safe: a hash that has not begun is not computed.
    async fn hash(&self, password: &SecretString) -> Result<PasswordHash, HasherError> {
        hashable(password)?;
        let (password, cost) = (password.clone(), self.cost);
        self.run(move || bcrypt::hash(password.expose_secret(), cost))
            .await
            .map(PasswordHash::from_stored)
    }

    /// Cancel safe: a hash that has not begun is not computed.
    async fn verify(
        &self,
        password: &SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<bool, HasherError> {
        hashable(password)?;
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        let password = password.clone();
        let fits = self
            .run(move || bcrypt::verify(password.expose_secret(), stored.expose()))
            .await?;
        Ok(fits && known)
    }

    fn needs_rehash(&self, stored: &PasswordHash) -> bool {
        stored
            .expose()
            .parse::<bcrypt::HashParts>()
            .is_ok_and(|parts| parts.get_cost() < self.cost)
    }
}

#[cfg(test)]
mod tests;
