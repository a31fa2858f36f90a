//! The two shapes in which merged series leave.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use promha_merge::labels::Labels;
use promha_remote_proto::frame::FrameWriter;
use promha_remote_proto::prompb::{Label, QueryResult, Sample, TimeSeries};
use tokio::sync::mpsc::{self, error::SendTimeoutError};

use super::error::ReadError;
use super::merged::Sink;
use super::samples::Samples;
use super::series::Chunk;

/// Bytes that are collected before the client is given some.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for a slow client before the merge waits too.
const PIECES: usize = 2;

/// Frames on their way to a client that reads them at its own pace.
#[derive(Debug)]
pub struct Streamed {
    /// Index of the query that is being answered.
    pub query_index: i64,
    writer: FrameWriter,
    out: Vec<u8>,
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
        (Self { query_index: 0, writer, out: Vec::new(), pieces, stall }, Body::from_stream(body))
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
        let piece = Piece::Bytes(Bytes::from(std::mem::take(&mut self.out)));
        self.send(piece).await
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
        if self.out.len() >= PIECE_BYTES { self.flush().await } else { Ok(()) }
    }

    fn can_turn_partial(&self) -> bool {
        false
    }
}

/// A sampled answer, which can only be sent once it is whole.
#[derive(Debug)]
pub struct Sampled {
    result: QueryResult,
    start_ms: i64,
    end_ms: i64,
    /// Samples that are still allowed.
    left: usize,
    limit: usize,
    samples: Samples,
}

impl Sampled {
    /// Collects samples from `start_ms` to `end_ms`, both included, at most `left` of the whole answer's `limit`.
    pub fn new(start_ms: i64, end_ms: i64, left: usize, limit: usize) -> Self {
        Self { result: QueryResult::default(), start_ms, end_ms, left, limit, samples: Samples::default() }
    }

    /// The result, and how many more samples the answer may have.
    pub fn finish(self) -> (QueryResult, usize) {
        (self.result, self.left)
    }
}

impl Sink for Sampled {
    async fn write(&mut self, labels: &Labels, chunks: Vec<Chunk>) -> Result<(), ReadError> {
        let range_ms = self.start_ms..=self.end_ms;
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            self.samples.decode(chunk.view()).map_err(|error| ReadError::Chunk(error.to_string()))?;
            let floats = self.samples.floats().filter(|(t_ms, _)| range_ms.contains(t_ms));
            samples.extend(floats.map(|(timestamp, value)| Sample { value, timestamp }));
            let views = self.samples.histograms().filter(|view| range_ms.contains(&view.t_ms));
            histograms.extend(views.map(|view| view.to_message()));
            if samples.len() + histograms.len() > self.left {
                return Err(ReadError::SampleLimit { limit: self.limit });
            }
        }
        self.left -= samples.len() + histograms.len();
        if samples.is_empty() && histograms.is_empty() {
            return Ok(());
        }
        let labels: Vec<_> = labels.pairs().map(|(name, value)| Label::new(name, value)).collect();
        match self.result.timeseries.last_mut() {
            Some(last) if last.labels == labels => {
                last.samples.extend(samples);
                last.histograms.extend(histograms);
            }
            _ => {
                let series = TimeSeries { labels, samples, histograms, ..TimeSeries::default() };
                self.result.timeseries.push(series);
            }
        }
        Ok(())
    }

    fn can_turn_partial(&self) -> bool {
        true
    }
}
