//! How each kind shows itself; `right` is what came without it.

use std::{io::Read as _, time::Duration};

use resync_simulator::{Effect, ErrorBody, RetryAfter, Rule};
use serde_json::{Value, json};

use super::{INFO, NOW, ms};
use crate::{
    peer::{End, Peer, Seen, request, request_by},
    support::text,
};

/// Everything as it should be, but later by at least this and not by more than that.
fn assert_late(seen: &Seen, right: &Seen, at_least: Duration, at_most: Duration) {
    assert_eq!((seen.status(), seen.end), (right.status(), right.end));
    assert!(seen.body() == right.body(), "the same body, though late");
    let late = seen.first;
    assert!((at_least..=at_most).contains(&late), "{late:?}");
}

pub(super) async fn an_answer_may_be_late(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    assert_late(&seen, &right, ms(700), ms(700));
}

pub(super) async fn an_answer_may_be_late_by_chance(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    assert_late(&seen, &right, ms(500), ms(1000));
}

pub(super) async fn a_list_may_be_late_by_its_length(peer: &Peer, effect: Effect, _: Seen) {
    for (rows, late) in [(100, 500), (200, 1000)] {
        let path = format!("/plan/job?limit={rows}");
        let right = peer.get(&path).await;
        assert_eq!((right.status(), right.last), (200, NOW));
        let seen = peer.get_under(&effect, &path).await;
        assert_late(&seen, &right, ms(late), ms(late));
    }
}

pub(super) async fn a_body_may_come_in_pieces(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    let pauses = right.body().len().div_ceil(100) - 1;
    assert!(pauses > 2);
    assert_eq!((seen.body(), seen.end), (right.body(), End::Open));
    let whole = ms(200) * u32::try_from(pauses).unwrap();
    assert_eq!((seen.first, seen.last), (NOW, whole));
}

pub(super) async fn a_body_may_come_byte_by_byte(peer: &Peer, effect: Effect, _: Seen) {
    let short = "/plan/job/issues";
    let right = peer.get(short).await;
    assert_eq!((right.body().len(), right.last), (13, NOW));
    let seen = peer.get_under(&effect, short).await;
    assert_eq!(seen.body(), right.body());
    assert_eq!((seen.first, seen.last), (NOW, Duration::from_secs(12)));
}

pub(super) async fn another_status_reaches_nobody(peer: &Peer, effect: Effect, _: Seen) {
    let job = peer.stage.job("FIN_CLOSE_DAY").await;
    let hold = format!("/plan/job/{}/action/hold", text(&job, "/id"));
    peer.only([Rule::new(effect)]).await;
    let seen = peer.ask(&request("PUT", &hold)).await;
    assert_eq!((seen.status(), seen.header("retry-after")), (503, None));
    assert_eq!(
        text(&seen.json(), "/exceptionName"),
        "InjectedFaultException"
    );
    for (hint, told) in [
        (RetryAfter::Seconds(7), "7"),
        (RetryAfter::Text("soon".to_owned()), "soon"),
    ] {
        let effect = Effect::Status {
            code: 429,
            retry_after: Some(hint),
            body: ErrorBody::None,
        };
        let seen = peer.get_under(&effect, INFO).await;
        assert_eq!(seen.header("retry-after").as_deref(), Some(told));
        assert_eq!((seen.status(), seen.body().len()), (429, 0));
    }
    peer.stage.pass(5).await;
    let after = peer.stage.job("FIN_CLOSE_DAY").await;
    assert_eq!(
        after["priority"], job["priority"],
        "the hold has not arrived"
    );
}

/// Nothing comes, and the connection ends like this.
async fn assert_silent(peer: &Peer, effect: &Effect, end: End) {
    let seen = peer.get_under(effect, INFO).await;
    assert_eq!((seen.bytes.len(), seen.end), (0, end));
    let after = peer.get(INFO).await;
    assert_eq!(after.status(), 200, "the next one is as good as ever");
}

