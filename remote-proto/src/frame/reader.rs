//! From a stream of bytes to series.

use std::ops::Range;

use crate::error::{DecodeError, ErrorKind, Limit};
use crate::frame::{CHECKSUM_BYTES, ChunkedSeriesView, crc32c, fields};
use crate::wire::{self, Reader};

/// The largest payload that a reader takes unless told otherwise, as in Prometheus: 50 MB.
pub const DEFAULT_MAX_READ_FRAME_BYTES: usize = 50_000_000;

/// The most labels of one series that a reader takes unless told otherwise.
pub const DEFAULT_MAX_LABELS_PER_SERIES: usize = 10_000;

/// What a [`FrameReader`] accepts.
///
/// ```
/// use promha_remote_proto::frame::{FrameLimits, FrameReader};
///
/// let mut limits = FrameLimits::default();
/// limits.max_frame_bytes = 4 << 20;
/// let reader = FrameReader::new(limits);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameLimits {
    /// The largest payload of a frame; it also bounds the memory of the reader.
    pub max_frame_bytes: usize,
    /// The most labels of one series. An empty label takes two bytes on the wire, but 32 in memory.
    pub max_labels_per_series: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            max_frame_bytes: DEFAULT_MAX_READ_FRAME_BYTES,
            max_labels_per_series: DEFAULT_MAX_LABELS_PER_SERIES,
        }
    }
}

/// Reads the frames of a streamed answer out of bytes that arrive in pieces of any size.
///
/// Call [`push`](Self::push) with what arrived, then [`next_frame`](Self::next_frame) until it returns `None`;
/// at the end of the stream [`finish`](Self::finish) tells whether it ended between two frames. Used like
/// that the reader holds no more than one incomplete frame and the piece pushed last; what it allocates
/// follows the bytes that did arrive and not a length that announces them. Once its buffers have grown to
/// what the stream needs it allocates nothing.
///
/// An error is final: a stream has no place from which reading could go on, and every further call returns
/// the same error until [`clear`](Self::clear).
#[derive(Debug, Default)]
pub struct FrameReader {
    limits: FrameLimits,
    buffer: Vec<u8>,
    /// Position of the first unread byte in `buffer`.
    start: usize,
    /// Offset of the first byte of `buffer` in the stream.
    base: usize,
    /// The frame that `start` is in.
    open: Option<OpenFrame>,
    failed: Option<DecodeError>,
    labels: Vec<(&'static str, &'static str)>,
}

/// A frame whose payload was checked and is being read.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    query_index: i64,
    /// Where its payload ends in the buffer.
    end: usize,
}

/// What the unread bytes begin with, outside a frame.
enum Located {
    /// The beginning of a frame, which needs so many bytes from its start on, or at least so many.
    Partial { needed_bytes: u64 },
    /// A frame with its payload at this place in the buffer.
    Whole { payload: Range<usize> },
}

