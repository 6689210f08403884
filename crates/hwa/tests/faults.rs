//! What every fault of an engine, or of something before it, becomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use resync_hwa::{BreakerState, Credentials, HwaClient, Limits};
use resync_kernel::ManualClock;
use resync_tws::model::{JobId, JobQuery, LineRange, RunId};
use resync_tws::ports::{GatewayError, LogGateway, PlanGateway};

use crate::fixture::{Fixture, Reply, config, hasty, nobody};

fn id() -> JobId {
    JobId::parse("a788f98b-7064-3c3b-98b1-e20e97a076dc").unwrap()
}

fn query() -> JobQuery {
    JobQuery {
        limit: 10,
        ..JobQuery::default()
    }
}

/// The error of a list, and of one object, for the same answer.
async fn both(reply: Reply) -> (GatewayError, GatewayError) {
    let fixture = Fixture::always(reply).await;
    let client = fixture.client();
    (
        client.jobs(&query()).await.unwrap_err(),
        client.job(&id()).await.unwrap_err(),
    )
}

/// I-11: the engine's 401 and 403 are told apart from a caller's, by a type of their own. F3.
#[tokio::test]
async fn every_status_has_its_error() {
    let message = br#"{"messages":["AWSJCO042E no"]}"#;
    for (status, expected) in [
        (401, GatewayError::CredentialsRefused),
        (403, GatewayError::Forbidden),
        (405, GatewayError::Unsupported),
        (406, GatewayError::Unsupported),
        (415, GatewayError::Unsupported),
        (400, GatewayError::Rejected("AWSJCO042E no".into())),
        (409, GatewayError::Rejected("AWSJCO042E no".into())),
        (422, GatewayError::Rejected("AWSJCO042E no".into())),
        (429, GatewayError::Busy { retry_after: None }),
        (503, GatewayError::Busy { retry_after: None }),
        (
            500,
            GatewayError::Unreachable("it answered with status 500".into()),
        ),
        (
            502,
            GatewayError::Unreachable("it answered with status 502".into()),
        ),
        (
            504,
            GatewayError::Unreachable("it answered with status 504".into()),
        ),
    ] {
        let (list, one) = both(Reply::with(status, "application/json", message)).await;
        assert_eq!(list, expected, "{status}");
        assert_eq!(one, expected, "{status}");
    }
}

#[tokio::test]
async fn a_404_is_absence_for_an_id_and_lack_of_support_for_an_endpoint() {
    let fixture = Fixture::always(Reply::with(404, "text/plain", b"")).await;
    let client = fixture.client();
    assert_eq!(client.job(&id()).await, Ok(None));
    assert_eq!(client.jobs(&query()).await, Err(GatewayError::Unsupported));
    assert_eq!(client.engine_info().await, Err(GatewayError::Unsupported));
}

