//! From chunks to columns.

use crate::bits::BitReader;
use crate::error::{DecodeError, ErrorKind, Limit};
use crate::gorilla::ReadWindow;
use crate::histogram::HEADER_BYTES;
use crate::histogram::columns::Histograms;
use crate::histogram::number::Number;
use crate::histogram::view::ResetHint;
use crate::xor::{is_stale_nan, sample_count};

/// What a histogram takes at least after the first one: one bit each for time, count, zero count and sum.
const MIN_SAMPLE_BITS: usize = 4;

impl<N: Number> Histograms<N> {
    /// Replaces what is here by the histograms of `chunk`, whose encoding has to be `HISTOGRAM` for integer and
    /// `FLOAT_HISTOGRAM` for float counts.
    ///
    /// A bucket may take one bit in the chunk and eight bytes here, so `max_buckets` limits how many bucket counts
    /// there are in all histograms together; see [`DEFAULT_MAX_BUCKETS`](super::DEFAULT_MAX_BUCKETS). Bytes after
    /// the last histogram are ignored. Takes time linear in the number of buckets.
    ///
    /// # Errors
    ///
    /// If the chunk ends before its last histogram, is over the limit, has a schema that does not exist, or
    /// describes a float that has no place in 64 bits. There are no histograms here then.
    pub fn decode(&mut self, chunk: &[u8], max_buckets: usize) -> Result<(), DecodeError> {
        self.clear();
        self.decode_chunk(chunk, max_buckets).inspect_err(|_| self.clear())
    }

    fn decode_chunk(&mut self, chunk: &[u8], max_buckets: usize) -> Result<(), DecodeError> {
        let count = usize::from(sample_count(chunk)?);
        let Some(&flags) = chunk.get(HEADER_BYTES - 1) else {
            let (needed_bytes, available_bytes) = (HEADER_BYTES as u64, chunk.len() as u64);
            return Err(DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, 0));
        };
        self.reset = ResetHint::from_flags(flags);
        if count == 0 {
            return Ok(());
        }
        let mut reader = BitReader::new(chunk, HEADER_BYTES);
        let layout = self.layout.read(&mut reader, N::MIN_BUCKET_BITS);
        check_end(&reader, HEADER_BYTES)?;
        layout.map_err(|kind| DecodeError::new(kind, reader.at_byte()))?;
        self.measure_layout();

        let samples = count.min(1 + reader.left_bits() / MIN_SAMPLE_BITS);
        self.timestamps_ms.reserve(samples);
        self.counts.reserve(samples);
        self.zero_counts.reserve(samples);
        self.sums.reserve(samples);
        self.rows.reserve(samples);
        N::read(self, reader, count, max_buckets)
    }

    /// Adds a histogram that was read, with the buckets that are in `last`. It began at the byte `start`.
    #[inline]
    fn push_last(
        &mut self,
        (t_ms, count, zero_count, sum): (i64, N, N, f64),
        max_buckets: usize,
        start: usize,
    ) -> Result<(), DecodeError> {
        if is_stale_nan(sum) {
            self.push_stale(t_ms, sum);
            return Ok(());
        }
        let found = self.buckets.len() + self.width;
        if found > max_buckets {
            let (limit, found) = (max_buckets as u64, found as u64);
            let kind = ErrorKind::OverLimit { what: Limit::HistogramBuckets, limit, found };
            return Err(DecodeError::new(kind, start));
        }
        self.push_numbers(t_ms, count, zero_count, sum);
        self.buckets.extend_from_slice(&self.last);
        Ok(())
    }
}

