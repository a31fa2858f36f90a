//! What a store must not do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod state_common;

use std::collections::{BTreeMap, BTreeSet};

use promha_gossip_core::Key;
use promha_gossip_core::dissemination::Source;
use promha_gossip_core::state::{Config, LastWriter, Merge, Outcome, Record, SnapshotAt, Store};
use proptest::prelude::*;
use state_common::Union;

const NOW_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn bytes(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn record_of<M: Merge>(store: &Store<M>, key: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    store.message(Key::of(key), &mut record).unwrap();
    record
}

fn state_of<M: Merge>(store: &Store<M>) -> Vec<u8> {
    let mut state = Vec::new();
    store.write_all(&mut state);
    state
}

fn snapshot<M: Merge>(store: &Store<M>) -> Vec<u8> {
    let (mut file, mut at) = (Vec::new(), Some(SnapshotAt::START));
    while let Some(from) = at {
        at = store.write_snapshot(from, 1, &mut file);
    }
    file
}

/// The two tell each other what they hold, until neither has anything new.
fn exchange<M: Merge>(a: &mut Store<M>, b: &mut Store<M>, now_ms: u64, rounds: usize) -> bool {
    for _ in 0..rounds {
        let before: Vec<_> = a.versions().chain(b.versions()).collect();
        b.merge_all(&state_of(a), now_ms, |_| ());
        a.merge_all(&state_of(b), now_ms, |_| ());
        if a.versions().chain(b.versions()).eq(before) {
            return true;
        }
    }
    false
}

#[test]
fn a_new_node_gets_what_is_older_than_the_floor() {
    let mut old = Store::new(Config { max_graves: 0, tombstone_ms: 0, ..Config::default() });
    old.insert(b"lasts", b"for ever", NOW_MS).unwrap();
    old.insert(b"passes", b"", NOW_MS).unwrap();
    old.delete(b"passes", NOW_MS + HOUR_MS).unwrap();
    old.collect(NOW_MS + HOUR_MS, |_| ());
    assert_eq!(old.floor_ms(), NOW_MS + HOUR_MS);
    let mut new = Store::new(Config::default());
    new.merge_all(&state_of(&old), NOW_MS + 10 * DAY_MS, |_| ());
    assert_eq!(new.get(b"lasts", NOW_MS + 10 * DAY_MS), Some(&b"for ever"[..]), "{:?}", new.stats());
}

#[test]
fn a_merge_and_two_expiries_come_to_an_end() {
    let [mut a, mut b] = [(); 2].map(|()| Store::with_merge(Config::default(), Union));
    a.insert_until(b"k", b"x", NOW_MS + HOUR_MS, NOW_MS).unwrap();
    b.insert_until(b"k", b"x", NOW_MS + 2 * HOUR_MS, NOW_MS).unwrap();
    assert!(
        exchange(&mut a, &mut b, NOW_MS + 1, 50),
        "50 rounds: {:?} {:?}",
        a.versions().next(),
        b.versions().next()
    );
    assert!(a.versions().eq(b.versions()));
}

#[test]
fn what_is_written_after_a_clamped_write_stays() {
    let (mut ahead, mut right) = (Store::new(Config::default()), Store::new(Config::default()));
    ahead.insert(b"k", b"ahead", NOW_MS + HOUR_MS).unwrap();
    right.merge(&record_of(&ahead, b"k"), NOW_MS).unwrap();
    let later_ms = NOW_MS + 70_000;
    right.insert(b"k", b"later", later_ms).unwrap();
    (right, _) = Store::restore(Config::default(), LastWriter, &snapshot(&right), later_ms);
    // The peer whose clock is ahead tells what it holds, as anti-entropy does.
    right.merge_all(&state_of(&ahead), later_ms + 1_000, |_| ());
    assert_eq!(right.get(b"k", later_ms + 1_000), Some(&b"later"[..]));
}

/// The same, until the clock has come there: causality decides, and all end with the same.
#[test]
fn what_is_written_after_a_clamped_write_wins_in_the_end() {
    let (mut ahead, mut right) = (Store::new(Config::default()), Store::new(Config::default()));
    ahead.insert(b"k", b"ahead", NOW_MS + HOUR_MS).unwrap();
    right.merge(&record_of(&ahead, b"k"), NOW_MS).unwrap();
    right.insert(b"k", b"later", NOW_MS + 70_000).unwrap();
    assert!(exchange(&mut ahead, &mut right, NOW_MS + 2 * HOUR_MS, 10));
    assert_eq!(right.get(b"k", NOW_MS + 2 * HOUR_MS), ahead.get(b"k", NOW_MS + 2 * HOUR_MS));
    assert_eq!(right.get(b"k", NOW_MS + 2 * HOUR_MS), Some(&b"later"[..]));
}

#[test]
fn a_spoiled_snapshot_invents_nothing_that_stood_within_a_value() {
    let mut inner = Store::new(Config::default());
    inner.insert(b"invented", b"by a value", NOW_MS).unwrap();
    let mut store = Store::new(Config::default());
    store.insert(b"file", &snapshot(&inner), NOW_MS).unwrap();
    let file = snapshot(&store);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut spoiled = file.clone();
            spoiled[at] ^= 1 << bit;
            let (restored, found) = Store::restore(Config::default(), LastWriter, &spoiled, NOW_MS + 1);
            assert_eq!(restored.get(b"invented", NOW_MS + 1), None, "bit {bit} of byte {at}: {found:?}");
        }
    }
}

