//! What is counted, and `GET /metrics`.
//!
//! The registry is a value that the server builds; nothing here is global. Labels are route
//! templates, methods, classes and names of the configuration, never an id, an address or a user
//! (P5): a request to no route of ours is one row, `unmatched`.
//!
//! The hot path touches atomics and one histogram: a route's counters are looked up once, at its
//! first request, and kept in its `RouteMeter`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use resync_auth::RateClass;
use resync_kernel::{ExposeSecret, SecretString};

use crate::problem::Problem;
use crate::state::App;

/// Upper bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
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
    login_failures: Counter,
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
        let (shed, limited) = (Family::default(), Family::default());
        let (login_failures, lockouts) = (Counter::default(), Counter::default());
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
            "login_failures",
            "Attempts to sign in that failed",
            login_failures.clone(),
        );
        registry.register(
            "lockouts",
            "Attempts to sign in that a lockout refused",
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
        let unmatched = RouteMeter::new("any", "unmatched", requests.clone(), seconds.clone());
        Self(Arc::new(Inner {
            registry,
            requests,
            seconds,
            unmatched,
            shed,
            limited,
            login_failures,
            lockouts,
            connections,
        }))
    }

    /// The meter of a route of the table.
    #[must_use]
    pub(crate) fn route(&self, method: &'static str, template: &'static str) -> RouteMeter {
        RouteMeter::new(
            method,
            template,
            self.0.requests.clone(),
            self.0.seconds.clone(),
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
        match code {
            "locked-out" => {
                self.0.lockouts.inc();
            }
            "overloaded" if route.is_some_and(RouteMeter::is_login) => self.shed(Shed::Hashing),
            "bad-credentials" => {
                self.0.login_failures.inc();
            }
            _ => {}
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
}

impl RouteMeter {
    fn new(
        method: &'static str,
        template: &'static str,
        requests: Family<RequestLabels, Counter>,
        seconds: Family<RouteLabels, Histogram>,
    ) -> Self {
        Self {
            method,
            template,
            requests,
            seconds,
            by_status: Default::default(),
            latency: OnceLock::new(),
        }
    }

    fn is_login(&self) -> bool {
        self.template == "/api/v1/auth/login"
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

type Values = Vec<(String, u64)>;

/// A number, or a few by one label, that is read when somebody asks.
pub struct Reading {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    label: Option<&'static str>,
    read: Box<dyn Fn() -> Values + Send + Sync>,
}

impl Reading {
    /// A number that goes up and down.
    pub fn gauge(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        let read = Box::new(move || vec![(String::new(), read())]);
        Self {
            name,
            help,
            kind: MetricType::Gauge,
            label: None,
            read,
        }
    }

    /// Numbers that go up and down, one for each value of `label`.
    pub fn gauges(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) -> Self {
        let (label, read) = (Some(label), Box::new(read));
        Self {
            name,
            help,
            kind: MetricType::Gauge,
            label,
            read,
        }
    }

    /// Numbers that only grow, one for each value of `label`.
    pub fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) -> Self {
        let (label, read) = (Some(label), Box::new(read));
        Self {
            name,
            help,
            kind: MetricType::Counter,
            label,
            read,
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (value, number) in (self.read)() {
            let number_f = i64::try_from(number).unwrap_or(i64::MAX);
            let labels: Vec<(&str, &str)> = self
                .label
                .iter()
                .map(|label| (*label, value.as_str()))
                .collect();
            let mut row = metric.encode_family(&labels)?;
            match self.kind {
                MetricType::Counter => {
                    row.encode_counter::<[(&str, &str); 0], u64, u64>(&number, None)?;
                }
                _ => row.encode_gauge(&number_f)?,
            }
        }
        Ok(())
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
        let metrics = Metrics::new(vec![
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
            "resync_login_failures_total 1",
            "resync_connections 1",
            "resync_websockets 3",
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
