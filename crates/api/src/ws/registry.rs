//! How many sockets are open, in all and for each user.
//!
//! 1. `no_more_than_the_limits`: a socket over a limit gets no place.
//! 2. `a_place_is_given_back`: also when its task panics or is dropped.
//! 3. `no_user_outlives_their_sockets`: the map is empty when nobody is connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use resync_kernel::UserId;

/// The open sockets. Cheap to clone: all clones count together.
#[derive(Debug, Clone, Default)]
pub struct Sockets {
    // Guards a few numbers for a few instructions, never across an await.
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// A place among the open sockets, given back on drop.
#[derive(Debug)]
pub(crate) struct Place {
    sockets: Sockets,
    user: UserId,
}

impl Sockets {
    /// A place, unless the user or all users have as many as they may.
    pub(crate) fn enter(&self, user: UserId, per_user: usize, in_all: usize) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&user).copied().unwrap_or(0);
        if own >= per_user || all >= in_all {
            return None;
        }
        open.insert(user, own + 1);
        Some(Place {
            sockets: self.clone(),
            user,
        })
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .sockets
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    #[test]
    fn no_more_than_the_limits() {
        let sockets = Sockets::default();
        let _first = sockets.enter(user(1), 2, 3).unwrap();
        let _second = sockets.enter(user(1), 2, 3).unwrap();
        assert!(sockets.enter(user(1), 2, 3).is_none());
        let _third = sockets.enter(user(2), 2, 3).unwrap();
        assert!(sockets.enter(user(3), 2, 3).is_none());
        assert_eq!(sockets.count(), 3);
    }

    #[test]
    fn a_place_is_given_back() {
        let sockets = Sockets::default();
        let place = sockets.enter(user(1), 1, 1).unwrap();
        let panicked = std::thread::spawn(move || {
            let _place = place;
            panic!("planted");
        })
        .join();
        assert!(panicked.is_err());
        assert!(sockets.enter(user(1), 1, 1).is_some());
    }

    #[test]
    fn no_user_outlives_their_sockets() {
        let sockets = Sockets::default();
        drop((sockets.enter(user(1), 9, 9), sockets.enter(user(2), 9, 9)));
        assert!(sockets.open.lock().unwrap().is_empty());
    }
}
