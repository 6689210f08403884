//! What is counted, and `GET /metrics`.
//!
//! The registry is a value that the server builds; nothing here is global. Labels are route
//! templates, methods, classes and names of the configuration, never an id, an address or a user
//! (P5): a request to no route of ours is one row, `unmatched`.
//!
//! The hot path touches atomics and one histogram: a route's counters are looked up once, at its
//! first request, and kept in its `RouteMeter`.

mod reading;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use resync_auth::RateClass;
use resync_kernel::{ExposeSecret, SecretString};

use crate::problem::Problem;
use crate::state::App;

pub use reading::{Reading, Seconds};

/// Upper bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// The route that signs in with a password.
const LOGIN: &str = "/api/v1/auth/login";
/// What scrapers of this format ask for.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why a request or connection was turned away without being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// As many requests as may be were under way.
    Requests,
    /// As many connections as may be were open.
    Connections,
    /// The hashing threads had no room for another login.
    Hashing,
}

impl Shed {
    const ALL: [Self; 3] = [Self::Requests, Self::Connections, Self::Hashing];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Connections => "connections",
            Self::Hashing => "hashing",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// How signing in with a password ended: the code of the problem, and the label.
const REFUSED_LOGINS: [(&str, &str); 5] = [
    ("bad-credentials", "failed"),
    ("locked-out", "locked"),
    ("rate-limited", "limited"),
    ("overloaded", "overloaded"),
    ("unavailable", "unavailable"),
];
/// The label of one that went well.
const SIGNED_IN: &str = "succeeded";

type Logins = Family<OutcomeLabel, Counter>;

/// The counters of the edge and whatever else the server reads out. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    unmatched: RouteMeter,
    shed: Family<ReasonLabel, Counter>,
    limited: Family<ClassLabel, Counter>,
    logins: Logins,
    lockouts: Counter,
    connections: Gauge,
}

