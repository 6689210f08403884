//! The language model, where `llm.url` names its server.
//!
//! Nothing is asked when it is built: a model that is away does not keep the server from starting, and
//! every answer can be made without it.

use std::sync::Arc;
use std::time::Duration;

use resync_api::metrics::{Reading, Seconds};
use resync_api::state::SideProbe;
use resync_chat::{ChatService, LanguageModel, WordingConfig, WordingStats};
use resync_llm::{HttpLanguageModel, HttpLanguageModelConfig, LanguageModelError, ModelCounts};

use super::StartError;
use crate::config::{ConfigError, LlmConfig};

/// The model, and what is counted of it.
#[derive(Clone)]
pub(super) struct Llm {
    model: HttpLanguageModel,
    counts: ModelCounts,
    first_piece: Seconds,
    prices: (u64, u64),
}

/// The model of the configuration, if there is one.
pub(super) fn llm(config: &LlmConfig) -> Result<Option<Llm>, StartError> {
    let (Some(url), Some(first)) = (&config.url, &config.model) else {
        return Ok(None);
    };
    let first_piece = Seconds::new(
        "llm_first_piece_seconds",
        "Seconds until the first piece of a completion",
    );
    let observed = first_piece.clone();
    let counts = ModelCounts::observed(move |took| observed.observe(took));
    let server = HttpLanguageModelConfig {
        api_key: config.api_key.clone(),
        api_version: config.api_version.clone(),
        models: std::iter::once(first)
            .chain(&config.fallback_models)
            .cloned()
            .collect(),
        timeout: Duration::from_secs(config.timeout_seconds),
        idle_timeout: Duration::from_secs(config.idle_timeout_seconds),
        max_tokens: Some(config.max_tokens),
        max_concurrent: usize::try_from(config.max_concurrent).unwrap_or(usize::MAX),
        ..HttpLanguageModelConfig::new(url, first)
    };
    let model = HttpLanguageModel::new(server, counts.clone()).map_err(|error| match error {
        LanguageModelError::Url(problem) => ConfigError::new("llm.url", problem).into(),
        LanguageModelError::Model => {
            ConfigError::new("llm.model, llm.fallback_models", error.to_string()).into()
        }
        LanguageModelError::Client(_) => {
            StartError::failed("the server at llm.url cannot be used", error)
        }
    })?;
    let prices = (config.prompt_price_cents, config.completion_price_cents);
    Ok(Some(Llm {
        model,
        counts,
        first_piece,
        prices,
    }))
}

/// What is counted, where there is a model.
pub(super) fn readings(llm: Option<&Llm>, chat: &ChatService) -> Vec<Reading> {
    llm.map(|llm| llm.readings(chat)).unwrap_or_default()
}

/// Bounds of what a model words.
pub(super) fn wording(config: &LlmConfig) -> WordingConfig {
    let prompt = config.context_tokens.saturating_sub(config.max_tokens);
    WordingConfig {
        timeout: Duration::from_secs(config.timeout_seconds),
        prompt_tokens: usize::try_from(prompt).unwrap_or(usize::MAX),
    }
}

impl Llm {
    /// The port.
    pub(super) fn model(&self) -> Arc<dyn LanguageModel> {
        Arc::new(self.model.clone())
    }

    /// What tells readiness whether the model answers.
    pub(super) fn probe(&self) -> Arc<dyn SideProbe> {
        Arc::new(Probe(self.model.clone()))
    }

