//! The company's identity provider, when `oidc.issuer` names one.

use std::sync::Arc;

use resync_api::state::SingleSignOn;
use resync_auth::{AuthKeys, AuthPorts, ExternalSignIn, GroupRoles, SignInSeal};
use resync_oidc::{OidcProvider, OidcProviderConfig};

use super::StartError;
use super::store::Stores;
use crate::config::{Config, ConfigError};

/// The path that the provider sends the browser back to.
const CALLBACK: &str = "/api/v1/auth/oidc/callback";

/// Signing in there. Nothing is asked yet: a provider that is away does not keep the server from
/// starting.
pub(super) fn sign_in(
    config: &Config,
    keys: &AuthKeys,
    ports: &AuthPorts,
    stores: &Stores,
) -> Result<Option<SingleSignOn>, StartError> {
    let Some(provider) = provider(config)? else {
        return Ok(None);
    };
    let provider = OidcProvider::new(provider, ports.clock.clone())
        .map_err(|error| ConfigError::new("oidc.issuer, oidc.ca_file", error.to_string()))?;
    let seal = SignInSeal::new(keys)
        .map_err(|error| StartError::failed("sign-ins cannot be sealed", error))?;
    let oidc = &config.oidc;
    let set = |groups: &[String]| groups.iter().cloned().collect();
    let roles = GroupRoles {
        admin: set(&oidc.admin_groups),
        operator: set(&oidc.operator_groups),
        viewer: set(&oidc.viewer_groups),
    };
    let identities = stores.identities.clone();
    Ok(Some(SingleSignOn {
        name: oidc.name.clone(),
        sign_in: ExternalSignIn::new(ports.clone(), Arc::new(provider), identities, seal, roles),
    }))
}

fn provider(config: &Config) -> Result<Option<OidcProviderConfig>, ConfigError> {
    let oidc = &config.oidc;
    let Some(issuer) = oidc.issuer.clone() else {
        return Ok(None);
    };
    let missing = |key| ConfigError::new(key, "is missing; oidc.issuer needs it");
    let client_id = oidc.client_id.clone();
    let client_secret = oidc.client_secret.clone();
    let groups = [
        &oidc.admin_groups,
        &oidc.operator_groups,
        &oidc.viewer_groups,
    ];
    if groups.into_iter().all(Vec::is_empty) {
        return Err(ConfigError::new(
            "oidc.admin_groups, oidc.operator_groups, oidc.viewer_groups",
            "are all empty, so nobody could sign in",
        ));
    }
    if !oidc.scopes.iter().any(|scope| scope == "openid") {
        return Err(ConfigError::new("oidc.scopes", "must hold openid"));
    }
    let ca_pem = match &oidc.ca_file {
        Some(path) => Some(std::fs::read(path).map_err(|error| {
            ConfigError::new("oidc.ca_file", format!("{}: {error}", path.display()))
        })?),
        None => None,
    };
    let own = format!("http://{}", config.server.listen);
    let origin = config.server.public_url.as_deref().unwrap_or(&own);
    Ok(Some(OidcProviderConfig {
        issuer,
        client_id: client_id.ok_or_else(|| missing("oidc.client_id"))?,
        client_secret: client_secret.ok_or_else(|| missing("oidc.client_secret"))?,
        redirect_uri: format!("{}{CALLBACK}", origin.trim_end_matches('/')),
        scopes: oidc.scopes.clone(),
        groups_claim: oidc.groups_claim.clone(),
        ca_pem,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> Config {
        let mut config = Config::default();
        config.oidc.issuer = Some("https://idp.example".to_owned());
        config.oidc.client_id = Some("resync".to_owned());
        config.oidc.client_secret = Some("canary".into());
        config.oidc.viewer_groups = vec!["all".to_owned()];
        config
    }

    #[test]
    fn without_an_issuer_there_is_no_single_sign_on() {
        assert!(provider(&Config::default()).unwrap().is_none());
    }

    #[test]
    fn the_browser_comes_back_to_the_address_that_it_knows() {
        let mut config = complete();
        config.server.public_url = Some("https://resync.example/".to_owned());
        let made = provider(&config).unwrap().unwrap();
        assert_eq!(
            made.redirect_uri,
            "https://resync.example/api/v1/auth/oidc/callback"
        );
        assert!(!format!("{made:?}").contains("canary"));
    }

    #[test]
    fn what_is_missing_is_named() {
        type Spoil = fn(&mut Config);
        let wrong: [(&str, Spoil); 5] = [
            ("oidc.client_id", |config| config.oidc.client_id = None),
            ("oidc.client_secret", |config| {
                config.oidc.client_secret = None;
            }),
            ("oidc.admin_groups", |config| {
                config.oidc.viewer_groups.clear();
            }),
            ("oidc.scopes", |config| config.oidc.scopes.clear()),
            ("oidc.ca_file", |config| {
                config.oidc.ca_file = Some("/nowhere/ca.pem".into());
            }),
        ];
        for (key, spoil) in wrong {
            let mut config = complete();
            spoil(&mut config);
            let error = provider(&config).unwrap_err();
            assert!(error.place.starts_with(key), "{key}: {error}");
        }
    }
}
