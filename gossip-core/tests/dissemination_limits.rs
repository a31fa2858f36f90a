//! What is bounded, what is refused, what costs no memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod dissemination_net;

use std::collections::{HashMap, HashSet};

use allocation_counter::measure;
use dissemination_net::{Link, Net, PACKET_BYTES, at_ms, ms, parse};
use promha_gossip_core::dissemination::{Config, ControlError, Dissemination, Event, Speaks, Style, Verdict};
use promha_gossip_core::wire::{Ints, Packet};
use promha_gossip_core::{Instant, Key, PeerId, Version};
use proptest::prelude::*;

type Held = HashMap<Key, (Version, Vec<u8>)>;

const START: Instant = Instant::ORIGIN;

fn version(stamp_ms: u64) -> Version {
    Version { stamp_ms, content: 1 }
}

fn key(number: u64) -> Key {
    Key::of(&number.to_le_bytes())
}

fn among(peers: u32, speaks: Speaks, config: Config) -> Dissemination {
    let mut gossip = Dissemination::new(config, 1, START);
    (0..peers).for_each(|peer| gossip.add_peer(PeerId(peer), speaks, START));
    gossip
}

/// A message of so many bytes that says what it is.
fn hold(held: &mut Held, key: Key, version: Version, bytes: usize) {
    let mut message: Vec<u8> =
        [key.0, version.stamp_ms, version.content].iter().flat_map(|number| number.to_le_bytes()).collect();
    message.resize(bytes.max(24), 0);
    held.insert(key, (version, message));
}

fn packet() -> Packet {
    Packet::new(PACKET_BYTES, Ints::Unsigned)
}

/// The messages in a packet that are not control messages.
fn payloads(gossip: &Dissemination, packet: &Packet) -> Vec<(Key, Version)> {
    let messages = packet.bodies().map(|body| &body[1..]);
    messages.filter(|message| gossip.control(message).is_none()).map(parse).collect()
}

#[test]
fn what_took_the_place_of_another_goes_alone() {
    let (mut gossip, mut held) = (among(3, Speaks::Digests, Config::default()), Held::new());
    for stamp_ms in 1..=5 {
        hold(&mut held, key(1), version(stamp_ms), 100);
        gossip.publish(key(1), version(stamp_ms), START);
    }
    let mut packet = packet();
    let mut sent = Vec::new();
    while let Some(peer) = gossip.poll_transmit(&held, &mut packet) {
        assert_eq!(payloads(&gossip, &packet), [(key(1), version(5))]);
        sent.push(peer.0);
    }
    assert_eq!(sent, [0, 1, 2]);
    assert_eq!(gossip.stats().superseded, 4);
    gossip.publish(key(1), version(3), START);
    assert_eq!(gossip.poll_transmit(&held, &mut packet), None, "older than what is known");
}

#[test]
fn least_sent_goes_first_then_newest() {
    let (mut gossip, mut held) = (among(1, Speaks::Messages, Config::default()), Held::new());
    let mut packet = packet();
    for number in 0..3 {
        hold(&mut held, key(number), version(1), 300);
        gossip.publish(key(number), version(1), START);
    }
    assert_eq!(gossip.poll_transmit(&held, &mut packet), Some(PeerId(0)));
    assert_eq!(payloads(&gossip, &packet), [2, 1, 0].map(|number| (key(number), version(1))));
    let now = at_ms(199);
    hold(&mut held, key(3), version(1), 300);
    gossip.publish(key(3), version(1), now);
    gossip.handle_timeout(at_ms(200));
    assert_eq!(gossip.poll_transmit(&held, &mut packet), Some(PeerId(0)));
    assert_eq!(payloads(&gossip, &packet), [3, 2, 1, 0].map(|number| (key(number), version(1))));
}

#[test]
fn packets_that_go_anyway_are_filled() {
    let (mut gossip, mut held) = (among(2, Speaks::Digests, Config::default()), Held::new());
    hold(&mut held, key(1), version(1), 600);
    hold(&mut held, key(2), version(1), 600);
    gossip.publish(key(1), version(1), START);
    gossip.publish(key(2), version(1), START);
    let mut packet = packet();
    assert!(packet.push_body(&[0; 500]));
    gossip.fill(PeerId(1), &held, &mut packet);
    assert_eq!(packet.len(), 2, "room for one");
    gossip.fill(PeerId(7), &held, &mut packet);
    assert_eq!(packet.len(), 2, "nobody");
    let mut left = Vec::new();
    while let Some(peer) = gossip.poll_transmit(&held, &mut packet) {
        left.push((peer.0, payloads(&gossip, &packet).len()));
    }
    assert_eq!(left, [(0, 2), (1, 1)]);
}

