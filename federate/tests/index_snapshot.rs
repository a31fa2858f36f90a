//! An index that is written and read again, whole, torn and damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use promha_federate::index::SnapshotError;
use promha_federate::{SeriesId, SeriesIndex};
use proptest::prelude::*;

fn small() -> SeriesIndex {
    let mut index = SeriesIndex::new();
    for (job, pod) in [("node", "a"), ("node", "b"), ("api", "ä"), ("api", "")] {
        index.insert(&[("__name__", "up"), ("job", job), ("pod", pod)]).unwrap();
    }
    index.insert(&[]).unwrap();
    index.remove(SeriesId::from(1));
    index
}

fn bytes_of(index: &SeriesIndex) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.snapshot(&mut bytes);
    bytes
}

/// All series with their ids.
fn content(index: &SeriesIndex) -> Vec<(u32, Vec<(&str, &str)>)> {
    let all = [promha_federate::Selector::new(Vec::new())];
    let labels = |id| index.labels(id).unwrap().collect();
    index.select(&all).map(|id| (id.into(), labels(id))).collect()
}

/// Makes the checksum right again.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(at) = bytes.len().checked_sub(4) {
        let checksum = crc_fast::crc32_iscsi(&bytes[..at]);
        bytes[at..].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

#[test]
fn what_is_restored_is_the_same() {
    let index = small();
    let mut restored = SeriesIndex::restore(&bytes_of(&index)).unwrap();
    assert_eq!(content(&restored), content(&index));
    assert_eq!(restored.len(), 4);
    assert_eq!(restored.label_values("pod", &[]), ["a", "ä"]);
    assert_eq!(restored.statistics(9), index.statistics(9));
    assert_eq!(bytes_of(&restored), bytes_of(&index));
    // The id that was free still is.
    assert_eq!(restored.insert(&[("__name__", "new")]).unwrap(), SeriesId::from(1));
    assert_eq!(content(&SeriesIndex::restore(&bytes_of(&SeriesIndex::new())).unwrap()), []);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = bytes_of(&small());
    for len in 0..bytes.len() {
        let error = SeriesIndex::restore(&bytes[..len]).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Torn { found_bytes, .. } if found_bytes == len as u64),
            "{len}: {error}"
        );
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(SeriesIndex::restore(&longer), Err(SnapshotError::Torn { .. })));
}

#[test]
fn every_damaged_byte_is_noticed() {
    let bytes = bytes_of(&small());
    for at in 0..bytes.len() {
        for flip in 1..=255 {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let error = SeriesIndex::restore(&damaged).unwrap_err();
            let fits = match at {
                0..8 => matches!(error, SnapshotError::Foreign),
                8..12 => matches!(error, SnapshotError::Version { known: 1, .. }),
                12..20 => matches!(error, SnapshotError::Torn { .. }),
                _ => matches!(error, SnapshotError::Checksum { .. }),
            };
            assert!(fits, "{at}: {error}");
        }
    }
}

#[test]
fn errors_say_where_and_what() {
    let error = |bytes: &[u8]| SeriesIndex::restore(bytes).unwrap_err().to_string();
    let bytes = bytes_of(&small());
    assert_eq!(
        error(b"{}"),
        "not a snapshot of an index: expected [89, 70, 72, 6f, 6d, 68, 61, a] at byte 0"
    );
    assert_eq!(error(b""), "a torn snapshot: 0 bytes, expected 24");
    assert_eq!(error(&bytes[..30]), format!("a torn snapshot: 30 bytes, expected {}", bytes.len()));
    let mut newer = bytes.clone();
    newer[8] = 2;
    assert_eq!(error(&newer), "version 2 of a snapshot (at byte 8); this is version 1");
    // As many labels as there cannot be.
    let mut many = bytes.clone();
    many[20..25].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    let many = error(&signed(many));
    assert_eq!(many, "not what an index is written as: expected the number of labels (at byte 20)");
}

/// A claim of 4 billion things takes no memory for them.
#[test]
fn claims_take_no_memory() {
    let bytes = bytes_of(&small());
    for at in 20..bytes.len() - 9 {
        let mut claims = bytes.clone();
        claims[at..at + 5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        let claims = signed(claims);
        let allocated = allocation_counter::measure(|| {
            let _ = SeriesIndex::restore(&claims);
        });
        assert!(allocated.bytes_max < 16 << 10, "{at}: {}", allocated.bytes_max);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Bytes that were made to be believed are refused, or make an index that is in order.
    #[test]
    fn forged_bytes_make_an_index_or_none(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes_of(&small());
        for (at, byte) in changes {
            let body = bytes.len() - 24;
            bytes[20 + at.index(body)] = byte;
        }
        if let Some(at) = cut {
            let body = bytes.len() - 24;
            bytes.drain(20 + at.index(body)..20 + body);
            let length = bytes.len() as u64 - 24;
            bytes[12..20].copy_from_slice(&length.to_le_bytes());
        }
        if let Ok(index) = SeriesIndex::restore(&signed(bytes)) {
            let all = content(&index);
            prop_assert_eq!(all.len(), index.len());
            for (id, labels) in &all {
                prop_assert_eq!(index.id(labels), Some(SeriesId::from(*id)));
            }
            let mut again = SeriesIndex::restore(&bytes_of(&index)).unwrap();
            prop_assert_eq!(content(&again), all.clone());
            for (id, _) in all {
                prop_assert!(again.remove(SeriesId::from(id)));
            }
            prop_assert!(again.is_empty());
        }
    }
}