pub(super) async fn a_request_may_be_answered_by_a_close(peer: &Peer, effect: Effect, _: Seen) {
    assert_silent(peer, &effect, End::Closed).await;
    assert_eq!(peer.stage.control.requests().await.len(), 3, "it was read");
}

pub(super) async fn a_connection_may_be_reset_at_once(peer: &Peer, effect: Effect, _: Seen) {
    assert_silent(peer, &effect, End::Reset).await;
    assert_eq!(peer.stage.control.requests().await.len(), 2, "unread");
}

pub(super) async fn a_connection_may_be_closed_at_once(peer: &Peer, effect: Effect, _: Seen) {
    assert_silent(peer, &effect, End::Closed).await;
    assert_eq!(peer.stage.control.requests().await.len(), 2, "unread");
}

/// The right head, so much of the right body, and then this end.
async fn assert_breaks(peer: &Peer, effect: &Effect, right: &Seen, bytes: usize, end: End) {
    let seen = peer.get_under(effect, INFO).await;
    assert_eq!(seen.status(), 200);
    assert_eq!(
        seen.header("content-length"),
        right.header("content-length")
    );
    assert_eq!(seen.body(), right.body()[..bytes]);
    assert_eq!(seen.end, end);
}

pub(super) async fn a_reset_may_follow_the_headers(peer: &Peer, effect: Effect, right: Seen) {
    assert_breaks(peer, &effect, &right, 0, End::Reset).await;
}

pub(super) async fn a_reset_may_stand_amid_the_body(peer: &Peer, effect: Effect, right: Seen) {
    assert_breaks(peer, &effect, &right, 40, End::Reset).await;
}

pub(super) async fn a_peer_may_die_amid_the_body(peer: &Peer, effect: Effect, right: Seen) {
    assert_breaks(peer, &effect, &right, 40, End::Open).await;
}

pub(super) async fn a_body_may_break_off(peer: &Peer, effect: Effect, right: Seen) {
    assert_breaks(peer, &effect, &right, 40, End::Closed).await;
}

pub(super) async fn a_connection_may_end_after_a_right_answer(
    peer: &Peer,
    effect: Effect,
    right: Seen,
) {
    let get = request("GET", INFO);
    let mut kept = peer.connect().await.unwrap();
    for _ in 0..2 {
        let seen = peer.ask_on(&mut kept, &get).await;
        assert_eq!((seen.body(), seen.end), (right.body(), End::Open));
    }
    peer.only([Rule::new(effect)]).await;
    let seen = peer.ask_on(&mut kept, &get).await;
    assert_eq!((seen.body(), seen.end), (right.body(), End::Closed));
    assert_eq!(seen.header("connection"), None, "without a word");
}

pub(super) async fn an_answer_may_never_come(peer: &Peer, effect: Effect, _: Seen) {
    assert_silent(peer, &effect, End::Open).await;
}

pub(super) async fn an_action_may_be_done_without_an_answer(peer: &Peer, effect: Effect, _: Seen) {
    let with_code = Effect::AfterCommit { code: Some(504) };
    for (name, effect, expected) in [
        ("FIN_CLOSE_DAY", effect, (0, End::Closed)),
        ("FIN_RPT_LEDGER", with_code, (504, End::Open)),
    ] {
        let job = peer.stage.job(name).await;
        let hold = format!("/plan/job/{}/action/hold", text(&job, "/id"));
        peer.only([Rule::new(effect).on_method("PUT")]).await;
        let seen = peer.ask(&request("PUT", &hold)).await;
        assert_eq!((seen.status(), seen.end), expected);
        peer.stage.pass(5).await;
        let after = peer.stage.job(name).await;
        assert_eq!(
            (&after["priority"], &job["priority"]),
            (&json!(0), &json!(10))
        );
    }
}

pub(super) async fn a_body_may_be_no_json(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    assert_eq!(seen.header("content-type"), right.header("content-type"));
    let length = seen.body().len().to_string();
    assert_eq!(seen.header("content-length"), Some(length));
    assert!(serde_json::from_slice::<Value>(&right.body()).is_ok());
    assert!(serde_json::from_slice::<Value>(&seen.body()).is_err());
}

