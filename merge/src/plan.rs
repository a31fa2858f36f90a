//! `stitch` over encoded chunks, most of which nobody has to decode.
//!
//! A chunk says when its first and its last sample are, and how many there are. Where the interval is known,
//! that is enough: `n` samples at an interval of `s` that span `(n - 1) s`, give or take a quarter of one, lack
//! none. So a followed replica's chunk that is *whole* comes out as bytes, and what the others have in its
//! span is dropped unread. Chunks that are alone in their span come out as bytes too; of byte-identical ones
//! one does. Samples are needed only around a hole: the [`Planner`] asks for those chunks to be decoded, lets
//! [`Stitch`] decide, and still hands on as bytes what came out of them as a whole.
//!
//! The samples that come out are those that [`Stitch`] would let out if everything was decoded, provided that
//! a whole chunk has no step of 0.75 intervals or less, or of 1.5 or more. Scrapes that are early or late by up
//! to a 32nd of the interval cannot break that. (Were one scrape missing in a chunk and another one taken
//! twice, its count would not show it, and the hole would stay. Nothing worse can happen.) A chunk of another
//! replica need not be whole to be dropped: one that lacks a few samples is no denser than the followed one
//! either, as its span, longer by as many intervals, shows.

mod held;
mod unread;

use std::collections::VecDeque;
use std::fmt;

use crate::order::OutOfOrder;
use crate::resolve::Run;
use crate::samples::Samples;
use crate::stitch::replica::Wait;
use crate::stitch::{Hints, Stitch};
use held::Source;
use unread::Unread;

/// An encoded chunk of one source, as far as it is known without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<B> {
    /// The timestamp of the first sample, in milliseconds.
    pub min_ms: i64,
    /// The timestamp of the last sample.
    pub max_ms: i64,
    /// How many samples there are.
    pub samples: usize,
    /// Whether none of them is a stale marker, if that is known. Where it is not, the planner asks when it matters
    /// ([`PlanStep::Look`]): never of a chunk that is dropped, nor of one that is alone.
    pub all_live: Option<bool>,
    /// What is equal exactly if two chunks are: the bytes themselves. Compared only when all else is equal.
    pub bytes: B,
}

/// Merges the chunks of one series from several sources under the policy of [`Stitch`], as a state machine.
///
/// Chunks go in as they arrive ([`supply`](Self::supply)), [`poll`](Self::poll) says what to do next. Of each
/// source there is at most one column of decoded samples, which the caller keeps; the planner names the
/// chunk whose samples are to be appended to it, and shows in [`PlanStep::Run`] which of them come out.
///
/// What comes out under [`PlanStep::Pass`] and [`PlanStep::Run`] is in order of time. The caller encodes runs
/// into chunks of its own, and ends the one at hand before it hands on a chunk that passes.
///
/// # Cost
/// `O(k)` for each chunk that is not decoded, of `k` sources. Held are of each source the chunks in the span
/// of the followed one's next, the one before, and the column: that of one chunk, if they are equally long,
/// of two where they meet.
///
/// ```
/// use promha_merge::{Chunk, Hints, PlanStep, Planner, Floats};
///
/// // Two replicas, scraped every 10 s. The second one is 200 ms later and lacks a sample.
/// let chunk = |min_ms, max_ms, samples, bytes| Chunk { min_ms, max_ms, samples, all_live: Some(true), bytes };
/// let mut planner = Planner::new(2, Hints { interval_ms: Some(10_000), counter: false });
/// planner.supply(0, chunk(0, 1_190_000, 120, "a1"))?;
/// planner.supply(1, chunk(200, 1_200_200, 120, "b1"))?;
/// planner.supply(0, chunk(1_200_000, 2_390_000, 120, "a2"))?;
/// let mut columns = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
/// let mut passed = Vec::new();
/// loop {
///     match planner.poll(|source: usize| Floats::new(&columns[source].0, &columns[source].1))? {
///         PlanStep::Pass { chunk, .. } => passed.push(chunk.bytes),
///         PlanStep::Need(source) => planner.exhaust(source),
///         PlanStep::Decode { source, keep_from, chunk } => {
///             // This would be the place for a decoder.
///             let (at_ms, values) = &mut columns[source];
///             at_ms.drain(..keep_from);
///             values.drain(..keep_from);
///             let missing = usize::from(chunk.bytes == "b1") * 60;
///             for i in (0..=120).filter(|&i| i != missing && chunk.min_ms + i as i64 * 10_000 <= chunk.max_ms) {
///                 at_ms.push(chunk.min_ms + i as i64 * 10_000);
///                 values.push(0.0);
///             }
///             planner.decoded(source);
///         }
///         PlanStep::Look { .. } => unreachable!("all are known to be live"),
///         PlanStep::Run(run) => unreachable!("nothing has to be encoded: {run:?}"),
///         PlanStep::Done => break,
///     }
/// }
/// assert_eq!(passed, ["a1", "a2"]);
/// let counts = planner.counts();
/// assert_eq!((counts.passed, counts.dropped, counts.decoded), (2, 1, 0), "b1 lacks more than a1 does");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Planner<B> {
    stitch: Stitch,
    sources: Vec<Source<B>>,
    ready: VecDeque<Ready>,
    /// What came out of a decoded chunk from its first sample on, but is not the whole of it yet.
    begun: Option<Run>,
    counts: Counts,
    /// Those whose next chunk was last decided about.
    followed: Vec<usize>,
    /// That chunk is being looked at for a stale marker, and comes out if there is none.
    passes_if_live: bool,
}

