//! One series of a frame, borrowed from the reader's buffer.

use std::fmt;

use crate::error::{DecodeError, ErrorKind, Limit};
use crate::frame::fields;
use crate::histogram::{Histograms, Number};
use crate::recycle::recycle;
use crate::wire::Reader;
use crate::wire::fast::{self, UsualChunk, WireType, key};
use crate::xor;

/// How the samples of a chunk are encoded. Source: `Chunk.Encoding` in `prompb/types.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChunkEncoding {
    /// Float samples, see [`xor`](crate::xor).
    Xor,
    /// Native histograms with integer counts.
    Histogram,
    /// Native histograms with float counts.
    FloatHistogram,
    /// Any other; such chunks pass through as bytes.
    Other(i32),
}

impl ChunkEncoding {
    /// The encoding that has this number on the wire. Every number is one.
    pub fn from_wire(number: i32) -> Self {
        match number {
            1 => Self::Xor,
            2 => Self::Histogram,
            3 => Self::FloatHistogram,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Xor => 1,
            Self::Histogram => 2,
            Self::FloatHistogram => 3,
            Self::Other(number) => number,
        }
    }
}

/// A chunk of samples as it stands on the wire. Its fields are what the sender says, they are not checked
/// against `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkView<'a> {
    /// Timestamp of the first sample, in milliseconds since 1970.
    pub min_ms: i64,
    /// Timestamp of the last sample, in milliseconds since 1970; the sample belongs to the chunk.
    pub max_ms: i64,
    /// How `data` is encoded.
    pub encoding: ChunkEncoding,
    /// The encoded samples.
    pub data: &'a [u8],
}

impl ChunkView<'_> {
    /// Appends the float samples of the chunk to the two columns, as [`xor::decode`](crate::xor::decode) does.
    ///
    /// # Errors
    ///
    /// If the chunk has another encoding, which can still be handed on as bytes, or if it is damaged. The columns are
    /// then as long as they were.
    ///
    /// ```
    /// use promha_remote_proto::ErrorKind;
    /// use promha_remote_proto::frame::{ChunkEncoding, ChunkView};
    ///
    /// // A chunk of a newer server, with start times.
    /// let chunk = ChunkView { min_ms: 0, max_ms: 0, encoding: ChunkEncoding::Other(4), data: &[0, 1] };
    /// let error = chunk.decode_floats(&mut Vec::new(), &mut Vec::new()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ChunkEncoding { found: 4 });
    /// ```
    pub fn decode_floats(
        &self,
        timestamps_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<(), DecodeError> {
        self.expect(ChunkEncoding::Xor)?;
        xor::decode(self.data, timestamps_ms, values)
    }

    /// Replaces what is in `into` by the histograms of the chunk, as
    /// [`Histograms::decode`](crate::histogram::Histograms::decode) does with this limit of buckets.
    ///
    /// # Errors
    ///
    /// If the chunk has another encoding than the kind of counts asks for, or if it is damaged or over the limit.
    /// Nothing is in `into` then.
    pub fn decode_histograms<N: Number>(
        &self,
        max_buckets: usize,
        into: &mut Histograms<N>,
    ) -> Result<(), DecodeError> {
        into.clear();
        self.expect(N::ENCODING)?;
        into.decode(self.data, max_buckets)
    }

    fn expect(&self, encoding: ChunkEncoding) -> Result<(), DecodeError> {
        if self.encoding == encoding {
            return Ok(());
        }
        Err(DecodeError::new(ErrorKind::ChunkEncoding { found: self.encoding.to_wire() }, 0))
    }
}

/// One series of a frame, or the part of it that the frame holds.
///
/// The protocol is checked (protobuf, UTF-8, limits), the rules for labels are not: they may be unsorted or
/// there twice if the sender says so.
pub struct ChunkedSeriesView<'a> {
    query_index: i64,
    labels: Vec<(&'a str, &'a str)>,
    chunks: Chunks<'a>,
    /// Where the memory of `labels` goes back to.
    home: &'a mut Vec<(&'static str, &'static str)>,
}

impl<'a> ChunkedSeriesView<'a> {
    /// Reads one `ChunkedSeries`. The memory of `home` is used and given back, empty, on error at once and
    /// otherwise when the view is dropped.
    pub(super) fn read(
        series: Reader<'a>,
        query_index: i64,
        max_labels: usize,
        home: &'a mut Vec<(&'static str, &'static str)>,
    ) -> Result<Self, DecodeError> {
        let mut labels = recycle(std::mem::take(home));
        match read_series(series, max_labels, &mut labels) {
            Ok(chunks) => Ok(Self { query_index, labels, chunks, home }),
            Err(error) => {
                *home = recycle(labels);
                Err(error)
            }
        }
    }

    /// Which query of the request this answers, counted from 0.
    pub fn query_index(&self) -> i64 {
        self.query_index
    }

    /// Name and value of each label in the order of the sender, which should be sorted by name.
    pub fn labels(&self) -> &[(&'a str, &'a str)] {
        &self.labels
    }

