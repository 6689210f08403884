//! Log lines on stderr: text for people, JSON for programs.

mod fields;

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, LogConfig, LogFormat};

/// Starts logging. Called once, by the command that runs a server.
///
/// # Errors
/// [`ConfigError`] when `log.level` does not parse.
pub fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let format = config.format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    });
    let started = match format {
        LogFormat::Text => {
            // Colours are for a terminal; in a file they would be control characters in every line.
            let text = tracing_subscriber::fmt::layer()
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr);
            let lines = tracing_subscriber::registry().with(text);
            lines.with(levels(config)?).try_init()
        }
        LogFormat::Json => json(config, std::io::stderr)?.try_init(),
    };
    if let Err(error) = started {
        // A test in the same process has a subscriber already; its lines go there.
        tracing::debug!(error = %error, "logging was started before");
    }
    Ok(())
}

/// What writes one JSON object a line to `writer`, by the levels of `config`.
///
/// # Errors
/// [`ConfigError`] when `log.level` does not parse.
pub fn json<W>(
    config: &LogConfig,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, ConfigError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().json();
    let lines = lines.fmt_fields(fields::JsonObject).with_writer(writer);
    Ok(tracing_subscriber::registry()
        .with(lines)
        .with(levels(config)?))
}

// By target and level alone: whatever is in a span costs each request nothing to filter.
fn levels(config: &LogConfig) -> Result<Targets, ConfigError> {
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
