//! The label sets of one source in one piece of memory, and what makes them cheap to compare.

use std::fmt;
use std::iter::{FusedIterator, zip};

use crate::delta::DeltaWriter;
use crate::key::{Code, Key, KeyWriter, NEAR_WORDS, code_after};
use crate::labels::Labels;
use crate::prefetch::{CACHE_LINE_BYTES, prefetch, prefetch_at};

const LINE_WORDS: usize = CACHE_LINE_BYTES / size_of::<u64>();

/// Sorted label sets of one source, one after the other in the same memory, which is reused after
/// [`clear`](Self::clear).
///
/// Each label set is stored as its text, and twice as what is quick to compare. One is the end of a *key*, a sequence of words
/// whose order is that of the label sets, with one number that says where its key first differs from the one before it, and how:
/// mostly, that number is all that a [`MergeLabels`](crate::MergeLabels) looks at. The other is a *delta*, the few bytes that are
/// new in it: label sets behind equal ones are equal if these are. All of it is found when the label set is pushed.
///
/// Label sets are expected in the order of [`labels::compare`](crate::labels::compare), each once. One that is not
/// in order is taken all the same; the merge reports it when it gets there.
///
/// ```
/// use promha_merge::LabelArena;
///
/// let mut arena = LabelArena::default();
/// arena.push(&[("__name__", "up"), ("job", "node")]);
/// arena.push(&[("__name__", "up"), ("job", "x")]);
/// assert_eq!(arena.len(), 2);
/// assert!(arena.set(1).pairs().eq([("__name__", "up"), ("job", "x")]));
/// arena.clear();
/// assert!(arena.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct LabelArena {
    texts: Texts,
    keys: Vec<Key>,
    /// The words of each key behind its near ones, and where they begin.
    far: Vec<u64>,
    far_starts: Vec<usize>,
    /// What is new in each label set.
    deltas: Vec<u64>,
    /// Where each delta begins, and where the last one ends.
    delta_bounds: Vec<usize>,
    /// How many label sets come before the first one that is not greater than the one before it.
    in_order: usize,
    first_key: Vec<u64>,
    last_key: Vec<u64>,
    /// Kept for their memory.
    key_writer: KeyWriter,
    delta_writer: DeltaWriter,
    new_key: Vec<u64>,
}

#[derive(Debug, Clone, Default)]
struct Texts {
    /// All names and values.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Where the names and values of each set end in `ends`.
    set_ends: Vec<usize>,
}

impl LabelArena {
    /// Adds a label set, sorted by name, behind those that are there.
    ///
    /// `O(length)`; the label set is copied.
    pub fn push(&mut self, labels: &[(&str, &str)]) {
        self.new_key.clear();
        self.key_writer.write(labels, &mut self.new_key);
        let code = if self.keys.is_empty() {
            self.first_key.clone_from(&self.new_key);
            Code::first(&self.new_key)
        } else {
            code_after(&self.last_key, &self.new_key)
        };
        let (key, far) = Key::new(code, &self.new_key);
        self.keys.push(key);
        self.far_starts.push(self.far.len());
        self.far.extend_from_slice(far);
        std::mem::swap(&mut self.last_key, &mut self.new_key);
        if self.delta_bounds.is_empty() {
            self.delta_bounds.push(0);
        }
        if code != Code::DISORDER && self.in_order + 1 == self.len() {
            self.in_order += 1;
        }
        let before = self.len().checked_sub(2).map(|before| self.texts.pairs(before)).unwrap_or_default();
        self.delta_writer.write(before, labels, &mut self.deltas);
        self.delta_bounds.push(self.deltas.len());
        self.texts.push(labels);
    }

    /// Drops all label sets, and keeps the memory.
    pub fn clear(&mut self) {
        let Self { texts, keys, far, far_starts, deltas, delta_bounds, in_order, .. } = self;
        texts.clear();
        keys.clear();
        far.clear();
        far_starts.clear();
        deltas.clear();
        delta_bounds.clear();
        *in_order = 0;
    }

