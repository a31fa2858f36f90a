use crate::{Key, Version};

/// How many keys a bucket holds on average before all are split.
const SPLIT_AT: usize = 16;

/// The finest buckets: a million of them.
const MAX_BITS: u32 = 20;

/// How many bits of the key each level of ranges takes.
const LEVEL_BITS: u32 = 6;

/// Below so many levels there are only lists.
pub(super) const MAX_DEPTH: u8 = 10;

/// How many ranges one is divided into.
pub(super) const CHILDREN: usize = 1 << LEVEL_BITS;

/// Which version of each key is known, in order of keys, with hashes over any range of them.
///
/// Keys are hashes, so buckets of a prefix hold about equally many. A bucket is sorted, so that keys chosen to share a prefix cost
/// memory moves and no more.
#[derive(Clone, Debug)]
pub(super) struct Index {
    buckets: Vec<Bucket>,
    bits: u32,
    len: usize,
    root: u64,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    sum: u64,
    entries: Vec<(Key, Version)>,
}

/// All keys that start with the same bits: six for each level of depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) depth: u8,
    pub(super) prefix: u64,
}

impl Range {
    pub(super) const ALL: Self = Self { depth: 0, prefix: 0 };

    /// None if there are no such ranges.
    pub(super) fn new(depth: u8, prefix: u64) -> Option<Self> {
        let range = Self { depth, prefix };
        (depth <= MAX_DEPTH && prefix & range.below() == 0).then_some(range)
    }

    pub(super) fn first(self) -> Key {
        Key(self.prefix)
    }

    pub(super) fn last(self) -> Key {
        Key(self.prefix | self.below())
    }

    /// The ranges that it is divided into; none if it is too deep.
    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        let depth = self.depth + 1;
        let shift = u64::BITS.saturating_sub(LEVEL_BITS * u32::from(depth));
        let count = if self.depth < MAX_DEPTH { CHILDREN as u64 } else { 0 };
        (0..count).map(move |child| Self { depth, prefix: self.prefix | child << shift })
    }

    /// The bits that its keys do not share.
    fn below(self) -> u64 {
        u64::MAX.checked_shr(LEVEL_BITS * u32::from(self.depth)).unwrap_or(0)
    }
}

/// What a key and its version add to a hash over many. Such hashes are sums, so that one is taken out as easily as it was put in.
pub(super) fn hash(key: Key, version: Version) -> u64 {
    mix(mix(mix(key.0).wrapping_add(version.stamp_ms)).wrapping_add(version.content))
}

/// The end of `SplitMix64`.
pub(super) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

impl Default for Index {
    fn default() -> Self {
        Self { buckets: vec![Bucket::default()], bits: 0, len: 0, root: 0 }
    }
}

impl Index {
    /// Sets the version of a key, and says which one it had.
    pub(super) fn set(&mut self, key: Key, version: Version) -> Option<Version> {
        let bucket = self.bucket_mut(key);
        let mut change = hash(key, version);
        let previous = match place(&bucket.entries, key) {
            Ok(at) => {
                let previous = std::mem::replace(&mut bucket.entries[at].1, version);
                change = change.wrapping_sub(hash(key, previous));
                Some(previous)
            }
            Err(at) => {
                bucket.entries.insert(at, (key, version));
                None
            }
        };
        bucket.sum = bucket.sum.wrapping_add(change);
        self.root = self.root.wrapping_add(change);
        if previous.is_none() {
            self.len += 1;
            self.split();
        }
        previous
    }

    /// Takes a key out, and says which version it had.
    pub(super) fn remove(&mut self, key: Key) -> Option<Version> {
        let bucket = self.bucket_mut(key);
        let at = place(&bucket.entries, key).ok()?;
        let (_, version) = bucket.entries.remove(at);
        let change = hash(key, version);
        bucket.sum = bucket.sum.wrapping_sub(change);
        self.root = self.root.wrapping_sub(change);
        self.len -= 1;
        Some(version)
    }

