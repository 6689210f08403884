//! Every kind of fault on the real socket, each beside the same request without it.

mod proofs;

use std::time::Duration;

use resync_simulator::{Effect, ErrorBody};
use serde_json::Value;

use crate::{
    peer::{End, Peer},
    support::text,
};

/// A test for each kind, with an example of it.
///
/// The `match` has no arm for the rest: a kind without a line here does not compile.
macro_rules! proofs {
    ($($kind:ident { $($field:ident: $value:expr),* } => $proof:ident;)+) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $proof() {
                let peer = Peer::new().await;
                let right = peer.get(INFO).await;
                assert_eq!(
                    (right.status(), right.end, right.first, right.last),
                    (200, End::Open, NOW, NOW),
                    "without a fault"
                );
                proofs::$proof(&peer, Effect::$kind { $($field: $value),* }, right).await;
            }
        )+

        fn examples() -> Vec<Effect> {
            let examples = vec![$(Effect::$kind { $($field: $value),* }),+];
            for example in &examples {
                match example {
                    $(Effect::$kind { .. } => {})+
                }
            }
            examples
        }
    };
}

const INFO: &str = "/engine/info";
const NOW: Duration = Duration::ZERO;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

proofs! {
    Latency { ms: 700, up_to_ms: None } => an_answer_may_be_late;
    LatencyCurve { median_ms: 1000, p99_ms: 1000 } => an_answer_may_be_late_by_chance;
    LatencyPerRows { ms: 5000 } => a_list_may_be_late_by_its_length;
    SlowChunks { bytes: 100, ms: 200 } => a_body_may_come_in_pieces;
    Trickle {} => a_body_may_come_byte_by_byte;
    Status { code: 503, retry_after: None, body: ErrorBody::VendorJson }
        => another_status_reaches_nobody;
    Close {} => a_request_may_be_answered_by_a_close;
    Refuse {} => a_connection_may_be_reset_at_once;
    AcceptClose {} => a_connection_may_be_closed_at_once;
    ResetAfterHeaders {} => a_reset_may_follow_the_headers;
    ResetAfter { bytes: 40 } => a_reset_may_stand_amid_the_body;
    HalfOpen { bytes: 40 } => a_peer_may_die_amid_the_body;
    CloseKeepAlive {} => a_connection_may_end_after_a_right_answer;
    Never {} => an_answer_may_never_come;
    AfterCommit { code: None } => an_action_may_be_done_without_an_answer;
    MalformedJson {} => a_body_may_be_no_json;
    Cut { bytes: 40 } => a_body_may_break_off;
    ContentType { value: "text/plain".to_owned() } => a_type_may_be_wrong;
    ContentLength { off_by: 7 } => a_length_may_be_wrong;
    Gzip {} => a_body_may_be_packed_unasked;
    Bom {} => a_byte_order_mark_may_stand_before_the_body;
    DuplicateKeys {} => names_may_stand_twice;
    Html {} => a_login_page_may_come_with_success;
    InvalidUtf8 {} => a_body_may_be_no_text;
    Filler { bytes: 100_000 } => a_body_may_be_padded;
    LockOut { tries: 1 } => wrong_passwords_may_lock_a_user;
    TokenExpired { at: None } => a_token_may_expire;
    RateLimit { burst: 2, per_second: 0.5 } => a_user_may_be_limited;
    ShiftPages {} => objects_may_move_between_pages;
    WrongCount { off_by: -7 } => a_count_may_be_wrong;
    RepeatPage {} => a_page_may_repeat;
    ForeignNext { url: "https://elsewhere.invalid".to_owned() } => other_pages_may_be_elsewhere;
}

#[test]
fn every_kind_is_named_in_the_readme_and_read_back_as_it_is_written() {
    let readme = include_str!("../README.md");
    for example in examples() {
        let written = serde_json::to_value(&example).unwrap();
        let kind = text(&written, "/kind");
        assert!(readme.contains(&format!("`{kind}`")), "{kind}");
        assert_eq!(serde_json::from_value::<Effect>(written).unwrap(), example);
    }
}

/// The bodies of errors: type, and what the body begins with.
#[tokio::test(start_paused = true)]
async fn every_error_body_has_its_type_and_shape() {
    let peer = Peer::new().await;
    let bodies = [
        ErrorBody::None,
        ErrorBody::VendorJson,
        ErrorBody::MessageJson,
        ErrorBody::ArrayJson,
        ErrorBody::Problem,
        ErrorBody::LibertyHtml,
        ErrorBody::ProxyHtml,
        ErrorBody::Text,
        ErrorBody::TruncatedJson,
    ];
    for body in bodies {
        let (kind, begin, whole) = match body {
            ErrorBody::None => ("", "", ""),
            ErrorBody::VendorJson => (
                "application/json",
                r#"{"exceptionName":"#,
                "AWSJCO999E Bad Gateway",
            ),
            ErrorBody::MessageJson => ("application/json", r#"{"code":"SIM502""#, "Bad Gateway"),
            ErrorBody::ArrayJson => ("application/json", r#"["AWSJCO999E "#, "Bad Gateway"),
            ErrorBody::Problem => (
                "application/problem+json",
                r#"{"status":502"#,
                "about:blank",
            ),
            ErrorBody::LibertyHtml => (
                "text/html;charset=iso-8859-1",
                "<html><head><title>Error 502",
                "SRVE0777E",
            ),
            ErrorBody::ProxyHtml => ("text/html", "<html><head><title>502", "gateway"),
            ErrorBody::Text => ("text/plain", "Bad Gateway\n", ""),
            ErrorBody::TruncatedJson => ("application/json", r#"{"exceptionName":"#, ""),
        };
        let effect = Effect::Status {
            code: 502,
            retry_after: None,
            body,
        };
        let seen = peer.get_under(&effect, INFO).await;
        assert_eq!(seen.status(), 502, "{body:?}");
        assert_eq!(seen.header("content-type").unwrap_or_default(), kind);
        let told = String::from_utf8(seen.body()).unwrap();
        assert!(told.starts_with(begin), "{body:?}: {told}");
        assert!(told.contains(whole), "{body:?}: {told}");
        let is_json = serde_json::from_str::<Value>(&told).is_ok();
        let should = kind.ends_with("json") && body != ErrorBody::TruncatedJson;
        assert_eq!(is_json, should, "{body:?}: {told}");
    }
}
