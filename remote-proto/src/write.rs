//! Remote write, both versions: from a body to series, and from series to a body.
//!
//! [`WriteDecoder`] reads a request as a whole, so that there is nothing of a request that is not right, and hands
//! out views into the body. [`WriteEncoder`] writes one. Both keep their memory: once warm they allocate nothing,
//! and a request that was refused leaves nothing behind.
//!
//! ```
//! use promha_remote_proto::negotiate::WriteVersion;
//! use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
//! use promha_remote_proto::Limits;
//!
//! let mut decoder = WriteDecoder::new(Limits::default());
//! for version in [WriteVersion::V1, WriteVersion::V2] {
//!     let mut encoder = WriteEncoder::new(version);
//!     encoder.series(&[("__name__", "up"), ("job", "node")], [(1_700_000_000_000, 1.0)]);
//!     encoder.series(&[("__name__", "up"), ("job", "db")], [(1_700_000_000_000, 0.0)]);
//!     let message = encoder.finish();
//!
//!     let view = decoder.decode(version, message)?;
//!     let down: Vec<_> = view.series().filter(|series| series.samples()[0].1 == 0.0).collect();
//!     assert_eq!(down.len(), 1);
//!     assert_eq!(down[0].labels(), [("__name__", "up"), ("job", "db")]);
//! }
//! # Ok::<(), promha_remote_proto::DecodeError>(())
//! ```

mod decoder;
mod encoder;
pub(crate) mod put;
mod symbols;

pub use decoder::{WriteDecoder, WriteView};
pub use encoder::{SeriesWriter, WriteEncoder};

/// Numbers of fields. Sources: `prompb/remote.proto` and `prompb/io/prometheus/write/v2/types.proto`.
mod fields {
    pub(super) mod v1 {
        pub(in crate::write) const TIMESERIES: u32 = 1;
        pub(in crate::write) const METADATA: u32 = 3;
    }
    pub(super) mod v2 {
        pub(in crate::write) const SYMBOLS: u32 = 4;
        pub(in crate::write) const TIMESERIES: u32 = 5;
    }
}
