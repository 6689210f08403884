//! The port on the bundled models: where the work happens, how much of it at once, and how it ends.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use resync_kernel::BoxError;
use resync_rag::{Embedder, EmbedderError, EmbeddingKind, EmbeddingModel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::models::{BundledModel, Models};
use crate::weights::WeightsError;

/// The models inside the binary behind the port of `resync-rag`.
pub struct BundledEmbedder {
    bundled: BundledModel,
    model: EmbeddingModel,
    /// Filled by the first text, on its blocking thread. A failure stays: the file will not change.
    models: Arc<OnceLock<Result<Models, WeightsError>>>,
    cores: usize,
    /// A permit is a thread that embeds passages.
    passages: Arc<Semaphore>,
    /// A permit is a thread that embeds questions.
    queries: Arc<Semaphore>,
}

impl BundledEmbedder {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(bundled: BundledModel) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            bundled,
            model: bundled.model(),
            models: Arc::default(),
            cores,
            passages: Arc::new(Semaphore::new(cores)),
            queries: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Takes one thread, waiting for it in order, and as many more as are idle.
    async fn threads(
        &self,
        kind: EmbeddingKind,
        texts: usize,
    ) -> Result<Vec<OwnedSemaphorePermit>, EmbedderError> {
        let gate = match kind {
            EmbeddingKind::Query => &self.queries,
            EmbeddingKind::Passage => &self.passages,
        };
        let first = gate.clone().acquire_owned().await.map_err(unavailable)?;
        let most = self.cores.min(texts);
        let others = std::iter::repeat_with(|| gate.clone().try_acquire_owned().ok());
        let others = others.map_while(|permit| permit);
        Ok(std::iter::once(first).chain(others).take(most).collect())
    }
}

#[async_trait]
impl Embedder for BundledEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed(
        &self,
        kind: EmbeddingKind,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let mut vectors = vec![Vec::new(); texts.len()];
        let work = EndOnDrop(Arc::new(Work::new(texts)));
        let mut threads = JoinSet::new();
        for permit in self.threads(kind, vectors.len()).await? {
            let (work, models, bundled) = (work.0.clone(), self.models.clone(), self.bundled);
            let span = tracing::Span::current();
            threads.spawn_blocking(move || {
                let _permit = permit;
                span.in_scope(|| match models.get_or_init(|| Models::load(bundled)) {
                    Ok(models) => Ok(work.run(|text| models.vector(kind, text))),
                    Err(error) => Err(error.to_string()),
                })
            });
        }
        while let Some(done) = threads.join_next().await {
            let done = done.map_err(unavailable)?;
            let done = done.map_err(|reason| EmbedderError::Unavailable(reason.into()))?;
            for (index, vector) in done {
                if let Some(place) = vectors.get_mut(index) {
                    *place = vector;
                }
            }
        }
        Ok(vectors)
    }
}

fn unavailable(error: impl Into<BoxError>) -> EmbedderError {
    EmbedderError::Unavailable(error.into())
}

/// The texts of one call, which its threads take one by one.
struct Work {
    texts: Vec<String>,
    next: AtomicUsize,
    ended: AtomicBool,
}

impl Work {
    fn new(texts: Vec<String>) -> Self {
        Self {
            texts,
            next: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// What this thread made of the texts that it took, each with its place.
    fn run(&self, vector: impl Fn(&str) -> Vec<f32>) -> Vec<(usize, Vec<f32>)> {
        let mut done = Vec::new();
        while !self.ended.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(text) = self.texts.get(index) else {
                break;
            };
            done.push((index, vector(text)));
        }
        done
    }
}

/// The threads of a call that nobody waits for stop at their next text.
struct EndOnDrop(Arc<Work>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn texts(count: usize) -> Vec<String> {
        (0..count)
            .map(|index| format!("job {index} failed"))
            .collect()
    }

    #[tokio::test]
    async fn each_text_has_its_vector_in_its_place() {
        let embedder = BundledEmbedder::new(BundledModel::Multilingual);
        let passage = EmbeddingKind::Passage;
        let together = embedder.embed(passage, texts(20)).await.unwrap();
        assert_eq!(together.len(), 20);
        for (index, text) in texts(20).into_iter().enumerate() {
            let alone = embedder.embed(passage, vec![text]).await.unwrap();
            assert_eq!(alone, [together[index].clone()]);
        }
        assert_eq!(embedder.model().dimensions, 512);
        assert!(
            embedder
                .embed(passage, Vec::new())
                .await
                .unwrap()
                .is_empty()
        );
    }

    /// The first text takes its time; the caller goes away meanwhile; the second is not begun.
    #[test]
    fn work_that_nobody_waits_for_ends_at_the_next_text() {
        let work = Arc::new(Work::new(texts(2)));
        let guard = EndOnDrop(work.clone());
        let (began, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            work.run(|_| {
                began.send(()).unwrap();
                may_go_on.recv().unwrap();
                Vec::new()
            })
        });
        has_begun.recv().unwrap();
        drop(guard);
        go_on.send(()).unwrap();
        assert_eq!(thread.join().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_question_does_not_wait_for_passages() {
        let embedder = BundledEmbedder::new(BundledModel::Multilingual);
        let every = u32::try_from(embedder.cores).unwrap();
        let _all = embedder.passages.acquire_many(every).await.unwrap();
        let question = embedder.embed(EmbeddingKind::Query, texts(1)).await;
        assert_eq!(question.unwrap().len(), 1);
    }

    /// One thread is waited for, no more: a call goes on with what is idle.
    #[tokio::test]
    async fn a_call_takes_the_idle_threads_and_no_more_than_its_texts() {
        let embedder = BundledEmbedder::new(BundledModel::Multilingual);
        let passage = EmbeddingKind::Passage;
        let one = embedder.threads(passage, 1).await.unwrap();
        assert_eq!(one.len(), 1);
        drop(one);
        let all = embedder.threads(passage, 1000).await.unwrap();
        assert_eq!(all.len(), embedder.cores);
    }
}
