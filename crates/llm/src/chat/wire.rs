//! `/chat/completions` on the wire: what is sent, and what the dialects send back.
//!
//! 1. Nothing that a server may leave out, send as null or add is missed.
//! 2. Only text and calls are read; a model's `reasoning_content` is nobody's business.

use resync_chat::{ModelMessage, ModelRequest, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a server of that model does not take, as it said itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that know nothing of each other"
)]
pub(crate) struct Quirks {
    /// `stream_options` is refused: tokens stay uncounted.
    pub(crate) no_usage: bool,
    /// The limit is called `max_completion_tokens`.
    pub(crate) completion_tokens: bool,
    /// `temperature` is refused.
    pub(crate) no_temperature: bool,
    /// `tools` are refused.
    pub(crate) no_tools: bool,
}

impl Quirks {
    /// What the server's refusal teaches; the same when it teaches nothing new.
    pub(crate) fn learned(self, refusal: &str, had_tools: bool) -> Self {
        let refusal = refusal.to_ascii_lowercase();
        let says = |word: &str| refusal.contains(word);
        Self {
            no_usage: self.no_usage || says("stream_options"),
            completion_tokens: self.completion_tokens || says("max_completion_tokens"),
            no_temperature: self.no_temperature || says("temperature"),
            no_tools: self.no_tools || (had_tools && says("tool")),
        }
    }
}

/// The body of a request.
pub(crate) fn body(
    model: &str,
    request: &ModelRequest,
    max_tokens: Option<u32>,
    quirks: Quirks,
) -> Value {
    let messages: Vec<Value> = request.messages.iter().map(message).collect();
    let mut body = json!({"model": model, "messages": messages, "stream": true});
    let mut set = |key: &str, value: Value| {
        if let Some(body) = body.as_object_mut() {
            body.insert(key.to_owned(), value);
        }
    };
    if !quirks.no_usage {
        set("stream_options", json!({"include_usage": true}));
    }
    if !quirks.no_temperature {
        set("temperature", json!(0));
    }
    if let Some(most) = max_tokens {
        let key = if quirks.completion_tokens {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        set(key, json!(most));
    }
    if !request.tools.is_empty() && !quirks.no_tools {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({"type": "function", "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                }})
            })
            .collect();
        set("tools", Value::Array(tools));
    }
    body
}

fn message(message: &ModelMessage) -> Value {
    match message {
        ModelMessage::System(text) => json!({"role": "system", "content": text}),
        ModelMessage::User(text) => json!({"role": "user", "content": text}),
        ModelMessage::Assistant { text, calls } if calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        ModelMessage::Assistant { text, calls } => {
            let calls: Vec<Value> = calls.iter().map(call).collect();
            json!({"role": "assistant", "content": text, "tool_calls": calls})
        }
        ModelMessage::Tool { call_id, text } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": text})
        }
    }
}

fn call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {
        "name": call.name,
        // The form of the interface: JSON in a text.
        "arguments": call.arguments.to_string(),
    }})
}

/// A chunk of a stream, or a whole completion.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk {
    #[serde(default)]
    pub(crate) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(crate) usage: Option<Usage>,
    #[serde(default)]
    pub(crate) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: Option<u64>,
    #[serde(default)]
    pub(crate) delta: Option<Said>,
    /// In place of `delta`, where a server does not stream.
    #[serde(default)]
    pub(crate) message: Option<Said>,
    #[serde(default)]
    pub(crate) finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    #[serde(default)]
    pub(crate) content: Option<Content>,
    #[serde(default)]
    pub(crate) tool_calls: Option<Vec<CallPart>>,
    /// The older form; some servers send both.
    #[serde(default)]
    pub(crate) function_call: Option<FunctionPart>,
}

/// Text, or a list of parts of which some are text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Debug, Deserialize)]
pub(crate) struct ContentPart {
    #[serde(default)]
    text: Option<String>,
}

impl Content {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct CallPart {
    #[serde(default)]
    pub(crate) index: Option<u64>,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) function: Option<FunctionPart>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct FunctionPart {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) arguments: Option<Arguments>,
}

/// JSON in a text, a part of it, or the object itself.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Arguments {
    Text(String),
    Object(serde_json::Map<String, Value>),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) prompt_tokens: Option<u64>,
    #[serde(default)]
    pub(crate) completion_tokens: Option<u64>,
}

#[cfg(test)]
mod tests {
    use resync_chat::ToolSpec;

    use super::*;

    fn request() -> ModelRequest {
        ModelRequest {
            messages: vec![ModelMessage::User("why?".to_owned())],
            tools: vec![ToolSpec {
                name: "job",
                description: "A job.",
                parameters: json!({"type": "object"}),
            }],
        }
    }

    #[test]
    fn what_a_server_refused_is_not_sent_again() {
        let plain = body("m", &request(), Some(9), Quirks::default());
        assert_eq!(plain["max_tokens"], 9);
        assert_eq!(plain["stream_options"]["include_usage"], true);
        assert_eq!(plain["tools"][0]["function"]["name"], "job");
        let mut quirks = Quirks::default();
        for refusal in [
            "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' instead.",
            "Unknown field: stream_options",
            "'temperature' does not support 0 with this model",
            "tools param requires --jinja flag",
        ] {
            let learned = quirks.learned(refusal, true);
            assert_ne!(learned, quirks, "{refusal}");
            quirks = learned;
        }
        assert_eq!(quirks.learned("invalid model", true), quirks);
        let told = body("m", &request(), Some(9), quirks);
        for key in ["max_tokens", "stream_options", "temperature", "tools"] {
            assert!(told.get(key).is_none(), "{key}");
        }
        assert_eq!(told["max_completion_tokens"], 9);
    }
}
