//! The two shapes in which merged series leave.

use std::io;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use promha_merge::labels::Labels;
use promha_remote_proto::EncodeError;
use promha_remote_proto::frame::FrameWriter;
use promha_remote_proto::read::AnswerCompressor;
use tokio::sync::mpsc::{self, error::SendTimeoutError};

use super::error::ReadError;
use super::merged::Sink;
use super::samples::Samples;
use super::series::Chunk;

/// Bytes that are collected before the client is given some, unless it has just been given some.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes that are collected while they come so fast that the client would be woken for each piece.
const FAST_PIECE_BYTES: usize = 256 << 10;
/// What is given sooner than this after something else is fast.
const FAST: Duration = Duration::from_millis(2);
/// Pieces that wait for a slow client before the merge waits too.
const PIECES: usize = 2;

/// Frames on their way to a client that reads them at its own pace.
#[derive(Debug)]
pub struct Streamed {
    /// Index of the query that is being answered.
    pub query_index: i64,
    writer: FrameWriter,
    out: Vec<u8>,
    /// When the client was given something last.
    given: Instant,
    pieces: mpsc::Sender<Piece>,
    /// How long a client may take nothing before it is given up.
    stall: Duration,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    /// Nothing is missing. Without it the body breaks: an answer cut short must not look like a short answer.
    End,
}

impl Streamed {
    /// The writing end, and the body it feeds. A client that takes nothing for `stall` is given up.
    pub fn new(stall: Duration) -> (Self, Body) {
        let (pieces, received) = mpsc::channel(PIECES);
        let body = stream::try_unfold(received, async |mut received| match received.recv().await {
            Some(Piece::Bytes(bytes)) => Ok(Some((bytes, received))),
            Some(Piece::End) => Ok(None),
            None => Err(io::Error::other("the answer is incomplete")),
        });
        let writer = FrameWriter::default();
        let given = Instant::now();
        (Self { query_index: 0, writer, out: Vec::new(), given, pieces, stall }, Body::from_stream(body))
    }

    /// Resolves when the client has gone away.
    pub fn client_gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let pieces = self.pieces.clone();
        async move { pieces.closed().await }
    }

    /// Ends the body as complete.
    ///
    /// # Errors
    /// [`ReadError::ClientGone`].
    pub async fn finish(mut self) -> Result<(), ReadError> {
        self.flush().await?;
        self.send(Piece::End).await
    }

    async fn flush(&mut self) -> Result<(), ReadError> {
        if self.out.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(self.out.capacity());
        let piece = Piece::Bytes(Bytes::from(std::mem::replace(&mut self.out, next)));
        self.send(piece).await?;
        self.given = Instant::now();
        Ok(())
    }

    async fn send(&self, piece: Piece) -> Result<(), ReadError> {
        match self.pieces.send_timeout(piece, self.stall).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(ReadError::ClientStalled { stall: self.stall }),
            Err(SendTimeoutError::Closed(_)) => Err(ReadError::ClientGone),
        }
    }
}

impl Sink for Streamed {
    async fn write(&mut self, labels: &Labels, chunks: Vec<Chunk>) -> Result<(), ReadError> {
        let pairs: Vec<_> = labels.pairs().collect();
        self.writer.write(self.query_index, &pairs, chunks.iter().map(Chunk::view), &mut self.out);
        let collected = self.out.len();
        let is_due =
            collected >= FAST_PIECE_BYTES || collected >= PIECE_BYTES && self.given.elapsed() >= FAST;
        if is_due { self.flush().await } else { Ok(()) }
    }

    fn can_turn_partial(&self) -> bool {
        false
    }
}

/// A sampled answer, which can only be sent once it is whole. It is held compressed.
#[derive(Debug)]
pub struct Sampled {
    compressor: AnswerCompressor,
    /// What the current query asks for, both ends included.
    range_ms: RangeInclusive<i64>,
    /// Samples so far, and how many there may be.
    count: usize,
    limit: usize,
    /// The series under way: it may come in several pieces.
    labels: Labels,
    floats: Vec<(i64, f64)>,
    /// Its chunks of histograms, which take much less room than the histograms.
    histogram_chunks: Vec<Chunk>,
    samples: Samples,
}

impl Sampled {
    /// An answer of at most `limit` samples.
    pub fn new(limit: usize) -> Self {
        Self {
            compressor: AnswerCompressor::new(),
            range_ms: 0..=0,
            count: 0,
            limit,
            labels: Labels::default(),
            floats: Vec::new(),
            histogram_chunks: Vec::new(),
            samples: Samples::default(),
        }
    }

    /// Begins the answer to the next query, whose samples are wanted from `start_ms` to `end_ms`, both included.
    pub fn begin(&mut self, start_ms: i64, end_ms: i64) {
        self.end_series();
        self.compressor.result();
        self.range_ms = start_ms..=end_ms;
    }

    /// The body, in pieces one behind the other.
    ///
    /// # Errors
    /// [`EncodeError`] if it is larger than its format allows.
    pub fn finish(mut self) -> Result<Vec<Vec<u8>>, EncodeError> {
        self.end_series();
        self.compressor.finish()
    }

    fn end_series(&mut self) {
        let Self { compressor, range_ms, labels, floats, histogram_chunks, samples, .. } = self;
        if floats.is_empty() && histogram_chunks.is_empty() {
            return;
        }
        let pairs: Vec<_> = labels.pairs().collect();
        compressor.series_with(&pairs, |series| {
            series.samples(floats.drain(..));
            for chunk in histogram_chunks.drain(..) {
                // It could be read when it came.
                if samples.decode(chunk.view()).is_ok() {
                    let wanted = samples.histograms().filter(|view| range_ms.contains(&view.t_ms));
                    wanted.for_each(|view| series.histogram(&view));
                }
            }
        });
    }
}

impl Sink for Sampled {
    async fn write(&mut self, labels: &Labels, chunks: Vec<Chunk>) -> Result<(), ReadError> {
        if self.labels != *labels {
            self.end_series();
            self.labels.clone_from(labels);
        }
        for chunk in chunks {
            self.samples.decode(chunk.view()).map_err(|error| ReadError::Chunk(error.to_string()))?;
            let known = self.floats.len();
            self.floats.extend(self.samples.floats().filter(|(t_ms, _)| self.range_ms.contains(t_ms)));
            let histograms =
                self.samples.histograms().filter(|view| self.range_ms.contains(&view.t_ms)).count();
            if histograms > 0 {
                self.histogram_chunks.push(chunk);
            }
            self.count += self.floats.len() - known + histograms;
            if self.count > self.limit {
                return Err(ReadError::SampleLimit { limit: self.limit });
            }
        }
        Ok(())
    }

    fn can_turn_partial(&self) -> bool {
        true
    }
}
