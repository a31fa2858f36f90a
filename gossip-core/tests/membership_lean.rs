//! What a membership costs: memory for each member, and no allocation while nothing happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use allocation_counter::measure;
use membership_common::*;
use promha_gossip_core::membership::{Membership, Outgoing, Profile};
use promha_gossip_core::wire::{Ack, Ints, Message, Packet, Ping, Source, Standing};
use std::sync::Arc;

fn profiles(count: usize) -> Vec<Arc<Profile>> {
    (0..count).map(|node| Arc::new(Profile::new(&name(node), addr(node), b"", VSN).unwrap())).collect()
}

#[test]
fn forty_bytes_a_member() {
    let profiles = profiles(10_000);
    let mut membership = None;
    let before = measure(|| {
        membership = Some(Membership::with_members(lan(0), 1, profiles.iter().cloned(), at(0.0)).unwrap());
    });
    let bytes = before.bytes_current as f64 / 10_000.0;
    println!("{bytes:.1} bytes a member, {} allocations", before.count_total);
    assert!(bytes <= 40.0, "{bytes}");
    let mut membership = membership.unwrap();
    assert_eq!((membership.len(), membership.poll_event()), (9_999, None));
    assert!(membership.members().all(|member| Arc::strong_count(member.profile()) == 2));
    let last = membership.member(membership.peer_of(&name(9_999)).unwrap()).unwrap();
    assert_eq!((last.addr(), last.standing(), last.incarnation()), (addr(9_999), Standing::Alive, 1));
}

#[test]
fn known_members_are_taken_once_and_without_ourselves() {
    let mut all = profiles(10);
    all.extend(profiles(20));
    all.push(Arc::new(Profile::new("other", addr(30), b"", [7, 8, 7, 0, 0, 0]).unwrap()));
    let membership = Membership::with_members(lan(3), 1, all.clone(), at(0.0)).unwrap();
    assert_eq!((membership.len(), membership.peer_of(&name(3))), (19, None));
    let mut config = lan(3);
    config.member_limit = 5;
    assert_eq!(Membership::with_members(config, 1, all, at(0.0)).unwrap().len(), 5);
}

#[test]
fn a_quiet_node_allocates_nothing() {
    let profiles = profiles(1_000);
    let mut membership = Membership::with_members(lan(0), 1, profiles.iter().cloned(), at(0.0)).unwrap();
    let (mut packet, mut now, mut pings) = (Packet::new(1_400, Ints::Unsigned), at(0.0), 0);
    let ip = ip(addr(7));
    let (name_0, name_7) = (name(0), name(7));
    let mut minute = |membership: &mut Membership| {
        let end = now + 60 * SECOND;
        while now < end {
            now = membership.poll_timeout().unwrap();
            membership.handle_timeout(now);
            while let Some(outgoing) = membership.poll_transmit(&mut packet) {
                let body = packet.bodies().next().map(|body| Message::decode(body).unwrap());
                if let (Outgoing::Datagram { to, .. }, Some(Message::Ping(ping))) = (outgoing, body) {
                    pings += 1;
                    let ack = Message::Ack(Ack { seq_no: ping.seq_no, payload: None });
                    membership.handle_message(to, &ack, now);
                }
            }
            let source = Source { addr: Some(&ip), port: 7_946, node: &name_7 };
            let ping = Message::Ping(Ping { seq_no: 9, node: &name_0, source });
            membership.handle_message(addr(7), &ping, now);
            assert!(membership.poll_transmit(&mut packet).is_some());
        }
    };
    // As long as it takes until everything has been done once: exchanges are rare among so many.
    (0..4).for_each(|_| minute(&mut membership));
    let allocations = measure(|| (0..20).for_each(|_| minute(&mut membership)));
    assert_eq!(allocations.count_total, 0);
    assert!(pings > 2_400, "{pings}");
}