/// A value may hold anything, also what looks like the beginnings of pieces. Read again from each of them, this one would take minutes.
#[test]
fn a_spoiled_snapshot_is_read_once() {
    // A mark and a length of half of the value, over and over.
    let half = (1_u32 << 19).to_le_bytes();
    let looks = [0xd7, half[0], half[1], half[2], half[3], half[0], half[1], half[2], half[3], 0, 0, 0, 0];
    let value: Vec<u8> = looks.into_iter().cycle().take(1 << 20).collect();
    let mut store = Store::new(Config::default());
    store.insert(b"k", &value, NOW_MS).unwrap();
    let mut file = snapshot(&store);
    let end = file.len() - 14;
    file[23] ^= 1;
    let (restored, found) = Store::restore(Config::default(), LastWriter, &file, NOW_MS + 1);
    assert!(restored.is_empty());
    assert_eq!((found.spoiled_bytes, found.torn_at), (end - 23, None), "the end is found");
}

#[test]
fn a_key_that_ends_while_a_snapshot_is_written_has_ended() {
    let mut store = Store::new(Config { tombstone_ms: 0, ..Config::default() });
    store.insert(b"k", b"value", NOW_MS).unwrap();
    let mut file = Vec::new();
    let from = store.write_snapshot(SnapshotAt::START, 1, &mut file).unwrap();
    let mut at = store.write_snapshot(from, 1, &mut file);
    store.delete(b"k", NOW_MS + 1).unwrap();
    store.collect(NOW_MS + 1, |_| ());
    while let Some(from) = at {
        at = store.write_snapshot(from, 1, &mut file);
    }
    let (restored, found) = Store::restore(*store.config(), LastWriter, &file, NOW_MS + 2);
    assert_eq!(restored.get(b"k", NOW_MS + 2), None, "{found:?}");
}

/// A version that came, and is what we hold from now on, is not new for everybody.
#[test]
fn the_same_content_of_a_later_time_is_fresh_and_not_combined() {
    let mut store = Store::with_merge(Config::default(), Union);
    store.insert(b"k", b"x", NOW_MS).unwrap();
    let record = Record { key: b"k", value: Some(b"x"), rank_ms: 0, stamp_ms: NOW_MS + 5, expires_ms: None };
    let merged = store.merge(&bytes(&record), NOW_MS + 5).unwrap();
    assert_eq!(merged.outcome, Outcome::Fresh);
}

