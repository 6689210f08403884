//! Log lines on stderr: text for people, JSON for programs.

mod fields;

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, LogConfig, LogFormat};

/// Starts logging. Called once, by the command that runs a server.
///
/// # Errors
/// [`ConfigError`] when `log.level` does not parse.
pub fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let terminal = std::io::stderr().is_terminal();
    let format = config.format.unwrap_or(if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let lines = match format {
        // Colours are for a terminal; in a file they would be control characters in every line.
        LogFormat::Text => text(std::io::stderr, terminal).boxed(),
        LogFormat::Json => json(std::io::stderr).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(lines)
        .with(levels(config)?)
        .try_init();
    if let Err(error) = started {
        // A test in the same process has a subscriber already; its lines go there.
        tracing::debug!(error = %error, "logging was started before");
    }
    Ok(())
}

/// Writes one JSON object a line.
pub fn json<S, W>(writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    fmt::layer()
        .json()
        .fmt_fields(fields::JsonObject)
        .with_writer(writer)
}

/// Writes lines for people, in `colours` or without.
pub fn text<S, W>(writer: W, colours: bool) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    fmt::layer().with_ansi(colours).with_writer(writer)
}

/// What is written at all. By target and level alone: whatever is in a span costs each request nothing to
/// filter.
///
/// # Errors
/// [`ConfigError`] when `log.level` does not parse.
pub fn levels(config: &LogConfig) -> Result<Targets, ConfigError> {
    config.level.parse().map_err(|_| {
        ConfigError::new(
            "log.level",
            "must be a level (off, error, warn, info, debug, trace) or directives such as \
             info,resync_hwa=debug",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(level: &str) -> LogConfig {
        LogConfig {
            level: level.to_owned(),
            ..LogConfig::default()
        }
    }

    #[test]
    fn a_level_and_directives_by_target_are_taken_and_nothing_else() {
        for level in [
            "info",
            "OFF",
            "info,resync_api::access=debug",
            "resync_hwa=trace",
        ] {
            assert!(levels(&config(level)).is_ok(), "{level}");
        }
        for level in ["info,resync_hwa=loud", "[span{field=\"x\"}]=debug"] {
            assert!(levels(&config(level)).is_err(), "{level}");
        }
    }
}
