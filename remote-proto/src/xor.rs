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

use crate::bits::{BitReader, BitWriter};
use crate::error::{DecodeError, EncodeError, ErrorKind};
use crate::gorilla::{ReadWindow, WriteWindow};
use crate::wire::{read_uvarint, unzigzag, zigzag};

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
    let mut encoder = XorEncoder::new();
    timestamps_ms.iter().zip(values).for_each(|(&t_ms, &value)| encoder.push(t_ms, value));
    encoder.finish(into);
    Ok(())
}

/// Writes a chunk sample by sample.
///
/// ```
/// use promha_remote_proto::xor::{self, XorEncoder};
///
/// let (mut encoder, mut chunk) = (XorEncoder::new(), Vec::new());
/// encoder.push(1_000, 0.5);
/// encoder.push(16_000, 0.5);
/// assert_eq!(encoder.len(), 2);
/// encoder.finish(&mut chunk);
/// assert_eq!(xor::sample_count(&chunk)?, 2);
/// assert!(encoder.is_empty(), "ready for the next chunk");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct XorEncoder {
    bits: BitWriter,
    count: u16,
    t_ms: i64,
    delta_ms: u64,
    value_bits: u64,
    window: WriteWindow,
}

impl XorEncoder {
    /// An encoder without samples.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many samples were pushed since the start or the last [`finish`](Self::finish).
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether nothing was pushed since the start or the last [`finish`](Self::finish).
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a sample. Timestamps may come in any order, but only regular ones take little space.
    ///
    /// # Panics
    ///
    /// If there are [`MAX_SAMPLES`] already: whoever cuts chunks has to do so before (Prometheus does at 120).
    pub fn push(&mut self, t_ms: i64, value: f64) {
        assert!(self.len() < MAX_SAMPLES, "a chunk holds at most {MAX_SAMPLES} samples");
        let value_bits = value.to_bits();
        if self.count == 0 {
            self.bits.put_uvarint(zigzag(t_ms));
            self.bits.put(value_bits, 64);
        } else {
            let delta_ms = t_ms.wrapping_sub(self.t_ms) as u64;
            if self.count == 1 {
                self.bits.put_uvarint(delta_ms);
            } else {
                self.put_change_of_delta(delta_ms.wrapping_sub(self.delta_ms) as i64);
            }
            self.window.write(value_bits ^ self.value_bits, &mut self.bits);
            self.delta_ms = delta_ms;
        }
        self.t_ms = t_ms;
        self.value_bits = value_bits;
        self.count += 1;
    }

    /// Appends the chunk to `into` and starts the next one. Without samples it is the empty chunk, two bytes.
    pub fn finish(&mut self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.count.to_be_bytes());
        self.bits.finish(into);
        *self = Self { bits: std::mem::take(&mut self.bits), ..Self::default() };
    }

    #[inline]
    fn put_change_of_delta(&mut self, change_ms: i64) {
        let fits = |bits: u32| (-((1_i64 << (bits - 1)) - 1)..=1_i64 << (bits - 1)).contains(&change_ms);
        let short = |prefix: u64, bits: u32| prefix << bits | change_ms as u64 & ((1 << bits) - 1);
        if change_ms == 0 {
            self.bits.put(0, 1);
        } else if fits(14) {
            self.bits.put(short(0b10, 14), 16);
        } else if fits(17) {
            self.bits.put(short(0b110, 17), 20);
        } else if fits(20) {
            self.bits.put(short(0b1110, 20), 24);
        } else {
            self.bits.put(0b1111, 4);
            self.bits.put(change_ms as u64, 64);
        }
    }
}

fn decode_samples(
    chunk: &[u8],
    timestamps_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), DecodeError> {
    let count = usize::from(sample_count(chunk)?);
    if count == 0 {
        return Ok(());
    }
    // After the first two, a sample takes at least two bits.
    let reserve = count.min(2 + chunk.len() * 4);
    timestamps_ms.reserve(reserve);
    values.reserve(reserve);

    let (first_ms, at) = uvarint(chunk, HEADER_BYTES)?;
    let mut t_ms = unzigzag(first_ms);
    let Some(first_value) = chunk[at..].first_chunk() else {
        return Err(truncated(chunk, at, 8));
    };
    let (mut value_bits, mut window) = (u64::from_be_bytes(*first_value), ReadWindow::default());
    timestamps_ms.push(t_ms);
    values.push(f64::from_bits(value_bits));
    if count == 1 {
        return Ok(());
    }

    // Whole bytes up to here, bits from here on.
    let (mut delta_ms, at) = uvarint(chunk, at + 8)?;
    let mut reader = BitReader::new(chunk, at);
    for n in 1..count {
        let start = reader.at_byte();
        if n > 1 {
            delta_ms = delta_ms.wrapping_add(read_change_of_delta(&mut reader) as u64);
        }
        t_ms = t_ms.wrapping_add(delta_ms as i64);
        let value = window.read(&mut value_bits, &mut reader);
        // First, because what is read past the end is made up and so are errors in it.
        if let Some(end) = reader.overrun() {
            return Err(truncated(chunk, start, end - start));
        }
        value.map_err(|kind| DecodeError::new(kind, start))?;
        timestamps_ms.push(t_ms);
        values.push(f64::from_bits(value_bits));
    }
    Ok(())
}

#[inline]
fn read_change_of_delta(reader: &mut BitReader<'_>) -> i64 {
    let word = reader.peek();
    let (prefix_bits, bits) = match word.leading_ones() {
        0 => {
            reader.skip(1);
            return 0;
        }
        1 => (2, 14),
        2 => (3, 17),
        3 => (4, 20),
        _ => {
            reader.skip(4);
            return reader.read(64) as i64;
        }
    };
    reader.skip(prefix_bits + bits);
    let raw = ((word << prefix_bits) >> (64 - bits)) as i64;
    // The range is not the one of two's complement: the one value both could mean is the positive one.
    if raw > 1 << (bits - 1) { raw - (1 << bits) } else { raw }
}

/// The varint at `at` and where it ends.
fn uvarint(chunk: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    let rest = &chunk[at..];
    match read_uvarint(rest) {
        Ok(Some((value, length))) => Ok((value, at + length)),
        Ok(None) => Err(truncated(chunk, at, rest.len() + 1)),
        Err(kind) => Err(DecodeError::new(kind, at)),
    }
}

#[cold]
fn truncated(chunk: &[u8], at: usize, needed: usize) -> DecodeError {
    let available_bytes = (chunk.len() - at) as u64;
    DecodeError::new(ErrorKind::Truncated { needed_bytes: needed as u64, available_bytes }, at)
}
