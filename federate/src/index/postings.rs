//! What a selection gives.

use std::iter::FusedIterator;
use std::slice;

use super::block::{self, View, WORDS};
use super::gather::Gather;
use super::plan::Plan;
use super::rows::Rows;
use super::{SeriesId, SeriesIndex};
use crate::selector::Selector;

/// The ids of selected series, each once, in order. Found while they are read, 65,536 ids at a time.
///
/// `for_each`, `fold` and what rests on them are faster than `next`.
#[derive(Debug)]
pub struct Postings<'a> {
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    /// A list of the index as it is.
    Slice(slice::Iter<'a, u32>),
    Stream(Box<Stream<'a>>),
}

/// What is left of a selection.
#[derive(Debug)]
struct Stream<'a> {
    plans: Vec<Plan<'a>>,
    rows: &'a Rows,
    /// Where to look for the next block.
    from: Option<u16>,
    /// The block that is being read, and what is selected in it.
    key: u16,
    block: Gather,
    /// How much of it has been read: ids of an array, words of bits.
    read: usize,
    /// What is left of the last word that has been read.
    word: u64,
    result: Gather,
    spare: Gather,
}

impl<'a> Postings<'a> {
    pub(super) fn new(index: &'a SeriesIndex, selectors: &'a [Selector]) -> Self {
        if let [selector] = selectors {
            let Some(plan) = Plan::new(index, selector) else { return Self::of_slice(&[]) };
            return match plan.as_slice() {
                Some(ids) => Self::of_slice(ids),
                None => Self::of_plans(index, vec![plan]),
            };
        }
        Self::of_plans(index, selectors.iter().filter_map(|selector| Plan::new(index, selector)).collect())
    }

    fn of_slice(ids: &'a [u32]) -> Self {
        Self { kind: Kind::Slice(ids.iter()) }
    }

    fn of_plans(index: &'a SeriesIndex, plans: Vec<Plan<'a>>) -> Self {
        let stream = Stream {
            plans,
            rows: &index.rows,
            from: Some(0),
            key: 0,
            block: Gather::new(),
            read: 0,
            word: 0,
            result: Gather::new(),
            spare: Gather::new(),
        };
        Self { kind: Kind::Stream(Box::new(stream)) }
    }
}

impl Iterator for Postings<'_> {
    type Item = SeriesId;

    fn next(&mut self) -> Option<SeriesId> {
        match &mut self.kind {
            Kind::Slice(ids) => ids.next().copied().map(SeriesId),
            Kind::Stream(stream) => loop {
                if let Some(id) = stream.next_in_block() {
                    return Some(SeriesId(id));
                }
                if !stream.advance() {
                    return None;
                }
            },
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.kind {
            Kind::Slice(ids) => ids.size_hint(),
            Kind::Stream(_) => (0, None),
        }
    }

    fn fold<B, F: FnMut(B, SeriesId) -> B>(self, init: B, mut f: F) -> B {
        let mut all = init;
        match self.kind {
            Kind::Slice(ids) => ids.fold(all, |all, &id| f(all, SeriesId(id))),
            Kind::Stream(mut stream) => loop {
                all = stream.fold_block(all, &mut f);
                if !stream.advance() {
                    return all;
                }
            },
        }
    }
}

impl FusedIterator for Postings<'_> {}

impl Stream<'_> {
    /// Goes to the next block in which something is selected.
    fn advance(&mut self) -> bool {
        while let Some(from) = self.from {
            let key = self.plans.iter().filter_map(|plan| plan.next_key(from)).min();
            let Some(key) = key else { break };
            self.from = key.checked_add(1);
            if let [plan] = &mut self.plans[..] {
                plan.evaluate(key, self.rows, &mut self.block, &mut self.spare);
            } else {
                self.block.set_union([].into_iter());
                for plan in &mut self.plans {
                    plan.evaluate(key, self.rows, &mut self.result, &mut self.spare);
                    self.block.add(self.result.view());
                }
            }
            if !self.block.is_empty() {
                (self.key, self.read, self.word) = (key, 0, 0);
                return true;
            }
        }
        self.from = None;
        self.block.set(View::Array(&[]));
        (self.read, self.word) = (0, 0);
        false
    }

    fn next_in_block(&mut self) -> Option<u32> {
        let base = u32::from(self.key) << 16;
        match self.block.view() {
            View::Array(array) => {
                let low = array.get(self.read)?;
                self.read += 1;
                Some(base | u32::from(*low))
            }
            View::Bits(bits) => {
                while self.word == 0 {
                    self.word = *bits.get(self.read)?;
                    self.read += 1;
                }
                let bit = self.word.trailing_zeros();
                self.word &= self.word - 1;
                Some(base + (self.read as u32 - 1) * 64 + bit)
            }
            View::Ids(_) => None,
        }
    }

    fn fold_block<B>(&mut self, init: B, f: &mut impl FnMut(B, SeriesId) -> B) -> B {
        let base = u32::from(self.key) << 16;
        let mut all = init;
        match self.block.view() {
            View::Array(array) => {
                array[self.read..].iter().fold(all, |all, &low| f(all, SeriesId(base | u32::from(low))))
            }
            View::Bits(bits) => {
                if self.word != 0 {
                    all = fold_word(base + (self.read as u32 - 1) * 64, self.word, all, f);
                }
                for (at, &word) in bits.iter().enumerate().skip(self.read) {
                    all = fold_word(base | (at * 64) as u32, word, all, f);
                }
                self.word = 0;
                self.read = WORDS;
                all
            }
            View::Ids(ids) => {
                ids.iter().fold(all, |all, &id| f(all, SeriesId(base | u32::from(block::low(id)))))
            }
        }
    }
}

#[inline]
fn fold_word<B>(base: u32, mut word: u64, init: B, f: &mut impl FnMut(B, SeriesId) -> B) -> B {
    let mut all = init;
    if word == u64::MAX {
        return (base..=base + 63).fold(all, |all, id| f(all, SeriesId(id)));
    }
    while word != 0 {
        all = f(all, SeriesId(base | word.trailing_zeros()));
        word &= word - 1;
    }
    all
}
