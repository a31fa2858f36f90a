//! What happens at a step of the followed replica that is not plain: is it a hole, and who fills it?

use super::pace::Pace;
use super::replica::{Wait, after};
use super::{Stitch, keep_best};
use crate::samples::{Samples, is_stale};

/// What the followed replica has next.
#[derive(Debug, Clone, Copy)]
enum Offer {
    Live(i64),
    Marker(i64),
    End,
}

/// What to do about a step that is not plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next sample of the followed replica comes out.
    Take,
    /// It does not.
    Drop,
    /// Others are followed now; their next sample comes out.
    Switch,
    Done,
}

impl Stitch {
    /// Decides about a step that is not plain.
    pub(super) fn examine<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<Verdict, Wait> {
        let offer = self.offer(columns);
        let mut inside = std::mem::take(&mut self.inside);
        inside.clear();
        inside.extend(self.others().filter(|&other| {
            self.earliest_ms(other, columns).is_some_and(|earliest_ms| match offer {
                Offer::Live(at_ms) => earliest_ms < at_ms,
                Offer::Marker(at_ms) => earliest_ms <= at_ms,
                Offer::End => true,
            })
        }));
        if let Some(&other) = inside.iter().find(|&&other| self.replicas[other].is_awaited()) {
            self.inside = inside;
            return Err(Wait::Column(other));
        }
        self.replicas.iter_mut().for_each(|replica| replica.fresh_pace = replica.pace);
        let verdict = match offer {
            Offer::Live(_) if inside.is_empty() => Ok(Verdict::Take),
            Offer::End if inside.is_empty() => Ok(Verdict::Done),
            Offer::Marker(at_ms) if inside.is_empty() => {
                let lives = anyone(self.others(), |other| self.lives_at(other, at_ms, columns));
                lives.map(|lives| if lives { Verdict::Drop } else { Verdict::Take })
            }
            _ => self.examine_hole(offer, &inside, columns).inspect(|_| {
                self.replicas.iter_mut().for_each(|replica| replica.pace = replica.fresh_pace);
            }),
        };
        self.inside = inside;
        verdict
    }

    fn examine_hole<S: Samples>(
        &mut self,
        offer: Offer,
        inside: &[usize],
        columns: &impl Fn(usize) -> S,
    ) -> Result<Verdict, Wait> {
        self.read_tail(columns)?;
        let pace = self.learn(inside, columns)?;
        match offer {
            Offer::Live(at_ms) => {
                if self.recent.last().is_some_and(|live| live.at_ms.abs_diff(at_ms) < pace.gap_ms()) {
                    return Ok(Verdict::Take);
                }
            }
            Offer::Marker(at_ms) => {
                if anyone(self.others(), |other| self.lives_at(other, at_ms, columns))? {
                    return Ok(Verdict::Drop);
                }
            }
            Offer::End => {
                let late_ms =
                    self.recent.last().map(|live| live.at_ms.saturating_add_unsigned(pace.missed_ms()));
                let due_ms = late_ms.filter(|_| !self.ended_with_marker(columns)).unwrap_or(i64::MIN);
                if !anyone(self.others(), |other| self.goes_on_to(other, due_ms, columns))? {
                    return Ok(Verdict::Done);
                }
            }
        }
        self.fillers.clear();
        for &other in inside {
            if let Some(index) = self.filler(other, offer, pace, columns)? {
                self.fillers.push((other, index));
            }
        }
        keep_best(&mut self.fillers, columns);
        Ok(match offer {
            _ if !self.fillers.is_empty() => Verdict::Switch,
            Offer::End => Verdict::Done,
            Offer::Live(_) | Offer::Marker(_) => Verdict::Take,
        })
    }

    fn offer<S: Samples>(&self, columns: &impl Fn(usize) -> S) -> Offer {
        let source = self.followed[0];
        match self.head_ms(source, columns) {
            None => Offer::End,
            Some(at_ms) if is_stale(columns(source).level(self.replicas[source].window.at)) => {
                Offer::Marker(at_ms)
            }
            Some(at_ms) => Offer::Live(at_ms),
        }
    }

    /// Learns the intervals of those concerned: the shortest one counts. It is remembered with the verdict and
    /// not before, or it would matter how often there was something to wait for.
    fn learn<S: Samples>(&mut self, inside: &[usize], columns: &impl Fn(usize) -> S) -> Result<Pace, Wait> {
        let Self { replicas, followed, .. } = self;
        let mut shortest = None;
        for &source in followed.iter().chain(inside) {
            let replica = &mut replicas[source];
            let times_ms = columns(source);
            replica.fresh_pace = replica.learn(source, times_ms.at_ms(), replica.window.at, replica.pace)?;
            shortest = [shortest, replica.fresh_pace].into_iter().flatten().min();
        }
        Ok(shortest.unwrap_or(Pace::FALLBACK))
    }