    /// The chunks in the order of the sender, which should be by start. They may overlap.
    pub fn chunks(&self) -> Chunks<'a> {
        self.chunks.clone()
    }
}

impl Drop for ChunkedSeriesView<'_> {
    fn drop(&mut self) {
        *self.home = recycle(std::mem::take(&mut self.labels));
    }
}

impl fmt::Debug for ChunkedSeriesView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkedSeriesView")
            .field("query_index", &self.query_index)
            .field("labels", &self.labels)
            .field("chunks", &self.chunks)
            .finish()
    }
}

/// The chunks of a [`ChunkedSeriesView`].
#[derive(Clone)]
pub struct Chunks<'a> {
    /// The series from the next chunk on, or from something before it. It was read once without an error.
    series: Reader<'a>,
    remaining: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ChunkView<'a>;

    fn next(&mut self) -> Option<ChunkView<'a>> {
        if let Some(chunk) = next_usual_chunk(&mut self.series) {
            self.remaining = self.remaining.saturating_sub(1);
            return Some(chunk);
        }
        while let Ok(Some(field)) = self.series.next_field() {
            if field.number == fields::series::CHUNKS {
                self.remaining = self.remaining.saturating_sub(1);
                return self.series.message(field).and_then(read_chunk).ok();
            }
            self.series.skip(field, 1).ok()?;
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Chunks<'_> {}

impl std::iter::FusedIterator for Chunks<'_> {}

impl fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

const LABELS_KEY: u8 = key(fields::series::LABELS, WireType::Delimited);
const CHUNKS_KEY: u8 = key(fields::series::CHUNKS, WireType::Delimited);

/// Checks a whole `ChunkedSeries`, collects its labels and counts its chunks, which are cut again when they are asked for:
/// that costs less than to keep them, and no memory.
fn read_series<'a>(
    mut series: Reader<'a>,
    max_labels: usize,
    labels: &mut Vec<(&'a str, &'a str)>,
) -> Result<Chunks<'a>, DecodeError> {
    // Labels come first and almost always in one form; they are checked as one string and cut.
    let (run, _) = fast::short_run(series.rest(), LABELS_KEY);
    let text = simdutf8::basic::from_utf8(&series.rest()[..run]).unwrap_or_default();
    let mut rest = text;
    while labels.len() < max_labels
        && let Some((label, next)) = fast::label(rest, LABELS_KEY)
    {
        labels.push(label);
        rest = next;
    }
    series.advance(text.len() - rest.len());
    let mut chunks = Chunks { series, remaining: 0 };
    loop {
        while next_usual_chunk(&mut series).is_some() {
            chunks.remaining += 1;
        }
        let Some(field) = series.next_field()? else {
            return Ok(chunks);
        };
        match field.number {
            fields::series::LABELS => {
                if labels.len() == max_labels {
                    let (limit, found) = (max_labels as u64, max_labels as u64 + 1);
                    let kind = ErrorKind::OverLimit { what: Limit::LabelsPerSeries, limit, found };
                    return Err(DecodeError::new(kind, field.offset()));
                }
                labels.push(read_label(series.message(field)?)?);
            }
            fields::series::CHUNKS => {
                read_chunk(series.message(field)?)?;
                chunks.remaining += 1;
            }
            _ => series.skip(field, 1)?,
        }
    }
}

/// Moves behind the chunk that comes next, if it has the usual form.
#[inline]
fn next_usual_chunk<'a>(series: &mut Reader<'a>) -> Option<ChunkView<'a>> {
    let (UsualChunk { min_ms, max_ms, encoding, data }, length) = fast::chunk(series.rest(), CHUNKS_KEY)?;
    series.advance(length);
    Some(ChunkView { min_ms, max_ms, encoding: ChunkEncoding::from_wire(encoding.into()), data })
}

fn read_label<'a>(mut label: Reader<'a>) -> Result<(&'a str, &'a str), DecodeError> {
    let (mut name, mut value) = ("", "");
    while let Some(field) = label.next_field()? {
        match field.number {
            fields::label::NAME => name = label.string(field)?,
            fields::label::VALUE => value = label.string(field)?,
            _ => label.skip(field, 2)?,
        }
    }
    Ok((name, value))
}

fn read_chunk<'a>(mut chunk: Reader<'a>) -> Result<ChunkView<'a>, DecodeError> {
    let mut view = ChunkView { min_ms: 0, max_ms: 0, encoding: ChunkEncoding::Other(0), data: &[] };
    while let Some(field) = chunk.next_field()? {
        match field.number {
            fields::chunk::MIN_TIME_MS => view.min_ms = chunk.varint(field)? as i64,
            fields::chunk::MAX_TIME_MS => view.max_ms = chunk.varint(field)? as i64,
            fields::chunk::TYPE => view.encoding = ChunkEncoding::from_wire(chunk.varint(field)? as i32),
            fields::chunk::DATA => view.data = chunk.bytes(field)?,
            _ => chunk.skip(field, 2)?,
        }
    }
    Ok(view)
}
