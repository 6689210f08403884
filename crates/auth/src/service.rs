//! The use cases: log in, prove who asks, log out, and look after users.

mod api_keys;
mod login;
mod ports;
mod session;
mod setup;
mod users;

pub use api_keys::{ApiKeyService, ApiKeySetupError, CreateApiKeyError, MadeApiKey, NewApiKey};
pub(crate) use login::OldSession;
pub use login::{LoggedIn, LoginError, LoginService, ProvenUser};
pub use ports::AuthPorts;
pub use session::{AuthenticateError, For, LogOutError, SessionPolicy, SessionService};
pub use setup::{SetupError, SetupService, SetupTicket};
pub use users::{
    ChangePasswordError, ChangeUserError, CreateUserError, FirstAdmin, ManageUserError, NewUser,
    UserChange, UserService,
};

#[cfg(test)]
mod tests;
