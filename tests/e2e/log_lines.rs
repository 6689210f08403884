//! The log as it is written, in both of its forms; and that nobody else writes into it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use reqwest::{Client, Method, multipart};
use resync_server::logging;
use resync_simulator::{Effect, ErrorBody, Rule};
use serde_json::{Value, json};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use crate::harness::{Options, Resync};

/// The levels: all that is ours, and of the libraries what an operator would turn on.
const LEVELS: &str = "debug,resync_api=trace,resync_auth=trace,resync_chat=trace,resync_hwa=trace,\
                      resync_oidc=trace,resync_rag=trace,resync_redis=trace,resync_server=trace,\
                      resync_sqlite=trace,resync_sync=trace,resync_tws=trace";

/// Where the lines of a log go.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log in both forms.
#[derive(Clone, Default)]
pub(crate) struct Logs {
    pub(crate) json: Captured,
    pub(crate) text: Captured,
}

impl Logs {
    /// Takes every line of this process; the server works on many threads, and each test is a process.
    pub(crate) fn capture() -> Self {
        let logs = Self::default();
        let (json, text) = (logs.json.clone(), logs.text.clone());
        let subscriber = tracing_subscriber::registry()
            .with(logging::json(move || json.clone()))
            .with(logging::text(move || text.clone(), false))
            .with(LEVELS.parse::<Targets>().unwrap());
        tracing::subscriber::set_global_default(subscriber).unwrap();
        logs
    }
}

/// What would be a line of its own, and move a terminal's cursor, if it were written as it came.
const FORGED: &str =
    "x\r\n2026-01-01T00:00:00Z ERROR resync_auth: FORGED \u{1b}[2J\u{7}\u{85}\u{2028}x";

/// P4, ASVS 16.4.1: whatever comes in, a line of the log stays one line, and no control character is in it.
#[tokio::test]
async fn no_input_forges_a_line_of_the_log() {
    let logs = Logs::capture();
    let resync = Resync::start(Options::default()).await;
    let (admin, operator) = (resync.sign_in("adam").await, resync.sign_in("olga").await);
    let encoded = "%0d%0a2026-01-01T00:00:00Z%20ERROR%20FORGED%20%1b%5b2J";
    let job = operator.job("FIN_EOD", "FIN_GL_POST").await;
    let act = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let login = json!({"username": FORGED, "password": FORGED});
    let engine = json!({"name": FORGED, "urls": [FORGED], "username": FORGED, "password": FORGED});
    let user = json!({"username": FORGED, "password": FORGED, "role": "viewer"});
    let key = json!({"name": FORGED, "scopes": ["plan.read"], "expires_in_days": 1});
    let threshold = json!({"job": FORGED, "max_minutes": 1});
    let bodies = [
        ("/api/v1/auth/login", login),
        ("/api/v1/auth/api-keys", key),
        ("/api/v1/chat", json!({"message": FORGED, "engine": FORGED})),
        ("/api/v1/chat", json!({"message": FORGED})),
        ("/api/v1/admin/engines", engine.clone()),
        ("/api/v1/admin/engines/test", engine),
        ("/api/v1/admin/users", user),
        ("/api/v1/admin/thresholds", threshold),
        ("/api/v1/cache/invalidate", json!({"engine": FORGED})),
        (&act, json!({"reason": FORGED, "ticket": FORGED})),
        (&act, json!({"confirmation_token": FORGED})),
    ];
    for (path, body) in bodies {
        admin.post(path, body).await;
    }
    for path in [
        format!("/{encoded}"),
        format!("/ws/{encoded}"),
        format!("/api/v1/tws/jobs/{encoded}"),
        format!("/api/v1/tws/workstations/{encoded}"),
        format!("/api/v1/tws/jobs?engine={encoded}&stream={encoded}"),
        format!("/api/v1/rag/search?q={encoded}"),
        format!("/api/v1/auth/oidc/callback?error={encoded}&state={encoded}"),
    ] {
        admin.send(Method::GET, &path, None).await;
    }
    let part = multipart::Part::text("# Runbook").file_name(FORGED);
    let upload = Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(resync.url("/api/v1/rag/documents"))
        .headers(admin.headers.clone())
        .multipart(multipart::Form::new().part("file", part));
    upload.send().await.unwrap();

    // What an engine says is somebody else's text, too.
    for body in [
        ErrorBody::VendorJson,
        ErrorBody::LibertyHtml,
        ErrorBody::ProxyHtml,
        ErrorBody::Text,
    ] {
        let effect = Effect::Status {
            code: 400,
            retry_after: None,
            body,
        };
        resync.engine.add_fault(Rule::new(effect)).await;
        operator.get("/api/v1/tws/workstations").await;
        operator.post(&act, json!({"reason": "test"})).await;
        resync.engine.clear_faults().await;
    }

    let (json, text) = (logs.json.text(), logs.text.text());
    for line in json.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["timestamp"].is_string(), "{line}");
    }
    assert!(json.contains("auth.log_in"), "the log was not captured");
    assert_eq!(unclean(&json), None);
    assert_eq!(unclean(&text), None);

    // A text that is written as it came is found by the same look.
    tracing::info!(target: "resync_server", value = %FORGED, "a planted mistake");
    assert_ne!(unclean(&logs.text.text()), None);
}

/// The first line that is no line of its own, or holds a control character.
fn unclean(log: &str) -> Option<&str> {
    let begins = regex::Regex::new(r#"^(\{"timestamp":"|)\d{4}-\d\d-\d\dT[0-9:.]+Z"#).unwrap();
    let control = |c: char| (c.is_control() && c != '\n') || c == '\u{2028}';
    log.split('\n').find(|line| {
        let whole =
            line.is_empty() || (begins.is_match(line) && !line.starts_with("2026-01-01T00:00:00Z"));
        !whole || line.contains(control)
    })
}
