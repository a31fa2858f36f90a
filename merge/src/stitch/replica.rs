//! One replica as far as it is known: where it is read, and how far ahead.

use crate::order::OutOfOrder;
use crate::samples::{Samples, is_stale};
use crate::stitch::pace::{Pace, STEPS};
use crate::window::{Window, gallop};

/// Something must be known first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// More samples of this source.
    Column(usize),
    /// The last samples that were passed over unread in this source.
    Tail(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Replica {
    /// Some of the samples before the first one that has neither come out nor been passed over are
    /// [kept](Self::keep_from) when the column is replaced.
    pub(crate) window: Window,
    /// Right behind the last sample of this replica that came out, if nothing of another one has since.
    pub(crate) taken: Option<usize>,
    pub(crate) pace: Option<Pace>,
    /// What `pace` becomes when it is decided what happens to the current step.
    pub(crate) fresh_pace: Option<Pace>,
    /// Bounds of the steps between neighbours in the column.
    pub(crate) shortest_ms: u64,
    pub(crate) longest_ms: u64,
    /// Samples up to this time do not come out, although they are later than the last that did.
    pub(crate) dropped_ms: Option<i64>,
    /// There are samples before the column that nobody has looked at.
    pub(crate) hidden: bool,
    /// As soon as it is there again, `taken` is to be right behind the sample of this time.
    pub(crate) continues_at: Option<i64>,
    /// What is known of the samples behind the column.
    pub(crate) ahead: Option<Ahead>,
}

/// What is known of the samples behind a column before anybody looks at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    /// None is earlier than this.
    pub(crate) from_ms: i64,
    /// No step to them or between them is this short or shorter, up to `to_ms` and for as many steps behind it as
    /// are looked at to learn an interval.
    pub(crate) shortest_ms: u64,
    pub(crate) to_ms: i64,
}

impl Replica {
    pub(crate) fn new(pace: Option<Pace>) -> Self {
        Self {
            window: Window::new(),
            taken: None,
            pace,
            fresh_pace: pace,
            shortest_ms: 0,
            longest_ms: 0,
            dropped_ms: None,
            hidden: false,
            continues_at: None,
            ahead: None,
        }
    }

    /// From where on the column is still needed: the unread samples and the one before them, or as many as an interval can
    /// still be learned from.
    pub(crate) fn keep_from(&self) -> usize {
        self.window.at.saturating_sub(if self.pace.is_some() { 1 } else { STEPS + 1 })
    }

    /// Looks at a new column.
    pub(crate) fn open<S: Samples>(&mut self, source: usize, column: S) -> Result<(), OutOfOrder<i64>> {
        let (times_ms, steps) = (column.at_ms(), column.steps());
        let gone = self.window.open(source, times_ms, steps.are_ascending())?;
        self.taken = self.taken.map(|taken| taken.saturating_sub(gone));
        (self.shortest_ms, self.longest_ms) = (steps.shortest_ms(), steps.longest_ms());
        if let Some(last_ms) = self.continues_at {
            self.skip_to(last_ms, times_ms);
            self.taken = Some(self.window.at);
        }
        Ok(())
    }

    /// Passes over what is not later than `at_ms`, or than what was dropped.
    pub(crate) fn skip_to(&mut self, at_ms: i64, times_ms: &[i64]) {
        let at_ms = self.dropped_ms.map_or(at_ms, |dropped_ms| at_ms.max(dropped_ms));
        self.window.at = after(&times_ms[..self.window.len], self.window.at, at_ms);
    }

    /// Where the first of the unread samples up to `end` stands that is not later than the one before it.
    pub(crate) fn distinct_end(&self, times_ms: &[i64], end: usize) -> usize {
        if self.shortest_ms > 0 || end <= self.window.at {
            return end;
        }
        self.window.at
            + 1
            + times_ms[self.window.at..end].windows(2).take_while(|pair| pair[0] < pair[1]).count()
    }

