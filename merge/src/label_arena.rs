//! The label sets of one source in one piece of memory, and what makes them cheap to compare.

use std::fmt;
use std::iter::FusedIterator;

use crate::key::{Code, KeyWriter, NEAR_WORDS, Rest, code_after};
use crate::labels::Labels;
use crate::prefetch::{prefetch, prefetch_at};

/// Sorted label sets of one source, one after the other in the same memory, which is reused after
/// [`clear`](Self::clear).
///
/// Each label set is stored twice: as its text, and as the end of a *key*, a sequence of words whose order is that of the
/// label sets. What a [`MergeLabels`](crate::MergeLabels) compares most of the time is neither of them but one
/// number for each label set, which says where its key first differs from the one before it, and how. That
/// number is found when the label set is pushed; of the key, only what stands behind that place is kept.
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
    text: String,
    /// Where each name and each value ends in `text`.
    text_ends: Vec<usize>,
    /// Where the names and values of each set end in `text_ends`.
    set_ends: Vec<usize>,
    keys: Vec<Key>,
    /// The words of each key behind the place of its code.
    rests: Vec<u64>,
    first_key: Vec<u64>,
    last_key: Vec<u64>,
    /// Kept for their memory.
    writer: KeyWriter,
    new_key: Vec<u64>,
}

/// What is known of a key before it is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Key {
    /// How it differs from the one before it; the first from nothing at all.
    pub(crate) code: Code,
    /// Where the words behind the place of that begin.
    pub(crate) start: usize,
}

impl LabelArena {
    /// Adds a label set, sorted by name, behind those that are there.
    ///
    /// `O(length)`; the label set is copied.
    pub fn push(&mut self, labels: &[(&str, &str)]) {
        for (name, value) in labels {
            self.text.push_str(name);
            self.text_ends.push(self.text.len());
            self.text.push_str(value);
            self.text_ends.push(self.text.len());
        }
        self.set_ends.push(self.text_ends.len());
        self.new_key.clear();
        self.writer.write(labels, &mut self.new_key);
        let code = if self.keys.is_empty() {
            self.first_key.clone_from(&self.new_key);
            Code::first(&self.new_key)
        } else {
            code_after(&self.last_key, &self.new_key)
        };
        self.keys.push(Key { code, start: self.rests.len() });
        self.rests.extend_from_slice(self.new_key.get(code.rest()..).unwrap_or_default());
        std::mem::swap(&mut self.last_key, &mut self.new_key);
    }

    /// Drops all label sets, and keeps the memory.
    pub fn clear(&mut self) {
        let Self { text, text_ends, set_ends, keys, rests, .. } = self;
        text.clear();
        text_ends.clear();
        set_ends.clear();
        keys.clear();
        rests.clear();
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
        LabelSet { arena: self, index }
    }

    fn pairs(&self, index: usize) -> Pairs<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.set_ends[before]);
        let text_start = start.checked_sub(1).map_or(0, |before| self.text_ends[before]);
        Pairs { text: &self.text, start: text_start, ends: &self.text_ends[start..self.set_ends[index]] }
    }

    /// The whole key of the first label set, if there is one.
    pub(crate) fn first_key(&self) -> &[u64] {
        &self.first_key
    }

    /// The whole key of the last label set, if there is one.
    pub(crate) fn last_key(&self) -> &[u64] {
        &self.last_key
    }

    /// What is known of a key. Behind the last one there is none, and its words begin where there are no more.
    #[inline]
    pub(crate) fn key(&self, index: usize) -> Key {
        self.keys.get(index).copied().unwrap_or(Key { code: Code::NONE, start: self.rests.len() })
    }

    /// The words of a key behind the place of its code, which end where those of the next one begin.
    #[inline]
    pub(crate) fn rest(&self, key: Key, next: Key) -> Rest<'_> {
        Rest { start: key.code.rest(), words: &self.rests[key.start..next.start] }
    }

    /// Has a key brought near that will be compared soon, and what is known of those behind it. Keys are large and asked
    /// for one by one, the rest is read from one end to the other, a cache line for four keys.
    ///
    /// Of a key it is all that another source may have in common with it, or only where it differs from its
    /// neighbours, if nobody is thought to have the same one.
    #[inline]
    pub(crate) fn prefetch(&self, index: usize, shared: bool) {
        const LINE_AHEAD: usize = 8;
        let start = self.key(index).start;
        if shared {
            prefetch(self.rests.get(start..self.key(index + 1).start).unwrap_or_default());
        } else {
            prefetch_at(&self.rests, start);
            prefetch_at(&self.rests, start + NEAR_WORDS - 1);
        }
        prefetch_at(&self.keys, index + LINE_AHEAD);
    }
}

/// A label set in a [`LabelArena`]. Nothing of it is looked at before it is asked for.
#[derive(Clone, Copy)]
pub struct LabelSet<'a> {
    arena: &'a LabelArena,
    index: usize,
}

impl<'a> LabelSet<'a> {
    /// The pairs, in the order in which they were given.
    pub fn pairs(self) -> Pairs<'a> {
        self.arena.pairs(self.index)
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
#[derive(Clone)]
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