#[test]
fn what_fits_no_packet_is_reported_once_for_each_peer() {
    let (mut gossip, mut held) = (among(2, Speaks::Digests, Config::default()), Held::new());
    hold(&mut held, key(1), version(1), PACKET_BYTES);
    gossip.publish(key(1), version(1), START);
    let mut packet = packet();
    assert_eq!(gossip.poll_transmit(&held, &mut packet), None);
    assert!(packet.is_empty());
    for peer in [0, 1] {
        assert_eq!(gossip.poll_event(), Some(Event::Oversize { peer: PeerId(peer), key: key(1) }));
    }
    assert_eq!(gossip.poll_event(), None);
    // The most that fits: 1400 bytes less type, number and length of a compound message, and the type of the message.
    hold(&mut held, key(2), version(1), PACKET_BYTES - 5);
    gossip.publish(key(2), version(1), START);
    assert_eq!(gossip.poll_transmit(&held, &mut packet), Some(PeerId(0)));
}

#[test]
fn what_the_source_does_not_hold_is_not_sent() {
    let mut gossip = among(3, Speaks::Digests, Config::default());
    gossip.publish(key(1), version(1), START);
    let mut packet = packet();
    assert_eq!(gossip.poll_transmit(&Held::new(), &mut packet), None);
    gossip.publish(key(2), version(1), START);
    gossip.forget(key(2));
    assert_eq!(gossip.version(key(2)), None);
    let mut held = Held::new();
    hold(&mut held, key(2), version(1), 100);
    assert_eq!(gossip.poll_transmit(&held, &mut packet), None);
}

#[test]
fn what_is_refused_is_not_asked_for_again() {
    let mut net = Net::new(2, &Config::default(), Link::default(), 1);
    net.restore(0, key(1), version(1));
    let now = net.now;
    net.nodes[1].gossip.heard(PeerId(0), key(1), version(1), Verdict::Refused, now);
    net.run_for(ms(60_000));
    assert_eq!(net.payloads, 0);
    assert!(net.controls < 200, "the pace of idle nodes, though they differ: {}", net.controls);
    net.publish(0, key(1), version(2));
    assert!(net.run(at_ms(61_000), Net::converged), "a newer one is taken");
}

#[test]
fn who_is_far_behind_is_reported() {
    let mut net = Net::new(2, &Config::default(), Link::default(), 1);
    (0..5000).for_each(|number| net.restore(0, key(number), version(1)));
    assert!(net.run(at_ms(300_000), Net::converged), "though nobody exchanges all of it");
    assert!(net.nodes[0].events.contains(&Event::Behind { peer: PeerId(1) }));
    assert_eq!(net.payloads, 5000, "none twice");
}

#[test]
fn queues_are_bounded() {
    let config = Config { hot_messages: 100, ..Config::default() };
    for (peers, speaks) in [(3, Speaks::Digests), (3, Speaks::Messages), (200, Speaks::Digests)] {
        let mut gossip = among(peers, speaks, config.clone());
        // Nobody polls. Of the index there is little: the same keys over and over.
        let mut churn = |rounds: std::ops::Range<u64>| {
            for stamp_ms in rounds {
                for number in 0..500 {
                    let from = PeerId((number % 3) as u32);
                    gossip.publish(key(number), version(2 * stamp_ms), START);
                    gossip.heard(from, key(number), version(2 * stamp_ms + 1), Verdict::Fresh, START);
                    gossip.heard(from, key(number), version(1), Verdict::Stale, START);
                }
            }
        };
        churn(1..100);
        let grown = measure(|| churn(100..400)).bytes_current;
        assert!(grown < 64 << 10, "{grown} bytes among {peers}");
        assert!(gossip.stats().hot <= 100 && gossip.stats().evicted > 0);
    }
}

#[test]
fn events_are_bounded() {
    let (mut gossip, mut held) = (among(3, Speaks::Digests, Config::default()), Held::new());
    let mut packet = packet();
    for number in 0..2000 {
        hold(&mut held, key(number), version(1), 2000);
        gossip.publish(key(number), version(1), START);
        assert_eq!(gossip.poll_transmit(&held, &mut packet), None);
    }
    assert_eq!(std::iter::from_fn(|| gossip.poll_event()).count(), 1024);
    assert!(gossip.stats().dropped > 0);
}

