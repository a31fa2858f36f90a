//! Asking who is alive, and being asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use membership_common::*;
use promha_gossip_core::membership::{Membership, MembershipConfig, Outgoing};
use promha_gossip_core::wire::{
    Ack, Alive, IndirectPing, Ints, Message, Nack, Packet, Ping, Source, Standing,
};
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);

/// Six nodes; runs until node 0 has just begun to probe, and returns whom.
fn probing(change: impl FnOnce(&mut MembershipConfig)) -> (Lone, usize, u32) {
    let mut lone = Lone::with(change);
    lone.answered = true;
    (1..6).for_each(|node| lone.hear_alive(node, 1));
    lone.pass(10 * SECOND);
    lone.answered = false;
    let (target, seq_no) = next_probe(&mut lone);
    lone.events();
    (lone, target, seq_no)
}

fn next_probe(lone: &mut Lone) -> (usize, u32) {
    let mut packet = Packet::new(1_400, Ints::Unsigned);
    loop {
        lone.now = lone.membership.poll_timeout().unwrap();
        lone.membership.handle_timeout(lone.now);
        while lone.membership.poll_transmit(&mut packet).is_some() {
            let first = packet.bodies().next();
            if let Some(Message::Ping(ping)) = first.map(|body| Message::decode(body).unwrap()) {
                return (ping.node.strip_prefix("node-").unwrap().parse().unwrap(), ping.seq_no);
            }
        }
    }
}

fn nack(lone: &mut Lone, seq_no: u32) {
    lone.hear(Message::Nack(Nack { seq_no }));
}

fn ack(lone: &mut Lone, seq_no: u32) {
    lone.hear(Message::Ack(Ack { seq_no, payload: None }));
}

fn indirect(sent: &[(Outgoing, Vec<String>)]) -> usize {
    sent.iter().filter(|(_, lines)| lines.iter().any(|line| line.starts_with("indirect"))).count()
}

fn fallback(sent: &[(Outgoing, Vec<String>)]) -> usize {
    sent.iter().filter(|(outgoing, _)| matches!(outgoing, Outgoing::FallbackPing { .. })).count()
}

#[test]
fn who_does_not_answer_is_asked_by_others_and_then_suspect() {
    let (mut lone, target, seq_no) = probing(|_| {});
    assert_eq!(lone.pass(499 * MILLI), []);
    let sent = lone.pass(MILLI);
    assert_eq!((indirect(&sent), fallback(&sent), sent.len()), (3, 1, 4));
    for (outgoing, lines) in &sent {
        match outgoing {
            Outgoing::Datagram { to, crc, .. } => {
                assert!(*to != addr(target) && !crc);
                assert_eq!(lines, &[format!("indirect node-{target} nack=true")]);
            }
            outgoing => assert_eq!(
                *outgoing,
                Outgoing::FallbackPing { to: addr(target), peer: lone.peer(target).unwrap(), seq_no }
            ),
        }
    }
    lone.pass(499 * MILLI);
    assert_eq!(lone.stands(target), Some((Standing::Alive, 1)));
    lone.pass(MILLI);
    assert_eq!(lone.stands(target), Some((Standing::Suspect, 1)));
    assert!(matches!(lone.events()[..], [promha_gossip_core::membership::Event::Suspected { .. }]));
}

#[test]
fn an_answer_in_time_whatever_its_way() {
    for (after, over_stream) in [(300, false), (800, false), (999, true)] {
        let (mut lone, target, seq_no) = probing(|_| {});
        lone.pass(MILLI * after);
        match over_stream {
            true => lone.membership.handle_stream_ack(seq_no, lone.now),
            false => ack(&mut lone, seq_no),
        }
        lone.answered = true;
        lone.pass(3 * SECOND);
        assert_eq!(lone.stands(target), Some((Standing::Alive, 1)));
        let stats = lone.membership.stats();
        assert_eq!((stats.failed_probes, stats.fallback_acks), (0, over_stream.into()));
    }
    // Of another number, or too late.
    for (after, by) in [(300, 1), (1_001, 0)] {
        let (mut lone, target, seq_no) = probing(|_| {});
        lone.pass(MILLI * after);
        ack(&mut lone, seq_no.wrapping_add(by));
        lone.pass(700 * MILLI);
        assert_eq!(lone.stands(target), Some((Standing::Suspect, 1)));
    }
}

