//! When a chunk comes out, or does not, without anybody looking at it.

use super::held::{Source, Tick};
use super::{Chunk, Planner, Ready};
use crate::samples::Samples;
use crate::stitch::pace::{Pace, STEPS};
use crate::stitch::replica::Ahead;

/// The shortest step in a chunk that is thought to be no denser than its average step, in units of that.
const SHORTEST: f64 = 0.875;

/// What can be done without looking at samples.
pub(super) enum Unread {
    /// A chunk came out.
    Pass,
    /// It depends on what this source has next.
    Need(usize),
    /// It depends on what is in this source's next chunk.
    Decode(usize),
    /// The next chunk of this source comes out if there is no stale marker in it.
    Look(usize),
    /// Nothing.
    No,
}

/// What is known of the samples of another replica up to the end of a chunk.
enum Calm {
    Yes,
    No,
    Need,
    Decode,
}

impl<B: PartialEq> Planner<B> {
    /// Lets the next chunk of the followed replica come out, if that can be decided.
    pub(super) fn unread<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Unread {
        if std::mem::take(&mut self.passes_if_live) && self.followed_is_live() {
            self.pass();
            return Unread::Pass;
        }
        if let Some(source) = self.sources.iter().position(Source::looks_back) {
            return Unread::Decode(source);
        }
        self.stitch.pass_over(columns);
        self.drop_covered();
        if let Some(source) =
            self.sources.iter().enumerate().position(|(source, state)| {
                !state.has_queued() && !state.exhausted && !self.has_unread(source)
            })
        {
            return Unread::Need(source);
        }
        let mut followed = std::mem::take(&mut self.followed);
        self.next_followed(&mut followed, columns);
        if self.is_over(&followed) {
            self.drop_rest();
        }
        let decision = self.decide(&followed, columns);
        let dropped = matches!(decision, Unread::No | Unread::Decode(_)) && self.drop_before(&followed);
        self.followed = followed;
        match decision {
            Unread::Pass => self.pass(),
            Unread::Look(_) => self.passes_if_live = true,
            _ if dropped => return Unread::Pass,
            _ => {}
        }
        decision
    }

    /// Whether the next chunk of the followed replica is known to have no stale marker.
    fn followed_is_live(&self) -> bool {
        let next = self.followed.first().and_then(|&source| self.sources[source].queue().next());
        next.is_some_and(|chunk| chunk.all_live == Some(true))
    }

    /// Nobody looks at chunks of others that end before the followed replica's next one begins, if its first sample
    /// comes out whatever they hold. Whether there were any.
    fn drop_before(&mut self, followed: &[usize]) -> bool {
        let &[source] = followed else { return false };
        let Some(chunk) = self.sources[source].queue().next().filter(|_| !self.has_unread(source)) else {
            return false;
        };
        let (first_ms, Some(last_ms), Some(true)) = (chunk.min_ms, self.stitch.last_ms, chunk.all_live)
        else {
            return false;
        };
        let Some(pace) = self.stitch.replicas[source].pace else { return false };
        if !self.stitch.last_is_live() || !pace.is_normal(last_ms.abs_diff(first_ms)) {
            return false;
        }
        let ends_before =
            |state: &Source<B>| state.queue().next().is_some_and(|next| next.max_ms <= first_ms);
        let mut others = (0..self.sources.len()).filter(|&other| other != source);
        if !others.clone().any(|other| ends_before(&self.sources[other]))
            || !others.all(|other| matches!(self.calm(other, first_ms, pace), Calm::Yes))
        {
            return false;
        }
        for other in (0..self.sources.len()).filter(|&other| other != source) {
            while ends_before(&self.sources[other]) {
                self.leave(other);
            }
        }
        true
    }

    /// Nobody looks at the next chunk of a source, nor at what is left of its column.
    fn leave(&mut self, source: usize) {
        self.sources[source].leave_unread();
        self.stitch.hide(source);
        self.counts.dropped += 1;
    }

    /// Tells what is known of samples that nobody has looked at.
    pub(super) fn look_ahead(&mut self) {
        for (replica, state) in self.stitch.replicas.iter_mut().zip(&self.sources) {
            let last_ms = self.stitch.last_ms;
            replica.ahead = state.queue().next().filter(|_| state.asked.is_none()).map(|next| {
                let from_ms =
                    last_ms.map_or(next.min_ms, |last_ms| next.min_ms.max(last_ms.saturating_add(1)));
                let tick = state.tick.filter(|tick| tick.is_no_denser(next));
                let seam_ms = replica.window_end_ms().map_or(u64::MAX, |end_ms| next.min_ms.abs_diff(end_ms));
                let Some(tick) = tick else { return Ahead { from_ms, shortest_ms: 0, to_ms: i64::MIN } };
                Ahead {
                    from_ms,
                    shortest_ms: seam_ms.min((tick.ms * SHORTEST) as u64),
                    to_ms: next.max_ms.saturating_sub((tick.ms * (STEPS + 1) as f64) as i64),
                }
            });
        }
    }

