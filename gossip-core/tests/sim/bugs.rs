//! Bugs that others have or had: no node of ours has them, and each scenario finds one that has.

use std::time::Duration;

use promha_gossip_core::membership::MembershipConfig;
use promha_gossip_core::wire::{Alive, Ints, Message, Rumour, Standing};

use crate::simulator::bugs::{
    Away, agree, cluster, dead_state_returns, mass_restart, pass, suspicion_survives,
};
use crate::simulator::node::{Birth, Node, name};
use crate::simulator::real::Swim;
use crate::simulator::toy::{Flaw, Simple};
use crate::simulator::world::{Failure, World};

const SEEDS: std::ops::Range<u64> = 0..5;

fn swim(birth: &Birth<'_>) -> Swim {
    Swim::new(birth, |lan| lan)
}

fn simple(flaw: Flaw) -> impl Fn(&Birth<'_>) -> Simple + Clone + 'static {
    move |birth| Simple::new(birth, flaw)
}

fn check(found: Result<(), Failure>) -> &'static str {
    found.map_or_else(|failure| failure.check, |()| "nothing")
}

#[test]
fn mass_restart_incarnations() {
    for seed in SEEDS {
        for all in [true, false] {
            mass_restart(7, seed, all, swim).unwrap();
            mass_restart(5, seed, all, simple(Flaw::None)).unwrap();
        }
        assert_eq!(check(mass_restart(5, seed, false, simple(Flaw::Humble))), "agreement");
    }
}

#[test]
fn dead_state_returning() {
    // While it is still known for dead, and after it was forgotten.
    for time in [20, 50, 200].map(Duration::from_secs) {
        for seed in SEEDS {
            for why in [Away::Stopped, Away::Down] {
                dead_state_returns(7, seed, why, time, swim).unwrap();
                dead_state_returns(7, seed, why, time, simple(Flaw::None)).unwrap();
            }
            let undead = dead_state_returns(7, seed, Away::Down, time, simple(Flaw::Undead));
            assert_eq!(check(undead), "no_resurrection");
        }
    }
}

#[test]
fn suspicion_surviving_a_new_incarnation() {
    for seed in SEEDS {
        for restarts in [false, true] {
            suspicion_survives(7, seed, restarts, swim).unwrap();
            suspicion_survives(7, seed, restarts, simple(Flaw::None)).unwrap();
            assert_eq!(check(suspicion_survives(7, seed, restarts, simple(Flaw::Grudging))), "nobody_dies");
        }
    }
}

fn datagram(message: &Message<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    message.encode(Ints::Unsigned, &mut body);
    let mut data = (body.len() as u16).to_le_bytes().to_vec();
    data.extend_from_slice(&body);
    data
}

/// A node of which there is only talk: where it should be, nobody is.
const GHOST: usize = 200;

fn alive(incarnation: u32) -> Vec<u8> {
    alive_as(&name(GHOST), incarnation, &[1, 5, 2, 0, 0, 0])
}

fn alive_as(node: &str, incarnation: u32, vsn: &[u8]) -> Vec<u8> {
    let addr = Some([10, 0, 0, GHOST as u8].as_slice());
    datagram(&Message::Alive(Alive { incarnation, node, addr, port: 7946, meta: None, vsn: Some(vsn) }))
}

fn dead(incarnation: u32) -> Vec<u8> {
    let (node, from) = (name(GHOST), name(2));
    datagram(&Message::Dead(Rumour { incarnation, node: &node, from: &from }))
}

fn standing(node: &Swim) -> Option<Standing> {
    let membership = node.membership();
    Some(membership.member(membership.peer_of(&name(GHOST))?)?.standing())
}

/// Alive 1, dead 1, dead 10, and then an alive 2 that was on its way.
#[test]
fn stale_alive_resurrection() {
    for pause_s in [0, 1, 10, 40, 100] {
        let mut world = cluster(3, 1, swim);
        world.watch.0.clear();
        for told in [alive(1), dead(1), dead(10)] {
            world.inject(1, 0, &told);
            pass(&mut world, Duration::from_millis(100)).unwrap();
        }
        assert_eq!(standing(world.seats[0].node.as_ref().unwrap()), Some(Standing::Dead));
        pass(&mut world, Duration::from_secs(pause_s)).unwrap();
        // Also by way of others, which may have heard less.
        world.inject(1, 0, &alive(2));
        world.inject(1, 2, &alive(2));
        for _ in 0..600 {
            pass(&mut world, Duration::from_millis(100)).unwrap();
            let stands = standing(world.seats[0].node.as_ref().unwrap());
            assert!(
                !matches!(stands, Some(Standing::Alive | Standing::Suspect)),
                "after {pause_s} s: {stands:?}"
            );
        }
    }
}

/// One node that tells versions of zeros is not taken in, and stops no exchange of the others.
#[test]
fn version_of_zeros() {
    let often = |lan| MembershipConfig { push_pull_interval: Duration::from_secs(5), ..lan };
    let mut world = cluster(5, 1, move |birth| Swim::new(birth, often));
    let exchanges = |world: &World<Swim, _>, node: usize| {
        let node: &Swim = world.seats[node].node.as_ref().unwrap();
        node.membership().stats().push_pulls
    };
    let before: Vec<u64> = (0..5).map(|node| exchanges(&world, node)).collect();
    world.watch.0.clear();
    for second in 0..30 {
        for to in 0..5 {
            world.inject(4, to, &alive_as("zeros", second, &[0; 6]));
            world.inject(4, to, &alive_as("one-zero", second, &[1, 0, 2, 0, 0, 0]));
        }
        pass(&mut world, Duration::from_secs(1)).unwrap();
    }
    for (node, before) in before.into_iter().enumerate() {
        assert!(exchanges(&world, node) >= before + 5);
        let swim: &Swim = world.seats[node].node.as_ref().unwrap();
        for zeros in ["zeros", "one-zero"] {
            assert_eq!(swim.membership().peer_of(zeros), None, "it would be told to all others");
        }
        let mut living = Vec::new();
        swim.living(&mut living);
        living.sort_unstable();
        assert_eq!(living, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn agreement_after_all() {
    agree(&mut cluster(9, 1, swim)).unwrap();
}
