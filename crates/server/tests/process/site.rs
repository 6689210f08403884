//! A site with several replicas: a database and a Redis of the test's own, and a simulated engine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{COOKIE, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response};
use resync_simulator::{Role, Simulator, Speed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::command::{PASSWORD, run_with};
use crate::server::{PATIENCE, Server};

/// What `scripts/services` hands over under this name.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's services are named by its environment"
)]
pub(crate) fn from_environment(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; run the tests by scripts/test"))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A database of this test's own on the server of `scripts/services`.
pub(crate) struct Database {
    pub(crate) url: String,
    server: String,
    name: String,
    bin: PathBuf,
}

impl Database {
    pub(crate) async fn create() -> Self {
        Self::create_on(from_environment("RESYNC_TEST_POSTGRES_URL")).await
    }

    async fn create_on(server: String) -> Self {
        let name = format!("process_{}", uuid::Uuid::now_v7().simple());
        let (base, _) = server.rsplit_once('/').unwrap();
        let database = Self {
            url: format!("{base}/{name}"),
            server: server.clone(),
            name,
            bin: from_environment("RESYNC_TEST_POSTGRES_BIN").into(),
        };
        database
            .tool("createdb", &["--maintenance-db", &server, &database.name])
            .await;
        database
    }

    /// Runs one of PostgreSQL's own tools.
    pub(crate) async fn tool(&self, tool: &str, args: &[&str]) -> String {
        let done = Command::new(self.bin.join(tool))
            .args(args)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{tool}: {said}");
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = std::process::Command::new(self.bin.join("dropdb"))
            .args([
                "--force",
                "--if-exists",
                "--maintenance-db",
                &self.server,
                &self.name,
            ])
            .status();
        // One that stays behind goes with the server, which is the test run's own.
        if !dropped.is_ok_and(|status| status.success()) {
            eprintln!("the database of a test could not be dropped");
        }
    }
}

/// A Redis that this test may hurt.
pub(crate) struct Redis {
    pub(crate) url: String,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let redis = Self {
            url: format!("redis://127.0.0.1:{port}/"),
            port,
            child: Self::spawn(port, folder.path()),
            folder,
        };
        redis.is_up().await;
        redis
    }

    fn spawn(port: u16, folder: &Path) -> Child {
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    async fn is_up(&self) {
        listens(self.port).await;
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        self.child = Self::spawn(self.port, self.folder.path());
        self.is_up().await;
    }
}

impl Redis {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// It holds its connections and answers nobody.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) async fn command(&self, words: &[&str]) {
        assert_eq!(self.ask(words).await, "OK");
    }

    pub(crate) async fn ask(&self, words: &[&str]) -> String {
        let done = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(words)
            .output()
            .await
            .unwrap();
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }
}

/// A PostgreSQL that this test may hurt. Unlike the shared one it writes to the disk for real.
pub(crate) struct OwnPostgres {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    bin: PathBuf,
}

impl OwnPostgres {
    pub(crate) async fn start() -> Self {
        let postgres = Self {
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
            bin: from_environment("RESYNC_TEST_POSTGRES_BIN").into(),
        };
        // PostgreSQL refuses to run as root, for whom `scripts/services` made an account.
        let here = postgres.folder.path();
        if rustix::process::getuid().is_root() {
            let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(here, everybody).unwrap();
            let owned = std::process::Command::new("install")
                .args(["-d", "-o", "resyncpg"])
                .arg(here.join("pg"))
                .status();
            assert!(owned.unwrap().success());
        }
        let made = postgres.as_postgres("initdb", "-U postgres -A trust -E UTF8 --no-sync");
        assert!(made.await);
        postgres.start_again().await;
        postgres
    }

    async fn as_postgres(&self, tool: &str, args: &str) -> bool {
        let data = self.folder.path().join("pg");
        let line = format!(
            "cd / && '{}' -D '{}' {args}",
            self.bin.join(tool).display(),
            data.display()
        );
        let mut command = if rustix::process::getuid().is_root() {
            let mut command = Command::new("su");
            command.args(["resyncpg", "-s", "/bin/sh", "-c", &line]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", &line]);
            command
        };
        command
            .stdout(Stdio::null())
            .status()
            .await
            .unwrap()
            .success()
    }

    /// An address on this server, of a database that does not exist yet.
    pub(crate) async fn database(&self) -> Database {
        let server = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        Database::create_on(server).await
    }

    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pg/postmaster.pid")).unwrap();
        let pid: i32 = pid.lines().next().unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    pub(crate) async fn start_again(&self) {
        let args = format!(
            "-l '{0}/pg/log' -w -t 60 -o '-p {1} -h 127.0.0.1 -k {0}/pg' start",
            self.folder.path().display(),
            self.port
        );
        // What was killed may still be going.
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE {
            if self.as_postgres("pg_ctl", &args).await {
                return;
            }
        }
        panic!("PostgreSQL does not start");
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until somebody listens on the port.
pub(crate) async fn listens(port: u16) {
    let up = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, up).await.unwrap();
}

/// Everything that replicas share.
pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) redis: Redis,
    pub(crate) simulator: Simulator,
    engine: String,
}

