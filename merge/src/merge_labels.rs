//! The merge of sorted label sets that lie in arenas: the loser tree, with codes for keys.

use std::cmp::Ordering;

use crate::key::{self, Code, Rest};
use crate::label_arena::{Key, LabelArena};
use crate::labels::Labels;
use crate::machine::Step;
use crate::order::OutOfOrder;
use crate::tree::LoserTree;

/// Merges the label sets of several sources, as an index machine over [`LabelArena`]s of the caller.
///
/// The machine never holds an arena: each [`poll`](Self::poll) is shown the current ones and answers with a
/// [`Step`]. A source gives its label sets in any number of arenas, one after the other
/// ([`supply`](Self::supply)), each used up before the next, and ends with [`exhaust`](Self::exhaust); so the
/// same memory can be filled again and again. What belongs to a label set is the caller's affair: keep it beside
/// the arena, under the same [index](Self::index).
///
/// # Cost
/// With `k` sources a label set costs at most `ceil(log2 k)` comparisons. Nearly all of them are of two numbers
/// (offset-value codes) and touch no label; where these are the same, what has not been compared yet of the two
/// label sets is, so that equal ones are equal byte by byte; of sources that were in the last group together, that is what is
/// new in each since. While all sources that are left have the same label sets, only this is compared, many of them at a time. The
/// order of a source was found out when its arena was filled. Nothing is allocated once the machine has seen the longest label sets that end an arena.
///
/// ```
/// use promha_merge::{LabelArena, MergeLabels, Step};
///
/// let mut arenas = [LabelArena::default(), LabelArena::default()];
/// arenas[0].push(&[("job", "a")]);
/// arenas[0].push(&[("job", "c")]);
/// arenas[1].push(&[("job", "a")]);
/// let mut more = Some([("job", "b")]);
///
/// let mut merge = MergeLabels::new(arenas.len());
/// (0..arenas.len()).for_each(|source| merge.supply(source));
/// let mut seen = Vec::new();
/// loop {
///     match merge.poll(|source| &arenas[source])? {
///         Step::Tied(group) => {
///             let group = group.to_vec();
///             let (_, value) = arenas[group[0]].set(merge.index(group[0])).pairs().next().unwrap();
///             seen.push((value.to_owned(), group));
///         }
///         Step::Need(1) if more.is_some() => {
///             arenas[1].clear();
///             more.take().iter().for_each(|labels| arenas[1].push(labels));
///             merge.supply(1);
///         }
///         Step::Need(source) => merge.exhaust(source),
///         Step::Done => break,
///     }
/// }
/// assert_eq!(seen, [("a".to_owned(), vec![0, 1]), ("b".to_owned(), vec![1]), ("c".to_owned(), vec![0])]);
/// # Ok::<(), promha_merge::OutOfOrder<promha_merge::labels::Labels>>(())
/// ```
#[derive(Debug, Default)]
pub struct MergeLabels {
    sources: Vec<Source>,
    /// Of each source, how its current key differs from the last one that came out, or from the one that beat it.
    codes: Vec<Code>,
    tree: LoserTree,
    /// What the tree has not seen yet: all sources, then always the last group.
    changed: Vec<usize>,
    /// How many sources are not exhausted.
    live: usize,
    /// How many groups came out.
    groups: u64,
    /// The last step was a group.
    tied: bool,
    /// How many groups came out behind the last one that the tree has seen: label sets that all sources have.
    together: usize,
    /// How many more of these are known, and how many will be looked for next.
    ahead: usize,
    reach: usize,
    #[cfg(test)]
    duels: Duels,
}

/// How many comparisons there were.
#[cfg(test)]
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Duels {
    all: u64,
    /// Those that a look at keys had to decide.
    by_key: u64,
}

/// How a poll ends: small, because there are many.
#[derive(Debug, Clone, Copy)]
enum Polled {
    Need(usize),
    Tied,
    Done,
    /// The current key of that source is not in order.
    Disorder(usize),
}

