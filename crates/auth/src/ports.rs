//! What this domain needs from the world.

mod api_keys;
mod events;
mod feed;
mod hasher;
mod lockout;
mod sessions;
mod setup;
mod users;

pub use api_keys::*;
pub use events::*;
pub use feed::*;
pub use hasher::*;
pub use lockout::*;
pub use sessions::*;
pub use setup::*;
pub use users::*;
