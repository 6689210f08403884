//! What is sent to `/v1/embeddings` and what comes back.

use serde::{Deserialize, Serialize};

use crate::call::CallError;

#[derive(Serialize)]
pub(crate) struct Request<'a> {
    pub(crate) model: &'a str,
    pub(crate) input: &'a [&'a str],
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    /// Which text it belongs to; servers that leave it out answer in order.
    index: Option<usize>,
    embedding: Embedding,
}

/// Besides a vector, what some servers send in its place.
#[derive(Deserialize)]
#[serde(untagged)]
enum Embedding {
    Vector(Vec<f32>),
    /// A vector for each token: llama.cpp with a model that does not pool.
    Tokens(#[expect(dead_code, reason = "its shape is what counts")] Vec<Vec<f32>>),
    /// Base64, which nobody asked for.
    Text(#[expect(dead_code, reason = "its shape is what counts")] String),
}

/// The vectors of `count` texts in their order, each of length 1 and of `dimensions` numbers, when
/// these are known.
///
/// [`CallError::Wrong`] says what is wrong with an answer, without its content.
pub(crate) fn read(
    body: &[u8],
    count: usize,
    dimensions: Option<u32>,
) -> Result<Vec<Vec<f32>>, CallError> {
    let wrong = |what: String| Err(CallError::Wrong(what));
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => {
            let place = (error.line(), error.column());
            return wrong(format!(
                "no list of embeddings (line {}, column {})",
                place.0, place.1
            ));
        }
    };
    if answer.data.len() != count {
        return wrong(format!("{} vectors for {count} texts", answer.data.len()));
    }
    let mut vectors = vec![Vec::new(); count];
    let mut dimensions = dimensions.and_then(|known| usize::try_from(known).ok());
    for (place, item) in answer.data.into_iter().enumerate() {
        let index = item.index.unwrap_or(place);
        let vector = match item.embedding {
            Embedding::Vector(vector) => vector,
            Embedding::Tokens(_) => {
                return wrong("a vector for each token; the server must pool them".to_owned());
            }
            Embedding::Text(_) => return wrong("text instead of numbers".to_owned()),
        };
        let expected = *dimensions.get_or_insert(vector.len());
        if vector.len() != expected || vector.is_empty() {
            return wrong(format!("{} dimensions instead of {expected}", vector.len()));
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return wrong("numbers that are not finite".to_owned());
        }
        match vectors.get_mut(index) {
            Some(slot) if slot.is_empty() => *slot = unit(vector),
            _ => return wrong(format!("index {index} twice or beyond {count} texts")),
        }
    }
    Ok(vectors)
}

/// With length 1; zeros stay.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 {
        for x in &mut vector {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "of -1 to 1, to the nearest"
            )]
            let share = (f64::from(*x) / length) as f32;
            *x = share;
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: &str) -> String {
        match read(body.as_bytes(), 2, Some(2)).unwrap_err() {
            CallError::Wrong(what) => what,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn vectors_stand_in_the_order_of_their_index_and_have_length_one() {
        let body = r#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[3,4]}]}"#;
        let vectors = read(body.as_bytes(), 2, None).unwrap();
        assert_eq!(vectors, [[0.6, 0.8], [0.0, 1.0]]);
    }

    #[test]
    fn a_wrong_shape_is_refused_with_what_is_wrong() {
        for (body, what) in [
            (
                r#"{"data":[{"index":0,"embedding":[1,0]}]}"#,
                "1 vectors for 2",
            ),
            (
                r#"{"data":[{"embedding":[1,0]},{"embedding":[1]}]}"#,
                "1 dimensions instead of 2",
            ),
            (
                r#"{"data":[{"embedding":[]},{"embedding":[]}]}"#,
                "0 dimensions",
            ),
            (
                r#"{"data":[{"index":0,"embedding":[1,0]},{"index":0,"embedding":[1,0]}]}"#,
                "index 0 twice",
            ),
            (
                r#"{"data":[{"index":7,"embedding":[1,0]},{"index":1,"embedding":[1,0]}]}"#,
                "index 7",
            ),
            (
                r#"{"data":[{"embedding":[[1,0],[0,1]]},{"embedding":[1,0]}]}"#,
                "each token",
            ),
            (
                r#"{"data":[{"embedding":"AACAPw=="},{"embedding":[1,0]}]}"#,
                "text instead",
            ),
            (
                r#"{"data":[{"embedding":[1e39,0]},{"embedding":[1,0]}]}"#,
                "not finite",
            ),
            (
                r#"{"data":[{"embedding":[null,0]},{"embedding":[1,0]}]}"#,
                "no list",
            ),
            (r#"{"error":{"message":"canary"}}"#, "no list"),
            ("<html>", "no list"),
        ] {
            let found = wrong(body);
            assert!(found.contains(what), "{found} for {body}");
            assert!(!found.contains("canary"));
        }
    }
}
