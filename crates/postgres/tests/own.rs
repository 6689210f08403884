//! A PostgreSQL that a test may hurt.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use resync_postgres::{PgConfig, PgDatabase};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::{Connection, PgConnection};

use crate::server::from_environment;

/// The account that PostgreSQL runs under where the test runs as root, which it refuses.
const ACCOUNT: &str = "resyncpg";

pub(crate) struct OwnPostgres {
    pub(crate) url: String,
    port: u16,
    data: PathBuf,
    _folder: tempfile::TempDir,
}

fn is_root() -> bool {
    geteuid().is_root()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// A command of PostgreSQL, under its account.
fn postgres(name: &str, arguments: &str) -> Command {
    let program = Path::new(&from_environment("RESYNC_TEST_POSTGRES_BIN")).join(name);
    let line = format!("cd / && '{}' {arguments} >/dev/null", program.display());
    if is_root() {
        let mut command = Command::new("su");
        command.args([ACCOUNT, "-s", "/bin/sh", "-c", &line]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", &line]);
        command
    }
}

/// The server's process and those that it began.
fn processes(server: i32) -> Vec<i32> {
    let ids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<i32>().ok()
    });
    let begun_by = |id: &i32| {
        // The name is in brackets and may hold spaces; after it come the state and the parent.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, after) = stat.rsplit_once(')')?;
        after.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    ids.filter(|id| *id == server || begun_by(id) == Some(server))
        .collect()
}

/// A process may have ended meanwhile.
fn send(id: i32, signal: Signal) {
    let _ended = kill_process(Pid::from_raw(id).unwrap(), signal);
}

impl OwnPostgres {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        if is_root() {
            run(Command::new("chmod").arg("755").arg(folder.path()));
            run(Command::new("install")
                .args(["-d", "-o", ACCOUNT])
                .arg(&data));
        } else {
            std::fs::create_dir(&data).unwrap();
        }
        let arguments = format!(
            "-D '{}' -U postgres -A trust -E UTF8 --no-sync",
            data.display()
        );
        run(&mut postgres("initdb", &arguments));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let own = Self {
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            port,
            data,
            _folder: folder,
        };
        own.begin().await;
        own
    }

    /// Starts the server and waits until it answers. The port of a killed one may be free a moment later.
    pub(crate) async fn begin(&self) {
        let (data, port) = (self.data.display(), self.port);
        let arguments = format!(
            "-D '{data}' -l '{data}/log' -w -t 60 -o '-p {port} -h 127.0.0.1 -k {data}' start"
        );
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..50 {
            tick.tick().await;
            let mut begin = postgres("pg_ctl", &arguments);
            let output = tokio::task::spawn_blocking(move || begin.output().unwrap());
            if output.await.unwrap().status.success() {
                let connection = PgConnection::connect(&self.url).await.unwrap();
                return connection.close().await.unwrap();
            }
        }
        let log = std::fs::read_to_string(self.data.join("log")).unwrap();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        panic!("the server does not start: {last:?}");
    }

    /// The server's process, while it runs.
    fn server(&self) -> Option<i32> {
        let file = std::fs::read_to_string(self.lock()).ok()?;
        file.lines().next()?.parse().ok()
    }

    fn lock(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    /// To the server first, so that it begins no other process meanwhile.
    fn signal(&self, signal: Signal) {
        let Some(server) = self.server() else { return };
        send(
            server,
            if signal == Signal::KILL {
                Signal::STOP
            } else {
                signal
            },
        );
        for id in processes(server) {
            send(id, signal);
        }
    }

    /// Ends it at once, as a crash of the machine does.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
        // It names a process that is no more, or is only not yet cleared away.
        let _absent = std::fs::remove_file(self.lock());
    }

    /// Stops it in mid-air: connections stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) async fn open(&self) -> PgDatabase {
        PgDatabase::open(&PgConfig {
            max_connections: 4,
            statement_timeout: Duration::from_secs(1),
            lock_timeout: Duration::from_millis(500),
            ..PgConfig::new(self.url.as_str().into())
        })
        .await
        .unwrap()
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        self.kill();
    }
}
