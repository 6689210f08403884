//! Log lines on stderr: text for people, JSON for programs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{ConfigError, LogConfig, LogFormat};

/// Starts logging. Called once, by the command that runs a server.
///
/// # Errors
/// [`ConfigError`] when `log.level` does not parse.
pub fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.level).map_err(|_| {
        ConfigError::new(
            "log.level",
            "must be a level (error, warn, info, debug, trace) or directives",
        )
    })?;
    let format = config.format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        // Colours are for a terminal; in a file they would be control characters in every line.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if let Err(error) = started {
        // A test in the same process has a subscriber already; its lines go there.
        tracing::debug!(error = %error, "logging was started before");
    }
    Ok(())
}
