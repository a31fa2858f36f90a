//! The streamed answer of remote read: frames with chunks of samples, read and written without any I/O.
//!
//! A stream is a row of frames: the length of the payload as a varint, the CRC32C (Castagnoli) of the payload
//! in four bytes with the highest first, and the payload, a `ChunkedReadResponse`. Series come one after the
//! other, each complete before the next; one with much data is spread over several frames that repeat its
//! labels. Source: `storage/remote/chunked.go` and `prompb/remote.proto` in Prometheus.
//!
//! ```
//! use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameReader, FrameWriter};
//!
//! let labels = [("__name__", "up"), ("job", "node")];
//! let chunk = ChunkView { min_ms: 0, max_ms: 15_000, encoding: ChunkEncoding::Xor, data: b"\0\x02..." };
//! let mut wire = Vec::new();
//! FrameWriter::default().write(0, &labels, [chunk], &mut wire);
//!
//! let mut reader = FrameReader::default();
//! for piece in wire.chunks(7) {
//!     reader.push(piece);
//!     while let Some(series) = reader.next_frame()? {
//!         assert_eq!(series.query_index(), 0);
//!         assert_eq!(series.labels(), labels);
//!         assert!(series.chunks().eq([chunk]));
//!     }
//! }
//! reader.finish()?;
//! # Ok::<(), promha_remote_proto::DecodeError>(())
//! ```

mod reader;
mod view;
mod writer;

pub use reader::{DEFAULT_MAX_LABELS_PER_SERIES, DEFAULT_MAX_READ_FRAME_BYTES, FrameLimits, FrameReader};
pub use view::{ChunkEncoding, ChunkView, ChunkedSeriesView, Chunks};
pub use writer::{DEFAULT_MAX_WRITTEN_FRAME_BYTES, FrameWriter};

/// Bytes of the checksum between length and payload.
const CHECKSUM_BYTES: usize = 4;

fn crc32c(payload: &[u8]) -> u32 {
    // The same polynomial under the name of another protocol that has it.
    crc_fast::crc32_iscsi(payload)
}

/// Field numbers of the messages in a frame. Source: `prompb/remote.proto` and `prompb/types.proto`.
mod fields {
    pub(super) mod response {
        pub(in crate::frame) const CHUNKED_SERIES: u32 = 1;
        pub(in crate::frame) const QUERY_INDEX: u32 = 2;
    }
    pub(super) mod series {
        pub(in crate::frame) const LABELS: u32 = 1;
        pub(in crate::frame) const CHUNKS: u32 = 2;
    }
    pub(super) mod label {
        pub(in crate::frame) const NAME: u32 = 1;
        pub(in crate::frame) const VALUE: u32 = 2;
    }
    pub(super) mod chunk {
        pub(in crate::frame) const MIN_TIME_MS: u32 = 1;
        pub(in crate::frame) const MAX_TIME_MS: u32 = 2;
        pub(in crate::frame) const TYPE: u32 = 3;
        pub(in crate::frame) const DATA: u32 = 4;
    }
}