/// Who is asked by us begins to wait when it is asked, so its "no answer" comes just after the end of the probe.
#[test]
fn who_gets_no_answer_and_no_word_that_others_get_none_is_not_well() {
    for (nacks, after, health) in
        [(0, 600, 3), (1, 600, 2), (3, 600, 0), (9, 600, 0), (3, 1_005, 0), (1, 1_005, 2)]
    {
        let (mut lone, _, seq_no) = probing(|_| {});
        lone.pass(MILLI * after);
        (0..nacks).for_each(|_| nack(&mut lone, seq_no));
        lone.pass((1_250 - after) * MILLI);
        assert_eq!(lone.membership.health(), health, "{nacks} after {after} ms");
    }
}

#[test]
fn answers_make_it_well_again() {
    let (mut lone, _, _) = probing(|_| {});
    lone.pass(1_249 * MILLI);
    lone.answered = true;
    // Three points, and the next probe, which is answered, at once.
    lone.pass(MILLI);
    assert_eq!(lone.membership.health(), 2);
    lone.pass(SECOND);
    assert_eq!(lone.membership.health(), 0);
}

#[test]
fn who_is_not_well_waits_longer() {
    let (mut lone, _, _) = probing(|_| {});
    lone.pass(1_250 * MILLI);
    assert_eq!(lone.membership.health(), 3);
    // The next probe began at once. Four times as long: 2 s for the ping, 4 s in all.
    assert_eq!(indirect(&lone.pass(1_999 * MILLI)), 0);
    assert_eq!(indirect(&lone.pass(MILLI)), 3);
    lone.pass(1_999 * MILLI);
    assert_eq!(lone.membership.stats().failed_probes, 1);
    lone.pass(MILLI);
    assert_eq!(lone.membership.stats().failed_probes, 2);
}

/// Not so late that this process was stopped, but too late for others to have answered.
#[test]
fn who_is_late_gives_others_as_much_time() {
    let (mut lone, target, _) = probing(|_| {});
    lone.now += 1_300 * MILLI;
    lone.membership.handle_timeout(lone.now);
    lone.membership.handle_timeout(lone.now);
    lone.pass(499 * MILLI);
    assert_eq!(lone.stands(target), Some((Standing::Alive, 1)));
    lone.pass(MILLI);
    assert_eq!(lone.stands(target), Some((Standing::Suspect, 1)));
}

#[test]
fn plain_swim_is_always_well() {
    let (mut lone, target, _) = probing(|config| *config = config.clone().plain());
    lone.pass(SECOND);
    assert_eq!(lone.stands(target), Some((Standing::Suspect, 1)));
    lone.pass(SECOND);
    assert_eq!((lone.membership.health(), lone.membership.stats().failed_probes), (0, 2));
}

#[test]
fn old_versions_are_not_asked_for_what_they_do_not_know() {
    for (most, fallbacks, with_nack) in [(2, 0, false), (3, 1, false), (4, 1, true)] {
        let mut lone = Lone::new();
        lone.answered = true;
        for node in 1..6 {
            let (node, ip) = (name(node), ip(addr(node)));
            let (addr, vsn) = (Some(ip.as_slice()), [1, most, 2, 0, 0, 0]);
            let vsn = Some(vsn.as_slice());
            lone.hear(Message::Alive(Alive {
                incarnation: 1,
                node: &node,
                addr,
                port: 7_946,
                meta: None,
                vsn,
            }));
        }
        lone.pass(10 * SECOND);
        lone.answered = false;
        let (target, _) = next_probe(&mut lone);
        let sent = lone.pass(500 * MILLI);
        assert_eq!(fallback(&sent), fallbacks);
        let line = format!("indirect node-{target} nack={with_nack}");
        assert_eq!(sent.iter().filter(|(_, lines)| *lines == [line.as_str()]).count(), 3);
        // Where nobody says "no answer", a failure counts once.
        lone.pass(750 * MILLI);
        assert_eq!(lone.membership.health(), if with_nack { 3 } else { 1 });
    }
}

