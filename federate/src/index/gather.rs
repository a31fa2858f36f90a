//! The ids of one block, while lists are combined.

use super::block::{self, Bits, View};

/// A list this many times longer is searched instead of read.
const SEARCH_FACTOR: usize = 16;

/// Some ids of a block. Keeps its memory from block to block.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Sorted; meaningless if `dense`.
    array: Vec<u16>,
    /// Meaningless unless `dense`; not there until it is needed.
    bits: Option<Box<Bits>>,
    dense: bool,
}

impl Gather {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn view(&self) -> View<'_> {
        match &self.bits {
            Some(bits) if self.dense => View::Bits(bits),
            _ => View::Array(&self.array),
        }
    }

    /// Becomes these ids.
    pub(super) fn set(&mut self, view: View<'_>) {
        self.array.clear();
        self.dense = false;
        match view {
            View::Ids(ids) => self.array.extend(ids.iter().map(|&id| block::low(id))),
            View::Array(array) => self.array.extend_from_slice(array),
            View::Bits(bits) => {
                self.bits.get_or_insert_with(block::no_bits).copy_from_slice(bits);
                self.dense = true;
            }
        }
    }

    /// Becomes what is in any of several lists.
    pub(super) fn set_union<'a>(&mut self, views: impl Iterator<Item = View<'a>>) {
        self.bits.get_or_insert_with(block::no_bits).fill(0);
        self.dense = true;
        views.for_each(|view| self.add(view));
    }

    /// Adds ids. Must have been given a [union](Self::set_union) last.
    pub(super) fn add(&mut self, view: View<'_>) {
        let bits = self.bits.get_or_insert_with(block::no_bits);
        match view {
            View::Ids(ids) => ids.iter().for_each(|&id| block::set(bits, block::low(id))),
            View::Array(array) => array.iter().for_each(|&low| block::set(bits, low)),
            View::Bits(more) => bits.iter_mut().zip(more).for_each(|(all, more)| *all |= more),
        }
    }

    /// Keeps the ids that are in a list, or only those that are not.
    pub(super) fn keep(&mut self, view: View<'_>, wanted: bool) {
        let Self { array, bits, dense } = self;
        if let (Some(mine), true) = (bits, *dense) {
            match view {
                View::Bits(bits) => {
                    let flip = if wanted { 0 } else { u64::MAX };
                    mine.iter_mut().zip(bits).for_each(|(mine, theirs)| *mine &= theirs ^ flip);
                }
                View::Ids(ids) => keep_of_bits(mine, array, ids.iter().map(|&id| block::low(id)), wanted),
                View::Array(theirs) => keep_of_bits(mine, array, theirs.iter().copied(), wanted),
            }
            *dense = matches!(view, View::Bits(_)) || !wanted;
        } else {
            match view {
                View::Bits(bits) => keep_of_array(array, |low| block::has(bits, low) == wanted),
                View::Ids(ids) => keep_of_arrays(array, ids, |&id| block::low(id), wanted),
                View::Array(theirs) => keep_of_arrays(array, theirs, |&low| low, wanted),
            }
        }
    }

    /// Keeps the ids that pass.
    pub(super) fn retain(&mut self, mut passes: impl FnMut(u16) -> bool) {
        let (Some(bits), true) = (&mut self.bits, self.dense) else {
            return keep_of_array(&mut self.array, passes);
        };
        for (at, word) in bits.iter_mut().enumerate() {
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
        match self.view() {
            View::Ids(ids) => ids.is_empty(),
            View::Array(array) => array.is_empty(),
            View::Bits(bits) => bits.iter().all(|&word| word == 0),
        }
    }
}

/// Keeps ids of bits: in the array those that are theirs, or in the bits those that are not.
fn keep_of_bits(mine: &mut Bits, array: &mut Vec<u16>, theirs: impl Iterator<Item = u16>, wanted: bool) {
    if wanted {
        array.clear();
        array.extend(theirs.filter(|&low| block::has(mine, low)));
    } else {
        theirs.for_each(|low| block::clear(mine, low));
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
