//! OpenMetrics 1.0.
//!
//! Source: <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>, and `openmetricsparse.go` and
//! `openmetricslex.l` of Prometheus in what they accept: its parser checks that units are suffixes of their families and that
//! nothing is behind `# EOF`, but neither that suffixes fit the type nor that families stay together. Labels that are there
//! twice and empty names are refused as well, as by the rest of that server.

mod parse;
mod write;

pub use parse::OpenMetricsParser;
pub use write::{Exemplar, OpenMetricsWriter, WriteError};
