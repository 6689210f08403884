//! Whether what others change in the stores is heard of.

/// Says whether changes that other processes make to users, sessions and API keys are being followed.
///
/// What is remembered of the stores is believed only while they are: see
/// [`SessionMemory`](crate::SessionMemory). Asking is cheap, for it happens with each request.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait SessionFeed: Send + Sync {
    /// The generation of the stores, which is another one after each change that somebody else may have
    /// made; `None` while changes are not being followed, so that the stores themselves must be asked.
    ///
    /// A change shows here within 100 ms of its commit, or the answer is `None` within a second.
    fn generation(&self) -> Option<u64>;
}

/// Nobody but this process changes the stores, as with those in memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoleWriter;

impl SessionFeed for SoleWriter {
    fn generation(&self) -> Option<u64> {
        Some(0)
    }
}

/// Changes are not followed: each request asks the stores.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotFollowed;

impl SessionFeed for NotFollowed {
    fn generation(&self) -> Option<u64> {
        None
    }
}