    /// Whether all samples have been dealt with, and there may be more.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.window.has_unread() && !self.window.is_exhausted()
    }

    /// Whether there is a sample at this index. If that cannot be known yet, there has to be more first.
    pub(crate) fn reaches(&self, source: usize, index: usize) -> Result<bool, Wait> {
        match index < self.window.len {
            false if !self.window.is_exhausted() => Err(Wait::Column(source)),
            reaches => Ok(reaches),
        }
    }

    /// The time up to which every sample of this replica is known, with as many behind it as are looked at to
    /// learn an interval; or at least that they cannot be [denser](Self::is_denser) than at this pace. `None` if
    /// nothing more will come.
    pub(crate) fn known_to_ms(&self, times_ms: &[i64], pace: Pace) -> Option<i64> {
        if self.window.is_exhausted() {
            return None;
        }
        let is_calm = self.is_calm(pace) || !self.window.has_unread() && self.has_calm_pace(pace);
        if let Some(ahead) = self.ahead.filter(|ahead| is_calm && ahead.shortest_ms > pace.dense_ms()) {
            return Some(ahead.to_ms);
        }
        let behind = self.window.len.checked_sub(STEPS + 1);
        Some(behind.map_or(i64::MIN, |index| times_ms[index]))
    }

    /// The interval at the sample at `from`, given what it was. Where too few steps are left to learn it from, one that is
    /// known stays, and one that nobody needed to know before is what the last steps are like.
    pub(crate) fn learn(
        &self,
        source: usize,
        times_ms: &[i64],
        from: usize,
        known: Option<Pace>,
    ) -> Result<Option<Pace>, Wait> {
        let end = from + STEPS + 1;
        if self.reaches(source, end - 1)? {
            return Ok(Pace::learn(known, &times_ms[from..end]));
        }
        if known.is_some() {
            return Ok(known);
        }
        match self.window.len.checked_sub(STEPS + 1) {
            None if self.hidden => Err(Wait::Tail(source)),
            start => Ok(Pace::learn(None, &times_ms[start.unwrap_or_default()..self.window.len])),
        }
    }

    /// When the last sample of the column is.
    pub(crate) fn window_end_ms(&self) -> Option<i64> {
        self.window.last_ms()
    }

    /// Whether no step in the column is so short that several samples of this replica could be in one of the
    /// followed one, at this pace.
    pub(crate) fn is_calm(&self, pace: Pace) -> bool {
        self.shortest_ms > pace.dense_ms() && self.has_calm_pace(pace)
    }

    fn has_calm_pace(&self, pace: Pace) -> bool {
        self.pace.is_none_or(|own| own.interval_ms() > pace.dense_ms())
    }

    /// Whether the samples from `from` on, which must be [known](Self::known_to_ms), are so much denser than
    /// at this pace.
    pub(crate) fn is_denser(&self, times_ms: &[i64], from: usize, pace: Pace) -> bool {
        let end = self.window.len.min(from + STEPS + 1);
        let own = Pace::settle(self.pace, &times_ms[from..end]);
        own.is_some_and(|own| own.interval_ms() <= pace.dense_ms())
    }

    /// Whether this replica lives on at `at_ms`: it has live samples before and after, and no gap between.
    pub(crate) fn lives_at<S: Samples>(&self, source: usize, column: S, at_ms: i64) -> Result<bool, Wait> {
        let times_ms = &column.at_ms()[..self.window.len];
        let next = after(times_ms, self.window.at, at_ms);
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
    pub(crate) fn before(&self, source: usize, index: usize) -> Result<Option<usize>, Wait> {
        match index.checked_sub(1) {
            None if self.hidden => Err(Wait::Tail(source)),
            previous => Ok(previous),
        }
    }
}

/// The first index from `start` on whose time is after `at_ms`.
pub(crate) fn after(times_ms: &[i64], start: usize, at_ms: i64) -> usize {
    gallop(times_ms, start, |time_ms| time_ms <= at_ms)
}
