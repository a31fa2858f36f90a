//! What memberlist and its like are known to get wrong, each as it happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use membership_common::*;
use promha_gossip_core::membership::{Event, ExchangeError, Lifeguard, Outgoing};
use promha_gossip_core::wire::Standing::{self, Alive, Dead, Left, Suspect};
use promha_gossip_core::wire::{self, Message, NodeState};

fn lone() -> Lone {
    let mut lone = Lone::new();
    lone.answered = true;
    (4..8).for_each(|node| lone.hear_alive(node, 1));
    lone
}

fn told(lone: &mut Lone, node: usize) -> Vec<String> {
    let to_node =
        |outgoing: &Outgoing| matches!(outgoing, Outgoing::Datagram { to, .. } if *to == addr(node));
    lone.sent().into_iter().filter(|(outgoing, _)| to_node(outgoing)).flat_map(|(_, lines)| lines).collect()
}

fn state(
    node: &str,
    place: usize,
    incarnation: u32,
    standing: Standing,
    vsn: &[u8],
    check: impl FnOnce(NodeState<'_>),
) {
    let ip = ip(addr(place));
    let (addr, port) = (Some(ip.as_slice()), addr(place).port());
    check(NodeState {
        alive: wire::Alive { incarnation, node, addr, port, meta: None, vsn: Some(vsn) },
        standing,
    });
}

impl Lone {
    fn exchange_one(&mut self, node: usize, incarnation: u32, standing: Standing) {
        state(&name(node), node, incarnation, standing, &VSN, |state| {
            self.membership.handle_push_pull(addr(200), std::iter::once(state), false, self.now).unwrap();
        });
    }
}

/// memberlist #311: a node dies with a high incarnation, begins anew with 1, and those who know of its death keep it for dead, because it
/// never hears of it.
#[test]
fn who_begins_anew_is_told_how_it_died() {
    for known_before in [true, false] {
        let mut lone = lone();
        if known_before {
            lone.hear_alive(1, 1);
        }
        lone.hear_dead(1, 100, 4);
        lone.sent();
        lone.hear_alive(1, 1);
        assert_ne!(lone.stands(1).map(|(standing, _)| standing), Some(Alive));
        assert!(told(&mut lone, 1).contains(&"suspect node-1 100 from node-0".into()));
        // Once, and not for every copy of the message.
        lone.hear_alive(1, 1);
        assert_eq!(told(&mut lone, 1), [""; 0]);
        lone.pass(SECOND);
        lone.exchange_one(1, 1, Alive);
        assert!(told(&mut lone, 1).contains(&"suspect node-1 100 from node-0".into()));
        lone.hear_alive(1, 101);
        assert_eq!(lone.stands(1), Some((Alive, 101)));
    }
}

/// The same with all: every node begins anew within two seconds, while rumours of deaths of high incarnations are on the way.
#[test]
fn a_cluster_that_begins_anew_finds_itself_again() {
    for seed in 0..10 {
        let mut cluster = Cluster::joined(12, seed, lan);
        for node in 0..12 {
            for _ in 0..40 {
                let now = cluster.now;
                cluster.nodes[node].membership.update_meta(b"", now).unwrap();
            }
        }
        cluster.run(3.0);
        // Half of them are missed first.
        (6..12).for_each(|node| cluster.crash(node));
        cluster.run(8.0);
        for step in 0..12 {
            let node = (step + 6) % 12;
            cluster.restart(node);
            cluster.join(node, (node + 1) % 12);
            cluster.run(0.15);
        }
        let took = cluster.run_until(Cluster::all_agree, 10.0);
        assert!(took.is_some(), "seed {seed}");
        cluster.run(40.0);
        assert!(cluster.all_agree(), "seed {seed}");
    }
}

/// Alive 1, dead 1, dead 10, and then a message that was on the way all the time: alive 2.
#[test]
fn a_stale_message_raises_nobody_from_the_dead() {
    for accusation in ["dead", "suspect"] {
        let mut lone = lone();
        lone.hear_alive(1, 1);
        lone.hear_dead(1, 1, 4);
        match accusation {
            "dead" => lone.hear_dead(1, 10, 5),
            _ => lone.hear_suspect(1, 10, 5),
        }
        lone.hear_alive(1, 2);
        assert_eq!(lone.stands(1), Some((Dead, 10)));
        // Nor when it is forgotten.
        lone.pass(31 * SECOND);
        assert_eq!(lone.stands(1), None);
        for incarnation in [2, 10] {
            lone.hear_alive(1, incarnation);
            assert_eq!(lone.stands(1), None);
        }
        assert_eq!(lone.membership.stats().stale_alive, 3);
        lone.hear_alive(1, 11);
        assert_eq!(lone.stands(1), Some((Alive, 11)));
    }
}

/// A suspicion that was not refuted by who was suspect of a higher incarnation.
#[test]
fn a_stale_message_does_not_end_a_suspicion() {
    let mut lone = lone();
    lone.hear_alive(1, 1);
    lone.hear_suspect(1, 1, 4);
    lone.hear_suspect(1, 7, 5);
    lone.hear_alive(1, 2);
    assert_eq!(lone.stands(1), Some((Suspect, 7)));
}

#[test]
fn the_dead_are_not_remembered_for_ever() {
    let mut lone = Lone::with(|config| config.reconnect_for = 60 * SECOND);
    lone.hear_dead(1, 10, 4);
    lone.pass(59 * SECOND);
    lone.hear_alive(1, 2);
    assert_eq!(lone.stands(1), None);
    lone.pass(SECOND);
    lone.hear_alive(1, 2);
    assert_eq!(lone.stands(1), Some((Alive, 2)));
}

/// memberlist #180: one node says that it speaks no version at all, everybody believes it, and no exchange is merged any more.
#[test]
fn a_version_of_zeros_is_not_believed() {
    let mut lone = lone();
    lone.pass(10 * SECOND);
    // None, zeros, too few, against themselves, and of another time.
    let bad: [&[u8]; 7] = [
        &[],
        &[0; 6],
        &[1, 5, 2],
        &[1, 5, 9, 0, 0, 0],
        &[3, 2, 2, 0, 0, 0],
        &[1, 5, 2, 0, 0, 4],
        &[6, 7, 6, 0, 0, 0],
    ];
    for vsn in bad {
        for node in ["node-4", "stranger"] {
            state(node, 4, 9, Alive, vsn, |state| lone.hear(Message::Alive(state.alive)));
        }
    }
    assert_eq!(lone.membership.stats().refused_profiles, 14);
    assert_eq!(lone.stands(4), Some((Alive, 1)));
    assert_eq!(lone.membership.member(lone.peer(4).unwrap()).unwrap().vsn(), VSN);
    assert_eq!(lone.membership.peer_of("stranger"), None);
    assert!(lone.pass(2 * SECOND).iter().flat_map(|(_, lines)| lines).all(|line| !line.starts_with("alive")));

    // The rest of an exchange is merged.
    state("bad", 20, 1, Alive, &[0; 6], |bad| {
        state("bad-too", 20, 1, Dead, &[0; 6], |bad_too| {
            state(&name(21), 21, 1, Alive, &VSN, |good| {
                lone.membership
                    .handle_push_pull(addr(4), [bad, bad_too, good].into_iter(), true, lone.now)
                    .unwrap();
            });
        });
    });
    assert_eq!(lone.stands(21), Some((Alive, 1)));

    // Where nobody speaks a version that we know, nothing is.
    let before: Vec<String> = lone.membership.nodes().map(|node| format!("{node:?}")).collect();
    state("foreign", 20, 1, Alive, &[6, 7, 6, 0, 0, 0], |foreign| {
        state(&name(4), 4, 1, Dead, &VSN, |dead| {
            let error =
                lone.membership.handle_push_pull(addr(4), [foreign, dead].into_iter(), true, lone.now);
            let ExchangeError::Incompatible { name, theirs, ours } = error.unwrap_err() else { panic!() };
            assert_eq!((name.as_str(), &theirs[..], ours), ("foreign", [6, 7, 6, 0, 0, 0].as_slice(), VSN));
        });
    });
    let after: Vec<String> = lone.membership.nodes().map(|node| format!("{node:?}")).collect();
    assert_eq!(before, after);
}

#[test]
fn a_suspicion_ends_with_its_incarnation() {
    let mut lone = lone();
    lone.hear_alive(1, 1);
    lone.hear_suspect(1, 1, 4);
    lone.pass(3 * SECOND);
    lone.hear_alive(1, 2);
    lone.pass(60 * SECOND);
    assert_eq!(lone.stands(1), Some((Alive, 2)));

    // That of the next incarnation begins anew, without those who shared the one before.
    lone.hear_suspect(1, 2, 4);
    lone.hear_suspect(1, 2, 5);
    lone.hear_suspect(1, 2, 6);
    lone.pass(3 * SECOND);
    lone.hear_suspect(1, 3, 4);
    lone.hear_suspect(1, 2, 7);
    lone.pass(10 * SECOND);
    assert_eq!(lone.stands(1), Some((Suspect, 3)));
    lone.pass(15 * SECOND);
    assert_eq!(lone.stands(1), Some((Dead, 3)));
}

/// chitchat #155: nodes forget the dead at different times, so who has forgotten hears of it again from who has not.
#[test]
fn who_is_forgotten_does_not_return() {
    let mut lone = lone();
    lone.hear_alive(1, 5);
    lone.hear_dead(1, 5, 4);
    lone.pass(31 * SECOND);
    let forgotten = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Forgotten { .. }));
    assert!(forgotten(&lone.events()));
    for standing in [Dead, Suspect, Left, Alive] {
        lone.exchange_one(1, 5, standing);
        assert_eq!(lone.stands(1), None, "{standing:?}");
    }
    assert_eq!(lone.events(), []);
    // Nor does who dies elsewhere live here for it.
    lone.exchange_one(2, 3, Dead);
    lone.exchange_one(2, 3, Alive);
    assert_eq!(lone.stands(2), None);
}

