//! The label sets of one source in one piece of memory, and what makes them cheap to compare.

use std::fmt;
use std::iter::FusedIterator;

use crate::key::{Code, KeyWriter, code_after};
use crate::labels::Labels;
use crate::prefetch::prefetch;

/// Sorted label sets of one source, one after the other in the same memory, which is reused after
/// [`clear`](Self::clear).
///
/// Each label set is stored twice: as its text, and as a *key*, a sequence of words whose order is that of the
/// label sets. What a [`MergeLabels`](crate::MergeLabels) compares most of the time is neither of them but one
/// number for each label set, which says where its key first differs from the one before it, and how. That
/// number is found when the label set is pushed.
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
    key_words: Vec<u64>,
    key_ends: Vec<usize>,
    codes: Vec<Code>,
    /// Kept for its memory.
    writer: KeyWriter,
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
        let start = self.key_words.len();
        self.writer.write(labels, &mut self.key_words);
        let (before, key) = self.key_words.split_at(start);
        let code = match self.key_ends.len() {
            0 => Code::first(key),
            1 => code_after(before, key),
            sets => code_after(&before[self.key_ends[sets - 2]..], key),
        };
        self.codes.push(code);
        self.key_ends.push(self.key_words.len());
    }

    /// Drops all label sets, and keeps the memory.
    pub fn clear(&mut self) {
        let Self { text, text_ends, set_ends, key_words, key_ends, codes, .. } = self;
        text.clear();
        text_ends.clear();
        set_ends.clear();
        key_words.clear();
        key_ends.clear();
        codes.clear();
    }

    /// How many label sets there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
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

    pub(crate) fn key(&self, index: usize) -> &[u64] {
        let start = index.checked_sub(1).map_or(0, |before| self.key_ends[before]);
        &self.key_words[start..self.key_ends[index]]
    }

    /// Has what will be compared soon brought near, now that a label set takes part. Keys are large and asked for one by
    /// one, the rest is read from one end to the other, a cache line for eight label sets.
    ///
    /// Of a key it is all that another source may have in common with it, or only where it differs from its
    /// neighbours, if nobody is thought to have the same one.
    pub(crate) fn prefetch_after(&self, index: usize, shared: bool) {
        const KEYS_AHEAD: usize = 2;
        const LINE_AHEAD: usize = 8;
        const NEAR_WORDS: usize = 8;
        if let Some(code) = self.code(index + KEYS_AHEAD) {
            // What it has in common with the one before it is not compared again.
            let rest = self.key(index + KEYS_AHEAD).get(code.rest()..).unwrap_or_default();
            prefetch(if shared { rest } else { &rest[..rest.len().min(NEAR_WORDS)] });
        }
        let line = index + LINE_AHEAD;
        prefetch(self.key_ends.get(line..line + 1).unwrap_or_default());
        prefetch(self.codes.get(line..line + 1).unwrap_or_default());
    }

    /// How a label set differs from the one before it; the first from nothing at all.
    pub(crate) fn code(&self, index: usize) -> Option<Code> {
        self.codes.get(index).copied()
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
