//! What a rule does: one variant a kind of misbehaviour.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a rule does to a request, its answer or its connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The answer is right and late, by real milliseconds.
    Latency {
        /// At least this long.
        ms: u64,
        /// Up to this long, evenly; exactly `ms` when absent.
        #[serde(default)]
        up_to_ms: Option<u64>,
    },
    /// The answer is right and late, by about lognormal real milliseconds.
    LatencyCurve {
        /// Half of the answers are faster.
        median_ms: u64,
        /// One of a hundred is slower.
        p99_ms: u64,
    },
    /// A list is late by its length.
    LatencyPerRows {
        /// Real milliseconds for each 1,000 objects of the answer.
        ms: u64,
    },
    /// The body comes in pieces with pauses between them.
    SlowChunks {
        /// Bytes of a piece, at least 1.
        bytes: usize,
        /// Real milliseconds before each piece but the first.
        ms: u64,
    },
    /// One byte a second, for ever if the body is long.
    Trickle,
    /// Another status; the request reaches nobody.
    Status {
        /// From 400 to 599.
        code: u16,
        /// The header `Retry-After`.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The body that goes with it.
        #[serde(default)]
        body: ErrorBody,
    },
    /// The connection is accepted, the request read, and the connection closed.
    Close,
    /// The connection is reset as soon as it is accepted. Such a rule looks at connections, not at
    /// requests: method, path, object and user do not matter to it.
    Refuse,
    /// The connection is closed as soon as it is accepted; a rule on connections, too.
    AcceptClose,
    /// The headers arrive, then the connection is reset.
    ResetAfterHeaders,
    /// So many bytes of the body arrive, then the connection is reset.
    ResetAfter {
        /// Bytes that still arrive.
        bytes: usize,
    },
    /// Headers and so many bytes arrive, and then nothing any more: the peer has died.
    HalfOpen {
        /// Bytes that still arrive.
        bytes: usize,
    },
    /// The answer is right; then the connection is closed without a word, though it was kept alive.
    CloseKeepAlive,
    /// The request is read and nothing ever comes back.
    Never,
    /// The action is done; then comes this status, or the connection is closed.
    AfterCommit {
        /// `None`: the connection is closed.
        #[serde(default)]
        code: Option<u16>,
    },
    /// The body is no JSON, with the right type and length.
    MalformedJson,
    /// The connection is closed after this many bytes of the body.
    Cut {
        /// Bytes that still arrive.
        bytes: usize,
    },
    /// The body is right, its `Content-Type` is not.
    ContentType {
        /// The header's value.
        value: String,
    },
    /// `Content-Length` is wrong by this much; the connection is closed after the body.
    ContentLength {
        /// Added to the right length; below zero the body is cut at the announced length.
        off_by: i64,
    },
    /// The body comes compressed by gzip, whatever the request accepts.
    Gzip,
    /// A byte order mark stands before the body.
    Bom,
    /// Every name of the outermost object stands there twice, first with `null`.
    DuplicateKeys,
    /// A login page with status 200.
    Html,
    /// A byte in the middle of the body is no UTF-8.
    InvalidUtf8,
    /// Blanks after the body's beginning, so that it is at least this long.
    Filler {
        /// Bytes to send in all.
        bytes: usize,
    },
    /// After this many wrong passwords of a user every request of that user is 401, until reset.
    LockOut {
        /// Wrong passwords that are forgiven.
        tries: u32,
    },
    /// Bearer tokens are 401 from this virtual time on.
    TokenExpired {
        /// Virtual time.
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
    /// Each user has a bucket of tokens; a request beyond it is 429 with `Retry-After: 1`.
    RateLimit {
        /// The bucket's size.
        burst: u32,
        /// Tokens a real second.
        per_second: f64,
    },
    /// Objects move between pages: each page begins one object early.
    ShiftPages,
    /// `count` is wrong by this much.
    WrongCount {
        /// Added to the right count; never below zero.
        off_by: i64,
    },
    /// The second page repeats the first.
    RepeatPage,
    /// `next` and `previous` name this scheme, host and port.
    ForeignNext {
        /// Such as `https://elsewhere.invalid`.
        url: String,
    },
}

impl Effect {
    /// Whether it looks at connections instead of requests.
    pub(super) fn is_on_connections(&self) -> bool {
        matches!(self, Self::Refuse | Self::AcceptClose)
    }
}

/// The value of `Retry-After`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// A date, or garbage.
    Text(String),
}

/// The body of an error that a rule makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// No body at all.
    None,
    /// The engine's own shape: `messages` and `exceptionName`.
    #[default]
    VendorJson,
    /// `{"errorMessage": …, "code": …}`.
    MessageJson,
    /// An array of messages.
    ArrayJson,
    /// `application/problem+json`.
    Problem,
    /// The application server's error page.
    LibertyHtml,
    /// A gateway's error page.
    ProxyHtml,
    /// A sentence as plain text.
    Text,
    /// The engine's shape, cut in the middle of the text.
    TruncatedJson,
}
