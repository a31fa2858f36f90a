//! The ids of one block, while lists are combined.

use super::block::{self, Bits, View};

/// A list this many times longer is searched instead of read.
const SEARCH_FACTOR: usize = 16;

/// Some ids of a block. Keeps its memory from block to block.
#[derive(Debug)]
pub(super) struct Gather {
    /// Sorted; meaningless if `dense`.
    array: Vec<u16>,
    /// Meaningless unless `dense`.
    bits: Box<Bits>,
    dense: bool,
}

impl Gather {
    pub(super) fn new() -> Self {
        Self { array: Vec::new(), bits: block::no_bits(), dense: false }
    }

    pub(super) fn view(&self) -> View<'_> {
        if self.dense { View::Bits(&self.bits) } else { View::Array(&self.array) }
    }

    /// Becomes these ids.
    pub(super) fn set(&mut self, view: View<'_>) {
        self.array.clear();
        self.dense = false;
        match view {
            View::Ids(ids) => self.array.extend(ids.iter().map(|&id| block::low(id))),
            View::Array(array) => self.array.extend_from_slice(array),
            View::Bits(bits) => {
                *self.bits = *bits;
                self.dense = true;
            }
        }
    }

    /// Becomes what is in any of several lists.
    pub(super) fn set_union<'a>(&mut self, views: impl Iterator<Item = View<'a>>) {
        self.bits.fill(0);
        self.dense = true;
        views.for_each(|view| self.add(view));
    }

    /// Adds ids. Must have been given a [union](Self::set_union) last.
    pub(super) fn add(&mut self, view: View<'_>) {
        let bits = &mut *self.bits;
        match view {
            View::Ids(ids) => ids.iter().for_each(|&id| block::set(bits, block::low(id))),
            View::Array(array) => array.iter().for_each(|&low| block::set(bits, low)),
            View::Bits(more) => bits.iter_mut().zip(more).for_each(|(all, more)| *all |= more),
        }
    }

    /// Keeps the ids that are in a list, or only those that are not.
    pub(super) fn keep(&mut self, view: View<'_>, wanted: bool) {
        match (self.dense, view) {
            (true, View::Bits(bits)) => {
                let flip = if wanted { 0 } else { u64::MAX };
                self.bits.iter_mut().zip(bits).for_each(|(mine, theirs)| *mine &= theirs ^ flip);
            }
            (true, View::Ids(ids)) => self.keep_of_bits(ids.iter().map(|&id| block::low(id)), wanted),
            (true, View::Array(array)) => self.keep_of_bits(array.iter().copied(), wanted),
            (false, View::Bits(bits)) => {
                keep_of_array(&mut self.array, |low| block::has(bits, low) == wanted)
            }
            (false, View::Ids(ids)) => keep_of_arrays(&mut self.array, ids, |&id| block::low(id), wanted),
            (false, View::Array(array)) => keep_of_arrays(&mut self.array, array, |&low| low, wanted),
        }
    }

    /// Keeps the ids that pass.
    pub(super) fn retain(&mut self, mut passes: impl FnMut(u16) -> bool) {
        if !self.dense {
            return keep_of_array(&mut self.array, passes);
        }
        for (at, word) in self.bits.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left & left.wrapping_neg();
                if !passes((at * 64) as u16 | bit.trailing_zeros() as u16) {
                    *word &= !bit;
                }
                left &= left - 1;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        if self.dense { self.bits.iter().all(|&word| word == 0) } else { self.array.is_empty() }
    }

    fn keep_of_bits(&mut self, theirs: impl Iterator<Item = u16>, wanted: bool) {
        if wanted {
            self.array.clear();
            self.array.extend(theirs.filter(|&low| block::has(&self.bits, low)));
            self.dense = false;
        } else {
            theirs.for_each(|low| block::clear(&mut self.bits, low));
        }
    }
}

/// Without a branch on the outcome, which cannot be foretold.
fn keep_of_array(array: &mut Vec<u16>, mut passes: impl FnMut(u16) -> bool) {
    let mut kept = 0;
    for at in 0..array.len() {
        let low = array[at];
        array[kept] = low;
        kept += usize::from(passes(low));
    }
    array.truncate(kept);
}

fn keep_of_arrays<T>(mine: &mut Vec<u16>, theirs: &[T], low_of: impl Fn(&T) -> u16, wanted: bool) {
    let mut rest = theirs.iter().as_slice();
    if theirs.len() / SEARCH_FACTOR > mine.len() {
        keep_of_array(mine, |low| {
            rest = &rest[rest.partition_point(|other| low_of(other) < low)..];
            rest.first().is_some_and(|other| low_of(other) == low) == wanted
        });
    } else {
        keep_of_array(mine, |low| {
            while let [other, after @ ..] = rest
                && low_of(other) < low
            {
                rest = after;
            }
            rest.first().is_some_and(|other| low_of(other) == low) == wanted
        });
    }
}
