//! Limits on guessing passwords.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::BoxError;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Counts attempts on passwords.
///
/// An attempt is counted *before* the password is looked at and given back when it was right, so
/// that N attempts at once are N attempts. The store has its own clock: a shared one must not
/// believe its callers' clocks. A refused attempt counts nowhere, so a lock cannot be prolonged from
/// outside.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait LockoutStore: Send + Sync {
    /// Counts an attempt, or refuses it.
    async fn reserve(&self, attempt: Attempt) -> Result<Reservation, ReserveError>;

    /// Gives an attempt back. An attempt that is never settled stays counted.
    /// Unknown and expired reservations are no error.
    async fn settle(
        &self,
        reservation: Reservation,
        outcome: Outcome,
    ) -> Result<(), LockoutStoreError>;

    /// How long [`LockoutStore::reserve`] would refuse, `None` if it would not. Asking counts nothing.
    async fn locked_for(&self, attempt: Attempt) -> Result<Option<Duration>, LockoutStoreError>;

    /// Forgets what is counted against `account`, from every address. What is counted against the
    /// addresses stays.
    async fn unlock(&self, account: AccountKey) -> Result<(), LockoutStoreError>;
}

/// Who tries, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The account, known or not.
    pub account: AccountKey,
    /// The address.
    pub address: AddressKey,
}

impl Attempt {
    /// An attempt on the account that `username` names.
    #[must_use]
    pub fn new(username: &str, address: IpAddr) -> Self {
        Self {
            account: AccountKey::of(username),
            address: AddressKey::of(address),
        }
    }
}

/// Names an account without keeping its name: half a SHA-256 of the name in lower case. It exists
/// for names that no user has and that no user could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountKey(pub [u8; 16]);

impl AccountKey {
    /// The key of `username`, in any case.
    #[must_use]
    pub fn of(username: &str) -> Self {
        let digest = Sha256::digest(username.to_lowercase());
        let mut half = [0; 16];
        half.iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        Self(half)
    }
}

/// Where an attempt comes from: an IPv4 address, or the /64 network of an IPv6 address, since one
/// host has all of it. An IPv4 address written as IPv6 is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey(IpAddr);

impl AddressKey {
    /// The key of `address`.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & (u128::MAX << 64);
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }

    /// The address, or the first of the network.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

/// A counted attempt that can be given back once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The store's own name for the attempt.
    pub id: u64,
    /// Whose attempt it is.
    pub attempt: Attempt,
}

/// Why an attempt is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The password was right: this attempt, and all others of the same account from the same
    /// address, are forgotten.
    Succeeded,
    /// The password was not looked at: this attempt alone is forgotten.
    NotLooked,
}

/// How many attempts within a window are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutLimits {
    /// On one account from one address.
    pub per_account_and_address: u32,
    /// On one account from all addresses together.
    pub per_account: u32,
    /// From one address on all accounts together.
    pub per_address: u32,
    /// The window; an attempt counts for exactly that long.
    pub window: Duration,
}

impl LockoutLimits {
    /// Whether a limit is 0, so that no attempt at all is looked at.
    #[must_use]
    pub fn forbid_all(&self) -> bool {
        let limits = [
            self.per_account_and_address,
            self.per_account,
            self.per_address,
        ];
        limits.contains(&0)
    }
}

impl Default for LockoutLimits {
    /// 5, 20 and 30 in 15 minutes.
    fn default() -> Self {
        Self {
            per_account_and_address: 5,
            per_account: 20,
            per_address: 30,
            window: Duration::from_mins(15),
        }
    }
}

/// Why an attempt was not counted.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// Too many attempts; the password must not be looked at.
    #[error("too many attempts")]
    Locked {
        /// When the next attempt will be looked at, at the earliest.
        retry_after: Duration,
    },
    /// The store did not answer; the password must not be looked at.
    #[error(transparent)]
    Store(#[from] LockoutStoreError),
}

/// The store did not answer.
#[derive(Debug, Error)]
#[error("the lockout store is unavailable")]
pub struct LockoutStoreError(#[source] pub BoxError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_give_new_attempts() {
        assert_eq!(AccountKey::of("Ana"), AccountKey::of("ana"));
        assert_ne!(AccountKey::of("ana"), AccountKey::of("ana "));
    }

    #[test]
    fn a_host_cannot_walk_through_its_own_network() {
        let key = |text: &str| AddressKey::of(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:0:0:9"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }
}
