//! What differs between histograms with integer counts and such with float counts.

use std::fmt::Debug;
use std::ops::Range;

use crate::bits::{BitReader, BitWriter};
use crate::error::DecodeError;
use crate::frame::ChunkEncoding;
use crate::gorilla::WriteWindow;
use crate::histogram::columns::Histograms;
use crate::histogram::view::{Count, HistogramView};
use crate::histogram::{decode, encode};

/// The kind of counts that histograms have: `u64` in chunks `HISTOGRAM`, `f64` in chunks `FLOAT_HISTOGRAM`.
///
/// Implemented for these two and for nothing else.
pub trait Number: Sealed {}

impl Number for u64 {}
impl Number for f64 {}

pub trait Sealed: Copy + Debug + PartialOrd + Default + 'static {
    /// What stands for the population of a bucket in messages: the difference to the population of the bucket
    /// before, or the population.
    type Bucket: Copy + Debug + PartialOrd + Default + 'static;

    /// How chunks of this kind are marked.
    const ENCODING: ChunkEncoding;

    /// How many bits a bucket of the first histogram of a chunk takes at least.
    const MIN_BUCKET_BITS: usize;

    fn to_count(self) -> Count;

    /// The number in a message, where none is 0; `None` if it is of the other kind.
    fn from_count(count: Option<Count>) -> Option<Self>;

    /// The buckets of a message: the positive ones and the negative ones.
    fn buckets<'a>(view: &HistogramView<'a>) -> (&'a [Self::Bucket], &'a [Self::Bucket]);

    fn set_buckets<'a>(
        view: &mut HistogramView<'a>,
        positive: &'a [Self::Bucket],
        negative: &'a [Self::Bucket],
    );

    /// The population of a bucket, given that of the bucket before.
    fn population(before: Self::Bucket, bucket: Self::Bucket) -> Self::Bucket;

    /// What stands for this population, given that of the bucket before.
    fn bucket(before: Self::Bucket, population: Self::Bucket) -> Self::Bucket;

    /// Reads `count` histograms, at least one; `columns` is empty but for the layout.
    fn read(
        columns: &mut Histograms<Self>,
        reader: BitReader<'_>,
        count: usize,
        max_buckets: usize,
    ) -> Result<(), DecodeError>
    where
        Self: Number;

    /// Writes the histograms of a range that is not empty.
    fn write(
        columns: &Histograms<Self>,
        range: Range<usize>,
        windows: &mut Vec<WriteWindow>,
        bits: &mut BitWriter,
    ) where
        Self: Number;
}

impl Sealed for u64 {
    type Bucket = i64;

    const ENCODING: ChunkEncoding = ChunkEncoding::Histogram;
    const MIN_BUCKET_BITS: usize = 1;

    fn to_count(self) -> Count {
        Count::Int(self)
    }

    fn from_count(count: Option<Count>) -> Option<Self> {
        match count {
            None => Some(0),
            Some(Count::Int(count)) => Some(count),
            Some(Count::Float(_)) => None,
        }
    }

    fn buckets<'a>(view: &HistogramView<'a>) -> (&'a [i64], &'a [i64]) {
        (view.positive_deltas, view.negative_deltas)
    }

    fn set_buckets<'a>(view: &mut HistogramView<'a>, positive: &'a [i64], negative: &'a [i64]) {
        (view.positive_deltas, view.negative_deltas) = (positive, negative);
    }

    fn population(before: i64, bucket: i64) -> i64 {
        before.wrapping_add(bucket)
    }

    fn bucket(before: i64, population: i64) -> i64 {
        population.wrapping_sub(before)
    }

    fn read(
        columns: &mut Histograms<u64>,
        reader: BitReader<'_>,
        count: usize,
        max_buckets: usize,
    ) -> Result<(), DecodeError> {
        decode::read_ints(columns, reader, count, max_buckets)
    }

    fn write(
        columns: &Histograms<u64>,
        range: Range<usize>,
        _windows: &mut Vec<WriteWindow>,
        bits: &mut BitWriter,
    ) {
        encode::write_ints(columns, range, bits);
    }
}

impl Sealed for f64 {
    type Bucket = f64;

    const ENCODING: ChunkEncoding = ChunkEncoding::FloatHistogram;
    const MIN_BUCKET_BITS: usize = 64;

    fn to_count(self) -> Count {
        Count::Float(self)
    }

    fn from_count(count: Option<Count>) -> Option<Self> {
        match count {
            None => Some(0.0),
            Some(Count::Float(count)) => Some(count),
            Some(Count::Int(_)) => None,
        }
    }

    fn buckets<'a>(view: &HistogramView<'a>) -> (&'a [f64], &'a [f64]) {
        (view.positive_counts, view.negative_counts)
    }

    fn set_buckets<'a>(view: &mut HistogramView<'a>, positive: &'a [f64], negative: &'a [f64]) {
        (view.positive_counts, view.negative_counts) = (positive, negative);
    }

    fn population(_before: f64, bucket: f64) -> f64 {
        bucket
    }

    fn bucket(_before: f64, population: f64) -> f64 {
        population
    }

    fn read(
        columns: &mut Histograms<f64>,
        reader: BitReader<'_>,
        count: usize,
        max_buckets: usize,
    ) -> Result<(), DecodeError> {
        decode::read_floats(columns, reader, count, max_buckets)
    }

    fn write(
        columns: &Histograms<f64>,
        range: Range<usize>,
        windows: &mut Vec<WriteWindow>,
        bits: &mut BitWriter,
    ) {
        encode::write_floats(columns, range, windows, bits);
    }
}