#[derive(Debug, Clone, Default)]
struct Source {
    feed: Feed,
    /// Where its current key stands in its arena.
    index: usize,
    /// What is known of that key and of the two behind it: near, because keys are asked for one by one.
    keys: [Key; 3],
    /// The number of the group in which its key before that one came out; 0 if that one is the first of its arena.
    behind: u64,
    /// The last key of the arena before this one, if there was one.
    last_key: Vec<u64>,
    /// No key came yet.
    is_new: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Feed {
    #[default]
    Awaited,
    Supplied,
    /// The current key takes part, or came out with the last group.
    Ready,
    /// It came out before, and the next one does not take part yet.
    Taken,
    Exhausted,
}

impl MergeLabels {
    /// A merge of that many sources, named `0..sources`, which are all awaited.
    pub fn new(sources: usize) -> Self {
        let mut merge = Self::default();
        merge.reset(sources);
        merge
    }

    /// Starts afresh with that many sources, and keeps the memory.
    pub fn reset(&mut self, sources: usize) {
        self.sources.resize_with(sources, Source::default);
        for source in &mut self.sources {
            (source.feed, source.index, source.is_new) = (Feed::Awaited, 0, true);
        }
        (self.live, self.groups, self.tied) = (sources, 0, false);
        (self.together, self.ahead, self.reach) = (0, 0, 1);
        self.codes.clear();
        self.codes.resize(sources, Code::NONE);
        self.tree.reset(sources);
        self.changed.clear();
        self.changed.extend(0..sources);
    }

    /// Says that an awaited source has a new arena, to be read from its start. (An empty one is asked for again.)
    ///
    /// All sources are awaited at the start, later those that [`needed`](Self::needed) lists. Of a source that is
    /// not awaited, or does not exist, the call changes nothing.
    pub fn supply(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source).filter(|source| source.feed == Feed::Awaited) {
            source.feed = Feed::Supplied;
        }
    }

    /// Says that an awaited source has no more arenas. Of a source that is not awaited, or does not exist, the
    /// call changes nothing.
    pub fn exhaust(&mut self, source: usize) {
        if let Some(state) = self.sources.get_mut(source).filter(|source| source.feed == Feed::Awaited) {
            state.feed = Feed::Exhausted;
            self.codes[source] = Code::NONE;
            self.live -= 1;
        }
    }

    /// All sources whose next arena is wanted, ascending: the one that [`Step::Need`] named, and those that it
    /// would name next.
    pub fn needed(&self) -> impl Iterator<Item = usize> {
        self.changed.iter().copied().filter(|&source| self.sources[source].feed == Feed::Awaited)
    }

    /// Where the label set of a source that was in the last group stands in its arena.
    ///
    /// # Panics
    /// If there is no such source.
    pub fn index(&self, source: usize) -> usize {
        self.sources[source].index + self.together
    }

    /// The last group: what [`Step::Tied`] has shown.
    pub(crate) fn group(&self) -> &[usize] {
        &self.changed
    }

