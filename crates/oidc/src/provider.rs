//! The provider: where it is, what it can do, its keys.
//!
//! What discovery says is kept for an hour; the keys until one is asked for that is not among them, and
//! then fetched anew at most once in [`KEYS_AGAIN`]. Both behind one async mutex, so that many who sign in at
//! once ask once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Certificate, Client, Url};
use resync_auth::{ExternalIdentity, IdentityProvider, ProviderError, RedeemError, SignInRequest};
use resync_kernel::{Clock, ExposeSecret, Monotonic, SecretString};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::http::{CallError, client, is_safe, json};
use crate::token::{ALGORITHMS, Expected, TokenError, check};

/// How long what discovery says is believed.
const DISCOVERED: Duration = Duration::from_hours(1);
/// How soon a provider that did not answer is asked again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How soon the keys may be fetched again.
const KEYS_AGAIN: Duration = Duration::from_secs(10);

/// How the provider knows us.
#[derive(Debug, Clone)]
pub struct OidcProviderConfig {
    /// Its issuer: https, or http on the loopback.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: SecretString,
    /// Where the browser comes back to: our origin and `/api/v1/auth/oidc/callback`.
    pub redirect_uri: String,
    /// Scopes to ask for, `openid` among them.
    pub scopes: Vec<String>,
    /// The claim with the groups.
    pub groups_claim: String,
    /// Authorities (PEM) to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
}

/// Why the configuration does not hold.
#[derive(Debug, Error)]
pub enum OidcConfigError {
    /// The issuer is no address where secrets may go.
    #[error("must be an https address, or http on the loopback")]
    Issuer,
    /// The authorities cannot be read.
    #[error("the client cannot be made")]
    Client(#[source] reqwest::Error),
    /// The authorities are none, so that nobody could be trusted.
    #[error("no certificate is in there")]
    NoAuthority,
}

/// The client of one provider. Starts nothing and asks nothing until the first sign-in.
pub struct OidcProvider {
    config: OidcProviderConfig,
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    discovered: Option<(Monotonic, Arc<Discovered>)>,
    failed: Option<Monotonic>,
    keys: Option<(Monotonic, Arc<JwkSet>)>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

struct Discovered {
    authorize: Url,
    token: Url,
    keys: Url,
    algorithms: Vec<Algorithm>,
    /// The secret goes into the body, since the provider does not take the header.
    secret_in_body: bool,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: SecretString,
}

fn away(error: CallError) -> ProviderError {
    ProviderError(error.into())
}

impl OidcProvider {
    /// A client of the provider of `config`.
    ///
    /// # Errors
    /// [`OidcConfigError`] when the issuer is not safe or the authorities cannot be read.
    pub fn new(config: OidcProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, OidcConfigError> {
        let issuer = Url::parse(&config.issuer).map_err(|_| OidcConfigError::Issuer)?;
        if !is_safe(&issuer) || issuer.query().is_some() || issuer.fragment().is_some() {
            return Err(OidcConfigError::Issuer);
        }
        let authorities = match &config.ca_pem {
            Some(pem) => Some(Certificate::from_pem_bundle(pem).map_err(OidcConfigError::Client)?),
            None => None,
        };
        if authorities.as_ref().is_some_and(Vec::is_empty) {
            return Err(OidcConfigError::NoAuthority);
        }
        let client = client(authorities).map_err(OidcConfigError::Client)?;
        Ok(Self {
            config,
            client,
            clock,
            known: Mutex::default(),
        })
    }

    async fn discovered(&self) -> Result<Arc<Discovered>, ProviderError> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, discovered)) = &known.discovered
            && now - *at < DISCOVERED
        {
            return Ok(Arc::clone(discovered));
        }
        let issuer = self.config.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        // Those who waited for a try that failed do not wait for one of their own.
        if let Some(at) = known.failed
            && now - at < TRY_AGAIN
        {
            return Err(ProviderError("it did not answer a moment ago".into()));
        }
        let document: Result<Document, _> = json(self.client.get(url)).await;
        let discovered = document
            .map_err(away)
            .and_then(|document| self.read(&document));
        known.failed = discovered.is_err().then(|| self.clock.monotonic());
        let discovered = Arc::new(discovered?);
        known.discovered = Some((now, Arc::clone(&discovered)));
        Ok(discovered)
    }

