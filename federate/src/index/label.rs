//! The values of one label, each kept once, and who has them.

use std::ops::Range;

use ahash::RandomState;
use hashbrown::HashTable;

use super::posting::Posting;

/// Stands for the value of a label that a series does not have.
pub(super) const ABSENT: u32 = u32::MAX;

/// Values that are new, or without series, before the order of all is brought up to date.
const SLACK: usize = 64;

/// A label name and its values, which have numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Label {
    name: Box<str>,
    /// The series that have the label.
    present: Posting,
    values: Vec<Value>,
    numbers: HashTable<u32>,
    /// Numbers in the order of the texts, and those that came since it was made.
    sorted: Vec<u32>,
    recent: Vec<u32>,
    /// Values that have lost their last series, but still stand in `numbers` and one of the orders.
    dead: usize,
    /// Numbers that may be given anew.
    free: Vec<u32>,
}

/// A value: what it says, and the series that have it.
#[derive(Debug, Clone, Default)]
struct Value {
    text: Box<str>,
    series: Posting,
}

impl Label {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let numbers = self.sorted.capacity() + self.recent.capacity() + self.free.capacity();
        let values =
            self.values.iter().map(|value| value.text.len() + value.series.memory_bytes()).sum::<usize>();
        self.name.len()
            + self.present.memory_bytes()
            + self.values.capacity() * size_of::<Value>()
            + values
            + self.numbers.allocation_size()
            + numbers * size_of::<u32>()
    }

    /// The series that have the label.
    pub(super) fn present(&self) -> &Posting {
        &self.present
    }

    /// How many values are in use.
    pub(super) fn distinct(&self) -> usize {
        self.values.len() - self.free.len() - self.dead
    }

    /// All numbers are below this.
    pub(super) fn numbers(&self) -> u32 {
        self.values.len() as u32
    }

    pub(super) fn text(&self, value: u32) -> &str {
        &self.values[value as usize].text
    }

    pub(super) fn series(&self, value: u32) -> &Posting {
        &self.values[value as usize].series
    }

    /// The number of a text. The value may be one that no series has.
    pub(super) fn number(&self, text: &str, hasher: &RandomState) -> Option<u32> {
        let hash = hasher.hash_one(text);
        self.numbers.find(hash, |&value| *self.values[value as usize].text == *text).copied()
    }

    /// The number of a text, which becomes a value without series if it is none.
    pub(super) fn intern(&mut self, text: &str, hasher: &RandomState) -> u32 {
        if let Some(value) = self.number(text, hasher) {
            return value;
        }
        let value = self.free.pop().unwrap_or_else(|| {
            if self.values.len() == self.values.capacity() {
                self.values.reserve_exact(self.values.len() / 8 + 1);
            }
            self.values.push(Value::default());
            self.values.len() as u32 - 1
        });
        self.values[value as usize].text = text.into();
        let values = &self.values;
        let hash_of = |&value: &u32| hasher.hash_one(&*values[value as usize].text);
        self.numbers.insert_unique(hasher.hash_one(text), value, hash_of);
        self.dead += 1;
        if self.recent.is_empty() && self.sorted.last().is_none_or(|&last| *self.text(last) < *text) {
            self.sorted.push(value);
        } else {
            self.recent.push(value);
            self.settle();
        }
        value
    }

    /// Notes that a series has a value.
    pub(super) fn insert(&mut self, value: u32, id: u32) {
        let series = &mut self.values[value as usize].series;
        self.dead -= usize::from(series.is_empty());
        series.insert(id);
        self.present.insert(id);
    }

    /// Notes that a series has a value no longer.
    pub(super) fn remove(&mut self, value: u32, id: u32, hasher: &RandomState) {
        let series = &mut self.values[value as usize].series;
        series.remove(id);
        self.dead += usize::from(series.is_empty());
        self.present.remove(id);
        if self.dead > SLACK + self.distinct() {
            self.bury(hasher);
        }
    }

    /// Values in use that begin with a prefix, in no order.
    pub(super) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (u32, &str)> {
        // Without a prefix, in the order in which they lie in memory.
        let all = if prefix.is_empty() { 0..self.numbers() } else { 0..0 };
        let (sorted, recent) = if prefix.is_empty() {
            (&[][..], &[][..])
        } else {
            (&self.sorted[self.sorted_with(prefix)], &self.recent[..])
        };
        let recent = recent.iter().copied().filter(move |&value| self.text(value).starts_with(prefix));
        all.chain(sorted.iter().copied().chain(recent)).filter_map(|number| {
            let value = &self.values[number as usize];
            (!value.series.is_empty()).then_some((number, &*value.text))
        })
    }

    /// About how many values begin with a prefix; not less.
    pub(super) fn count_with_prefix(&self, prefix: &str) -> usize {
        if prefix.is_empty() { self.distinct() } else { self.sorted_with(prefix).len() + self.recent.len() }
    }

    /// Values in use, sorted by text.
    pub(super) fn in_order(&self) -> Vec<u32> {
        let mut order = self.sorted.clone();
        order.extend(&self.recent);
        order.retain(|&value| !self.series(value).is_empty());
        order.sort_by(|&a, &b| self.text(a).cmp(self.text(b)));
        order
    }

    fn sorted_with(&self, prefix: &str) -> Range<usize> {
        let start = self.sorted.partition_point(|&value| *self.text(value) < *prefix);
        let len = self.sorted[start..].partition_point(|&value| self.text(value).starts_with(prefix));
        start..start + len
    }

    /// Sorts what is recent in, once it is an eighth; the sort merges what is in order already.
    fn settle(&mut self) {
        if self.recent.len() <= SLACK + self.sorted.len() / 8 {
            return;
        }
        let Self { sorted, recent, values, .. } = self;
        let text = |value: u32| &*values[value as usize].text;
        recent.sort_by(|&a, &b| text(a).cmp(text(b)));
        sorted.reserve_exact(recent.len());
        sorted.append(recent);
        sorted.sort_by(|&a, &b| text(a).cmp(text(b)));
    }

    /// Forgets the values that have no series.
    fn bury(&mut self, hasher: &RandomState) {
        let Self { sorted, recent, values, numbers, free, .. } = self;
        let mut bury = |&value: &u32| {
            if !values[value as usize].series.is_empty() {
                return true;
            }
            let text = std::mem::take(&mut values[value as usize].text);
            if let Ok(entry) = numbers.find_entry(hasher.hash_one(&*text), |&number| number == value) {
                entry.remove();
            }
            free.push(value);
            false
        };
        sorted.retain(&mut bury);
        recent.retain(&mut bury);
        self.dead = 0;
    }
}
