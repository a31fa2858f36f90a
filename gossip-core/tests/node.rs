//! Whole nodes, with nothing between them but a table of connections and a clock that jumps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod node_common;

use std::collections::BTreeMap;
use std::time::Duration;

use node_common::{Board, Links};
use promha_gossip_core::membership::{Event as Member, MembershipConfig};
use promha_gossip_core::state::{Config, Store};
use promha_gossip_core::wire::{Codec, CodecConfig, Keyring, Standing};
use promha_gossip_core::{Event, Gossip, GossipConfig, Instant, StreamFailure, StreamInput, Transmit};
use proptest::prelude::*;

const NOW_MS: u64 = 1_700_000_000_000;

/// An update is with all others after one latency, in as many datagrams as there are others.
#[test]
fn in_a_small_cluster_everybody_hears_at_once() {
    let mut links = Links::of(3);
    links.settle();
    let sent = links.datagrams;
    links.write(0, "key", "value");
    links.run(links.latency);
    for node in 0..3 {
        assert_eq!(links.board(node).get("key"), Some("value"), "node {node}");
    }
    assert_eq!(links.datagrams - sent, 2);
}

/// Also what fits into no datagram: over a connection.
#[test]
fn a_large_message_takes_a_connection() {
    let mut links = Links::of(3);
    links.settle();
    let large = "x".repeat(100_000);
    let streams = links.streams;
    links.write(1, "large", &large);
    links.run(Duration::from_secs(1));
    for node in 0..3 {
        assert_eq!(links.board(node).get("large"), Some(large.as_str()), "node {node}");
    }
    assert_eq!(links.streams - streams, 2, "it goes to each of the others once, and not back");
}

/// Whoever was away hears of what it missed although nobody tells it again: by comparing.
#[test]
fn what_was_missed_is_found_by_comparing() {
    let mut links = Links::of(4);
    links.settle();
    links.cut(3);
    links.write(0, "key", "value");
    links.run(Duration::from_secs(3));
    assert_eq!(links.board(3).get("key"), None);
    let before = links.events(3).len();
    links.heal(3);
    links.run(Duration::from_secs(10));
    assert_eq!(links.board(3).get("key"), Some("value"));
    for event in &links.events(3)[before..] {
        if let Event::Exchanged { state_bytes, .. } = event {
            assert_eq!(*state_bytes, 0, "no exchange of everything was needed");
        }
    }
}

#[test]
fn who_joins_gets_everything() {
    let mut links = Links::of(2);
    links.settle();
    for number in 0..500 {
        links.write(0, &format!("key-{number}"), "value");
    }
    links.settle();
    let late = links.add();
    links.join(late, 1);
    links.run(links.latency * 4);
    assert_eq!(links.board(late).len(), 500);
}

#[test]
fn a_node_that_fails_and_one_that_leaves_are_told_apart() {
    let mut links = Links::of(4);
    links.settle();
    links.cut(2);
    links.leave(3);
    links.run(Duration::from_secs(30));
    let standing = |name: &str| {
        let membership = links.node(0).membership();
        membership.peer_of(name).and_then(|peer| membership.member(peer)).map(|member| member.standing())
    };
    assert_eq!(standing("node-1"), Some(Standing::Alive));
    assert_eq!(standing("node-2"), Some(Standing::Dead));
    assert_eq!(standing("node-3"), Some(Standing::Left));
    assert!(links.events(3).contains(&Event::Member(Member::Left)));
}

/// Nodes of other clusters, and without the key, do not get in.
#[test]
fn labels_and_keys_keep_others_out() {
    let codec = |label: &str, key: Option<[u8; 16]>, nonce| {
        let codec = Codec::new(CodecConfig { label: label.into(), ..CodecConfig::default() }).unwrap();
        match key {
            Some(key) => codec.encrypted(Keyring::new(&key).unwrap(), [nonce; 12]),
            None => codec,
        }
    };
    let mut links = Links::default();
    let first = links.add_with(codec("a", Some([1; 16]), 1));
    let second = links.add_with(codec("a", Some([1; 16]), 2));
    let others = [codec("b", Some([1; 16]), 3), codec("a", Some([2; 16]), 4), codec("a", None, 5)];
    let others = others.map(|codec| links.add_with(codec));
    links.join(second, first);
    others.iter().for_each(|&other| links.join(other, first));
    links.run(Duration::from_secs(3));
    assert_eq!(links.node(first).membership().len(), 1);
    for other in others {
        assert!(links.node(other).membership().is_empty());
        let refused = |event: &Event| matches!(event, Event::StreamFailed { .. });
        assert!(links.events(other).iter().any(refused));
    }
}

fn of_store(store: Store) -> Gossip<Store> {
    let membership = MembershipConfig::lan("a", "127.0.0.1:7000".parse().unwrap());
    let codec = Codec::new(CodecConfig::default()).unwrap();
    Gossip::new(GossipConfig::new(membership, NOW_MS), codec, store, 1, Instant::ORIGIN).unwrap()
}

#[test]
fn what_a_node_starts_with_is_compared_too() {
    let mut store = Store::new(Config::default());
    let (key, version) = store.insert(b"key", b"value", NOW_MS).unwrap();
    assert_eq!(of_store(store).dissemination().version(key), Some(version));
}