#[tokio::test]
async fn the_wait_that_a_busy_engine_asks_for_is_passed_on() {
    for status in [429, 503] {
        let reply = Reply::headed(status, "Retry-After: 7\r\n", b"<html>busy</html>");
        let expected = GatewayError::Busy {
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(both(reply).await.0, expected);
    }
}

/// F3: garbage, half a body, wrong shapes.
#[tokio::test]
async fn an_answer_that_is_not_what_was_promised_is_unreadable() {
    let kind = "application/json";
    for (reply, said) in [
        (Reply::json("garbage"), "no JSON at byte 1"),
        (
            Reply::json(r#"{"results":["#),
            "half of a JSON text, 12 bytes",
        ),
        (Reply::json(""), "an empty body"),
        (Reply::json("[1,2]"), "JSON, but no object"),
        (Reply::json("null"), "JSON, but no object"),
        (
            Reply::with(200, kind, b"<html><title>Sign in</title></html>"),
            "a web page instead of JSON",
        ),
        (
            Reply::with(200, "text/html; charset=utf-8", b"{}"),
            "a web page instead of JSON",
        ),
        (
            Reply::with(200, kind, b"{\"count\":1,\"next\":\"caf\xe9\"}"),
            "bytes that are no UTF-8",
        ),
        (
            Reply::headed(302, "Location: /elsewhere\r\n", b""),
            "a redirect, which is not followed",
        ),
    ] {
        let (list, one) = both(reply).await;
        assert_eq!(list, GatewayError::Unreadable(said.into()));
        assert_eq!(one, GatewayError::Unreadable(said.into()));
    }
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_half_a_body() {
    let half =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{}";
    let (list, _) = both(Reply::Bytes(half.to_vec())).await;
    assert_eq!(
        list,
        GatewayError::Unreadable("half of a body, 2 bytes".into())
    );
}

#[tokio::test]
async fn a_mark_of_byte_order_is_no_fault() {
    let reply = Reply::with(200, "application/json", b"\xef\xbb\xbf{\"results\":[]}");
    let fixture = Fixture::always(reply).await;
    assert!(fixture.client().jobs(&query()).await.is_ok());
}

/// F3: the caps hold whether the length is told beforehand or not.
#[tokio::test]
async fn a_body_over_its_cap_is_refused() {
    for (cap, list) in [(8 << 20, false), (32 << 20, true)] {
        let filler = vec![b' '; cap + 1];
        let told = Reply::with(200, "application/json", &filler);
        let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        bytes.extend_from_slice(&filler);
        for reply in [told, Reply::Bytes(bytes)] {
            let fixture = Fixture::always(reply).await;
            let client = fixture.client();
            let end = if list {
                client.jobs(&query()).await.map(drop)
            } else {
                client.job(&id()).await.map(drop)
            };
            let said = format!("larger than {cap} bytes");
            assert_eq!(end, Err(GatewayError::Unreadable(said.into())));
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Fixture::always(Reply::json(r#"{"results":[]}"#)).await;
    let location = format!("Location: http://{}/x\r\n", other.address);
    let fixture = Fixture::always(Reply::headed(307, &location, b"")).await;
    assert!(matches!(
        fixture.client().jobs(&query()).await,
        Err(GatewayError::Unreadable(_))
    ));
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn an_engine_that_never_answers_runs_out_of_time() {
    let fixture = Fixture::always(Reply::Silence).await;
    let client = HwaClient::new(hasty(fixture.config())).unwrap();
    let limit = Duration::from_millis(200);
    assert_eq!(
        client.jobs(&query()).await,
        Err(GatewayError::TimedOut(limit))
    );
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_unreachable() {
    let fixture = Fixture::always(Reply::Close).await;
    assert_eq!(
        fixture.client().jobs(&query()).await,
        Err(GatewayError::Unreachable(
            "the connection ended before an answer".into()
        ))
    );
    assert_eq!(fixture.received().len(), 1);
}

/// F3: on the wire as under paused time.
#[tokio::test]
async fn a_read_is_repeated_until_it_is_answered() {
    let turn = AtomicU32::new(0);
    let fixture = Fixture::start(move |_| match turn.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Close,
        1 => Reply::with(503, "text/plain", b""),
        _ => Reply::json(r#"{"results":[]}"#),
    })
    .await;
    let mut config = fixture.config();
    config.limits = Limits::default();
    let client = HwaClient::new(config).unwrap();
    assert!(client.jobs(&query()).await.is_ok());
    let sent = fixture.received();
    assert_eq!(sent.len(), 3);
    // The same question each time, but for its number.
    assert!(sent.iter().all(|request| request.line == sent[0].line));
    assert_eq!(client.health().retries_total, 2);
}

/// F3: it opens after 5, sends nothing while it is open, and lets one through after its pause.
#[tokio::test]
async fn a_breaker_stands_between_a_sick_engine_and_its_callers() {
    let (clock, sick) = (
        Arc::new(ManualClock::default()),
        Arc::new(AtomicBool::new(true)),
    );
    let ill = Arc::clone(&sick);
    let fixture = Fixture::start(move |_| {
        if ill.load(Ordering::Relaxed) {
            Reply::with(500, "text/plain", b"")
        } else {
            Reply::json(r#"{"results":[]}"#)
        }
    })
    .await;
    let mut config = fixture.config();
    config.clock = clock.clone();
    config.limits.breaker_failures = 5;
    let client = HwaClient::new(config).unwrap();
    for _ in 0..5 {
        let end = client.jobs(&query()).await;
        assert!(matches!(end, Err(GatewayError::Unreachable(_))), "{end:?}");
    }
    let open = GatewayError::CircuitOpen {
        retry_after: Duration::from_secs(10),
    };
    assert_eq!(client.jobs(&query()).await, Err(open.clone()));
    assert_eq!(client.engine_info().await, Err(open.clone()));
    assert_eq!(fixture.received().len(), 5);
    let remaining = Duration::from_secs(10);
    assert_eq!(client.health().breaker, BreakerState::Open { remaining });
    sick.store(false, Ordering::Relaxed);
    clock.advance(remaining);
    assert!(client.jobs(&query()).await.is_ok());
    assert_eq!(client.health().breaker, BreakerState::Closed);
}

/// A token may have been renewed a moment ago; a password is not tried twice, since engines lock.
#[tokio::test]
async fn only_a_refused_token_is_tried_once_more() {
    for (credentials, expected) in [(None, 1), (Some(Credentials::ApiKey("abc.def".into())), 2)] {
        let fixture = Fixture::always(Reply::with(401, "text/html", b"")).await;
        let mut config = fixture.config();
        if let Some(credentials) = credentials {
            config.credentials = credentials;
        }
        let client = HwaClient::new(config).unwrap();
        assert_eq!(
            client.jobs(&query()).await,
            Err(GatewayError::CredentialsRefused)
        );
        assert_eq!(fixture.received().len(), expected);
        assert!(client.health().credentials_refused);
    }
}

#[tokio::test]
async fn an_engine_where_nobody_listens_is_unreachable() {
    let client = HwaClient::new(config(&nobody().await)).unwrap();
    assert_eq!(
        client.jobs(&query()).await,
        Err(GatewayError::Unreachable(
            "the connection was refused".into()
        ))
    );
}

#[tokio::test]
async fn the_next_host_is_asked_when_the_first_takes_no_connection() {
    let backup = Fixture::always(Reply::json(r#"{"results":[]}"#)).await;
    let mut config = config(&nobody().await);
    config.base_urls.push(backup.base_url());
    let client = HwaClient::new(config).unwrap();
    assert!(client.jobs(&query()).await.is_ok());
    assert!(client.jobs(&query()).await.is_ok());
    assert_eq!(backup.received().len(), 2);
}

/// A host that takes connections and never answers must not hold up every call.
#[tokio::test]
async fn a_read_moves_on_from_a_host_that_gives_no_answer() {
    let master = Fixture::always(Reply::Silence).await;
    let backup = Fixture::always(Reply::json(r#"{"results":[]}"#)).await;
    let mut config = master.config();
    config.base_urls.push(backup.base_url());
    config.limits.retries = 1;
    config.limits.attempt = Duration::from_millis(100);
    let client = HwaClient::new(config).unwrap();
    assert!(client.jobs(&query()).await.is_ok());
    assert!(client.jobs(&query()).await.is_ok());
    assert_eq!(master.received().len(), 1);
    assert_eq!(backup.received().len(), 2);
}

#[tokio::test]
async fn the_next_host_is_not_asked_when_the_first_answered_badly() {
    let master = Fixture::always(Reply::with(500, "text/plain", b"")).await;
    let backup = Fixture::always(Reply::json(r#"{"results":[]}"#)).await;
    let mut config = master.config();
    config.base_urls.push(backup.base_url());
    let client = HwaClient::new(config).unwrap();
    assert!(client.jobs(&query()).await.is_err());
    assert!(backup.received().is_empty());
}

/// F3: any bytes at all give an answer or a typed error.
#[tokio::test]
async fn no_bytes_bring_the_client_down() {
    let base = r#"{"count":1,"results":[{"id":"a","name":"A","jobruns":[{"id":"r"}]}],"next":""}"#;
    let cut = AtomicUsize::new(0);
    let fixture = Fixture::start(move |_| {
        let at = cut.fetch_add(1, Ordering::Relaxed);
        let mut bytes = base.as_bytes().to_vec();
        bytes[at % base.len()] = [b'[', b'}', b'"', 0, 0xff, b'9'][at % 6];
        Reply::with(200, "application/json", &bytes)
    })
    .await;
    let client = fixture.client();
    let mut bad = 0;
    for _ in 0..base.len() * 2 {
        if let Err(error) = client.jobs(&query()).await {
            assert!(matches!(error, GatewayError::Unreadable(_)), "{error}");
            bad += 1;
        }
    }
    assert!(bad > 0);
}

#[tokio::test]
async fn a_log_over_its_limit_is_cut_and_says_so() {
    let fixture = Fixture::always(Reply::with(
        200,
        "text/plain; charset=utf-8",
        b"0123456789\n0123456789\n0123456789\n",
    ))
    .await;
    let mut config = fixture.config();
    config.log_cap = 25;
    let client = HwaClient::new(config).unwrap();
    let run = RunId::parse("r").unwrap();
    let log = client
        .job_log(&run, LineRange::clamped(1, 100))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(log.lines, ["0123456789", "0123456789"]);
    assert!(log.truncated);
}

#[tokio::test]
async fn a_run_without_a_log_has_none_however_the_engine_says_it() {
    let run = RunId::parse("r").unwrap();
    for reply in [
        Reply::with(404, "application/json", br#"{"messages":["no log"]}"#),
        Reply::with(200, "text/plain", b""),
        Reply::json(r#"{"messages":["the job has not started"]}"#),
    ] {
        let fixture = Fixture::always(reply).await;
        let log = fixture
            .client()
            .job_log(&run, LineRange::clamped(1, 10))
            .await;
        assert_eq!(log, Ok(None));
    }
    let fixture = Fixture::always(Reply::with(200, "text/html", b"<html>")).await;
    let log = fixture
        .client()
        .job_log(&run, LineRange::clamped(1, 10))
        .await;
    assert!(matches!(log, Err(GatewayError::Unreadable(_))));
}
