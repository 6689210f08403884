//! Many logins at once, and what somebody else feels of them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use resync_auth::{LoginService, SessionService};
use resync_kernel::{BoxError, ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::PASSWORD;

/// The probe asks 200 times a second, whether the last answer is there or not.
const PROBE_EVERY: Duration = Duration::from_millis(5);

/// What a probe felt, in milliseconds.
pub(crate) struct Felt {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// The greatest lag of the 5 ms ticker.
    pub(crate) ticker_max: f64,
}

/// Who logs in, and how.
pub(crate) enum Storm {
    /// Nobody, for as long.
    None(Duration),
    /// Our service.
    Ours(Arc<LoginService>),
    /// As many blocking tasks as there are logins, each with the crate's own `verify`.
    Unbounded(Arc<str>),
}

/// One round of `logins` at once; also how many were served a second.
pub(crate) async fn round(
    storm: &Storm,
    logins: usize,
    probe: &Arc<SessionService>,
    token: &SecretString,
) -> Result<(Felt, f64), BoxError> {
    let until = CancellationToken::new();
    let mut probes = JoinSet::new();
    let (sessions, token, end) = (Arc::clone(probe), token.clone(), until.clone());
    probes.spawn(async move { feel(&sessions, &token, end).await });
    let start = Instant::now();
    match storm {
        Storm::None(time) => tokio::time::sleep(*time).await,
        Storm::Ours(login) => ours(login, logins).await?,
        Storm::Unbounded(hash) => unbounded(hash, logins).await?,
    }
    let elapsed = start.elapsed().as_secs_f64();
    until.cancel();
    let felt = probes.join_next().await.ok_or("the probe is gone")??;
    Ok((felt, crate::f64_of(logins) / elapsed))
}

async fn ours(login: &Arc<LoginService>, logins: usize) -> Result<(), BoxError> {
    let mut storm = JoinSet::new();
    for number in 0..logins {
        let login = Arc::clone(login);
        let host = u8::try_from(number % 250)?;
        let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, host));
        storm.spawn(async move {
            let name = format!("user{number}");
            login
                .log_in(&name, PASSWORD.into(), address)
                .await
                .map(|_| ())
        });
    }
    while let Some(logged_in) = storm.join_next().await {
        logged_in??;
    }
    Ok(())
}

async fn unbounded(hash: &Arc<str>, logins: usize) -> Result<(), BoxError> {
    let mut storm = JoinSet::new();
    for _ in 0..logins {
        let hash = Arc::clone(hash);
        storm.spawn_blocking(move || bcrypt::verify(PASSWORD, &hash));
    }
    while let Some(fits) = storm.join_next().await {
        if !fits?? {
            return Err("the password does not fit".into());
        }
    }
    Ok(())
}

async fn feel(
    sessions: &Arc<SessionService>,
    token: &SecretString,
    until: CancellationToken,
) -> Felt {
    let mut tick = tokio::time::interval(PROBE_EVERY);
    let mut asked = JoinSet::new();
    let (mut waits, mut ticker_max) = (Vec::new(), 0.0_f64);
    loop {
        let due = tokio::select! {
            () = until.cancelled() => break,
            due = tick.tick() => due.into_std(),
        };
        ticker_max = ticker_max.max(millis(due.elapsed()));
        let (sessions, token) = (Arc::clone(sessions), token.clone());
        asked.spawn(async move {
            let known = sessions.authenticate(token.expose_secret()).await;
            // Whoever is not let in has waited for nothing, which is the worst wait.
            known.map_or(f64::INFINITY, |_| millis(due.elapsed()))
        });
        while let Some(wait) = asked.try_join_next() {
            waits.push(wait.unwrap_or(f64::INFINITY));
        }
    }
    while let Some(wait) = asked.join_next().await {
        waits.push(wait.unwrap_or(f64::INFINITY));
    }
    waits.sort_unstable_by(f64::total_cmp);
    let at = |hundredths: usize| {
        let place = waits.len() * hundredths / 100;
        waits.get(place).copied().unwrap_or(f64::NAN)
    };
    Felt {
        p50: at(50),
        p99: at(99),
        ticker_max,
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
