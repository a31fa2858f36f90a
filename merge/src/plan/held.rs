//! The chunks of one source that are held: behind what came out, in the column, and still to come.

use std::collections::VecDeque;

use super::{Chunk, PlanError};
use crate::stitch::pace::STEPS;

/// So many samples that have come out, or have been passed over, can be looked at again: as an interval is learned from.
const BEHIND: usize = STEPS + 1;

#[derive(Debug)]
pub(super) struct Source<B> {
    /// First those that are done with, then those in the column, then those that nobody has looked at.
    chunks: VecDeque<Held<B>>,
    opened: usize,
    queued: usize,
    column_len: usize,
    /// The number of the first one held.
    first_number: u64,
    /// Chunks up to this number are to be decoded again.
    again: u64,
    /// The column is no longer what stands right before the next chunk.
    is_behind: bool,
    /// A chunk was asked to be decoded, and the column to be cut at this index.
    pub(super) asked: Option<usize>,
    /// It has been.
    pub(super) arrived: bool,
    pub(super) exhausted: bool,
    last_ms: Option<i64>,
    pub(super) tick: Option<Tick>,
}

/// The interval of a source, much more exactly than where a gap has to be told from a late scrape: a chunk with
/// 120 samples that lacks one is only 0.8 % longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick {
    pub(super) ms: f64,
    /// How many intervals it was measured over: of a longer chunk it says too little.
    over: usize,
    /// Nothing that was seen of the source has confirmed it.
    is_guess: bool,
}

#[derive(Debug)]
struct Held<B> {
    chunk: Chunk<B>,
    /// Where it stands in the column, if it does; its beginning may have been cut.
    start: isize,
}

impl<B> Source<B> {
    pub(super) fn new(interval_ms: Option<i64>) -> Self {
        let mut source = Self {
            chunks: VecDeque::new(),
            opened: 0,
            queued: 0,
            column_len: 0,
            first_number: 0,
            again: 0,
            is_behind: false,
            asked: None,
            arrived: false,
            exhausted: false,
            last_ms: None,
            tick: None,
        };
        source.reset(interval_ms);
        source
    }

    /// The caller empties the column.
    pub(super) fn reset(&mut self, interval_ms: Option<i64>) {
        self.abandon();
        self.column_len = 0;
        self.exhausted = false;
        self.last_ms = None;
        let interval_ms = interval_ms.filter(|&ms| ms > 0);
        self.tick = interval_ms.map(|ms| Tick { ms: ms as f64, over: usize::MAX, is_guess: true });
    }

    pub(super) fn abandon(&mut self) {
        self.first_number += self.chunks.len() as u64;
        self.chunks.clear();
        (self.opened, self.queued, self.is_behind) = (0, 0, false);
        (self.asked, self.arrived) = (None, false);
        self.exhausted = true;
    }

    /// The timestamps that are in the wrong order, if two are.
    pub(super) fn supply(&mut self, chunk: Chunk<B>) -> Result<(), (i64, i64)> {
        if self.exhausted || chunk.samples == 0 {
            return Ok(());
        }
        if chunk.max_ms < chunk.min_ms {
            return Err((chunk.min_ms, chunk.max_ms));
        }
        if let Some(last_ms) = self.last_ms.filter(|&last_ms| chunk.min_ms <= last_ms) {
            return Err((last_ms, chunk.min_ms));
        }
        self.last_ms = Some(chunk.max_ms);
        self.chunks.push_back(Held { chunk, start: 0 });
        Ok(())
    }

    pub(super) fn has_queued(&self) -> bool {
        self.queued < self.chunks.len()
    }

    /// The chunks that nobody has looked at.
    pub(super) fn queue(&self) -> impl Iterator<Item = &Chunk<B>> {
        self.chunks.range(self.queued..).map(|held| &held.chunk)
    }

    /// The first chunk that nobody has looked at, which must be there.
    pub(super) fn next(&self) -> &Chunk<B> {
        &self.chunks[self.queued].chunk
    }

    pub(super) fn next_mut(&mut self) -> Option<&mut Chunk<B>> {
        self.chunks.get_mut(self.queued).map(|held| &mut held.chunk)
    }

