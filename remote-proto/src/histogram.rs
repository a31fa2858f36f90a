//! Native histograms: as they stand in messages, and chunks of them (encodings `HISTOGRAM` and
//! `FLOAT_HISTOGRAM`) to columns and back.
//!
//! A histogram has a count, a sum, a bucket around zero, and buckets on either side of which only those are
//! there that a list of [`Span`]s names. Counts are integers or, for what was computed, floats. In messages each
//! histogram stands alone ([`HistogramView`]); in a chunk all share one [`Layout`] and each number is written as
//! its difference to the histogram before ([`Histograms`]).
//!
//! [`HistogramEncoder`] writes the same bytes as Prometheus does for the same histograms. Sources:
//! `tsdb/chunkenc/histogram.go`, `float_histogram.go`, `histogram_meta.go` and `varbit.go` in Prometheus.
//!
//! Chunks of several replicas are merged by picking ranges of samples and writing them again:
//!
//! ```
//! use promha_remote_proto::histogram::{self, Count, HistogramEncoder, HistogramView, Histograms, Span};
//!
//! # let mut first = Histograms::<u64>::new();
//! # let mut second = Histograms::<u64>::new();
//! # for n in 0..6_u64 {
//! #     let positive_spans = &[Span { offset: 0, length: 2 }, Span { offset: 3, length: 1 }];
//! #     let view = HistogramView {
//! #         t_ms: 15_000 * n as i64, count: Some(Count::Int(6 * n)), sum: n as f64, schema: 3,
//! #         positive_spans: if n < 3 { &positive_spans[..1] } else { positive_spans },
//! #         positive_deltas: if n < 3 { &[3, -1] } else { &[3, 0, -2] },
//! #         ..HistogramView::default()
//! #     };
//! #     assert!(if n < 4 { &mut first } else { &mut second }.push(&view)?);
//! # }
//! # let (mut a, mut b) = (Vec::new(), Vec::new());
//! # HistogramEncoder::new().encode(&first, 0..4, &mut a)?;
//! # HistogramEncoder::new().encode(&second, 0..2, &mut b)?;
//! let (mut from_a, mut from_b) = (Histograms::<u64>::new(), Histograms::new());
//! from_a.decode(&a, histogram::DEFAULT_MAX_BUCKETS)?;
//! from_b.decode(&b, histogram::DEFAULT_MAX_BUCKETS)?;
//!
//! let mut merged = Histograms::new();
//! assert_eq!(merged.push_from(&from_a, 0..3), 3);
//! // Fewer are taken when a chunk cannot hold the next one after those: after a counter reset for example.
//! assert_eq!(merged.push_from(&from_b, 0..2), 2);
//! assert_eq!(merged.timestamps_ms(), [0, 15_000, 30_000, 60_000, 75_000]);
//! assert_eq!(merged.layout().positive_spans.len(), 2, "it grew with the buckets");
//!
//! let mut chunk = Vec::new();
//! HistogramEncoder::new().encode(&merged, 0..merged.len(), &mut chunk)?;
//! assert_eq!(histogram::sample_count(&chunk)?, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod columns;
mod decode;
mod encode;
mod layout;
mod number;
mod push;
mod union;
mod varbit;
mod view;

pub use columns::Histograms;
pub use encode::HistogramEncoder;
pub use layout::Layout;
pub use number::Number;
pub use view::{Count, HistogramView, ResetHint, Span};

pub use crate::xor::{MAX_SAMPLES, sample_count};

/// The most bucket counts that one chunk is decoded to unless told otherwise: 4,194,304, which take 32 MiB. A
/// chunk of 120 histograms with 160 buckets each has 19,200.
pub const DEFAULT_MAX_BUCKETS: usize = 1 << 22;

/// Bytes before the layout: the number of samples and the flags.
const HEADER_BYTES: usize = 3;

/// The schema of histograms with custom bounds. Source: `model/histogram/generic.go` in Prometheus.
const CUSTOM_SCHEMA: i32 = -53;

/// The resolutions that there are or may be one day.
const EXPONENTIAL_SCHEMAS: std::ops::RangeInclusive<i32> = -9..=52;
