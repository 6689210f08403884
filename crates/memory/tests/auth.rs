use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_auth::contract::identities::IdentityHarness;
use resync_auth::contract::lockout::LockoutHarness;
use resync_auth::{IdentityStore, InProcessLockout, LockoutLimits, LockoutStore, UserRepository};
use resync_kernel::ManualClock;
use resync_memory::auth::{
    InMemoryApiKeyRepository, InMemoryIdentityStore, InMemorySessionStore, InMemorySetupTokenStore,
    InMemoryUserRepository,
};

mod users {
    use super::*;

    fn make() -> Ready<Box<InMemoryUserRepository>> {
        ready(Box::default())
    }

    resync_auth::user_repository_contract!(make);
}

mod setup {
    use super::*;

    fn make() -> Ready<Box<InMemorySetupTokenStore>> {
        ready(Box::default())
    }

    resync_auth::setup_token_store_contract!(make);
}

mod identities {
    use super::*;

    struct Both(Arc<InMemoryUserRepository>, InMemoryIdentityStore);

    impl IdentityHarness for Both {
        fn identities(&self) -> &dyn IdentityStore {
            &self.1
        }

        fn users(&self) -> &dyn UserRepository {
            &*self.0
        }
    }

    fn make() -> Ready<Both> {
        let users = Arc::new(InMemoryUserRepository::default());
        ready(Both(users.clone(), InMemoryIdentityStore::new(users)))
    }

    resync_auth::identity_store_contract!(make);
}

mod sessions {
    use super::*;

    fn make() -> Ready<Box<InMemorySessionStore>> {
        ready(Box::default())
    }

    resync_auth::session_store_contract!(make);
}

mod api_keys {
    use super::*;

    fn make() -> Ready<Box<InMemoryApiKeyRepository>> {
        ready(Box::default())
    }

    resync_auth::api_key_repository_contract!(make);
}

mod lockout {
    use super::*;

    struct Harness {
        clock: Arc<ManualClock>,
        store: Arc<InProcessLockout>,
    }

    #[async_trait]
    impl LockoutHarness for Harness {
        fn store(&self) -> Arc<dyn LockoutStore> {
            Arc::clone(&self.store) as _
        }

        async fn advance(&self, by: Duration) {
            self.clock.advance(by);
        }
    }

    fn make() -> Ready<Harness> {
        let clock = Arc::new(ManualClock::default());
        let store = InProcessLockout::new(LockoutLimits::default(), Arc::clone(&clock) as _);
        ready(Harness {
            clock,
            store: Arc::new(store),
        })
    }

    resync_auth::lockout_store_contract!(make);
}

mod rate_limit {
    use resync_auth::contract::rate_limit::RateLimiterHarness;
    use resync_auth::{InProcessRateLimiter, RateLimiter, RateLimits};
    use resync_kernel::Clock;

    use super::*;

    struct InProcess {
        clock: Arc<ManualClock>,
        limiter: Arc<InProcessRateLimiter>,
    }

    #[async_trait]
    impl RateLimiterHarness for InProcess {
        fn limiter(&self) -> Arc<dyn RateLimiter> {
            self.limiter.clone()
        }

        async fn advance(&self, by: Duration) {
            self.clock.advance(by);
        }
    }

    fn make() -> Ready<InProcess> {
        let clock = Arc::new(ManualClock::default());
        let ours: Arc<dyn Clock> = clock.clone();
        let limiter = Arc::new(InProcessRateLimiter::new(&RateLimits::default(), &ours));
        ready(InProcess { clock, limiter })
    }

    resync_auth::rate_limiter_contract!(make);
}
