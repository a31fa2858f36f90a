//! A message: what is read is read again once it is written, the shortest way of writing it included, and no truncation of that is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_gossip_core::wire::{Ints, Message, Packet};

fuzz_target!(|body: &[u8]| {
    let message = match Message::decode(body) {
        Ok(message) => message,
        Err(error) => return assert!(error.offset() <= body.len()),
    };
    if let Message::Ping(ping) = message
        && ping.source.addr == Some(&[])
    {
        return; // Left out the second time.
    }
    if let Message::IndirectPing(ping) = message
        && ping.source.addr == Some(&[])
    {
        return;
    }
    let mut again = Vec::new();
    message.encode(Ints::Unsigned, &mut again);
    assert_eq!(Message::decode(&again), Ok(message));
    let mut packet = Packet::new(1 << 20, Ints::Unsigned);
    assert!(packet.push(&message));
    assert!(packet.bodies().eq([&again[..]]));
    if !matches!(message, Message::User(_)) {
        (0..again.len()).for_each(|len| assert!(Message::decode(&again[..len]).is_err()));
    }
});
