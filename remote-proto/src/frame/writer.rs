//! From series to a stream of bytes.

use crate::frame::{CHECKSUM_BYTES, ChunkView, crc32c, fields};
use crate::recycle::recycle;
use crate::wire;
use crate::wire::fast::{self, WireType, key};
use crate::write::put;

/// The size at which a writer ends a frame unless told otherwise, as in Prometheus: 1 MiB.
pub const DEFAULT_MAX_WRITTEN_FRAME_BYTES: usize = 1 << 20;

/// Writes series as frames of a streamed answer, byte for byte as Prometheus does.
///
/// It keeps no more than the labels of one series and where the chunks of one frame are, and once that has
/// grown to what the series need it allocates nothing.
#[derive(Debug)]
pub struct FrameWriter {
    max_frame_bytes: usize,
    /// The labels of the series as they stand in each of its frames.
    labels: Vec<u8>,
    /// Memory for the chunks of one frame.
    chunks: Vec<Pending<'static>>,
}

const LABELS_KEY: u8 = key(fields::series::LABELS, WireType::Delimited);
const CHUNKS_KEY: u8 = key(fields::series::CHUNKS, WireType::Delimited);

/// Key and length of a chunk of the usual form.
const CHUNK_HEADER_BYTES: usize = 3;

impl Default for FrameWriter {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_WRITTEN_FRAME_BYTES)
    }
}

impl FrameWriter {
    /// A writer that begins another frame when the labels and chunks of one reach `max_frame_bytes`.
    ///
    /// The limit is soft: the chunk that reaches it still belongs to the frame, so each frame has at least
    /// one chunk and is larger than the limit by at most one.
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { max_frame_bytes, labels: Vec::new(), chunks: Vec::new() }
    }

    /// Appends the frames of one series to `into`; a series without chunks has none.
    ///
    /// `query_index` is the number of the query in the request, counted from 0. `labels` should be sorted by
    /// name, and the series of a query by their labels; `chunks` by their start. None of that is checked.
    /// Takes time linear in the bytes written.
    pub fn write<'a>(
        &mut self,
        query_index: i64,
        labels: &[(&str, &str)],
        chunks: impl IntoIterator<Item = ChunkView<'a>>,
        into: &mut Vec<u8>,
    ) {
        self.labels.clear();
        let label_bytes = put::labels(LABELS_KEY, labels, &mut self.labels);
        let chunk_limit_bytes = self.max_frame_bytes.saturating_sub(label_bytes);

        let mut pending: Vec<Pending<'a>> = recycle(std::mem::take(&mut self.chunks));
        let mut pending_bytes = 0;
        for chunk in chunks {
            let chunk = Pending::new(chunk);
            pending_bytes += chunk.message_bytes;
            pending.push(chunk);
            if pending_bytes >= chunk_limit_bytes {
                put_frame(query_index, &self.labels, &pending, into);
                pending.clear();
                pending_bytes = 0;
            }
        }
        if !pending.is_empty() {
            put_frame(query_index, &self.labels, &pending, into);
        }
        self.chunks = recycle(pending);
    }
}

/// A chunk that waits for its frame to be full.
#[derive(Debug)]
struct Pending<'a> {
    chunk: ChunkView<'a>,
    /// What stands before its samples, if it has the usual form.
    head: Option<[u64; 3]>,
    /// The size of its message, without key and length.
    message_bytes: usize,
}

impl<'a> Pending<'a> {
    #[inline]
    fn new(chunk: ChunkView<'a>) -> Self {
        let (times_ms, encoding) = ((chunk.min_ms, chunk.max_ms), chunk.encoding.to_wire());
        let head = fast::chunk_head(CHUNKS_KEY, times_ms, encoding, chunk.data.len());
        let message_bytes = match head {
            Some(_) => fast::CHUNK_HEAD_BYTES - CHUNK_HEADER_BYTES + chunk.data.len(),
            None => chunk_bytes(&chunk),
        };
        Self { chunk, head, message_bytes }
    }

    /// The size of the field, with key and length.
    #[inline]
    fn field_bytes(&self) -> usize {
        match self.head {
            Some(_) => fast::CHUNK_HEAD_BYTES + self.chunk.data.len(),
            None => wire::message_field_bytes(fields::series::CHUNKS, self.message_bytes),
        }
    }

    #[inline]
    fn put(&self, into: &mut Vec<u8>) {
        let Some([a, b, c]) = self.head else {
            return put_chunk(&self.chunk, self.message_bytes, into);
        };
        into.extend_from_slice(&a.to_le_bytes());
        into.extend_from_slice(&b.to_le_bytes());
        into.extend_from_slice(&c.to_le_bytes()[..6]);
        into.extend_from_slice(self.chunk.data);
    }
}

/// The size of the message `Chunk`, without key and length.
fn chunk_bytes(chunk: &ChunkView<'_>) -> usize {
    use fields::chunk::{DATA, MAX_TIME_MS, MIN_TIME_MS, TYPE};
    wire::varint_field_bytes(MIN_TIME_MS, chunk.min_ms as u64)
        + wire::varint_field_bytes(MAX_TIME_MS, chunk.max_ms as u64)
        + wire::varint_field_bytes(TYPE, encoding_varint(chunk))
        + wire::bytes_field_bytes(DATA, chunk.data.len())
}

fn put_chunk(chunk: &ChunkView<'_>, message_bytes: usize, into: &mut Vec<u8>) {
    use fields::chunk::{DATA, MAX_TIME_MS, MIN_TIME_MS, TYPE};
    wire::put_message_header(fields::series::CHUNKS, message_bytes, into);
    wire::put_varint_field(MIN_TIME_MS, chunk.min_ms as u64, into);
    wire::put_varint_field(MAX_TIME_MS, chunk.max_ms as u64, into);
    wire::put_varint_field(TYPE, encoding_varint(chunk), into);
    wire::put_bytes_field(DATA, chunk.data, into);
}

/// Numbers of enums are signed, and negative ones fill all 64 bits.
fn encoding_varint(chunk: &ChunkView<'_>) -> u64 {
    i64::from(chunk.encoding.to_wire()) as u64
}

fn put_frame(query_index: i64, labels: &[u8], chunks: &[Pending<'_>], into: &mut Vec<u8>) {
    use fields::response::{CHUNKED_SERIES, QUERY_INDEX};
    let series_bytes = labels.len() + chunks.iter().map(Pending::field_bytes).sum::<usize>();
    let payload_bytes = wire::message_field_bytes(CHUNKED_SERIES, series_bytes)
        + wire::varint_field_bytes(QUERY_INDEX, query_index as u64);

    into.reserve(wire::uvarint_bytes(payload_bytes as u64) + CHECKSUM_BYTES + payload_bytes);
    wire::put_uvarint(payload_bytes as u64, into);
    let checksum_at = into.len();
    into.extend_from_slice(&[0; CHECKSUM_BYTES]);
    let payload_at = into.len();
    wire::put_message_header(CHUNKED_SERIES, series_bytes, into);
    into.extend_from_slice(labels);
    chunks.iter().for_each(|chunk| chunk.put(into));
    wire::put_varint_field(QUERY_INDEX, query_index as u64, into);
    let checksum = crc32c(&into[payload_at..]);
    into[checksum_at..payload_at].copy_from_slice(&checksum.to_be_bytes());
}
