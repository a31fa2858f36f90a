//! Which histograms may stand in one chunk, and how those that may find a common layout.
//!
//! The rules are those by which Prometheus appends to a chunk (`appendable` and `appendableGauge` in
//! `tsdb/chunkenc/histogram.go`): buckets may be added, and histograms without them get zeros; anything that would
//! make a reader see something else than what was written begins a new chunk.

use std::ops::Range;

use crate::error::EncodeError;
use crate::histogram::MAX_SAMPLES;
use crate::histogram::columns::Histograms;
use crate::histogram::layout::bucket_count;
use crate::histogram::number::Number;
use crate::histogram::union::{Grown, Union};
use crate::histogram::view::{HistogramView, ResetHint};

/// Where the buckets of rows from elsewhere belong; `None` if they stay where they are.
#[derive(Debug, Default)]
struct Places {
    positive: Option<Vec<usize>>,
    negative: Option<Vec<usize>>,
}

/// The buckets of one histogram as messages have them.
#[derive(Debug, Clone, Copy)]
struct Row<'a, B> {
    positive: &'a [B],
    negative: &'a [B],
}

/// A histogram that wants to join.
struct Candidate<'a, N: Number> {
    view: HistogramView<'a>,
    count: N,
    zero_count: N,
    row: Row<'a, N::Bucket>,
}

impl<N: Number> Histograms<N> {
    /// Adds a histogram, if the chunk can hold it after those that are here; the answer is whether.
    ///
    /// If not, what is here has to be written as one chunk and this histogram begins the next one; why that can be
    /// is said at [`push_from`](Self::push_from). A stale histogram may be of either kind.
    ///
    /// # Errors
    ///
    /// If its counts are of the other kind, or if it has more or fewer buckets than its spans name. Nothing has
    /// changed then.
    pub fn push(&mut self, view: &HistogramView<'_>) -> Result<bool, EncodeError> {
        if view.is_stale() {
            let has_room = self.len() < MAX_SAMPLES;
            if has_room {
                self.push_stale(view.t_ms, view.sum);
            }
            return Ok(has_room);
        }
        let candidate = Candidate::new(view)?;
        if self.len() == MAX_SAMPLES {
            return Ok(false);
        }
        let hint = match view.reset_hint {
            ResetHint::Other(_) => ResetHint::Unknown,
            hint => hint,
        };
        let Some(places) = self.make_room(&candidate, hint) else {
            return Ok(false);
        };
        self.push_numbers(view.t_ms, candidate.count, candidate.zero_count, view.sum);
        self.push_row(candidate.row, &places);
        Ok(true)
    }

    /// Adds the histograms of a range of `other` as far as one chunk can hold them, and returns how many it took.
    ///
    /// It takes fewer if there is one that has to begin a chunk: a gauge after others or the other way round;
    /// another schema, zero threshold or bounds; a counter that went down or is said to; anything that follows a
    /// stale marker; and whatever is over [`MAX_SAMPLES`]. New buckets are none of these: all histograms get them,
    /// with nothing in them. The first histogram decides what the flags of the chunk will say, except that `No` is
    /// not taken over, for it is about a chunk that may not be there.
    ///
    /// Inside the range counters are believed not to go down, as they never do inside a chunk. Times are not
    /// looked at. Takes time linear in the number of buckets that are taken, and of those that are here already
    /// when they get new ones.
    ///
    /// # Panics
    ///
    /// If the range reaches over the end of `other`.
    pub fn push_from(&mut self, other: &Self, range: Range<usize>) -> usize {
        assert!(range.start <= range.end && range.end <= other.len(), "{range:?} of {}", other.len());
        let end = range.end.min(range.start + (MAX_SAMPLES - self.len()));
        let mut n = range.start;
        while n < end {
            let Some(row) = other.split_row(n) else {
                self.push_stale(other.timestamps_ms[n], other.sums[n]);
                n += 1;
                continue;
            };
            let (view, count, zero_count) = (other.view(n), other.counts[n], other.zero_counts[n]);
            let hint = match other.hint_from(n) {
                ResetHint::No => ResetHint::Unknown,
                hint => hint,
            };
            let Some(places) = self.make_room(&Candidate { view, count, zero_count, row }, hint) else {
                break;
            };
            while let Some(row) = (n < end).then(|| other.split_row(n)).flatten() {
                self.push_numbers(
                    other.timestamps_ms[n],
                    other.counts[n],
                    other.zero_counts[n],
                    other.sums[n],
                );
                self.push_row(row, &places);
                n += 1;
            }
        }
        n - range.start
    }

    /// Makes sure that `candidate` and what stands in a chunk with it may follow, and that its buckets have a place
    /// here. The places, or `None` if it may not follow.
    fn make_room(&mut self, candidate: &Candidate<'_, N>, hint: ResetHint) -> Option<Places> {
        let view = &candidate.view;
        if self.is_empty() {
            self.layout.set(view);
            self.measure_layout();
            self.reset = hint;
            return Some(Places::default());
        }
        // Nothing but stale markers follows a stale marker, also because the layout is of no use then.
        let last = self.len() - 1;
        let row = self.split_row(last)?;
        let is_gauge = hint == ResetHint::Gauge;
        if is_gauge != (self.reset == ResetHint::Gauge)
            || hint == ResetHint::Yes
            || !self.layout.is_comparable(view)
        {
            return None;
        }
        let positive_union = Union::of(&self.layout.positive_spans, view.positive_spans)?;
        let negative_union = Union::of(&self.layout.negative_spans, view.negative_spans)?;
        let went_down = self.counts[last] > candidate.count
            || self.zero_counts[last] > candidate.zero_count
            || any_went_down::<N>(&positive_union, row.positive, candidate.row.positive)
            || any_went_down::<N>(&negative_union, row.negative, candidate.row.negative);
        if went_down && !is_gauge {
            return None;
        }
        Some(self.grow(positive_union, negative_union))
    }

