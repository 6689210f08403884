//! Bodies and queries, read strictly: a wrong one is a problem that names the place.
//!
//! The value itself is never repeated, since it may be a password in the wrong field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use resync_kernel::causes;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::problem::Problem;

/// A JSON body of type `T`. `T` should deny unknown fields.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, state).await?;
        parse_json(&bytes).map(Self)
    }
}

/// The bytes of a body that says it is JSON, for who needs them as they came.
#[derive(Debug)]
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "This address does not take that kind of body",
            )
            .detail("send a JSON body as Content-Type: application/json"));
        }
        read_body(request).await.map(Self)
    }
}

/// The whole body, within the limit that the router put on it.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    match request.into_body().collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_over_limit(&error) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is larger than this address takes",
        )),
        Err(_) => Err(Problem::bad_request(
            "the body ended before it was complete",
        )),
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

fn is_json(headers: &HeaderMap) -> bool {
    // Two of them would leave it open which one a proxy or a filter before us went by.
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads a JSON text into `T`.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(Problem::bad_request(format!(
            "the body is not UTF-8 at byte {}",
            error.valid_up_to()
        )));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        problem_of(error.inner(), pointer)
    })?;
    reader
        .end()
        .map_err(|error| problem_of(&error, String::new()))?;
    Ok(value)
}

fn problem_of(error: &serde_json::Error, pointer: String) -> Problem {
    match error.classify() {
        Category::Data => Problem::invalid(pointer, wrong(&error.to_string())),
        Category::Eof if error.column() == 0 => Problem::bad_request("the body is empty"),
        Category::Syntax | Category::Eof | Category::Io => Problem::bad_request(format!(
            "the body is not JSON: malformed at line {}, column {}",
            error.line(),
            error.column()
        )),
    }
}

/// What was wrong, from serde's message, without the value that it quotes.
fn wrong(message: &str) -> String {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(text, _)| text);
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("the field {field} is missing");
    }
    if let Some(field) = message.strip_prefix("duplicate field ") {
        return format!("the field {field} stands twice");
    }
    if message.starts_with("unknown field ") {
        let known = message
            .rsplit_once("expected ")
            .map_or("", |(_, known)| known);
        return match known {
            "" => "there is an unknown field".to_owned(),
            known => format!(
                "there is an unknown field; known here: {}",
                known.trim_start_matches("one of ")
            ),
        };
    }
    if message.starts_with("unknown variant ") {
        let known = message
            .rsplit_once("expected ")
            .map_or("", |(_, known)| known);
        return format!("not one of {}", known.trim_start_matches("one of "));
    }
    if message.ends_with("was not `true` or `false`") {
        return "expected true or false".to_owned();
    }
    match message.rsplit_once(", expected ") {
        Some((_, "u8" | "u16" | "u32" | "u64" | "usize")) => {
            "expected a whole number within its range".to_owned()
        }
        Some((_, expected)) => format!("expected {expected}"),
        None => "not acceptable here".to_owned(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let text = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&text.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

/// The query of type `T`. `T` should deny unknown fields.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or("");
        // Keeping the path costs more than reading; only who was wrong needs it.
        serde_urlencoded::from_str(query).map(Self).or_else(|_| {
            let pairs = form_urlencoded::parse(query.as_bytes());
            serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
                .map(Self)
                .map_err(|error| {
                    let name = pointer(error.path());
                    Problem::invalid(
                        format!("?{}", name.trim_start_matches('/')),
                        wrong(&error.inner().to_string()),
                    )
                })
        })
    }
}

/// A path segment or other text parsed into a domain type, with the place named when it is not one.
pub(crate) fn parsed<T, E: std::fmt::Display>(
    place: &str,
    result: Result<T, E>,
) -> Result<T, Problem> {
    result.map_err(|error| Problem::invalid(place, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        username: String,
        password: String,
        #[serde(default)]
        depth: Option<u8>,
    }

    fn refused(body: &[u8]) -> Problem {
        parse_json::<Login>(body).unwrap_err()
    }

    #[test]
    fn a_kind_of_body_that_stands_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(
            CONTENT_TYPE,
            "application/json; charset=utf-8".parse().unwrap(),
        );
        assert!(is_json(&headers));
        headers.append(CONTENT_TYPE, "text/plain".parse().unwrap());
        assert!(!is_json(&headers));
    }

    #[test]
    fn what_was_expected_is_said_in_words() {
        let problem = refused(br#"{"username":"a","password":"b","depth":-1}"#);
        assert_eq!(
            problem.0.errors[0].detail,
            "expected a whole number within its range"
        );
        assert_eq!(
            wrong("provided string was not `true` or `false`"),
            "expected true or false"
        );
    }

    #[test]
    fn a_wrong_type_names_the_place_and_not_the_value() {
        let problem = refused(br#"{"username":"ana","password":12345678}"#);
        assert_eq!(problem.0.errors[0].pointer, "/password");
        assert_eq!(problem.0.errors[0].detail, "expected a string");
        assert!(!format!("{problem:?}").contains("12345678"));
    }

    #[test]
    fn an_unknown_field_names_what_is_known() {
        let problem = refused(br#"{"username":"ana","password":"x","hunter2":"y"}"#);
        assert!(
            problem.0.errors[0].detail.contains("`username`"),
            "{problem:?}"
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(
            refused(br#"{"username":"ana"}"#).0.errors[0].detail,
            "the field `password` is missing"
        );
    }

    #[test]
    fn malformed_json_names_line_and_column() {
        let problem = refused(b"{\n \"username\": }");
        assert_eq!(
            problem.0.detail.unwrap(),
            "the body is not JSON: malformed at line 2, column 14"
        );
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_named_by_their_place() {
        let problem = refused(b"{\"username\":\"\xff\"}");
        assert_eq!(
            problem.0.detail.unwrap(),
            "the body is not UTF-8 at byte 13"
        );
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let body = "[".repeat(400_000);
        assert_eq!(refused(body.as_bytes()).0.status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn text_after_the_value_is_refused() {
        assert_eq!(
            refused(br#"{"username":"a","password":"b"} x"#).0.code,
            "bad-request"
        );
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u32>,
        #[serde(default)]
        dry_run: bool,
        sort: Option<Sort>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Sort {
        Name,
    }

    async fn query(text: &str) -> Result<Page, Problem> {
        let uri = format!("/x?{text}");
        let (mut parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
        Query::<Page>::from_request_parts(&mut parts, &())
            .await
            .map(|query| query.0)
    }

    #[tokio::test]
    async fn a_query_reads_numbers_truth_values_and_words() {
        assert_eq!(
            query("limit=20&dry_run=true&sort=name").await.unwrap(),
            Page {
                limit: Some(20),
                dry_run: true,
                sort: Some(Sort::Name)
            }
        );
    }

    #[tokio::test]
    async fn a_wrong_unknown_or_double_parameter_is_named() {
        assert_eq!(
            query("limit=many").await.unwrap_err().0.errors[0].pointer,
            "?limit"
        );
        assert_eq!(
            query("sort=age").await.unwrap_err().0.errors[0].pointer,
            "?sort"
        );
        assert!(
            query("colour=red").await.unwrap_err().0.errors[0]
                .detail
                .contains("unknown field")
        );
        assert_eq!(
            query("limit=1&limit=2").await.unwrap_err().0.errors[0].detail,
            "the field `limit` stands twice"
        );
        assert_eq!(
            query("limit=%ff").await.unwrap_err().0.errors[0].pointer,
            "?limit"
        );
    }
}