    /// The end of what stands before the chunks that nobody has looked at, be it in the column or behind it.
    pub(super) fn looked_at_to_ms(&self) -> Option<i64> {
        let last = self.queued.checked_sub(1)?;
        self.chunks.get(last).map(|held| held.chunk.max_ms)
    }

    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    pub(super) fn by_number(&self, number: u64) -> &Chunk<B> {
        &self.chunks[(number - self.first_number) as usize].chunk
    }

    /// Nobody has to look at the next chunk. Its number.
    pub(super) fn leave_unread(&mut self) -> u64 {
        let chunk = &self.chunks[self.queued].chunk;
        if let Some(tick) = self.tick.as_mut().filter(|tick| tick.is_whole(chunk)) {
            tick.is_guess = false;
        }
        self.queued += 1;
        self.opened = self.queued;
        self.is_behind = true;
        self.forget();
        self.first_number + self.opened as u64 - 1
    }

    /// The samples of the column from `keep_from` on remain, and the next chunk will follow.
    pub(super) fn cut(&mut self, keep_from: usize) {
        for held in self.chunks.range_mut(self.opened..self.queued) {
            held.start -= keep_from as isize;
        }
        while self.opened < self.queued {
            let Held { chunk, start } = &self.chunks[self.opened];
            if start + chunk.samples as isize > 0 {
                break;
            }
            self.opened += 1;
        }
        self.forget();
        self.column_len -= keep_from;
        self.chunks[self.queued].start = self.column_len as isize;
        self.asked = Some(keep_from);
    }

    /// Nothing of the column remains, which may have been given up before, and the next chunk will follow.
    pub(super) fn cut_all(&mut self) {
        self.opened = self.queued;
        self.cut(self.column_len);
        self.is_behind = false;
    }

    /// All that is behind and in the column is to be decoded again.
    pub(super) fn look_back(&mut self) {
        self.again = self.first_number + self.queued as u64;
        (self.opened, self.queued) = (0, 0);
        self.is_behind = true;
    }

    /// Whether the next chunk is one that is to be decoded again.
    pub(super) fn looks_back(&self) -> bool {
        self.first_number + (self.queued as u64) < self.again
    }

    /// Whether the next chunk, which is in the column now, is what it claims.
    pub(super) fn check(&mut self, source: usize, column_ms: &[i64]) -> Result<(), PlanError> {
        let Held { chunk, start } = &self.chunks[self.queued];
        let times_ms = column_ms.get(*start as usize..).unwrap_or_default();
        let found = (times_ms.first().copied(), times_ms.last().copied(), times_ms.len());
        let claimed = (chunk.min_ms, chunk.max_ms, chunk.samples);
        if found != (Some(claimed.0), Some(claimed.1), claimed.2) {
            return Err(PlanError::Contents { source, claimed, found });
        }
        self.tick = match (self.tick, Tick::measure(self.tick, times_ms)) {
            (Some(known), Some(measured)) if !known.is_guess && known.agrees(measured) => Some(known),
            (known, measured) => measured.or(known),
        };
        self.column_len += chunk.samples;
        self.queued += 1;
        Ok(())
    }

    /// The number of the chunk that has a sample of the column, and where it stands in it: its end, and its
    /// start if that is not gone.
    pub(super) fn chunk_at(&self, index: usize) -> Option<(u64, Option<usize>, usize)> {
        let in_column = self.chunks.range(self.opened..self.queued);
        in_column.enumerate().find_map(|(i, Held { chunk, start })| {
            let end = usize::try_from(start + chunk.samples as isize).ok()?;
            let number = self.first_number + (self.opened + i) as u64;
            (index < end).then_some((number, usize::try_from(*start).ok(), end))
        })
    }

    /// Lets go of what is too far behind.
    fn forget(&mut self) {
        let mut behind: usize = self.chunks.range(..self.opened).map(|held| held.chunk.samples).sum();
        while self.opened > 1 {
            behind -= self.chunks[0].chunk.samples;
            if behind < BEHIND {
                break;
            }
            self.chunks.pop_front();
            self.first_number += 1;
            self.opened -= 1;
            self.queued -= 1;
        }
    }
}

/// The steps that are a certain one, give or take an eighth.
struct Near {
    from_ms: u64,
    width_ms: u64,
    count: usize,
    total_ms: u64,
}