pub(super) async fn a_type_may_be_wrong(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    let kinds = [&right, &seen].map(|seen| seen.header("content-type").unwrap());
    assert_eq!(kinds, ["application/json", "text/plain"]);
    assert_eq!(seen.body(), right.body());
}

pub(super) async fn a_length_may_be_wrong(peer: &Peer, effect: Effect, right: Seen) {
    let length = right.body().len();
    assert_eq!(right.header("content-length"), Some(length.to_string()));
    let long = peer.get_under(&effect, INFO).await;
    assert_eq!(
        long.header("content-length"),
        Some((length + 7).to_string())
    );
    assert_eq!((long.body(), long.end), (right.body(), End::Closed));
    let short = peer
        .get_under(&Effect::ContentLength { off_by: -7 }, INFO)
        .await;
    assert_eq!(
        short.header("content-length"),
        Some((length - 7).to_string())
    );
    assert_eq!(short.body(), right.body()[..length - 7]);
}

pub(super) async fn a_body_may_be_packed_unasked(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    assert_eq!(right.header("content-encoding"), None);
    assert_eq!(seen.header("content-encoding").as_deref(), Some("gzip"));
    let mut unpacked = Vec::new();
    let packed = seen.body();
    let mut decoder = flate2::read::GzDecoder::new(packed.as_slice());
    decoder.read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, right.body());
}

pub(super) async fn a_byte_order_mark_may_stand_before_the_body(
    peer: &Peer,
    effect: Effect,
    right: Seen,
) {
    let seen = peer.get_under(&effect, INFO).await;
    let expected = [b"\xef\xbb\xbf", right.body().as_slice()].concat();
    assert_eq!((seen.status(), seen.body()), (200, expected));
    let length = seen.body().len().to_string();
    assert_eq!(seen.header("content-length"), Some(length));
}

pub(super) async fn names_may_stand_twice(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    let count = |seen: &Seen| {
        let body = String::from_utf8(seen.body()).unwrap();
        body.matches(r#""licenseType":"#).count()
    };
    assert_eq!((count(&right), count(&seen)), (1, 2));
    assert_eq!(seen.json(), right.json(), "the last one holds");
}

pub(super) async fn a_login_page_may_come_with_success(peer: &Peer, effect: Effect, _: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    let kind = seen.header("content-type").unwrap();
    assert_eq!(
        (seen.status(), kind.as_str()),
        (200, "text/html; charset=utf-8")
    );
    assert!(seen.body().starts_with(b"<!DOCTYPE html>"));
}

pub(super) async fn a_body_may_be_no_text(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    assert!(String::from_utf8(right.body()).is_ok());
    assert!(String::from_utf8(seen.body()).is_err());
    let mended: Vec<u8> = seen
        .body()
        .into_iter()
        .filter(|byte| *byte != 0xff)
        .collect();
    assert_eq!(mended, right.body(), "one byte too much");
}

pub(super) async fn a_body_may_be_padded(peer: &Peer, effect: Effect, right: Seen) {
    let seen = peer.get_under(&effect, INFO).await;
    assert!(right.body().len() < 1000);
    assert_eq!((seen.body().len(), seen.json()), (100_000, right.json()));
}

pub(super) async fn wrong_passwords_may_lock_a_user(peer: &Peer, effect: Effect, _: Seen) {
    let guess = request_by("GET", INFO, "Basic b3BlcmF0b3I6Z3Vlc3M="); // operator:guess
    for (rules, locked) in [(None, 200), (Some(Rule::new(effect)), 401)] {
        peer.only(rules).await;
        for _ in 0..2 {
            assert_eq!(peer.ask(&guess).await.status(), 401);
        }
        assert_eq!(peer.get(INFO).await.status(), locked);
        let viewer = request_by("GET", INFO, "Basic dmlld2VyOnNlY3JldA==");
        assert_eq!(peer.ask(&viewer).await.status(), 200);
    }
}

pub(super) async fn a_token_may_expire(peer: &Peer, effect: Effect, _: Seen) {
    let robot = request_by("GET", INFO, "Bearer token");
    assert_eq!(peer.ask(&robot).await.status(), 200);
    peer.only([Rule::new(effect)]).await;
    assert_eq!(peer.ask(&robot).await.status(), 401);
    assert_eq!(
        peer.get(INFO).await.status(),
        200,
        "passwords do not expire"
    );
    let at = peer.stage.control.now().await + Duration::from_mins(1);
    let later = Effect::TokenExpired { at: Some(at) };
    peer.only([Rule::new(later)]).await;
    assert_eq!(peer.ask(&robot).await.status(), 200);
    peer.stage.pass(60).await;
    assert_eq!(peer.ask(&robot).await.status(), 401);
}

/// The bucket fills by real seconds, and looking for an answer takes three.
pub(super) async fn a_user_may_be_limited(peer: &Peer, effect: Effect, _: Seen) {
    let Effect::RateLimit { burst, .. } = effect else {
        unreachable!("the example above")
    };
    let stingy = Effect::RateLimit {
        burst,
        per_second: 0.05,
    };
    peer.only([Rule::new(stingy)]).await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(peer.get(INFO).await.status());
    }
    assert_eq!(codes, [200, 200, 429]);
    let refused = peer.get(INFO).await;
    assert_eq!(refused.header("retry-after").as_deref(), Some("1"));
    let robot = request_by("GET", INFO, "Bearer token");
    assert_eq!(peer.ask(&robot).await.status(), 200, "each has a bucket");
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(peer.get(INFO).await.status(), 200, "it has filled again");
    // Half a token a second: what three seconds bring is enough for each request.
    peer.only([Rule::new(effect)]).await;
    for _ in 0..6 {
        assert_eq!(peer.get(INFO).await.status(), 200);
    }
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().unwrap();
    rows.iter().map(|row| text(row, "/id")).collect()
}

