//! Native histograms as they are written.

use super::WriteError;

/// The schema of histograms whose buckets have bounds of their own.
const CUSTOM_SCHEMA: i32 = -53;

/// A native histogram, borrowed. Integer ones are written as floats, as Prometheus federates them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Histogram<'a> {
    /// Number of observations.
    pub count: f64,
    /// Sum of the observations.
    pub sum: f64,
    /// Resolution: there are 2^schema buckets between two powers of two; -53 means custom bounds.
    pub schema: i32,
    /// The zero bucket holds what is at most this far from zero.
    pub zero_threshold: f64,
    /// Number of observations in the zero bucket.
    pub zero_count: f64,
    /// Whether it may go down.
    pub is_gauge: bool,
    /// Which buckets of positive observations there are.
    pub positive_spans: &'a [Span],
    /// What they hold.
    pub positive: Counts<'a>,
    /// Which buckets of negative observations there are.
    pub negative_spans: &'a [Span],
    /// What they hold.
    pub negative: Counts<'a>,
    /// Upper bounds of the buckets when the schema says that they are custom; there is one bucket more.
    pub custom_bounds: &'a [f64],
}

impl Default for Histogram<'_> {
    fn default() -> Self {
        Self {
            count: 0.0,
            sum: 0.0,
            schema: 0,
            zero_threshold: 0.0,
            zero_count: 0.0,
            is_gauge: false,
            positive_spans: &[],
            positive: Counts::Absolute(&[]),
            negative_spans: &[],
            negative: Counts::Absolute(&[]),
            custom_bounds: &[],
        }
    }
}

/// A run of neighbouring buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// How many buckets are left out since the span before; of the first one, its index.
    pub offset: i32,
    /// How many buckets there are.
    pub length: u32,
}

/// Numbers of observations in buckets, as integer and as float histograms hold them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Counts<'a> {
    /// Each as the difference to the one before, the first to 0.
    Deltas(&'a [i64]),
    /// Each for itself.
    Absolute(&'a [f64]),
}

impl<'a> Counts<'a> {
    /// How many buckets there are.
    pub fn len(self) -> usize {
        match self {
            Self::Deltas(deltas) => deltas.len(),
            Self::Absolute(counts) => counts.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Each for itself.
    pub fn counts(self) -> impl Iterator<Item = f64> + use<'a> {
        let mut sum = 0_i64;
        (0..self.len()).map(move |at| match self {
            Self::Deltas(deltas) => {
                sum = sum.wrapping_add(deltas[at]);
                sum as f64
            }
            Self::Absolute(counts) => counts[at],
        })
    }
}

impl<'a> Histogram<'a> {
    /// Whether its buckets have bounds of their own.
    pub fn has_custom_bounds(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    pub(super) fn check(&self) -> Result<(), WriteError> {
        let sides = [(self.positive_spans, self.positive), (self.negative_spans, self.negative)];
        for (spans, buckets) in sides {
            let in_spans = spans.iter().map(|span| u64::from(span.length)).sum();
            if in_spans != buckets.len() as u64 {
                return Err(WriteError::Spans { in_spans, counts: buckets.len() });
            }
        }
        if self.has_custom_bounds() {
            let bounds = self.custom_bounds.len();
            let indexes = || indexes(self.positive_spans);
            let outside = indexes().find(|&index| !usize::try_from(index).is_ok_and(|index| index <= bounds));
            // Spans may go back, but not to a bucket that was there before.
            let again = indexes().zip(indexes().skip(1)).find(|(one, next)| next <= one).map(|pair| pair.1);
            if let Some(index) = outside.or(again) {
                return Err(WriteError::Bucket { index, bounds });
            }
        }
        Ok(())
    }

    /// Of one with bounds of its own: each bound, and how many observations are at most that large.
    pub(super) fn classic_buckets(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let mut buckets = indexes(self.positive_spans).zip(self.positive.counts()).peekable();
        let mut cumulative = 0.0;
        (0..).zip(self.custom_bounds).map(move |(at, &bound)| {
            if let Some((_, count)) = buckets.next_if(|bucket| bucket.0 == at) {
                cumulative += count;
            }
            (bound, cumulative)
        })
    }
}

/// The index of each bucket.
fn indexes(spans: &[Span]) -> impl Iterator<Item = i64> {
    let mut next = 0_i64;
    spans.iter().flat_map(move |&Span { offset, length }| {
        let first = next + i64::from(offset);
        next = first + i64::from(length);
        first..next
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_buckets_become_classic_ones() {
        let span = |offset, length| Span { offset, length };
        let histogram = Histogram {
            schema: CUSTOM_SCHEMA,
            positive_spans: &[span(0, 2), span(2, 1)],
            positive: Counts::Deltas(&[3, -1, -1]),
            custom_bounds: &[0.1, 0.2, 0.5, 1.0, 2.0],
            ..Default::default()
        };
        assert_eq!(histogram.check(), Ok(()));
        let buckets: Vec<_> = histogram.classic_buckets().collect();
        assert_eq!(buckets, [(0.1, 3.0), (0.2, 5.0), (0.5, 5.0), (1.0, 5.0), (2.0, 6.0)]);

        let short = Histogram { custom_bounds: &[0.1, 0.2], ..histogram };
        assert_eq!(short.check(), Err(WriteError::Bucket { index: 4, bounds: 2 }));
        let back = Histogram { positive_spans: &[span(0, 2), span(-1, 1)], ..histogram };
        assert_eq!(back.check(), Err(WriteError::Bucket { index: 1, bounds: 5 }));
        let few = Histogram { positive: Counts::Absolute(&[1.0]), ..histogram };
        assert_eq!(few.check(), Err(WriteError::Spans { in_spans: 3, counts: 1 }));
    }
}
