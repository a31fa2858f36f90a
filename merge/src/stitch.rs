//! `stitch`, the policy to use unless you need another one's results: follow one replica, and sew in another
//! one only where the followed one has a hole.
//!
//! # The policy
//!
//! The output **follows** one replica at a time: its samples come out as they are, and what the others have
//! at the same time is passed over. No interleaving, no doubled density. The first to be followed is the one
//! that begins first. When the followed replica has a *hole* that another one has samples in, the output
//! switches to that one and stays there until that one has a hole; it does not switch back for its own sake,
//! because every switch is a seam between two clocks.
//!
//! - **Hole.** A step from the last live sample to the next one of the followed replica that is 1.5
//!   *intervals* long or longer; also the end of the replica, if another one goes on for seven eighths of an
//!   interval or longer: the replica's own next sample is missing then.
//! - **Filler.** A sample of another replica in the hole that is at least half an interval away from both
//!   ends of it: closer ones would double the density. Of several replicas the one whose filler is earliest
//!   is followed from there on.
//! - **Interval.** What the steps of a replica are like: learned from its next 8 steps when it is first needed, or its
//!   last 8 if fewer are left (or given), and learned anew at every step that is shorter than 0.75 or longer than 1.5
//!   intervals. A known interval is only replaced when all 8 steps ahead agree on another one, so that a change of the
//!   scrape interval is told from an outage at once; or by a shorter one when most of them are, unless the others make
//!   up for it: scrapes that are early or late by up to a quarter of an interval keep it. What counts in a hole is the
//!   shortest interval of the followed replica and those with samples in it; a replica with several samples in an
//!   ordinary step of the followed one, and an interval to match, makes a hole of that step: the denser replica is
//!   followed.
//! - **Stale markers** are no samples to follow. The marker of a replica is dropped where another one lives on
//!   (has live samples before and after it, without a gap) or fills the hole before it; else it comes out.
//!   One comes out of each hole at most, unless the followed replica itself wrote more.
//! - **Counters** never step back because of a switch. A filler below the last value that came out, less than
//!   1.5 intervals after it, may be older than it looks (no clock is exact), so it is passed over, unless its
//!   own replica shows that drop right here, from the level that the output is at and does not reach again with its
//!   next sample, and the output has not had it already, by clocks that are up to an interval apart. Later than
//!   that it is a reset, whatever the clocks. Likewise passed over is a filler at the level from which the output
//!   has just dropped, or whose replica is about to drop to the level that the output is at.
//! - **Equal times.** Replicas that give the very same samples are followed together, whatever their order.
//!   Where they part, or where two could follow, the earlier sample decides; at the same time a live one
//!   rather than a marker, a histogram rather than a float, a number rather than a NaN, the larger value.
//!   So the order of the sources never shows in the output.
//! - **One replica** alone comes out as it is, except that of samples with the same time the first counts.
//!
//! Nothing here depends on how the samples are cut into columns.
//!
//! Why not the other policies: [`Chain`](crate::Chain) doubles the density, sews two clocks together at every
//! single sample (each an opportunity for a false counter reset) and loses reset hints;
//! [`Penalty`](crate::Penalty) leaves holes that another replica could fill, and loses samples at each switch;
//! [`Interval`](crate::Interval) mixes replicas and lets the marker of one hide the others.

mod hole;
pub(crate) mod pace;
mod recent;
pub(crate) mod replica;
mod sole;
mod unread;

use std::cmp::Ordering;
use std::ops::Range;

use crate::order::OutOfOrder;
use crate::resolve::{Resolve, Resolved, Run};
use crate::samples::{Floats, Samples, prefer};
use hole::Verdict;
use pace::Pace;
use recent::Recent;
use replica::{Replica, Wait, after};

