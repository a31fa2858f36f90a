//! What allocates nothing once it is warm, and what never takes more memory than came.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod wire_common;

use allocation_counter::measure;
use promha_gossip_core::wire::alertmanager::{FrameReader, FullState, Part, write_packet};
use promha_gossip_core::wire::{Codec, CodecConfig, Keyring, Message, Side, StreamMessage, StreamReader};
use wire_common::vectors::vectors;

fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

#[test]
fn packets_are_opened_and_sealed_without_allocating() {
    for key in [None, Some([7; 32])] {
        for vector in vectors().iter().filter(|vector| !vector.stream) {
            let config = || CodecConfig { label: vector.label().to_owned(), ..CodecConfig::default() };
            let mut plain = Codec::new(config()).unwrap();
            let mut codec = Codec::new(config()).unwrap();
            if let Some(key) = key {
                codec = codec.encrypted(Keyring::new(&key).unwrap(), [1; 12]);
            }
            let (mut packet, mut datagram) = (codec.packet(), Vec::new());
            let allocated = allocations(|| {
                packet.clear();
                for body in plain.open(&vector.bytes).unwrap() {
                    let message = Message::decode(body).unwrap();
                    if let Message::User(bytes) = message {
                        assert!(!Part::decode(bytes).unwrap().data.is_empty());
                    }
                    // Every other one as it came.
                    let pushed =
                        if packet.len() % 2 == 0 { packet.push(&message) } else { packet.push_body(body) };
                    assert!(pushed);
                }
                datagram.clear();
                codec.seal(&packet, true, &mut datagram);
                assert_eq!(codec.open(&datagram).unwrap().len(), packet.len());
            });
            assert_eq!(allocated, 0, "{}", vector.name);
        }
    }
}

#[test]
fn what_is_on_a_stream_is_read_without_allocating() {
    for vector in vectors().iter().filter(|vector| vector.stream) {
        let codec = Codec::new(CodecConfig::default()).unwrap();
        let mut reader = StreamReader::new(Side::Accepted);
        reader.push(&vector.bytes);
        if let StreamMessage::PushPull(push_pull) = reader.next_message(&codec).unwrap().unwrap() {
            let read = || {
                assert!(push_pull.nodes().count() > 0);
                FullState::decode(push_pull.user_state).unwrap().parts().for_each(drop);
            };
            assert_eq!(allocations(read), 0, "{}", vector.name);
        }
    }
}

#[test]
fn frames_are_read_and_written_without_allocating() {
    let (mut sent, from) = (Vec::new(), "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535".parse().unwrap());
    let mut reader = FrameReader::new(1_000);
    let allocated = allocations(|| {
        sent.clear();
        write_packet(from, &[7; 900], &mut sent).unwrap();
        reader.push(&sent);
        assert!(reader.next_frame().unwrap().is_some());
    });
    assert_eq!(allocated, 0);
}

/// A length that claims gigabytes, nodes that claim to be a million, and a frame that claims to be long.
#[test]
fn nothing_is_reserved_for_what_is_only_announced() {
    let codec = Codec::new(CodecConfig::default()).unwrap();
    let keyed = Codec::new(CodecConfig::default()).unwrap();
    let keyed = keyed.encrypted(Keyring::new(&[7; 16]).unwrap(), [1; 12]);
    let announced: [(&Codec, &[u8]); 5] = [
        (&codec, b"\x06\x82\xa5Nodes\xce\x00\x10\x00\x00\xacUserStateLen\xce\x01\x00\x00\x00"),
        (&codec, b"\x08\x81\xaaUserMsgLen\xce\x01\x40\x00\x00"),
        (&codec, b"\x00\x81\xa4Node\xdb\xff\xff\xff\xff"),
        (&codec, b"\x09\x82\xa4Algo\x00\xa3Buf\xdb\xff\xff\xff\xff"),
        (&keyed, b"\x0a\x01\x40\x00\x00"),
    ];
    for (codec, bytes) in announced {
        let memory = measure(|| {
            let mut reader = StreamReader::new(Side::Accepted);
            for byte in bytes {
                reader.push(&[*byte]);
                assert!(reader.next_message(codec).unwrap().is_none());
            }
        });
        assert!(memory.bytes_max < 1_000, "{} bytes for {bytes:?}", memory.bytes_max);
    }
    let memory = measure(|| {
        let mut reader = FrameReader::new(1 << 30);
        reader.push(b"\x00\x00\x00\x30\x0a\x06");
        assert_eq!(reader.next_frame(), Ok(None));
    });
    assert!(memory.bytes_max < 1_000, "{} bytes", memory.bytes_max);
}
