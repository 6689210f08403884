//! What a client of OpenAI's API sends, read tolerantly: what is not known is let through.

use resync_chat::{PageLinks, SessionId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::problem::Problem;

/// Messages of one request at most; what is before them is not looked at.
const MAX_MESSAGES: usize = 2_000;
/// How far a link to a conversation may stand from the end of an answer, in bytes.
const LINK_WITHIN: usize = 64 * 1024;

/// The body of `POST /v1/chat/completions`. Other fields of OpenAI's API are let through.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CompletionRequest {
    /// `resync`, or `resync-deterministic` for answers without a language model.
    pub(super) model: String,
    /// The conversation; its last message of the user is the question.
    messages: Vec<InMessage>,
    /// Whether the answer comes in chunks.
    stream: Option<bool>,
    /// How the chunks come.
    stream_options: Option<StreamOptions>,
    /// Refused when there are any.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Value>,
    /// Refused when there are any.
    #[schema(value_type = Option<Vec<Object>>)]
    functions: Option<Value>,
    /// Only 1.
    n: Option<u32>,
    /// Only text.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
}

/// How the chunks of an answer come.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StreamOptions {
    /// A last chunk says how many tokens were used.
    include_usage: Option<bool>,
}

/// One message of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InMessage {
    /// `user`, `assistant`, `system` and others.
    role: String,
    /// Its text.
    content: Option<Content>,
}

/// A text, or parts of which those of text count.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Content {
    /// A text.
    Text(String),
    /// Parts.
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Part {
    /// The text of a part of text.
    text: Option<String>,
}

/// What of a request matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) question: String,
    /// The conversation that the last answer links to.
    pub(super) session: Option<SessionId>,
    /// The question before.
    pub(super) before: Option<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

impl Content {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => {
                let texts: Vec<&str> = parts
                    .iter()
                    .filter_map(|part| part.text.as_deref())
                    .collect();
                texts.join("\n")
            }
        }
    }
}

impl CompletionRequest {
    /// # Errors
    /// 400 for what we would have to pretend to do, or when nothing is asked.
    pub(super) fn read(self, links: &PageLinks) -> Result<Read, Problem> {
        for (place, given) in [("/tools", &self.tools), ("/functions", &self.functions)] {
            let any = given
                .as_ref()
                .and_then(Value::as_array)
                .is_some_and(|all| !all.is_empty());
            if any {
                return Err(Problem::invalid(
                    place,
                    "is not supported: Resync answers from tools of its own and calls none of the client's",
                ));
            }
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(Problem::invalid("/n", "must be 1: there is one answer"));
        }
        let format = self.response_format.as_ref().map(|format| &format["type"]);
        if format.is_some_and(|kind| kind != "text") {
            return Err(Problem::invalid(
                "/response_format",
                "must be text; POST /api/v1/chat answers as JSON",
            ));
        }
        let mut newest = self.messages.iter().rev().take(MAX_MESSAGES);
        let of = |message: &InMessage| {
            message
                .content
                .as_ref()
                .map_or_else(String::new, Content::text)
        };
        let question = newest
            .find(|message| message.role == "user")
            .map(of)
            .ok_or_else(|| Problem::invalid("/messages", "has no message of the user"))?;
        let (mut session, mut before) = (None, None);
        for message in newest {
            match message.role.as_str() {
                "assistant" if session.is_none() => session = linked(&of(message), links),
                "user" if before.is_none() => before = Some(of(message)),
                _ => {}
            }
            if session.is_some() && before.is_some() {
                break;
            }
        }
        Ok(Read {
            question,
            session,
            before,
            stream: self.stream.unwrap_or(false),
            include_usage: self
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
        })
    }
}

/// The conversation that a text links to, by the last such link.
fn linked(text: &str, links: &PageLinks) -> Option<SessionId> {
    let start = text.len().saturating_sub(LINK_WITHIN);
    let end = (start..=text.len()).find_map(|at| text.get(at..))?;
    // The link with its id cut out, to be found around another.
    let probe = SessionId(uuid::Uuid::nil());
    let link = links.export(probe);
    let (head, _) = link.split_once(&probe.to_string())?;
    let at = end.rfind(head)? + head.len();
    end.get(at..at + 36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Read, Problem> {
        let links = PageLinks::new("https://resync.example");
        serde_json::from_value::<CompletionRequest>(body)
            .unwrap()
            .read(&links)
    }

    #[test]
    fn the_last_message_of_the_user_is_the_question_whatever_else_is_sent() {
        let got = read(json!({
            "model": "resync", "temperature": 0.2, "user": "x", "metadata": {"a": "b"},
            "stream_options": {"include_usage": true, "include_obfuscation": false},
            "messages": [
                {"role": "system", "content": "You are a pirate."},
                {"role": "user", "content": "why did A fail?", "name": "olga"},
                {"role": "assistant", "content": null, "refusal": null},
                {"role": "user", "content": [{"type": "text", "text": "and"}, {"type": "image_url"}, {"type": "text", "text": "its log?"}]},
            ],
        }));
        assert_eq!(
            got.unwrap(),
            Read {
                question: "and\nits log?".to_owned(),
                session: None,
                before: Some("why did A fail?".to_owned()),
                stream: false,
                include_usage: true,
            }
        );
    }

    #[test]
    fn the_conversation_is_the_one_that_the_last_answer_links_to() {
        let links = PageLinks::new("https://resync.example");
        let session = SessionId(uuid::Uuid::from_u128(7));
        let answered = |link: String| {
            read(json!({"model": "resync", "messages": [
                {"role": "assistant", "content": format!("é text\n[conversation]({link})")},
                {"role": "user", "content": "and its log?"},
            ]}))
            .unwrap()
            .session
        };
        assert_eq!(answered(links.export(session)), Some(session));
        let elsewhere = PageLinks::new("https://evil.example");
        assert_eq!(answered(elsewhere.export(session)), None);
        assert_eq!(
            answered("https://resync.example/api/v1/chat/sessions/x".to_owned()),
            None
        );
    }

    #[test]
    fn what_we_would_have_to_pretend_is_refused() {
        let asked = |extra: Value| {
            let mut body =
                json!({"model": "resync", "messages": [{"role": "user", "content": "x"}]});
            let (Some(body_fields), Some(more)) = (body.as_object_mut(), extra.as_object()) else {
                panic!("objects");
            };
            body_fields.extend(more.clone());
            read(body)
                .map(|_| ())
                .map_err(|problem| problem.0.errors[0].pointer.clone())
        };
        assert_eq!(
            asked(json!({"tools": [{"type": "function"}]})),
            Err("/tools".to_owned())
        );
        assert_eq!(
            asked(json!({"functions": [{}]})),
            Err("/functions".to_owned())
        );
        assert_eq!(asked(json!({"n": 2})), Err("/n".to_owned()));
        let format = json!({"response_format": {"type": "json_object"}});
        assert_eq!(asked(format), Err("/response_format".to_owned()));
        assert_eq!(
            asked(json!({"tools": [], "n": 1, "tool_choice": "none"})),
            Ok(())
        );
        let nobody = read(json!({"model": "resync", "messages": []}));
        assert_eq!(nobody.unwrap_err().0.errors[0].pointer, "/messages");
    }
}
