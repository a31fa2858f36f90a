//! What a message makes of a member, by what it was before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use membership_common::*;
use promha_gossip_core::membership::{
    ConfigError, Event, Membership, MembershipConfig, Outgoing, ProfileError,
};
use promha_gossip_core::wire::Standing::{self, Alive, Dead, Left, Suspect};
use std::time::Duration;

/// What is said of node 1.
#[derive(Clone, Copy, Debug)]
enum Said {
    AliveOf(u32),
    SuspectOf(u32),
    /// By who said so before.
    SuspectAgain(u32),
    DeadOf(u32),
    LeftOf(u32),
}
use Said::*;

fn hear(lone: &mut Lone, said: Said) -> String {
    match said {
        AliveOf(incarnation) => {
            lone.hear_alive(1, incarnation);
            format!("alive node-1 {incarnation}")
        }
        SuspectOf(incarnation) => {
            lone.hear_suspect(1, incarnation, 3);
            format!("suspect node-1 {incarnation} from node-3")
        }
        SuspectAgain(incarnation) => {
            lone.hear_suspect(1, incarnation, 2);
            format!("suspect node-1 {incarnation} from node-2")
        }
        DeadOf(incarnation) => {
            lone.hear_dead(1, incarnation, 3);
            format!("dead node-1 {incarnation} from node-3")
        }
        LeftOf(incarnation) => {
            lone.hear_dead(1, incarnation, 1);
            format!("dead node-1 {incarnation} from node-1")
        }
    }
}

/// Among six nodes, node 1 stands like this, of incarnation 5, and all rumours are told.
fn lone(standing: Standing) -> Lone {
    let mut lone = Lone::new();
    lone.answered = true;
    (4..8).for_each(|node| lone.hear_alive(node, 1));
    lone.hear_alive(1, 5);
    lone.pass(10 * SECOND);
    match standing {
        Alive => {}
        Suspect => lone.hear_suspect(1, 5, 2),
        Dead => lone.hear_dead(1, 5, 2),
        Left => lone.hear_dead(1, 5, 1),
    }
    lone.pass(SECOND * 3);
    assert_eq!(lone.stands(1), Some((standing, 5)));
    lone.events();
    lone
}

