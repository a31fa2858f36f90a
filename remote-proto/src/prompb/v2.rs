//! Remote write 2: strings once, in a table, and references to them.
//!
//! Written by hand from `io.prometheus.write.v2` in `prompb/io/prometheus/write/v2/types.proto` of Prometheus.

pub use super::{Histogram, MetricType};

/// What a sender of remote write 2 delivers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// All strings of the request; the first one is empty.
    #[prost(string, repeated, tag = "4")]
    pub symbols: Vec<String>,
    /// The series with their new samples.
    #[prost(message, repeated, tag = "5")]
    pub timeseries: Vec<TimeSeries>,
}

/// A series and some of its samples.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeSeries {
    /// Name and value of each label in turn, as indexes of the symbols; sorted by name.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// Float samples, by time.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Native histograms, by time.
    #[prost(message, repeated, tag = "3")]
    pub histograms: Vec<Histogram>,
    /// Exemplars, by time.
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<Exemplar>,
    /// What is known about the metric family.
    #[prost(message, optional, tag = "5")]
    pub metadata: Option<Metadata>,
}

/// A float at a time.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sample {
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
    /// When counting began, in milliseconds since 1970; 0 if that is not known.
    #[prost(int64, tag = "3")]
    pub start_timestamp: i64,
}

/// A sample that points elsewhere, for example to a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    /// What it points to: name and value of each label in turn, as indexes of the symbols.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// The value that was observed.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// What is known about the metric family of a series.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Metadata {
    /// A number of [`MetricType`].
    #[prost(enumeration = "MetricType", tag = "1")]
    pub r#type: i32,
    /// What it measures, for people: an index of the symbols.
    #[prost(uint32, tag = "3")]
    pub help_ref: u32,
    /// The unit: an index of the symbols.
    #[prost(uint32, tag = "4")]
    pub unit_ref: u32,
}
