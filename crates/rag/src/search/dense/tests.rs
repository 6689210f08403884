use super::*;
use uuid::Uuid;

const DIMENSIONS: usize = 48;

fn model() -> EmbeddingModel {
    EmbeddingModel {
        id: "test".to_owned(),
        dimensions: u32::try_from(DIMENSIONS).unwrap(),
    }
}

fn id(n: u128) -> DocumentId {
    DocumentId(Uuid::from_u128(n))
}

/// Unit vectors that look random and are the same in every run.
fn vector(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut numbers: Vec<f32> = (0..DIMENSIONS)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from(u16::try_from(state >> 48).unwrap()) / 32768.0 - 1.0
        })
        .collect();
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut numbers {
        *x /= length;
    }
    numbers
}

fn near(search: &ExactVectorSearch, seed: u64, limit: usize, only: Option<&str>) -> Vec<Neighbour> {
    search.scan(&NearestQuery {
        model: model(),
        vector: vector(seed),
        collection: only.map(str::to_owned),
        limit,
    })
}

/// What rounding each number to half precision, by 2⁻¹¹ of it at most, can change a cosine by, and what
/// adding them up adds.
const HALF_PRECISION: f32 = 5e-4;

#[test]
fn the_answer_is_that_of_an_exact_scan() {
    let search = ExactVectorSearch::new(model());
    let all: Vec<Vec<f32>> = (1..=3000).map(vector).collect();
    for (document, vectors) in (0..).zip(all.chunks(7)) {
        search.put(id(document), None, vectors);
    }
    assert_eq!(search.len(), 3000);
    let (mut same, mut asked) = (0, 0);
    for seed in 10_000..10_050 {
        let question = vector(seed);
        let mut exact: Vec<(f32, usize)> = all
            .iter()
            .enumerate()
            .map(|(at, v)| (v.iter().zip(&question).map(|(a, b)| a * b).sum(), at))
            .collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found = near(&search, seed, 10, None);
        for (_, at) in exact.iter().take(10) {
            let place = (id((at / 7) as u128), u32::try_from(at % 7).unwrap());
            same += u32::from(found.iter().any(|n| (n.document, n.ordinal) == place));
            asked += 1;
        }
        assert!((found[0].cosine - exact[0].0).abs() < HALF_PRECISION);
    }
    assert!(same * 100 >= asked * 99, "{same} of {asked}");
}

#[test]
fn a_document_is_replaced_and_removed_whole_and_its_rows_are_used_again() {
    let search = ExactVectorSearch::new(model());
    search.put(id(1), None, &[vector(1), vector(2), vector(3)]);
    search.put(id(1), None, &[vector(4)]);
    assert_eq!(search.len(), 1);
    assert!(near(&search, 1, 10, None)[0].cosine < 0.99);
    let before = search.bytes();
    for round in 0..5_000 {
        search.put(id(2), None, &[vector(round), vector(round + 1)]);
    }
    assert_eq!((search.len(), search.bytes()), (3, before));
    search.remove(id(2));
    search.remove(id(9));
    let found = near(&search, 4, 10, None);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].document, found[0].ordinal), (id(1), 0));
    search.clear();
    assert!(search.is_empty() && near(&search, 4, 10, None).is_empty());
}

#[test]
fn a_collection_is_searched_alone() {
    let search = ExactVectorSearch::new(model());
    search.put(id(1), Some("a"), &[vector(1)]);
    search.put(id(2), Some("b"), &[vector(1)]);
    search.put(id(3), None, &[vector(1)]);
    let of = |only| -> Vec<DocumentId> {
        near(&search, 1, 10, only)
            .iter()
            .map(|n| n.document)
            .collect()
    };
    assert_eq!(of(Some("b")), [id(2)]);
    assert_eq!(of(Some("c")), []);
    assert_eq!(of(None), [id(1), id(2), id(3)]);
}

#[test]
fn the_order_does_not_depend_on_how_documents_came() {
    let (one, other) = (
        ExactVectorSearch::new(model()),
        ExactVectorSearch::new(model()),
    );
    for n in 0..200_u32 {
        one.put(id(n.into()), None, &[vector(u64::from(n % 20))]);
        let n = 199 - n;
        other.put(id(n.into()), None, &[vector(u64::from(n % 20))]);
    }
    assert_eq!(near(&one, 7, 30, None), near(&other, 7, 30, None));
}

#[test]
fn vectors_of_another_model_or_of_zeros_are_not_found() {
    let search = ExactVectorSearch::new(model());
    search.put(
        id(1),
        None,
        &[vec![0.0; DIMENSIONS], vec![1.0; 3], vector(5)],
    );
    assert_eq!(search.len(), 1);
    assert_eq!(near(&search, 5, 10, None)[0].ordinal, 2);
    let query = NearestQuery {
        model: EmbeddingModel {
            id: "other".to_owned(),
            ..model()
        },
        vector: vector(5),
        collection: None,
        limit: 10,
    };
    assert!(search.scan(&query).is_empty());
}

/// A search that began before a change reads what was there before it.
#[test]
fn a_search_keeps_its_state_while_documents_change() {
    let search = ExactVectorSearch::new(model());
    search.put(id(1), None, &[vector(1)]);
    let held = search.state();
    search.put(id(1), None, &[vector(2)]);
    search.remove(id(1));
    let place = Place { block: 0, row: 0 };
    assert!((held.cosine(place, &vector(1), &mut Vec::new()) - 1.0).abs() < HALF_PRECISION);
    assert!(search.is_empty());
}
