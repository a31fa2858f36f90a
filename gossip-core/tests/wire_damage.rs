//! What was captured, cut off at every byte and changed in some: it may be refused, and never more than that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod wire_common;

use std::cell::Cell;

use promha_gossip_core::wire::alertmanager::{FullState, Part};
use promha_gossip_core::wire::{Codec, CodecConfig, Message, Side, StreamMessage, StreamReader};
use proptest::prelude::*;
use wire_common::vectors::{Vector, vectors};

/// Reads all that there is to read, and says whether nothing was refused.
fn read(codec: &mut Codec, stream: bool, bytes: &[u8]) -> bool {
    if !stream {
        let Ok(bodies) = codec.open(bytes) else { return false };
        let whole = bodies.truncated() + bodies.refused() == 0;
        return bodies.map(read_message).fold(whole, |all, read| all & read);
    }
    let mut reader = StreamReader::new(Side::Accepted);
    reader.push(bytes);
    match reader.next_message(codec) {
        Ok(Some(StreamMessage::User(bytes))) => Part::decode(bytes).is_ok(),
        Ok(Some(StreamMessage::PushPull(push_pull))) => {
            let nodes = push_pull.nodes().filter_map(|node| node.alive.socket_addr()).count();
            let parts = FullState::decode(push_pull.user_state).map(|state| state.parts().count());
            nodes > 0 && parts.is_ok()
        }
        Ok(message) => message.is_some(),
        Err(_) => false,
    }
}

fn read_message(body: &[u8]) -> bool {
    match Message::decode(body) {
        Ok(Message::User(bytes)) => Part::decode(bytes).is_ok(),
        message => message.is_ok(),
    }
}

fn codec(vector: &Vector) -> Codec {
    Codec::new(CodecConfig { label: vector.label().to_owned(), ..CodecConfig::default() }).unwrap()
}

#[test]
fn whatever_is_cut_off_is_noticed() {
    for vector in vectors() {
        let mut codec = codec(&vector);
        assert!(read(&mut codec, vector.stream, &vector.bytes), "{}", vector.name);
        // What is large is large because of many pieces that are alike.
        for len in (0..vector.bytes.len()).step_by(1 + vector.bytes.len() / 500) {
            // A message of a user has no end of its own in a packet, and what it holds ends anywhere.
            let cut = read(&mut codec, vector.stream, &vector.bytes[..len]);
            assert!(!cut || !vector.stream && vector.name.contains("user"), "{} at {len}", vector.name);
        }
    }
}

#[test]
fn whatever_is_changed_is_read_or_refused() {
    let vectors = vectors();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let case = (0..vectors.len(), changes);
    let (whole, refused) = (Cell::new(0), Cell::new(0));
    let result = runner.run(&case, |(vector, changes)| {
        let vector = &vectors[vector];
        let mut bytes = vector.bytes.clone();
        for (at, byte) in changes {
            // Where a change does most: at the front, half of the time.
            let within = if byte % 2 == 0 { bytes.len() } else { bytes.len().min(40) };
            bytes[at.index(within)] = byte;
        }
        let read = read(&mut codec(vector), vector.stream, &bytes);
        let count = if read { &whole } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    result.unwrap();
    assert!(whole.get() > 0 && refused.get() > 0, "{whole:?} read, {refused:?} refused");
}