#[test]
fn hearing_allocates_nothing_when_warm() {
    for peers in [3, 16, 1000] {
        let (mut gossip, mut held) = (among(peers, Speaks::Digests, Config::default()), Held::new());
        let keys: Vec<Key> = (0..200).map(key).collect();
        let mut packet = packet();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut now = START;
        let mut hear = |stamp_ms: u64, held: &Held| {
            for &key in &keys {
                let (a, b) = (PeerId(rng.u32(..peers)), PeerId(rng.u32(..peers)));
                gossip.heard(a, key, version(stamp_ms), Verdict::Fresh, now);
                gossip.heard(b, key, version(stamp_ms), Verdict::Known, now);
            }
            while gossip.poll_transmit(held, &mut packet).is_some() {}
            now += ms(20);
        };
        for stamp_ms in 1..400 {
            keys.iter().for_each(|&key| hold(&mut held, key, version(stamp_ms), 100));
            hear(stamp_ms, &held);
        }
        let allocations = measure(|| (400..420).for_each(|stamp_ms| hear(stamp_ms, &held))).count_total;
        // A set of peers may still grow by one.
        assert!(allocations <= 20, "{allocations} for 8,000 messages among {peers}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn hostile_control_messages_do_no_harm(
        mut messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 2..600), 1..20), tampered: bool, peers in 1..40_u32,
    ) {
        let (mut gossip, mut held) = (among(peers, Speaks::Digests, Config::default()), Held::new());
        for number in 0..300 {
            hold(&mut held, key(number), version(1), 100);
            gossip.restore(key(number), version(1));
        }
        let root = gossip.root();
        let mut packet = packet();
        for (message, kind) in messages.iter_mut().zip((1..=5).cycle()) {
            if tampered {
                message[..2].copy_from_slice(&[1, kind]);
            }
            if tampered && kind == 4 {
                message.resize(268, 7);
                message[3] = 0;
                message[4..12].fill(0);
            }
            let spent = measure(|| _ = gossip.handle_control(PeerId(0), message, START));
            prop_assert!(spent.bytes_total < 200_000, "{} bytes", spent.bytes_total);
            let answered = measure(|| while gossip.poll_transmit(&held, &mut packet).is_some() {});
            prop_assert!(answered.bytes_total < 500_000);
        }
        gossip.handle_timeout(at_ms(1000));
        prop_assert_eq!(gossip.root(), root, "only the owner of the content changes anything");
    }

    #[test]
    fn only_control_messages_are_taken_for_some(message in prop::collection::vec(any::<u8>(), 0..60)) {
        let gossip = among(1, Speaks::Digests, Config::default());
        prop_assert_eq!(gossip.control(&message), None);
        let mut wrapped = b"\x0a\x06promha\x12".to_vec();
        wrapped.push(message.len() as u8);
        wrapped.extend_from_slice(&message);
        prop_assert_eq!(gossip.control(&wrapped), Some(&message[..]));
    }
}

#[test]
fn a_pull_takes_two_messages_if_all_that_is_missing_is_recent() {
    for missing in 1..5 {
        let config = Config { style: Style::Pull, fanout: 0, direct_peers: 0, ..Config::default() };
        let mut net = Net::new(2, &config, Link::default(), missing);
        net.restore(0, key(0), version(1));
        net.restore(1, key(0), version(1));
        (0..missing).for_each(|number| net.publish_silently(0, key(number), version(2)));
        assert!(net.run(at_ms(60_000), Net::converged));
        let asked: u64 = net.nodes.iter().map(|node| node.gossip.stats().wants_sent).sum();
        assert_eq!((asked, net.payloads), (0, missing));
        assert_eq!(net.controls, net.nodes.iter().map(|node| node.gossip.stats().digests_sent).sum::<u64>());
    }
}

