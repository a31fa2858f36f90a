//! A chunk of floats: what is decoded is the same after it was encoded and decoded once more, and a stale marker is found without
//! decoding where there is one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::xor;

fuzz_target!(|chunk: &[u8]| {
    let (mut timestamps_ms, mut values) = (vec![1], vec![1.0]);
    if let Err(error) = xor::decode(chunk, &mut timestamps_ms, &mut values) {
        assert!(error.offset() <= chunk.len());
        assert_eq!(xor::has_stale_marker(chunk), Err(error));
        return assert_eq!((timestamps_ms, values), (vec![1], vec![1.0]), "as they were");
    }
    assert_eq!(values.len() - 1, usize::from(xor::sample_count(chunk).unwrap()));
    let is_stale = values[1..].iter().copied().any(xor::is_stale_nan);
    assert_eq!(xor::has_stale_marker(chunk), Ok(is_stale));
    let mut again = Vec::new();
    xor::encode(&timestamps_ms[1..], &values[1..], &mut again).unwrap();
    let (mut timestamps_again, mut values_again) = (Vec::new(), Vec::new());
    xor::decode(&again, &mut timestamps_again, &mut values_again).unwrap();
    assert_eq!(timestamps_again, timestamps_ms[1..]);
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&values_again), bits(&values[1..]));
});