/// Follows one replica of a series and sews in others where it has holes: see the
/// [policy](self#the-policy).
///
/// # Cost
/// Every column is read once, by its timestamps, and what comes out once more, for stale markers. Beyond that,
/// a run costs `O(log n)` for each of the replicas, and a switch a look at 8 samples ahead of each. Nothing is
/// allocated when a machine is [`reset`](Resolve::reset) to no more sources than it had before. Up to 9
/// unread samples of a source, and as many before them, are wanted again as the beginning of its next column.
///
/// Of the columns of an [`Arena`](crate::Arena), [`resolve`](crate::resolve) most often sees [at
/// once](Resolve::sole) that one of them is what comes out: then it is copied, and the others are not read, but where
/// all have the same timestamps.
///
/// ```
/// use promha_merge::{Resolve, Stitch, resolve};
///
/// // Scraped every 10 s; `b` a little later than `a`. `a` missed two scrapes, and then its target was gone
/// // for it alone.
/// let stale = f64::from_bits(promha_merge::STALE_BITS);
/// let a: (&[i64], &[f64]) = (&[0, 10_000, 40_000, 50_000], &[0.0, 1.0, 4.0, stale]);
/// let b: (&[i64], &[f64]) =
///     (&[200, 10_200, 20_200, 30_200, 40_200, 50_200], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// resolve(&mut Stitch::default(), &[a, b], &mut at_ms, &mut values)?;
/// assert_eq!(at_ms, [0, 10_000, 20_200, 30_200, 40_200, 50_200]);
/// assert_eq!(values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
#[derive(Debug, Default)]
pub struct Stitch {
    hints: Hints,
    pub(crate) replicas: Vec<Replica>,
    /// The replicas that gave the last sample, ascending. Several, as long as they are the same.
    pub(crate) followed: Vec<usize>,
    /// Somebody who gave the last sample may be followed no more.
    parted: bool,
    /// When the last sample was, live or not.
    pub(crate) last_ms: Option<i64>,
    recent: Recent,
    tail: Tail,
    /// Others with samples in a hole, and those samples; kept for their memory.
    inside: Vec<usize>,
    fillers: Vec<(usize, usize)>,
}

/// How many samples come out at a time where others have to be watched: what is looked at again after a stop
/// stays bounded.
const WATCHED_RUN: usize = 1_024;

/// What is known of a series before its samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// The interval between samples, in milliseconds, that replicas are thought to have. It need not be right:
    /// where it does not fit, the interval is learned.
    pub interval_ms: Option<i64>,
    /// The series is a counter, or a histogram of observations: it never goes down but to start again.
    pub counter: bool,
}

impl Hints {
    fn pace(self) -> Option<Pace> {
        self.interval_ms.and_then(|ms| u64::try_from(ms).ok()).map(Pace::new)
    }
}

/// What is known of the end of what came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tail {
    /// `recent` is right.
    #[default]
    Read,
    /// Nobody has looked at the last samples, and `recent` is out of date.
    Unread {
        /// None of them is a stale marker.
        all_live: bool,
    },
}

impl Stitch {
    /// A machine for a series of which this is known, without sources yet.
    pub fn new(hints: Hints) -> Self {
        Self { hints, ..Self::default() }
    }

    /// Starts afresh for another series; keeps the memory.
    pub fn reset_with(&mut self, sources: usize, hints: Hints) {
        self.hints = hints;
        self.replicas.clear();
        self.replicas.resize(sources, Replica::new(hints.pace()));
        self.followed.clear();
        self.parted = false;
        self.last_ms = None;
        self.recent = Recent::default();
        self.tail = Tail::Read;
    }

    /// Drops a source that has failed: what it has given and has not come out does not come.
    pub fn abandon(&mut self, source: usize) {
        if let Some(replica) = self.replicas.get_mut(source) {
            replica.window.abandon();
        }
    }

    /// Looks at the columns that are new.
    pub(crate) fn open<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<(), OutOfOrder<i64>> {
        let supplied = |(_, replica): &(usize, &mut Replica)| replica.window.is_supplied();
        for (source, replica) in self.replicas.iter_mut().enumerate().filter(supplied) {
            replica.open(source, columns(source))?;
        }
        Ok(())
    }