impl Site {
    /// With a migrated database, and the accounts `olga` (operator), `adam` (admin) and `vera` (viewer).
    pub(crate) async fn start() -> Self {
        Self::on(Database::create().await).await
    }

    /// The same on this database, which has no schema yet.
    pub(crate) async fn on(database: Database) -> Self {
        let simulator = Simulator::builder()
            .jobs(300)
            .speed(Speed::Times(60))
            .user("resync", "engine-secret", Role::Operator)
            .start();
        let (redis, simulator) = tokio::join!(Redis::start(), simulator);
        let simulator = simulator.unwrap();
        let site = Self {
            engine: simulator.base_url(),
            database,
            redis,
            simulator,
        };
        let folder = tempfile::tempdir().unwrap();
        site.run(folder.path(), None, &["migrate"]).await;
        for (name, role) in [("olga", "operator"), ("adam", "admin"), ("vera", "viewer")] {
            let args = ["user", "add", name, "--role", role, "--password-stdin"];
            site.run(folder.path(), Some(&format!("{PASSWORD}\n")), &args)
                .await;
        }
        site
    }

    /// The configuration of each replica.
    pub(crate) fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("RESYNC_DATABASE_URL", &self.database.url),
            ("RESYNC_REDIS_URL", &self.redis.url),
            ("RESYNC_TWS_URL", &self.engine),
            ("RESYNC_TWS_USERNAME", "resync"),
            ("RESYNC_TWS_PASSWORD", "engine-secret"),
            ("RESYNC_TWS_NAME", "sim"),
            ("RESYNC_TWS_VERIFY_SECONDS", "1"),
            ("RESYNC_SERVER_SHUTDOWN_SECONDS", "5"),
            // All of a test's requests come from one person or two.
            ("RESYNC_LIMITS_LOGIN", "100000"),
            ("RESYNC_LIMITS_API", "100000"),
            ("RESYNC_LIMITS_CHAT", "100000"),
            ("RESYNC_LIMITS_ACTIONS", "100000"),
            ("RESYNC_LIMITS_UPLOADS", "100000"),
        ]
    }

    async fn run(&self, folder: &Path, stdin: Option<&str>, args: &[&str]) -> String {
        run_with(folder, stdin, args, &self.settings()).await.ok()
    }

    /// Another replica.
    pub(crate) async fn replica(&self, folder: &Path) -> Server {
        Server::start(folder, &self.settings()).await
    }
}

/// Somebody who signed in, at whichever replica.
#[derive(Clone)]
pub(crate) struct Person {
    headers: HeaderMap,
}

impl Person {
    pub(crate) async fn sign_in(server: &Server, name: &str) -> Self {
        let base = format!("http://{}", server.address);
        Self::sign_in_at(&server.client, &base, name).await
    }

    /// Through whatever stands at `base`.
    pub(crate) async fn sign_in_at(client: &Client, base: &str, name: &str) -> Self {
        let body = json!({"username": name, "password": PASSWORD});
        let request = client
            .post(format!("{base}/api/v1/auth/login"))
            .header(ORIGIN, base)
            .json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let cookies: Vec<String> = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|cookie| {
                cookie
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
            .map(|cookie| cookie.trim_start_matches("__Host-"))
            .find_map(|cookie| cookie.strip_prefix("resync_csrf="))
            .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-csrf-token", HeaderValue::try_from(csrf).unwrap());
        headers.insert(COOKIE, HeaderValue::try_from(cookies.join("; ")).unwrap());
        Self { headers }
    }

    /// What the request would be sent with.
    pub(crate) fn headers(&self, origin: &str) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(ORIGIN, HeaderValue::try_from(origin).unwrap());
        headers
    }

    pub(crate) async fn send(
        &self,
        at: &Server,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let origin = format!("http://{}", at.address);
        let request = at
            .client
            .request(method, format!("{origin}{path}"))
            .headers(self.headers(&origin));
        match body {
            Some(body) => request.json(&body).send().await.unwrap(),
            None => request.send().await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, at: &Server, path: &str) -> (u16, Value) {
        read(self.send(at, Method::GET, path, None).await).await
    }

    pub(crate) async fn post(&self, at: &Server, path: &str, body: Value) -> (u16, Value) {
        read(self.send(at, Method::POST, path, Some(body)).await).await
    }

    /// The id of the only job of that name.
    pub(crate) async fn job(&self, at: &Server, name: &str) -> String {
        let (_, page) = self.get(at, &format!("/api/v1/tws/jobs?job={name}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
        page["items"][0]["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let value = serde_json::from_str(&text);
    (status, value.unwrap_or_else(|_| panic!("{text}")))
}

/// Asks until the answer fits, and says how long that took.
pub(crate) async fn until<T>(
    mut ask: impl AsyncFnMut() -> T,
    fits: impl Fn(&T) -> bool,
) -> Duration {
    let began = std::time::Instant::now();
    let fitting = async {
        while !fits(&ask().await) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, fitting).await.unwrap();
    began.elapsed()
}