#[test]
fn a_suspect_is_told_when_it_is_probed() {
    for plain in [false, true] {
        let mut lone = Lone::with(|config| {
            if plain {
                *config = config.clone().plain()
            }
        });
        lone.answered = true;
        (1..6).for_each(|node| lone.hear_alive(node, 1));
        lone.pass(10 * SECOND);
        lone.hear_suspect(3, 1, 4);
        let sent = lone.pass(4 * SECOND);
        let to = |outgoing: &Outgoing| matches!(outgoing, Outgoing::Datagram { to, crc, .. } if *to == addr(3) && *crc != plain);
        let probes: Vec<_> =
            sent.iter().filter(|(outgoing, lines)| lines[..1] == ["ping node-3"] && to(outgoing)).collect();
        assert!(!probes.is_empty());
        let told = |lines: &[String]| lines.get(1).is_some_and(|line| line == "suspect node-3 1 from node-0");
        assert!(probes.iter().all(|(_, lines)| told(lines) != plain), "{probes:?}");
    }
}

#[test]
fn everybody_is_probed_in_every_round() {
    let mut lone = Lone::new();
    lone.answered = true;
    (1..10).for_each(|node| lone.hear_alive(node, 1));
    lone.pass(10 * SECOND);
    for _ in 0..5 {
        let sent = lone.pass(9 * SECOND);
        for node in 1..10 {
            // Two in a second, so two rounds of nine in nine seconds; a round may begin within them.
            let line = format!("ping node-{node}");
            let pings = sent.iter().filter(|(_, lines)| lines.contains(&line)).count();
            assert!((1..=3).contains(&pings), "{pings} of {line}");
        }
    }
}

#[test]
fn pings_are_answered_if_they_are_meant() {
    let mut lone = Lone::new();
    lone.hear_alive(3, 1);
    lone.sent();
    let ip = ip(addr(3));
    let (name_0, name_3) = (name(0), name(3));
    let known = Source { addr: Some(&ip), port: 7_946, node: &name_3 };
    for (node, source, to, peer) in [
        (name_0.as_str(), known, Some(addr(3)), lone.peer(3)),
        ("", known, Some(addr(3)), lone.peer(3)),
        ("node-9", known, None, None),
        // Without a source, where it came from.
        (name_0.as_str(), Source::default(), Some(addr(250)), None),
        // Who it says it is, but elsewhere.
        (name_0.as_str(), Source { port: 1, ..known }, Some(([10, 0, 0, 3], 1).into()), None),
    ] {
        lone.hear(Message::Ping(Ping { seq_no: 77, node, source }));
        let mut sent = lone.sent();
        sent.iter_mut().for_each(|(_, lines)| lines.truncate(1));
        let expected = to.map(|to| (Outgoing::Datagram { to, peer, crc: false }, vec!["ack 77".to_owned()]));
        assert_eq!(sent, expected.into_iter().collect::<Vec<_>>());
    }
    assert_eq!((lone.membership.stats().pings_answered, lone.membership.stats().pings_misdirected), (4, 1));
}