#[test]
fn what_a_message_makes_of_a_member() {
    // What it was, always of 5; what is said; what it is then; whether that is told on.
    let table = [
        (Alive, AliveOf(4), Alive, 5, false),
        (Alive, AliveOf(5), Alive, 5, false),
        (Alive, AliveOf(6), Alive, 6, true),
        (Alive, SuspectOf(4), Alive, 5, false),
        (Alive, SuspectOf(5), Suspect, 5, true),
        (Alive, SuspectOf(6), Suspect, 6, true),
        (Alive, DeadOf(4), Alive, 5, false),
        (Alive, DeadOf(5), Dead, 5, true),
        (Alive, DeadOf(6), Dead, 6, true),
        (Alive, LeftOf(4), Alive, 5, false),
        (Alive, LeftOf(5), Left, 5, true),
        (Alive, LeftOf(6), Left, 6, true),
        (Suspect, AliveOf(4), Suspect, 5, false),
        (Suspect, AliveOf(5), Suspect, 5, false),
        (Suspect, AliveOf(6), Alive, 6, true),
        (Suspect, SuspectOf(4), Suspect, 5, false),
        (Suspect, SuspectOf(5), Suspect, 5, true),
        (Suspect, SuspectAgain(5), Suspect, 5, false),
        (Suspect, SuspectAgain(6), Suspect, 6, true),
        (Suspect, DeadOf(4), Suspect, 5, false),
        (Suspect, DeadOf(5), Dead, 5, true),
        (Suspect, DeadOf(6), Dead, 6, true),
        (Suspect, LeftOf(5), Left, 5, true),
        (Dead, AliveOf(4), Dead, 5, false),
        (Dead, AliveOf(5), Dead, 5, false),
        (Dead, AliveOf(6), Alive, 6, true),
        (Dead, SuspectOf(5), Dead, 5, false),
        (Dead, SuspectOf(6), Dead, 6, false),
        (Dead, DeadOf(4), Dead, 5, false),
        (Dead, DeadOf(5), Dead, 5, false),
        (Dead, DeadOf(6), Dead, 6, true),
        (Dead, LeftOf(4), Dead, 5, false),
        (Dead, LeftOf(5), Left, 5, true),
        (Left, AliveOf(5), Left, 5, false),
        (Left, AliveOf(6), Alive, 6, true),
        (Left, SuspectOf(6), Left, 6, false),
        (Left, DeadOf(5), Left, 5, false),
        (Left, DeadOf(6), Left, 6, true),
        (Left, LeftOf(5), Left, 5, false),
        (Left, LeftOf(6), Left, 6, true),
    ];
    for (was, said, is, incarnation, told) in table {
        let mut lone = lone(was);
        let line = hear(&mut lone, said);
        assert_eq!(lone.stands(1), Some((is, incarnation)), "{was:?} {said:?}");
        let event = match (was, is) {
            (Alive | Suspect, Dead) => Some("Failed"),
            (Alive | Suspect | Dead, Left) if was != is => Some("LeftGracefully"),
            (Dead | Left, Alive) => Some("Returned"),
            (Suspect, Alive) => Some("Refuted"),
            (Alive, Suspect) => Some("Suspected"),
            _ => None,
        };
        let events: Vec<String> = lone.events().iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(events.len(), usize::from(event.is_some()), "{was:?} {said:?}: {events:?}");
        assert!(event.is_none_or(|event| events[0].starts_with(event)), "{was:?} {said:?}: {events:?}");
        let sent = lone.pass(SECOND);
        // Who was told of directly is told apart from what is told to all: that goes to several.
        let gossip =
            sent.iter().filter(|(_, lines)| lines.iter().any(|sent| sent.starts_with(&line))).count();
        assert_eq!(gossip > 1, told, "{was:?} {said:?}: {sent:?}");
    }
}

#[test]
fn only_who_is_alive_is_news_if_it_is_not_known() {
    let mut lone = Lone::new();
    for said in [SuspectOf(1), DeadOf(1), LeftOf(1)] {
        hear(&mut lone, said);
        assert_eq!(lone.stands(1), None);
    }
    hear(&mut lone, AliveOf(2));
    assert_eq!(lone.stands(1), Some((Alive, 2)));
    assert!(matches!(lone.events()[..], [Event::Joined { .. }]));
}

#[test]
fn another_address() {
    let changed = |lone: &mut Lone| lone.membership.member(lone.peer(1).unwrap()).unwrap().addr() == addr(9);
    for (was, reclaim, moves) in [
        (Alive, Some(0), false),
        (Suspect, Some(0), false),
        (Dead, None, false),
        (Dead, Some(3), true),
        (Dead, Some(4), false),
        (Left, None, true),
    ] {
        let mut lone = Lone::with(|config| config.dead_reclaim_after = reclaim.map(Duration::from_secs));
        lone.answered = true;
        (4..8).for_each(|node| lone.hear_alive(node, 1));
        lone.hear_alive(1, 5);
        match was {
            Alive => {}
            Suspect => lone.hear_suspect(1, 5, 2),
            Dead => lone.hear_dead(1, 5, 2),
            Left => lone.hear_dead(1, 5, 1),
        }
        lone.pass(3 * SECOND);
        lone.events();
        lone.hear_alive_at(1, 6, 9);
        assert_eq!(changed(&mut lone), moves, "{was:?} {reclaim:?}");
        let events = lone.events();
        let conflict =
            matches!(events[..], [Event::Conflict { peer: Some(_), other, .. }] if other == addr(9));
        assert_eq!(conflict, matches!(was, Alive | Suspect), "{events:?}");
        let moved = matches!(events[..], [Event::Returned { .. }, Event::AddressChanged { was, .. }] if was == addr(1));
        assert_eq!(moved, moves, "{events:?}");
    }
}