    /// The first sample of another replica that can come out instead of what is offered.
    fn filler<S: Samples>(
        &self,
        source: usize,
        offer: Offer,
        pace: Pace,
        columns: &impl Fn(usize) -> S,
    ) -> Result<Option<usize>, Wait> {
        let replica = &self.replicas[source];
        let column = columns(source);
        let times_ms = &column.at_ms()[..replica.window.len];
        let mut index = replica.window.at;
        if let Some(live) = self.recent.last() {
            let too_close_ms = live.at_ms.saturating_add_unsigned(pace.close_ms() - 1);
            index = after(times_ms, index, too_close_ms);
        }
        let markers_count = self.last_is_live() && !matches!(offer, Offer::Marker(_));
        let latest_ms = match offer {
            Offer::Live(at_ms) => at_ms.saturating_sub_unsigned(pace.close_ms()),
            Offer::Marker(at_ms) => at_ms,
            Offer::End => i64::MAX,
        };
        while replica.reaches(source, index)? && times_ms[index] <= latest_ms {
            let fills = if is_stale(column.level(index)) {
                let everyone_else = self.sources().filter(|&s| s != source);
                markers_count && !anyone(everyone_else, |o| self.lives_at(o, times_ms[index], columns))?
            } else {
                !self.steps_back(source, index, pace, column)?
            };
            if fills {
                return Ok(Some(index));
            }
            index += 1;
        }
        Ok(None)
    }

    /// Whether a filler would be a false counter reset, or be followed by one.
    fn steps_back<S: Samples>(
        &self,
        source: usize,
        index: usize,
        pace: Pace,
        column: S,
    ) -> Result<bool, Wait> {
        let Some(live) = self.recent.last().filter(|_| self.hints.counter) else { return Ok(false) };
        let times_ms = column.at_ms();
        let is_soon = live.at_ms.abs_diff(times_ms[index]) < pace.gap_ms();
        if !is_soon || live.histogram != column.is_histogram(index) {
            return Ok(false);
        }
        let replica = &self.replicas[source];
        // Whether the replica falls from one sample to the other, and what came out last is at the upper level.
        let fall = |from: usize, to: usize| {
            let (upper, lower) = (column.level(from), column.level(to));
            let falls = column.is_histogram(from) == column.is_histogram(to) && lower < upper;
            falls.then_some(live.level - lower > upper - live.level)
        };
        let level = column.level(index);
        if level < live.level {
            let Some(before) = replica.before(source, index)? else { return Ok(true) };
            let is_here = times_ms[before].abs_diff(times_ms[index]) < pace.gap_ms();
            if !is_here || fall(before, index) != Some(true) {
                return Ok(true);
            }
            // Clocks may be an interval apart: what happened after this may be the same drop.
            let after_ms = times_ms[before].saturating_sub_unsigned(pace.interval_ms());
            if self.known(self.recent.fell_after(after_ms))? {
                return Ok(true);
            }
            // A sample further on it is at the output's level again: the output may be past the drop already.
            return Ok(replica.reaches(source, index + 1)? && column.level(index + 1) >= live.level);
        }
        let fell_from = self.known(self.recent.fell_from())?;
        if fell_from.is_some_and(|upper| level - live.level > upper - level) {
            return Ok(true);
        }
        let falls_next = if replica.reaches(source, index + 1)? { fall(index, index + 1) } else { None };
        Ok(falls_next.is_some_and(|is_above| !is_above || fell_from.is_some()))
    }

    fn lives_at<S: Samples>(
        &self,
        source: usize,
        at_ms: i64,
        columns: &impl Fn(usize) -> S,
    ) -> Result<bool, Wait> {
        self.replicas[source].lives_at(source, columns(source), at_ms)
    }

    /// Whether the last that the followed replica had was a marker that was dropped. Then it is not late: what
    /// the others have has no need to wait for it.
    fn ended_with_marker<S: Samples>(&self, columns: &impl Fn(usize) -> S) -> bool {
        self.followed.iter().any(|&source| {
            let column = columns(source);
            self.replicas[source]
                .window
                .at
                .checked_sub(1)
                .is_some_and(|last| Some(column.at_ms()[last]) > self.last_ms && is_stale(column.level(last)))
        })
    }

    /// Whether a replica has a sample at `due_ms` or later.
    fn goes_on_to<S: Samples>(
        &self,
        source: usize,
        due_ms: i64,
        columns: &impl Fn(usize) -> S,
    ) -> Result<bool, Wait> {
        let replica = &self.replicas[source];
        match columns(source).at_ms()[..replica.window.len].last() {
            Some(&last_ms) if last_ms >= due_ms => Ok(replica.window.has_unread()),
            _ => replica.reaches(source, replica.window.len),
        }
    }
}

/// Whether it is true of any of them. What is unknown of one does not matter if it is true of another.
fn anyone(
    sources: impl Iterator<Item = usize>,
    is_true: impl Fn(usize) -> Result<bool, Wait>,
) -> Result<bool, Wait> {
    let mut unknown = None;
    for source in sources {
        match is_true(source) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(wait) => unknown = unknown.or(Some(wait)),
        }
    }
    unknown.map_or(Ok(false), Err)
}