#[test]
fn who_is_dead_elsewhere_is_suspect_and_who_left_has_left() {
    let mut lone = lone();
    for (node, standing, then) in [(4, Dead, Suspect), (5, Suspect, Suspect), (6, Left, Left)] {
        lone.exchange_one(node, 1, standing);
        assert_eq!(lone.stands(node), Some((then, 1)));
    }
}

#[test]
fn the_highest_incarnation_breaks_nothing() {
    const MOST: u32 = u32::MAX;
    let mut lone = lone();
    // Against us it cannot be refuted, and is ignored; the one below it can.
    lone.hear_suspect(0, MOST, 4);
    lone.hear_dead(0, MOST, 4);
    lone.hear_alive(0, MOST);
    assert_eq!((lone.membership.incarnation(), lone.membership.stats().unrefutable), (1, 3));
    lone.hear_suspect(0, MOST - 1, 4);
    assert_eq!(lone.membership.incarnation(), MOST);
    lone.membership.update_meta(b"x", lone.now).unwrap();
    lone.hear_suspect(0, MOST, 4);
    assert_eq!(lone.membership.incarnation(), MOST);

    // Against others neither, unless they have come so far.
    lone.hear_suspect(4, MOST, 5);
    lone.hear_dead(4, MOST, 5);
    assert_eq!(lone.stands(4), Some((Alive, 1)));
    lone.hear_alive(5, MOST);
    lone.hear_dead(5, MOST, 4);
    assert_eq!(lone.stands(5), Some((Dead, MOST)));
    // Then it must be forgotten to come back, and it may.
    lone.pass(31 * SECOND);
    lone.hear_alive(5, 1);
    assert_eq!(lone.stands(5), Some((Alive, 1)));
    // Nor is it believed of who is not known.
    lone.hear_dead(1, MOST, 4);
    lone.hear_alive(1, 1);
    assert_eq!(lone.stands(1), Some((Alive, 1)));
}

