//! The messages as owned values, for tests, tools and whatever is not hot.
//!
//! Written by hand from `prompb/remote.proto` and `prompb/types.proto` of Prometheus, so that building needs no
//! protobuf compiler. Fields have the names of the definition, with the unit where the definition leaves it
//! out. Encoding and decoding are methods of [`prost::Message`]:
//!
//! ```
//! use promha_remote_proto::prompb::{LabelMatcher, MatcherType, Query, ReadRequest, ResponseType};
//! use prost::Message;
//!
//! let request = ReadRequest {
//!     queries: vec![Query {
//!         start_timestamp_ms: 0,
//!         end_timestamp_ms: 60_000,
//!         matchers: vec![LabelMatcher::new(MatcherType::Eq, "__name__", "up")],
//!         hints: None,
//!     }],
//!     accepted_response_types: vec![ResponseType::StreamedXorChunks.into()],
//! };
//! let body = request.encode_to_vec();
//! assert_eq!(ReadRequest::decode(&body[..])?, request);
//! # Ok::<(), prost::DecodeError>(())
//! ```

pub mod v2;

use bytes::Bytes;

/// What a client asks of remote read.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadRequest {
    /// Queries that are answered independently, in this order.
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
    /// Numbers of [`ResponseType`], the preferred one first; none means samples. See
    /// [`negotiate::response_type`](crate::negotiate::response_type).
    #[prost(enumeration = "ResponseType", repeated, tag = "2")]
    pub accepted_response_types: Vec<i32>,
}

/// The forms that an answer of remote read can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ResponseType {
    /// One [`ReadResponse`], snappy-compressed.
    Samples = 0,
    /// A stream of frames with a [`ChunkedReadResponse`] each, see [`frame`](crate::frame).
    StreamedXorChunks = 1,
}

/// A selection of series and a range of time, both ends included.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Query {
    /// First millisecond since 1970.
    #[prost(int64, tag = "1")]
    pub start_timestamp_ms: i64,
    /// Last millisecond since 1970.
    #[prost(int64, tag = "2")]
    pub end_timestamp_ms: i64,
    /// All of these have to match.
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
    /// What the result is for; a server may ignore it.
    #[prost(message, optional, tag = "4")]
    pub hints: Option<ReadHints>,
}

/// A condition on one label. A label that is missing has the value `""`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct LabelMatcher {
    /// A number of [`MatcherType`].
    #[prost(enumeration = "MatcherType", tag = "1")]
    pub r#type: i32,
    /// The name of the label.
    #[prost(string, tag = "2")]
    pub name: String,
    /// A value, or a regular expression for the whole value.
    #[prost(string, tag = "3")]
    pub value: String,
}

impl LabelMatcher {
    /// A matcher of these parts; `value` is not checked.
    pub fn new(r#type: MatcherType, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { r#type: r#type.into(), name: name.into(), value: value.into() }
    }
}

/// How a [`LabelMatcher`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum MatcherType {
    /// `=`
    Eq = 0,
    /// `!=`
    Neq = 1,
    /// `=~`
    Re = 2,
    /// `!~`
    Nre = 3,
}

/// What the asking side is going to do with the samples.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ReadHints {
    /// Step of the query, 0 for an instant query.
    #[prost(int64, tag = "1")]
    pub step_ms: i64,
    /// The function or aggregation around the selector.
    #[prost(string, tag = "2")]
    pub func: String,
    /// First millisecond that matters.
    #[prost(int64, tag = "3")]
    pub start_ms: i64,
    /// Last millisecond that matters.
    #[prost(int64, tag = "4")]
    pub end_ms: i64,
    /// Names of the labels in the aggregation.
    #[prost(string, repeated, tag = "5")]
    pub grouping: Vec<String>,
    /// Whether `grouping` is `by`; otherwise it is `without`.
    #[prost(bool, tag = "6")]
    pub by: bool,
    /// The range of the selector, 0 for an instant vector.
    #[prost(int64, tag = "7")]
    pub range_ms: i64,
}

/// The answer to a [`ReadRequest`] as samples.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadResponse {
    /// One for each query, in the order of the request.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<QueryResult>,
}

/// The answer to one [`Query`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryResult {
    /// The series, in no particular order.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// What a sender of remote write 1 delivers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteRequest {
    /// The series with their new samples.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
    /// What is known about metric families, of the series here or of others.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<MetricMetadata>,
}

/// A series and some of its samples.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeSeries {
    /// Sorted by name, no name twice.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Float samples, by time.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Exemplars, by time.
    #[prost(message, repeated, tag = "3")]
    pub exemplars: Vec<Exemplar>,
    /// Native histograms, by time.
    #[prost(message, repeated, tag = "4")]
    pub histograms: Vec<Histogram>,
}

/// Name and value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Message)]
pub struct Label {
    /// Never empty in a valid series.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Never empty in a valid series: an empty value means that the label is missing.
    #[prost(string, tag = "2")]
    pub value: String,
}