#[test]
fn what_has_expired_is_spoken_of_no_more() {
    let mut node = of_store(Store::new(Config::default()));
    let key = node.write(Instant::ORIGIN, |store, now_ms, changed| {
        let (key, version) = store.insert_until(b"key", b"value", now_ms + 5, now_ms).unwrap();
        changed(key, version);
        key
    });
    let due = Instant::ORIGIN + Duration::from_millis(5);
    assert!(node.poll_timeout().is_some_and(|timeout| timeout <= due));
    assert!(node.dissemination().version(key).is_some());
    node.handle_timeout(due);
    assert_eq!((node.dissemination().version(key), node.replica().len()), (None, 0));
}

/// More large messages at once than there may be connections: all come in the end.
#[test]
fn too_many_large_messages_wait() {
    let mut links = Links::of(3);
    links.settle();
    let large = "x".repeat(5_000);
    for number in 0..200 {
        links.write(0, &format!("key-{number}"), &large);
    }
    assert!(links.node(0).streams() <= 128);
    links.run(Duration::from_secs(60));
    for node in 1..3 {
        assert_eq!(links.board(node).len(), 200, "node {node}");
    }
}

#[test]
fn what_a_node_says_of_itself_changes_everywhere() {
    let mut links = Links::of(3);
    links.settle();
    let now = links.now;
    links.node_mut(1).update_meta(b"zone=a", now).unwrap();
    links.run(Duration::from_secs(5));
    let membership = links.node(2).membership();
    let meta = membership.member(membership.peer_of("node-1").unwrap()).unwrap().meta();
    assert_eq!(promha_gossip_core::user_meta(meta), b"zone=a");
    assert!(links.node_mut(1).update_meta(&[0; 512], now).is_err(), "there is a mark before it");
}

/// A connection that says nothing, or comes when there are too many, is closed and forgotten.
#[test]
fn connections_are_limited_in_number_and_time() {
    let mut links = Links::of(1);
    let node = links.node_mut(0);
    let (from, now) = ("127.0.0.1:9".parse().unwrap(), Default::default());
    for _ in 0..200 {
        node.accept(from, now);
    }
    assert_eq!(node.streams(), 128);
    let mut buffer = Vec::new();
    let mut closed = 0;
    while let Some(transmit) = node.poll_transmit(&mut buffer, now) {
        closed += usize::from(matches!(transmit, Transmit::Stream { close: true, .. }));
    }
    assert_eq!(closed, 72);
    node.handle_timeout(now + Duration::from_secs(10));
    assert_eq!(node.streams(), 0);
    let timeouts = std::iter::from_fn(|| node.poll_event())
        .filter(|event| matches!(event, Event::StreamFailed { reason: StreamFailure::Timeout, .. }));
    assert_eq!(timeouts.count(), 128);
}

proptest! {
    /// Whatever arrives, in whatever pieces: no panic, and the node still works.
    #[test]
    fn whatever_arrives_the_node_goes_on(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        streams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let mut links = Links::of(2);
        links.record();
        links.settle();
        let recorded = links.recorded();
        let from = links.address(1);
        let now = links.now;
        let node = links.node_mut(0);
        for datagram in &datagrams {
            let _ = node.handle_datagram(from, datagram, now);
        }
        for (at, byte) in flips {
            let mut datagram = recorded[at.index(recorded.len())].clone();
            let place = at.index(datagram.len().max(1));
            if let Some(found) = datagram.get_mut(place) {
                *found ^= byte;
            }
            let _ = node.handle_datagram(from, &datagram, now);
        }
        for bytes in &streams {
            let stream = node.accept(from, now);
            node.handle_stream(stream, StreamInput::Data(bytes), now);
            node.handle_stream(stream, StreamInput::Closed, now);
        }
        prop_assert_eq!(node.streams(), 0);
        links.write(0, "key", "value");
        links.run(Duration::from_secs(60));
        prop_assert_eq!(links.board(1).get("key"), Some("value"));
    }

    /// The same seed and the same calls: the same bytes.
    #[test]
    fn the_same_seed_gives_the_same_bytes(keys in prop::collection::vec("[a-d]", 0..10)) {
        let run = || {
            let mut links = Links::of(5);
            links.record();
            for key in &keys {
                links.write(2, key, "value");
                links.run(Duration::from_millis(150));
            }
            links.run(Duration::from_secs(5));
            links.recorded()
        };
        prop_assert_eq!(run(), run());
    }
}

/// A node that keeps what it was told as text.
#[test]
fn a_board_settles_on_the_larger_value() {
    let mut boards = [Board::default(), Board::default()];
    let messages = [("k", "a"), ("k", "b")].map(|(key, value)| Board::message_of(key, value));
    for (board, order) in boards.iter_mut().zip([[0, 1], [1, 0]]) {
        for at in order {
            promha_gossip_core::Replica::merge(board, &messages[at], 0, &mut |_, _, _| ());
        }
    }
    assert_eq!(boards[0].iter().collect::<BTreeMap<_, _>>(), BTreeMap::from([("k", "b")]));
    assert!(boards[0].iter().eq(boards[1].iter()));
}
