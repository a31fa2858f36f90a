//! Protobuf: messages `io.prometheus.client.MetricFamily`, each with its length in front.
//!
//! Source: `io/prometheus/client/metrics.proto` of <https://github.com/prometheus/client_model>, and `protobufparse.go` of
//! Prometheus in what becomes of them: summaries and classic histograms are given as the samples that they would be in text,
//! with `le` and `quantile` written as OpenMetrics has them.

mod metric;
mod parse;
mod wire;

pub use parse::{NativeHistograms, ProtobufParser};
