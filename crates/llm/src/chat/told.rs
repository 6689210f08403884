//! Work that tells pieces as it goes, as a stream.
//!
//! 1. `what_is_told_comes_out_in_order`, and the work's failure last.
//! 2. `dropping_the_stream_ends_the_work`: it runs where the stream is read and nowhere else.

use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;

/// Pieces that wait to be read; the work waits when there are more.
const WAITING: usize = 8;

type Work<E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send>>;

struct Told<T, E> {
    work: Option<Work<E>>,
    pieces: mpsc::Receiver<T>,
    failure: Option<E>,
}

/// The pieces that `work` sends, and its error behind them.
pub(super) fn told<T, E, F>(
    work: impl FnOnce(mpsc::Sender<T>) -> F,
) -> BoxStream<'static, Result<T, E>>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(WAITING);
    let told = Told {
        work: Some(Box::pin(work(sender)) as Work<E>),
        pieces,
        failure: None,
    };
    stream::unfold(told, next).boxed()
}

async fn next<T, E>(mut told: Told<T, E>) -> Option<(Result<T, E>, Told<T, E>)> {
    while let Some(work) = &mut told.work {
        tokio::select! {
            biased;
            piece = told.pieces.recv() => {
                if let Some(piece) = piece {
                    return Some((Ok(piece), told));
                }
                // The work holds no sender any more, but has not ended.
                told.failure = work.await.err();
                told.work = None;
            }
            ended = &mut *work => {
                told.failure = ended.err();
                told.work = None;
            }
        }
    }
    // What the work told before it ended.
    if let Some(piece) = told.pieces.recv().await {
        return Some((Ok(piece), told));
    }
    let failure = told.failure.take()?;
    Some((Err(failure), told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_comes_out_in_order() {
        for (count, fails) in [(0, true), (3, true), (30, true), (30, false)] {
            let stream = told(move |pieces| async move {
                for n in 0..count {
                    pieces.send(n).await.unwrap();
                }
                if fails { Err("broken") } else { Ok(()) }
            });
            let all: Vec<Result<i32, &str>> = stream.collect().await;
            let mut expected: Vec<_> = (0..count).map(Ok).collect();
            expected.extend(fails.then_some(Err("broken")));
            assert_eq!(all, expected);
        }
    }

    #[tokio::test]
    async fn dropping_the_stream_ends_the_work() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let mut stream = told::<_, (), _>(move |pieces| async move {
            pieces.send(1).await.unwrap();
            std::future::pending::<()>().await;
            drop(alive);
            Ok(())
        });
        assert_eq!(stream.next().await, Some(Ok(1)));
        drop(stream);
        assert!(ended.await.is_err());
    }
}
