//! Beginning and ending a sign-in at the provider.

use std::collections::BTreeSet;
use std::sync::Arc;

use resync_kernel::{BoxError, SecretString, UserId, random_token};
use thiserror::Error;

use super::{
    ExternalAccount, ExternalIdentity, IdentityProvider, IdentityStore, IdentityStoreError,
    ProviderError, RedeemError, ReturnTo, SignInSeal,
};
use crate::model::{Actor, Client, Origin, Principal, Role, User, Username};
use crate::ports::{AuthEventKind, ExternalRefusal, UserRepositoryError};
use crate::service::{AuthPorts, LoggedIn, LoginService, OldSession};

/// Which groups of the provider make which role; the highest one counts.
#[derive(Debug, Clone, Default)]
pub struct GroupRoles {
    /// Groups of administrators.
    pub admin: BTreeSet<String>,
    /// Groups of operators.
    pub operator: BTreeSet<String>,
    /// Groups of viewers.
    pub viewer: BTreeSet<String>,
}

impl GroupRoles {
    /// The role of somebody in `groups`, `None` when none of them is known here.
    #[must_use]
    pub fn role(&self, groups: &[String]) -> Option<Role> {
        let ranked = [
            (&self.admin, Role::Admin),
            (&self.operator, Role::Operator),
            (&self.viewer, Role::Viewer),
        ];
        ranked
            .into_iter()
            .find(|(known, _)| groups.iter().any(|group| known.contains(group)))
            .map(|(_, role)| role)
    }
}

/// Signs people in at the identity provider.
pub struct ExternalSignIn {
    ports: AuthPorts,
    provider: Arc<dyn IdentityProvider>,
    identities: Arc<dyn IdentityStore>,
    seal: SignInSeal,
    roles: GroupRoles,
}

/// A sign-in that began. `Debug` does not show the cookie.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// For an `HttpOnly` cookie of this browser, for [`super::PENDING`].
    pub cookie: SecretString,
}