    /// Nobody looks at chunks that end before the last sample that came out.
    fn drop_covered(&mut self) {
        let Some(last_ms) = self.stitch.last_ms else { return };
        for (source, state) in self.sources.iter_mut().enumerate() {
            while state.asked.is_none() && state.queue().next().is_some_and(|chunk| chunk.max_ms <= last_ms) {
                state.leave_unread();
                self.stitch.hide(source);
                self.counts.dropped += 1;
            }
        }
    }

    /// Whether the followed replicas have ended, and the others go on for so little that nothing is missing.
    fn is_over(&self, followed: &[usize]) -> bool {
        let has_more = |source: usize| self.has_unread(source) || self.sources[source].has_queued();
        let (Some(last_ms), true) = (self.stitch.last_ms, self.stitch.last_is_live()) else { return false };
        if followed.is_empty() || followed.iter().any(|&source| has_more(source)) {
            return false;
        }
        let Some(pace) = followed.iter().filter_map(|&source| self.stitch.replicas[source].pace).min() else {
            return false;
        };
        self.sources.iter().enumerate().filter(|&(source, _)| has_more(source)).all(|(source, state)| {
            let tick = state.tick.filter(|&tick| is_near(tick, pace));
            // So few samples do not shorten what is thought to be the interval, nor lengthen it.
            let own = self.stitch.replicas[source].pace;
            let is_regular = own.is_some_and(|own| own.interval_ms() == pace.interval_ms())
                && state.queue().all(|next| tick.is_some_and(|tick| tick.is_no_denser(next)));
            let end_ms = state.queue().last().map(|chunk| chunk.max_ms);
            !self.has_unread(source)
                && state.exhausted
                && is_regular
                && end_ms.is_some_and(|end_ms| end_ms < last_ms.saturating_add_unsigned(pace.missed_ms()))
        })
    }

    /// Nobody looks at what is left.
    fn drop_rest(&mut self) {
        for (source, state) in self.sources.iter_mut().enumerate() {
            while state.has_queued() && state.asked.is_none() {
                state.leave_unread();
                self.stitch.hide(source);
                self.counts.dropped += 1;
            }
        }
    }

    /// Who is followed; at the start those that begin first.
    fn next_followed<S: Samples>(&self, followed: &mut Vec<usize>, columns: &impl Fn(usize) -> S) {
        followed.clear();
        followed.extend_from_slice(&self.stitch.followed);
        if followed.is_empty() {
            let head_ms = |source: usize| {
                let next_ms = || self.sources[source].queue().next().map(|chunk| chunk.min_ms);
                self.stitch.head_ms(source, columns).or_else(next_ms)
            };
            let first_ms = (0..self.sources.len()).filter_map(head_ms).min();
            followed
                .extend((0..self.sources.len()).filter(|&s| first_ms.is_some() && head_ms(s) == first_ms));
        }
    }

    fn decide<S: Samples>(&self, followed: &[usize], columns: &impl Fn(usize) -> S) -> Unread {
        if followed.is_empty() || followed.iter().any(|&source| self.has_unread(source)) {
            return Unread::No;
        }
        let mut next = followed.iter().map(|&source| self.sources[source].queue().next());
        let Some(Some(chunk)) = next.next() else { return Unread::No };
        if next.any(|other| !other.is_some_and(|other| other.is_same(chunk))) {
            return Unread::No;
        }
        let mut others = (0..self.sources.len())
            .filter(|source| !followed.contains(source))
            .filter(|&source| self.has_unread(source) || self.sources[source].has_queued());
        if others.clone().all(|other| self.is_apart(other, chunk, columns)) {
            // Where a marker may be, it must be known that the others do not live on around it.
            let matters = others.clone().any(|other| self.may_live_on(other, columns));
            match chunk.all_live {
                Some(true) => return Unread::Pass,
                _ if !matters => return Unread::Pass,
                None => return Unread::Look(followed[0]),
                Some(false) => {}
            }
        }
        let Some(pace) = self.regular(followed, chunk) else { return Unread::No };
        let passes = match chunk.all_live {
            Some(true) => Unread::Pass,
            Some(false) => return Unread::No,
            None => Unread::Look(followed[0]),
        };
        others
            .find_map(|other| match self.calm(other, chunk.max_ms, pace) {
                Calm::Yes => None,
                Calm::No => Some(Unread::No),
                Calm::Need => Some(Unread::Need(other)),
                Calm::Decode => Some(Unread::Decode(other)),
            })
            .unwrap_or(passes)
    }

    /// Whether another replica has nothing in the span of a chunk, nor from the last sample that came out to it.
    fn is_apart<S: Samples>(&self, other: usize, chunk: &Chunk<B>, columns: &impl Fn(usize) -> S) -> bool {
        self.next_ms(other, columns).is_some_and(|next_ms| next_ms > chunk.max_ms)
    }

