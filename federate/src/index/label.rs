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
        sort(&mut order, |value| self.text(value));
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
        sorted.reserve_exact(recent.len());
        sorted.append(recent);
        sort(sorted, |value| &values[value as usize].text);
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

/// Sorts numbers by their texts, of which eight bytes after what all begin with are fetched beforehand: that is far
/// fewer looks at texts that lie anywhere in memory.
fn sort<'a>(numbers: &mut [u32], text_of: impl Fn(u32) -> &'a str) {
    let texts = || numbers.iter().map(|&number| text_of(number).as_bytes());
    let (Some(least), Some(most)) = (texts().min(), texts().max()) else { return };
    let shared = least.iter().zip(most).take_while(|(a, b)| a == b).count();
    let mut keyed: Vec<(u64, u32)> = numbers
        .iter()
        .map(|&number| {
            let rest = &text_of(number).as_bytes()[shared..];
            let mut key = [0; 8];
            let len = rest.len().min(key.len());
            key[..len].copy_from_slice(&rest[..len]);
            (u64::from_be_bytes(key), number)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| text_of(a.1).cmp(text_of(b.1))));
    numbers.iter_mut().zip(keyed).for_each(|(number, (_, sorted))| *number = sorted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_find_what_begins_with_them() {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut label = Label::new("pod");
        let text = |at: u32| match at.wrapping_mul(0x9e37_79b9) >> 8 {
            noise if noise.is_multiple_of(3) => format!("pod-{noise:x}"),
            noise if noise.is_multiple_of(5) => format!("pod-ä{}", noise % 1000),
            noise => format!("pod-{}\0{}", noise % 50, noise % 7),
        };
        for at in 0..5000 {
            let value = label.intern(&text(at), &hasher);
            label.insert(value, at);
            // Some go again, and all of a time, so that values die and numbers are given anew.
            let gone = if at % 4 == 0 { Some(at) } else { at.checked_sub(3000).filter(|gone| gone % 4 != 0) };
            if let Some(gone) = gone {
                let value = label.number(&text(gone), &hasher);
                label.remove(value.expect("has a series"), gone, &hasher);
            }
            if at % 500 == 7 {
                check(&label);
            }
        }
        check(&label);
    }

    fn check(label: &Label) {
        let order = label.in_order();
        assert_eq!(order.len(), label.distinct());
        assert!(order.windows(2).all(|pair| label.text(pair[0]) < label.text(pair[1])));
        assert!(label.sorted.windows(2).all(|pair| label.text(pair[0]) < label.text(pair[1])));
        for prefix in ["", "p", "pod-", "pod-1", "pod-1\0", "pod-ä", "pod-ä9", "pod-f", "q", "a"] {
            let mut found: Vec<&str> = label.with_prefix(prefix).map(|(_, text)| text).collect();
            found.sort_unstable();
            let expected =
                order.iter().map(|&value| label.text(value)).filter(|text| text.starts_with(prefix));
            assert!(found.iter().copied().eq(expected), "{prefix}");
            assert!(label.count_with_prefix(prefix) >= found.len());
        }
    }
}
