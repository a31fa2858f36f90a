//! A snapshot of an index: any bytes are refused, or restored to an index that gives a snapshot of the same series.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_federate::{Selector, SeriesIndex};

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = SeriesIndex::restore(bytes) else { return };
    let mut again = Vec::new();
    index.snapshot(&mut again);
    let restored = SeriesIndex::restore(&again).unwrap();
    assert_eq!(restored.len(), index.len());
    let everything =
        [Selector::parse("{__name__!=\"\"}").unwrap(), Selector::parse("{__name__=\"\"}").unwrap()];
    let mut count = 0;
    for id in index.select(&everything) {
        assert!(index.labels(id).unwrap().eq(restored.labels(id).unwrap()));
        count += 1;
    }
    assert_eq!(count, index.len());
});