/// Reads histograms with integer counts: everything but the sum as the change of its difference.
pub(super) fn read_ints(
    columns: &mut Histograms<u64>,
    mut reader: BitReader<'_>,
    samples: usize,
    max_buckets: usize,
) -> Result<(), DecodeError> {
    let start = reader.at_byte();
    let mut t_ms = Integer::first(reader.signed_varbit());
    let mut count = Integer::first(reader.varbit() as i64);
    let mut zero_count = Integer::first(reader.varbit() as i64);
    let (mut sum_bits, mut window) = (reader.read(64), ReadWindow::default());
    columns.last.clear();
    columns.last.extend((0..columns.width).map(|_| reader.signed_varbit()));
    columns.changes.clear();
    columns.changes.resize(columns.width, 0);
    check_end(&reader, start)?;
    let sum = f64::from_bits(sum_bits);
    columns.push_last((t_ms.value, count.value as u64, zero_count.value as u64, sum), max_buckets, start)?;

    for _ in 1..samples {
        let start = reader.at_byte();
        t_ms.read(&mut reader);
        count.read(&mut reader);
        zero_count.read(&mut reader);
        let read = window.read(&mut sum_bits, &mut reader);
        let sum = f64::from_bits(sum_bits);
        if !is_stale_nan(sum) {
            for (last, change) in columns.last.iter_mut().zip(&mut columns.changes) {
                *change = change.wrapping_add(reader.signed_varbit());
                *last = last.wrapping_add(*change);
            }
        }
        check_end(&reader, start)?;
        read.map_err(|kind| DecodeError::new(kind, start))?;
        columns.push_last(
            (t_ms.value, count.value as u64, zero_count.value as u64, sum),
            max_buckets,
            start,
        )?;
    }
    Ok(())
}

/// Reads histograms with float counts: everything but the time by the bits that changed.
pub(super) fn read_floats(
    columns: &mut Histograms<f64>,
    mut reader: BitReader<'_>,
    samples: usize,
    max_buckets: usize,
) -> Result<(), DecodeError> {
    let start = reader.at_byte();
    let mut t_ms = Integer::first(reader.signed_varbit());
    let mut numbers = [(); 3].map(|()| (reader.read(64), ReadWindow::default()));
    columns.last.clear();
    columns.last.extend((0..columns.width).map(|_| f64::from_bits(reader.read(64))));
    columns.windows.clear();
    columns.windows.resize(columns.width, ReadWindow::default());
    check_end(&reader, start)?;
    let [count, zero_count, sum] = numbers.map(|(bits, _)| f64::from_bits(bits));
    columns.push_last((t_ms.value, count, zero_count, sum), max_buckets, start)?;

    for _ in 1..samples {
        let start = reader.at_byte();
        t_ms.read(&mut reader);
        let mut read = Ok(());
        for (bits, window) in &mut numbers {
            read = read.and(window.read(bits, &mut reader));
        }
        let [count, zero_count, sum] = numbers.map(|(bits, _)| f64::from_bits(bits));
        if !is_stale_nan(sum) {
            for (last, window) in columns.last.iter_mut().zip(&mut columns.windows) {
                let mut bits = last.to_bits();
                read = read.and(window.read(&mut bits, &mut reader));
                *last = f64::from_bits(bits);
            }
        }
        check_end(&reader, start)?;
        read.map_err(|kind| DecodeError::new(kind, start))?;
        columns.push_last((t_ms.value, count, zero_count, sum), max_buckets, start)?;
    }
    Ok(())
}

/// An integer that is written as the change of its difference to the one before.
struct Integer {
    value: i64,
    difference: i64,
}

impl Integer {
    fn first(value: i64) -> Self {
        Self { value, difference: 0 }
    }

    #[inline]
    fn read(&mut self, reader: &mut BitReader<'_>) {
        self.difference = self.difference.wrapping_add(reader.signed_varbit());
        self.value = self.value.wrapping_add(self.difference);
    }
}

/// Refuses what was read from the byte `start` on if the chunk ends before that. To be asked before any other
/// error in it is believed: past the end everything is made up.
#[inline]
fn check_end(reader: &BitReader<'_>, start: usize) -> Result<(), DecodeError> {
    match reader.overrun() {
        None => Ok(()),
        Some(end) => {
            let (needed_bytes, available_bytes) = ((end - start) as u64, (reader.len() - start) as u64);
            Err(DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, start))
        }
    }
}
