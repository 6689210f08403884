//! Chunks put together to pieces.
//!
//! 1. Text is passed on as it comes; calls are kept until the model says that it is done, and are
//!    then whole or an error: half a call is never run.
//! 2. Without a `finish_reason` there is no end, whatever else came.
//! 3. Text, calls and their arguments are bounded.

use resync_chat::{Finish, ModelError, TokenUse, ToolCall};
use serde_json::Value;

use super::wire::{Arguments, CallPart, Choice, Chunk, FunctionPart, Said};

/// Bytes of the text of one completion, at most.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Calls that one completion may ask for.
const MAX_CALLS: usize = 16;
/// Bytes of a name or the arguments of a call, at most.
const MAX_ARGUMENT_BYTES: usize = 16 * 1024;

/// A completion so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    text_bytes: usize,
    calls: Vec<Partial>,
    /// As the model said it; it may be a word that nobody knows.
    finish: Option<String>,
    usage: Option<TokenUse>,
}

/// A call so far.
#[derive(Debug, Default)]
struct Partial {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// A completion that is done.
#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    pub(super) calls: Vec<ToolCall>,
    pub(super) finish: Finish,
    pub(super) usage: Option<TokenUse>,
}

impl Assembly {
    /// Takes the data of an event, or a whole completion; returns the text in it.
    pub(super) fn take(&mut self, data: &str) -> Result<Option<String>, ModelError> {
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unreadable(&format!("no chunk (line {line}, column {column})"))
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(told_error(&error));
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(TokenUse {
                prompt: usage.prompt_tokens.unwrap_or_default(),
                completion: usage.completion_tokens.unwrap_or_default(),
            });
        }
        let choices = chunk.choices.unwrap_or_default();
        // One answer was asked for; others are not ours to choose among.
        let Some(choice) = choices
            .into_iter()
            .find(|choice| choice.index.is_none_or(|index| index == 0))
        else {
            return Ok(None);
        };
        self.choice(choice)
    }

    fn choice(&mut self, choice: Choice) -> Result<Option<String>, ModelError> {
        let ended = self.finish.is_some();
        if let Some(finish) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish.get_or_insert(finish);
        }
        let Some(said) = choice.delta.or(choice.message) else {
            return Ok(None);
        };
        // What comes behind the end belongs to nothing.
        if ended { Ok(None) } else { self.said(said) }
    }

    fn said(&mut self, said: Said) -> Result<Option<String>, ModelError> {
        match (said.tool_calls, said.function_call) {
            (Some(calls), _) if !calls.is_empty() => {
                for call in calls {
                    self.call(call)?;
                }
            }
            (_, Some(function)) => self.call(CallPart {
                index: Some(0),
                id: None,
                function: Some(function),
            })?,
            (_, None) => {}
        }
        let text = said.content.map(super::wire::Content::into_text);
        let text = text.filter(|text| !text.is_empty());
        self.text_bytes += text.as_ref().map_or(0, String::len);
        if self.text_bytes > MAX_TEXT_BYTES {
            return Err(unreadable("a text without end"));
        }
        Ok(text)
    }

    fn call(&mut self, part: CallPart) -> Result<(), ModelError> {
        let at = self.place(&part);
        if at >= MAX_CALLS {
            return Err(unreadable("more calls than anybody needs"));
        }
        if at == self.calls.len() {
            self.calls.push(Partial {
                index: part.index,
                ..Partial::default()
            });
        }
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        if let Some(id) = part.id.filter(|_| call.id.is_empty()) {
            call.id = id;
        }
        let FunctionPart { name, arguments } = part.function.unwrap_or_default();
        // Once in the first part, a part of it in each of the first ones, or whole in each part.
        if let Some(name) = name
            && name != call.name
            && call.arguments.is_empty()
        {
            call.name.push_str(&name);
        }
        match arguments {
            None => {}
            Some(Arguments::Text(text)) => call.arguments.push_str(&text),
            Some(Arguments::Object(object)) => call.arguments = Value::Object(object).to_string(),
        }
        if call.name.len() + call.id.len() + call.arguments.len() > MAX_ARGUMENT_BYTES {
            return Err(unreadable("a call without end"));
        }
        Ok(())
    }

    /// Which call a part belongs to: by its index, unless its id says that it is another one; without
    /// either the last one.
    fn place(&self, part: &CallPart) -> usize {
        let new = self.calls.len();
        let other = |call: &Partial| {
            let id = part.id.as_deref().unwrap_or_default();
            !id.is_empty() && !call.id.is_empty() && id != call.id
        };
        let known = match part.index {
            Some(index) => self.calls.iter().rposition(|c| c.index == Some(index)),
            None => new.checked_sub(1),
        };
        match known.and_then(|at| Some((at, self.calls.get(at)?))) {
            Some((at, call)) if !other(call) => at,
            _ => new,
        }
    }

    /// Whether the model said that it is done. Only a count of tokens may still come.
    pub(super) const fn is_done(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether tokens were counted.
    pub(super) const fn is_counted(&self) -> bool {
        self.usage.is_some()
    }

    /// The whole completion.
    pub(super) fn end(self) -> Result<Whole, ModelError> {
        let finish = match self.finish.as_deref() {
            None => return Err(ModelError::CutOff),
            Some("length" | "max_tokens" | "model_length") => Finish::Length,
            Some("content_filter" | "safety") => Finish::Filtered,
            // `stop`, `tool_calls`, `function_call`, `eos` and what gateways write: what it is, the
            // calls tell.
            Some(_) if self.calls.is_empty() => Finish::Stop,
            Some(_) => Finish::Calls,
        };
        let calls = if finish == Finish::Calls {
            let calls = self.calls.into_iter().enumerate();
            calls.map(whole).collect::<Result<_, _>>()?
        } else {
            // They may be half.
            Vec::new()
        };
        Ok(Whole {
            calls,
            finish,
            usage: self.usage,
        })
    }
}

