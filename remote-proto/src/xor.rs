//! Chunks of float samples (encoding `XOR`): to columns and back.
//!
//! A chunk holds up to 65,535 samples: their number in two bytes, the first timestamp and value as they are,
//! the first difference of timestamps, and from then on how each difference differs from the one before and
//! each value from the one before, in as few bits as that takes. [`XorEncoder`] writes the same bytes as
//! Prometheus does for the same samples. Source: `tsdb/chunkenc/xor.go` and `tsdb/docs/bstream.md` in
//! Prometheus, after the Gorilla paper (<https://www.vldb.org/pvldb/vol8/p1816-teller.pdf>).
//!
//! ```
//! use promha_remote_proto::xor;
//!
//! let mut chunk = Vec::new();
//! xor::encode(&[1_000, 16_000, 31_001], &[0.5, 0.5, 0.75], &mut chunk)?;
//! assert_eq!(xor::sample_count(&chunk)?, 3);
//!
//! let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
//! xor::decode(&chunk, &mut timestamps_ms, &mut values)?;
//! assert_eq!(timestamps_ms, [1_000, 16_000, 31_001]);
//! assert_eq!(values, [0.5, 0.5, 0.75]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod encode;
mod scan;

use crate::error::{DecodeError, EncodeError};
use crate::xor::decode::{decode_samples, truncated};
use crate::xor::encode::encode_columns;

pub use encode::XorEncoder;

/// The most samples that one chunk can hold.
pub const MAX_SAMPLES: usize = u16::MAX as usize;

/// The bits of the value that marks a series as stale: a NaN that no arithmetic produces.
///
/// Source: `model/value/value.go` in Prometheus.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the stale marker. Compares bits: as numbers all NaNs are unequal to everything.
///
/// ```
/// use promha_remote_proto::xor::{STALE_NAN_BITS, is_stale_nan};
///
/// assert!(is_stale_nan(f64::from_bits(STALE_NAN_BITS)));
/// assert!(!is_stale_nan(f64::NAN));
/// ```
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// Bytes before the first sample: the number of samples.
const HEADER_BYTES: usize = 2;

/// How many samples `chunk` says it holds. Looks at its first two bytes only; histogram chunks have the same.
///
/// # Errors
///
/// If there are fewer than two bytes.
pub fn sample_count(chunk: &[u8]) -> Result<u16, DecodeError> {
    match chunk.first_chunk() {
        Some(bytes) => Ok(u16::from_be_bytes(*bytes)),
        None => Err(truncated(chunk, 0, HEADER_BYTES)),
    }
}

/// Appends the samples of `chunk` to the two columns.
///
/// Bytes after the last sample are ignored, as Prometheus does. Takes time linear in the number of samples;
/// the columns grow by no more than what the size of `chunk` can hold.
///
/// # Errors
///
/// If the chunk ends before its last sample or describes a value that has no place in 64 bits. The columns
/// are then as long as they were.
pub fn decode(chunk: &[u8], timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) -> Result<(), DecodeError> {
    let lengths = (timestamps_ms.len(), values.len());
    decode_samples(chunk, timestamps_ms, values).inspect_err(|_| {
        timestamps_ms.truncate(lengths.0);
        values.truncate(lengths.1);
    })
}

/// Whether one of the values of `chunk` is the stale marker: what decoding it and looking at each value with [`is_stale_nan`]
/// would tell, in a fraction of the time as long as no value is infinite or a NaN.
///
/// Takes time linear in the number of samples, and no memory unless the chunk has to be decoded after all.
///
/// # Errors
///
/// As [`decode`].
///
/// ```
/// use promha_remote_proto::xor::{self, STALE_NAN_BITS};
///
/// let mut chunk = Vec::new();
/// xor::encode(&[0, 15_000, 30_000], &[1.0, 2.0, f64::from_bits(STALE_NAN_BITS)], &mut chunk)?;
/// assert!(xor::has_stale_marker(&chunk)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn has_stale_marker(chunk: &[u8]) -> Result<bool, DecodeError> {
    if scan::all_are_numbers(chunk) {
        return Ok(false);
    }
    let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
    decode_samples(chunk, &mut timestamps_ms, &mut values)?;
    Ok(values.into_iter().any(is_stale_nan))
}

/// Writes the two columns as one chunk and appends it to `into`.
///
/// # Errors
///
/// If the columns differ in length or have more than [`MAX_SAMPLES`]; `into` is then unchanged.
pub fn encode(timestamps_ms: &[i64], values: &[f64], into: &mut Vec<u8>) -> Result<(), EncodeError> {
    if timestamps_ms.len() != values.len() {
        return Err(EncodeError::UnevenColumns { timestamps: timestamps_ms.len(), values: values.len() });
    }
    if values.len() > MAX_SAMPLES {
        let (limit, found) = (MAX_SAMPLES as u64, values.len() as u64);
        return Err(EncodeError::TooManySamples { limit, found });
    }
    encode_columns(timestamps_ms, values, into);
    Ok(())
}
