//! The search of the nearest vectors.

#![expect(
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the store's errors on"
)]

use super::{Outcome, chunks, claimed, document, model, worker};
use crate::model::{Document, DocumentId};
use crate::ports::{
    DocumentRepository, DocumentRepositoryError, EmbeddingModel, NearestQuery, VectorRepository,
    VectorSearch,
};

/// Stores the document with a chunk for each vector, and makes it ready when asked to.
async fn stored<R>(
    store: &R,
    document: &Document,
    model: &EmbeddingModel,
    vectors: &[Vec<f32>],
    ready: bool,
) -> Result<DocumentId, DocumentRepositoryError>
where
    R: DocumentRepository + VectorRepository,
{
    let id = document.id;
    claimed(store, document).await?;
    let cut = chunks(id, &vec!["um"; vectors.len()]);
    assert!(store.put_chunks(id, worker(1), &cut).await?);
    assert!(store.put_vectors(id, worker(1), model, 0, vectors).await?);
    if ready {
        assert!(store.publish(id, worker(1)).await?.is_some());
    }
    Ok(id)
}

fn query(model: &EmbeddingModel, vector: Vec<f32>, limit: usize) -> NearestQuery {
    NearestQuery {
        model: model.clone(),
        vector,
        collection: None,
        limit,
    }
}

async fn places<S: VectorSearch>(
    search: &S,
    query: NearestQuery,
) -> Result<Vec<(DocumentId, u32)>, DocumentRepositoryError> {
    let found = search.nearest(query).await?;
    Ok(found
        .iter()
        .map(|one| (one.document, one.ordinal))
        .collect())
}

/// Best first; of equal ones the smaller document, then the smaller ordinal, also where the limit cuts.
pub async fn the_nearest_come_first_and_equal_ones_by_their_place<R, S>(
    store: &R,
    search: &S,
) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let model = model("a");
    let right = vec![1.0, 0.0, 0.0];
    let near = vec![0.8, 0.6, 0.0];
    let back = vec![-1.0, 0.0, 0.0];
    let second = [near.clone(), right.clone(), right.clone()];
    let second = stored(store, &document(2), &model, &second, true).await?;
    let first = [back, right.clone()];
    let first = stored(store, &document(1), &model, &first, true).await?;
    let expected = [
        (first, 1),
        (second, 1),
        (second, 2),
        (second, 0),
        (first, 0),
    ];
    for limit in 1..=6 {
        let found = places(search, query(&model, right.clone(), limit)).await?;
        assert_eq!(found, expected[..limit.min(5)], "{limit}");
    }
    let found = search.nearest(query(&model, right, 5)).await?;
    for (one, cosine) in found.iter().zip([1.0, 1.0, 1.0, 0.8, -1.0]) {
        assert!((one.cosine - cosine).abs() < 1e-3, "{one:?}");
    }
    Ok(())
}

/// What is not ready yet, or is gone, is not found.
pub async fn only_ready_documents_are_found<R, S>(store: &R, search: &S) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let (model, one) = (model("a"), vec![vec![1.0, 0.0, 0.0]]);
    let ready = stored(store, &document(1), &model, &one, true).await?;
    stored(store, &document(2), &model, &one, false).await?;
    let gone = stored(store, &document(3), &model, &one, true).await?;
    assert!(store.delete(gone).await?);
    let found = places(search, query(&model, one[0].clone(), 10)).await?;
    assert_eq!(found, [(ready, 0)]);
    Ok(())
}

/// A collection holds its own documents alone; without one all are searched.
pub async fn a_collection_is_searched_alone<R, S>(store: &R, search: &S) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let (model, one) = (model("a"), vec![vec![0.0, 1.0, 0.0]]);
    for (n, collection) in [(1, Some("a")), (2, Some("b")), (3, None)] {
        let document = Document {
            collection: collection.map(str::to_owned),
            ..document(n)
        };
        stored(store, &document, &model, &one, true).await?;
    }
    for (collection, expected) in [(Some("b"), &[2][..]), (Some("c"), &[]), (None, &[1, 2, 3])] {
        let query = NearestQuery {
            collection: collection.map(str::to_owned),
            ..query(&model, one[0].clone(), 10)
        };
        let expected: Vec<_> = expected.iter().map(|n| (document(*n).id, 0)).collect();
        assert_eq!(places(search, query).await?, expected, "{collection:?}");
    }
    Ok(())
}

