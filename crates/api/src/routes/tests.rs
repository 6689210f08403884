use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use http_body_util::BodyExt;
use resync_kernel::CountingIds;
use serde_json::Value;
use tower::ServiceExt;

use super::*;

/// P0-01, I-01: what is mounted, and who may ask, is as it was reviewed.
#[test]
fn route_table_is_unique_and_guarded() {
    let table = table();
    let rows: Vec<String> = table
        .iter()
        .map(|route| {
            let class = route.class.map_or("-", RateClass::as_str);
            let guard = route.guard.name();
            format!("{} {} | {guard} | {class}", route.method, route.path)
        })
        .collect();
    let unique: BTreeSet<_> = table
        .iter()
        .map(|route| (route.method.as_str(), route.path))
        .collect();
    assert_eq!(unique.len(), rows.len());
    insta::assert_snapshot!(rows.join("\n"));
}

fn finishing(timeout: Duration) -> Finish {
    Finish {
        ids: Arc::new(CountingIds::default()),
        handler_timeout: timeout,
        max_requests: 2,
        hsts: false,
        metrics: crate::metrics::Metrics::new(Vec::new()),
    }
}

fn finished(router: Router, set: Finish) -> Edge {
    Edge::new(with_fallbacks(router), set)
}

async fn ask(router: Edge, path: &str) -> Response {
    router
        .oneshot(Request::get(path).body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn problem(response: Response) -> Value {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let id = response.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["request_id"], id);
    problem
}

/// P2-10
#[tokio::test]
async fn panic_in_handler_is_500_problem() {
    let panicking = Router::new().route("/", get(async || -> &'static str { panic!("canary") }));
    let response = ask(finished(panicking, finishing(Duration::from_secs(5))), "/").await;
    assert_eq!(response.status(), 500);
    let problem = problem(response).await;
    assert_eq!(problem["code"], "internal");
    assert!(!problem.to_string().contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_is_the_clients_408() {
    let reads = Router::new().route("/", axum::routing::post(async |body: String| body));
    let dripping = Body::from_stream(futures_util::stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, Infallible>("a"), ()))
    }));
    let request = Request::post("/").body(dripping).unwrap();
    let router = finished(reads, finishing(Duration::from_secs(30)));
    let started = tokio::time::Instant::now();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(30));
    assert_eq!(response.status(), 408);
    assert_eq!(problem(response).await["code"], "body-timed-out");
}