    /// What to do next. `arenas(source)` is the current arena of a source that was supplied; it must stay the same
    /// until the source is asked for again.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the next label set of a source is not greater than the one before it. The source is
    /// exhausted by that; the others can go on.
    #[inline]
    pub fn poll<'a>(
        &mut self,
        arenas: impl Fn(usize) -> &'a LabelArena,
    ) -> Result<Step<'_>, OutOfOrder<Labels>> {
        let have_all = self.tied && self.changed.len() == self.live;
        if self.ahead > 0 || have_all && self.look_together(&arenas) {
            self.ahead -= 1;
            self.together += 1;
            #[cfg(test)]
            {
                let duels = self.changed.len() as u64 - 1;
                self.duels = Duels { all: self.duels.all + duels, by_key: self.duels.by_key + duels };
            }
            return Ok(Step::Tied(&self.changed));
        }
        match self.poll_tree(&arenas) {
            Polled::Tied => Ok(Step::Tied(&self.changed)),
            Polled::Need(source) => Ok(Step::Need(source)),
            Polled::Done => Ok(Step::Done),
            Polled::Disorder(source) => Err(self.sources[source].disorder(source, arenas(source))),
        }
    }

    /// The same where it takes the tree.
    #[inline]
    fn poll_tree<'a>(&mut self, arenas: &impl Fn(usize) -> &'a LabelArena) -> Polled {
        let tied = std::mem::take(&mut self.tied);
        let together = std::mem::take(&mut self.together);
        if together > 0 {
            self.groups += together as u64;
            for &source in &self.changed {
                self.sources[source].index += together;
                self.sources[source].look_ahead(arenas(source));
            }
        }
        match *self.changed {
            // Nearly all there is to do where sources have little in common.
            [source] if tied && self.sources[source].can_step() => {
                self.codes[source] = self.sources[source].step(arenas(source), self.groups, false);
                self.play(Some(source), arenas);
            }
            _ => {
                if tied {
                    self.changed.iter().for_each(|&source| self.sources[source].feed = Feed::Taken);
                }
                if let Some(polled) = self.advance(arenas) {
                    return polled;
                }
                self.play(None, arenas);
            }
        }
        if self.codes.get(self.tree.winner()).is_none_or(|&code| code == Code::NONE) {
            self.changed.clear();
            return Polled::Done;
        }
        self.tree.tied_with_winner(&mut self.changed);
        self.groups += 1;
        self.tied = true;
        Polled::Tied
    }

    /// Looks how many label sets behind the last group, which was of all sources, all of them have again. These need no tree.
    #[inline(never)]
    fn look_together<'a>(&mut self, arenas: &impl Fn(usize) -> &'a LabelArena) -> bool {
        const FARTHEST: usize = 64;
        let [first, ref others @ ..] = *self.changed else { return false };
        let next = |source: usize| self.sources[source].index + self.together + 1;
        let (arena, index) = (arenas(first), next(first));
        self.ahead = arena.in_order_from(index).min(self.reach);
        for &source in others {
            self.ahead = arena.same_deltas(index, arenas(source), next(source), self.ahead);
        }
        self.reach = if self.ahead == self.reach { FARTHEST.min(2 * self.reach) } else { 1 };
        self.ahead > 0
    }

    /// Takes the sources that the tree has not seen yet to their next keys. Nothing if that is done; an arena may be owed,
    /// or a key not in order.
    fn advance<'a>(&mut self, arenas: &impl Fn(usize) -> &'a LabelArena) -> Option<Polled> {
        let mut owing = None;
        let shared = self.changed.len() > 1;
        for &source in &self.changed {
            let state = &mut self.sources[source];
            match state.next_code(arenas, source, self.groups, shared) {
                Some(Code::DISORDER) => {
                    state.feed = Feed::Exhausted;
                    self.codes[source] = Code::NONE;
                    self.live -= 1;
                    return Some(Polled::Disorder(source));
                }
                Some(code) => self.codes[source] = code,
                None if state.feed == Feed::Awaited => owing = owing.or(Some(source)),
                None => {}
            }
        }
        owing.map(Polled::Need)
    }

    #[inline]
    fn play<'a>(&mut self, alone: Option<usize>, arenas: &impl Fn(usize) -> &'a LabelArena) {
        let Self { sources, codes, tree, changed, .. } = self;
        #[cfg(test)]
        let duels = &mut self.duels;
        let duel = |a: usize, b: usize, code: Code| {
            #[cfg(test)]
            (duels.by_key += 1);
            let ((a, a_arena), (b, b_arena)) = ((&sources[a], arenas(a)), (&sources[b], arenas(b)));
            if a.behind == b.behind && a_arena.delta(a.index) == b_arena.delta(b.index) {
                return (Ordering::Equal, code);
            }
            key::order_same(code, a.rest(a_arena), b.rest(b_arena))
        };
        let _played = match alone {
            Some(source) => tree.play_codes_alone(source, codes, duel),
            None => tree.play_codes(changed, codes, duel),
        };
        #[cfg(test)]
        (duels.all += _played);
    }
}

impl Source {
    /// The key behind its current one is in the same arena, and in order.
    #[inline]
    fn can_step(&self) -> bool {
        self.keys[1].code < Code::DISORDER
    }

    /// Goes on to the next key, which is in the same arena: how it differs from the one before it.
    #[inline]
    fn step(&mut self, arena: &LabelArena, behind: u64, shared: bool) -> Code {
        self.index += 1;
        self.behind = behind;
        self.feed = Feed::Ready;
        self.keys = [self.keys[1], self.keys[2], arena.key(self.index + 2)];
        arena.prefetch(self.index + 2, shared);
        self.keys[0].code
    }

    fn look_ahead(&mut self, arena: &LabelArena) {
        self.keys = [0, 1, 2].map(|ahead| arena.key(self.index + ahead));
    }