impl Label {
    /// A label of these parts.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A float at a time.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sample {
    /// The value; the stale marker is a NaN, so compare bits (see [`xor::is_stale_nan`](crate::xor::is_stale_nan)).
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// A sample that points elsewhere, for example to a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    /// What it points to; not the labels of the series.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// The value that was observed.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// A native histogram at a time: with integer counts (`*_deltas`) or with float counts (`*_counts`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    /// Number of observations.
    #[prost(oneof = "histogram::Count", tags = "1, 2")]
    pub count: Option<histogram::Count>,
    /// Sum of the observations; the stale marker marks a stale histogram.
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// Resolution: there are 2^schema buckets between two powers of two; -53 means custom bounds.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    /// The zero bucket holds what is at most this far from zero.
    #[prost(double, tag = "5")]
    pub zero_threshold: f64,
    /// Number of observations in the zero bucket.
    #[prost(oneof = "histogram::ZeroCount", tags = "6, 7")]
    pub zero_count: Option<histogram::ZeroCount>,
    /// Which buckets of negative observations there are.
    #[prost(message, repeated, tag = "8")]
    pub negative_spans: Vec<BucketSpan>,
    /// Integer counts of them, each as the difference to the one before, the first to 0.
    #[prost(sint64, repeated, tag = "9")]
    pub negative_deltas: Vec<i64>,
    /// Float counts of them.
    #[prost(double, repeated, tag = "10")]
    pub negative_counts: Vec<f64>,
    /// Which buckets of positive observations there are.
    #[prost(message, repeated, tag = "11")]
    pub positive_spans: Vec<BucketSpan>,
    /// Integer counts of them, each as the difference to the one before, the first to 0.
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: Vec<i64>,
    /// Float counts of them.
    #[prost(double, repeated, tag = "13")]
    pub positive_counts: Vec<f64>,
    /// A number of [`ResetHint`].
    #[prost(enumeration = "ResetHint", tag = "14")]
    pub reset_hint: i32,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
    /// Upper bounds of the buckets when `schema` says that they are custom.
    #[prost(double, repeated, tag = "16")]
    pub custom_values: Vec<f64>,
    /// When counting began, in milliseconds since 1970; 0 if that is not known.
    #[prost(int64, tag = "17")]
    pub start_timestamp: i64,
}

/// The alternatives inside a [`Histogram`].
pub mod histogram {
    /// Number of observations.
    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Count {
        /// Of a histogram with integer counts.
        #[prost(uint64, tag = "1")]
        CountInt(u64),
        /// Of a histogram with float counts.
        #[prost(double, tag = "2")]
        CountFloat(f64),
    }

    /// Number of observations in the zero bucket.
    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum ZeroCount {
        /// Of a histogram with integer counts.
        #[prost(uint64, tag = "6")]
        ZeroCountInt(u64),
        /// Of a histogram with float counts.
        #[prost(double, tag = "7")]
        ZeroCountFloat(f64),
    }
}

/// A run of neighbouring buckets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct BucketSpan {
    /// How many buckets are left out since the span before; of the first one, its index.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// How many buckets there are.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

/// What a sender knows about a counter reset before a [`Histogram`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ResetHint {
    /// Whoever needs to know compares the counts.
    Unknown = 0,
    /// There was one.
    Yes = 1,
    /// There was none.
    No = 2,
    /// The histogram is a gauge and may go down.
    Gauge = 3,
}

/// What is known about a metric family.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct MetricMetadata {
    /// A number of [`MetricType`].
    #[prost(enumeration = "MetricType", tag = "1")]
    pub r#type: i32,
    /// The name without suffixes like `_bucket`.
    #[prost(string, tag = "2")]
    pub metric_family_name: String,
    /// What it measures, for people.
    #[prost(string, tag = "4")]
    pub help: String,
    /// The unit, for example `seconds`.
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// The type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum MetricType {
    /// Not known.
    Unknown = 0,
    /// Goes up, or starts again at 0.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// Counts observations in buckets.
    Histogram = 3,
    /// A histogram whose counts go up and down.
    Gaugehistogram = 4,
    /// Quantiles that the target computed.
    Summary = 5,
    /// Labels of a constant 1.
    Info = 6,
    /// States of which each is on or off.
    Stateset = 7,
}

/// The payload of one frame of a streamed answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChunkedReadResponse {
    /// One series, or part of one; more are allowed.
    #[prost(message, repeated, tag = "1")]
    pub chunked_series: Vec<ChunkedSeries>,
    /// Which query of the request this answers, counted from 0.
    #[prost(int64, tag = "2")]
    pub query_index: i64,
}

/// A series and some of its chunks.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChunkedSeries {
    /// Sorted by name, no name twice.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// By start; they may overlap.
    #[prost(message, repeated, tag = "2")]
    pub chunks: Vec<Chunk>,
}

/// Encoded samples.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Chunk {
    /// Timestamp of the first sample, milliseconds since 1970.
    #[prost(int64, tag = "1")]
    pub min_time_ms: i64,
    /// Timestamp of the last sample, milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub max_time_ms: i64,
    /// A number of [`ChunkEncoding`]; newer servers have others too.
    #[prost(enumeration = "ChunkEncoding", tag = "3")]
    pub r#type: i32,
    /// The encoded samples.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// How the samples of a [`Chunk`] are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ChunkEncoding {
    /// Never sent.
    Unknown = 0,
    /// Float samples.
    Xor = 1,
    /// Native histograms with integer counts.
    Histogram = 2,
    /// Native histograms with float counts.
    FloatHistogram = 3,
}
