//! A whole Resync for one test: simulator, server with its own wiring, users, a browser of sorts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response};
use resync_auth::{Actor, NewUser, Origin, Role, Username};
use resync_kernel::SecretString;
use resync_server::config::Config;
use resync_server::lifecycle;
use resync_server::wiring::{DemoEngine, build};
use resync_simulator::{Control, Simulator, Speed};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Who has an account in a test.
const PEOPLE: [(&str, Role); 4] = [
    ("vera", Role::Viewer),
    ("olga", Role::Operator),
    ("otto", Role::Operator),
    ("adam", Role::Admin),
];

/// A running server before a simulated engine.
pub(crate) struct Resync {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Control,
    pub(crate) app: resync_api::state::App,
    client: Client,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    simulator: Option<Simulator>,
    // Removed when the test ends.
    folder: tempfile::TempDir,
}

/// How a test wants it.
pub(crate) struct Options {
    pub(crate) speed: Speed,
    pub(crate) jobs: usize,
    pub(crate) engine_password: &'static str,
    pub(crate) adjust: fn(&mut Config),
    /// Nobody has an account yet, as before the first start.
    pub(crate) nobody: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            speed: Speed::Frozen,
            jobs: 300,
            engine_password: "engine-secret",
            adjust: |_| {},
            nobody: false,
        }
    }
}

impl Resync {
    pub(crate) async fn start(options: Options) -> Self {
        Self::start_with(options, |_| {}).await
    }

    /// As [`Resync::start`], with what this test alone knows.
    pub(crate) async fn start_with(options: Options, adjust: impl FnOnce(&mut Config)) -> Self {
        let simulator = Simulator::builder()
            .jobs(options.jobs)
            .speed(options.speed)
            .user("resync", "engine-secret", resync_simulator::Role::Operator)
            .start()
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.server.data_dir = folder.path().to_path_buf();
        config.server.shutdown_seconds = 5;
        config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
        // The hash's cost is proved elsewhere; here it would only make each test wait.
        config.auth.bcrypt_cost = 4;
        config.tws.timeout_seconds = 2;
        // Every user of a test comes from one address; the limits are proved in `edge`.
        config.limits.login = 100_000;
        config.limits.chat = 100_000;
        config.limits.actions = 100_000;
        config.limits.api = 100_000;
        (options.adjust)(&mut config);
        adjust(&mut config);
        let engine = DemoEngine {
            name: "sim".to_owned(),
            url: simulator.base_url(),
            username: "resync".to_owned(),
            password: options.engine_password.into(),
        };
        let (config, listener) = lifecycle::bind(config).await.unwrap();
        let built = build(&config, Some(engine)).await.unwrap();
        let people = if options.nobody {
            Vec::new()
        } else {
            PEOPLE.to_vec()
        };
        for (name, role) in people {
            let username = Username::parse(name).unwrap();
            let new = NewUser {
                username,
                password: SecretString::from(PASSWORD),
                role,
            };
            let by = Origin::of(Actor::Configuration);
            built.users.create(new, by).await.unwrap();
        }
        let (app, shutdown, tasks) = (
            built.app.clone(),
            built.shutdown.clone(),
            TaskTracker::new(),
        );
        let address = config.server.listen;
        tasks.spawn(async move { lifecycle::run(built, listener, &config).await });
        tasks.close();
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap();
        let engine = simulator.control();
        Self {
            address,
            engine,
            app,
            client,
            shutdown,
            tasks,
            simulator: Some(simulator),
            folder,
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn anonymous(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let request = self
            .client
            .request(method, self.url(path))
            .header(ORIGIN, self.origin());
        match body {
            Some(body) => request.json(&body).send().await.unwrap(),
            None => request.send().await.unwrap(),
        }
    }

    pub(crate) async fn sign_in(&self, name: &str) -> Session {
        let body = json!({"username": name, "password": PASSWORD});
        let answer = self
            .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
            .await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let cookies: Vec<String> = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| {
                value
                    .to_str()
                    .unwrap()
                    .split(';')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let csrf = cookies
            .iter()
            .find_map(|cookie| cookie.strip_prefix("resync_csrf="))
            .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::try_from(cookies.join("; ")).unwrap());
        headers.insert("x-csrf-token", HeaderValue::try_from(csrf).unwrap());
        headers.insert(ORIGIN, HeaderValue::try_from(self.origin()).unwrap());
        Session {
            client: self.client.clone(),
            base: self.origin(),
            headers,
        }
    }

    /// Somebody who shows an API key, from nowhere in particular: no cookie, no origin, no CSRF token.
    pub(crate) fn with_key(&self, key: &str) -> Session {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::try_from(format!("Bearer {key}")).unwrap();
        headers.insert(AUTHORIZATION, value);
        Session {
            client: self.client.clone(),
            base: self.origin(),
            headers,
        }
    }

    /// The same browser before this server, which took the place of the one that it signed in at.
    pub(crate) fn taken_over(&self, mut session: Session) -> Session {
        session.base = self.origin();
        let origin = HeaderValue::try_from(self.origin()).unwrap();
        session.headers.insert(ORIGIN, origin);
        session
    }

    /// Takes the engine away, as if its machine died.
    pub(crate) async fn kill_engine(&mut self) {
        self.simulator.take().unwrap().stop().await;
    }

    /// Ends the server as a signal would, and waits for it.
    pub(crate) async fn stop(&self) {
        self.shutdown.cancel();
        self.tasks.wait().await;
    }

    /// The file of its store.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("resync.db")
    }

    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }
}

/// A signed-in user.
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    base: String,
    pub(crate) headers: HeaderMap,
}

impl Session {
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .headers(self.headers.clone());
        match body {
            Some(body) => request.json(&body).send().await.unwrap(),
            None => request.send().await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.send(Method::GET, path, None).await).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.send(Method::POST, path, Some(body)).await).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        read(self.send(Method::DELETE, path, None).await).await
    }

    /// Makes an API key and returns its id and text.
    pub(crate) async fn make_key(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({"name": "a robot", "scopes": scopes, "expires_in_days": 30});
        let (status, made) = self.post("/api/v1/auth/api-keys", body).await;
        assert_eq!(status, 201, "{made}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["api_key"]["id"]), text(&made["key"]))
    }

    pub(crate) async fn ask(&self, message: &str) -> Value {
        let (status, answer) = self.post("/api/v1/chat", json!({"message": message})).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The id of the only job of that name in that stream.
    pub(crate) async fn job(&self, stream: &str, name: &str) -> String {
        let (_, page) = self
            .get(&format!("/api/v1/tws/jobs?stream={stream}&job={name}"))
            .await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
        page["items"][0]["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let value = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap()
    };
    (status, value)
}

/// The Redis that `scripts/services` starts.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's services are named by its environment"
)]
pub(crate) fn redis_url() -> String {
    std::env::var("RESYNC_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!("RESYNC_TEST_REDIS_URL is not set; run the tests by scripts/test")
    })
}
