//! Signing in at a real provider, step by step as a browser does.

use std::collections::BTreeMap;
use std::process::Stdio;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, Url, redirect};
use resync_server::config::Config;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::harness::{Options, PASSWORD, Resync, read};

const LOGIN: &str = "/api/v1/auth/oidc/login?return_to=%2Fjobs%3Fa%3Db";

/// The provider; it ends with the test.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's services are named by its environment"
        )]
        let folder = std::env::var("RESYNC_TEST_OIDC_PROVIDER")
            .unwrap_or_else(|_| panic!("run the tests by scripts/test"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/oidc_provider.mjs");
        let mut child = Command::new("node")
            .args([script, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer = loop {
            let line = answers.next_line().await.unwrap().unwrap();
            if let Some(issuer) = line.strip_prefix("issuer ") {
                break issuer.to_owned();
            }
        };
        Self {
            issuer,
            child,
            orders,
            answers,
        }
    }

    pub(crate) async fn order(&mut self, order: Value) {
        let line = format!("{order}\n");
        self.orders.write_all(line.as_bytes()).await.unwrap();
        while self.answers.next_line().await.unwrap().unwrap() != "done" {}
    }

    pub(crate) async fn person(&mut self, id: &str, name: &str, groups: &[&str]) {
        let person = json!({"person": id, "name": name, "groups": groups});
        self.order(person).await;
    }

    /// A provider and a Resync that know each other.
    async fn with_resync() -> (Self, Resync) {
        let mut provider = Self::start().await;
        let issuer = provider.issuer.clone();
        let resync = Resync::start_with(Options::default(), |config| {
            configure(config, issuer);
        })
        .await;
        let redirect_uri = resync.url("/api/v1/auth/oidc/callback");
        provider.order(json!({"redirect_uri": redirect_uri})).await;
        (provider, resync)
    }
}

pub(crate) fn configure(config: &mut Config, issuer: String) {
    let one = |name: &str| vec![name.to_owned()];
    config.oidc.issuer = Some(issuer);
    config.oidc.client_id = Some("resync".to_owned());
    config.oidc.client_secret = Some("a secret: with / signs".into());
    config.oidc.scopes = ["openid", "profile", "groups"].map(str::to_owned).into();
    config.oidc.admin_groups = one("root");
    config.oidc.operator_groups = one("ops");
    config.oidc.viewer_groups = one("all");
    "Example".clone_into(&mut config.oidc.name);
}

/// Cookies by host and port, and no redirect followed by itself.
pub(crate) struct Browser {
    client: Client,
    pub(crate) cookies: BTreeMap<(u16, String), String>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            client,
            cookies: BTreeMap::new(),
        }
    }

    async fn send(&mut self, method: Method, url: &Url, form: &[(&str, &str)]) -> Response {
        let port = url.port().unwrap();
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .filter(|((at, _), _)| *at == port)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let body = form_urlencoded(form);
        let mut request = self
            .client
            .request(method.clone(), url.clone())
            .header(COOKIE, cookies.join("; "));
        if method == Method::POST {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let key = (port, name.to_owned());
            if value.is_empty() {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, url: &Url) -> Response {
        self.send(Method::GET, url, &[]).await
    }

    /// Walks from our page through the provider's forms to the address that it sends the browser back to,
    /// without going there.
    pub(crate) async fn until_back(&mut self, resync: &Resync, person: &str) -> Url {
        let ours = resync.address.port();
        let start = Url::parse(&resync.url(LOGIN)).unwrap();
        let mut url = target(&start, &self.get(&start).await);
        let action = regex::Regex::new("action=\"([^\"]+)\"").unwrap();
        for _ in 0..12 {
            if url.port() == Some(ours) {
                return url;
            }
            let answer = self.get(&url).await;
            if answer.status().is_redirection() {
                url = target(&url, &answer);
                continue;
            }
            let page = answer.text().await.unwrap();
            let to = action
                .captures(&page)
                .unwrap_or_else(|| panic!("no form in {page}"));
            let to = url.join(&to[1].replace("&amp;", "&")).unwrap();
            let form: &[_] = if page.contains("name=\"login\"") {
                &[("prompt", "login"), ("login", person), ("password", "any")]
            } else {
                &[("prompt", "consent")]
            };
            let sent = self.send(Method::POST, &to, form).await;
            url = target(&to, &sent);
        }
        panic!("the provider never sent the browser back, last to {url}");
    }

    /// Signs in; where the browser is sent in the end.
    async fn sign_in(&mut self, resync: &Resync, person: &str) -> String {
        let back = self.until_back(resync, person).await;
        location(&self.get(&back).await)
    }

    async fn who(&mut self, resync: &Resync) -> (u16, Value) {
        let url = Url::parse(&resync.url("/api/v1/auth/verify")).unwrap();
        read(self.get(&url).await).await
    }
}

/// The rows of the audit, oldest first.
async fn rows(resync: &Resync) -> Vec<Value> {
    let page = resync.app.audit.list(None, 500).await.unwrap();
    let items = page.items.iter().rev();
    items
        .map(|row| serde_json::to_value(row).unwrap())
        .collect()
}

/// The last row is a sign-in that was refused for `reason`, and names nobody.
async fn refused_for(resync: &Resync, reason: &str) {
    let row = rows(resync).await.pop().unwrap();
    assert_eq!(said(&row), ["anonymous", "auth.login", "refused"]);
    assert_eq!(row["detail"], format!("from 127.0.0.1, {reason}"));
    assert_eq!(row["target"], "identity provider");
    assert!(row["user_id"].is_null() && row["request_id"].is_string());
}

/// What a row says of who did what, with what outcome.
fn said(row: &Value) -> [&str; 3] {
    ["actor", "action", "outcome"].map(|member| row[member].as_str().unwrap())
}

fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://form/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or("").to_owned()
}

pub(crate) fn location(answer: &Response) -> String {
    assert!(answer.status().is_redirection(), "{}", answer.status());
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

fn target(from: &Url, answer: &Response) -> Url {
    from.join(&location(answer)).unwrap()
}

fn with(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(
        pairs
            .iter()
            .map(|(key, old)| (key.as_str(), if key == name { value } else { old })),
    );
    changed
}

#[tokio::test]
async fn groups_at_the_provider_give_the_role_at_each_sign_in() {
    let (mut provider, resync) = Provider::with_resync().await;
    let mut browser = Browser::new();
    provider.person("4711", "ana", &["ops", "all"]).await;
    assert_eq!(browser.sign_in(&resync, "4711").await, "/jobs?a=b");
    let (status, ana) = browser.who(&resync).await;
    assert_eq!((status, &ana["username"]), (200, &json!("ana")));
    assert_eq!(ana["role"], "operator");

    // Another name there is the same account here; another role ends the sessions of before.
    provider.person("4711", "ana.renamed", &["all"]).await;
    let mut elsewhere = Browser::new();
    assert_eq!(elsewhere.sign_in(&resync, "4711").await, "/jobs?a=b");
    let (_, again) = elsewhere.who(&resync).await;
    assert_eq!(
        (&again["id"], &again["role"]),
        (&ana["id"], &json!("viewer"))
    );
    assert_eq!(again["username"], "ana");
    assert_eq!(browser.who(&resync).await.0, 401);

    // Who signs in again in the same browser leaves no session behind.
    assert_eq!(elsewhere.sign_in(&resync, "4711").await, "/jobs?a=b");
    let listed = Url::parse(&resync.url("/api/v1/auth/sessions")).unwrap();
    let (_, sessions) = read(elsewhere.get(&listed).await).await;
    let text = sessions.to_string();
    assert_eq!(text.matches("\"created_at\"").count(), 1, "{text}");
}

/// P3: an account and a role that the provider's groups make are its doing, a session is the person's; each
/// row names the request and where it came from.
#[tokio::test]
async fn what_a_sign_in_at_the_provider_does_is_in_the_audit() {
    let (mut provider, resync) = Provider::with_resync().await;
    let before = rows(&resync).await.len();
    for group in ["ops", "all"] {
        provider.person("4711", "ana", &[group]).await;
        assert_eq!(Browser::new().sign_in(&resync, "4711").await, "/jobs?a=b");
    }
    let rows = rows(&resync).await.split_off(before);
    let provider = "system:identity-provider";
    assert_eq!(
        rows.iter().map(said).collect::<Vec<_>>(),
        [
            [provider, "user.created", "succeeded"],
            ["ana", "auth.login", "succeeded"],
            [provider, "user.changed", "succeeded"],
            ["ana", "auth.login", "succeeded"],
        ]
    );
    for row in &rows {
        assert_eq!(row["detail"], "from 127.0.0.1", "{row}");
        assert!(row["request_id"].is_string(), "{row}");
        assert_eq!(row["user_id"].is_string(), row["actor"] == "ana", "{row}");
    }
    assert!(rows[0]["target"].as_str().unwrap().starts_with("ana ("));
    assert!(rows[2]["target"].as_str().unwrap().ends_with(", viewer"));
}

#[tokio::test]
async fn a_name_of_a_local_account_and_a_stranger_to_all_groups_are_refused() {
    let (mut provider, resync) = Provider::with_resync().await;
    provider.person("1", "Adam", &["root"]).await;
    provider.person("2", "eva", &["cooks"]).await;
    provider.person("3", "not a name", &["all"]).await;
    for (person, code, reason) in [
        ("1", "name-taken", "a local account has the name"),
        ("2", "no-role", "none of the groups has a role"),
        ("3", "no-name", "the identity provider tells no usable name"),
    ] {
        let mut browser = Browser::new();
        let to = browser.sign_in(&resync, person).await;
        assert_eq!(to, format!("/?signin_error={code}"));
        assert_eq!(browser.who(&resync).await.0, 401);
        refused_for(&resync, reason).await;
    }
    // The local account is as before, and nobody from the provider has a password here.
    resync.sign_in("adam").await;
    provider.person("4", "eva", &["all"]).await;
    assert_eq!(Browser::new().sign_in(&resync, "4").await, "/jobs?a=b");
    for password in [PASSWORD, ""] {
        let body = json!({"username": "eva", "password": password});
        let answer = resync
            .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
            .await;
        assert_eq!(answer.status(), 401);
    }
}

#[tokio::test]
async fn what_began_elsewhere_or_was_used_before_opens_no_session() {
    let (mut provider, resync) = Provider::with_resync().await;
    provider.person("4711", "ana", &["ops"]).await;

    // The answer of one browser, shown by another: one that began nothing, and one that began its own.
    let mut owner = Browser::new();
    let back = owner.until_back(&resync, "4711").await;
    let mut stranger = Browser::new();
    let refused = "/?signin_error=expired";
    assert_eq!(location(&stranger.get(&back).await), refused);
    let not_begun = "it did not begin in this browser, or took too long";
    refused_for(&resync, not_begun).await;
    let own = stranger.until_back(&resync, "4711").await;
    assert_eq!(location(&stranger.get(&back).await), refused);
    refused_for(
        &resync,
        "it did not begin in this browser, or took too long",
    )
    .await;
    assert_eq!(stranger.who(&resync).await.0, 401);

    // Its state is right, but the code was redeemed with another verifier: a code of another browser.
    let code = own
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let injected = with(&back, "code", &code);
    let kept = owner.cookies.clone();
    assert_eq!(
        location(&owner.get(&injected).await),
        "/?signin_error=refused"
    );
    refused_for(&resync, "the identity provider proved nobody").await;
    assert_eq!(owner.who(&resync).await.0, 401);

    // A state of nobody; then the right one, once; then the same answer again, with the cookie kept.
    owner.cookies = kept.clone();
    let wrong = with(&back, "state", "x");
    assert_eq!(location(&owner.get(&wrong).await), refused);
    owner.cookies = kept.clone();
    assert_eq!(location(&owner.get(&back).await), "/jobs?a=b");
    assert_eq!(owner.who(&resync).await.0, 200);
    assert_eq!(
        location(&owner.get(&back).await),
        refused,
        "the cookie is gone"
    );
    let mut thief = Browser::new();
    thief.cookies = kept;
    assert_eq!(location(&thief.get(&back).await), "/?signin_error=refused");
    assert_eq!(thief.who(&resync).await.0, 401);
}

#[tokio::test]
async fn denied_at_the_provider_is_said_and_its_words_are_not_repeated() {
    let (_provider, resync) = Provider::with_resync().await;
    let mut browser = Browser::new();
    for (error, code, reason) in [
        ("access_denied", "denied", "denied at the identity provider"),
        ("<script>", "refused", "the identity provider proved nobody"),
    ] {
        let mut url = Url::parse(&resync.url("/api/v1/auth/oidc/callback")).unwrap();
        url.query_pairs_mut().append_pair("error", error);
        let to = location(&browser.get(&url).await);
        assert_eq!(to, format!("/?signin_error={code}"));
        refused_for(&resync, reason).await;
    }
}

#[tokio::test]
async fn nobody_is_sent_to_another_host_afterwards() {
    let (mut provider, resync) = Provider::with_resync().await;
    provider.person("4711", "ana", &["ops"]).await;
    let mut browser = Browser::new();
    let back = browser.until_back(&resync, "4711").await;
    browser.get(&back).await;
    // Signed in at the provider by now, so it asks nothing more.
    let path = "/api/v1/auth/oidc/login?return_to=%2F%2Fevil.example";
    let mut url = Url::parse(&resync.url(path)).unwrap();
    for _ in 0..4 {
        url = target(&url, &browser.get(&url).await);
        if url.path() == "/" {
            break;
        }
    }
    assert_eq!(url.as_str(), resync.url("/"));
}

#[tokio::test]
async fn keys_that_were_rotated_before_anybody_signed_in_are_read() {
    let (mut provider, resync) = Provider::with_resync().await;
    provider.person("4711", "ana", &["ops"]).await;
    provider.order(json!({"rotate": true})).await;
    assert_eq!(Browser::new().sign_in(&resync, "4711").await, "/jobs?a=b");
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_and_passwords_go_on() {
    let (mut provider, resync) = Provider::with_resync().await;
    provider.person("4711", "ana", &["ops"]).await;
    let mut browser = Browser::new();
    let back = browser.until_back(&resync, "4711").await;
    provider.child.kill().await.unwrap();
    let to = location(&browser.get(&back).await);
    assert_eq!(to, "/?signin_error=unavailable");
    refused_for(&resync, "something needed did not answer").await;
    assert_eq!(browser.who(&resync).await.0, 401);
    resync.sign_in("olga").await;
}

#[tokio::test]
async fn an_issuer_that_answers_garbage_opens_nothing() {
    // A Resync is no provider: its answers there are pages or problems.
    let other = Resync::start(Options::default()).await;
    let issuer = other.origin();
    let resync = Resync::start_with(Options::default(), |config| configure(config, issuer)).await;
    let mut browser = Browser::new();
    let url = Url::parse(&resync.url(LOGIN)).unwrap();
    assert_eq!(
        location(&browser.get(&url).await),
        "/?signin_error=unavailable"
    );
}

#[tokio::test]
async fn the_page_learns_which_ways_there_are() {
    let plain = Resync::start(Options::default()).await;
    let methods = "/api/v1/auth/methods";
    let (_, ways) = read(plain.anonymous(Method::GET, methods, None).await).await;
    assert_eq!(
        ways,
        json!({"password": true, "oidc": null, "setup": false})
    );
    let none = plain.anonymous(Method::GET, LOGIN, None).await;
    assert_eq!(none.status(), 404);
    let resync = Resync::start_with(Options::default(), |config| {
        configure(config, "http://127.0.0.1:1".to_owned());
    })
    .await;
    let (_, ways) = read(resync.anonymous(Method::GET, methods, None).await).await;
    assert_eq!(ways["oidc"], json!({"name": "Example"}));
}
