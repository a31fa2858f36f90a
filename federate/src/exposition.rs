//! How series are exposed to a scrape.

mod write;

pub use write::{Buckets, Escaping, Format, HistogramView, Kind, Value, WriteError, Writer};
