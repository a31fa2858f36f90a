//! The threads that reads run on. A read is on one of them all the way, from the sockets of its upstreams to the frames that leave.
//!
//! An answer arrives in thousands of small pieces, one or two for each series. Handed from thread to thread, each of them would
//! have to come out of another processor's cache, and could be a reason to wake somebody. Here whoever has received a piece looks
//! at it next. Reads side by side are on different threads.

use std::future;
use std::io;
use std::num::NonZero;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;

/// How many threads there are: one for each processor there was when this was first asked.
pub fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// The threads, until the process ends.
#[derive(Debug)]
pub struct Threads(Vec<Arc<Thread>>);

/// One of the threads.
#[derive(Debug)]
pub struct Thread {
    index: usize,
    runtime: Handle,
    reads: AtomicUsize,
}

/// Counts a read among those of a thread until it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Thread>);

/// Ends a task with whoever waits for it.
struct Abort(AbortHandle);

impl Threads {
    /// Starts [`count`] threads.
    ///
    /// # Errors
    /// When the system has no more threads, or no more files to wait for sockets with.
    pub fn start() -> io::Result<Self> {
        (0..count()).map(|index| Thread::start(index).map(Arc::new)).collect::<io::Result<_>>().map(Self)
    }

    /// A seat on the thread that has the fewest reads; of several on the first, whose connections are the likeliest to be open.
    pub fn seat(&self) -> Seat {
        let reads = |&index: &usize| self.0[index].reads.load(Ordering::Relaxed);
        let thread = &self.0[(0..self.0.len()).min_by_key(reads).unwrap_or_default()];
        thread.reads.fetch_add(1, Ordering::Relaxed);
        Seat(Arc::clone(thread))
    }
}

impl Thread {
    fn start(index: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || runtime.block_on(future::pending::<()>()))?;
        Ok(Self { index, runtime: handle, reads: AtomicUsize::new(0) })
    }

    /// Which one it is, counted from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Runs `work` on this thread. It ends when the future is dropped.
    ///
    /// # Panics
    /// When `work` does.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let task = self.runtime.spawn(work);
        let _abort = Abort(task.abort_handle());
        match task.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            // Nobody else ends the task but the end of the process.
            Err(_) => future::pending().await,
        }
    }
}

impl Seat {
    /// The thread.
    pub fn thread(&self) -> &Arc<Thread> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.reads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_side_by_side_are_on_different_threads() {
        let threads = Threads::start().unwrap();
        let mut seats: Vec<_> = (0..count()).map(|_| threads.seat()).collect();
        let indices: Vec<_> = seats.iter().map(|seat| seat.thread().index()).collect();
        assert_eq!(indices, (0..count()).collect::<Vec<_>>());
        let last = seats.pop().unwrap().thread().index();
        let seat = threads.seat();
        assert_eq!(seat.thread().index(), last, "the one that is free again");
        let name = seat.thread().run(async { thread::current().name().map(str::to_owned) }).await;
        assert_eq!(name.as_deref(), Some("read"));
    }

    #[tokio::test]
    async fn work_ends_with_whoever_waits_for_it() {
        struct Tell(Option<tokio::sync::oneshot::Sender<()>>);
        impl Drop for Tell {
            fn drop(&mut self) {
                let _ = self.0.take().map(|tell| tell.send(()));
            }
        }
        let threads = Threads::start().unwrap();
        let seat = threads.seat();
        let (tell, ended) = tokio::sync::oneshot::channel();
        let tell = Tell(Some(tell));
        let work = seat.thread().run(async move {
            let _tell = tell;
            future::pending::<()>().await;
        });
        let waited = tokio::time::timeout(std::time::Duration::from_millis(1), work).await;
        assert!(waited.is_err());
        ended.await.unwrap();
    }
}