/// It need not know which incarnation it had: it is told, where it is now.
#[test]
fn another_address_with_a_lower_incarnation() {
    let mut lone = lone(Left);
    lone.hear_alive_at(1, 1, 9);
    assert_eq!(lone.stands(1), Some((Left, 5)));
    let sent = lone.sent();
    let told = Outgoing::Datagram { to: addr(9), peer: None, crc: false };
    assert!(sent.contains(&(told, vec!["suspect node-1 5 from node-0".into()])), "{sent:?}");
    lone.hear_alive_at(1, 6, 9);
    assert_eq!(lone.stands(1), Some((Alive, 6)));
}

#[test]
fn what_is_said_of_this_node() {
    // Of incarnation 1 at first; what is said; the incarnation then.
    for (said, incarnation) in [
        ("alive", 0, 1),
        ("alive", 1, 1),
        ("alive", 2, 3),
        ("suspect", 0, 1),
        ("suspect", 1, 2),
        ("suspect", 7, 8),
        ("dead", 0, 1),
        ("dead", 1, 2),
        ("dead", 7, 8),
    ]
    .map(|(said, of, then)| ((said, of), then))
    {
        let mut lone = Lone::new();
        (4..8).for_each(|node| lone.hear_alive(node, 1));
        match said {
            ("alive", of) => lone.hear_alive(0, of),
            ("suspect", of) => lone.hear_suspect(0, of, 4),
            (_, of) => lone.hear_dead(0, of, 4),
        }
        assert_eq!(lone.membership.incarnation(), incarnation, "{said:?}");
        let accused = said.0 != "alive" && incarnation > 1;
        assert_eq!(lone.membership.health(), u32::from(accused), "{said:?}");
        assert_eq!(lone.membership.stats().refutations, u64::from(accused), "{said:?}");
        assert_eq!(lone.peer(0), None);
        let told =
            lone.pass(SECOND).iter().any(|(_, lines)| lines.contains(&format!("alive node-0 {incarnation}")));
        // An accusation that is out of date is answered by what is true.
        assert_eq!(told, incarnation > 1 || said.0 != "alive", "{said:?}");
    }
}

#[test]
fn another_node_with_our_name() {
    let mut lone = Lone::new();
    lone.hear_alive_at(0, 9, 1);
    assert_eq!(lone.membership.incarnation(), 1);
    assert!(matches!(lone.events()[..], [Event::Conflict { peer: None, other, .. }] if other == addr(1)));
}

#[test]
fn a_new_meta_is_told() {
    let mut lone = lone(Alive);
    lone.membership.update_meta(b"eu", lone.now).unwrap();
    assert_eq!((lone.membership.incarnation(), lone.membership.profile().meta()), (2, b"eu".as_slice()));
    assert!(lone.pass(SECOND).iter().any(|(_, lines)| lines.contains(&"alive node-0 2".into())));
    let error = lone.membership.update_meta(&[0; 513], lone.now).unwrap_err();
    assert_eq!(error, ConfigError::Profile(ProfileError::MetaTooLong { bytes: 513, limit: 512 }));
    assert_eq!(lone.membership.profile().meta(), b"eu");
}

#[test]
fn who_left_is_done_when_it_is_told() {
    let mut lone = lone(Alive);
    lone.membership.leave(lone.now);
    assert_eq!(lone.membership.nodes().next().unwrap().standing, Left);
    assert_eq!(lone.events(), []);
    let sent = lone.pass(3 * SECOND);
    assert_eq!(lone.events(), [Event::Left]);
    let told = sent.iter().filter(|(_, lines)| lines.contains(&"dead node-0 1 from node-0".into())).count();
    assert_eq!(told, 5, "once to each of them");
    // It is not to be talked out of it, and begins nothing.
    lone.hear_dead(0, 1, 0);
    lone.hear_suspect(0, 1, 4);
    assert_eq!(lone.membership.incarnation(), 1);
    assert_eq!(lone.membership.stats().probes, {
        lone.pass(10 * SECOND);
        lone.membership.stats().probes
    });
    // It can come back.
    lone.membership.join(&[addr(4)]);
    assert_eq!((lone.membership.incarnation(), lone.membership.nodes().next().unwrap().standing), (2, Alive));
}

