//! Series as they stand in messages: one view for write 1, write 2 and answers with samples.
//!
//! Whoever takes a [`SeriesView`] need not know where it comes from:
//!
//! ```
//! use promha_remote_proto::negotiate::WriteVersion;
//! use promha_remote_proto::read::{AnswerDecoder, AnswerEncoder};
//! use promha_remote_proto::series::SeriesView;
//! use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
//!
//! fn line(series: SeriesView<'_>) -> String {
//!     format!("{:?} {:?}", series.labels(), series.samples())
//! }
//!
//! let (labels, samples) = ([("__name__", "up"), ("job", "node")], [(15_000, 1.0)]);
//! let mut lines = Vec::new();
//! let mut decoder = WriteDecoder::default();
//! for version in [WriteVersion::V1, WriteVersion::V2] {
//!     let mut encoder = WriteEncoder::new(version);
//!     encoder.series(&labels, samples);
//!     lines.extend(decoder.decode(version, encoder.finish())?.series().map(line));
//! }
//! let (mut encoder, mut decoder) = (AnswerEncoder::new(), AnswerDecoder::default());
//! encoder.series(&labels, samples);
//! let answer = decoder.decode(encoder.finish())?;
//! lines.extend(answer.results().flat_map(|result| result.series()).map(line));
//! assert_eq!(lines, [r#"[("__name__", "up"), ("job", "node")] [(15000, 1.0)]"#; 3]);
//! # Ok::<(), promha_remote_proto::DecodeError>(())
//! ```

mod arena;
mod read_histogram;
mod read_v1;
mod read_v2;
mod view;

pub use view::{ExemplarView, Exemplars, Histograms, MetadataView, MetricType, SeriesView};

pub(crate) use arena::Arena;
pub(crate) use read_v1::read_metadata;
pub(crate) use read_v1::read_series as read_series_v1;
pub(crate) use read_v2::read_series as read_series_v2;

/// Numbers of fields. Sources: `prompb/types.proto` and `prompb/io/prometheus/write/v2/types.proto`.
pub(crate) mod fields {
    pub(crate) mod series_v1 {
        pub(crate) const LABELS: u32 = 1;
        pub(crate) const SAMPLES: u32 = 2;
        pub(crate) const EXEMPLARS: u32 = 3;
        pub(crate) const HISTOGRAMS: u32 = 4;
    }
    pub(crate) mod series_v2 {
        pub(crate) const LABELS_REFS: u32 = 1;
        pub(crate) const SAMPLES: u32 = 2;
        pub(crate) const HISTOGRAMS: u32 = 3;
        pub(crate) const EXEMPLARS: u32 = 4;
        pub(crate) const METADATA: u32 = 5;
    }
    pub(crate) mod label {
        pub(crate) const NAME: u32 = 1;
        pub(crate) const VALUE: u32 = 2;
    }
    pub(crate) mod sample {
        pub(crate) const VALUE: u32 = 1;
        pub(crate) const TIMESTAMP: u32 = 2;
        /// In write 2 only.
        pub(crate) const START_TIMESTAMP: u32 = 3;
    }
    pub(crate) mod exemplar {
        /// References to them in write 2.
        pub(crate) const LABELS: u32 = 1;
        pub(crate) const VALUE: u32 = 2;
        pub(crate) const TIMESTAMP: u32 = 3;
    }
    pub(crate) mod metadata_v1 {
        pub(crate) const TYPE: u32 = 1;
        pub(crate) const METRIC_FAMILY_NAME: u32 = 2;
        pub(crate) const HELP: u32 = 4;
        pub(crate) const UNIT: u32 = 5;
    }
    pub(crate) mod metadata_v2 {
        pub(crate) const TYPE: u32 = 1;
        pub(crate) const HELP_REF: u32 = 3;
        pub(crate) const UNIT_REF: u32 = 4;
    }
    pub(crate) mod histogram {
        pub(crate) const COUNT_INT: u32 = 1;
        pub(crate) const COUNT_FLOAT: u32 = 2;
        pub(crate) const SUM: u32 = 3;
        pub(crate) const SCHEMA: u32 = 4;
        pub(crate) const ZERO_THRESHOLD: u32 = 5;
        pub(crate) const ZERO_COUNT_INT: u32 = 6;
        pub(crate) const ZERO_COUNT_FLOAT: u32 = 7;
        pub(crate) const NEGATIVE_SPANS: u32 = 8;
        pub(crate) const NEGATIVE_DELTAS: u32 = 9;
        pub(crate) const NEGATIVE_COUNTS: u32 = 10;
        pub(crate) const POSITIVE_SPANS: u32 = 11;
        pub(crate) const POSITIVE_DELTAS: u32 = 12;
        pub(crate) const POSITIVE_COUNTS: u32 = 13;
        pub(crate) const RESET_HINT: u32 = 14;
        pub(crate) const TIMESTAMP: u32 = 15;
        pub(crate) const CUSTOM_VALUES: u32 = 16;
        pub(crate) const START_TIMESTAMP: u32 = 17;
    }
    pub(crate) mod span {
        pub(crate) const OFFSET: u32 = 1;
        pub(crate) const LENGTH: u32 = 2;
    }
}
