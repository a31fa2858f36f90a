//! One replica as far as it is known: where it is read, and how far ahead.

use crate::samples::{Samples, is_stale};
use crate::stitch::pace::{Pace, STEPS};

/// Something must be known first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// More samples of this source.
    Column(usize),
    /// The last samples that were passed over unread in this source.
    Tail(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Replica {
    feed: Feed,
    /// The first sample of the column that has neither come out nor been passed over. The one before it is
    /// kept when the column is replaced.
    pub(super) at: usize,
    /// How many samples the column has.
    len: usize,
    /// Right behind the last sample of this replica that came out, if nothing of another one has since.
    pub(super) taken: Option<usize>,
    pub(super) pace: Option<Pace>,
    /// What `pace` becomes when it is decided what happens to the current step.
    pub(super) fresh_pace: Option<Pace>,
    /// Bounds of the steps between neighbours in the column.
    pub(super) shortest_ms: u64,
    pub(super) longest_ms: u64,
    /// There are samples before the column that nobody has looked at.
    pub(super) hidden: bool,
    last_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    Awaited,
    /// There is a column that has not been looked at; this many samples of the one before are gone.
    Supplied {
        gone: usize,
    },
    Open,
    Exhausted,
}

impl Replica {
    pub(super) fn new(pace: Option<Pace>) -> Self {
        Self {
            feed: Feed::Awaited,
            at: 0,
            len: 0,
            taken: None,
            pace,
            fresh_pace: pace,
            shortest_ms: 0,
            longest_ms: 0,
            hidden: false,
            last_ms: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// From where on the column is still needed: the unread samples and the one before them.
    pub(super) fn keep_from(&self) -> usize {
        self.at.saturating_sub(1)
    }

    pub(super) fn supply(&mut self, gone: usize) {
        if self.feed == Feed::Awaited {
            self.feed = Feed::Supplied { gone };
        }
    }

    pub(super) fn exhaust(&mut self) {
        if self.feed == Feed::Awaited {
            self.feed = Feed::Exhausted;
        }
    }

    /// Nothing more comes of the replica, and nobody looks at what it had.
    pub(super) fn abandon(&mut self) {
        *self = Self { feed: Feed::Exhausted, ..Self::new(None) };
    }

    pub(super) fn await_column(&mut self) {
        if self.feed == Feed::Open {
            self.feed = Feed::Awaited;
        }
    }

    /// Looks at the column if it is new. The timestamps that are in the wrong order, if two are; the replica
    /// is exhausted then, and the part of the column that was there before is all it has.
    pub(super) fn open<S: Samples>(&mut self, column: impl FnOnce() -> S) -> Result<(), (i64, i64)> {
        let Feed::Supplied { gone } = self.feed else { return Ok(()) };
        let column = column();
        let times_ms = column.at_ms();
        self.at -= gone;
        self.taken = self.taken.map(|taken| taken.saturating_sub(gone));
        let known = self.len - gone;
        let steps = Steps::of(times_ms);
        let disorder = match (self.last_ms, times_ms.get(known)) {
            (Some(last_ms), Some(&next_ms)) if next_ms < last_ms => Some((last_ms, next_ms)),
            _ if steps.ascending => None,
            _ => times_ms[known..].windows(2).find(|pair| pair[1] < pair[0]).map(|pair| (pair[0], pair[1])),
        };
        if let Some(disorder) = disorder {
            self.len = known;
            self.feed = Feed::Exhausted;
            return Err(disorder);
        }
        self.feed = Feed::Open;
        self.len = times_ms.len();
        self.last_ms = times_ms.last().copied().or(self.last_ms);
        (self.shortest_ms, self.longest_ms) = (steps.shortest_ms, steps.longest_ms);
        Ok(())
    }

    /// Passes over what is not later than `at_ms`.
    pub(super) fn skip_to(&mut self, at_ms: i64, times_ms: &[i64]) {
        self.at = after(&times_ms[..self.len], self.at, at_ms);
    }

    /// Where the first of the unread samples up to `end` stands that is not later than the one before it.
    pub(super) fn distinct_end(&self, times_ms: &[i64], end: usize) -> usize {
        if self.shortest_ms > 0 || end <= self.at {
            return end;
        }
        self.at + 1 + times_ms[self.at..end].windows(2).take_while(|pair| pair[0] < pair[1]).count()
    }

    pub(super) fn has_unread(&self) -> bool {
        self.at < self.len
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.feed == Feed::Exhausted
    }

    /// Whether there is a sample at this index. If that cannot be known yet, there has to be more first.
    pub(super) fn reaches(&self, source: usize, index: usize) -> Result<bool, Wait> {
        match index < self.len {
            false if !self.is_exhausted() => Err(Wait::Column(source)),
            reaches => Ok(reaches),
        }
    }

    /// The time up to which every sample of this replica is known, with as many behind it as are looked at to
    /// learn an interval. `None` if nothing more will come.
    pub(super) fn known_to_ms(&self, times_ms: &[i64]) -> Option<i64> {
        if self.is_exhausted() {
            return None;
        }
        let behind = self.len.checked_sub(STEPS + 1);
        Some(behind.map_or(i64::MIN, |index| times_ms[index]))
    }

    /// The interval at the sample at `from`, given what it was.
    pub(super) fn learn(
        &self,
        source: usize,
        times_ms: &[i64],
        from: usize,
        known: Option<Pace>,
    ) -> Result<Option<Pace>, Wait> {
        let end = from + STEPS + 1;
        let end = if self.reaches(source, end - 1)? { end } else { self.len };
        Ok(Pace::learn(known, &times_ms[from.min(end)..end]))
    }

    /// Whether no step in the column is so short that several samples of this replica could be in one of the
    /// followed one, at this pace.
    pub(super) fn is_calm(&self, pace: Pace) -> bool {
        self.shortest_ms > pace.dense_ms() && self.pace.is_none_or(|own| own.interval_ms() > pace.dense_ms())
    }

    /// Whether the samples from `from` on, which must be [known](Self::known_to_ms), are so much denser than
    /// at this pace.
    pub(super) fn is_denser(&self, times_ms: &[i64], from: usize, pace: Pace) -> bool {
        let end = self.len.min(from + STEPS + 1);
        let own = Pace::settle(self.pace, &times_ms[from..end]);
        own.is_some_and(|own| own.interval_ms() <= pace.dense_ms())
    }

    /// Whether this replica lives on at `at_ms`: it has live samples before and after, and no gap between.
    pub(super) fn lives_at<S: Samples>(&self, source: usize, column: S, at_ms: i64) -> Result<bool, Wait> {
        let times_ms = &column.at_ms()[..self.len];
        let next = after(times_ms, self.at, at_ms);
        if !self.reaches(source, next)? {
            return Ok(false);
        }
        let Some(previous) = self.before(source, next)? else { return Ok(false) };
        if is_stale(column.level(previous)) || is_stale(column.level(next)) {
            return Ok(false);
        }
        let step_ms = times_ms[previous].abs_diff(times_ms[next]);
        let pace = self.learn(source, times_ms, previous, self.fresh_pace)?;
        Ok(pace.is_some_and(|pace| step_ms < pace.gap_ms()))
    }

    /// The sample before the one at `index`, if there is one.
    pub(super) fn before(&self, source: usize, index: usize) -> Result<Option<usize>, Wait> {
        match index.checked_sub(1) {
            None if self.hidden => Err(Wait::Tail(source)),
            previous => Ok(previous),
        }
    }
}

/// What the steps between neighbouring timestamps are like.
struct Steps {
    ascending: bool,
    shortest_ms: u64,
    longest_ms: u64,
}

impl Steps {
    fn of(times_ms: &[i64]) -> Self {
        let start = Self { ascending: true, shortest_ms: u64::MAX, longest_ms: 0 };
        let later = times_ms.get(1..).unwrap_or_default();
        times_ms.iter().zip(later).fold(start, |steps, (&a_ms, &b_ms)| {
            let step_ms = b_ms.wrapping_sub(a_ms) as u64;
            Self {
                ascending: steps.ascending & (a_ms <= b_ms),
                shortest_ms: steps.shortest_ms.min(step_ms),
                longest_ms: steps.longest_ms.max(step_ms),
            }
        })
    }
}

/// The first index from `start` on whose time is after `at_ms`: steps of doubling length, then a binary
/// search, so that the cost is logarithmic in the distance and not in what is left of the column.
pub(crate) fn after(times_ms: &[i64], start: usize, at_ms: i64) -> usize {
    let rest = &times_ms[start..];
    let mut reach = 1;
    while rest.get(reach - 1).is_some_and(|&time_ms| time_ms <= at_ms) {
        reach *= 2;
    }
    let (known, unknown) = (reach / 2, (reach - 1).min(rest.len()));
    start + known + rest[known..unknown].partition_point(|&time_ms| time_ms <= at_ms)
}
