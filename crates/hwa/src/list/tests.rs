use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::WireJob;

type Values = ListSink<
    serde_json::Map<String, Value>,
    Value,
    fn(serde_json::Map<String, Value>, Place) -> Result<Value, GatewayError>,
>;

fn values() -> Values {
    ListSink::new(|map, _| Ok(Value::Object(map)))
}

/// Gives the text in chunks of these lengths, turn by turn.
fn read_in(text: &[u8], lengths: &[usize]) -> Result<WireList<Value>, Failure> {
    let mut sink = values();
    let (mut rest, mut turn) = (text, 0);
    while !rest.is_empty() {
        let length = lengths.get(turn % lengths.len()).copied().unwrap_or(1);
        let (chunk, after) = rest.split_at(length.clamp(1, rest.len()));
        sink.chunk(chunk)?;
        (rest, turn) = (after, turn + 1);
    }
    sink.end()
}

fn said(text: &str) -> String {
    match read_in(text.as_bytes(), &[usize::MAX]) {
        Ok(list) => panic!("{list:?}"),
        Err(failure) => failure.into_error(GatewayError::Unsupported).to_string(),
    }
}

#[test]
fn faults_are_named_by_their_place_without_repeating_the_text() {
    for (text, why) in [
        ("", "an empty body"),
        (" \n ", "an empty body"),
        ("garbage", "no JSON at byte 1"),
        ("[1,2]", "JSON, but no object"),
        ("null", "JSON, but no object"),
        ("<html>", "a web page instead of JSON"),
        (r#"{"results":["#, "half of a JSON text, 12 bytes"),
        (r#"{"results":[{},"#, "half of a JSON text, 15 bytes"),
        (r#"{"results":[{}]"#, "half of a JSON text, 15 bytes"),
        (r#"{"results":[{},]}"#, "results[1]: no JSON at byte 16"),
        (r#"{"results":[{} {}]}"#, "no JSON at byte 16"),
        (
            r#"{"results":[{},{"a":secret}]}"#,
            "results[1]: no JSON at byte 21",
        ),
        (r#"{"results":[{},7]}"#, "results[1] is no object"),
        (r#"{"count":1,}"#, "no JSON at byte 12"),
        (r#"{"count" 1}"#, "no JSON at byte 10"),
        (r#"{"results":[]} x"#, "no JSON at byte 16"),
        (r#"{"results":[],"results":[]}"#, "JSON with results twice"),
        (r"{count:1}", "no JSON at byte 2"),
    ] {
        assert_eq!(
            said(text),
            format!("the engine's answer cannot be read: {why}"),
            "{text}"
        );
    }
}

#[test]
fn a_mark_of_byte_order_is_skipped_however_it_is_cut() {
    let text = b"\xef\xbb\xbf{\"count\":1,\"results\":[{}]}";
    for lengths in [&[1][..], &[2, 5], &[3], &[usize::MAX]] {
        assert_eq!(read_in(text, lengths).unwrap().results.unwrap().len(), 1);
    }
    assert!(read_in(b"\xef\xbb", &[1]).is_err());
}

#[test]
fn bytes_that_are_no_utf8_are_refused_also_where_nobody_reads() {
    for text in [
        &b"{\"results\":[],\"x\":\"caf\xe9\"}"[..],
        b"{\"results\":[{\"x\":\"\xc3\"}]}",
        b"{\"results\":[]}\xff",
    ] {
        for lengths in [&[1][..], &[7], &[usize::MAX]] {
            let error = read_in(text, lengths).unwrap_err();
            assert!(format!("{error:?}").contains("no UTF-8"), "{error:?}");
        }
    }
}

#[test]
fn a_list_over_its_cap_is_refused() {
    let mut sink = values();
    sink.cap = 100;
    let told = Head {
        length: Some(101),
        ..Head::default()
    };
    assert!(matches!(sink.begin(told), Err(Failure::Unusable(_))));
    sink.chunk(br#"{"results":["#).unwrap();
    let end = (0..100).find_map(|_| sink.chunk(b"{},").err()).unwrap();
    assert!(
        format!("{end:?}").contains("larger than 100 bytes"),
        "{end:?}"
    );
}

#[test]
fn what_is_held_is_one_element() {
    let element = format!(r#"{{"id":"a","name":"A","x":"{}"}},"#, "y".repeat(3_000));
    let mut sink = ListSink::new(WireJob::read);
    sink.chunk(br#"{"results":["#).unwrap();
    let mut most = 0;
    for _ in 0..2_000 {
        for piece in element.as_bytes().chunks(1_024) {
            sink.chunk(piece).unwrap();
            most = most.max(sink.text.capacity());
        }
    }
    sink.chunk(br#"{"id":"z","name":"Z"}]}"#).unwrap();
    assert_eq!(sink.end().unwrap().results.unwrap().len(), 2_001);
    assert!(most < 4 * element.len(), "{most} bytes were held");
}

#[test]
fn a_drip_of_bytes_is_parsed_few_times() {
    let text = format!(r#"{{"results":[{{"x":"{}"}}]}}"#, "y".repeat(100_000));
    let mut sink = values();
    let mut tries = 0;
    for byte in text.as_bytes() {
        if sink.text.len() + 1 - sink.at >= sink.worth_trying {
            tries += 1;
        }
        sink.chunk(&[*byte]).unwrap();
    }
    assert_eq!(sink.end().unwrap().results.unwrap().len(), 1);
    // One for each step of the envelope, and as many as growing by half takes.
    assert!(tries < 80, "{tries}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Halves are exact in any parser.
        any::<i32>().prop_map(|number| json!(f64::from(number) / 2.0)),
        any::<String>().prop_map(Value::from),
        r#"[\\"{}\[\]:,é😀 ]{0,12}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_page() -> impl Strategy<Value = Value> {
    let element = proptest::collection::btree_map("[a-z]{1,4}", any_json(), 0..5)
        .prop_map(|map| Value::Object(map.into_iter().collect()));
    let rest = proptest::collection::btree_map("[a-z]{1,4}", any_json(), 0..4);
    (
        proptest::collection::vec(element, 0..8),
        any_json(),
        any_json(),
        rest,
    )
        .prop_map(|(results, count, next, rest)| {
            let mut page: serde_json::Map<String, Value> = rest.into_iter().collect();
            page.insert("results".to_owned(), Value::Array(results));
            page.insert("count".to_owned(), count);
            page.insert("next".to_owned(), next);
            Value::Object(page)
        })
}

proptest! {
    #[test]
    fn every_way_of_cutting_gives_the_same(
        page in any_page(),
        pretty in any::<bool>(),
        lengths in proptest::collection::vec(1_usize..40, 1..6),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&page) } else { serde_json::to_string(&page) }.unwrap();
        let list = read_in(text.as_bytes(), &lengths).unwrap();
        prop_assert_eq!(Value::Array(list.results.unwrap()), page["results"].clone());
        prop_assert_eq!(list.count.int(), serde_json::from_value::<Scalar>(page["count"].clone()).unwrap().int());
    }

    /// One byte is changed, or the end is cut off.
    #[test]
    fn it_reads_what_serde_json_reads(
        page in any_page(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![
            prop::sample::select(b"{}[]\",:0-9tfn\\ \xc3".to_vec()).prop_map(Some),
            Just(None),
        ],
        lengths in proptest::collection::vec(1_usize..40, 1..4),
    ) {
        let mut text = serde_json::to_vec(&page).unwrap();
        let at = at.index(text.len());
        match change {
            Some(byte) => text[at] = byte,
            None => text.truncate(at),
        }
        let ours = read_in(&text, &lengths);
        let theirs = serde_json::from_slice::<Value>(&text).ok();
        match (theirs, ours) {
            (None, ours) => prop_assert!(ours.is_err()),
            (Some(value), Ok(list)) => {
                let results = list.results.map(Value::Array);
                prop_assert_eq!(results.as_ref(), value.get("results").filter(|v| v.is_array()));
            }
            (Some(value), Err(failure)) => {
                // Stricter only where a page would be a riddle.
                let no_page = value.get("results").and_then(Value::as_array)
                    .is_none_or(|items| items.iter().any(|item| !item.is_object()))
                    || format!("{failure:?}").contains("twice");
                prop_assert!(no_page, "{failure:?}");
            }
        }
    }
}
