//! `resync healthcheck`: whether a running server is ready, for probes of containers.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use resync_kernel::{BoxError, error_chain};

use super::output::{FAILURE, OK, fail};

/// What to ask, and how.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Where the server listens; `https` when it speaks TLS.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Who signed the server's certificate (PEM), besides the system's authorities. Not needed on
    /// loopback, where any certificate is taken.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A certificate with its key (PEM) to show, when `server.tls_client_ca` asks for one.
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
}

/// The client of the probe.
fn prober(args: &HealthcheckArgs) -> Result<reqwest::Client, BoxError> {
    let url: reqwest::Url = args.url.parse()?;
    // Nobody else can stand there, nothing secret is sent, and a certificate rarely names it.
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    let mut builder = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .danger_accept_invalid_certs(loopback);
    if let Some(file) = &args.ca_file {
        for authority in reqwest::Certificate::from_pem_bundle(&std::fs::read(file)?)? {
            builder = builder.add_root_certificate(authority);
        }
    }
    if let Some(file) = &args.client_cert {
        builder = builder.identity(reqwest::Identity::from_pem(&std::fs::read(file)?)?);
    }
    Ok(builder.build()?)
}

/// Asks once, for five seconds at most.
pub(super) async fn healthcheck(args: &HealthcheckArgs) -> ExitCode {
    let client = match prober(args) {
        Ok(client) => client,
        Err(error) => {
            let why = error_chain(error.as_ref());
            return fail(FAILURE, &format!("the probe cannot be made: {why}"));
        }
    };
    let answer = client
        .get(format!("{}/readyz", args.url.trim_end_matches('/')))
        .send()
        .await;
    match answer {
        Ok(answer) if answer.status().is_success() => ExitCode::from(OK),
        Ok(answer) => fail(FAILURE, &format!("the server says {}", answer.status())),
        Err(error) => fail(
            FAILURE,
            &format!("the server does not answer: {}", error.without_url()),
        ),
    }
}
