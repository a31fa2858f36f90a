//! The body of a snapshot, in a frame that is right: it is refused, or restored to an index that gives a snapshot of the
//! same series.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_federate::{Selector, SeriesIndex};

fuzz_target!(|body: &[u8]| {
    let Ok(index) = SeriesIndex::restore(&framed(body)) else { return };
    let mut again = Vec::new();
    index.snapshot(&mut again);
    let restored = SeriesIndex::restore(&again).unwrap();
    assert_eq!(restored.len(), index.len());
    let everything = [Selector::new(Vec::new())];
    let mut count = 0;
    for id in index.select(&everything) {
        assert!(index.labels(id).unwrap().eq(restored.labels(id).unwrap()));
        count += 1;
    }
    assert_eq!(count, index.len());
});

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89promha\n".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}
