//! From samples to a chunk.

use crate::bits::{BitRoom, BitWriter};
use crate::gorilla::WriteWindow;
use crate::wire::zigzag;
use crate::xor::MAX_SAMPLES;

/// Writes a chunk sample by sample. For whoever has columns, [`encode`](crate::xor::encode) does the same faster.
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
    last: Last,
}

/// The sample written last, as far as the next one is a difference to it.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
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
    #[inline]
    pub fn push(&mut self, t_ms: i64, value: f64) {
        assert!(self.len() < MAX_SAMPLES, "a chunk holds at most {MAX_SAMPLES} samples");
        if self.count < 2 {
            self.last.put_early(self.count, t_ms, value.to_bits(), &mut self.bits);
        } else {
            self.bits.with_room(Last::MAX_BYTES, |room| self.last.put(t_ms, value.to_bits(), room));
        }
        self.count += 1;
    }

    /// Appends the chunk to `into` and starts the next one. Without samples it is the empty chunk, two bytes.
    pub fn finish(&mut self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.count.to_be_bytes());
        self.bits.finish(into);
        (self.count, self.last) = (0, Last::default());
    }
}

/// How many samples get their room at once: many enough that it costs nothing to ask for it, few enough that little is
/// left of it.
const BLOCK: usize = 64;

/// Appends the two columns, of equal length and at most [`MAX_SAMPLES`], as one chunk to `into`.
pub(super) fn encode_columns(timestamps_ms: &[i64], values: &[f64], into: &mut Vec<u8>) {
    into.extend_from_slice(&(values.len() as u16).to_be_bytes());
    // What is behind the last byte may be anything, so the chunk can be written where it is to stand.
    let (mut bits, mut last) = (BitWriter::behind(std::mem::take(into)), Last::default());
    let (early_ms, timestamps_ms) = timestamps_ms.split_at(timestamps_ms.len().min(2));
    let (early, values) = values.split_at(early_ms.len());
    for (n, (&t_ms, value)) in (0..).zip(early_ms.iter().zip(early)) {
        last.put_early(n, t_ms, value.to_bits(), &mut bits);
    }
    for (timestamps_ms, values) in timestamps_ms.chunks(BLOCK).zip(values.chunks(BLOCK)) {
        bits.with_room(BLOCK * Last::MAX_BYTES, |room| {
            for (&t_ms, value) in timestamps_ms.iter().zip(values) {
                last.put(t_ms, value.to_bits(), room);
            }
        });
    }
    *into = bits.into_bytes();
}

impl Last {
    /// The most bytes that [`put`](Self::put) appends.
    const MAX_BYTES: usize = (4 + 64_usize).div_ceil(8) + WriteWindow::MAX_BYTES;

    /// Writes the first sample (`n` is 0) or the second one, each in a form of its own.
    fn put_early(&mut self, n: u16, t_ms: i64, value_bits: u64, bits: &mut BitWriter) {
        if n == 0 {
            bits.put_uvarint(zigzag(t_ms));
            bits.put(value_bits, 64);
        } else {
            self.delta_ms = t_ms.wrapping_sub(self.t_ms) as u64;
            bits.put_uvarint(self.delta_ms);
            let change = value_bits ^ self.value_bits;
            bits.with_room(WriteWindow::MAX_BYTES, |room| self.window.write((0, 0), change, room));
        }
        (self.t_ms, self.value_bits) = (t_ms, value_bits);
    }

    /// Writes any later sample.
    #[inline(always)]
    fn put(&mut self, t_ms: i64, value_bits: u64, room: &mut BitRoom<'_>) {
        let delta_ms = t_ms.wrapping_sub(self.t_ms) as u64;
        let time = change_of_delta(delta_ms.wrapping_sub(self.delta_ms) as i64, room);
        self.window.write(time, value_bits ^ self.value_bits, room);
        (self.t_ms, self.delta_ms, self.value_bits) = (t_ms, delta_ms, value_bits);
    }
}

/// The bits that say how much a difference of timestamps differs from the one before, and how many they are, unless they
/// are too many to stand before a value: those are written, and none are left.
#[inline(always)]
fn change_of_delta(change_ms: i64, room: &mut BitRoom<'_>) -> (u64, u32) {
    let fits = |bits: u32| (-((1_i64 << (bits - 1)) - 1)..=1_i64 << (bits - 1)).contains(&change_ms);
    let short = |prefix: u64, bits: u32| prefix << bits | change_ms as u64 & ((1 << bits) - 1);
    if change_ms == 0 {
        (0, 1)
    } else if fits(14) {
        (short(0b10, 14), 16)
    } else if fits(17) {
        (short(0b110, 17), 20)
    } else if fits(20) {
        (short(0b1110, 20), 24)
    } else {
        room.put(0b1111, 4);
        room.put(change_ms as u64, 64);
        (0, 0)
    }
}
