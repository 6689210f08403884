//! Own threads at low priority behind one bounded queue, for work that keeps a core busy.
//!
//! 1. `work_runs_on_the_named_threads`: never on the thread that asks.
//! 2. `a_full_queue_refuses`: what does not fit is refused at once, nothing waits outside the queue.
//! 3. `a_job_whose_caller_is_gone_is_skipped`, and its place is free for the next one.
//! 4. `a_panic_costs_its_caller_only`: the thread lives, the caller gets [`Gone`].
//! 5. `dropping_the_workers_joins_them`: queued jobs are refused with [`Gone`], none is lost silently.
//! 6. `each_job_that_is_run_tells_how_long_it_waited`, and one that is skipped does not.
//!
//! The mutex guards the queue for a few lines without `await`; a job never runs under it.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::oneshot;

/// How much milder than normal the threads are scheduled.
const NICENESS: i32 = 5;

/// The queue is full; it holds that many jobs.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("{waiting} jobs wait already")]
pub(crate) struct Full {
    pub(crate) waiting: usize,
}

/// The job ended without an answer: the workers stopped, or the job panicked.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the worker ended without an answer")]
pub(crate) struct Gone;

/// The answer to come. Dropping it withdraws a job that has not begun.
#[derive(Debug)]
pub(crate) struct Answer<T>(oneshot::Receiver<T>);

impl<T> Future for Answer<T> {
    type Output = Result<T, Gone>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| Gone)
    }
}

trait Job: Send {
    fn is_wanted(&self) -> bool;
    fn run(self: Box<Self>);
}

struct Task<W, T> {
    work: W,
    reply: oneshot::Sender<T>,
}

impl<W: FnOnce() -> T + Send, T: Send> Job for Task<W, T> {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>) {
        let Self { work, reply } = *self;
        // A caller that went away meanwhile needs no answer.
        drop(reply.send(work()));
    }
}

/// A job, and since when it waits.
struct Queued {
    since: Instant,
    job: Box<dyn Job>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Queued>,
    stopped: bool,
}

/// Is told how long each job waited, on the thread that is about to run it.
pub(crate) type Waited = Box<dyn Fn(Duration) + Send + Sync>;

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    capacity: usize,
    waited: Waited,
}

