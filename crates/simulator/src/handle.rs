//! Building, holding and steering a simulator.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeZone, Utc};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{Mutex, watch};

use crate::{
    engine::{Outcome, Setup},
    fault::Rule,
    profile::Profile,
    server::{Received, Running, Secret, Shared, Speed, User, World, acceptor, control},
    wire::{Quirk, ROOT, Role, Settings, Version},
};

/// Why a simulator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address could not be listened on.
    #[error("could not listen")]
    Listen(#[from] io::Error),
    /// The certificate or the TLS listener could not be made.
    #[error("could not set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The number of jobs is outside 1 to 100,000.
    #[error("{0} jobs: a plan has 1 to 100,000")]
    Jobs(usize),
}

impl From<rcgen::Error> for StartError {
    fn from(error: rcgen::Error) -> Self {
        Self::Tls(Box::new(error))
    }
}

impl From<rustls::Error> for StartError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(Box::new(error))
    }
}

/// The night in full swing: 02:30 in Rome.
fn default_start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 3, 1, 30, 0)
        .single()
        .unwrap_or_default()
}

/// What a simulator is to be like. Made by [`Simulator::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    seed: u64,
    jobs: usize,
    start: DateTime<Utc>,
    speed: Speed,
    users: Vec<User>,
    listen: SocketAddr,
    control_listen: SocketAddr,
    external: String,
    quirks: BTreeSet<Quirk>,
    faults: Vec<Rule>,
    profile: Profile,
    version: Version,
    tls: bool,
}

impl Builder {
    fn new() -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            seed: 42,
            jobs: 2000,
            start: default_start(),
            speed: Speed::Frozen,
            users: Vec::new(),
            listen: anywhere,
            control_listen: anywhere,
            external: "https://mdm.bank.invalid:31116".to_owned(),
            quirks: BTreeSet::new(),
            faults: Vec::new(),
            profile: Profile::Bank,
            version: Version::V10_1,
            tls: false,
        }
    }

    /// Which installation is played. [`Profile::Bank`] by default.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Which release answers. [`Version::V10_1`] by default.
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Speaks TLS, with a certificate for `localhost`, `127.0.0.1` and `::1` that a CA of its own
    /// has signed; [`Simulator::ca_pem`] gives that CA.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Decides everything that looks like chance. 42 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Jobs of the first plan, 1 to 100,000. 2,000 by default.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Virtual time at the start; the plan day before it has been lived through. Fractions of a
    /// second are dropped. `2026-03-03T01:30:00Z` by default.
    pub fn start_time(mut self, start: DateTime<Utc>) -> Self {
        self.start = start;
        self
    }

    /// How virtual time moves. Frozen by default.
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Adds a user. Without any, `operator` with password `secret` is an operator.
    pub fn user(mut self, name: &str, password: &str, role: Role) -> Self {
        let secret = Secret::Password(password.to_owned());
        self.add_user(name, secret, role);
        self
    }

    /// Adds an API key: `Authorization: Bearer <token>` is `name`, until `expires` in virtual time.
    pub fn api_key(
        mut self,
        name: &str,
        token: &str,
        role: Role,
        expires: Option<DateTime<Utc>>,
    ) -> Self {
        let expires = expires.map(|at| at.timestamp());
        self.add_user(name, Secret::Token(token.to_owned(), expires), role);
        self
    }

    /// Objects in this folder and below are absent for the user added last.
    pub fn hide_folder(mut self, folder: &str) -> Self {
        if let Some(user) = self.users.last_mut() {
            user.hidden.push(folder.to_owned());
        }
        self
    }

    fn add_user(&mut self, name: &str, secret: Secret, role: Role) {
        self.users.push(User {
            name: name.to_owned(),
            secret,
            role,
            hidden: Vec::new(),
        });
    }

    /// Where the interface listens. `127.0.0.1:0` by default.
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Where the control plane listens. `127.0.0.1:0` by default.
    pub fn control_listen(mut self, listen: SocketAddr) -> Self {
        self.control_listen = listen;
        self
    }

    /// Scheme, host and port that `next` and `url` name. By default one that does not resolve, so
    /// that a client that follows it fails.
    pub fn external_url(mut self, url: &str) -> Self {
        url.trim_end_matches('/').clone_into(&mut self.external);
        self
    }

    /// Adds another reading of the document.
    pub fn quirk(mut self, quirk: Quirk) -> Self {
        self.quirks.insert(quirk);
        self
    }

    /// Adds a rule to misbehave by; the first that matches decides.
    pub fn fault(mut self, rule: Rule) -> Self {
        self.faults.push(rule);
        self
    }

    /// Lives the plan day up to the start time and listens.
    ///
    /// # Errors
    /// When an address cannot be listened on, or the number of jobs is out of range.
    pub async fn start(self) -> Result<Simulator, StartError> {
        if !(1..=100_000).contains(&self.jobs) {
            return Err(StartError::Jobs(self.jobs));
        }
        let setup = Setup {
            seed: self.seed,
            jobs: self.jobs,
            start: self.start.timestamp(),
            profile: self.profile,
            ids_survive: self.quirks.contains(&Quirk::IdsSurvive),
            late_hold: self.quirks.contains(&Quirk::LateHold),
            confirm_strictly: self.quirks.contains(&Quirk::ConfirmBad),
        };
        let mut users = self.users;
        if users.is_empty() {
            users.push(User {
                name: "operator".to_owned(),
                secret: Secret::Password("secret".to_owned()),
                role: Role::Operator,
                hidden: Vec::new(),
            });
        }
        let (acceptor, ca_pem) = if self.tls {
            let (acceptor, pem) = acceptor()?;
            (Some(acceptor), Some(pem))
        } else {
            (None, None)
        };
        let (open, _) = watch::channel(true);
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(setup, self.speed, self.faults)),
            settings: Settings {
                external: self.external,
                quirks: self.quirks,
                version: self.version,
                profile: self.profile.name(),
                users: users.iter().map(|user| user.name.clone()).collect(),
            },
            users,
            open,
        });
        let running = Running::start(&shared, self.listen, self.control_listen, acceptor).await?;
        Ok(Simulator {
            shared,
            running,
            ca_pem,
        })
    }
}