impl Metrics {
    /// Counters that start at zero, beside what `readings` tell at each scrape.
    #[must_use]
    pub fn new(readings: Vec<Reading>) -> Self {
        let mut registry = Registry::with_prefix("resync");
        let requests = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> _);
        let (logins, lockouts) = (Logins::default(), Counter::default());
        let (shed, limited) = (
            Family::<ReasonLabel, Counter>::default(),
            Family::<ClassLabel, Counter>::default(),
        );
        // Each row is there from the start, or its first increase would not be seen as one.
        for reason in Shed::ALL.map(Shed::as_str) {
            drop(shed.get_or_create(&ReasonLabel { reason }));
        }
        for class in RateClass::ALL.map(RateClass::as_str) {
            drop(limited.get_or_create(&ClassLabel { class }));
        }
        let outcomes = REFUSED_LOGINS.iter().map(|(_, outcome)| *outcome);
        for outcome in outcomes.chain([SIGNED_IN]) {
            drop(logins.get_or_create(&OutcomeLabel { outcome }));
        }
        let connections = Gauge::default();
        registry.register(
            "http_requests",
            "Requests that were answered",
            Family::clone(&requests),
        );
        registry.register(
            "http_request_seconds",
            "Seconds from a request's head to its answer's",
            Family::clone(&seconds),
        );
        registry.register(
            "shed",
            "Requests and connections turned away under load",
            Family::clone(&shed),
        );
        registry.register(
            "rate_limited",
            "Requests refused by a rate limit",
            Family::clone(&limited),
        );
        registry.register(
            "logins",
            "Attempts to sign in with a password, by how they ended",
            Logins::clone(&logins),
        );
        registry.register(
            "lockouts",
            "Passwords that were not looked at because of a lockout",
            lockouts.clone(),
        );
        registry.register(
            "connections",
            "Connections that are open",
            connections.clone(),
        );
        for reading in readings {
            registry.register_collector(Box::new(reading));
        }
        let unmatched =
            RouteMeter::new("any", "unmatched", requests.clone(), seconds.clone(), None);
        Self(Arc::new(Inner {
            registry,
            requests,
            seconds,
            unmatched,
            shed,
            limited,
            logins,
            lockouts,
            connections,
        }))
    }

    /// The meter of a route of the table.
    #[must_use]
    pub(crate) fn route(&self, method: &'static str, template: &'static str) -> RouteMeter {
        let outcome = SIGNED_IN;
        let signed_in = (template == LOGIN)
            .then(|| self.0.logins.get_or_create_owned(&OutcomeLabel { outcome }));
        RouteMeter::new(
            method,
            template,
            self.0.requests.clone(),
            self.0.seconds.clone(),
            signed_in,
        )
    }

    pub(crate) fn unmatched(&self) -> &RouteMeter {
        &self.0.unmatched
    }

    /// One was turned away.
    pub fn shed(&self, why: Shed) {
        let reason = why.as_str();
        self.0.shed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A rate limit refused a request.
    pub fn limited(&self, class: RateClass) {
        let class = class.as_str();
        self.0.limited.get_or_create(&ClassLabel { class }).inc();
    }

    /// What an answer with a problem tells.
    pub(crate) fn problem(&self, code: &str, route: Option<&RouteMeter>) {
        if code == "locked-out" {
            self.0.lockouts.inc();
        }
        if !route.is_some_and(RouteMeter::is_login) {
            return;
        }
        if code == "overloaded" {
            self.shed(Shed::Hashing);
        }
        let known = REFUSED_LOGINS.iter().find(|(known, _)| *known == code);
        if let Some((_, outcome)) = known {
            self.0.logins.get_or_create(&OutcomeLabel { outcome }).inc();
        }
    }

    /// One more connection, for as long as what comes back lives.
    pub(crate) fn connection(&self) -> Connected {
        self.0.connections.inc();
        Connected(self.0.connections.clone())
    }

    /// Everything, in the text format of `OpenMetrics`.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

/// An open connection, counted until it is dropped.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The counters of one route.
pub(crate) struct RouteMeter {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    by_status: [OnceLock<Counter>; 5],
    latency: OnceLock<Histogram>,
    /// Counts what went well, where that is a sign-in.
    signed_in: Option<Counter>,
}

impl RouteMeter {
    fn new(
        method: &'static str,
        template: &'static str,
        requests: Family<RequestLabels, Counter>,
        seconds: Family<RouteLabels, Histogram>,
        signed_in: Option<Counter>,
    ) -> Self {
        Self {
            method,
            template,
            requests,
            seconds,
            by_status: Default::default(),
            latency: OnceLock::new(),
            signed_in,
        }
    }

    fn is_login(&self) -> bool {
        self.signed_in.is_some()
    }

    /// One answer of this route.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        let (slot, status) = match status.as_u16() {
            ..200 => (0, "1xx"),
            200..300 => (1, "2xx"),
            300..400 => (2, "3xx"),
            400..500 => (3, "4xx"),
            500.. => (4, "5xx"),
        };
        let (method, route) = (self.method, self.template);
        if slot == 1
            && let Some(counter) = &self.signed_in
        {
            counter.inc();
        }
        if let Some(counter) = self.by_status.get(slot) {
            counter
                .get_or_init(|| {
                    let labels = RequestLabels {
                        method,
                        route,
                        status,
                    };
                    self.requests.get_or_create_owned(&labels)
                })
                .inc();
        }
        self.latency
            .get_or_init(|| {
                self.seconds
                    .get_or_create_owned(&RouteLabels { method, route })
            })
            .observe(took.as_secs_f64());
    }
}

/// `GET /metrics`: with the token of the configuration, or from this machine when there is none.
pub(crate) async fn get(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from_here = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback())
        // A proxy on this machine speaks for others.
        && !request.headers().contains_key("x-forwarded-for")
        && !request.headers().contains_key("forwarded");
    if !may_read(
        app.edge.metrics_token.as_ref(),
        request.headers(),
        from_here,
    ) {
        return Err(Problem::unauthenticated());
    }
    let text = app
        .metrics
        .text()
        .map_err(|error| Problem::internal().caused_by(error))?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