    /// Whether another replica may have been there before, and go on without a gap.
    fn may_live_on<S: Samples>(&self, other: usize, columns: &impl Fn(usize) -> S) -> bool {
        self.has_begun(other) && !self.has_gap(other, self.next_ms(other, columns))
    }

    /// When the next sample of a replica is. Of a chunk that has begun already, it may be anywhere.
    fn next_ms<S: Samples>(&self, source: usize, columns: &impl Fn(usize) -> S) -> Option<i64> {
        self.stitch.head_ms(source, columns).or_else(|| {
            let next = self.sources[source].queue().next()?;
            Some(next.min_ms).filter(|&min_ms| self.stitch.last_ms.is_none_or(|last_ms| last_ms < min_ms))
        })
    }

    /// Whether a chunk of the followed replicas has only normal steps, from the last sample that came out on: at
    /// which pace.
    fn regular(&self, followed: &[usize], chunk: &Chunk<B>) -> Option<Pace> {
        let pace = followed.iter().filter_map(|&source| self.stitch.replicas[source].pace).min()?;
        let tick = self.sources[followed[0]].tick?;
        let from_last = self.stitch.last_ms.is_none_or(|last_ms| {
            self.stitch.last_is_live() && pace.is_normal(last_ms.abs_diff(chunk.min_ms))
        });
        let is_regular = from_last && tick.is_whole(chunk) && is_near(tick, pace);
        is_regular.then_some(pace)
    }

    /// Whether another replica is no denser than the followed one up to this time.
    fn calm(&self, other: usize, to_ms: i64, pace: Pace) -> Calm {
        let replica = &self.stitch.replicas[other];
        let state = &self.sources[other];
        let dense_ms = pace.dense_ms();
        if replica.pace.is_some_and(|own| own.interval_ms() <= dense_ms) {
            return Calm::No;
        }
        let mut end_ms = None;
        if self.has_unread(other) {
            if !replica.is_calm(pace) {
                return Calm::No;
            }
            end_ms = replica.window_end_ms();
        }
        let tick = state.tick.filter(|&tick| is_near_or_above(tick, pace));
        for next in state.queue() {
            if next.min_ms > to_ms || end_ms.is_some_and(|end_ms| end_ms >= to_ms) {
                return Calm::Yes;
            }
            if end_ms.is_some_and(|end_ms| next.min_ms.abs_diff(end_ms) <= dense_ms) {
                return Calm::No;
            }
            if !tick.is_some_and(|tick| tick.is_no_denser(next)) {
                return Calm::Decode;
            }
            end_ms = Some(next.max_ms);
        }
        if state.exhausted || end_ms.is_some_and(|end_ms| end_ms >= to_ms) { Calm::Yes } else { Calm::Need }
    }

    /// The next chunk of the followed replicas comes out.
    fn pass(&mut self) {
        self.end_begun();
        let followed = std::mem::take(&mut self.followed);
        let source = followed[0];
        let replica = &self.stitch.replicas[source];
        let continues = replica.taken.is_some() && replica.taken == Some(replica.window.at);
        let &Chunk { max_ms, all_live, .. } = self.sources[source].next();
        for &same in &followed[1..] {
            self.sources[same].leave_unread();
        }
        let number = self.sources[source].leave_unread();
        self.stitch.pass(&followed, max_ms, all_live == Some(true));
        self.counts.passed += 1;
        self.counts.collapsed += followed.len() as u64 - 1;
        self.ready.push_back(Ready::Pass { source, number, continues });
        self.followed = followed;
    }

    fn has_unread(&self, source: usize) -> bool {
        self.stitch.replicas[source].window.has_unread()
    }

    /// Whether a replica had samples before those it has now.
    fn has_begun(&self, source: usize) -> bool {
        let replica = &self.stitch.replicas[source];
        replica.hidden || replica.window.at > 0
    }

    /// Whether the step to the next sample of a replica is known to be a gap.
    fn has_gap(&self, source: usize, head_ms: Option<i64>) -> bool {
        let state = &self.sources[source];
        let (Some(head_ms), Some(behind_ms)) = (head_ms, state.looked_at_to_ms()) else { return false };
        let (Some(pace), Some(tick)) = (self.stitch.replicas[source].pace, state.tick) else { return false };
        let is_regular = state.queue().next().is_some_and(|next| next.samples > 1 && tick.is_whole(next));
        !self.has_unread(source)
            && is_regular
            && is_near(tick, pace)
            && head_ms.abs_diff(behind_ms) >= pace.gap_ms()
    }
}

/// Whether steps of this length, more or less, are normal at a pace.
fn is_near(tick: Tick, pace: Pace) -> bool {
    is_near_or_above(tick, pace) && tick.ms < pace.interval_ms() as f64 * 1.33
}

fn is_near_or_above(tick: Tick, pace: Pace) -> bool {
    tick.ms > pace.interval_ms() as f64 * 0.86
}
