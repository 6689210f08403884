//! From start to a clean end.
//!
//! 1. The listener takes requests only after everything is built.
//! 2. On the first signal readiness fails, and for `server.drain_seconds` requests are answered as before,
//!    each connection's last one. Then nothing new is accepted, sockets get their goodbye, requests in
//!    flight finish, tasks are waited for, the store closes: all of that within `server.shutdown_seconds`.
//! 3. A second signal ends the process at once.
//! 4. Signals are listened for before it is said that requests are: none finds the system's own handling, and
//!    none is lost between two.

use std::io::Write as _;
use std::time::Duration;

use resync_api::serve::{Draining, ServeLimits, Serving, serve as serve_connections};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::wiring::{Built, StartError, build, setup_notice};

/// Runs the server of this configuration until a signal ends it.
///
/// # Errors
/// [`StartError`] when it cannot start; once it listens, only the end comes back.
pub async fn serve(config: &Config) -> Result<(), StartError> {
    let (config, listener) = bind(config.clone()).await?;
    let built = build(&config, None).await?;
    let signals = Signals::listen()?;
    tracing::info!(address = %config.server.listen, "listening");
    if let Some(notice) = setup_notice(&config, &built.app).await? {
        // Where nobody reads it, the next start makes another one.
        let _told = writeln!(std::io::stderr().lock(), "{notice}");
    }
    let drain = Duration::from_secs(config.server.drain_seconds);
    let _watch = until_signal(
        signals,
        built.app.draining.clone(),
        drain,
        built.shutdown.clone(),
    );
    run(built, listener, &config).await;
    tracing::info!("ended");
    Ok(())
}

/// Takes the address, before anything is built on it; port 0 becomes the one that was given. Nobody is
/// answered until [`run`].
///
/// # Errors
/// [`StartError`] naming the address when it is taken or not ours.
pub async fn bind(mut config: Config) -> Result<(Config, TcpListener), StartError> {
    let wanted = config.server.listen;
    let failed = |error| {
        StartError::failed(
            format!("server.listen: {wanted} cannot be listened on"),
            error,
        )
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    config.server.listen = listener.local_addr().map_err(failed)?;
    Ok((config, listener))
}

/// Serves until `built.shutdown` is cancelled, then ends everything in order.
pub async fn run(built: Built, listener: TcpListener, config: &Config) {
    let grace = Duration::from_secs(config.server.shutdown_seconds);
    let limits = ServeLimits {
        header_timeout: Duration::from_secs(config.server.header_timeout_seconds),
        write_timeout: Duration::from_secs(config.server.body_timeout_seconds),
        max_connections: config.server.max_connections,
        shutdown_grace: grace,
    };
    let began = async {
        built.shutdown.cancelled().await;
        Instant::now()
    };
    let serving = Serving {
        listener,
        service: built.edge.clone(),
        limits,
        tls: built.tls.clone(),
        metrics: built.app.metrics.clone(),
        draining: built.app.draining.clone(),
    };
    let serving = serve_connections(serving, built.shutdown.clone());
    let (began, ()) = tokio::join!(began, serving);
    built.close(grace.saturating_sub(began.elapsed())).await;
}

/// Begins to drain at the first signal, and cancels the token after that time; the second signal ends the
/// process with code 1. Dropping what comes back ends the watch.
fn until_signal(
    mut signals: Signals,
    draining: Draining,
    drain: Duration,
    shutdown: CancellationToken,
) -> JoinSet<()> {
    let mut watch = JoinSet::new();
    watch.spawn(async move {
        signals.next().await;
        tracing::info!("shutting down; a second signal ends it at once");
        draining.begin();
        let drained = async {
            tokio::time::sleep(drain).await;
            shutdown.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = drained => {}
            () = signals.next() => std::process::exit(1),
        }
    });
    watch
}

/// SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on: what comes before [`Signals::next`] is asked is not lost.
    ///
    /// # Errors
    /// [`StartError`] when the system refuses.
    pub fn listen() -> Result<Self, StartError> {
        let failed = |error| StartError::failed("signals cannot be listened for".to_owned(), error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