/// What became of the chunks so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Came out as bytes.
    pub passed: u64,
    /// Dropped as byte-identical to one that came out.
    pub collapsed: u64,
    /// Dropped because the followed replica lacks nothing in their span.
    pub dropped: u64,
    /// Asked to be decoded, whatever became of them; counted again each time.
    pub decoded: u64,
}

/// What a [`Planner`] wants its caller to do.
#[derive(Debug, PartialEq)]
pub enum PlanStep<'p, B> {
    /// The next chunk of this source: call [`Planner::supply`] or [`Planner::exhaust`], or the next poll asks
    /// again.
    Need(usize),
    /// Remove the samples before `keep_from` from the source's column, append those of `chunk`, and call
    /// [`Planner::decoded`]. If it cannot be decoded, call [`Planner::abandon`].
    Decode {
        /// The index of the source.
        source: usize,
        /// Samples of the column before this index are not needed any more.
        keep_from: usize,
        /// The chunk to be decoded.
        chunk: &'p Chunk<B>,
    },
    /// Look whether a stale marker is in `chunk`, and call [`Planner::looked`]. Whoever cannot tell says that there
    /// may be one: the chunk is then decoded, and comes out as bytes nevertheless where it can.
    Look {
        /// The index of the source.
        source: usize,
        /// The chunk to be looked at.
        chunk: &'p Chunk<B>,
    },
    /// This chunk comes out next, as it is.
    Pass {
        /// The index of the source.
        source: usize,
        /// The chunk.
        chunk: &'p Chunk<B>,
        /// As in [`Run::continues`]: if not, what a histogram chunk's header says about the sample before its
        /// first is void.
        continues: bool,
    },
    /// These samples of a source's column come out next.
    Run(Run),
    /// All sources are exhausted. Every later poll says so again.
    Done,
}

/// A source that does not give what it says. It is dropped: what came out of it stays valid, and the others go
/// on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// Chunks or samples are not in order of time.
    OutOfOrder(OutOfOrder<i64>),
    /// A chunk does not hold what it claims.
    Contents {
        /// The index of the source.
        source: usize,
        /// First timestamp, last timestamp and number of samples, as claimed.
        claimed: (i64, i64, usize),
        /// The same as found; no timestamps if there was no sample.
        found: (Option<i64>, Option<i64>, usize),
    },
}

/// What is to come out.
#[derive(Debug)]
enum Ready {
    /// A chunk, by its number.
    Pass {
        source: usize,
        number: u64,
        continues: bool,
    },
    Run(Run),
}

impl<B: PartialEq> Chunk<B> {
    /// Whether the samples are the same, whatever is known of them.
    fn is_same(&self, other: &Self) -> bool {
        (self.min_ms, self.max_ms, self.samples) == (other.min_ms, other.max_ms, other.samples)
            && self.bytes == other.bytes
    }
}