#[test]
fn what_is_on_its_way_is_sent_again_only_in_the_next_round() {
    let (mut gossip, mut held) = (among(1, Speaks::Digests, Config::default()), Held::new());
    hold(&mut held, key(1), version(1), 100);
    gossip.publish(key(1), version(1), START);
    let mut packet = packet();
    assert_eq!(gossip.poll_transmit(&held, &mut packet), Some(PeerId(0)));
    let want = [&[1, 3], &key(1).0.to_le_bytes()[..]].concat();
    let mut sent = Vec::new();
    for now in 1..3000 {
        gossip.handle_control(PeerId(0), &want, at_ms(now)).unwrap();
        gossip.handle_timeout(at_ms(now));
        while gossip.poll_transmit(&held, &mut packet).is_some() {
            sent.extend(payloads(&gossip, &packet).iter().map(|_| now));
        }
        if sent.len() == usize::from(Config::default().resends) {
            break;
        }
    }
    assert_eq!(sent, [200, 400, 600, 800]);
}

/// A newer version that came with all of a peer's state: the older one that nobody confirmed is not sent again in its words.
#[test]
fn what_is_restored_supersedes_what_is_on_its_way() {
    let mut gossip = among(2, Speaks::Digests, Config::default());
    let (mut held, mut packet) = (Held::new(), packet());
    hold(&mut held, key(1), version(1), 100);
    gossip.publish(key(1), version(1), START);
    let mut sent = 0;
    while gossip.poll_transmit(&held, &mut packet).is_some() {
        sent += payloads(&gossip, &packet).len();
    }
    assert_eq!(sent, 2);
    hold(&mut held, key(1), version(2), 100);
    gossip.restore(key(1), version(2));
    for _ in 0..20 {
        let now = gossip.poll_timeout().unwrap();
        gossip.handle_timeout(now);
        while gossip.poll_transmit(&held, &mut packet).is_some() {
            assert!(payloads(&gossip, &packet).is_empty());
        }
    }
}

#[test]
fn strangers_are_not_answered() {
    let mut gossip = among(2, Speaks::Digests, Config::default());
    let mut held = Held::new();
    hold(&mut held, key(1), version(2), 100);
    gossip.restore(key(1), version(2));
    let want = [&[1, 3], &key(1).0.to_le_bytes()[..]].concat();
    let mut packet = packet();
    gossip.heard(PeerId(9), key(1), version(1), Verdict::Stale, START);
    assert_eq!(gossip.handle_control(PeerId(9), &want, START), Ok(()));
    assert_eq!(gossip.poll_transmit(&held, &mut packet), None);
    assert_eq!(gossip.handle_control(PeerId(1), &want, START), Ok(()));
    assert_eq!(gossip.poll_transmit(&held, &mut packet), Some(PeerId(1)));
    assert_eq!(gossip.handle_control(PeerId(1), &[1, 9], START), Err(ControlError::Kind { kind: 9 }));
}

#[test]
fn who_only_takes_messages_is_told_apart_by_what_it_sends() {
    let mut gossip = among(2, Speaks::Messages, Config::default());
    let mut packet = packet();
    gossip.handle_timeout(at_ms(10_000));
    assert_eq!(gossip.poll_transmit(&Held::new(), &mut packet), None, "no digest goes to them");
    // An equal root that asks for an echo.
    let digest = [&[1, 2, 4][..], &[0; 8], &[0]].concat();
    assert_eq!(gossip.handle_control(PeerId(0), &digest, at_ms(10_000)), Ok(()));
    assert_eq!(gossip.poll_transmit(&Held::new(), &mut packet), Some(PeerId(0)));
    let answers: HashSet<u8> =
        packet.bodies().filter_map(|body| gossip.control(&body[1..])).map(|control| control[1]).collect();
    assert_eq!(answers, HashSet::from([1]));
}

#[test]
fn a_peer_that_cannot_confirm_gets_so_much_a_round() {
    let config = Config { window_bytes: 10_000, ..Config::default() };
    let (mut gossip, mut held) = (among(1, Speaks::Messages, config), Held::new());
    for number in 0..1000 {
        hold(&mut held, key(number), version(1), 200);
        gossip.publish(key(number), version(1), START);
    }
    let mut packet = packet();
    for round in 1..5 {
        let before = gossip.stats().payload_bytes_sent;
        while gossip.poll_transmit(&held, &mut packet).is_some() {}
        let sent = gossip.stats().payload_bytes_sent - before;
        assert!((10_000..12_000).contains(&sent), "{sent} bytes");
        let due = gossip.poll_timeout().unwrap();
        assert!(due <= at_ms(round * 200));
        gossip.handle_timeout(at_ms(round * 200));
    }
}