    /// What comes out next, if anything does. Nothing has changed when there is something to wait for.
    pub(crate) fn advance<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<Option<Run>, Wait> {
        loop {
            self.pass_over(columns);
            self.read_tail_again(columns);
            if let Some(source) = self.sources().find(|&source| self.is_wanted(source)) {
                return Err(Wait::Column(source));
            }
            self.narrow(columns);
            let Some(&source) = self.followed.first() else { return Ok(None) };
            let at = self.replicas[source].window.at;
            let end = self.plain_end(source, columns)?;
            if end > at {
                return Ok(Some(self.take(source, at..end, columns(source))));
            }
            match self.examine(columns)? {
                Verdict::Take => return Ok(Some(self.take(source, at..at + 1, columns(source)))),
                Verdict::Drop => self.drop_next(columns),
                Verdict::Switch => {
                    self.switch();
                    let source = self.followed[0];
                    let at = self.replicas[source].window.at;
                    return Ok(Some(self.take(source, at..at + 1, columns(source))));
                }
                Verdict::Done => return Ok(None),
            }
        }
    }

    /// Whether a replica must have more samples before anything can come out. Of one that is not followed it is
    /// enough to know how soon they can be.
    fn is_wanted(&self, source: usize) -> bool {
        let replica = &self.replicas[source];
        let is_other = || !self.followed.is_empty() && !self.followed.contains(&source);
        replica.is_awaited() && (replica.ahead.is_none() || !is_other())
    }