fn whole((at, call): (usize, Partial)) -> Result<ToolCall, ModelError> {
    if call.name.is_empty() {
        return Err(unreadable("a call without a name"));
    }
    let arguments = match call.arguments.trim() {
        "" | "null" => Value::Object(serde_json::Map::new()),
        text => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Value::Object(object),
            Ok(_) | Err(_) => return Err(unreadable("arguments of a call that are no object")),
        },
    };
    let id = if call.id.is_empty() {
        format!("call_{at}")
    } else {
        call.id
    };
    Ok(ToolCall {
        id,
        name: call.name,
        arguments,
    })
}

fn unreadable(what: &str) -> ModelError {
    ModelError::Unreadable(what.to_owned())
}

/// An error inside a stream that began well. Its words may repeat the prompt, so only its status
/// counts.
fn told_error(error: &Value) -> ModelError {
    let code = error.get("code").or_else(|| error.get("status"));
    let status = code.and_then(|code| match code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    match status.and_then(|status| u16::try_from(status).ok()) {
        Some(status @ (408 | 429 | 500..=599)) => ModelError::Busy { status },
        Some(status @ 400..=499) => ModelError::Refused { status },
        _ => unreadable("an error within the stream"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assembled(chunks: &[Value]) -> Result<(String, Whole), ModelError> {
        let (mut assembly, mut text) = (Assembly::default(), String::new());
        for chunk in chunks {
            text.extend(assembly.take(&chunk.to_string())?);
        }
        Ok((text, assembly.end()?))
    }

    fn delta(delta: &Value) -> Value {
        json!({"choices": [{"index": 0, "delta": delta}]})
    }

    fn finish(reason: &str) -> Value {
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    }

    fn calls(chunks: &[Value]) -> Vec<(String, Value)> {
        let (_, whole) = assembled(chunks).unwrap();
        assert_eq!(whole.finish, Finish::Calls);
        whole
            .calls
            .into_iter()
            .map(|call| (call.name, call.arguments))
            .collect()
    }

    #[test]
    fn calls_are_put_together_however_they_are_split() {
        let expected = [
            ("job".to_owned(), json!({"name": "A"})),
            ("job_log".to_owned(), json!({})),
        ];
        let part = |part: Value| delta(&json!({"tool_calls": [part]}));
        let split = [
            part(
                json!({"index": 0, "id": "a", "type": "function", "function": {"name": "job", "arguments": ""}}),
            ),
            part(json!({"index": 0, "function": {"arguments": "{\"na"}})),
            part(json!({"index": 1, "id": "b", "function": {"name": "job_"}})),
            part(json!({"index": 0, "function": {"arguments": "me\":\"A\"}"}})),
            part(json!({"index": 1, "function": {"name": "log", "arguments": null}})),
            finish("tool_calls"),
        ];
        assert_eq!(calls(&split), expected);
        let whole_at_index_0_each = [
            part(
                json!({"index": 0, "id": "a", "function": {"name": "job", "arguments": "{\"name\":\"A\"}"}}),
            ),
            part(
                json!({"index": 0, "id": "b", "function": {"name": "job_log", "arguments": "{}"}}),
            ),
            finish("stop"),
        ];
        assert_eq!(calls(&whole_at_index_0_each), expected);
        let objects_without_index = [
            part(json!({"id": "a", "function": {"name": "job", "arguments": {"name": "A"}}})),
            part(json!({"id": "b", "function": {"name": "job_log", "arguments": {}}})),
            finish("tool_calls"),
        ];
        assert_eq!(calls(&objects_without_index), expected);
        let older = [
            delta(
                &json!({"content": null, "function_call": {"name": "job", "arguments": "{\"name\""}}),
            ),
            delta(&json!({"function_call": {"arguments": ":\"A\"}"}})),
            finish("function_call"),
        ];
        assert_eq!(calls(&older), expected[..1]);
    }

    #[test]
    fn half_a_call_is_never_run() {
        let half = delta(&json!({"tool_calls": [
            {"index": 0, "id": "a", "function": {"name": "job", "arguments": "{\"name\":"}}
        ]}));
        let cut = assembled(std::slice::from_ref(&half)).unwrap_err();
        assert!(matches!(cut, ModelError::CutOff), "{cut}");
        let done = assembled(&[half.clone(), finish("tool_calls")]).unwrap_err();
        assert!(matches!(done, ModelError::Unreadable(_)), "{done}");
        let (_, limited) = assembled(&[half, finish("length")]).unwrap();
        assert_eq!((limited.calls.len(), limited.finish), (0, Finish::Length));
    }

    #[test]
    fn text_is_read_and_reasoning_is_not() {
        let (text, whole) = assembled(&[
            delta(&json!({"role": "assistant"})),
            delta(&json!({"content": null, "reasoning_content": "hm", "reasoning": "hm"})),
            delta(&json!({"content": "A is "})),
            delta(&json!({"content": [{"type": "text", "text": "late"}, {"type": "image"}]})),
            json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}),
            json!({"choices": null, "usage": null}),
            finish("stop"),
            delta(&json!({"content": " behind the end"})),
        ])
        .unwrap();
        assert_eq!(text, "A is late");
        assert_eq!(whole.finish, Finish::Stop);
        let usage = TokenUse {
            prompt: 7,
            completion: 2,
        };
        assert_eq!(whole.usage, Some(usage));
    }

    #[test]
    fn an_error_within_a_stream_is_told_without_its_words() {
        for (error, word) in [
            (json!({"error": {"message": "canary", "code": 503}}), "busy"),
            (
                json!({"error": {"message": "canary", "code": "429"}}),
                "busy",
            ),
            (
                json!({"error": {"message": "canary", "type": "x", "code": 400}}),
                "refused",
            ),
            (json!({"error": "canary"}), "unreadable"),
        ] {
            let error = assembled(&[error]).unwrap_err();
            assert_eq!(error.word(), word);
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn a_completion_without_end_is_cut() {
        let mut assembly = Assembly::default();
        let chunk = delta(&json!({"content": "a".repeat(1024)})).to_string();
        let taken = (0..100).find_map(|_| assembly.take(&chunk).err());
        assert!(matches!(taken, Some(ModelError::Unreadable(_))));
        let mut assembly = Assembly::default();
        let part =
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "a".repeat(1024)}}]});
        let taken = (0..100).find_map(|_| assembly.take(&delta(&part).to_string()).err());
        assert!(matches!(taken, Some(ModelError::Unreadable(_))));
        let mut assembly = Assembly::default();
        let taken = (0..100).find_map(|index| {
            let part = json!({"tool_calls": [{"index": index, "function": {"name": "job"}}]});
            assembly.take(&delta(&part).to_string()).err()
        });
        assert!(matches!(taken, Some(ModelError::Unreadable(_))));
    }
}
