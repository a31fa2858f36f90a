//! What a real node encrypted (`testdata/serf/`): it is decrypted, and encrypted again under the same nonce it is the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use promha_gossip_core::wire::{
    Codec, CodecConfig, ErrorKind, Keyring, Message, NodeState, Side, Standing, StreamMessage, StreamReader,
};

const KEY_BYTES: [usize; 2] = [16, 32];

fn captured(key_bytes: usize, name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/serf/aes{key_bytes}-{name}.bin", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn codec(key_bytes: usize, nonce: &[u8]) -> Codec {
    let key: Vec<u8> = (0..).take(key_bytes).collect();
    let mut keyring = Keyring::new(&[9; 24]).unwrap();
    keyring.add(&key).unwrap();
    keyring.promote(&key).unwrap();
    Codec::new(CodecConfig::default()).unwrap().encrypted(keyring, nonce.try_into().unwrap())
}

#[test]
fn packets_are_decrypted_and_encrypted_again() {
    // Which messages, by their types, and whether with a checksum.
    let packets: [(&str, &[u8], bool); 5] = [
        ("udp-alive+alive", &[4, 4], true),
        ("udp-ping", &[0], false),
        ("udp-ping+suspect", &[0, 3], true),
        ("udp-suspect", &[3], true),
        ("udp-dead", &[5], true),
    ];
    for key_bytes in KEY_BYTES {
        for (name, types, crc) in packets {
            let datagram = captured(key_bytes, name);
            let mut codec = codec(key_bytes, &datagram[1..13]);
            let mut packet = codec.packet();
            for body in codec.open(&datagram).unwrap() {
                assert!(packet.push(&Message::decode(body).unwrap()));
            }
            assert!(packet.bodies().map(|body| body[0]).eq(types.iter().copied()), "{name}");
            let mut again = Vec::new();
            codec.seal(&packet, crc, &mut again);
            assert_eq!(again, datagram, "{name}");
            let mut other = self::codec(48 - key_bytes, &[0; 12]);
            assert_eq!(other.open(&datagram).unwrap_err().kind(), ErrorKind::Undecryptable { keys: 2 });
        }
    }
}

#[test]
fn streams_are_decrypted_and_encrypted_again() {
    for key_bytes in KEY_BYTES {
        let stream = captured(key_bytes, "tcp-ping");
        let mut codec = codec(key_bytes, &stream[6..18]);
        let mut reader = StreamReader::new(Side::Accepted);
        reader.push(&stream);
        let Some(StreamMessage::Ping(ping)) = reader.next_message(&codec).unwrap() else { panic!("no ping") };
        assert_eq!((ping.node, ping.source.node), ("promha", "serf"));
        let mut again = Vec::new();
        codec.write_stream(Side::Dialled, &Message::Ping(ping), &mut again).unwrap();
        assert_eq!(again, stream);

        let stream = captured(key_bytes, "tcp-pushPull");
        let mut codec = self::codec(key_bytes, &stream[6..18]);
        let mut reader = StreamReader::new(Side::Dialled);
        reader.push(&stream);
        let Some(StreamMessage::PushPull(push_pull)) = reader.next_message(&codec).unwrap() else {
            panic!("no push/pull");
        };
        let nodes: Vec<NodeState<'_>> = push_pull.nodes().collect();
        let [node] = nodes[..] else { panic!("{nodes:?}") };
        assert_eq!((node.alive.node, node.standing), ("serf", Standing::Alive));
        let (join, state) = (push_pull.join, push_pull.user_state.to_vec());
        let mut again = Vec::new();
        codec.write_push_pull(Side::Accepted, join, nodes.into_iter(), &state, &mut again).unwrap();
        assert_eq!(again, stream);
    }
}
