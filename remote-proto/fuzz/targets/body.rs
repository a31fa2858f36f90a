//! A body: decompressed within the limits whatever its header says, and the same after it was compressed again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::negotiate::Encoding;
use promha_remote_proto::{Limits, body};

fuzz_target!(|input: &[u8]| {
    let mut limits = Limits::default();
    limits.max_message_bytes = 1 << 20;
    for encoding in [Encoding::Snappy, Encoding::Zstd] {
        let mut plain = vec![1];
        if body::decompress(encoding, input, &limits, &mut plain).is_err() {
            assert!(plain.is_empty());
            continue;
        }
        assert!(plain.len() <= limits.max_message_bytes);
        let (mut packed, mut again) = (Vec::new(), Vec::new());
        body::compress(encoding, &plain, &mut packed).unwrap();
        assert_eq!(body::decompress(encoding, &packed, &limits, &mut again).unwrap(), plain);
    }
});
