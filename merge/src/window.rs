//! The current column of a source: how it comes, how far it is read, and that it is in order.

use crate::order::OutOfOrder;

/// Where a source stands. The column itself stays with the caller.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    feed: Feed,
    /// The first sample that has not been dealt with.
    pub(crate) at: usize,
    /// How many samples the column has.
    pub(crate) len: usize,
    last_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    /// More is wanted, and the samples from this index on with it.
    Awaited {
        keep_from: usize,
    },
    /// There is a column that has not been looked at; this many samples of the one before are gone.
    Supplied {
        gone: usize,
    },
    Open,
    Exhausted,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self { feed: Feed::Awaited { keep_from: 0 }, at: 0, len: 0, last_ms: None }
    }

    pub(crate) fn supply(&mut self) {
        if let Feed::Awaited { keep_from } = self.feed {
            self.feed = Feed::Supplied { gone: keep_from };
        }
    }

    pub(crate) fn exhaust(&mut self) {
        if let Feed::Awaited { .. } = self.feed {
            self.feed = Feed::Exhausted;
        }
    }

    /// Nothing more comes of the source, and nobody looks at what it had.
    pub(crate) fn abandon(&mut self) {
        *self = Self { feed: Feed::Exhausted, ..Self::new() };
    }

    /// Forgets the column, and what its order was. The source is not done, though, if it was not.
    pub(crate) fn restart(&mut self) {
        *self = Self { feed: Feed::Open, ..Self::new() };
    }

    pub(crate) fn is_supplied(&self) -> bool {
        matches!(self.feed, Feed::Supplied { .. })
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.feed == Feed::Exhausted
    }

    /// The last timestamp that was looked at.
    pub(crate) fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    pub(crate) fn has_unread(&self) -> bool {
        self.at < self.len
    }

    /// Wants more samples, and those from `keep_from` on with them.
    pub(crate) fn ask(&mut self, keep_from: usize) {
        if matches!(self.feed, Feed::Open | Feed::Awaited { .. }) {
            self.feed = Feed::Awaited { keep_from };
        }
    }

    /// Begins to read a column that was supplied. How many samples it lacks that stood before it.
    ///
    /// If what is new in it is not in order, the source is exhausted, with what it had before.
    pub(crate) fn open(
        &mut self,
        source: usize,
        times_ms: &[i64],
        is_ascending: bool,
    ) -> Result<usize, OutOfOrder<i64>> {
        let Feed::Supplied { gone } = self.feed else { return Ok(0) };
        self.at -= gone;
        let known = self.len - gone;
        let fresh = times_ms.get(known..).unwrap_or_default();
        let seam = self.last_ms.zip(fresh.first().copied()).filter(|(last_ms, next_ms)| next_ms < last_ms);
        let inside = || fresh.windows(2).map(|pair| (pair[0], pair[1])).find(|pair| pair.1 < pair.0);
        if let Some((previous, next)) = seam.or_else(|| if is_ascending { None } else { inside() }) {
            self.len = known;
            self.feed = Feed::Exhausted;
            return Err(OutOfOrder { source, previous, next });
        }
        self.feed = Feed::Open;
        self.len = times_ms.len();
        self.last_ms = times_ms.last().copied().or(self.last_ms);
        Ok(gone)
    }
}

/// The first index from `start` on that is not `inside`, which must hold for the first ones only: steps of
/// doubling length, then a binary search, so that the cost is logarithmic in the distance and not in what is
/// left of the column.
pub(crate) fn gallop(times_ms: &[i64], start: usize, inside: impl Fn(i64) -> bool) -> usize {
    let rest = &times_ms[start..];
    let mut reach = 1;
    while rest.get(reach - 1).is_some_and(|&time_ms| inside(time_ms)) {
        reach *= 2;
    }
    let (known, unknown) = (reach / 2, (reach - 1).min(rest.len()));
    start + known + rest[known..unknown].partition_point(|&time_ms| inside(time_ms))
}