    fn read(&self, document: &Document) -> Result<Discovered, ProviderError> {
        if document.issuer != self.config.issuer {
            return Err(ProviderError("it calls itself another issuer".into()));
        }
        let endpoint = |text: &str| {
            Url::parse(text)
                .ok()
                .filter(is_safe)
                .ok_or_else(|| ProviderError("an endpoint is not https".into()))
        };
        let advertised = &document.id_token_signing_alg_values_supported;
        let algorithms: Vec<_> = ALGORITHMS
            .into_iter()
            .filter(|(_, name)| advertised.iter().any(|one| one == name))
            .map(|(algorithm, _)| algorithm)
            .collect();
        if algorithms.is_empty() {
            return Err(ProviderError(
                "it signs with nothing that is believed".into(),
            ));
        }
        let methods = &document.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().any(|one| one == method);
        Ok(Discovered {
            secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            authorize: endpoint(&document.authorization_endpoint)?,
            token: endpoint(&document.token_endpoint)?,
            keys: endpoint(&document.jwks_uri)?,
            algorithms,
        })
    }

    /// The keys; with `again` anew, unless they were fetched just now.
    async fn keys(&self, from: &Url, again: bool) -> Result<Arc<JwkSet>, ProviderError> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, keys)) = &known.keys
            && (!again || now - *at < KEYS_AGAIN)
        {
            return Ok(Arc::clone(keys));
        }
        let listed: Listed = json(self.client.get(from.clone())).await.map_err(away)?;
        // A key of a kind that we do not know spoils none of the others.
        let keys = listed.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
        let keys = Arc::new(JwkSet {
            keys: keys.collect(),
        });
        known.keys = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }

    async fn check(
        &self,
        token: &SecretString,
        nonce: &str,
        discovered: &Discovered,
    ) -> Result<ExternalIdentity, RedeemError> {
        let expected = Expected {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            nonce,
            groups_claim: &self.config.groups_claim,
            algorithms: &discovered.algorithms,
            now: self.clock.now(),
        };
        let keys = self.keys(&discovered.keys, false).await?;
        let checked = match check(token.expose_secret(), &keys, &expected) {
            Err(TokenError::UnknownKey) => {
                let keys = self.keys(&discovered.keys, true).await?;
                check(token.expose_secret(), &keys, &expected)
            }
            other => other,
        };
        checked.map_err(|error| RedeemError::Invalid(error.into()))
    }
}

#[async_trait]
impl IdentityProvider for OidcProvider {
    async fn authorize(&self, request: &SignInRequest) -> Result<String, ProviderError> {
        let mut url = self.discovered().await?.authorize.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.config.redirect_uri)
            .append_pair("scope", &self.config.scopes.join(" "))
            .append_pair("state", &request.state)
            .append_pair("nonce", &request.nonce)
            .append_pair("code_challenge", &request.challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    async fn redeem(
        &self,
        code: &SecretString,
        verifier: &SecretString,
        nonce: &str,
    ) -> Result<ExternalIdentity, RedeemError> {
        let discovered = self.discovered().await?;
        let (id, secret) = (
            &self.config.client_id,
            self.config.client_secret.expose_secret(),
        );
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", &self.config.redirect_uri),
            ("code_verifier", verifier.expose_secret()),
        ];
        let mut request = self.client.post(discovered.token.clone());
        if discovered.secret_in_body {
            form.extend([("client_id", id.as_str()), ("client_secret", secret)]);
        } else {
            // RFC 6749 2.3.1: both are form-encoded before they become a header.
            let encoded =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(id), Some(encoded(secret)));
        }
        let tokens: Tokens = json(request.form(&form))
            .await
            .map_err(|error| match error {
                CallError::Status(400..=499) => RedeemError::Refused,
                other => RedeemError::Provider(away(other)),
            })?;
        self.check(&tokens.id_token, nonce, &discovered).await
    }
}

#[cfg(test)]
mod tests;