    /// Nobody's samples are needed up to the last one that came out.
    pub(crate) fn pass_over<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) {
        let Some(last_ms) = self.last_ms else { return };
        for (source, replica) in self.replicas.iter_mut().enumerate() {
            if replica.window.has_unread() {
                replica.skip_to(last_ms, columns(source).at_ms());
            }
        }
    }

    /// Of the replicas that are followed together, those whose next sample is best remain. At the start all
    /// are.
    fn narrow<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) {
        let Self { replicas, followed, fillers, parted, .. } = self;
        match followed.as_slice() {
            [_] => return,
            [] => followed.extend(0..replicas.len()),
            _ => {}
        }
        fillers.clear();
        let heads = followed.iter().map(|&source| (source, replicas[source].window.at));
        fillers.extend(heads.filter(|&(source, _)| replicas[source].window.has_unread()));
        keep_best(fillers, columns);
        if !fillers.is_empty() {
            *parted |= fillers.len() < followed.len();
            followed.clear();
            followed.extend(fillers.iter().map(|&(source, _)| source));
        }
    }

    /// Where the samples of the followed replica stop to be plain: those that come out whatever the others
    /// have, because nobody has anything before them, or because the step to them is a normal one.
    fn plain_end<S: Samples>(&self, source: usize, columns: &impl Fn(usize) -> S) -> Result<usize, Wait> {
        let replica = &self.replicas[source];
        let column = columns(source);
        let times_ms = &column.at_ms()[..replica.window.len];
        let at = replica.window.at;
        let Some(rival_ms) = self.others().filter_map(|other| self.earliest_ms(other, columns)).min() else {
            return Ok(self.agreed_end(source, replica.distinct_end(times_ms, times_ms.len()), columns));
        };
        let lone_end = after(times_ms, at, rival_ms);
        let (mut end, mut wait) = (lone_end, None);
        if lone_end < times_ms.len() {
            (end, wait) = self.paced_end(source, lone_end, columns);
        }
        if let Some(stale) = column.first_stale(at..end) {
            (end, wait) = (stale, None);
        }
        end = replica.distinct_end(times_ms, end);
        end = self.agreed_end(source, end, columns);
        end = self.calm_end(source, lone_end, end, columns);
        match wait {
            Some(wait) if end == at => Err(wait),
            _ => Ok(end),
        }
    }

    /// From `start` on: where the steps stop to be normal, or the others to be known. If the latter is at
    /// `start`, what there is to wait for.
    fn paced_end<S: Samples>(
        &self,
        source: usize,
        start: usize,
        columns: &impl Fn(usize) -> S,
    ) -> (usize, Option<Wait>) {
        let replica = &self.replicas[source];
        let column = columns(source);
        let times_ms = &column.at_ms()[..replica.window.len.min(start + WATCHED_RUN)];
        let from_live = start > replica.window.at || self.last_is_live();
        let (Some(pace), Some(last_ms), true) = (self.followed_pace(), self.last_ms, from_live) else {
            return (start, None);
        };
        let before_ms = if start > replica.window.at { times_ms[start - 1] } else { last_ms };
        if !pace.is_normal(before_ms.abs_diff(times_ms[start])) {
            return (start, None);
        }
        let known_to_ms = |other: usize| self.replicas[other].known_to_ms(columns(other).at_ms(), pace);
        let known = self.others().filter_map(|other| Some((known_to_ms(other)?, other))).min();
        let mut end = match known {
            Some((known_ms, other)) if known_ms < times_ms[start] => {
                return (start, Some(Wait::Column(other)));
            }
            Some((known_ms, _)) => after(times_ms, start, known_ms),
            None => times_ms.len(),
        };
        if replica.shortest_ms <= pace.dense_ms() || replica.longest_ms >= pace.gap_ms() {
            let normal = |pair: &&[i64]| pace.is_normal(pair[0].abs_diff(pair[1]));
            end = start + 1 + times_ms[start..end].windows(2).take_while(normal).count();
        }
        (end, None)
    }

    /// How far the others that are followed have the same samples.
    fn agreed_end<S: Samples>(&self, source: usize, end: usize, columns: &impl Fn(usize) -> S) -> usize {
        let at = self.replicas[source].window.at;
        self.followed[1..].iter().fold(end, |end, &same| {
            let same_replica = &self.replicas[same];
            let most = (end - at).min(same_replica.window.len - same_replica.window.at);
            at + columns(source).agree(at, &columns(same), same_replica.window.at, most)
        })
    }

    /// Where the normal steps from `start` on begin to be coarse for another replica.
    fn calm_end<S: Samples>(
        &self,
        source: usize,
        start: usize,
        end: usize,
        columns: &impl Fn(usize) -> S,
    ) -> usize {
        let Some(pace) = self.followed_pace().filter(|_| start < end) else { return end };
        let column = columns(source);
        let times_ms = column.at_ms();
        let first_ms =
            if start > self.replicas[source].window.at { Some(times_ms[start - 1]) } else { self.last_ms };
        let mut calm_end = end;
        for other in self.others().filter(|&other| !self.replicas[other].is_calm(pace)) {
            let replica = &self.replicas[other];
            let other_column = columns(other);
            let others_ms = &other_column.at_ms()[..replica.window.len];
            let (mut before_ms, mut inside) = (first_ms, replica.window.at);
            for (index, &time_ms) in times_ms.iter().enumerate().take(calm_end).skip(start) {
                inside = before_ms.map_or(inside, |before_ms| after(others_ms, inside, before_ms));
                let several = others_ms.get(inside + 1).is_some_and(|&second_ms| second_ms < time_ms);
                if several && replica.is_denser(others_ms, inside, pace) {
                    calm_end = index;
                    break;
                }
                before_ms = Some(time_ms);
            }
        }
        calm_end
    }

    /// Follows those that have the best filler.
    fn switch(&mut self) {
        let Self { replicas, followed, fillers, parted, .. } = self;
        *parted = true;
        followed.clear();
        for &(source, index) in fillers.iter() {
            replicas[source].window.at = index;
            followed.push(source);
        }
    }

    /// The next sample of the followed replica does not come out.
    fn drop_next<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) {
        for &source in &self.followed {
            let replica = &mut self.replicas[source];
            replica.dropped_ms = Some(columns(source).at_ms()[replica.window.at]);
            replica.window.at += 1;
            (replica.taken, replica.continues_at) = (None, None);
        }
    }

    /// Samples of the followed replica come out.
    fn take<S: Samples>(&mut self, source: usize, range: Range<usize>, column: S) -> Run {
        let continues = self.replicas[source].taken == Some(range.start);
        self.interrupt_others();
        for &same in &self.followed {
            let replica = &mut self.replicas[same];
            replica.window.at += range.len();
            replica.taken = Some(replica.window.at);
            replica.continues_at = None;
        }
        self.last_ms = Some(column.at_ms()[range.end - 1]);
        let came_out = Recent::of(range.clone(), column);
        if came_out.last().is_none() {
            if let Tail::Unread { all_live } = &mut self.tail {
                *all_live = false;
            }
            return Run { source, range, continues, lift: 0.0 };
        }
        self.recent = match self.tail {
            Tail::Read => came_out.after(self.recent),
            Tail::Unread { .. } => came_out,
        };
        self.tail = Tail::Read;
        Run { source, range, continues, lift: 0.0 }
    }

    /// Something of the followed replicas comes out: nothing that the others have next continues it.
    fn interrupt_others(&mut self) {
        if !std::mem::take(&mut self.parted) {
            return;
        }
        for (source, replica) in self.replicas.iter_mut().enumerate() {
            if !self.followed.contains(&source) {
                (replica.taken, replica.continues_at) = (None, None);
            }
        }
    }

    pub(crate) fn last_is_live(&self) -> bool {
        match self.tail {
            Tail::Read => self.recent.last().is_some_and(|live| Some(live.at_ms) == self.last_ms),
            Tail::Unread { all_live } => all_live,
        }
    }

    fn sources(&self) -> Range<usize> {
        0..self.replicas.len()
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        self.sources().filter(|source| !self.followed.contains(source))
    }

    fn followed_pace(&self) -> Option<Pace> {
        self.followed.iter().filter_map(|&source| self.replicas[source].pace).min()
    }

    pub(crate) fn head_ms<S: Samples>(&self, source: usize, columns: &impl Fn(usize) -> S) -> Option<i64> {
        let replica = &self.replicas[source];
        replica.window.has_unread().then(|| columns(source).at_ms()[replica.window.at])
    }

    /// When the next sample of a replica is, or can be at the earliest.
    fn earliest_ms<S: Samples>(&self, source: usize, columns: &impl Fn(usize) -> S) -> Option<i64> {
        self.head_ms(source, columns).or_else(|| {
            let replica = &self.replicas[source];
            replica.ahead.filter(|_| replica.is_awaited()).map(|ahead| ahead.from_ms)
        })
    }
}

