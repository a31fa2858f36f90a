//! From columns to chunks.

use std::ops::Range;

use crate::bits::BitWriter;
use crate::error::EncodeError;
use crate::gorilla::WriteWindow;
use crate::histogram::MAX_SAMPLES;
use crate::histogram::columns::Histograms;
use crate::histogram::number::Number;

/// Writes chunks of histograms; its memory serves chunk after chunk.
#[derive(Debug, Clone, Default)]
pub struct HistogramEncoder {
    bits: BitWriter,
    windows: Vec<WriteWindow>,
}

impl HistogramEncoder {
    /// An encoder without memory of its own yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the histograms of `range` as one chunk and appends it to `into`. The encoding of the chunk is
    /// `HISTOGRAM` for integer and `FLOAT_HISTOGRAM` for float counts.
    ///
    /// The flags of the chunk say what [`Histograms::reset_hint`] says if the range begins with the first
    /// histogram; a chunk from a later one on is a gauge or has an unknown hint. Takes time linear in the number
    /// of buckets.
    ///
    /// # Errors
    ///
    /// If there are more than [`MAX_SAMPLES`] histograms in the range; `into` is then unchanged.
    ///
    /// # Panics
    ///
    /// If the range reaches over the end of `histograms`.
    pub fn encode<N: Number>(
        &mut self,
        histograms: &Histograms<N>,
        range: Range<usize>,
        into: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        assert!(
            range.start <= range.end && range.end <= histograms.len(),
            "{range:?} of {}",
            histograms.len()
        );
        let Ok(count) = u16::try_from(range.len()) else {
            let (limit, found) = (MAX_SAMPLES as u64, range.len() as u64);
            return Err(EncodeError::TooManySamples { limit, found });
        };
        into.extend_from_slice(&count.to_be_bytes());
        into.push(histograms.hint_from(range.start).to_flags());
        if count > 0 {
            histograms.layout.write(&mut self.bits);
            N::write(histograms, range, &mut self.windows, &mut self.bits);
            self.bits.finish(into);
        }
        Ok(())
    }
}

/// Writes histograms with integer counts: everything but the sum as the change of its difference.
pub(super) fn write_ints(columns: &Histograms<u64>, range: Range<usize>, bits: &mut BitWriter) {
    let first = range.start;
    let mut t_ms = Integer::default();
    let mut count = Integer::default();
    let mut zero_count = Integer::default();
    bits.put_signed_varbit(t_ms.first(columns.timestamps_ms[first]));
    bits.put_varbit(count.first(columns.counts[first] as i64) as u64);
    bits.put_varbit(zero_count.first(columns.zero_counts[first] as i64) as u64);
    let mut sum_bits = columns.sums[first].to_bits();
    bits.put(sum_bits, 64);
    let mut window = WriteWindow::default();
    // A stale histogram has no row, but the first one is written as if it had.
    let zeros = vec![0; if columns.row(first).is_none() { columns.width } else { 0 }];
    let mut last = columns.row(first).unwrap_or(&zeros);
    let mut before = None;
    last.iter().for_each(|&bucket| bits.put_signed_varbit(bucket));

    for n in first + 1..range.end {
        let row = columns.row(n);
        bits.put_signed_varbit(t_ms.change(columns.timestamps_ms[n]));
        if row.is_some() {
            bits.put_signed_varbit(count.change(columns.counts[n] as i64));
            bits.put_signed_varbit(zero_count.change(columns.zero_counts[n] as i64));
        } else {
            // A reader goes on as if both had changed as before.
            count.repeat();
            zero_count.repeat();
            bits.put(0, 1);
            bits.put(0, 1);
        }
        let next_bits = columns.sums[n].to_bits();
        put_change(&mut window, sum_bits ^ next_bits, bits);
        sum_bits = next_bits;
        if let Some(row) = row {
            write_changes(before, last, row, bits);
            (before, last) = (Some(last), row);
        }
    }
}

/// Writes the buckets of a row as the change of their difference to the row before.
fn write_changes(before: Option<&[i64]>, last: &[i64], row: &[i64], bits: &mut BitWriter) {
    let differences = last.iter().zip(row).map(|(&last, &bucket)| bucket.wrapping_sub(last));
    match before {
        None => differences.for_each(|difference| bits.put_signed_varbit(difference)),
        Some(before) => {
            for ((difference, &last), &before) in differences.zip(last).zip(before) {
                bits.put_signed_varbit(difference.wrapping_sub(last.wrapping_sub(before)));
            }
        }
    }
}

/// Writes histograms with float counts: everything but the time by the bits that changed.
pub(super) fn write_floats(
    columns: &Histograms<f64>,
    range: Range<usize>,
    windows: &mut Vec<WriteWindow>,
    bits: &mut BitWriter,
) {
    let first = range.start;
    let mut t_ms = Integer::default();
    bits.put_signed_varbit(t_ms.first(columns.timestamps_ms[first]));
    let numbers = |n: usize| [columns.counts[n], columns.zero_counts[n], columns.sums[n]];
    let mut last_numbers = numbers(first);
    last_numbers.iter().for_each(|number| bits.put(number.to_bits(), 64));
    let mut number_windows = [WriteWindow::default(); 3];
    windows.clear();
    windows.resize(columns.width, WriteWindow::default());
    // A stale histogram has no row, but the first one is written as if it had.
    let zeros = vec![0.0; if columns.row(first).is_none() { columns.width } else { 0 }];
    let mut last = columns.row(first).unwrap_or(&zeros);
    last.iter().for_each(|bucket| bits.put(bucket.to_bits(), 64));

    for n in first + 1..range.end {
        bits.put_signed_varbit(t_ms.change(columns.timestamps_ms[n]));
        let next_numbers = numbers(n);
        for ((window, last), next) in number_windows.iter_mut().zip(&last_numbers).zip(&next_numbers) {
            put_change(window, last.to_bits() ^ next.to_bits(), bits);
        }
        last_numbers = next_numbers;
        if let Some(row) = columns.row(n) {
            for ((window, last), bucket) in windows.iter_mut().zip(last).zip(row) {
                put_change(window, last.to_bits() ^ bucket.to_bits(), bits);
            }
            last = row;
        }
    }
}

/// Writes a float as its difference to the one before.
#[inline]
fn put_change(window: &mut WriteWindow, change: u64, bits: &mut BitWriter) {
    bits.with_room(WriteWindow::MAX_BYTES, |room| window.write((0, 0), change, room));
}

/// An integer that is written as the change of its difference to the one before.
#[derive(Default)]
struct Integer {
    value: i64,
    difference: i64,
}

impl Integer {
    fn first(&mut self, value: i64) -> i64 {
        self.value = value;
        value
    }

    #[inline]
    fn change(&mut self, value: i64) -> i64 {
        let difference = value.wrapping_sub(self.value);
        let change = difference.wrapping_sub(self.difference);
        *self = Self { value, difference };
        change
    }

    /// As if it had gone on as before.
    fn repeat(&mut self) {
        self.value = self.value.wrapping_add(self.difference);
    }
}