/// A running simulator. Dropping it closes its sockets and connections.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    running: Running,
    ca_pem: Option<String>,
}

impl Simulator {
    /// A simulator to be described.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// `http://127.0.0.1:PORT/twsd/api/v2`, or `https://…` with TLS.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}{ROOT}", self.root_url())
    }

    /// `http://127.0.0.1:PORT`, where `/metrics` lies, or `https://…` with TLS.
    #[must_use]
    pub fn root_url(&self) -> String {
        let scheme = if self.ca_pem.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.running.address)
    }

    /// The CA that signed the certificate, as PEM, when it speaks TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// `http://127.0.0.1:PORT`, the control plane.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}", self.running.control_address)
    }

    /// Where the interface listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// A handle to steer it by; it may outlive the simulator.
    #[must_use]
    pub fn control(&self) -> Control {
        Control {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Closes everything and waits until it is closed. Cancel safe: it closes anyway.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.running.cancel();
    }
}

/// Steers a simulator. Every call first brings the plan to the present; all are cancel safe.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    /// Moves virtual time on; what is due meanwhile has happened when this returns.
    pub async fn advance(&self, by: Duration) {
        self.shared.world.lock().await.advance(by);
    }

    /// Moves virtual time on until the latest run of `job` (id, path, `STREAM.JOB` or name) has this
    /// status, such as `EXEC`, for `within` at most; whether it has.
    pub async fn advance_until(&self, job: &str, status: &str, within: Duration) -> bool {
        let within = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
        let mut world = self.shared.world.lock().await;
        world.advance_until(within, |engine| engine.status_of(job) == Some(status))
    }

    /// The day's edge comes at once: the plan ends within four virtual minutes.
    pub async fn switch_plan(&self) {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.engine.switch_soon();
    }

    /// For so much virtual time every request is dropped unanswered.
    pub async fn go_down(&self, for_time: Duration) {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.go_down(i64::try_from(for_time.as_secs()).unwrap_or(i64::MAX));
    }

    /// Reads show the plan as it was so much virtual time ago, one's own writes included; zero ends
    /// it. A plan is kept twice meanwhile.
    pub async fn set_lag(&self, lag: Duration) {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.set_lag(i64::try_from(lag.as_secs()).unwrap_or(i64::MAX));
    }

    /// Whether new connections are taken; while they are not, nobody listens on the port.
    pub fn listen(&self, open: bool) {
        self.shared.open.send_replace(open);
    }

    /// The cause of failures of this kind (`F02`) is gone, for one job (id, path, `STREAM.JOB` or
    /// name) or for all: reruns meet it no more. How many failed jobs that concerns.
    pub async fn fix(&self, failure: &str, job: Option<&str>) -> usize {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.engine.fix(failure, job)
    }

    /// Changes how virtual time moves from now on; a speed is held to 1 to 86,400.
    pub async fn set_speed(&self, speed: Speed) {
        self.shared.world.lock().await.set_speed(speed);
    }

    /// Stops virtual time.
    pub async fn freeze(&self) {
        self.set_speed(Speed::Frozen).await;
    }

    /// Virtual time.
    pub async fn now(&self) -> DateTime<Utc> {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.now()
    }

    /// Time, plan, speed and counts, as `GET /state` gives them.
    pub async fn state(&self) -> Value {
        let mut world = self.shared.world.lock().await;
        world.tick();
        control::state(&world)
    }

    /// Failures with their causes, stuck streams, unanswered prompts, lost workstations, as
    /// `GET /truth` gives them.
    pub async fn truth(&self) -> Value {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.engine.truth()
    }

    /// What has happened and who asked for it, as `GET /journal` gives it.
    pub async fn journal(&self) -> Value {
        let mut world = self.shared.world.lock().await;
        world.tick();
        control::journal(&world)
    }

    /// The requests received since start or reset, oldest first; the last 10,000.
    pub async fn requests(&self) -> Vec<Received> {
        self.shared.world.lock().await.requests()
    }

    /// Adds a rule after those in force.
    pub async fn add_fault(&self, rule: Rule) {
        self.shared.world.lock().await.faults.add(rule);
    }

    /// Drops all rules.
    pub async fn clear_faults(&self) {
        self.shared.world.lock().await.faults.clear();
    }

    /// Forces the outcome of the next run of `job`: its id, its key (`/FINDB01#/FIN/EOD/FIN_EOD.
    /// FIN_GL_POST`), `STREAM.JOB`, or its name. Several are taken one after the other.
    pub async fn script(&self, job: &str, outcome: Outcome) {
        let mut world = self.shared.world.lock().await;
        world.tick();
        world.engine.script(job, outcome);
    }

    /// Everything as it was at the start: plan, time, speed, faults; requests are forgotten.
    pub async fn reset(&self) {
        self.shared.world.lock().await.reset();
    }
}
