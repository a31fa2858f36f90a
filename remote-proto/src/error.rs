//! What can be wrong with bytes from outside, and where.

use thiserror::Error;

/// Why some bytes could not be decoded, and where in them.
///
/// Nothing that a failed decode was given has changed in a way the caller can see, unless the function says
/// so: buffers come back empty or as they were, never half filled.
///
/// ```
/// use promha_remote_proto::{ErrorKind, snappy};
///
/// let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
/// let error = snappy::decompress(&bomb, 32 << 20, &mut Vec::new()).unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::OverLimit { limit: 33_554_432, found: 4_294_967_295, .. }));
/// assert_eq!(error.offset(), 0);
/// assert_eq!(error.to_string(), "decompressed bytes: 4294967295 exceed the limit of 33554432 (at byte 0)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} (at byte {offset})")]
pub struct DecodeError {
    kind: ErrorKind,
    offset: usize,
}

impl DecodeError {
    pub(crate) fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where it is wrong: bytes from the start of what was given to the function, or for a
    /// [`FrameReader`](crate::frame::FrameReader) from the start of the stream.
    ///
    /// It is the first byte of the smallest piece that is bad (a key, a length, a string, a checksum); for a
    /// truncated piece it is where that piece begins.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

/// What is wrong with the bytes. The numbers are what was found and what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no byte at all where at least a header has to be.
    #[error("the body is empty")]
    EmptyBody,

    /// The bytes end before the piece does.
    #[error("truncated: needs {needed_bytes} bytes, {available_bytes} left")]
    Truncated {
        /// How many bytes the piece needs from its start on, or at least needs when its length is not known.
        needed_bytes: u64,
        /// How many there are.
        available_bytes: u64,
    },

    /// A variable-length integer of more than 64 bits.
    #[error("a varint does not fit into 64 bits")]
    VarintOverflow,

    /// A protobuf field number of zero, or one that does not fit into 29 bits.
    #[error("{key} is not the key of a protobuf field")]
    InvalidKey {
        /// The key as it was read, field number and wire type together.
        key: u64,
    },

    /// A wire type that this field cannot have, or that does not exist.
    #[error("field {field} has wire type {found}")]
    WireType {
        /// The number of the field.
        field: u32,
        /// The wire type found, the lower three bits of the key.
        found: u8,
    },

    /// An end of a group that was not begun.
    #[error("end of group {field}, which was not begun")]
    UnmatchedGroup {
        /// The number of the field.
        field: u32,
    },

    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    InvalidUtf8,

    /// More of something than the limit allows.
    #[error("{what}: {found} exceed the limit of {limit}")]
    OverLimit {
        /// What is limited.
        what: Limit,
        /// The limit in force.
        limit: u64,
        /// What was found, or what a length claims.
        found: u64,
    },

    /// A frame whose payload has another checksum than its header says.
    #[error("checksum mismatch: the frame says {declared:08x}, its payload has {computed:08x}")]
    Checksum {
        /// CRC32C in the frame's header.
        declared: u32,
        /// CRC32C of the payload.
        computed: u32,
    },

    /// Frames that were pushed but not taken when the stream was declared finished.
    #[error("{unread_bytes} bytes of whole frames were not read")]
    UnreadFrames {
        /// How many bytes of them.
        unread_bytes: u64,
    },

    /// A snappy block claims more output than its number of bytes can ever produce.
    #[error("snappy: {body_bytes} bytes cannot decompress to the declared {declared_bytes}")]
    SnappyImplausible {
        /// The length that the block declares.
        declared_bytes: u64,
        /// The size of the block.
        body_bytes: u64,
    },

    /// A snappy block produces another number of bytes than it declared.
    #[error("snappy: declared {declared_bytes} bytes, holds {found_bytes}")]
    SnappyLength {
        /// The length that the block declares.
        declared_bytes: u64,
        /// The length that its elements add up to, as far as they were read.
        found_bytes: u64,
    },

    /// A snappy element that copies from before the start of the output.
    #[error("snappy: a copy from {distance} bytes back, when only {written_bytes} are written")]
    SnappyCopy {
        /// How far back the copy reaches; 0 is never valid.
        distance: u64,
        /// How many bytes the elements before it produced.
        written_bytes: u64,
    },