/// Vectors of different models are never compared; a model that nobody used finds nothing.
pub async fn a_question_meets_vectors_of_its_own_model<R, S>(store: &R, search: &S) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let one = vec![vec![1.0, 0.0, 0.0]];
    let wide = EmbeddingModel {
        dimensions: 4,
        ..model("a")
    };
    let wider = vec![vec![1.0, 0.0, 0.0, 0.0]];
    let a = stored(store, &document(1), &model("a"), &one, true).await?;
    let b = stored(store, &document(2), &model("b"), &one, true).await?;
    let c = stored(store, &document(3), &wide, &wider, true).await?;
    for (model, vector, expected) in [
        (model("a"), &one[0], Some(a)),
        (model("b"), &one[0], Some(b)),
        (wide, &wider[0], Some(c)),
        (model("c"), &one[0], None),
    ] {
        let found = places(search, query(&model, vector.clone(), 10)).await?;
        let expected: Vec<_> = expected.into_iter().map(|id| (id, 0)).collect();
        assert_eq!(found, expected, "{model}");
    }
    Ok(())
}

/// A question of another number of dimensions than its model's is an error, not an answer (I-14).
pub async fn a_question_of_other_dimensions_is_refused<R, S>(store: &R, search: &S) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let (model, one) = (model("a"), vec![vec![1.0, 0.0, 0.0]]);
    stored(store, &document(1), &model, &one, true).await?;
    let asked = search.nearest(query(&model, vec![1.0, 0.0], 10)).await;
    assert!(asked.is_err(), "{asked:?}");
    Ok(())
}

/// A text that the model has no words for is a vector of zeros: it is near nothing, and nothing to it.
pub async fn zeros_have_no_neighbour<R, S>(store: &R, search: &S) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let model = model("a");
    let (right, zeros) = (vec![1.0, 0.0, 0.0], vec![0.0; 3]);
    let vectors = [zeros.clone(), right.clone()];
    let id = stored(store, &document(1), &model, &vectors, true).await?;
    assert_eq!(places(search, query(&model, right, 10)).await?, [(id, 1)]);
    assert_eq!(places(search, query(&model, zeros, 10)).await?, []);
    Ok(())
}

const DIMENSIONS: usize = 32;

/// Numbers from −1 to 1 that are the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let [high, low, ..] = self.0.to_be_bytes();
        f32::from(i16::from_be_bytes([high, low])) / 32_768.0
    }

    fn near(&mut self, centre: &[f32], spread: f32) -> Vec<f32> {
        let moved: Vec<f32> = centre.iter().map(|n| n + spread * self.next()).collect();
        let length = moved.iter().map(|n| n * n).sum::<f32>().sqrt();
        moved.iter().map(|n| n / length).collect()
    }
}

/// Of the ten nearest of some 3,000 vectors in clusters at least 98 of 100 are found: of all, of one
/// collection in ten, and of one in a hundred.
pub async fn recall_at_ten_is_high<R, S>(store: &R, search: &S) -> Outcome
where
    R: DocumentRepository + VectorRepository,
    S: VectorSearch,
{
    let model = EmbeddingModel {
        id: "clusters".to_owned(),
        dimensions: u32::try_from(DIMENSIONS).unwrap_or_default(),
    };
    let mut noise = Noise(7);
    let centres: Vec<Vec<f32>> = (0..40)
        .map(|_| noise.near(&[0.0; DIMENSIONS], 1.0))
        .collect();
    let mut all = Vec::new();
    for n in 0..100_u8 {
        let vectors: Vec<Vec<f32>> = (0..30)
            .map(|m| noise.near(&centres[(usize::from(n) + m) % centres.len()], 0.4))
            .collect();
        let collection = match n {
            0 => "rare",
            n if n % 10 == 1 => "some",
            _ => "many",
        };
        let document = Document {
            collection: Some(collection.to_owned()),
            ..document(u128::from(n) + 1)
        };
        let id = stored(store, &document, &model, &vectors, true).await?;
        all.extend(
            (0..)
                .zip(vectors)
                .map(|(ordinal, vector)| (id, ordinal, collection, vector)),
        );
    }
    for only in [None, Some("some"), Some("rare")] {
        let mut found = 0;
        for n in 0..50 {
            let question = noise.near(&centres[n % centres.len()], 0.4);
            let asked = NearestQuery {
                collection: only.map(str::to_owned),
                ..query(&model, question.clone(), 10)
            };
            let answer = places(search, asked).await?;
            assert_eq!(answer.len(), 10);
            let mut exact: Vec<(f32, DocumentId, u32)> = all
                .iter()
                .filter(|(_, _, collection, _)| only.is_none_or(|only| only == *collection))
                .map(|(id, ordinal, _, vector)| {
                    let cosine: f32 = vector.iter().zip(&question).map(|(a, b)| a * b).sum();
                    (-cosine, *id, *ordinal)
                })
                .collect();
            exact.sort_by(|a, b| a.0.total_cmp(&b.0));
            let nearest = exact.iter().take(10);
            found += nearest
                .filter(|(_, id, ordinal)| answer.contains(&(*id, *ordinal)))
                .count();
        }
        assert!(found >= 490, "{only:?}: {found} of 500");
    }
    Ok(())
}