/// The second page of five without and with the fault, and the first one with it.
async fn pages(peer: &Peer, effect: &Effect) -> (Value, Value, Value) {
    let second = "/plan/job?limit=5&offset=5";
    let right = peer.get(second).await.json();
    let wrong = peer.get_under(effect, second).await.json();
    let first = peer.get_under(effect, "/plan/job?limit=5").await.json();
    (right, wrong, first)
}

pub(super) async fn objects_may_move_between_pages(peer: &Peer, effect: Effect, _: Seen) {
    let (right, wrong, first) = pages(peer, &effect).await;
    assert_eq!(ids(&wrong)[0], ids(&first)[4], "one comes again");
    assert_eq!(ids(&wrong)[1..], ids(&right)[..4], "and one is missed");
    assert_eq!(wrong["count"], right["count"]);
}

pub(super) async fn a_count_may_be_wrong(peer: &Peer, effect: Effect, _: Seen) {
    let (right, wrong, _) = pages(peer, &effect).await;
    assert_eq!(
        (&right["count"], &wrong["count"]),
        (&json!(300), &json!(293))
    );
    assert_eq!(ids(&wrong), ids(&right));
}

pub(super) async fn a_page_may_repeat(peer: &Peer, effect: Effect, _: Seen) {
    let (right, wrong, first) = pages(peer, &effect).await;
    assert_eq!(ids(&wrong), ids(&first));
    assert_ne!(ids(&wrong), ids(&right));
}

pub(super) async fn other_pages_may_be_elsewhere(peer: &Peer, effect: Effect, _: Seen) {
    let (right, wrong, _) = pages(peer, &effect).await;
    for name in ["/next", "/previous"] {
        let (own, foreign) = (text(&right, name), text(&wrong, name));
        let path = own.strip_prefix("https://mdm.bank.invalid:31116").unwrap();
        assert_eq!(foreign, format!("https://elsewhere.invalid{path}"));
    }
    assert_eq!(ids(&wrong), ids(&right));
}