    /// A body that is not compressed with zstd, or damaged.
    #[error("not a zstd frame, or a damaged one")]
    Zstd,

    /// A body that is compressed with zstd, which this crate was built without.
    #[error("zstd is not built in")]
    NoZstd,

    /// A chunk describes a value whose significant bits do not fit into 64.
    #[error("{leading} leading zero and {significant} significant bits do not fit into 64")]
    ChunkWindow {
        /// Leading zero bits.
        leading: u8,
        /// Significant bits.
        significant: u8,
    },

    /// A reference to a symbol that the request does not have.
    #[error("reference {reference} to one of {symbols} symbols")]
    SymbolReference {
        /// The reference, counted from 0.
        reference: u32,
        /// How many symbols there are.
        symbols: u64,
    },

    /// References to labels that are not pairs of a name and a value.
    #[error("{count} references do not make pairs of name and value")]
    OddReferences {
        /// How many references there are.
        count: u64,
    },

    /// A chunk of histograms with a resolution that nobody knows.
    #[error("schema {found} of a histogram is none of -9 to 52 and not -53")]
    HistogramSchema {
        /// The schema, as far as it fits into 32 bits.
        found: i32,
    },
}

/// What an [`ErrorKind::OverLimit`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Limit {
    /// The size of a body once decompressed, as its header declares it.
    #[error("decompressed bytes")]
    DecompressedBytes,
    /// The size of the payload of one frame, as its header declares it.
    #[error("frame bytes")]
    FrameBytes,
    /// Labels of one series.
    #[error("labels of one series")]
    LabelsPerSeries,
    /// Protobuf messages and groups inside each other.
    #[error("levels of nesting")]
    Nesting,
    /// Bucket counts of all histograms of one chunk.
    #[error("buckets of one chunk")]
    HistogramBuckets,
    /// The size of a body as it arrived.
    #[error("body bytes")]
    BodyBytes,
    /// The size of a message.
    #[error("message bytes")]
    MessageBytes,
    /// Series of one message.
    #[error("series")]
    Series,
    /// The size of one name or value of a label.
    #[error("label bytes")]
    LabelBytes,
    /// Float samples of one message.
    #[error("samples")]
    Samples,
    /// Histograms of one message.
    #[error("histograms")]
    Histograms,
    /// Exemplars of one message.
    #[error("exemplars")]
    Exemplars,
    /// Metric families with metadata in one message.
    #[error("metadata")]
    Metadata,
    /// Symbols of one message.
    #[error("symbols")]
    Symbols,
    /// Queries of one request, or results of one answer.
    #[error("queries")]
    Queries,
    /// Matchers of one request, or names in its hints.
    #[error("matchers")]
    Matchers,
}

/// Why something cannot be written: the format has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// More bytes than the format can say.
    #[error("{found_bytes} bytes exceed the {limit_bytes} of the format")]
    TooManyBytes {
        /// The most that the format can say.
        limit_bytes: u64,
        /// What was given.
        found_bytes: u64,
    },
    /// More samples than one chunk can hold.
    #[error("{found} samples exceed the {limit} of one chunk")]
    TooManySamples {
        /// The most that one chunk can hold.
        limit: u64,
        /// What was given.
        found: u64,
    },
    /// Columns that should describe the same rows have different lengths.
    #[error("{timestamps} timestamps, but {values} values")]
    UnevenColumns {
        /// Length of the column of timestamps.
        timestamps: usize,
        /// Length of the column of values.
        values: usize,
    },
    /// Compression with zstd, which this crate was built without.
    #[error("zstd is not built in")]
    NoZstd,
    /// A histogram with float counts where integer counts are needed, or the other way round.
    #[error("the counts of the histogram are of the other kind: float is {float}")]
    CountKind {
        /// Whether its counts are floats.
        float: bool,
    },
    /// A histogram whose spans name another number of buckets than it has.
    #[error("the spans name {expected} buckets, the histogram has {found}")]
    BucketCount {
        /// How many buckets the spans name.
        expected: u64,
        /// How many counts there are.
        found: u64,
    },
}
