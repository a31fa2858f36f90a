//! A chunk of histograms, of either kind: what is decoded is the same after it was encoded and decoded once more, and
//! what is pushed from chunk to chunk is what was taken.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::histogram::{HistogramEncoder, Histograms, Number};
use prost::Message;

fuzz_target!(|chunk: &[u8]| {
    check::<u64>(chunk);
    check::<f64>(chunk);
});

fn check<N: Number>(chunk: &[u8]) {
    let mut histograms = Histograms::<N>::new();
    if let Err(error) = histograms.decode(chunk, 1 << 14) {
        assert!(error.offset() <= chunk.len() && histograms.is_empty());
        return;
    }
    let again = round_trip(&histograms);
    assert_eq!(messages(&again), messages(&histograms));

    let mut merged = Histograms::<N>::new();
    let taken = merged.push_from(&histograms, 0..histograms.len());
    assert_eq!(merged.len(), taken);
    assert!(taken > 0 || histograms.is_empty());
    let more = merged.push_from(&again, 0..again.len());
    assert_eq!(merged.len(), taken + more);
    assert_eq!(messages(&round_trip(&merged)), messages(&merged));
}

fn round_trip<N: Number>(histograms: &Histograms<N>) -> Histograms<N> {
    let (mut encoded, mut again) = (Vec::new(), Histograms::new());
    HistogramEncoder::new().encode(histograms, 0..histograms.len(), &mut encoded).unwrap();
    again.decode(&encoded, 1 << 20).unwrap();
    again
}

/// Floats compare by bits in this form.
fn messages<N: Number>(histograms: &Histograms<N>) -> Vec<Vec<u8>> {
    histograms.views().map(|view| view.to_message().encode_to_vec()).collect()
}