impl Shared {
    // A panic cannot happen under the lock, so a poisoned one still holds a whole queue.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(Queued { since, job }) = self.take() {
            if !job.is_wanted() {
                continue;
            }
            (self.waited)(since.elapsed());
            if catch_unwind(AssertUnwindSafe(|| job.run())).is_err() {
                tracing::error!("a job panicked on a worker thread");
            }
        }
    }

    fn take(&self) -> Option<Queued> {
        let mut queue = self.lock();
        loop {
            if queue.stopped {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads; dropping them waits for the jobs that run.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads named `name` and a number.
    pub(crate) fn start(
        name: &str,
        count: NonZeroUsize,
        capacity: NonZeroUsize,
        waited: Waited,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            capacity: capacity.get(),
            waited,
        });
        let mut workers = Self {
            shared,
            threads: Vec::with_capacity(count.get()),
        };
        for number in 0..count.get() {
            let shared = Arc::clone(&workers.shared);
            let thread = std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || {
                    lower_priority();
                    shared.work();
                })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    pub(crate) fn count(&self) -> usize {
        self.threads.len()
    }

    /// Jobs that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Queues `work`, or refuses it at once.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Answer<T>, Full> {
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.jobs.len() >= self.shared.capacity {
                queue.jobs.retain(|queued| queued.job.is_wanted());
            }
            if queue.jobs.len() >= self.shared.capacity {
                return Err(Full {
                    waiting: queue.jobs.len(),
                });
            }
            queue.jobs.push_back(Queued {
                since: Instant::now(),
                job: Box::new(Task { work, reply }),
            });
        }
        self.shared.changed.notify_one();
        Ok(Answer(answer))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.shared.lock();
            queue.stopped = true;
            std::mem::take(&mut queue.jobs)
        };
        drop(waiting);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// On Linux the niceness belongs to the thread; elsewhere it would slow the whole process down.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "the priority of a worker thread stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn workers(count: usize, capacity: usize) -> Workers {
        let of = |n| NonZeroUsize::new(n).unwrap();
        Workers::start("test-worker", of(count), of(capacity), Box::new(|_| {})).unwrap()
    }

    /// Keeps the one thread of `workers` busy until the sender is dropped.
    async fn hold(workers: &Workers) -> (mpsc::Sender<()>, Answer<()>) {
        let (release, held) = mpsc::channel::<()>();
        let (begun, running) = oneshot::channel();
        let answer = workers
            .submit(move || {
                begun.send(()).unwrap();
                let _closed = held.recv();
            })
            .unwrap();
        running.await.unwrap();
        (release, answer)
    }

    /// P0-03, and the niceness that keeps the service quick in a storm of logins.
    #[tokio::test]
    async fn work_runs_on_the_named_threads() {
        let workers = workers(2, 8);
        let (name, niceness) = workers
            .submit(|| {
                let name = std::thread::current().name().unwrap().to_owned();
                (name, rustix::process::getpriority_process(None).unwrap())
            })
            .unwrap()
            .await
            .unwrap();
        assert!(name.starts_with("test-worker-"), "{name}");
        let ours = rustix::process::getpriority_process(None).unwrap();
        assert_eq!(niceness, (ours + NICENESS).min(19));
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let workers = workers(1, 2);
        let (release, held) = hold(&workers).await;
        let first = workers.submit(|| 1).unwrap();
        let second = workers.submit(|| 2).unwrap();
        assert_eq!(workers.submit(|| 3).map(|_| ()), Err(Full { waiting: 2 }));
        drop(release);
        assert_eq!(
            (first.await, second.await, held.await),
            (Ok(1), Ok(2), Ok(()))
        );
        assert_eq!(workers.submit(|| 4).unwrap().await, Ok(4));
    }

    #[tokio::test]
    async fn a_job_whose_caller_is_gone_is_skipped() {
        // With room for both, and with room for the second one only when the first one leaves.
        for capacity in [2, 1] {
            let workers = workers(1, capacity);
            let (release, held) = hold(&workers).await;
            let (ran, runs) = mpsc::channel();
            let also = ran.clone();
            drop(workers.submit(move || ran.send("gone").unwrap()).unwrap());
            let wanted = workers
                .submit(move || also.send("wanted").unwrap())
                .unwrap();
            drop(release);
            wanted.await.unwrap();
            held.await.unwrap();
            assert_eq!(runs.try_iter().collect::<Vec<_>>(), ["wanted"]);
        }
    }

    #[tokio::test]
    async fn each_job_that_is_run_tells_how_long_it_waited() {
        let (tell, waits) = mpsc::channel();
        let tell = std::sync::Mutex::new(tell);
        let waited: Waited = Box::new(move |time| tell.lock().unwrap().send(time).unwrap());
        let (one, two) = (NonZeroUsize::MIN, NonZeroUsize::new(2).unwrap());
        let workers = Workers::start("test-worker", one, two, waited).unwrap();
        let (release, held) = hold(&workers).await;
        assert_eq!(workers.waiting(), 0);
        let begun = Instant::now();
        let queued = workers.submit(|| ()).unwrap();
        drop(workers.submit(|| ()).unwrap());
        assert_eq!(workers.waiting(), 2);
        while begun.elapsed() < Duration::from_millis(5) {
            tokio::task::yield_now().await;
        }
        drop(release);
        held.await.unwrap();
        queued.await.unwrap();
        drop(workers);
        let waits: Vec<Duration> = waits.try_iter().collect();
        assert_eq!(waits.len(), 2, "{waits:?}");
        assert!(waits[1] >= Duration::from_millis(5), "{waits:?}");
    }

    #[tokio::test]
    async fn a_panic_costs_its_caller_only() {
        let workers = workers(1, 1);
        let panics = workers.submit(|| panic!("on purpose")).unwrap();
        assert_eq!(panics.await, Err::<(), _>(Gone));
        assert_eq!(workers.submit(|| 5).unwrap().await, Ok(5));
    }

    #[tokio::test]
    async fn dropping_the_workers_joins_them() {
        let workers = workers(1, 2);
        let (release, held) = hold(&workers).await;
        let queued = workers.submit(|| 6).unwrap();
        let shared = Arc::downgrade(&workers.shared);
        let dropper = std::thread::spawn(move || drop(workers));
        assert_eq!(
            queued.await,
            Err(Gone),
            "refused although the thread is still busy"
        );
        drop(release);
        dropper.join().unwrap();
        assert_eq!(held.await, Ok(()), "what ran has its answer");
        assert_eq!(shared.strong_count(), 0, "no thread is left");
    }
}
