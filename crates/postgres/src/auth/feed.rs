//! Whether another replica changed users, sessions or API keys.

use std::sync::Arc;

use resync_auth::SessionFeed;

use crate::{PgChannel, PgNotices};

/// The changes that [`PgNotices`] hears of on [`PgChannel::Auth`]. It follows nothing until
/// [`PgNotices::run`] runs. Our own changes come back too; they only make us ask the database once more.
#[derive(Debug, Clone)]
pub struct PgSessionFeed {
    notices: Arc<PgNotices>,
}

impl PgSessionFeed {
    /// The changes that `notices` hears of.
    #[must_use]
    pub const fn new(notices: Arc<PgNotices>) -> Self {
        Self { notices }
    }
}

impl SessionFeed for PgSessionFeed {
    fn generation(&self) -> Option<u64> {
        self.notices.generation(PgChannel::Auth)
    }
}