impl Near {
    fn of(step_ms: u64, times_ms: &[i64]) -> Self {
        let near = Self { from_ms: step_ms - step_ms / 8, width_ms: step_ms / 4, count: 0, total_ms: 0 };
        let later = times_ms.get(1..).unwrap_or_default();
        // Without branches, so that several are looked at at a time.
        times_ms.iter().zip(later).fold(near, |near, (&a_ms, &b_ms)| {
            let step_ms = b_ms.wrapping_sub(a_ms) as u64;
            let has = near.has(step_ms);
            let total_ms = near.total_ms.wrapping_add(if has { step_ms } else { 0 });
            Self { count: near.count + usize::from(has), total_ms, ..near }
        })
    }

    fn has(&self, step_ms: u64) -> bool {
        step_ms.wrapping_sub(self.from_ms) <= self.width_ms
    }
}

impl Tick {
    /// The average step between the samples of a chunk, those that are missing counted. A few do not tell
    /// enough.
    fn measure(known: Option<Self>, times_ms: &[i64]) -> Option<Self> {
        const ENOUGH: usize = 8;
        if times_ms.len() <= ENOUGH {
            return None;
        }
        // What is known is right in all but a few cases, and the median is not to be had as cheaply.
        let most_are_near = |near: &Near| near.count * 2 >= times_ms.len();
        let near = known.map(|known| Near::of(known.ms as u64, times_ms)).filter(most_are_near);
        let near = near.unwrap_or_else(|| Near::of(Self::median_ms(times_ms), times_ms));
        let mut ticks = near.count as u64;
        if near.count < times_ms.len() - 1 {
            let average_ms = near.total_ms / near.count.max(1) as u64;
            let others = times_ms.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
            let others = others.filter(|&step_ms| !near.has(step_ms));
            ticks +=
                others.map(|step_ms| ((step_ms + average_ms / 2) / average_ms.max(1)).max(1)).sum::<u64>();
        }
        let span_ms = times_ms[times_ms.len() - 1].abs_diff(times_ms[0]) as f64;
        Some(Self { ms: span_ms / ticks as f64, over: ticks as usize, is_guess: false })
    }

    /// The median of the first steps.
    fn median_ms(times_ms: &[i64]) -> u64 {
        const MOST: usize = 64;
        let mut some_ms = [0; MOST];
        let mut count = 0;
        for (step_ms, pair) in some_ms.iter_mut().zip(times_ms.windows(2)) {
            *step_ms = pair[0].abs_diff(pair[1]).max(1);
            count += 1;
        }
        *some_ms[..count].select_nth_unstable(count / 2).1
    }

    /// Whether a chunk lacks no sample, and no step in it is much longer than the others.
    pub(super) fn is_whole<B>(&self, chunk: &Chunk<B>) -> bool {
        self.is_whole_over(chunk, 0.0)
    }

    /// The same of a chunk that would be shorter by that much, were nothing missing.
    fn is_whole_over<B>(&self, chunk: &Chunk<B>, longer_ms: f64) -> bool {
        // So many samples are not in such a span by chance.
        const ENOUGH: usize = 16;
        let steps = chunk.samples - 1;
        let span_ms = chunk.max_ms.abs_diff(chunk.min_ms) as f64;
        steps <= self.over
            && (chunk.samples >= ENOUGH || !self.is_guess)
            && (span_ms - longer_ms - steps as f64 * self.ms).abs() < self.ms / 4.0
    }

    /// Whether the steps in a chunk are no shorter than they should be: it is whole, or lacks a few samples, whose
    /// intervals are all that it is longer by.
    pub(super) fn is_no_denser<B>(&self, chunk: &Chunk<B>) -> bool {
        let steps = chunk.samples - 1;
        let ticks = (chunk.max_ms.abs_diff(chunk.min_ms) as f64 / self.ms + 0.5) as u64;
        let lacking = ticks as f64 - steps as f64;
        let is_enough = 0.0 <= lacking && lacking <= steps as f64 / 8.0;
        is_enough && self.is_whole_over(chunk, self.ms * lacking)
    }

    /// Whether what is measured now is no news.
    fn agrees(&self, now: Self) -> bool {
        now.over <= self.over && (self.ms - now.ms).abs() * (now.over as f64) < now.ms / 4.0
    }
}