    pub(super) fn version(&self, key: Key) -> Option<Version> {
        let entries = &self.buckets[self.bucket_of(key)].entries;
        place(entries, key).ok().map(|at| entries[at].1)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The hash over everything.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// The hash over a range, `O(buckets in it)`.
    pub(super) fn sum(&self, range: Range) -> u64 {
        let (first, last) = (range.first(), range.last());
        let mut sum = 0_u64;
        for at in self.bucket_of(first)..=self.bucket_of(last) {
            let bucket = &self.buckets[at];
            if self.is_inside(at, first, last) {
                sum = sum.wrapping_add(bucket.sum);
            } else {
                let some = slice(&bucket.entries, first, last);
                sum = some.iter().fold(sum, |sum, &(key, version)| sum.wrapping_add(hash(key, version)));
            }
        }
        sum
    }

    /// How many keys are in a range, but no more than so many.
    pub(super) fn count(&self, range: Range, at_most: usize) -> usize {
        self.within(range.first(), range.last()).take(at_most).count()
    }

    /// Keys from `first` to `last`, both included, in order.
    pub(super) fn within(&self, first: Key, last: Key) -> impl Iterator<Item = (Key, Version)> {
        let buckets = if first <= last {
            &self.buckets[self.bucket_of(first)..=self.bucket_of(last)]
        } else {
            &self.buckets[..0]
        };
        buckets.iter().flat_map(move |bucket| slice(&bucket.entries, first, last)).copied()
    }

    fn bucket_of(&self, key: Key) -> usize {
        key.0.checked_shr(u64::BITS - self.bits).unwrap_or(0) as usize
    }

    fn bucket_mut(&mut self, key: Key) -> &mut Bucket {
        let at = self.bucket_of(key);
        &mut self.buckets[at]
    }

    /// Whether all keys that could be in a bucket are in the range.
    fn is_inside(&self, bucket: usize, first: Key, last: Key) -> bool {
        let lowest = (bucket as u64).checked_shl(u64::BITS - self.bits).unwrap_or(0);
        let highest = lowest | u64::MAX.checked_shr(self.bits).unwrap_or(0);
        first.0 <= lowest && highest <= last.0
    }

    /// Four buckets from each one, if they hold too many keys.
    fn split(&mut self) {
        if self.len <= SPLIT_AT << self.bits || self.bits >= MAX_BITS {
            return;
        }
        let coarse = std::mem::take(&mut self.buckets);
        self.bits += 2;
        self.buckets.resize_with(1 << self.bits, Bucket::default);
        for (key, version) in coarse.into_iter().flat_map(|bucket| bucket.entries) {
            let bucket = self.bucket_mut(key);
            bucket.entries.push((key, version));
            bucket.sum = bucket.sum.wrapping_add(hash(key, version));
        }
    }
}

fn place(entries: &[(Key, Version)], key: Key) -> Result<usize, usize> {
    entries.binary_search_by_key(&key, |&(key, _)| key)
}

fn slice(entries: &[(Key, Version)], first: Key, last: Key) -> &[(Key, Version)] {
    let start = entries.partition_point(|&(key, _)| key < first);
    let end = entries.partition_point(|&(key, _)| key <= last);
    &entries[start..end.max(start)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Index, MAX_DEPTH, Range, hash};
    use crate::{Key, Version};

    /// Keys anywhere, and keys that share a long prefix.
    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![any::<u64>(), 0..40_u64, (0..300_u64).prop_map(|i| i << 55)].prop_map(Key)
    }

    fn any_version() -> impl Strategy<Value = Version> {
        (0..3_u64, 0..3_u64).prop_map(|(stamp_ms, content)| Version { stamp_ms, content })
    }

    proptest! {
        #[test]
        fn is_a_sorted_map_with_sums(
            steps in prop::collection::vec((any_key(), prop::option::weighted(0.8, any_version())), 0..400),
            depth in 0..=MAX_DEPTH, at: u64,
        ) {
            let (mut index, mut twin) = (Index::default(), BTreeMap::new());
            for &(key, version) in &steps {
                match version {
                    Some(version) => prop_assert_eq!(index.set(key, version), twin.insert(key, version)),
                    None => prop_assert_eq!(index.remove(key), twin.remove(&key)),
                }
                prop_assert_eq!(index.version(key), twin.get(&key).copied());
            }
            prop_assert_eq!(index.len(), twin.len());
            let all = index.within(Key(0), Key(u64::MAX)).collect::<Vec<_>>();
            prop_assert_eq!(all, twin.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(index.root(), index.sum(Range::ALL));
            for at in steps.iter().map(|&(key, _)| key.0).chain([at]).take(20) {
                let below = u64::MAX.checked_shr(6 * u32::from(depth)).unwrap_or(0);
                let range = Range::new(depth, at & !below).unwrap();
                let inside = || twin.range(range.first()..=range.last()).map(|(&key, &version)| (key, version));
                prop_assert_eq!(index.within(range.first(), range.last()).collect::<Vec<_>>(), inside().collect::<Vec<_>>());
                let sum = inside().fold(0_u64, |sum, (key, version)| sum.wrapping_add(hash(key, version)));
                prop_assert_eq!(index.sum(range), sum);
                prop_assert_eq!(index.count(range, 5), inside().count().min(5));
                let children: u64 = range.children().fold(0, |sum, child| index.sum(child).wrapping_add(sum));
                prop_assert!(depth == MAX_DEPTH || children == sum, "the children are the range");
            }
        }
    }

    #[test]
    fn children_follow_each_other() {
        let (mut range, mut expected) = (Range::ALL, 0);
        while let Some(child) = range.children().last() {
            let children: Vec<Range> = range.children().collect();
            for child in children {
                assert_eq!(Range::new(child.depth, child.prefix), Some(child));
                assert_eq!(child.first(), Key(expected));
                expected = child.last().0.wrapping_add(1);
            }
            (range, expected) = (child, child.prefix);
        }
        assert_eq!(range.depth, MAX_DEPTH);
        assert_eq!(Range::new(MAX_DEPTH + 1, 0), None);
        assert_eq!(Range::new(1, 1), None);
    }
}