fn may_read(token: Option<&SecretString>, headers: &HeaderMap, from_here: bool) -> bool {
    let Some(token) = token else {
        return from_here;
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    value
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|shown| same(shown.as_bytes(), token.expose_secret().as_bytes()))
}

/// Equal, in a time that tells only the length.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P5
    #[test]
    fn each_count_has_its_row_and_no_row_names_an_id() {
        let wait = Seconds::new("hash_wait_seconds", "Waits");
        wait.observe(Duration::from_millis(30));
        let metrics = Metrics::new(vec![
            wait.reading(),
            Reading::counter("audit_write_failures", "Rows", || 2),
            Reading::gauge("websockets", "Open", || 3),
            Reading::counters("cache_reads", "Reads", "kind", || {
                vec![("hit".to_owned(), 7), ("miss".to_owned(), 1)]
            }),
        ]);
        let route = metrics.route("GET", "/api/v1/tws/jobs/{id}");
        route.answered(StatusCode::OK, Duration::from_millis(3));
        route.answered(StatusCode::NOT_FOUND, Duration::from_millis(3));
        let login = metrics.route("POST", "/api/v1/auth/login");
        metrics.problem("locked-out", Some(&login));
        metrics.problem("bad-credentials", Some(&login));
        metrics.problem("unauthenticated", Some(&route));
        metrics.problem("overloaded", Some(&login));
        metrics.problem("overloaded", Some(&route));
        login.answered(StatusCode::OK, Duration::from_millis(3));
        login.answered(StatusCode::UNAUTHORIZED, Duration::from_millis(3));
        metrics.shed(Shed::Requests);
        metrics.limited(RateClass::Chat);
        let connected = metrics.connection();
        let text = metrics.text().unwrap();
        for row in [
            r#"resync_http_requests_total{method="GET",route="/api/v1/tws/jobs/{id}",status="2xx"} 1"#,
            r#"resync_http_requests_total{method="GET",route="/api/v1/tws/jobs/{id}",status="4xx"} 1"#,
            r#"resync_http_request_seconds_count{method="GET",route="/api/v1/tws/jobs/{id}"} 2"#,
            r#"resync_shed_total{reason="requests"} 1"#,
            r#"resync_shed_total{reason="hashing"} 1"#,
            r#"resync_rate_limited_total{class="chat"} 1"#,
            "resync_lockouts_total 1",
            r#"resync_logins_total{outcome="succeeded"} 1"#,
            r#"resync_logins_total{outcome="failed"} 1"#,
            r#"resync_logins_total{outcome="locked"} 1"#,
            r#"resync_logins_total{outcome="overloaded"} 1"#,
            r#"resync_logins_total{outcome="unavailable"} 0"#,
            "resync_connections 1",
            "resync_websockets 3",
            "resync_audit_write_failures_total 2",
            "resync_hash_wait_seconds_count 1",
            r#"resync_hash_wait_seconds_bucket{le="0.025"} 0"#,
            r#"resync_hash_wait_seconds_bucket{le="0.05"} 1"#,
            r#"resync_cache_reads_total{kind="hit"} 7"#,
        ] {
            assert!(text.lines().any(|line| line == row), "{row}\n{text}");
        }
        drop(connected);
        assert!(metrics.text().unwrap().contains("resync_connections 0\n"));
    }

    #[test]
    fn the_metrics_are_for_the_token_or_for_this_machine() {
        let token = SecretString::from("a token of some length");
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            headers
        };
        let right = with("Bearer a token of some length");
        let wrong = with("Bearer a token of some_length");
        assert!(may_read(Some(&token), &right, false));
        assert!(!may_read(Some(&token), &wrong, true));
        assert!(!may_read(Some(&token), &HeaderMap::new(), true));
        assert!(may_read(None, &HeaderMap::new(), true));
        assert!(!may_read(None, &right, false));
    }
}