impl<B: PartialEq> Planner<B> {
    /// A planner for a series of that many sources, named `0..sources`, of which this is known. An interval
    /// that is known saves the decoding of the first chunk of every source.
    pub fn new(sources: usize, hints: Hints) -> Self {
        let mut planner = Self {
            stitch: Stitch::default(),
            sources: Vec::new(),
            ready: VecDeque::new(),
            begun: None,
            counts: Counts::default(),
            followed: Vec::new(),
            passes_if_live: false,
        };
        planner.reset(sources, hints);
        planner
    }

    /// Starts afresh for another series, with empty columns. Keeps the memory, and the counts.
    pub fn reset(&mut self, sources: usize, hints: Hints) {
        self.stitch.reset_with(sources, hints);
        self.sources.truncate(sources);
        self.sources.iter_mut().for_each(|source| source.reset(hints.interval_ms));
        self.sources.resize_with(sources, || Source::new(hints.interval_ms));
        self.ready.clear();
        self.begun = None;
        self.passes_if_live = false;
    }

    /// What became of the chunks so far, of all series.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The interval that the followed replica turned out to have, in milliseconds: a good hint for the next
    /// series.
    pub fn interval_ms(&self) -> Option<i64> {
        let followed = self.stitch.followed.first().and_then(|&source| self.sources.get(source));
        followed.and_then(|source| source.tick).map(|tick| tick.ms.round() as i64)
    }

    /// Hands over the next chunk of a source. Any number may be handed over before they are asked for, and
    /// are held.
    ///
    /// # Errors
    /// [`PlanError::OutOfOrder`] if the chunk begins before the one before it ends, or ends before it begins;
    /// the source is dropped. A source that does not exist or is exhausted is no error: the chunk is dropped.
    pub fn supply(&mut self, source: usize, chunk: Chunk<B>) -> Result<(), PlanError> {
        let Some(state) = self.sources.get_mut(source) else { return Ok(()) };
        if let Err((previous, next)) = state.supply(chunk) {
            self.abandon(source);
            return Err(PlanError::OutOfOrder(OutOfOrder { source, previous, next }));
        }
        Ok(())
    }

    /// Says that a source has no more chunks.
    pub fn exhaust(&mut self, source: usize) {
        if let Some(state) = self.sources.get_mut(source) {
            state.exhausted = true;
        }
    }

    /// Drops a source that has failed: what it has given and has not come out does not come.
    pub fn abandon(&mut self, source: usize) {
        self.passes_if_live = false;
        if self.begun.as_ref().is_some_and(|begun| begun.source == source) {
            self.end_begun();
        }
        if let Some(state) = self.sources.get_mut(source) {
            state.abandon();
        }
        self.stitch.abandon(source);
    }

    /// Says that the samples of the chunk that was to be decoded have been appended to the source's column.
    pub fn decoded(&mut self, source: usize) {
        if let Some(state) = self.sources.get_mut(source)
            && state.asked.take().is_some()
        {
            state.arrived = true;
            self.stitch.replicas[source].window.supply();
        }
    }

    /// Says whether the chunk that was to be looked at has no stale marker.
    pub fn looked(&mut self, source: usize, all_live: bool) {
        if let Some(chunk) = self.sources.get_mut(source).and_then(Source::next_mut) {
            chunk.all_live = Some(all_live);
        }
    }

