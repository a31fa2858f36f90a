//! Where the answers of upstreams come in: on threads that do nothing else.
//!
//! An answer arrives in thousands of small pieces, one or two for each series, and every piece is handed from the task that has the
//! connection to the one that reads the body. Between the threads of one runtime each of these handovers may wake a thread that waits
//! for sockets, which costs two system calls and more than what is then done with the piece. Here both tasks are on one thread, always
//! the same for an upstream, and what has arrived is handed on in batches.

use std::future;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::JoinHandle;

/// A batch is handed on when it is as large as this, or nothing more has arrived.
const BATCH_BYTES: usize = 256 << 10;

/// As many threads as there are processors, each started when it is first needed.
#[derive(Debug)]
pub struct Intake {
    threads: Vec<Arc<OnceCell<Handle>>>,
    next: AtomicUsize,
}

/// The thread on which the answers of one upstream arrive.
#[derive(Debug)]
pub struct Receiver {
    thread: Arc<OnceCell<Handle>>,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Received<S> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: S,
}

/// Why there is no (further) answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No connection, or it broke.
    #[error(transparent)]
    Transport(#[from] reqwest::Error),
    /// There is no thread for it.
    #[error("no thread can be started to receive the answer: {0}")]
    Thread(#[from] io::Error),
    /// Nobody goes on receiving it.
    #[error("the answer is no longer received")]
    Lost,
}

enum Batch {
    Bytes(Bytes),
    Broken(reqwest::Error),
    /// Nothing is missing.
    End,
}

/// Ends a task with whoever wanted something of it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Default for Intake {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { threads: (0..threads).map(|_| Arc::default()).collect(), next: AtomicUsize::new(0) }
    }
}

impl Intake {
    /// The thread for another upstream.
    pub fn receiver(&self) -> Receiver {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        Receiver { thread: Arc::clone(&self.threads[next]) }
    }
}

impl Receiver {
    /// Sends a request, and returns once the answer has begun. The connection is given up when this, or the answer's body, is dropped.
    ///
    /// # Errors
    /// [`ReceiveError`], of which the body has more.
    pub async fn send(
        &self,
        request: RequestBuilder,
    ) -> Result<Received<impl Stream<Item = Result<Bytes, ReceiveError>> + use<>>, ReceiveError> {
        let handle = self.thread.get_or_try_init(async || start()).await?;
        let (begun, head) = oneshot::channel();
        let (batches, received) = mpsc::channel(1);
        let (spare, spares) = mpsc::channel(1);
        let task = Task(handle.spawn(async move {
            match request.send().await {
                Err(error) => drop(begun.send(Err(error))),
                Ok(response) => {
                    let head = (response.status(), response.headers().clone());
                    if begun.send(Ok(head)).is_ok() {
                        hand_on(response, batches, spares).await;
                    }
                }
            }
        }));
        let (status, headers) = head.await.map_err(|_| ReceiveError::Lost)??;
        Ok(Received { status, headers, body: body(received, spare, task) })
    }
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("intake".to_owned())
        .spawn(move || runtime.block_on(future::pending::<()>()))?;
    Ok(handle)
}

async fn hand_on(response: Response, batches: mpsc::Sender<Batch>, mut spare: mpsc::Receiver<BytesMut>) {
    let mut body = response.bytes_stream();
    loop {
        // Copied, so that the connection reads into the same memory again, which is in the processor's cache.
        let mut batch = spare.try_recv().unwrap_or_default();
        let mut next = body.next().await;
        let end = loop {
            match next {
                Some(Ok(piece)) => batch.extend_from_slice(&piece),
                Some(Err(error)) => break Some(Batch::Broken(error)),
                None => break Some(Batch::End),
            }
            if batch.len() >= BATCH_BYTES {
                break None;
            }
            match next_at_hand(&mut body).await {
                Some(item) => next = item,
                None => break None,
            }
        };
        if !batch.is_empty() && batches.send(Batch::Bytes(batch.freeze())).await.is_err() {
            return;
        }
        if let Some(end) = end {
            let _ = batches.send(end).await;
            return;
        }
    }
}

/// The next item if it has arrived. It is then one step of the connection's task away, which has been woken and comes first.
async fn next_at_hand<S: Stream + Unpin>(body: &mut S) -> Option<Option<S::Item>> {
    let mut is_second = false;
    future::poll_fn(|cx| match body.poll_next_unpin(cx) {
        Poll::Ready(item) => Poll::Ready(Some(item)),
        Poll::Pending if is_second => Poll::Ready(None),
        Poll::Pending => {
            is_second = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// The batches as a body. The memory of each goes back to where it came from when the next one is asked for.
fn body(
    batches: mpsc::Receiver<Batch>,
    spare: mpsc::Sender<BytesMut>,
    task: Task,
) -> impl Stream<Item = Result<Bytes, ReceiveError>> + use<> {
    let state = (batches, spare, task, Bytes::new());
    stream::unfold(state, async |(mut batches, spare, task, last)| {
        if let Ok(mut memory) = last.try_into_mut() {
            memory.clear();
            let _ = spare.try_send(memory);
        }
        let (item, last) = match batches.recv().await {
            Some(Batch::Bytes(bytes)) => (Ok(bytes.clone()), bytes),
            Some(Batch::Broken(error)) => (Err(error.into()), Bytes::new()),
            Some(Batch::End) => return None,
            None => (Err(ReceiveError::Lost), Bytes::new()),
        };
        Some((item, (batches, spare, task, last)))
    })
}
