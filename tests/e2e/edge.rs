//! Limits, metrics and other origins, over the wire.

use std::collections::BTreeSet;

use reqwest::Method;
use resync_simulator::{Effect, Rule};
use serde_json::json;

use crate::harness::{Options, PASSWORD, Resync};
use crate::store_outage::Vandal;

/// A user's requests are counted together, a stranger's logins by address, and probes not at all.
#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let resync = Resync::start(Options {
        adjust: |config| {
            config.limits.login = 2;
            config.limits.api = 3;
        },
        ..Options::default()
    })
    .await;
    let (vera, olga) = (resync.sign_in("vera").await, resync.sign_in("olga").await);
    for left in ["2", "1", "0"] {
        let answer = vera.send(Method::GET, "/api/v1/auth/verify", None).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["ratelimit-policy"], "\"api\";q=3;w=60");
        let limit = answer.headers()["ratelimit"].to_str().unwrap();
        assert!(
            limit.starts_with(&format!("\"api\";r={left};t=")),
            "{limit}"
        );
    }
    let refused = vera.send(Method::GET, "/api/v1/auth/verify", None).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let other = olga.send(Method::GET, "/api/v1/auth/verify", None).await;
    assert_eq!(other.status(), 200);

    let body = json!({"username": "adam", "password": "wrong"});
    let login = resync
        .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    assert_eq!(login.status(), 429);
    for _ in 0..50 {
        let probe = resync.anonymous(Method::GET, "/healthz", None).await;
        assert_eq!(probe.status(), 200);
        assert!(!probe.headers().contains_key("ratelimit"));
    }
}

/// P5
#[tokio::test]
async fn the_metrics_count_by_template_and_name_nobody() {
    let resync = Resync::start(Options::default()).await;
    let vera = resync.sign_in("vera").await;
    vera.get("/api/v1/tws/jobs/no-such-job-4711").await;
    resync
        .anonymous(Method::GET, "/no/such/page-4711", None)
        .await;
    let answer = resync.anonymous(Method::GET, "/metrics", None).await;
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("route=\"/api/v1/tws/jobs/{id}\",status=\"4xx\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("route=\"unmatched\",status=\"4xx\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("resync_cache_reads_total{kind=\"hit\"}"),
        "{text}"
    );
    assert!(
        text.contains("resync_engine_breaker{engine=\"sim\"} 0"),
        "{text}"
    );
    assert!(!text.contains("4711") && !text.contains("vera"), "{text}");
}

/// The value of a row, whose labels are part of the name.
fn value(text: &str, row: &str) -> u64 {
    let rows = text.lines().filter_map(|line| line.rsplit_once(' '));
    let mut found = rows.filter(|(name, _)| *name == row);
    let (_, value) = found.next().unwrap_or_else(|| panic!("{row}\n{text}"));
    value.parse().unwrap()
}