    /// Brings the layout and the rows here to that of the two unions, and returns the places of theirs.
    fn grow(&mut self, positive: Union, negative: Union) -> Places {
        if positive.grown.is_some() || negative.grown.is_some() {
            let (rows, old) = (self.next_row(), std::mem::take(&mut self.buckets));
            let (old_width, old_positive) = (self.width, self.positive);
            let mut ours = Places::default();
            if let Some(Grown { spans, places }) = positive.grown {
                (self.layout.positive_spans, ours.positive) = (spans, Some(places));
            }
            if let Some(Grown { spans, places }) = negative.grown {
                (self.layout.negative_spans, ours.negative) = (spans, Some(places));
            }
            self.measure_layout();
            for row in 0..rows {
                let (positive, negative) = old[row * old_width..][..old_width].split_at(old_positive);
                self.push_row(Row { positive, negative }, &ours);
            }
        }
        Places { positive: positive.b_places, negative: negative.b_places }
    }

    fn push_row(&mut self, row: Row<'_, N::Bucket>, places: &Places) {
        let (positive_width, negative_width) = (self.positive, self.width - self.positive);
        push_spread::<N>(row.positive, places.positive.as_deref(), positive_width, &mut self.buckets);
        push_spread::<N>(row.negative, places.negative.as_deref(), negative_width, &mut self.buckets);
    }

    /// The buckets of histogram `n`, or `None` if it is stale.
    fn split_row(&self, n: usize) -> Option<Row<'_, N::Bucket>> {
        let (positive, negative) = self.row(n)?.split_at(self.positive);
        Some(Row { positive, negative })
    }
}

impl<'a, N: Number> Candidate<'a, N> {
    fn new(view: &HistogramView<'a>) -> Result<Self, EncodeError> {
        let other_kind = EncodeError::CountKind { float: view.is_float() };
        let count = N::from_count(view.count).ok_or(other_kind)?;
        let zero_count = N::from_count(view.zero_count).ok_or(other_kind)?;
        let (positive, negative) = N::buckets(view);
        for (spans, buckets) in [(view.positive_spans, positive), (view.negative_spans, negative)] {
            let (expected, found) = (bucket_count(spans), buckets.len() as u64);
            if expected != found {
                return Err(EncodeError::BucketCount { expected, found });
            }
        }
        Ok(Self { view: *view, count, zero_count, row: Row { positive, negative } })
    }
}

/// Appends half a row of `width` buckets: each where it belongs, and nothing in the others.
fn push_spread<N: Number>(
    half: &[N::Bucket],
    places: Option<&[usize]>,
    width: usize,
    into: &mut Vec<N::Bucket>,
) {
    let Some(places) = places else {
        into.extend_from_slice(half);
        return;
    };
    let start = into.len();
    into.resize(start + width, N::Bucket::default());
    let row = &mut into[start..];
    for (&place, population) in places.iter().zip(populations::<N>(half)) {
        row[place] = population;
    }
    let mut before = N::Bucket::default();
    for bucket in row {
        let population = *bucket;
        *bucket = N::bucket(before, population);
        before = population;
    }
}

/// Whether a bucket of `a` has more in it than in `b`, where a bucket that is missing has nothing.
fn any_went_down<N: Number>(union: &Union, a: &[N::Bucket], b: &[N::Bucket]) -> bool {
    let empty = N::Bucket::default();
    let a_places = union.grown.as_ref().map(|grown| &grown.places[..]);
    let (mut a, mut b) = (in_places::<N>(a, a_places), in_places::<N>(b, union.b_places.as_deref()));
    let (mut next_a, mut next_b) = (a.next(), b.next());
    loop {
        let (a_here, b_here) = match (next_a, next_b) {
            (None, None) => return false,
            (Some((a, _)), Some((b, _))) => (a <= b, b <= a),
            (a, b) => (a.is_some(), b.is_some()),
        };
        let mut populations = [empty; 2];
        if let (true, Some((_, population))) = (a_here, next_a) {
            populations[0] = population;
            next_a = a.next();
        }
        if let (true, Some((_, population))) = (b_here, next_b) {
            populations[1] = population;
            next_b = b.next();
        }
        if populations[0] > populations[1] {
            return true;
        }
    }
}

/// The places of buckets in a union and their populations.
fn in_places<N: Number>(
    half: &[N::Bucket],
    places: Option<&[usize]>,
) -> impl Iterator<Item = (usize, N::Bucket)> {
    populations::<N>(half)
        .enumerate()
        .map(move |(n, population)| (places.map_or(n, |places| places[n]), population))
}

/// How much is in each bucket.
fn populations<N: Number>(half: &[N::Bucket]) -> impl Iterator<Item = N::Bucket> {
    half.iter().scan(N::Bucket::default(), |before, &bucket| {
        *before = N::population(*before, bucket);
        Some(*before)
    })
}
