//! The merge of sorted label sets that lie in arenas: the loser tree, with codes for keys.

mod source;

use std::cmp::Ordering;

use crate::key::{self, Code};
use crate::label_arena::LabelArena;
use crate::labels::Labels;
use crate::machine::Step;
use crate::order::OutOfOrder;
use crate::tree::LoserTree;

use source::{Feed, Source};

/// So many groups are looked for at once, where that needs nobody.
const FARTHEST: usize = 64;

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
/// new in each since. While all sources that are left have the same label sets, only this is compared, and while no two have the same,
/// the tree is played on: up to 64 of them at a time, of which the next polls tell. The order of a source was found out when its arena was
/// filled. Nothing is allocated once the machine has seen the longest label sets that end an arena.
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
    /// Of each source that the tree has not seen yet, how its current key differs from the last one that came out.
    codes: Vec<Code>,
    tree: LoserTree,
    /// What the tree has not seen yet: all sources, then always the last group that was found.
    changed: Vec<usize>,
    /// The groups that were found before that one, at the same time.
    alone: Alone,
    /// How many of all these came out.
    out: usize,
    /// How many sources are not exhausted.
    live: usize,
    /// How many groups the tree found.
    groups: u64,
    /// A group was found last.
    tied: bool,
    /// How many groups came out behind the last one that the tree has seen: label sets that all sources have.
    together: usize,
    /// How many more of these are known, and how many will be looked for next.
    ahead: usize,
    reach: usize,
    /// For each group.
    #[cfg(test)]
    duels: Vec<Duels>,
}

/// How many comparisons there were.
#[cfg(test)]
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Duels {
    all: u64,
    /// Those that a look at keys had to decide.
    by_key: u64,
}

/// Groups of one source each: these sources, and where their label sets stand.
#[derive(Debug)]
struct Alone {
    sources: [usize; FARTHEST],
    indexes: [usize; FARTHEST],
    len: usize,
}

impl Default for Alone {
    fn default() -> Self {
        Self { sources: [0; FARTHEST], indexes: [0; FARTHEST], len: 0 }
    }
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
        (self.alone.len, self.out) = (0, 0);
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

    /// Where the label set of a source that was in the last group stands in its arena. Of another source it says nothing.
    ///
    /// # Panics
    /// At times, if there is no such source.
    #[inline]
    pub fn index(&self, source: usize) -> usize {
        match self.last_alone() {
            Some(at) => self.alone.indexes[at],
            None => self.sources[source].index + self.together,
        }
    }

    /// The last group: what [`Step::Tied`] has shown.
    pub(crate) fn group(&self) -> &[usize] {
        match self.last_alone() {
            Some(at) => &self.alone.sources[at..=at],
            None => &self.changed,
        }
    }

    fn last_alone(&self) -> Option<usize> {
        self.out.checked_sub(1).filter(|&at| at < self.alone.len)
    }

    /// The groups of one source each that were found at the same time as the last group, which is one of them: these sources, and where
    /// their label sets stand. None if the last group is not of that kind.
    pub(crate) fn alone(&self) -> (&[usize], &[usize]) {
        let len = self.last_alone().map_or(0, |_| self.alone.len);
        (&self.alone.sources[..len], &self.alone.indexes[..len])
    }

    /// Takes the next group, if it is one of those: which one.
    #[inline]
    pub(crate) fn next_alone(&mut self) -> Option<usize> {
        let at = self.out;
        (at < self.alone.len).then(|| {
            self.out = at + 1;
            at
        })
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
        if let Some(at) = self.next_alone() {
            return Ok(Step::Tied(&self.alone.sources[at..=at]));
        }
        if self.tied && self.out == self.alone.len {
            self.out += 1;
            return Ok(Step::Tied(&self.changed));
        }
        let have_all = self.tied && self.changed.len() == self.live;
        if self.ahead > 0 || have_all && self.look_together(&arenas) {
            self.ahead -= 1;
            self.together += 1;
            #[cfg(test)]
            {
                let duels = self.changed.len() as u64 - 1;
                self.duels.push(Duels { all: duels, by_key: duels });
            }
            return Ok(Step::Tied(&self.changed));
        }
        match self.poll_tree(&arenas) {
            Polled::Tied => {
                self.out = 1;
                Ok(Step::Tied(self.group()))
            }
            Polled::Need(source) => Ok(Step::Need(source)),
            Polled::Done => Ok(Step::Done),
            Polled::Disorder(source) => Err(self.sources[source].disorder(source, arenas(source))),
        }
    }

