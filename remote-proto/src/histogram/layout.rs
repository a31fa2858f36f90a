//! Which buckets the histograms of a chunk have.

use crate::bits::{BitReader, BitWriter};
use crate::error::ErrorKind;
use crate::histogram::view::{HistogramView, Span};
use crate::histogram::{CUSTOM_SCHEMA, EXPONENTIAL_SCHEMAS};

/// What all histograms of a chunk have in common; it stands once at the start of the chunk.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// Resolution: there are 2^schema buckets between two powers of two; -53 means custom bounds.
    pub schema: i32,
    /// The zero bucket holds what is at most this far from zero.
    pub zero_threshold: f64,
    /// Which buckets of positive observations there are.
    pub positive_spans: Vec<Span>,
    /// Which buckets of negative observations there are.
    pub negative_spans: Vec<Span>,
    /// Upper bounds of the buckets when `schema` says that they are custom, and otherwise none.
    pub custom_values: Vec<f64>,
}

impl Layout {
    /// How many buckets of positive and of negative observations there are.
    pub(super) fn bucket_counts(&self) -> (usize, usize) {
        // Not more than fit into a `usize`: neither in what was read nor in what was pushed.
        (bucket_count(&self.positive_spans) as usize, bucket_count(&self.negative_spans) as usize)
    }

    /// Back to no buckets, with the memory that there is.
    pub(super) fn clear(&mut self) {
        self.set(&HistogramView::default());
    }

    /// Takes over the layout of `view`.
    pub(super) fn set(&mut self, view: &HistogramView<'_>) {
        self.schema = view.schema;
        self.zero_threshold = plus_zero(view.zero_threshold);
        self.positive_spans.clear();
        self.positive_spans.extend_from_slice(view.positive_spans);
        self.negative_spans.clear();
        self.negative_spans.extend_from_slice(view.negative_spans);
        self.custom_values.clear();
        if view.schema == CUSTOM_SCHEMA {
            self.custom_values.extend(view.custom_values.iter().copied().map(plus_zero));
        }
    }

    /// Puts the layout into `view`.
    pub(super) fn show<'a>(&'a self, view: &mut HistogramView<'a>) {
        view.schema = self.schema;
        view.zero_threshold = self.zero_threshold;
        view.positive_spans = &self.positive_spans;
        view.negative_spans = &self.negative_spans;
        view.custom_values = &self.custom_values;
    }

    /// Whether buckets of the two mean the same.
    pub(super) fn is_comparable(&self, view: &HistogramView<'_>) -> bool {
        let equal_bits = |a: &[f64], b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == plus_zero(*b).to_bits())
        };
        self.schema == view.schema
            && self.zero_threshold == view.zero_threshold
            && (self.schema != CUSTOM_SCHEMA || equal_bits(&self.custom_values, view.custom_values))
    }

    /// Reads the layout at the start of a chunk. A bucket takes at least `bucket_bits` behind it, so there are
    /// no more of them than the chunk has room for.
    pub(super) fn read(&mut self, reader: &mut BitReader<'_>, bucket_bits: usize) -> Result<(), ErrorKind> {
        self.zero_threshold = read_zero_threshold(reader);
        self.schema = reader.signed_varbit() as i32;
        if reader.overrun().is_none()
            && self.schema != CUSTOM_SCHEMA
            && !EXPONENTIAL_SCHEMAS.contains(&self.schema)
        {
            return Err(ErrorKind::HistogramSchema { found: self.schema });
        }
        read_spans(reader, &mut self.positive_spans)?;
        read_spans(reader, &mut self.negative_spans)?;
        self.custom_values.clear();
        if self.schema == CUSTOM_SCHEMA {
            let count = read_count(reader, 5)?;
            self.custom_values.extend((0..count).map(|_| read_bound(reader)));
        }
        let buckets = bucket_count(&self.positive_spans) + bucket_count(&self.negative_spans);
        check_room(reader, u128::from(buckets) * bucket_bits as u128)
    }

    pub(super) fn write(&self, bits: &mut BitWriter) {
        write_zero_threshold(self.zero_threshold, bits);
        bits.put_signed_varbit(i64::from(self.schema));
        write_spans(&self.positive_spans, bits);
        write_spans(&self.negative_spans, bits);
        if self.schema == CUSTOM_SCHEMA {
            bits.put_varbit(self.custom_values.len() as u64);
            self.custom_values.iter().for_each(|&bound| write_bound(bound, bits));
        }
    }
}