/// P5: what goes wrong around a sign-in, an engine and the audit is counted by name.
#[tokio::test]
async fn sign_ins_hashing_retries_and_what_the_audit_lost_are_counted() {
    let resync = Resync::start(Options::default()).await;
    let login = async |password: &str| {
        let body = json!({"username": "vera", "password": password});
        let path = "/api/v1/auth/login";
        let answer = resync.anonymous(Method::POST, path, Some(body)).await;
        answer.status().as_u16()
    };
    let vera = resync.sign_in("vera").await;
    for expected in [401, 401, 401, 401, 401, 429] {
        assert_eq!(login("wrong").await, expected);
    }
    // The first answer is lost, so it is asked again.
    resync
        .engine
        .add_fault(Rule::new(Effect::ResetAfterHeaders).first(1))
        .await;
    assert_eq!(vera.get("/api/v1/tws/summary").await.0, 200);
    let read = async || {
        let answer = resync.anonymous(Method::GET, "/metrics", None).await;
        answer.text().await.unwrap()
    };
    let text = read().await;
    for (row, expected) in [
        (r#"resync_logins_total{outcome="succeeded"}"#, 1),
        (r#"resync_logins_total{outcome="failed"}"#, 5),
        (r#"resync_logins_total{outcome="locked"}"#, 1),
        ("resync_lockouts_total", 1),
        ("resync_hash_queue", 0),
        // Four accounts were made before, and each attempt that was looked at is one more.
        ("resync_hash_wait_seconds_count", 10),
        ("resync_audit_write_failures_total", 0),
        (r#"resync_engine_retries_total{engine="sim"}"#, 1),
        (r#"resync_engine_turned_away_total{engine="sim"}"#, 0),
    ] {
        assert_eq!(value(&text, row), expected, "{row}");
    }
    let calls = value(&text, r#"resync_engine_calls_total{engine="sim"}"#);
    let failed = value(&text, r#"resync_engine_call_failures_total{engine="sim"}"#);
    assert!(calls > failed && failed == 1, "{calls} {failed}");

    let mut vandal = Vandal::at(&resync).await;
    vandal.take("audit").await;
    let body = json!({"username": "olga", "password": PASSWORD});
    let path = "/api/v1/auth/login";
    let answer = resync.anonymous(Method::POST, path, Some(body)).await;
    assert_eq!(answer.status(), 503);
    let text = read().await;
    assert_eq!(value(&text, "resync_audit_write_failures_total"), 1);
    let row = r#"resync_logins_total{outcome="unavailable"}"#;
    assert_eq!(value(&text, row), 1);
}

/// Every metric stands in the table of the operations page, and nothing else does.
#[tokio::test]
async fn the_metrics_are_those_of_the_operations_page() {
    let resync = Resync::start(Options {
        jobs: 10,
        adjust: |config| {
            // Port 1 of the loopback: nobody listens there.
            config.redis.url = Some("redis://127.0.0.1:1/".into());
        },
        ..Options::default()
    })
    .await;
    resync.anonymous(Method::GET, "/healthz", None).await;
    let answer = resync.anonymous(Method::GET, "/metrics", None).await;
    let text = answer.text().await.unwrap();
    let sent: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    let page = include_str!("../../docs/operations.md");
    let name = regex::Regex::new("`(resync_[a-z_]+)`").unwrap();
    let told: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("| `resync_"))
        .flat_map(|line| name.captures_iter(line).map(|name| name[1].to_owned()))
        .collect();
    assert_eq!(sent, told);
}

#[tokio::test]
async fn the_metrics_are_for_whoever_has_the_token() {
    let resync = Resync::start(Options {
        adjust: |config| {
            config.telemetry.metrics_token = Some("a token of some length".into());
        },
        ..Options::default()
    })
    .await;
    let refused = resync.anonymous(Method::GET, "/metrics", None).await;
    assert_eq!(refused.status(), 401);
    for (token, status) in [("a token of some length", 200), ("a token of another", 401)] {
        let reader = resync.with_key(token);
        let answer = reader.send(Method::GET, "/metrics", None).await;
        assert_eq!(answer.status(), status, "{token}");
    }
}

/// How the attempts from "all over the world" end: each says to come from an address of its own.
async fn attempts(options: Options) -> Vec<u16> {
    let resync = Resync::start(options).await;
    let mut statuses = Vec::new();
    for number in 1..=7 {
        let claimed = format!("198.51.100.{number}");
        let answer = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(resync.url("/api/v1/auth/login"))
            .header("x-forwarded-for", &claimed)
            .header("forwarded", format!("for={claimed}"))
            .header("x-real-ip", &claimed)
            .header("x-client-ip", &claimed)
            .header("cf-connecting-ip", &claimed)
            .json(&json!({"username": "vera", "password": "wrong"}))
            .send()
            .await
            .unwrap();
        statuses.push(answer.status().as_u16());
    }
    statuses
}

/// A9, ASVS 4.1.3: nobody but a proxy of ours says where an attempt comes from.
#[tokio::test]
async fn no_header_makes_an_attempt_come_from_elsewhere() {
    let with = |adjust| Options {
        jobs: 10,
        adjust,
        ..Options::default()
    };
    let locked = [401, 401, 401, 401, 401, 429, 429];
    assert_eq!(attempts(with(|_| {})).await, locked);
    let past_the_proxy = with(|config| {
        config.server.trusted_proxies = 1;
        config.server.proxy_addresses = vec!["192.0.2.0/24".to_owned()];
    });
    assert_eq!(attempts(past_the_proxy).await, locked);
    let by_the_proxy = with(|config| {
        config.server.trusted_proxies = 1;
        config.server.proxy_addresses = vec!["127.0.0.0/8".to_owned()];
    });
    assert_eq!(attempts(by_the_proxy).await, [401; 7]);
}

/// The lines of a block of the security page that begins with this word.
fn block(word: &str) -> Vec<String> {
    let page = include_str!("../../docs/security.md");
    let (_, rest) = page.split_once(&format!("```text {word}\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let mut lines: Vec<String> = block.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// ASVS 3.4: what the page says is what goes out, on good answers, refusals and what is not there.
#[tokio::test]
async fn the_headers_are_those_of_the_security_page() {
    let resync = Resync::start(Options {
        jobs: 10,
        adjust: |config| {
            config.server.public_url = Some("https://resync.example".to_owned());
        },
        ..Options::default()
    })
    .await;
    // What says something of this answer alone.
    let own = [
        "content-length",
        "content-type",
        "date",
        "etag",
        "traceparent",
        "www-authenticate",
        "x-request-id",
    ];
    for (word, paths) in [
        (
            "api",
            &["/healthz", "/api/v1/auth/verify", "/no-such-page"][..],
        ),
        ("page", &["/", "/setup", "/assets/main.js"][..]),
    ] {
        for path in paths {
            let answer = resync.anonymous(Method::GET, path, None).await;
            let mut sent: Vec<String> = answer
                .headers()
                .iter()
                .filter(|(name, _)| !own.contains(&name.as_str()))
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            sent.sort();
            assert_eq!(sent, block(word), "{path}");
        }
    }
}