impl FrameReader {
    /// A reader at the start of a stream.
    pub fn new(limits: FrameLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes the next bytes of the stream. They are copied; `bytes` may be of any length, also empty.
    pub fn push(&mut self, bytes: &[u8]) {
        // Moving the unread bytes to the front costs time for each of them. Waiting until as many were read
        // keeps the whole stream linear, however its bytes arrive.
        if self.start > 0 && self.start >= self.buffer.len() - self.start {
            self.buffer.drain(..self.start);
            self.base = self.base.saturating_add(self.start);
            if let Some(frame) = &mut self.open {
                frame.end -= self.start;
            }
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next series of the stream, or `None` if more bytes are needed to tell.
    ///
    /// A frame is looked at only when it is there as a whole and its checksum is right. It holds one series
    /// when it comes from Prometheus; from others it may hold several or none, and they come one by one. An
    /// error inside a series comes when its turn comes, after the series before it.
    ///
    /// # Errors
    ///
    /// If a frame is larger than allowed (said before it has arrived), its checksum is wrong, or its payload
    /// is not a `ChunkedReadResponse` within the limits.
    pub fn next_frame(&mut self) -> Result<Option<ChunkedSeriesView<'_>>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let view = match self.locate_series() {
            Ok(None) => return Ok(None),
            Ok(Some((query_index, span))) => ChunkedSeriesView::read(
                Reader::new(&self.buffer[span.clone()], self.base.saturating_add(span.start)),
                query_index,
                self.limits.max_labels_per_series,
                &mut self.labels,
            ),
            Err(error) => Err(error),
        };
        match view {
            Ok(view) => Ok(Some(view)),
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// Tells whether the stream may end here. Call it once [`next_frame`](Self::next_frame) returned `None`.
    ///
    /// # Errors
    ///
    /// If bytes of an incomplete frame are left, if whole frames were not read, or if the reader failed before.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let unread_bytes = (self.buffer.len() - self.start) as u64;
        if unread_bytes == 0 {
            return Ok(());
        }
        let kind = match self.open {
            None => match self.locate_frame()? {
                Located::Partial { needed_bytes } => {
                    ErrorKind::Truncated { needed_bytes, available_bytes: unread_bytes }
                }
                Located::Whole { .. } => ErrorKind::UnreadFrames { unread_bytes },
            },
            Some(_) => ErrorKind::UnreadFrames { unread_bytes },
        };
        Err(DecodeError::new(kind, self.offset()))
    }

    /// Forgets the stream and keeps limits and memory for the next one.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.base = 0;
        self.open = None;
        self.failed = None;
    }

    /// Finds the next series: the query it answers and its place in the buffer.
    fn locate_series(&mut self) -> Result<Option<(i64, Range<usize>)>, DecodeError> {
        loop {
            if let Some(frame) = self.open {
                let mut rest = Reader::new(&self.buffer[self.start..frame.end], self.offset());
                let series = next_series(&mut rest)?;
                self.start = frame.end - rest.len();
                if let Some(length) = series {
                    return Ok(Some((frame.query_index, self.start - length..self.start)));
                }
                self.open = None;
            }
            let Located::Whole { payload } = self.locate_frame()? else {
                return Ok(None);
            };
            let query_index = query_index(Reader::new(
                &self.buffer[payload.clone()],
                self.base.saturating_add(payload.start),
            ))?;
            self.start = payload.start;
            self.open = Some(OpenFrame { query_index, end: payload.end });
        }
    }

    /// Reads the header of a frame and, once its payload has arrived, holds it against the checksum.
    fn locate_frame(&self) -> Result<Located, DecodeError> {
        let unread = &self.buffer[self.start..];
        let error = |kind| DecodeError::new(kind, self.offset());
        let Some((length, length_bytes)) = wire::read_uvarint(unread).map_err(error)? else {
            return Ok(Located::Partial { needed_bytes: unread.len() as u64 + 1 });
        };
        let limit = self.limits.max_frame_bytes as u64;
        if length > limit {
            return Err(error(ErrorKind::OverLimit { what: Limit::FrameBytes, limit, found: length }));
        }
        let header_bytes = length_bytes + CHECKSUM_BYTES;
        let checksum = unread[length_bytes..].first_chunk::<CHECKSUM_BYTES>();
        // Not above the limit, so it is a `usize`.
        let payload = unread.get(header_bytes..).and_then(|rest| rest.get(..length as usize));
        let (Some(checksum), Some(payload)) = (checksum, payload) else {
            return Ok(Located::Partial { needed_bytes: length.saturating_add(header_bytes as u64) });
        };
        let (declared, computed) = (u32::from_be_bytes(*checksum), crc32c(payload));
        if declared != computed {
            return Err(error(ErrorKind::Checksum { declared, computed }));
        }
        let start = self.start + header_bytes;
        Ok(Located::Whole { payload: start..start + payload.len() })
    }

    /// Where the next unread byte stands in the stream.
    fn offset(&self) -> usize {
        self.base.saturating_add(self.start)
    }
}

/// Moves behind the next `ChunkedSeries` of a `ChunkedReadResponse` and returns its length.
fn next_series(response: &mut Reader<'_>) -> Result<Option<usize>, DecodeError> {
    while let Some(field) = response.next_field()? {
        if field.number == fields::response::CHUNKED_SERIES {
            return response.bytes(field).map(|series| Some(series.len()));
        }
        response.skip(field, 0)?;
    }
    Ok(None)
}

/// The query index of a `ChunkedReadResponse`. It stands behind the series that it belongs to.
fn query_index(mut response: Reader<'_>) -> Result<i64, DecodeError> {
    let mut index = 0;
    while let Some(field) = response.next_field()? {
        match field.number {
            fields::response::CHUNKED_SERIES => drop(response.bytes(field)?),
            fields::response::QUERY_INDEX => index = response.varint(field)? as i64,
            _ => response.skip(field, 0)?,
        }
    }
    Ok(index)
}