/// How many buckets there are in all spans together.
pub(super) fn bucket_count(spans: &[Span]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

fn read_spans(reader: &mut BitReader<'_>, spans: &mut Vec<Span>) -> Result<(), ErrorKind> {
    spans.clear();
    let count = read_count(reader, 2)?;
    spans.extend((0..count).map(|_| {
        // Both are cut off as in Prometheus.
        let length = reader.varbit() as u32;
        Span { offset: reader.signed_varbit() as i32, length }
    }));
    Ok(())
}

fn write_spans(spans: &[Span], bits: &mut BitWriter) {
    bits.put_varbit(spans.len() as u64);
    for span in spans {
        bits.put_varbit(u64::from(span.length));
        bits.put_signed_varbit(i64::from(span.offset));
    }
}

/// How many items follow, each of which takes at least `item_bits`.
fn read_count(reader: &mut BitReader<'_>, item_bits: usize) -> Result<u64, ErrorKind> {
    let count = reader.varbit();
    check_room(reader, u128::from(count) * item_bits as u128)?;
    Ok(count)
}

fn check_room(reader: &BitReader<'_>, needed_bits: u128) -> Result<(), ErrorKind> {
    let left_bits = reader.left_bits();
    if needed_bits <= left_bits as u128 {
        return Ok(());
    }
    let needed_bytes = u64::try_from(needed_bits.div_ceil(8)).unwrap_or(u64::MAX);
    Err(ErrorKind::Truncated { needed_bytes, available_bytes: left_bits as u64 / 8 })
}

/// A bound of minus zero is one of zero: as such it is written, and so it is read.
fn plus_zero(bound: f64) -> f64 {
    if bound == 0.0 { 0.0 } else { bound }
}

/// One byte for 0 and for powers of two around the usual ones, nine for all others.
fn read_zero_threshold(reader: &mut BitReader<'_>) -> f64 {
    match reader.read(8) {
        0 => 0.0,
        255 => plus_zero(f64::from_bits(reader.read(64))),
        // 2^(byte - 244), by its exponent.
        byte => f64::from_bits((byte + 779) << 52),
    }
}

fn write_zero_threshold(threshold: f64, bits: &mut BitWriter) {
    let threshold_bits = threshold.to_bits();
    // Without the sign, which has to be plus, and without the rest, which has to be nothing.
    let exponent = threshold_bits >> 52;
    if threshold == 0.0 {
        bits.put(0, 8);
    } else if threshold_bits << 12 == 0 && (780..=779 + 254).contains(&exponent) {
        bits.put(exponent - 779, 8);
    } else {
        bits.put(255, 8);
        bits.put(threshold_bits, 64);
    }
}

/// The largest bound in thousandths that is written as an integer.
const MAX_BOUND_THOUSANDTHS: f64 = 33_554_430.0;

fn read_bound(reader: &mut BitReader<'_>) -> f64 {
    match reader.varbit() {
        0 => plus_zero(f64::from_bits(reader.read(64))),
        thousandths => (thousandths - 1) as f64 / 1_000.0,
    }
}

/// Multiples of a thousandth as integers, all others in 65 bits.
fn write_bound(bound: f64, bits: &mut BitWriter) {
    let thousandths = (bound * 1_000.0).round();
    if (0.0..=MAX_BOUND_THOUSANDTHS).contains(&(bound * 1_000.0)) && thousandths / 1_000.0 == bound {
        bits.put_varbit(thousandths as u64 + 1);
    } else {
        bits.put(0, 1);
        bits.put(bound.to_bits(), 64);
    }
}