    /// How many label sets there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A label set.
    ///
    /// # Panics
    /// If there is no such label set.
    pub fn set(&self, index: usize) -> LabelSet<'_> {
        assert!(index < self.len(), "there is no label set {index}");
        LabelSet { texts: &self.texts, index }
    }

    /// The whole key of the first label set, if there is one.
    pub(crate) fn first_key(&self) -> &[u64] {
        &self.first_key
    }

    /// The whole key of the last label set, if there is one.
    pub(crate) fn last_key(&self) -> &[u64] {
        &self.last_key
    }

    /// What is mostly all that is looked at of a key.
    ///
    /// # Panics
    /// If there is no such label set.
    #[inline]
    pub(crate) fn key(&self, index: usize) -> &Key {
        &self.keys[index]
    }

    /// How a key differs from the one before it. Behind the last one there is none.
    #[inline]
    pub(crate) fn code(&self, index: usize) -> Code {
        self.keys.get(index).map_or(Code::NONE, |key| key.code)
    }

    /// The words of a key from a place on. They are there behind the place of its code, and no others are asked for: later codes are
    /// relative to keys that are not smaller, with which it has at least as much in common.
    pub(crate) fn words(&self, index: usize, place: usize) -> impl Iterator<Item = u64> {
        let key = &self.keys[index];
        let far_end = self.far_starts.get(index + 1).copied().unwrap_or(self.far.len());
        let far_start = self.far_starts[index] + place.saturating_sub(key.code.rest() + NEAR_WORDS);
        let far = self.far.get(far_start..far_end).unwrap_or_default();
        key.near_from(place).iter().chain(far).copied()
    }

    /// What is new in a label set since the one before it, in the first one since there was nothing.
    #[inline]
    pub(crate) fn delta(&self, index: usize) -> &[u64] {
        match *self.delta_bounds.get(index..).unwrap_or_default() {
            [start, end, ..] => &self.deltas[start..end],
            _ => &[],
        }
    }

    /// How many label sets from one on are in order.
    pub(crate) fn in_order_from(&self, index: usize) -> usize {
        self.in_order.saturating_sub(index)
    }

    /// How many label sets, of at most so many, have the same deltas in another arena: from these places on, and as far as both
    /// are in order.
    pub(crate) fn same_deltas(&self, index: usize, other: &Self, other_index: usize, most: usize) -> usize {
        let most = most.min(self.in_order_from(index)).min(other.in_order_from(other_index));
        if most == 0 {
            return 0;
        }
        // All of them at once, for mostly they are the same.
        let (bounds, deltas) = self.deltas(index, most);
        let (other_bounds, other_deltas) = other.deltas(other_index, most);
        let shift = other_bounds[0].wrapping_sub(bounds[0]);
        let shifts = zip(bounds, other_bounds).map(|(bound, other)| other.wrapping_sub(*bound));
        if shifts.fold(0, |differing, other| differing | (other ^ shift)) == 0 && deltas == other_deltas {
            return most;
        }
        let same = |&ahead: &usize| self.delta(index + ahead) == other.delta(other_index + ahead);
        (0..most).take_while(same).count()
    }

    /// So many deltas from one on: where they begin and the last one ends, and what they are.
    fn deltas(&self, index: usize, count: usize) -> (&[usize], &[u64]) {
        let bounds = &self.delta_bounds[index..=index + count];
        (bounds, &self.deltas[bounds[0]..bounds[count]])
    }

    /// Has a key brought near, and its delta too, if another source is thought to have the same one. Of deltas, where they begin is read
    /// from one end to the other, a cache line for several of them.
    #[inline]
    pub(crate) fn prefetch(&self, index: usize, shared: bool) {
        prefetch_at(&self.keys, index);
        if shared {
            prefetch(self.delta(index));
            prefetch_at(&self.delta_bounds, index + LINE_WORDS);
        }
    }
}

impl Texts {
    fn push(&mut self, labels: &[(&str, &str)]) {
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            self.text.push_str(text);
            self.ends.push(self.text.len());
        }
        self.set_ends.push(self.ends.len());
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.set_ends.clear();
    }

    fn pairs(&self, index: usize) -> Pairs<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.set_ends[before]);
        let text_start = start.checked_sub(1).map_or(0, |before| self.ends[before]);
        Pairs { text: &self.text, start: text_start, ends: &self.ends[start..self.set_ends[index]] }
    }
}

/// A label set in a [`LabelArena`]. Nothing of it is looked at before it is asked for.
#[derive(Clone, Copy)]
pub struct LabelSet<'a> {
    texts: &'a Texts,
    index: usize,
}

impl<'a> LabelSet<'a> {
    /// The pairs, in the order in which they were given.
    pub fn pairs(self) -> Pairs<'a> {
        self.texts.pairs(self.index)
    }

    /// A copy that can be kept.
    pub fn to_labels(self) -> Labels {
        self.pairs().collect()
    }
}

impl fmt::Debug for LabelSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pairs().fmt(f)
    }
}

/// The pairs of a label set: what [`LabelSet::pairs`] gives.
#[derive(Clone, Default)]
pub struct Pairs<'a> {
    text: &'a str,
    start: usize,
    ends: &'a [usize],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let &[name_end, value_end, ref rest @ ..] = self.ends else { return None };
        let pair = (&self.text[self.start..name_end], &self.text[name_end..value_end]);
        (self.start, self.ends) = (value_end, rest);
        Some(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ends.len() / 2, Some(self.ends.len() / 2))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

impl FusedIterator for Pairs<'_> {}

impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}
