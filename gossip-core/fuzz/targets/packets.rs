//! A datagram, opened by codecs with and without keys: the messages are those that it was packed of once they are sealed and opened
//! again, whatever is around them.
//!
//! The last byte also chooses the envelopes of the second time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_gossip_core::wire::{
    Codec, CodecConfig, EncryptionVersion, Ints, Keyring, Limits, Message, Packet,
};

fuzz_target!(|datagram: &[u8]| {
    let choice = datagram.last().copied().unwrap_or_default();
    let label = if datagram.starts_with(b"\xf4\x07prod-eu") { "prod-eu" } else { "" };
    let mut codec = codec(label, choice, false);
    let Ok(bodies) = codec.open(datagram) else { return };
    assert!(
        bodies.clone().map(<[u8]>::len).sum::<usize>()
            <= datagram.len().max(Limits::default().packet_decompressed_bytes)
    );
    let bodies: Vec<Vec<u8>> = bodies.map(<[u8]>::to_vec).collect();

    // Compressed and compound messages that are refused within others are the only ones that are not delivered as they are.
    let nested = bodies.iter().any(|body| matches!(body.first(), Some(7 | 9)));
    assert!(!nested);
    let mut packet = Packet::new(1 << 20, Ints::Unsigned);
    let pushed = bodies.iter().take_while(|body| packet.push_body(body)).count();
    assert!(pushed == bodies.len() || pushed == 255);
    if pushed == 0 || (pushed == 1 && matches!(bodies[0].first(), None | Some(12 | 244))) {
        return; // Nothing, or what is an envelope when it stands alone.
    }
    let mut sealed = Vec::new();
    let mut writing = self::codec(label, choice, true);
    writing.seal(&packet, choice & 1 == 1, &mut sealed);
    let mut reading = self::codec(label, choice, true);
    assert!(reading.open(&sealed).unwrap().eq(packet.bodies()));

    // Pushed as messages they are as short as they can be, and mean the same.
    packet.clear();
    for body in &bodies {
        let Ok(message) = Message::decode(body) else { continue };
        if packet.push(&message) {
            let again = packet.bodies().last().unwrap();
            let mut encoded = Vec::new();
            message.encode(Ints::Unsigned, &mut encoded);
            assert_eq!(again, encoded);
        }
    }
});

fn codec(label: &str, choice: u8, again: bool) -> Codec {
    let encryption = if choice & 2 == 2 { EncryptionVersion::Padded } else { EncryptionVersion::Unpadded };
    let (label, compression) = (label.to_owned(), choice & 4 == 4);
    let limits = Limits { packet_decompressed_bytes: 1 << 20, ..Limits::default() };
    let limits = if again { limits } else { Limits::default() };
    let config =
        CodecConfig { label, compression, encryption, accept_plain: true, limits, ..CodecConfig::default() };
    let codec = Codec::new(config).unwrap();
    match choice >> 3 & 3 {
        0 => codec,
        n => codec.encrypted(Keyring::new(&vec![7; 8 + 8 * usize::from(n)]).unwrap(), [choice; 12]),
    }
}
