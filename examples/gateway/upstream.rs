//! One upstream: how it is asked, and how its answer arrives as parts of series.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use promha_merge::labels::Labels;
use promha_remote_proto::frame::{FrameLimits, FrameReader};
use promha_remote_proto::negotiate::{self, NegotiateError};
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::{DecodeError, EncodeError};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use super::chunks::ChunkError;
use super::embedded::Sampler;
use super::labels::{Relabel, Restore};
use super::metrics::UpstreamMetrics;
use super::sampled;
use super::series::Part;
use crate::common::causes::causes;
use crate::common::http_client::HttpClient;
use crate::common::remote_read::{AskError, Query, ask};
use crate::common::selector::CompiledMatchers;

/// Most bytes of an upstream's error text that are handed on.
const ERROR_TEXT_BYTES: usize = 512;

/// Where an upstream's answers come from.
#[derive(Debug)]
pub enum Origin {
    /// A remote-read endpoint.
    Http {
        /// The endpoint.
        url: Url,
        /// Authentication, headers, TLS; one for each read thread, as a connection stays on the one it was made on.
        clients: Vec<HttpClient>,
    },
    /// The sampler inside this process, which speaks the same wire.
    Embedded(Arc<Sampler>),
}

/// An upstream as configured, and what was seen of it last.
#[derive(Debug)]
pub struct Upstream {
    /// Its name, unique in its group.
    pub name: String,
    /// Where it answers.
    pub origin: Origin,
    /// How long to wait for its headers, and then for each next piece of its answer.
    pub timeout: Duration,
    /// Read the whole answer and sort it, because it is not sorted by label set.
    pub sort: bool,
    /// Most bytes of an answer that has to be held whole (sampled, or sorted here).
    pub max_held_bytes: usize,
    /// Counters with this upstream's labels.
    pub metrics: UpstreamMetrics,
    /// What the page at `/` shows.
    pub last_seen: Mutex<Option<Seen>>,
}

/// How the last read of an upstream ended.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it ended.
    pub at: SystemTime,
    /// From request to end of answer.
    pub took: Duration,
    /// What went wrong.
    pub error: Option<String>,
}

/// Why an upstream has no (further) answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// Silence.
    #[error("no {what} within {after:?}")]
    Timeout {
        /// What was awaited.
        what: &'static str,
        /// The upstream's timeout.
        after: Duration,
    },
    /// The upstream refused.
    #[error("answered {status}: {text}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        text: String,
    },
    /// The question cannot be sent.
    #[error("{0}")]
    Ask(#[from] AskError),
    /// The answer is of a type that was not asked for.
    #[error("{0}")]
    Negotiate(#[from] NegotiateError),
    /// The answer is not what it says it is.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// A sampled answer has a histogram whose parts do not fit together.
    #[error("a histogram is broken: {0}")]
    Histogram(EncodeError),
    /// The answer has to be held whole and is too large for that.
    #[error("an answer that must be held whole is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The order of series is broken.
    #[error(
        "series out of order: {next} after {previous}. Name all labels the collector adds itself in replica_labels and external_labels, or set `sort: true`"
    )]
    SeriesOrder {
        /// The label set that came first.
        previous: Labels,
        /// The label set that came then.
        next: Labels,
    },
    /// The chunks of a series are broken.
    #[error("series {labels}: {source}")]
    Chunks {
        /// The series.
        labels: Labels,
        /// What is wrong.
        source: ChunkError,
    },
}

impl UpstreamError {
    /// The `outcome` label of the metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Status { .. } => "refused",
            Self::Transport(_) => "unreachable",
            _ => "invalid",
        }
    }
}

/// What to ask of an upstream's group, and what to do with the answer.
#[derive(Clone, Debug)]
pub struct GroupQuery {
    /// The query as the upstreams get it.
    pub query: Query,
    /// Matchers on replica labels that the upstreams cannot evaluate: on labels as they arrive.
    pub replica_matchers: Option<CompiledMatchers>,
    /// What happens to the labels.
    pub relabel: Relabel,
}

