//! A running server, as the commands that are its clients find it.
//!
//! Invariant: the API key is in no argument, where lists of processes and shells would show it, and in
//! no message of ours.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::{RequestBuilder, Response, StatusCode};
use resync_kernel::{BoxError, ExposeSecret, SecretString, error_chain};
use serde_json::Value;

use super::output::{
    CONFIGURATION, CONFLICT, DENIED, FAILURE, Failure, NOT_FOUND, UNREACHABLE, USAGE, fail, note,
};
use super::settings::{self, load};

/// How long an answer may take; one of a language model takes up to a minute.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Which server, and by which key.
#[derive(Debug, Args)]
pub(super) struct RemoteArgs {
    /// The server; `RESYNC_URL` when absent, else the one of the configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file that holds an API key; `RESYNC_API_KEY_FILE` or `RESYNC_API_KEY` when absent. `resync key
    /// create` makes one.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Who signed the server's certificate (PEM), besides the system's authorities; `RESYNC_CA_FILE` when
    /// absent.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A server and the key that it is asked with. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    /// Without a slash at its end.
    pub(super) base: String,
    client: reqwest::Client,
    key: SecretString,
}

impl Remote {
    /// The server that the arguments, the environment or the configuration name.
    ///
    /// # Errors
    /// The code to end with; why is told.
    pub(super) fn find(args: RemoteArgs, file: Option<PathBuf>) -> Result<Self, ExitCode> {
        let environment = settings::of_clients();
        let url = match args.url.or(environment.url) {
            Some(url) => url,
            None => load(file, Vec::new())?.config.server.own_url(),
        };
        let key = match args.key_file.or(environment.key_file) {
            Some(file) => match std::fs::read_to_string(&file) {
                Ok(text) => Some(SecretString::from(text.trim().to_owned())),
                Err(error) => {
                    let why = format!("the file of the API key cannot be read: {error}");
                    return Err(fail(CONFIGURATION, &why));
                }
            },
            None => environment.key,
        };
        let Some(key) = key else {
            let how = "no API key: set RESYNC_API_KEY, or name its file by --key-file; `resync key create` \
                       or the account page makes one";
            return Err(fail(CONFIGURATION, how));
        };
        let ca_file = args.ca_file.or(environment.ca_file);
        match client(&url, ca_file) {
            Ok(client) => Ok(Self {
                base: url.trim_end_matches('/').to_owned(),
                client,
                key,
            }),
            Err(error) => Err(fail(CONFIGURATION, &error_chain(error.as_ref()))),
        }
    }

    /// A request to a path of the server, with the key.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.base))
            .bearer_auth(self.key.expose_secret())
    }
}

fn client(url: &str, ca_file: Option<PathBuf>) -> Result<reqwest::Client, BoxError> {
    let url: reqwest::Url = url.parse()?;
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    if url.scheme() == "http" && !loopback {
        note("the server is asked by plain http: whoever listens on the way reads the API key");
    }
    let mut builder = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // The key is for that server and no other.
        .redirect(reqwest::redirect::Policy::none());
    if loopback {
        builder = builder.no_proxy();
    }
    if let Some(file) = ca_file {
        for authority in reqwest::Certificate::from_pem_bundle(&std::fs::read(file)?)? {
            builder = builder.add_root_certificate(authority);
        }
    }
    Ok(builder.build()?)
}

/// Sends a request and reads the JSON of its answer.
///
/// # Errors
/// What the server or the way to it says, with the code to end with.
pub(super) async fn json_of(request: RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await.map_err(away)?;
    if !answer.status().is_success() {
        return Err(refused(answer).await);
    }
    answer.json().await.map_err(|error| {
        Failure::new(
            FAILURE,
            format!("the answer cannot be read: {}", error.without_url()),
        )
    })
}

/// Why there was no answer.
pub(super) fn away(error: reqwest::Error) -> Failure {
    let why = error_chain(&error.without_url());
    Failure::new(FAILURE, format!("the server does not answer: {why}"))
}

/// What a problem of the server says, and the code for it.
pub(super) async fn refused(answer: Response) -> Failure {
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap_or(Value::Null);
    let word = |name: &str| Some(problem.get(name)?.as_str()?.to_owned());
    let code = word("code").unwrap_or_default();
    let mut text = word("title").unwrap_or_else(|| format!("the server says {status}"));
    if let Some(detail) = word("detail") {
        text = format!("{text}: {detail}");
    }
    let errors = problem.get("errors").and_then(Value::as_array);
    for error in errors.into_iter().flatten() {
        let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        text = format!("{text}: {} {}", word("pointer"), word("detail"));
    }
    Failure::new(exit_code(status, &code), text)
}

fn exit_code(status: StatusCode, code: &str) -> u8 {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => USAGE,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => DENIED,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::CONFLICT => CONFLICT,
        _ if code.starts_with("upstream-") => UNREACHABLE,
        _ => FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_code() {
        for (status, code, exit) in [
            (400, "invalid", USAGE),
            (401, "unauthenticated", DENIED),
            (403, "not-permitted", DENIED),
            (404, "unknown-session", NOT_FOUND),
            (409, "changed", CONFLICT),
            (504, "upstream-timeout", UNREACHABLE),
            (503, "unavailable", FAILURE),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(exit_code(status, code), exit, "{code}");
        }
    }
}