/// Of two nodes, neither has anybody to tell of the other: it wakes up for probes and exchanges alone.
#[test]
fn what_everybody_knows_is_not_told() {
    let mut lone = Lone::new();
    lone.answered = true;
    lone.hear_alive(1, 1);
    let (end, mut wakes) = (lone.now + 10 * SECOND, 0);
    while let Some(next) = lone.membership.poll_timeout().filter(|next| *next < end) {
        let sent = lone.pass(next - lone.now);
        assert!(sent.iter().flat_map(|(_, lines)| lines).all(|line| line.starts_with("ping")), "{sent:?}");
        wakes += 1;
    }
    assert!((10..15).contains(&wakes), "{wakes}");
}

#[test]
fn who_is_alone_leaves_at_once() {
    let mut lone = Lone::new();
    lone.membership.leave(lone.now);
    assert_eq!(lone.events(), [Event::Left]);
}

#[test]
fn no_more_members_than_the_limit() {
    let mut lone = Lone::with(|config| config.member_limit = 3);
    (1..9).for_each(|node| lone.hear_alive(node, 1));
    assert_eq!((lone.membership.len(), lone.membership.stats().refused_members), (3, 5));
}

#[test]
fn configurations_that_cannot_be() {
    let lan = || MembershipConfig::lan("a", addr(1));
    let changed = |change: fn(&mut MembershipConfig)| {
        let mut config = lan();
        change(&mut config);
        Membership::new(config, 1, at(0.0)).unwrap_err().to_string()
    };
    assert!(Membership::new(lan(), 1, at(0.0)).is_ok());
    for (change, error) in [
        (changed(|config| config.name.clear()), "the name is empty"),
        (changed(|config| config.name = "a".repeat(513)), "the name has 513 bytes, more than 512"),
        (changed(|config| config.meta = vec![0; 600]), "the meta has 600 bytes, more than 512"),
        (
            changed(|config| config.advertise = "0.0.0.0:1".parse().unwrap()),
            "no address that a datagram can be sent to: Some(0.0.0.0:1)",
        ),
        (changed(|config| config.vsn = [0; 6]), "versions that cannot be: [0, 0, 0, 0, 0, 0]"),
        (changed(|config| config.first_incarnation = 0), "first_incarnation is 0, must be at least 1"),
        (changed(|config| config.gossip_nodes = 0), "gossip_nodes is 0, must be at least 1"),
        (
            changed(|config| config.probe_timeout = SECOND),
            "probe_timeout is 1s, must be less than probe_interval, 1s",
        ),
    ] {
        assert_eq!(change, error);
    }
}

#[test]
fn the_times_of_the_presets() {
    let seconds = Duration::from_secs;
    let [lan, wan, local] = [MembershipConfig::lan, MembershipConfig::wan, MembershipConfig::local]
        .map(|preset| preset("a".to_owned(), addr(1)));
    assert_eq!([&lan, &wan, &local].map(|config| config.suspicion_timeout(3, 0)), [4, 30, 18].map(seconds));
    // Where the multiplier is 3, one other is wanted to share it.
    assert_eq!(local.suspicion_timeout(3, 1), seconds(3));
    assert_eq!(lan.suspicion_timeout(10, 1), Duration::from_millis(11_381));
    assert_eq!([1, 9, 10, 99, 10_000].map(|nodes| lan.retransmits(nodes)), [4, 4, 8, 8, 20]);
    assert_eq!(
        [32, 33, 64, 65, 10_000].map(|nodes| lan.push_pull_every(nodes)),
        [30, 60, 60, 90, 300].map(seconds)
    );
    assert_eq!(lan.clone().plain().suspicion_timeout(100, 0), seconds(8));
}