impl Upstream {
    /// Asks, on the read thread with the index `thread`, and returns once the answer has begun.
    ///
    /// # Errors
    /// [`UpstreamError`] if there is no answer, or (sampled and sorted answers) if it is not whole.
    pub async fn read(self: &Arc<Self>, asked: &GroupQuery, thread: usize) -> Result<Answer, UpstreamError> {
        let started = Instant::now();
        self.begin(asked, thread, started).await.inspect_err(|error| self.note(started, Some(error)))
    }

    async fn begin(
        self: &Arc<Self>,
        asked: &GroupQuery,
        thread: usize,
        started: Instant,
    ) -> Result<Answer, UpstreamError> {
        let (answer_type, body) = match &self.origin {
            Origin::Http { url, clients } => self.post(url, &clients[thread], &asked.query).await?,
            Origin::Embedded(sampler) => (ResponseType::StreamedXorChunks, sampler.read(&asked.query)),
        };
        let body = Body { stream: body, timeout: self.timeout, metrics: self.metrics.clone() };
        let series = match answer_type {
            ResponseType::StreamedXorChunks => {
                let frames = Frames {
                    body,
                    piece: Bytes::new(),
                    reader: FrameReader::new(FrameLimits::default()),
                    asked: asked.clone(),
                };
                if self.sort {
                    let parts = frames.hold(self.max_held_bytes).await?;
                    Series::Held(apart(move || sampled::sort(parts)).await?.into_iter())
                } else {
                    let (frames, restore) = (Box::new(frames), Restore::new(asked.relabel.clone()));
                    Series::Streamed { frames, restore, ended: false }
                }
            }
            ResponseType::Samples => {
                let (limit, asked) = (self.max_held_bytes, asked.clone());
                let body = body.hold(limit).await?;
                let parts = apart(move || sampled::sort(sampled::decode(&body, limit, &asked)?));
                Series::Held(parts.await?.into_iter())
            }
        };
        Ok(Answer { upstream: Arc::clone(self), started, series, pending: None, done: false })
    }