/// Keeps of the candidates, each a source and an index, those whose sample is the earliest, and of those at
/// the same time the best: several if they are the same.
fn keep_best<S: Samples>(candidates: &mut Vec<(usize, usize)>, columns: &impl Fn(usize) -> S) {
    let better = |&(a, i): &(usize, usize), &(b, j): &(usize, usize)| {
        let (a, b) = (columns(a), columns(b));
        a.at_ms()[i].cmp(&b.at_ms()[j]).then_with(|| prefer(&b, j, &a, i))
    };
    if let Some(best) = candidates.iter().copied().min_by(better) {
        candidates.retain(|candidate| better(candidate, &best) == Ordering::Equal);
    }
}

impl Resolve for Stitch {
    fn reset(&mut self, sources: usize) {
        self.reset_with(sources, self.hints);
    }

    fn supply(&mut self, source: usize) {
        if let Some(replica) = self.replicas.get_mut(source) {
            replica.window.supply();
        }
    }

    fn exhaust(&mut self, source: usize) {
        if let Some(replica) = self.replicas.get_mut(source) {
            replica.window.exhaust();
        }
    }

    fn sole<'c>(&self, sources: usize, columns: impl Fn(usize) -> Floats<'c>) -> Option<usize> {
        self.sole_source(sources, columns)
    }

    fn poll<S: Samples>(&mut self, columns: impl Fn(usize) -> S) -> Result<Resolved, OutOfOrder<i64>> {
        self.open(&columns)?;
        Ok(match self.advance(&columns) {
            Ok(Some(run)) => Resolved::Run(run),
            Ok(None) => Resolved::Done,
            Err(Wait::Column(source) | Wait::Tail(source)) => {
                let replica = &mut self.replicas[source];
                let keep_from = replica.keep_from();
                replica.window.ask(keep_from);
                Resolved::Need { source, keep_from }
            }
        })
    }
}
