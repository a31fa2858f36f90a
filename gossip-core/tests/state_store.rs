//! One store: what it refuses, what it says, what it remembers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use allocation_counter::measure;
use promha_gossip_core::dissemination::Source;
use promha_gossip_core::state::{
    Ahead, Change, Config, LastWriter, Outcome, Presence, Record, RecordError, Refused, SnapshotAt, Store,
};
use promha_gossip_core::{Key, Version};
use proptest::prelude::*;

const NOW_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

fn value<'a>(key: &'a [u8], value: &'a [u8], stamp_ms: u64) -> Record<'a> {
    Record { key, value: Some(value), rank_ms: 0, stamp_ms, expires_ms: None }
}

fn bytes(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn record_of(store: &Store, key: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    store.message(Key::of(key), &mut record).unwrap();
    record
}

fn snapshot(store: &Store, wanted_bytes: usize) -> Vec<u8> {
    let (mut file, mut at) = (Vec::new(), Some(SnapshotAt::START));
    while let Some(from) = at {
        at = store.write_snapshot(from, wanted_bytes, &mut file);
    }
    file
}

/// What Alertmanager gets wrong: a silence is expired early and forgotten, and a peer comes back that has it as active for long.
#[test]
fn what_expired_early_does_not_come_back_with_a_stale_peer() {
    let [mut here, mut stale] = [(); 2].map(|()| Store::new(Config::default()));
    here.insert_until(b"silence", b"active", NOW_MS + 100 * HOUR_MS, NOW_MS).unwrap();
    stale.merge(&record_of(&here, b"silence"), NOW_MS).unwrap();

    // The peer is away. The silence is expired, and a day later it is forgotten, also by the snapshot.
    here.insert_until(b"silence", b"expired", NOW_MS + 2 * HOUR_MS, NOW_MS + HOUR_MS).unwrap();
    let later_ms = NOW_MS + 26 * HOUR_MS;
    here.collect(later_ms, |_| ());
    let (mut here, _) = Store::restore(Config::default(), LastWriter, &snapshot(&here, 1), later_ms);
    assert_eq!((here.len(), here.tombstones(), here.graves()), (0, 0, 1));

    let merged = here.merge(&record_of(&stale, b"silence"), later_ms).unwrap();
    assert_eq!(here.get(b"silence", later_ms), None);
    assert!(matches!(merged.outcome, Outcome::Combined(_)), "the peer is told");
    stale.merge(&record_of(&here, b"silence"), later_ms).unwrap();
    assert_eq!(stale.get(b"silence", later_ms), None);
    assert_eq!(here.stats().buried, 1);

    // Whoever writes it again begins another life.
    stale.insert(b"silence", b"again", later_ms).unwrap();
    here.merge(&record_of(&stale, b"silence"), later_ms).unwrap();
    assert_eq!(here.get(b"silence", later_ms), Some(&b"again"[..]));
}

/// What Alertmanager gets wrong: two silences of one id and one time stay different for ever.
#[test]
fn contents_of_the_same_time_end_equal() {
    let records = [value(b"k", b"one", NOW_MS), value(b"k", b"other", NOW_MS)].map(|record| bytes(&record));
    let held = [[0, 1], [1, 0]].map(|order| {
        let mut store = Store::new(Config::default());
        for at in order {
            store.merge(&records[at], NOW_MS).unwrap();
        }
        store.get(b"k", NOW_MS).unwrap().to_vec()
    });
    assert_eq!(held[0], held[1]);
}

/// What Alertmanager gets wrong: an entry of an hour ahead is not replaced for an hour.
#[test]
fn a_clock_that_is_ahead_wins_for_no_longer_than_allowed() {
    let ahead = bytes(&value(b"k", b"ahead", NOW_MS + HOUR_MS));
    let mut store = Store::new(Config::default());
    let merged = store.merge(&ahead, NOW_MS).unwrap();
    let clamped = Version { stamp_ms: NOW_MS + 60_000, ..merged.version };
    let Outcome::Combined(taken) = merged.outcome else { panic!("{merged:?}") };
    assert_eq!(taken.stamp_ms, clamped.stamp_ms);
    assert_eq!(store.merge(&ahead, NOW_MS + 1).unwrap().outcome, Outcome::Known);
    // Here it is written over at once, and by others a minute later.
    assert!(store.insert(b"k", b"mine", NOW_MS + 2).unwrap().1 > taken);
    let theirs = bytes(&value(b"k", b"theirs", NOW_MS + 70_000));
    assert_eq!(store.merge(&theirs, NOW_MS + 70_000).unwrap().outcome, Outcome::Fresh);
    assert_eq!((store.stats().ahead, store.stats().clamped), (1, 1));

    let mut store = Store::new(Config { ahead: Ahead::Refuse, ..Config::default() });
    let refused = store.merge(&ahead, NOW_MS).unwrap_err();
    assert_eq!(refused, Refused::Ahead { ahead_ms: HOUR_MS, limit_ms: 60_000 });
    assert_eq!((store.len(), store.stats().ahead, store.stats().clamped), (0, 1, 0));
}

#[test]
fn a_write_is_later_than_what_it_writes_over_although_the_clock_went_back() {
    let mut store = Store::new(Config::default());
    let (_, first) = store.insert(b"k", b"1", NOW_MS).unwrap();
    let (_, second) = store.insert(b"k", b"2", NOW_MS - HOUR_MS).unwrap();
    let (_, third) = store.delete(b"k", NOW_MS - HOUR_MS).unwrap();
    let (_, fourth) = store.insert(b"k", b"4", NOW_MS - HOUR_MS).unwrap();
    assert!(first < second && second < third && third < fourth);
    assert_eq!(store.get(b"k", NOW_MS), Some(&b"4"[..]));
}

/// A node that has nothing from before writes a key that others have deleted: it hears of that, and writes it again.
#[test]
fn whoever_never_heard_of_a_deletion_is_told_and_writes_again() {
    let [mut old, mut new] = [(); 2].map(|()| Store::new(Config::default()));
    old.insert(b"k", b"old", NOW_MS).unwrap();
    old.delete(b"k", NOW_MS + 1).unwrap();
    let now_ms = NOW_MS + 72 * HOUR_MS;
    old.collect(now_ms, |_| ());
    for (attempt, held) in [(1, None), (2, Some(&b"new"[..]))] {
        new.insert(b"k", b"new", now_ms + attempt).unwrap();
        old.merge(&record_of(&new, b"k"), now_ms + attempt).unwrap();
        new.merge(&record_of(&old, b"k"), now_ms + attempt).unwrap();
        assert_eq!((old.get(b"k", now_ms), new.get(b"k", now_ms)), (held, held));
    }
}

#[test]
fn limits_are_told_with_their_numbers() {
    let config =
        Config { max_key_bytes: 4, max_value_bytes: 8, max_entries: 2, max_bytes: 300, ..Config::default() };
    let mut store = Store::new(config);
    let insert = |store: &mut Store, key: &[u8], value: &[u8]| store.insert(key, value, NOW_MS).unwrap_err();
    assert_eq!(insert(&mut store, b"12345", b""), Refused::KeyTooLong { found: 5, limit: 4 });
    assert_eq!(insert(&mut store, b"k", b"123456789"), Refused::ValueTooLong { found: 9, limit: 8 });
    store.insert(b"a", b"1", NOW_MS).unwrap();
    store.insert(b"b", b"1", NOW_MS).unwrap();
    let full = Refused::TooManyEntries { found: 2, limit: 2 };
    assert_eq!(insert(&mut store, b"c", b"1"), full);
    assert_eq!(store.merge(&bytes(&value(b"c", b"1", NOW_MS)), NOW_MS), Err(full));
    // What is known still changes.
    store.insert(b"a", b"2", NOW_MS).unwrap();
    assert_eq!(store.stats().over_limit, 1, "of what came from others");

    let mut store = Store::new(Config { max_bytes: 100, ..Config::default() });
    store.insert(b"abcd", b"12345678", NOW_MS).unwrap();
    assert_eq!(store.bytes(), 96 + 4 + 8);
    assert_eq!(insert(&mut store, b"b", b""), Refused::TooManyBytes { found: 108, limit: 100 });
    assert_eq!(insert(&mut store, b"abcd", b"123456789"), Refused::TooManyBytes { found: 109, limit: 100 });
    store.insert(b"abcd", b"1234567", NOW_MS).unwrap();
    store.delete(b"abcd", NOW_MS).unwrap();
    store.collect(NOW_MS + 25 * HOUR_MS, |_| ());
    assert_eq!((store.bytes(), store.graves()), (0, 1));
}

/// More graves than there may be: the oldest give way to a floor, and what may have been deleted is refused.
#[test]
fn beyond_the_graves_there_is_a_floor() {
    let mut store = Store::new(Config { max_graves: 2, tombstone_ms: 0, ..Config::default() });
    let mut old = Vec::new();
    for (at, key) in [b"a", b"b", b"c"].into_iter().enumerate() {
        store.insert(key, b"", NOW_MS + at as u64).unwrap();
        old.push(record_of(&store, key));
        store.delete(key, NOW_MS + 10 + at as u64).unwrap();
        store.collect(NOW_MS + 10 + at as u64, |_| ());
    }
    assert_eq!((store.graves(), store.floor_ms()), (2, NOW_MS + 10));
    let refused = store.merge(&old[0], NOW_MS + 20).unwrap_err();
    assert_eq!(refused, Refused::BelowFloor { stamp_ms: NOW_MS, floor_ms: NOW_MS + 10 });
    // What is written now is above it, here and elsewhere.
    store.insert(b"a", b"new", NOW_MS + 20).unwrap();
    let mut other = Store::new(Config::default());
    let mut state = Vec::new();
    store.write_all(&mut state);
    let day_ms = 24 * HOUR_MS;
    other.merge_all(&state, NOW_MS + 2 * day_ms, |_| ());
    assert_eq!(other.get(b"a", NOW_MS + 2 * day_ms), Some(&b"new"[..]));
    assert_eq!(other.floor_ms(), NOW_MS + 10);
}

#[test]
fn a_change_tells_what_came_of_all_since_the_last_one() {
    let mut store = Store::new(Config { tombstone_ms: 0, ..Config::default() });
    store.insert(b"k", b"1", NOW_MS).unwrap();
    let (name, version) = store.insert(b"k", b"2", NOW_MS).unwrap();
    let change = store.poll_change().unwrap();
    let (was, is) = (Presence::Unknown, Presence::Present(version));
    assert_eq!(change, Change { key: b"k"[..].into(), name, was, is, local: true });
    assert_eq!(store.poll_change(), None);

    let (_, deleted) = store.delete(b"k", NOW_MS).unwrap();
    let change = store.poll_change().unwrap();
    assert_eq!((change.was, change.is), (Presence::Present(version), Presence::Deleted(deleted)));

    let theirs = value(b"x", b"", NOW_MS);
    store.merge(&bytes(&Record { expires_ms: Some(NOW_MS + 5), ..theirs }), NOW_MS).unwrap();
    assert!(!store.poll_change().unwrap().local);
    let mut collected = Vec::new();
    assert_eq!(store.next_due_ms(), Some(NOW_MS));
    store.collect(NOW_MS + 5, |name| collected.push(name));
    assert_eq!(collected, [name, Key::of(b"x")]);
    assert_eq!(store.poll_change().unwrap().is, Presence::Expired);
}

/// What is known, or older than what is here, is found out without a single allocation.
#[test]
fn the_known_and_the_stale_allocate_nothing() {
    let mut store = Store::new(Config::default());
    store.insert(b"key", b"value", NOW_MS).unwrap();
    let (known, stale) = (record_of(&store, b"key"), bytes(&value(b"key", b"before", NOW_MS - 1)));
    let allocations = measure(|| {
        assert_eq!(store.merge(&known, NOW_MS).unwrap().outcome, Outcome::Known);
        assert_eq!(store.merge(&stale, NOW_MS).unwrap().outcome, Outcome::Stale);
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn what_is_no_record_is_refused() {
    for (bytes, error) in [
        (&[][..], RecordError::Truncated { what: "version", found: 0 }),
        (&[2], RecordError::Format { found: 2 }),
        (&[1, 4], RecordError::Flags { found: 4 }),
        (&[1, 0, 1, 2, 9, b'k'], RecordError::Truncated { what: "key", found: 6 }),
        (&[1, 1, 1, 2, 1, b'k', b'v'], RecordError::Deletion { found: 1 }),
        (
            &[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            RecordError::Number { what: "rank" },
        ),
        (
            &[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 0],
            RecordError::Number { what: "stamp" },
        ),
    ] {
        assert_eq!(Record::decode(bytes), Err(error), "{bytes:?}");
        let mut store = Store::new(Config::default());
        assert_eq!(store.merge(bytes, NOW_MS), Err(error.into()));
        assert_eq!(store.stats().unreadable, 1);
    }
}

/// A store with everything in it that a snapshot can have.
fn full() -> Store {
    let mut store = Store::new(Config { max_graves: 2, ..Config::default() });
    for number in 0..20_u8 {
        store.insert(&[number], &vec![number; usize::from(number)], NOW_MS + u64::from(number)).unwrap();
    }
    for number in 0..4 {
        store.delete(&[number], NOW_MS + 100 + u64::from(number)).unwrap();
    }
    store.collect(NOW_MS + 25 * HOUR_MS, |_| ());
    store.delete(&[9], NOW_MS + 25 * HOUR_MS).unwrap();
    store.insert_until(&[30], b"expires", NOW_MS + 100 * HOUR_MS, NOW_MS).unwrap();
    assert_eq!((store.len(), store.tombstones(), store.graves()), (16, 1, 2));
    assert!(store.floor_ms() > 0);
    store
}

#[test]
fn a_snapshot_holds_everything() {
    let store = full();
    let now_ms = NOW_MS + 26 * HOUR_MS;
    for wanted_bytes in [1, 100, 1 << 20] {
        let file = snapshot(&store, wanted_bytes);
        let (mut restored, found) = Store::restore(*store.config(), LastWriter, &file, now_ms);
        assert_eq!((found.records, found.refused, found.graves), (17, 0, 2));
        assert_eq!((found.spoiled_bytes, found.torn_at), (0, None));
        assert!(restored.versions().eq(store.versions()));
        assert!(restored.iter(now_ms).eq(store.iter(now_ms)));
        assert_eq!((restored.graves(), restored.floor_ms()), (store.graves(), store.floor_ms()));
        assert_eq!(restored.next_due_ms(), store.next_due_ms());
        assert_eq!(restored.poll_change(), None);
        assert_eq!(snapshot(&restored, 1), file);
    }
}

/// Cut anywhere, it holds a part of what it held, and says where it was cut.
#[test]
fn a_torn_snapshot_holds_what_was_written() {
    let store = full();
    let (file, now_ms) = (snapshot(&store, 1), NOW_MS + 26 * HOUR_MS);
    let mut most = 0;
    for length in 0..file.len() {
        let (restored, found) = Store::restore(*store.config(), LastWriter, &file[..length], now_ms);
        assert!(found.torn_at.is_some_and(|at| at <= length), "{length}: {found:?}");
        assert!(found.records >= most, "{length}");
        most = found.records;
        for (key, held) in restored.iter(now_ms) {
            assert_eq!(store.get(key, now_ms), Some(held), "{length}");
        }
    }
    assert_eq!(most, 17);
}

proptest! {
    /// Spoiled anywhere, it costs the pieces that are spoiled, and no key or value is made up.
    #[test]
    fn a_spoiled_snapshot_holds_the_rest(
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let store = full();
        let (mut file, now_ms) = (snapshot(&store, 1), NOW_MS + 26 * HOUR_MS);
        let at = at.index(file.len());
        file[at] ^= flip;
        let (restored, found) = Store::restore(*store.config(), LastWriter, &file, now_ms);
        prop_assert!(found.records >= 16, "{found:?}");
        for (key, held) in restored.iter(now_ms) {
            prop_assert_eq!(store.get(key, now_ms), Some(held));
        }
    }

    #[test]
    fn whatever_bytes_are_restored(file in prop::collection::vec(prop_oneof![Just(0xd7), any::<u8>()], 0..300)) {
        let (restored, _) = Store::restore(Config::default(), LastWriter, &file, NOW_MS);
        prop_assert!(restored.is_empty());
    }

    #[test]
    fn records_are_read_as_written(
        key in prop::collection::vec(any::<u8>(), 0..200),
        held in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        (rank_ms, later_ms) in (any::<u32>(), any::<u32>()),
        expires_ms in prop::option::of(any::<u64>()),
    ) {
        let (rank_ms, expires_ms) = (u64::from(rank_ms), expires_ms.filter(|_| held.is_some()));
        let (value, stamp_ms) = (held.as_deref(), rank_ms + u64::from(later_ms));
        let record = Record { key: &key, value, rank_ms, stamp_ms, expires_ms };
        let written = bytes(&record);
        prop_assert_eq!(Record::decode(&written), Ok(record));
        // Cut short it is another record, or none.
        for length in 0..written.len() {
            prop_assert_ne!(Record::decode(&written[..length]), Ok(record));
        }
    }

    #[test]
    fn whatever_bytes_come(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut store = Store::new(Config::default());
        for record in &records {
            let _ = store.merge(record, NOW_MS);
        }
        store.merge_all(&records.concat(), NOW_MS, |_| ());
        store.collect(u64::MAX, |_| ());
        prop_assert_eq!(store.len() + store.tombstones(), 0);
    }
}