    /// What may have to be compared of its current key.
    #[inline]
    fn rest<'a>(&self, arena: &'a LabelArena) -> Rest<'a> {
        arena.rest(self.keys[0], self.keys[1])
    }

    /// Goes on to the next key, if the last one came out: how it differs from that. `None` if nothing changes, or
    /// there is none.
    #[inline]
    fn next_code<'a>(
        &mut self,
        arenas: &impl Fn(usize) -> &'a LabelArena,
        source: usize,
        behind: u64,
        shared: bool,
    ) -> Option<Code> {
        match self.feed {
            Feed::Taken => {
                let arena = arenas(source);
                if self.keys[1].code != Code::NONE {
                    return Some(self.step(arena, behind, shared));
                }
                self.last_key.clear();
                self.last_key.extend_from_slice(arena.last_key());
                self.feed = Feed::Awaited;
                None
            }
            Feed::Supplied => {
                let arena = arenas(source);
                if arena.is_empty() {
                    self.feed = Feed::Awaited;
                    return None;
                }
                (self.index, self.behind, self.feed) = (0, 0, Feed::Ready);
                self.look_ahead(arena);
                let is_new = std::mem::take(&mut self.is_new);
                Some(if is_new {
                    self.keys[0].code
                } else {
                    key::code_after(&self.last_key, arena.first_key())
                })
            }
            Feed::Awaited | Feed::Ready | Feed::Exhausted => None,
        }
    }

    fn disorder(&self, source: usize, arena: &LabelArena) -> OutOfOrder<Labels> {
        let previous = match self.index {
            0 => key::labels(&self.last_key),
            index => arena.set(index - 1).to_labels(),
        };
        OutOfOrder { source, previous, next: arena.set(self.index).to_labels() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arenas(sources: usize, series: usize, holds: impl Fn(usize, usize) -> bool) -> Vec<LabelArena> {
        let filled = (0..sources).map(|source| {
            let mut arena = LabelArena::default();
            for number in (0..series).filter(|&number| holds(source, number)) {
                // What differs stands in one word: the fifth six bytes.
                let instance = format!("abc{number:06}");
                arena.push(&[("__name__", "up"), ("instance", &instance), ("job", "node")]);
            }
            arena
        });
        filled.collect()
    }

    /// The size of each group, and what it cost to find it.
    fn run(arenas: &[LabelArena]) -> Vec<(usize, Duels)> {
        let mut merge = MergeLabels::new(arenas.len());
        (0..arenas.len()).for_each(|source| merge.supply(source));
        let mut groups = Vec::new();
        loop {
            match merge.poll(|source| &arenas[source]).unwrap() {
                Step::Need(source) => merge.exhaust(source),
                Step::Tied(group) => {
                    let size = group.len();
                    groups.push((size, std::mem::take(&mut merge.duels)));
                }
                Step::Done => return groups,
            }
        }
    }

    /// `2^n` shards of series whose keys differ in one word: a key costs one comparison a level, of two numbers.
    #[test]
    fn a_label_set_costs_exactly_one_comparison_a_level() {
        for sources in [1, 2, 4, 8, 16, 32, 64] {
            let arenas = arenas(sources, 50 * sources, |source, number| number * 37 % sources == source);
            let groups = run(&arenas);
            assert_eq!(groups.len(), 50 * sources);
            let levels = u64::from(sources.ilog2());
            assert_eq!(groups[0], (1, Duels { all: sources as u64 - 1, by_key: sources as u64 - 1 }));
            for (number, group) in groups.iter().enumerate().skip(1).take(groups.len() - 2 * sources) {
                assert_eq!(
                    *group,
                    (1, Duels { all: levels, by_key: 0 }),
                    "{sources} sources, series {number}"
                );
            }
        }
    }

    /// Replicas: each round is one tournament, and every duel in it is decided by the bytes, because all are equal.
    #[test]
    fn equal_label_sets_are_confirmed_once_each() {
        for sources in [1, 2, 3, 5, 8, 64] {
            let groups = run(&arenas(sources, 20, |_, _| true));
            let duels = sources as u64 - 1;
            assert_eq!(groups, vec![(sources, Duels { all: duels, by_key: duels }); 20]);
        }
    }
}