/// Nobody asks what changed.
#[test]
fn changes_that_nobody_asks_for_do_not_pile_up() {
    let mut store = Store::new(Config { max_graves: 10, max_changes: 100, ..Config::default() });
    for number in 0..20_000_u64 {
        store.insert_until(&number.to_le_bytes(), b"", NOW_MS + number + 1, NOW_MS + number).unwrap();
        store.collect(NOW_MS + number + 1, |_| ());
    }
    assert_eq!(store.bytes(), 0);
    assert_eq!(store.stats().changes_lost, 39_800);
    let mut changes = 0;
    while store.poll_change().is_some() {
        changes += 1;
    }
    assert!(changes == 100, "{changes} changes are kept");
}

/// What one step of many does.
#[derive(Clone, Debug)]
enum Step {
    Add {
        node: usize,
        key: usize,
        byte: u8,
    },
    Delete {
        node: usize,
        key: usize,
    },
    Deliver {
        node: usize,
        which: prop::sample::Index,
    },
    Collect {
        node: usize,
    },
    /// The node stops and starts again with its snapshot.
    Restart {
        node: usize,
    },
    Pass {
        ms: u64,
    },
}

const KEYS: [&[u8]; 2] = [b"a", b"b"];
const NODES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let (node, key) = (0..NODES, 0..KEYS.len());
    prop_oneof![
        3 => (node.clone(), key.clone(), 0..4_u8).prop_map(|(node, key, byte)| Step::Add { node, key, byte }),
        2 => (node.clone(), key).prop_map(|(node, key)| Step::Delete { node, key }),
        6 => (node.clone(), any::<prop::sample::Index>()).prop_map(|(node, which)| Step::Deliver { node, which }),
        2 => node.clone().prop_map(|node| Step::Collect { node }),
        1 => node.prop_map(|node| Step::Restart { node }),
        2 => (0..8_u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// The obvious twin of a node: every record that it ever had, and what they come to together.
#[derive(Clone, Debug, Default)]
struct Twin(BTreeSet<(Vec<u8>, u64, Option<Vec<u8>>)>);

impl Twin {
    fn hear(&mut self, record: &Record<'_>) {
        self.0.insert((record.key.to_vec(), record.rank_ms, record.value.map(<[u8]>::to_vec)));
    }

    /// The last life, if no deletion ended it: all that was ever added in it.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let of_key = || self.0.iter().filter(|(of, ..)| of == key);
        let (rank_ms, is_deleted) = of_key().map(|(_, rank_ms, value)| (*rank_ms, value.is_none())).max()?;
        let life = of_key().filter(|(_, rank, _)| *rank == rank_ms);
        let all: BTreeSet<u8> = life.filter_map(|(.., value)| value.as_ref()).flatten().copied().collect();
        (!is_deleted).then(|| all.into_iter().collect())
    }
}

/// Three nodes, and every record that one of them ever had.
struct Cluster {
    stores: Vec<Store<Union>>,
    twins: Vec<Twin>,
    now_ms: u64,
    records: Vec<Vec<u8>>,
    /// The last deletion of each key that each node knew of.
    deleted_ms: BTreeMap<(usize, usize), u64>,
}

impl Cluster {
    fn new(config: Config) -> Self {
        Self {
            stores: (0..NODES).map(|_| Store::with_merge(config, Union)).collect(),
            twins: vec![Twin::default(); NODES],
            now_ms: NOW_MS,
            records: Vec::new(),
            deleted_ms: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Add { node, key, byte } => {
                let held = self.stores[node].get(KEYS[key], self.now_ms).unwrap_or_default();
                let all: BTreeSet<u8> = held.iter().copied().chain([byte]).collect();
                let all: Vec<u8> = all.into_iter().collect();
                self.stores[node].insert(KEYS[key], &all, self.now_ms).unwrap();
                self.keep(node, KEYS[key]);
            }
            Step::Delete { node, key } => {
                if self.stores[node].delete(KEYS[key], self.now_ms).is_some() {
                    self.keep(node, KEYS[key]);
                }
            }
            Step::Deliver { node, which } if !self.records.is_empty() => {
                let bytes = which.get(&self.records).clone();
                let record = Record::decode(&bytes).unwrap();
                if self.stores[node].merge(&bytes, self.now_ms).is_ok() {
                    self.twins[node].hear(&record);
                    self.keep(node, record.key);
                }
            }
            Step::Deliver { .. } => {}
            Step::Collect { node } => self.stores[node].collect(self.now_ms, |_| ()),
            Step::Restart { node } => {
                let config = *self.stores[node].config();
                let file = snapshot(&self.stores[node]);
                let (restored, found) = Store::restore(config, Union, &file, self.now_ms);
                assert_eq!((found.refused, found.spoiled_bytes, found.torn_at), (0, 0, None));
                assert!(restored.versions().eq(self.stores[node].versions()));
                self.stores[node] = restored;
            }
            Step::Pass { ms } => self.now_ms += ms,
        }
    }

    /// Keeps what a node holds of a key, for others and for its twin.
    fn keep(&mut self, node: usize, key: &[u8]) {
        let mut bytes = Vec::new();
        if self.stores[node].message(Key::of(key), &mut bytes).is_some() {
            self.twins[node].hear(&Record::decode(&bytes).unwrap());
            self.records.push(bytes);
        }
    }

    /// What a node knew to be deleted it does not hold, unless it was written later.
    fn assert_dead(&mut self) {
        for (node, store) in self.stores.iter().enumerate() {
            for (at, key) in KEYS.into_iter().enumerate() {
                let mut bytes = Vec::new();
                if store.message(Key::of(key), &mut bytes).is_none() {
                    continue;
                }
                let record = Record::decode(&bytes).unwrap();
                let deleted_ms = self.deleted_ms.entry((node, at)).or_default();
                if record.value.is_none() {
                    *deleted_ms = (*deleted_ms).max(record.rank_ms);
                } else {
                    assert!(
                        record.stamp_ms > *deleted_ms,
                        "node {node}: {record:?}, deleted at {deleted_ms}"
                    );
                }
            }
        }
    }
}

fn arbitrary_record() -> impl Strategy<Value = Vec<u8>> {
    let value = prop::option::weighted(0.8, prop::collection::btree_set(0..4_u8, 0..3));
    (0..3_u64, 1..5_u64, value, prop::option::of(1..4_u64)).prop_map(|(rank, later, value, expiry)| {
        let value: Option<Vec<u8>> = value.map(|set| set.into_iter().collect());
        let expires_ms = expiry.filter(|_| value.is_some()).map(|hours| NOW_MS + hours * HOUR_MS);
        let (rank_ms, stamp_ms) = (rank * 2, rank * 2 + later);
        bytes(&Record { key: b"k", value: value.as_deref(), rank_ms, stamp_ms, expires_ms })
    })
}

/// All that a record says but when it was written.
fn content(bytes: &[u8]) -> (Option<Vec<u8>>, u64, Option<u64>) {
    let record = Record::decode(bytes).unwrap();
    (record.value.map(<[u8]>::to_vec), record.rank_ms, record.expires_ms)
}

proptest! {
    /// Whatever is forgotten, and however often a node starts again: as long as graves last it holds what a node holds that forgets nothing.
    #[test]
    fn a_store_holds_what_its_twin_holds(steps in prop::collection::vec(step(), 0..80)) {
        let mut cluster = Cluster::new(Config { tombstone_ms: 5, ..Config::default() });
        for step in &steps {
            cluster.step(step);
            for (store, twin) in cluster.stores.iter().zip(&cluster.twins) {
                for key in KEYS {
                    prop_assert_eq!(store.get(key, cluster.now_ms).map(<[u8]>::to_vec), twin.get(key));
                }
            }
        }
    }

    /// Also when there is no more room for graves, or they are too old.
    #[test]
    fn what_a_node_knew_to_be_deleted_does_not_come_back(
        steps in prop::collection::vec(step(), 0..120),
        (max_graves, grave_ms) in (0..3_usize, 0..20_u64),
    ) {
        let mut cluster = Cluster::new(Config { tombstone_ms: 5, grave_ms, max_graves, ..Config::default() });
        for step in &steps {
            cluster.step(step);
            cluster.assert_dead();
        }
    }

    /// With values, deletions, lives and expiries that nobody would write.
    #[test]
    fn any_records_in_any_order_come_to_the_same(
        (records, other) in prop::collection::vec(arbitrary_record(), 1..8)
            .prop_flat_map(|records| (Just(records.clone()), Just([records.clone(), records].concat()).prop_shuffle())),
    ) {
        let [mut a, mut b] = [(); 2].map(|()| Store::with_merge(Config::default(), Union));
        records.iter().for_each(|record| { a.merge(record, NOW_MS).unwrap(); });
        other.iter().for_each(|record| { b.merge(record, NOW_MS).unwrap(); });
        prop_assert_eq!(content(&record_of(&a, b"k")), content(&record_of(&b, b"k")));
        prop_assert!(exchange(&mut a, &mut b, NOW_MS, 4), "{:?} {:?}", record_of(&a, b"k"), record_of(&b, b"k"));
        prop_assert!(a.versions().eq(b.versions()));

        let [mut a, mut b] = [(); 2].map(|()| Store::new(Config::default()));
        records.iter().for_each(|record| { a.merge(record, NOW_MS).unwrap(); });
        other.iter().for_each(|record| { b.merge(record, NOW_MS).unwrap(); });
        prop_assert!(exchange(&mut a, &mut b, NOW_MS, 4));
        prop_assert!(a.versions().eq(b.versions()));
    }

    /// A clock that is ahead, restarts, writes that come too early and again: when clocks have come there, all hold the same.
    #[test]
    fn clamped_stamps_end_equal(steps in prop::collection::vec((0..3_usize, 0..4_u8, 0..12_u64), 1..40)) {
        let config = Config { max_ahead_ms: 10, ..Config::default() };
        let mut stores: Vec<_> = (0..3).map(|_| Store::new(config)).collect();
        let mut now_ms = NOW_MS;
        let clock = |node: usize, now_ms: u64| now_ms + if node == 2 { 500 } else { 0 };
        for (node, what, ms) in steps {
            now_ms += ms;
            let at_ms = clock(node, now_ms);
            match what {
                0 => { stores[node].insert(b"k", &[ms as u8], at_ms).unwrap(); }
                1 => { stores[node].delete(b"k", at_ms); }
                2 => {
                    let (restored, _) = Store::restore(config, LastWriter, &snapshot(&stores[node]), at_ms);
                    stores[node] = restored;
                }
                _ => {
                    let state = state_of(&stores[(node + 1 + ms as usize % 2) % 3]);
                    stores[node].merge_all(&state, at_ms, |_| ());
                }
            }
        }
        now_ms += 10_000;
        let mut before = Vec::new();
        for round in 0..20 {
            for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 2), (2, 1), (1, 0)] {
                let state = state_of(&stores[from]);
                stores[to].merge_all(&state, now_ms, |_| ());
            }
            let after: Vec<_> = stores.iter().map(|store| store.versions().collect::<Vec<_>>()).collect();
            if after == before {
                prop_assert!(after.iter().all(|versions| *versions == after[0]), "{after:?}");
                return Ok(());
            }
            prop_assert!(round < 19, "they do not come to an end");
            before = after;
        }
    }
}
