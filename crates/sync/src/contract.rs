//! The laws of the ports that replicas share by, for every adapter to run.
//!
//! An adapter's tests name a function that makes a harness, and each macro gives one named test for each
//! law: `resync_sync::leases_contract!(make);`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "laws are tests and fail by panicking"
)]

pub mod answers;
pub mod lease;
pub mod notices;
pub mod shared;

use std::future::Future;
use std::time::Duration;

use tokio::time::{interval, timeout};

/// How soon what happens by itself has happened, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(10);

/// What `look` gives once it gives something.
/// It fails after ten seconds.
pub async fn soon<T, Fut: Future<Output = Option<T>>>(mut look: impl FnMut() -> Fut) -> T {
    let mut tick = interval(Duration::from_millis(5));
    let found = async {
        loop {
            tick.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(SOON, found).await.expect("it never came to be")
}

/// Gives an adapter one test for each law; used by the macros of the ports.
#[doc(hidden)]
#[macro_export]
macro_rules! __sync_laws {
    ($module:ident, $make:path, $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let harness = $make().await;
                $crate::contract::$module::$law(&harness).await;
            }
        )*
    };
}