    /// What is counted, read out at each scrape. No label is made of what anybody wrote.
    fn readings(&self, chat: &ChatService) -> Vec<Reading> {
        let counts = || self.counts.clone();
        let (calls, ends, read, written, cost) = (counts(), counts(), counts(), counts(), counts());
        let (up, open, prices) = (self.model.clone(), self.model.clone(), self.prices);
        let mut readings = vec![
            Reading::gauge(
                "llm_up",
                "Whether a model is asked; while none is, every answer is made by rules",
                move || u64::from(up.is_ready()),
            ),
            Reading::gauge(
                "llm_calls_under_way",
                "Calls of the model under way",
                move || u64::try_from(open.under_way()).unwrap_or(u64::MAX),
            ),
            Reading::counters("llm_calls", "Calls of a model", "model", move || {
                calls.calls()
            }),
            Reading::counters(
                "llm_call_ends",
                "How calls of a model ended",
                "kind",
                move || ends.ends(),
            ),
            Reading::counters("llm_prompt_tokens", "Tokens read", "model", move || {
                read.tokens()
                    .into_iter()
                    .map(|(name, used)| (name, used.prompt))
                    .collect()
            }),
            Reading::counters(
                "llm_completion_tokens",
                "Tokens written",
                "model",
                move || {
                    written
                        .tokens()
                        .into_iter()
                        .map(|(name, used)| (name, used.completion))
                        .collect()
                },
            ),
            self.first_piece.reading(),
        ];
        if prices != (0, 0) {
            readings.push(Reading::counter(
                "llm_cost_millionths",
                "Cost in millionths of the money of llm.prompt_price_cents",
                move || cost_of(&cost, prices),
            ));
        }
        readings.extend(wordings(chat));
        readings
    }
}

/// Tokens at cents a million, in millionths.
fn cost_of(counts: &ModelCounts, (prompt, completion): (u64, u64)) -> u64 {
    let cost = counts.tokens().into_iter().map(|(_, used)| {
        let read = u128::from(used.prompt) * u128::from(prompt);
        read + u128::from(used.completion) * u128::from(completion)
    });
    u64::try_from(cost.sum::<u128>() / 100).unwrap_or(u64::MAX)
}

/// What became of the answers.
fn wordings(chat: &ChatService) -> [Reading; 3] {
    let stats = |read: fn(&WordingStats) -> u64| {
        let chat = chat.clone();
        move || read(&chat.wording_stats())
    };
    let (fell_back, calls) = (chat.clone(), chat.clone());
    [
        Reading::counters(
            "llm_fell_back",
            "Answers that needed the rules after all",
            "reason",
            move || {
                let reasons = fell_back.wording_stats().fell_back.into_iter();
                reasons
                    .map(|(reason, count)| (reason.to_owned(), count))
                    .collect()
            },
        ),
        Reading::counter(
            "llm_struck_sentences",
            "Sentences of a model that were struck",
            stats(|stats| stats.struck),
        ),
        Reading::counters(
            "llm_tool_calls",
            "Calls of tools that a model asked for",
            "kind",
            move || {
                let stats = calls.wording_stats();
                vec![
                    ("carried_out".to_owned(), stats.tool_calls),
                    ("refused".to_owned(), stats.refused_calls),
                ]
            },
        ),
    ]
}

struct Probe(HttpLanguageModel);

impl SideProbe for Probe {
    fn answers(&self) -> bool {
        self.0.is_ready()
    }
}

#[cfg(test)]
mod tests {
    use resync_kernel::SecretString;

    use super::*;

    fn config(url: &str) -> LlmConfig {
        LlmConfig {
            url: Some(url.to_owned()),
            model: Some("m".to_owned()),
            ..LlmConfig::default()
        }
    }

    #[test]
    fn without_an_address_there_is_no_model() {
        assert!(llm(&LlmConfig::default()).unwrap().is_none());
        let built = llm(&config("https://llm.example/v1")).unwrap().unwrap();
        assert_eq!(built.model().name(), "m");
        assert!(built.probe().answers());
    }

    #[test]
    fn an_address_that_would_give_the_key_away_names_its_setting() {
        let config = LlmConfig {
            api_key: Some(SecretString::from("canary".to_owned())),
            ..config("http://llm.example/v1")
        };
        let error = llm(&config).err().unwrap().to_string();
        assert!(
            error.contains("llm.url") && !error.contains("canary"),
            "{error}"
        );
    }

    #[test]
    fn what_is_left_of_the_context_is_for_the_prompt() {
        let wording = wording(&config("https://llm.example/v1"));
        assert_eq!(wording.prompt_tokens, 8192 - 2048);
    }
}
