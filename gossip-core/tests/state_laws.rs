//! Stores that have heard the same hold the same, in whatever order, and what was deleted stays deleted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod state_common;

use std::collections::BTreeMap;

use promha_gossip_core::dissemination::Source;
use promha_gossip_core::state::{Ahead, Choice, Config, Held, LastWriter, Merge, Store, laws};
use promha_gossip_core::{Key, Version};
use proptest::prelude::*;
use state_common::Union;

const START_MS: u64 = 1_700_000_000_000;
const KEYS: [&[u8]; 3] = [b"a", b"b", b"c"];

#[derive(Clone, Debug)]
enum Step {
    Insert {
        node: usize,
        key: usize,
        value: Vec<u8>,
        expires_in_ms: Option<u64>,
    },
    Delete {
        node: usize,
        key: usize,
    },
    /// A record that some node had at some time comes to a node.
    Deliver {
        node: usize,
        which: prop::sample::Index,
    },
    Collect {
        node: usize,
    },
    Pass {
        ms: u64,
    },
}

fn step(nodes: usize, expires: bool) -> impl Strategy<Value = Step> {
    let node = 0..nodes;
    let value = prop::collection::btree_set(0..5_u8, 0..3).prop_map(|set| set.into_iter().collect());
    let expiry = if expires { prop::option::of(1..50_u64).boxed() } else { Just(None).boxed() };
    prop_oneof![
        3 => (node.clone(), 0..KEYS.len(), value, expiry).prop_map(|(node, key, value, expires_in_ms)| {
            Step::Insert { node, key, value, expires_in_ms }
        }),
        1 => (node.clone(), 0..KEYS.len()).prop_map(|(node, key)| Step::Delete { node, key }),
        6 => (node.clone(), any::<prop::sample::Index>()).prop_map(|(node, which)| Step::Deliver { node, which }),
        1 => node.prop_map(|node| Step::Collect { node }),
        2 => (0..30_u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// Nodes, the skew of their clocks, and every record that was ever there.
struct Cluster<M> {
    stores: Vec<Store<M>>,
    skew_ms: Vec<u64>,
    now_ms: u64,
    records: Vec<Vec<u8>>,
}

impl<M: Merge + Copy> Cluster<M> {
    fn new(merge: M, config: Config, skew_ms: &[u64]) -> Self {
        let stores = skew_ms.iter().map(|_| Store::with_merge(config, merge)).collect();
        Self { stores, skew_ms: skew_ms.to_vec(), now_ms: START_MS, records: Vec::new() }
    }

    fn now_ms(&self, node: usize) -> u64 {
        self.now_ms + self.skew_ms[node]
    }

    fn keep(&mut self, node: usize, key: Key) {
        let mut record = Vec::new();
        if self.stores[node].message(key, &mut record).is_some() {
            self.records.push(record);
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Insert { node, key, ref value, expires_in_ms } => {
                let (key, now_ms) = (KEYS[key], self.now_ms(node));
                let store = &mut self.stores[node];
                let (key, _) = match expires_in_ms {
                    Some(ms) => store.insert_until(key, value, now_ms + ms, now_ms).unwrap(),
                    None => store.insert(key, value, now_ms).unwrap(),
                };
                self.keep(node, key);
            }
            Step::Delete { node, key } => {
                let now_ms = self.now_ms(node);
                if let Some((key, _)) = self.stores[node].delete(KEYS[key], now_ms) {
                    self.keep(node, key);
                }
            }
            Step::Deliver { node, which } => {
                if !self.records.is_empty() {
                    let (record, now_ms) = (which.get(&self.records).clone(), self.now_ms(node));
                    if let Ok(merged) = self.stores[node].merge(&record, now_ms) {
                        self.keep(node, merged.key);
                    }
                }
            }
            Step::Collect { node } => {
                let now_ms = self.now_ms(node);
                self.stores[node].collect(now_ms, |_| ());
            }
            Step::Pass { ms } => self.now_ms += ms,
        }
    }

    /// All tell all, until nothing changes any more.
    fn settle(&mut self) {
        for _round in 0..8 {
            let before: Vec<_> = self.stores.iter().map(versions).collect();
            for from in 0..self.stores.len() {
                let mut state = Vec::new();
                self.stores[from].write_all(&mut state);
                for to in 0..self.stores.len() {
                    let now_ms = self.now_ms(to);
                    self.stores[to].merge_all(&state, now_ms, |_| ());
                }
            }
            if self.stores.iter().map(versions).eq(before) {
                return;
            }
        }
        panic!("they do not come to an end");
    }

    fn assert_equal(&self) {
        for store in &self.stores {
            assert_eq!(versions(store), versions(&self.stores[0]));
            assert!(store.iter(self.now_ms).eq(self.stores[0].iter(self.now_ms)));
        }
    }
}

fn versions<M: Merge>(store: &Store<M>) -> Vec<(Key, Version)> {
    store.versions().collect()
}

fn cases<M: Merge + Copy>(merge: M, skew_ms: &[u64], steps: &[Step]) {
    let mut cluster = Cluster::new(merge, Config::default(), skew_ms);
    steps.iter().for_each(|step| cluster.step(step));
    cluster.settle();
    cluster.assert_equal();
}

proptest! {
    #[test]
    fn the_last_writer_wins_everywhere(steps in prop::collection::vec(step(3, false), 0..60)) {
        cases(LastWriter, &[0, 0, 0], &steps);
    }

    /// Also where clocks are a little wrong, and writes have the same stamp.
    #[test]
    fn clocks_that_differ_make_no_difference(
        steps in prop::collection::vec(step(3, false), 0..60),
        skew_ms in prop::collection::vec(0..3_u64, 3),
    ) {
        cases(LastWriter, &skew_ms, &steps);
    }

    #[test]
    fn sets_grow_everywhere(steps in prop::collection::vec(step(3, false), 0..60)) {
        cases(Union, &[0, 1, 2], &steps);
    }

    /// With expiry: at the end, when all have expired and are collected, nobody has anything.
    #[test]
    fn what_expires_comes_to_its_end_everywhere(steps in prop::collection::vec(step(3, true), 0..60)) {
        let mut cluster = Cluster::new(Union, Config::default(), &[0, 0, 0]);
        steps.iter().for_each(|step| cluster.step(step));
        cluster.now_ms += 1_000;
        (0..3).for_each(|node| cluster.step(&Step::Collect { node }));
        cluster.settle();
        let held = |store: &Store<Union>| {
            store.iter(cluster.now_ms).map(|(key, value)| (key.to_vec(), value.to_vec())).collect::<Vec<_>>()
        };
        let first = held(&cluster.stores[0]);
        prop_assert!(cluster.stores.iter().all(|store| held(store) == first));
    }

    /// Deletions are told for a moment only. Whoever comes later with what was deleted is told so.
    #[test]
    fn what_was_deleted_stays_deleted(
        steps in prop::collection::vec(step(3, false), 0..60),
        late in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let config = Config { tombstone_ms: 5, ..Config::default() };
        let mut cluster = Cluster::new(LastWriter, config, &[0, 0, 0]);
        steps.iter().for_each(|step| cluster.step(step));
        cluster.settle();
        for key in KEYS {
            for node in 0..3 {
                let now_ms = cluster.now_ms(node);
                cluster.stores[node].delete(key, now_ms);
            }
        }
        cluster.settle();
        cluster.now_ms += 10;
        (0..3).for_each(|node| cluster.step(&Step::Collect { node }));
        assert!(cluster.stores.iter().all(|store| store.tombstones() == 0));
        for (at, which) in late.into_iter().enumerate() {
            // A node may never have heard of a key whose deletion is no longer told. Another one has.
            cluster.step(&Step::Deliver { node: at % 3, which });
            cluster.settle();
            prop_assert!(cluster.stores.iter().all(Store::is_empty), "it came back");
        }
    }

    /// The obvious twin of a store that nobody deletes from: a map of the largest versions.
    #[test]
    fn without_deletions_it_is_a_map_of_the_largest_versions(
        steps in prop::collection::vec(step(2, false), 0..60),
    ) {
        let mut cluster = Cluster::new(LastWriter, Config::default(), &[0, 0]);
        for step in steps.iter().filter(|step| !matches!(step, Step::Delete { .. })) {
            cluster.step(step);
        }
        cluster.settle();
        let mut twin = BTreeMap::new();
        for record in &cluster.records {
            let record = promha_gossip_core::state::Record::decode(record).unwrap();
            let held = twin.entry(record.key.to_vec()).or_insert((record.version(), record.value));
            *held = (*held).max((record.version(), record.value));
        }
        let expected: BTreeMap<_, _> =
            twin.iter().map(|(key, (_, value))| (key.as_slice(), value.unwrap())).collect();
        for store in &cluster.stores {
            prop_assert_eq!(&store.iter(cluster.now_ms).collect::<BTreeMap<_, _>>(), &expected);
        }
    }

    /// A stamp that is ahead, clamped or refused: when the clocks have come so far, all have the same.
    #[test]
    fn stamps_that_are_ahead_end_equal(
        steps in prop::collection::vec(step(3, false), 0..40),
        refuse in any::<bool>(),
    ) {
        let ahead = if refuse { Ahead::Refuse } else { Ahead::Clamp };
        let config = Config { ahead, max_ahead_ms: 10, ..Config::default() };
        let mut cluster = Cluster::new(LastWriter, config, &[0, 0, 500]);
        steps.iter().for_each(|step| cluster.step(step));
        cluster.now_ms += 1_000;
        cluster.settle();
        cluster.assert_equal();
    }
}

#[test]
fn the_merges_keep_their_laws() {
    let values: [(u64, &[u8]); 6] = [(1, b"a"), (1, b"b"), (2, b"a"), (2, b"abc"), (3, b""), (3, b"z")];
    assert_eq!(laws::check(&LastWriter, b"key", &values), Ok(()));
    assert_eq!(laws::check(&Union, b"key", &values), Ok(()));
}

#[test]
fn a_merge_that_breaks_a_law_is_found() {
    /// The longer one: of two that are as long, ours.
    struct Longer;
    impl Merge for Longer {
        fn merge(&self, _key: &[u8], ours: Held<'_>, theirs: Held<'_>, _into: &mut Vec<u8>) -> Choice {
            if theirs.value.len() > ours.value.len() { Choice::Theirs } else { Choice::Ours }
        }
    }
    let values: [(u64, &[u8]); 2] = [(1, b"a"), (1, b"b")];
    assert!(matches!(laws::check(&Longer, b"key", &values), Err(laws::Broken::Commutative(..))));
}