/// Why no sign-in began.
#[derive(Debug, Error)]
pub enum BeginError {
    /// The provider did not answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Something needed did not answer.
    #[error("signing in is not possible now")]
    Unavailable(#[source] BoxError),
}

/// Why a sign-in did not end with a session.
#[derive(Debug, Error)]
pub enum CompleteError {
    /// It did not begin in this browser, is over, or was answered before.
    #[error("the sign-in did not begin in this browser, or took too long")]
    NotBegun,
    /// The provider proved nobody.
    #[error(transparent)]
    Redeem(#[from] RedeemError),
    /// The provider tells no name that an account may have.
    #[error("the identity provider tells no usable name")]
    NoName,
    /// A local account has that name.
    #[error("a local account has that name")]
    NameTaken,
    /// None of the groups has a role here.
    #[error("none of the groups has a role here")]
    NoRole,
    /// The groups would take the role of the last administrator.
    #[error("the last admin cannot go")]
    LastAdmin,
    /// Something needed did not answer.
    #[error("signing in is not possible now")]
    Unavailable(#[from] BoxError),
}

impl CompleteError {
    /// What the audit log says of it.
    const fn reason(&self) -> ExternalRefusal {
        match self {
            Self::NotBegun => ExternalRefusal::NotBegun,
            Self::Redeem(RedeemError::Refused | RedeemError::Invalid(_)) => {
                ExternalRefusal::NotProven
            }
            Self::NoName => ExternalRefusal::NoName,
            Self::NameTaken => ExternalRefusal::NameTaken,
            Self::NoRole => ExternalRefusal::NoRole,
            Self::LastAdmin => ExternalRefusal::LastAdmin,
            Self::Redeem(RedeemError::Provider(_)) | Self::Unavailable(_) => {
                ExternalRefusal::Unavailable
            }
        }
    }
}

fn unavailable(error: impl Into<BoxError>) -> CompleteError {
    CompleteError::Unavailable(error.into())
}

impl ExternalSignIn {
    /// Signs in at `provider`, with roles by group.
    #[must_use]
    pub fn new(
        ports: AuthPorts,
        provider: Arc<dyn IdentityProvider>,
        identities: Arc<dyn IdentityStore>,
        seal: SignInSeal,
        roles: GroupRoles,
    ) -> Self {
        Self {
            ports,
            provider,
            identities,
            seal,
            roles,
        }
    }

    /// Begins a sign-in. Cancel safe: nothing is kept.
    ///
    /// # Errors
    /// [`BeginError`] when the provider is away.
    #[tracing::instrument(name = "auth.oidc.begin", skip_all)]
    pub async fn begin(&self, return_to: ReturnTo) -> Result<Begun, BeginError> {
        let begun = self.seal.begin(return_to, self.ports.clock.now());
        let (pending, cookie) = begun.map_err(|error| BeginError::Unavailable(error.into()))?;
        let url = self.provider.authorize(&pending.request()).await?;
        Ok(Begun { url, cookie })
    }

    /// Ends a sign-in: `cookie` is what [`ExternalSignIn::begin`] gave the browser, `state` and `code` are
    /// what it came back with. Opens a session by `logins`, which takes the place of `old`, that came with
    /// the request.
    ///
    /// Cancel safe: storing runs to its end.
    ///
    /// # Errors
    /// [`CompleteError`]; there is no session then, and a refusal is in the audit log.
    #[tracing::instrument(name = "auth.oidc.complete", skip_all)]
    pub async fn complete(
        &self,
        logins: &LoginService,
        cookie: &str,
        (state, code): (&str, &SecretString),
        client: Client,
        old: Option<&Principal>,
    ) -> Result<(LoggedIn, ReturnTo), CompleteError> {
        let old = old.and_then(OldSession::of);
        match self.prove(cookie, state, code, &client).await {
            Ok((user, return_to)) => {
                let opened = logins.open(user, client, old).await;
                Ok((opened.map_err(unavailable)?, return_to))
            }
            Err(error) => {
                self.refuse(error.reason(), &client).await?;
                Err(error)
            }
        }
    }

    /// Records that a sign-in opened no session, for a reason that shows before it is completed.
    ///
    /// Cancel safe: runs to its end.
    ///
    /// # Errors
    /// [`CompleteError::Unavailable`] when it is not recorded.
    pub async fn refuse(
        &self,
        reason: ExternalRefusal,
        client: &Client,
    ) -> Result<(), CompleteError> {
        let kind = AuthEventKind::ExternalLoginFailed { reason };
        let (ports, origin) = (self.ports.clone(), client.origin(Actor::Unproven));
        let work = async move {
            let recorded = ports.record(origin, kind).await;
            recorded.map_err(unavailable)
        };
        self.ports.to_the_end(work).await
    }

    async fn prove(
        &self,
        cookie: &str,
        state: &str,
        code: &SecretString,
        client: &Client,
    ) -> Result<(User, ReturnTo), CompleteError> {
        let pending = self
            .seal
            .open(cookie, self.ports.clock.now())
            .filter(|pending| pending.state == state)
            .ok_or(CompleteError::NotBegun)?;
        let identity = self
            .provider
            .redeem(code, &pending.verifier, &pending.nonce)
            .await?;
        let role = self
            .roles
            .role(&identity.groups)
            .ok_or(CompleteError::NoRole)?;
        let by = client.origin(Actor::IdentityProvider);
        let user = match self.find(&identity.account).await? {
            Some(user) => self.follow(user, role, by).await?,
            None => self.provision(&identity, role, by).await?,
        };
        Ok((user, pending.return_to))
    }

    async fn find(&self, account: &ExternalAccount) -> Result<Option<User>, CompleteError> {
        self.identities.find(account).await.map_err(unavailable)
    }

    /// Gives the user the role that the groups say; another one ends the sessions of before.
    async fn follow(&self, user: User, role: Role, by: Origin) -> Result<User, CompleteError> {
        if user.role == role {
            return Ok(user);
        }
        let (ports, id) = (self.ports.clone(), user.id);
        let work = async move {
            let changed = ports.users.update(id, role.into()).await;
            ports.memory.forget_user(id);
            let user = changed.map_err(|error| match error {
                UserRepositoryError::LastAdmin => CompleteError::LastAdmin,
                other => unavailable(other),
            })?;
            ports.sweep(id).await;
            let kind = AuthEventKind::RoleChanged { user_id: id, role };
            ports.record(by, kind).await.map_err(unavailable)?;
            Ok(user)
        };
        self.ports.to_the_end(work).await
    }

    async fn provision(
        &self,
        identity: &ExternalIdentity,
        role: Role,
        by: Origin,
    ) -> Result<User, CompleteError> {
        let name = identity
            .name
            .as_deref()
            .and_then(|name| Username::parse(name).ok());
        let username = name.ok_or(CompleteError::NoName)?;
        // Nobody ever sees it, so there is no password to log in with.
        let unknown = SecretString::from(random_token(32).map_err(unavailable)?);
        let password_hash = self
            .ports
            .hasher
            .hash(&unknown)
            .await
            .map_err(unavailable)?;
        let user = User {
            id: UserId(self.ports.ids.next()),
            username,
            role,
            password_hash,
            session_version: 0,
            created_at: self.ports.clock.now(),
        };
        let (ports, identities) = (self.ports.clone(), Arc::clone(&self.identities));
        let (account, new) = (identity.account.clone(), user.clone());
        let work = async move {
            match identities.provision(&account, &new).await {
                Ok(()) => {}
                Err(IdentityStoreError::NameTaken) => return Err(CompleteError::NameTaken),
                // Two tabs at once: the other one made the user.
                Err(IdentityStoreError::AlreadyLinked) => {
                    let found = identities.find(&account).await.map_err(unavailable)?;
                    return found.ok_or_else(|| unavailable(IdentityStoreError::AlreadyLinked));
                }
                Err(error) => return Err(unavailable(error)),
            }
            let kind = AuthEventKind::UserCreated {
                user_id: new.id,
                username: new.username.clone(),
                role: new.role,
            };
            ports.record(by, kind).await.map_err(unavailable)?;
            Ok(new)
        };
        self.ports.to_the_end(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_of_all_groups_counts_and_an_unknown_group_none() {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let roles = GroupRoles {
            admin: set("root"),
            operator: set("ops"),
            viewer: set("all"),
        };
        let of = |groups: &[&str]| {
            let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
            roles.role(&groups)
        };
        assert_eq!(of(&["all", "ops"]), Some(Role::Operator));
        assert_eq!(of(&["ops", "root"]), Some(Role::Admin));
        assert_eq!(of(&["all"]), Some(Role::Viewer));
        assert_eq!(of(&["ROOT", "guests"]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(GroupRoles::default().role(&[String::new()]), None);
    }
}
