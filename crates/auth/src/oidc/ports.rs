//! Who proves identities, and which account is whose.

use async_trait::async_trait;
use resync_kernel::{BoxError, SecretString};
use thiserror::Error;

use crate::model::User;

/// What a sign-in is begun with.
#[derive(Debug, Clone)]
pub struct SignInRequest {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back inside the signed answer.
    pub nonce: String,
    /// The S256 challenge of the verifier that redeems the code (RFC 7636).
    pub challenge: String,
}

/// What the provider says of somebody, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// Who says it.
    pub account: ExternalAccount,
    /// The name that the person goes by there; may change.
    pub name: Option<String>,
    /// The groups there.
    pub groups: Vec<String>,
}

/// An account at a provider; these two never change and are never reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalAccount {
    /// The provider's `iss`.
    pub issuer: String,
    /// The account's `sub` there.
    pub subject: String,
}

/// The company's identity provider.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Where the browser goes to sign in.
    async fn authorize(&self, request: &SignInRequest) -> Result<String, ProviderError>;

    /// Changes the code that the browser came back with for who it is. The answer's signature, issuer,
    /// audience, times and `nonce` are checked here.
    async fn redeem(
        &self,
        code: &SecretString,
        verifier: &SecretString,
        nonce: &str,
    ) -> Result<ExternalIdentity, RedeemError>;
}

/// The provider did not answer, or not in a way that could be used.
#[derive(Debug, Error)]
#[error("the identity provider is unavailable")]
pub struct ProviderError(#[source] pub BoxError);

/// Why a code proved nobody.
#[derive(Debug, Error)]
pub enum RedeemError {
    /// The provider refused the code: used, expired, or not ours.
    #[error("the identity provider refused the code")]
    Refused,
    /// The provider's answer does not hold.
    #[error("the identity provider's answer is not valid")]
    Invalid(#[source] BoxError),
    /// The provider did not answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// Keeps which user an external account is.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// The user that `account` was linked with.
    async fn find(&self, account: &ExternalAccount) -> Result<Option<User>, IdentityStoreError>;

    /// Adds `user` and the link, both or neither. [`IdentityStoreError::NameTaken`] when a user of that
    /// name exists, [`IdentityStoreError::AlreadyLinked`] when the account has a user by now.
    async fn provision(
        &self,
        account: &ExternalAccount,
        user: &User,
    ) -> Result<(), IdentityStoreError>;
}

/// What went wrong with links.
#[derive(Debug, Error)]
pub enum IdentityStoreError {
    /// A user of that name exists.
    #[error("a user of that name exists")]
    NameTaken,
    /// The account is linked with a user.
    #[error("the account is linked already")]
    AlreadyLinked,
    /// The store did not do it.
    #[error("the store of identities is unavailable")]
    Unavailable(#[source] BoxError),
}
