//! Expositions in any format: text is held against the obvious parser, protobuf against the owned messages, OpenMetrics against
//! itself behind another line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_federate::exposition::openmetrics::OpenMetricsParser;
use promha_federate::exposition::protobuf::NativeHistograms;
use promha_federate::exposition::{Entry, Limits};

#[path = "../../tests/common/client_model.rs"]
mod client_model;
#[path = "../../tests/common/plain_text.rs"]
mod plain_text;

fuzz_target!(|input: &[u8]| {
    let Some((&format, input)) = input.split_first() else { return };
    match format % 3 {
        0 => assert_eq!(plain_text::parsed(input), plain_text::expected(input)),
        1 => {
            let (alone, is_whole) = openmetrics(input);
            let behind = [b"# TYPE a gauge\n", input].concat();
            let (mut found, is_whole_behind) = openmetrics(&behind);
            found.remove(0);
            assert_eq!((found, is_whole_behind), (alone, is_whole));
        }
        _ => {
            let families = client_model::decode(input);
            for native in [NativeHistograms::Only, NativeHistograms::WithClassic, NativeHistograms::Never] {
                let (found, is_whole) = client_model::parsed(input, native);
                match families.as_ref().and_then(|families| client_model::expected(families, native)) {
                    Some(expected) => assert_eq!((found, is_whole), (expected, true)),
                    None => assert!(!is_whole),
                }
            }
        }
    }
});

/// Entries as text, as far as they go, and whether that is all.
fn openmetrics(input: &[u8]) -> (Vec<String>, bool) {
    let (mut parser, mut all) = (OpenMetricsParser::new(input, Limits::default()), Vec::new());
    loop {
        match parser.next_entry() {
            Ok(None) => return (all, true),
            Err(error) => {
                assert!(error.offset() <= input.len());
                return (all, false);
            }
            Ok(Some(entry)) => {
                if let Entry::Series(series) = &entry {
                    assert!(series.labels().is_sorted_by(|one, other| one.0 < other.0));
                }
                all.push(format!("{entry:?}"));
            }
        }
    }
}