    async fn post(
        &self,
        url: &Url,
        client: &HttpClient,
        query: &Query,
    ) -> Result<(ResponseType, BoxStream<'static, Result<Bytes, UpstreamError>>), UpstreamError> {
        let types = [ResponseType::StreamedXorChunks, ResponseType::Samples];
        let request = ask(client, url, query, &types).await?;
        let response = self.within("answer", request.send()).await?.map_err(transport)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes_stream().map(|bytes| bytes.map_err(transport)).boxed();
        if !status.is_success() {
            let text = self.within("error text", error_text(body)).await.unwrap_or_default();
            return Err(UpstreamError::Status { status: status.as_u16(), text });
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok((negotiate::answer_type(content_type)?, body))
    }

    async fn within<T>(&self, what: &'static str, work: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let after = self.timeout;
        tokio::time::timeout(after, work).await.map_err(|_| UpstreamError::Timeout { what, after })
    }

    /// Keeps how a read ended.
    fn note(&self, started: Instant, error: Option<&UpstreamError>) {
        let took = started.elapsed();
        self.metrics.ended(error.map_or("ok", UpstreamError::outcome), took);
        let seen = Seen { at: SystemTime::now(), took, error: error.map(ToString::to_string) };
        *self.last_seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

/// An answer under way: its series in label order, each in one or several parts.
#[derive(Debug)]
pub struct Answer {
    upstream: Arc<Upstream>,
    started: Instant,
    series: Series,
    pending: Option<Part>,
    done: bool,
}

impl Answer {
    /// The upstream that answers.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// The first part of the next series.
    pub async fn next_series(&mut self) -> Result<Option<Part>, UpstreamError> {
        match self.pending.take() {
            Some(part) => Ok(Some(part)),
            None => self.next_part().await,
        }
    }

    /// The next part of the series `labels`, if it has one.
    pub async fn next_part_of(&mut self, labels: &Labels) -> Result<Option<Part>, UpstreamError> {
        if self.pending.is_none() {
            self.pending = self.next_part().await?;
        }
        Ok(self.pending.take_if(|part| part.labels == *labels))
    }

    /// Gives the answer up because of `error`.
    pub fn fail(&mut self, error: &UpstreamError) {
        self.pending = None;
        if !self.done {
            self.done = true;
            self.upstream.note(self.started, Some(error));
        }
    }

    async fn next_part(&mut self) -> Result<Option<Part>, UpstreamError> {
        if self.done {
            return Ok(None);
        }
        let part = match &mut self.series {
            Series::Held(parts) => parts.next(),
            Series::Streamed { frames, restore, ended } => loop {
                if let Some(part) = restore.pop() {
                    break Some(part);
                }
                if *ended {
                    break None;
                }
                match frames.next().await? {
                    Some(part) => restore.push(part),
                    None => {
                        *ended = true;
                        restore.finish();
                    }
                }
            },
        };
        if part.is_none() {
            self.done = true;
            self.upstream.note(self.started, None);
        }
        Ok(part)
    }
}

/// The two ways an answer is held.
#[derive(Debug)]
enum Series {
    /// In memory, sorted here.
    Held(std::vec::IntoIter<Part>),
    /// On the wire, sorted there.
    Streamed { frames: Box<Frames>, restore: Restore, ended: bool },
}

/// What of a piece is given to the frame reader at once. A piece can be several hundred KiB, and the reader's own buffer
/// would grow to twice that.
const READER_STEP_BYTES: usize = 32 << 10;

/// Series out of a streamed body.
#[derive(Debug)]
struct Frames {
    body: Body,
    /// What has arrived and the reader has not seen yet.
    piece: Bytes,
    reader: FrameReader,
    asked: GroupQuery,
}

impl Frames {
    async fn next(&mut self) -> Result<Option<Part>, UpstreamError> {
        loop {
            while let Some(series) = self.reader.next_frame()? {
                let arrived = series.labels();
                if self.asked.replica_matchers.as_ref().is_none_or(|matchers| matchers.matches(arrived)) {
                    return Ok(Some(Part::copy(self.asked.relabel.apply(arrived), &series)));
                }
            }
            if self.piece.is_empty() {
                match self.body.next().await? {
                    Some(piece) => self.piece = piece,
                    None => {
                        self.reader.finish()?;
                        return Ok(None);
                    }
                }
            }
            self.reader.push(&self.piece.split_to(self.piece.len().min(READER_STEP_BYTES)));
        }
    }

    async fn hold(mut self, limit: usize) -> Result<Vec<Part>, UpstreamError> {
        let (mut parts, mut held) = (Vec::new(), 0);
        while let Some(part) = self.next().await? {
            held += part.chunks.iter().map(|chunk| chunk.data.len()).sum::<usize>();
            if held > limit {
                return Err(UpstreamError::TooLarge { limit });
            }
            parts.push(part);
        }
        Ok(parts)
    }
}

/// A body that may not fall silent.
struct Body {
    stream: BoxStream<'static, Result<Bytes, UpstreamError>>,
    timeout: Duration,
    metrics: UpstreamMetrics,
}

impl Body {
    async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let after = self.timeout;
        let piece = tokio::time::timeout(after, self.stream.next())
            .await
            .map_err(|_| UpstreamError::Timeout { what: "further bytes", after })?
            .transpose()?;
        self.metrics.received(piece.as_ref().map_or(0, Bytes::len));
        Ok(piece)
    }

    async fn hold(mut self, limit: usize) -> Result<Vec<u8>, UpstreamError> {
        let mut held = Vec::new();
        while let Some(piece) = self.next().await? {
            if held.len() + piece.len() > limit {
                return Err(UpstreamError::TooLarge { limit });
            }
            held.extend_from_slice(&piece);
        }
        Ok(held)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Body").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Runs what may take long without holding up the reads beside it.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UpstreamError> + Send + 'static,
) -> Result<T, UpstreamError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(UpstreamError::Transport(format!("reading the answer failed: {panic}"))),
    }
}

fn transport(error: reqwest::Error) -> UpstreamError {
    UpstreamError::Transport(causes(&error))
}

async fn error_text(mut pieces: BoxStream<'static, Result<Bytes, UpstreamError>>) -> String {
    let mut text = Vec::new();
    while let Some(Ok(piece)) = pieces.next().await {
        text.extend_from_slice(&piece);
        if text.len() >= ERROR_TEXT_BYTES {
            text.truncate(ERROR_TEXT_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}
