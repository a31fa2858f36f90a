//! What can be wrong with an exposition, and where.

use thiserror::Error;

/// Why an exposition could not be read further, and where in it.
///
/// What was read before stands. The parser is at its end: it has nothing more to give.
///
/// ```
/// use promha_federate::exposition::{Limits, text::TextParser};
///
/// let mut parser = TextParser::new(b"up 1\nup{job=node} 1\n", Limits::default());
/// assert!(parser.next_entry()?.is_some());
/// let error = parser.next_entry().unwrap_err();
/// assert_eq!((error.line(), error.column(), error.offset()), (Some(2), Some(8), 12));
/// assert_eq!(
///     error.to_string(),
///     "line 2, column 8 (byte 12): expected a label value in quotes, found \"node} 1\""
/// );
/// # Ok::<(), promha_federate::exposition::ExpositionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ExpositionError(
    // In a box, so that results without an error are small.
    Box<Place>,
);

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    kind: ExpositionErrorKind,
    offset: usize,
    line_and_column: Option<(usize, usize)>,
}

impl ExpositionError {
    /// An error at `offset` of a text.
    #[cold]
    pub(super) fn in_text(kind: ExpositionErrorKind, text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let line_and_column = Some((line, before.len() - line_start + 1));
        Self(Box::new(Place { kind, offset, line_and_column }))
    }

    /// An error at `offset` of bytes that have no lines.
    #[cold]
    pub(super) fn in_bytes(kind: ExpositionErrorKind, offset: usize) -> Self {
        Self(Box::new(Place { kind, offset, line_and_column: None }))
    }

    /// What is wrong.
    pub fn kind(&self) -> &ExpositionErrorKind {
        &self.0.kind
    }

    /// Where it is wrong, in bytes from the start of the input: the first byte of the smallest piece that is bad.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The line of the text, the first one is 1. Protobuf has none.
    pub fn line(&self) -> Option<usize> {
        self.0.line_and_column.map(|place| place.0)
    }

    /// The byte of the line, the first one is 1. Protobuf has none.
    pub fn column(&self) -> Option<usize> {
        self.0.line_and_column.map(|place| place.1)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line_and_column {
            Some((line, column)) => write!(f, "line {line}, column {column} (byte {}): ", self.offset)?,
            None => write!(f, "byte {}: ", self.offset)?,
        }
        self.kind.fmt(f)
    }
}

/// What is wrong with an exposition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExpositionErrorKind {
    /// Something else stands where this is needed.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What is needed.
        expected: &'static str,
        /// The beginning of what is there, quoted, or what kind of end.
        found: String,
    },

    /// Bytes that are not UTF-8. Only comments of the text format may have them.
    #[error("not UTF-8")]
    InvalidUtf8,

    /// OpenMetrics that does not end with `# EOF`; it was probably cut off.
    #[error("the data does not end with # EOF")]
    MissingEof,

    /// A name of a metric where there is one already.
    #[error("the name of the metric is there already")]
    SecondName,

    /// Labels in braces, but no name of a metric, neither before nor in them.
    #[error("the metric has no name")]
    NoName,

    /// A label that is there twice.
    #[error("the label {name:?} is there twice")]
    DuplicateLabel {
        /// Its name.
        name: String,
    },

    /// A unit that the name of its family does not end with.
    #[error("the unit {unit:?} is not a suffix of {family:?}")]
    Unit {
        /// The unit.
        unit: String,
        /// The family.
        family: String,
    },

    /// More of something than the limit allows.
    #[error("{what}: {found} exceed the limit of {limit}")]
    OverLimit {
        /// What is limited.
        what: Limit,
        /// The limit in force.
        limit: usize,
        /// What was found.
        found: usize,
    },

    /// The bytes end before the piece does.
    #[error("truncated: needs {needed_bytes} bytes, {available_bytes} left")]
    Truncated {
        /// How many bytes the piece needs, or at least needs when its length is not known.
        needed_bytes: u64,
        /// How many there are.
        available_bytes: u64,
    },

    /// A variable-length integer that is too long.
    #[error("a varint is too long")]
    VarintOverflow,

    /// A protobuf field number of zero, or one that is too large, or a wire type that does not exist.
    #[error("{key} is not the key of a protobuf field")]
    InvalidKey {
        /// The key as it was read, field number and wire type together.
        key: u64,
    },

    /// A wire type that this field cannot have.
    #[error("field {field} has wire type {found}")]
    WireType {
        /// The number of the field.
        field: u32,
        /// The wire type found.
        found: u8,
    },

    /// Messages or groups too deep inside each other.
    #[error("more than {limit} levels of nesting")]
    Nesting {
        /// How many there may be.
        limit: u32,
    },

    /// A type of metrics that nobody knows.
    #[error("{found} is not a type of metrics")]
    MetricType {
        /// The number found.
        found: i32,
    },

    /// A native histogram whose spans name another number of buckets than it has.
    #[error("the spans name {expected} buckets, the histogram has {found}")]
    BucketCount {
        /// How many buckets the spans name.
        expected: u64,
        /// How many there are.
        found: u64,
    },
}

/// What an [`ExpositionErrorKind::OverLimit`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Limit {
    /// The size of one line, or of one metric.
    #[error("bytes of one line")]
    LineBytes,
    /// Labels of one series.
    #[error("labels of one series")]
    LabelsPerSeries,
    /// The size of one name or value of a label.
    #[error("label bytes")]
    LabelBytes,
    /// Buckets, quantiles, spans or exemplars of one metric.
    #[error("buckets")]
    Buckets,
}