/// A process that was stopped for 20 s finds that a suspicion has long run out, and a probe as well.
#[test]
fn who_was_stopped_blames_itself() {
    for lifeguard in [Lifeguard::On, Lifeguard::Off] {
        let mut lone = Lone::with(|config| {
            config.lifeguard = lifeguard;
            config.push_pull_interval = 3_600 * SECOND;
        });
        lone.answered = true;
        (1..8).for_each(|node| lone.hear_alive(node, 1));
        lone.pass(3 * SECOND);
        lone.hear_suspect(1, 1, 4);
        lone.hear_suspect(1, 1, 5);
        lone.hear_suspect(1, 1, 6);
        lone.answered = false;
        // Stopped right after it has begun a probe.
        let probes = lone.membership.stats().probes;
        while lone.membership.stats().probes == probes {
            let next = lone.membership.poll_timeout().unwrap();
            lone.now = next;
            lone.membership.handle_timeout(next);
        }
        lone.events();
        let asked = lone.membership.stats().indirect_probes;
        lone.now += 20 * SECOND;
        while lone.membership.poll_timeout().is_some_and(|next| next <= lone.now) {
            lone.membership.handle_timeout(lone.now);
        }
        let events = lone.events();
        let on = lifeguard == Lifeguard::On;
        assert_eq!(events.iter().any(|event| matches!(event, Event::Paused { .. })), on, "{events:?}");
        assert_eq!(lone.stands(1).unwrap().0, if on { Suspect } else { Dead });
        let suspected = events.iter().any(|event| matches!(event, Event::Suspected { .. }));
        assert_eq!(suspected, !on, "{events:?}");
        assert_eq!(lone.membership.health(), if on { 7 } else { 0 });
        // It asks at once what it has missed.
        assert_eq!(lone.sent().iter().any(|(outgoing, _)| matches!(outgoing, Outgoing::PushPull { .. })), on);
        assert_eq!(lone.membership.stats().indirect_probes == asked, on);
        if on {
            // There were more than two seconds left.
            lone.pass(2 * SECOND);
            assert_eq!(lone.stands(1).unwrap().0, Suspect);
        }
        // The suspicion still ends when it is not refuted in the time that was left, of which a message that comes first changes nothing.
        lone.hear_alive(2, 1);
        lone.pass(10 * SECOND);
        assert_eq!(lone.stands(1).unwrap().0, Dead);
    }
}

/// The first thing that a process does after it was stopped may be to read its socket.
#[test]
fn a_pause_is_seen_once_by_whatever_comes_first() {
    let mut lone = lone();
    lone.pass(SECOND);
    lone.now += 20 * SECOND;
    lone.hear_alive(5, 1);
    lone.hear_alive(6, 1);
    lone.membership.handle_timeout(lone.now);
    assert_eq!(lone.membership.stats().pauses, 1);
}