    /// What to do next. `columns(source)` is the column of decoded samples of a source.
    ///
    /// # Errors
    /// [`PlanError`] if a source's chunk turns out not to be what it claimed to be. The source is dropped.
    pub fn poll<S: Samples>(&mut self, columns: impl Fn(usize) -> S) -> Result<PlanStep<'_, B>, PlanError> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(match ready {
                    Ready::Run(run) => PlanStep::Run(run),
                    Ready::Pass { source, number, continues } => {
                        PlanStep::Pass { source, chunk: self.sources[source].by_number(number), continues }
                    }
                });
            }
            if let Some(source) = self.sources.iter().position(|source| source.asked.is_some()) {
                return Ok(self.decode(source));
            }
            self.open(&columns)?;
            match self.unread(&columns) {
                Unread::Pass => continue,
                Unread::Need(source) => return Ok(PlanStep::Need(source)),
                Unread::Decode(source) => return Ok(self.decode(source)),
                Unread::Look(source) => {
                    return Ok(PlanStep::Look { source, chunk: self.sources[source].next() });
                }
                Unread::No => {}
            }
            self.look_ahead();
            match self.stitch.advance(&columns) {
                Ok(Some(run)) => self.collect(run),
                Ok(None) if self.begun.is_none() => return Ok(PlanStep::Done),
                Ok(None) => self.end_begun(),
                Err(Wait::Column(source)) => {
                    let state = &self.sources[source];
                    if state.has_queued() {
                        return Ok(self.decode(source));
                    } else if !state.exhausted {
                        return Ok(PlanStep::Need(source));
                    }
                    let window = &mut self.stitch.replicas[source].window;
                    window.ask(window.at);
                    window.exhaust();
                }
                Err(Wait::Tail(source)) => {
                    self.end_begun();
                    self.sources[source].look_back();
                    self.stitch.look_back(source, false);
                }
            }
        }
    }

    /// Asks for a source's next chunk to be decoded.
    fn decode(&mut self, source: usize) -> PlanStep<'_, B> {
        let replica = &mut self.stitch.replicas[source];
        let state = &mut self.sources[source];
        if state.asked.is_none() {
            if state.is_behind() {
                replica.window.ask(0);
                state.cut_all();
            } else {
                let mut keep_from = if state.looks_back() { 0 } else { replica.keep_from() };
                if let Some(begun) = self.begun.as_mut().filter(|begun| begun.source == source) {
                    keep_from = keep_from.min(begun.range.start);
                    begun.range = begun.range.start - keep_from..begun.range.end - keep_from;
                }
                replica.window.ask(keep_from);
                state.cut(keep_from);
            }
            self.counts.decoded += 1;
        }
        PlanStep::Decode { source, keep_from: state.asked.unwrap_or_default(), chunk: state.next() }
    }

    /// Looks at what has been decoded.
    fn open<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<(), PlanError> {
        for source in 0..self.sources.len() {
            let state = &mut self.sources[source];
            if std::mem::take(&mut state.arrived) {
                let column = columns(source);
                if let Err(error) = state.check(source, column.at_ms()) {
                    self.abandon(source);
                    return Err(error);
                }
            }
        }
        self.stitch.open(columns).map_err(|error| {
            self.abandon(error.source);
            PlanError::OutOfOrder(error)
        })
    }

    /// Cuts a run where chunks end. What may become a whole chunk is kept until that is known.
    fn collect(&mut self, run: Run) {
        let Run { source, mut continues, range, .. } = run;
        let mut start = range.start;
        while start < range.end {
            let chunk = self.sources[source].chunk_at(start);
            let (number, whole_start, whole_end) = chunk.unwrap_or((0, None, range.end));
            let end = whole_end.min(range.end);
            let follows = |begun: &Run| continues && begun.source == source && begun.range.end == start;
            let begun = match self.begun.take() {
                Some(begun) if follows(&begun) => Run { range: begun.range.start..end, ..begun },
                other => {
                    self.ready.extend(other.map(Ready::Run));
                    Run { source, range: start..end, continues, lift: 0.0 }
                }
            };
            if whole_start != Some(begun.range.start) {
                self.ready.push_back(Ready::Run(begun));
            } else if begun.range.end == whole_end {
                self.counts.passed += 1;
                self.ready.push_back(Ready::Pass { source, number, continues: begun.continues });
            } else {
                self.begun = Some(begun);
            }
            (start, continues) = (end, true);
        }
    }

    /// What has begun does not become a whole chunk.
    fn end_begun(&mut self) {
        self.ready.extend(self.begun.take().map(Ready::Run));
    }
}

impl PlanError {
    /// The index of the source that is at fault.
    pub fn source_index(&self) -> usize {
        match self {
            Self::OutOfOrder(error) => error.source,
            Self::Contents { source, .. } => *source,
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder(error) => error.fmt(f),
            Self::Contents { source, claimed: (min_ms, max_ms, samples), found } => {
                write!(
                    f,
                    "source {source} has a chunk that claims {samples} samples from {min_ms} to {max_ms}"
                )?;
                match found {
                    (Some(min_ms), Some(max_ms), samples) => {
                        write!(f, " and holds {samples} from {min_ms} to {max_ms}")
                    }
                    _ => f.write_str(" and holds none"),
                }
            }
        }
    }
}

impl std::error::Error for PlanError {}