#[test]
fn others_are_probed_for_others() {
    let mut lone = Lone::new();
    lone.hear_alive(3, 1);
    lone.pass(10 * MILLI);
    let target = ip(addr(4));
    let (asker, name_3, name_4) = (ip(addr(3)), name(3), name(4));
    let source = Source { addr: Some(&asker), port: 7_946, node: &name_3 };
    for (nack, answered) in [(true, true), (true, false), (false, false)] {
        let seq_no = 77;
        let request =
            IndirectPing { seq_no, target: Some(&target), port: 7_946, node: &name_4, nack, source };
        lone.hear(Message::IndirectPing(request));
        let mut packet = Packet::new(1_400, Ints::Unsigned);
        let outgoing = lone.membership.poll_transmit(&mut packet);
        assert_eq!(outgoing, Some(Outgoing::Datagram { to: addr(4), peer: None, crc: false }));
        let Message::Ping(ping) = Message::decode(packet.bodies().next().unwrap()).unwrap() else { panic!() };
        assert_eq!((ping.node, ping.source.node), ("node-4", "node-0"));
        let answers = |lone: &mut Lone, time| -> Vec<String> {
            let sent = lone.pass(time).into_iter();
            let to_asker =
                |outgoing: &Outgoing| matches!(outgoing, Outgoing::Datagram { to, .. } if *to == addr(3));
            sent.filter(|(outgoing, _)| to_asker(outgoing))
                .flat_map(|(_, lines)| lines)
                .filter(|line| line.contains("ack"))
                .collect()
        };
        let own = ping.seq_no;
        lone.pass(400 * MILLI);
        if answered {
            ack(&mut lone, own);
            assert_eq!(answers(&mut lone, Duration::ZERO), ["ack 77"]);
        }
        let then = answers(&mut lone, 100 * MILLI);
        assert_eq!(then, if nack && !answered { vec!["nack 77"] } else { vec![] }, "{nack} {answered}");
        // After that it is over.
        ack(&mut lone, own);
        assert_eq!(answers(&mut lone, SECOND), [""; 0]);
    }
    assert_eq!(lone.membership.stats().relays, 3);
}

/// A flood of requests is answered as far as there is room, and costs nothing after that.
#[test]
fn requests_to_probe_are_limited() {
    let mut lone = Lone::new();
    let target = ip(addr(4));
    for seq_no in 0..3_000 {
        let source = Source::default();
        let request = IndirectPing { seq_no, target: Some(&target), port: 1, node: "x", nack: true, source };
        lone.hear(Message::IndirectPing(request));
    }
    let stats = lone.membership.stats();
    assert_eq!((stats.relays, stats.relays_dropped), (1_024, 1_976));
    let nacks = lone.pass(SECOND).into_iter().filter(|(_, lines)| lines[0].starts_with("nack")).count();
    assert_eq!(nacks, 1_024);
}

/// The shortest driver: two nodes, and whatever one sends the other gets.
#[test]
fn two_nodes_and_a_loop() {
    let member = |node| Membership::new(lan(node), node as u64, at(0.0)).unwrap();
    let (mut nodes, mut now) = ([member(0), member(1)], at(0.0));
    nodes[0].join(&[addr(1)]);
    let mut packet = Packet::new(1_400, Ints::Unsigned);
    while now < at(60.0) {
        for node in 0..2 {
            let [one, other] = nodes.get_disjoint_mut([node, 1 - node]).unwrap();
            one.handle_timeout(now);
            while let Some(outgoing) = one.poll_transmit(&mut packet) {
                if let Outgoing::PushPull { join, .. } = outgoing {
                    other.handle_push_pull(addr(node), one.nodes(), join, now).unwrap();
                    one.handle_push_pull(addr(1 - node), other.nodes(), join, now).unwrap();
                }
                for body in packet.bodies() {
                    other.handle_message(addr(node), &Message::decode(body).unwrap(), now);
                }
            }
        }
        now = nodes.iter().filter_map(Membership::poll_timeout).min().unwrap().max(now + MILLI);
    }
    for node in nodes {
        assert_eq!((node.len_active(), node.health(), node.stats().failed_probes), (1, 0, 0));
        assert!(node.stats().acks > 50);
    }
}
