//! LZW. Any bytes: decompressed as another implementation does where that agrees with Go's (it stops at other places when the bytes are
//! no whole input), within the limit. And compressed, they are what they were once they are decompressed by either.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_gossip_core::wire::{Codec, CodecConfig, Side, StreamMessage, StreamReader};

fuzz_target!(|input: &[u8]| {
    let mut codec = Codec::new(CodecConfig::default()).unwrap();
    let limit = codec.config().limits.packet_decompressed_bytes;
    let datagram =
        [&b"\x09\x82\xa4Algo\x00\xa3Buf\xdb"[..], &(input.len() as u32).to_be_bytes(), input].concat();
    let mut other = weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8);
    if let Ok(mut bodies) = codec.open(&datagram) {
        let ours = bodies.next().map(<[u8]>::to_vec);
        if let (Some(ours), Ok(theirs)) = (&ours, other.decode(input)) {
            assert!(ours.len() <= limit);
            // Compound messages are taken apart, and compressed ones once more.
            assert!(matches!(theirs.first(), Some(7 | 9)) || *ours == theirs);
        }
    }

    let mut written = Vec::new();
    codec.write_user_message(Side::Accepted, input, &mut written).unwrap();
    let mut reader = StreamReader::new(Side::Dialled);
    reader.push(&written);
    assert!(matches!(reader.next_message(&codec), Ok(Some(StreamMessage::User(again))) if again == input));
});