#[tokio::test]
async fn two_hosts_are_one_too_many() {
    let router = Router::new().route("/", get(async || "fine"));
    let router = finished(router, finishing(Duration::from_secs(5)));
    for (hosts, status) in [(0, 200), (1, 200), (2, 400)] {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        for _ in 0..hosts {
            request.headers_mut().append("host", "x".parse().unwrap());
        }
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{hosts} hosts");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_a_504() {
    let slow = Router::new().route(
        "/",
        get(async || std::future::pending::<&'static str>().await),
    );
    let response = ask(finished(slow, finishing(Duration::from_secs(30))), "/").await;
    assert_eq!(response.status(), 504);
    assert_eq!(problem(response).await["code"], "timed-out");
}

/// P2-10: a client that hangs up drops its request; nothing is logged as an error.
#[tokio::test(start_paused = true)]
async fn client_disconnect_is_not_logged_as_error() {
    let errors = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let subscriber = CountErrors(errors.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let slow = Router::new().route(
        "/",
        get(async || std::future::pending::<&'static str>().await),
    );
    let router = finished(slow, finishing(Duration::from_secs(30)));
    let request = ask(router, "/");
    assert!(
        tokio::time::timeout(Duration::from_secs(1), request)
            .await
            .is_err()
    );
    assert_eq!(errors.load(std::sync::atomic::Ordering::SeqCst), 0);
    tracing::error!("the counter counts");
    assert_eq!(errors.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// A subscriber that counts events at error level.
struct CountErrors(Arc<std::sync::atomic::AtomicUsize>);

impl tracing::Subscriber for CountErrors {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if *event.metadata().level() == tracing::Level::ERROR {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// The exact set, so that none is lost or loosened unseen.
#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_a_browser_safe() {
    let mut set = finishing(Duration::from_secs(5));
    set.hsts = true;
    let router = Router::new().route("/", get(async || "fine"));
    let router = finished(router, set);
    for (path, status) in [("/", 200), ("/nothing", 404)] {
        let response = ask(router.clone(), path).await;
        assert_eq!(response.status(), status);
        let mut headers: Vec<String> = response
            .headers()
            .iter()
            .filter(|(name, _)| *name != "content-type" && *name != "content-length")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        let n = if status == 200 { 1 } else { 2 };
        let expected = format!(
            "cache-control: no-store\n\
             content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\n\
             cross-origin-opener-policy: same-origin\n\
             cross-origin-resource-policy: same-origin\n\
             referrer-policy: no-referrer\n\
             strict-transport-security: max-age=63072000; includeSubDomains\n\
             traceparent: 00-0000000000007000800000000000000{n}-800000000000000{n}-00\n\
             x-content-type-options: nosniff\n\
             x-frame-options: DENY\n\
             x-request-id: 00000000-0000-7000-8000-00000000000{n}"
        );
        assert_eq!(headers.join("\n"), expected);
    }
}

#[tokio::test]
async fn a_plain_listener_does_not_ask_for_https() {
    let router = Router::new().route("/", get(async || "fine"));
    let router = finished(router, finishing(Duration::from_secs(5)));
    let response = ask(router, "/").await;
    assert!(!response.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn a_problem_names_the_trace_that_the_client_began() {
    let router = finished(Router::new(), finishing(Duration::from_secs(5)));
    let request = Request::get("/")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .body(Body::empty())
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()["traceparent"],
        "00-0af7651916cd43dd8448eb211c80319c-8000000000000001-01"
    );
    let problem = problem(response).await;
    assert_eq!(problem["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}

/// L2: more than may be under way are turned away at once, and health is answered meanwhile.
#[tokio::test(start_paused = true)]
async fn overload_is_shed_at_once_and_health_is_exempt() {
    let router = Router::new()
        .route(
            "/slow",
            get(async || std::future::pending::<&'static str>().await),
        )
        .route("/healthz", get(system::health));
    let set = finishing(Duration::from_secs(30));
    let metrics = set.metrics.clone();
    let router = finished(router, set);
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..2 {
        slow.spawn(ask(router.clone(), "/slow"));
    }
    while router.under_way() < 2 {
        tokio::task::yield_now().await;
    }
    let started = tokio::time::Instant::now();
    let shed = ask(router.clone(), "/slow").await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(shed.status(), 503);
    assert_eq!(shed.headers()["retry-after"], "1");
    assert_eq!(problem(shed).await["code"], "overloaded");
    assert_eq!(ask(router.clone(), "/healthz").await.status(), 200);
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("resync_shed_total{reason=\"requests\"} 1")
    );
    // A dropped request gives its place back.
    slow.shutdown().await;
    assert_eq!(router.under_way(), 0);
    assert_eq!(ask(router, "/nothing").await.status(), 404);
}

#[tokio::test]
async fn an_address_of_more_than_8_kib_is_a_414() {
    let router = finished(Router::new(), finishing(Duration::from_secs(5)));
    for (length, status) in [(8 * 1024, 404), (8 * 1024 + 1, 414)] {
        let path = format!("/{}", "a".repeat(length - 1));
        assert_eq!(ask(router.clone(), &path).await.status(), status);
    }
}

/// I-17: it takes no state, so there is nothing that could make it fail.
#[tokio::test]
async fn livez_needs_nothing() {
    let router: Router = Router::new().route("/livez", get(system::health));
    let router = finished(router, finishing(Duration::from_secs(5)));
    assert_eq!(ask(router, "/livez").await.status(), 200);
}