    /// The same where it takes the tree. Groups that it found have not come out.
    #[inline]
    fn poll_tree<'a>(&mut self, arenas: &impl Fn(usize) -> &'a LabelArena) -> Polled {
        let tied = std::mem::take(&mut self.tied);
        let together = std::mem::take(&mut self.together);
        (self.alone.len, self.out) = (0, 0);
        if together > 0 {
            self.groups += together as u64;
            for &source in &self.changed {
                self.sources[source].index += together;
                self.sources[source].look_ahead(arenas(source));
            }
        }
        match *self.changed {
            [source] if tied && self.sources[source].can_step() => self.play_alone(source, arenas),
            _ => {
                if tied {
                    self.changed.iter().for_each(|&source| self.sources[source].feed = Feed::Taken);
                }
                if let Some(polled) = self.advance(arenas) {
                    return polled;
                }
                self.play_changed(arenas);
                if self.tree.winner_code() == Code::NONE {
                    self.changed.clear();
                    return Polled::Done;
                }
                self.groups += 1;
            }
        }
        self.tree.tied_with_winner(&mut self.changed);
        self.tied = true;
        Polled::Tied
    }

    /// Goes on from a group of one source, whose next key is in the same arena, as long as the groups that come then are like that too: nearly
    /// all there is to do where sources have little in common, so it is done for many of them at once.
    fn play_alone<'a>(&mut self, mut source: usize, arenas: &impl Fn(usize) -> &'a LabelArena) {
        let Self { sources, tree, alone, groups, .. } = self;
        let mut at = 0;
        loop {
            let code = sources[source].step(arenas(source), *groups, false);
            #[cfg(test)]
            let mut by_key = 0;
            let _duels = tree.play_code(source, code, |a, b, code| {
                #[cfg(test)]
                (by_key += 1);
                duel((&sources[a], arenas(a)), (&sources[b], arenas(b)), code)
            });
            #[cfg(test)]
            self.duels.push(Duels { all: _duels, by_key });
            *groups += 1;
            source = tree.winner();
            let found = &sources[source];
            if at == FARTHEST || !tree.has_no_ties() || !found.can_step() {
                alone.len = at;
                return;
            }
            (alone.sources[at], alone.indexes[at]) = (source, found.index);
            at += 1;
        }
    }

    /// Looks how many label sets behind the last group, which was of all sources, all of them have again. These need no tree.
    #[inline(never)]
    fn look_together<'a>(&mut self, arenas: &impl Fn(usize) -> &'a LabelArena) -> bool {
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

    fn play_changed<'a>(&mut self, arenas: &impl Fn(usize) -> &'a LabelArena) {
        let Self { sources, codes, tree, changed, .. } = self;
        #[cfg(test)]
        let mut by_key = 0;
        let _duels = tree.play_codes(changed, codes, |a, b, code| {
            #[cfg(test)]
            (by_key += 1);
            duel((&sources[a], arenas(a)), (&sources[b], arenas(b)), code)
        });
        #[cfg(test)]
        self.duels.push(Duels { all: _duels, by_key });
    }
}

/// A source and its arena.
type Side<'a> = (&'a Source, &'a LabelArena);

/// The order of the current keys of two sources, which have the same code, and the code of the greater one relative to the other. Mostly
/// a look at two cache lines.
#[inline(never)]
fn duel((a, a_arena): Side<'_>, (b, b_arena): Side<'_>, code: Code) -> (Ordering, Code) {
    if a.behind != b.behind {
        let (a_key, b_key) = (a_arena.key(a.index), b_arena.key(b.index));
        let as_given = a_key.code == code && b_key.code == code;
        if let Some(near) = as_given.then(|| a_key.order_near(b_key)).flatten() {
            return near;
        }
    }
    duel_at_length((a, a_arena), (b, b_arena), code)
}

#[inline(never)]
fn duel_at_length((a, a_arena): Side<'_>, (b, b_arena): Side<'_>, code: Code) -> (Ordering, Code) {
    if a.behind == b.behind && a_arena.delta(a.index) == b_arena.delta(b.index) {
        return (Ordering::Equal, code);
    }
    key::order_same(code, a_arena.words(a.index, code.rest()), b_arena.words(b.index, code.rest()))
}

#[cfg(test)]
mod tests {
    use std::iter::zip;

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
        let mut sizes = Vec::new();
        loop {
            match merge.poll(|source| &arenas[source]).unwrap() {
                Step::Need(source) => merge.exhaust(source),
                Step::Tied(group) => sizes.push(group.len()),
                Step::Done => return zip(sizes, merge.duels).collect(),
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
