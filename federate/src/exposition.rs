//! How series are exposed: the Prometheus text format, OpenMetrics and protobuf.
//!
//! Three pull parsers over bytes that are there, one interface: [`Parser::next_entry`] gives the next type, help, unit,
//! comment, sample or histogram, borrowed from the input. [`Format::of_content_type`] says which of them a scrape needs.
//!
//! What a Prometheus server that scrapes refuses is refused, with the line and column, what was expected and what was found.
//! Labels come sorted by name, with `__name__` among them, as matching and indexing want them.
//!
//! ```
//! use promha_federate::exposition::{Entry, Format, Limits, Parser};
//!
//! let format = Format::of_content_type("text/plain; version=0.0.4", None)?;
//! let mut parser = Parser::new(format, b"# TYPE up gauge\nup{job=\"node\"} 1\n", Limits::default());
//! assert!(matches!(parser.next_entry()?, Some(Entry::Type { family: "up", .. })));
//! let Some(Entry::Series(series)) = parser.next_entry()? else { unreachable!() };
//! assert_eq!(series.labels(), [("__name__", "up"), ("job", "node")]);
//! assert_eq!((series.value(), series.t_ms()), (1.0, None));
//! # drop(series);
//! assert!(parser.next_entry()?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod openmetrics;
pub mod protobuf;
pub mod text;
pub mod write;

mod braces;
mod entry;
mod error;
mod format;
mod histogram;
mod labels;
mod limits;
mod number;
mod scan;
mod source;

pub use entry::{Entry, ExemplarView, MetricType, SeriesView};
pub use error::{ExpositionError, ExpositionErrorKind, Limit};
pub use format::{Format, Parser, UnknownFormat};
pub use histogram::{Buckets, Exemplars, HistogramView, Span};
pub use limits::Limits;
