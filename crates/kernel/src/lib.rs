//! What every crate shares: ids, time, secrets, page cursors.
//!
//! Invariants:
//! - Time and ids are ports ([`Clock`], [`IdGenerator`]); nothing in the workspace reads the
//!   system's clock elsewhere than in [`SystemClock`].
//! - Ages and deadlines are measured in [`Monotonic`] time, which no change of the wall clock moves.
//! - A type moves here when two domains need it, not before.
//!
//! ```
//! use resync_kernel::{Clock, ManualClock};
//! use std::time::Duration;
//!
//! let clock = ManualClock::default();
//! let before = clock.monotonic();
//! clock.advance(Duration::from_secs(3));
//! assert_eq!(clock.monotonic() - before, Duration::from_secs(3));
//! ```

mod clock;
mod error;
mod ids;
mod page;
mod secret;
#[cfg(feature = "test-tls")]
mod test_tls;
mod text;

pub use clock::{Clock, ManualClock, Monotonic, SystemClock};
pub use error::{BoxError, causes, error_chain};
pub use ids::{CountingIds, IdGenerator, SystemIds, UserId, random_token};
pub use page::{Cursor, CursorError, Limit, LimitError, Page};
pub use secrecy::{ExposeSecret, SecretString};
pub use secret::{EntropyError, fill_random};
#[cfg(feature = "test-tls")]
pub use test_tls::TestAuthority;
pub use text::is_hidden;
