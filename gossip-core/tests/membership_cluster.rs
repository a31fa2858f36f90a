//! Clusters in virtual time: who is found, who is missed, how soon.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use membership_common::*;
use promha_gossip_core::membership::{Event, MembershipConfig};
use promha_gossip_core::wire::Standing;

fn median(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() - 1])
}

/// How long until all others have declared the last node dead.
fn detection(nodes: usize, seed: u64) -> f64 {
    let mut cluster = Cluster::joined(nodes, seed, lan);
    cluster.run((seed % 97) as f64 / 13.0);
    cluster.crash(nodes - 1);
    cluster.run_until(|cluster| cluster.all_agree(), 60.0).unwrap()
}

#[test]
fn everybody_finds_everybody() {
    for nodes in [2, 3, 10, 40] {
        let mut cluster = Cluster::new(nodes, 3, lan);
        for node in 1..nodes {
            cluster.join(node, node / 2);
        }
        let took = cluster.run_until(Cluster::all_agree, 60.0).unwrap();
        assert!(took < 5.0, "{took}");
        cluster.run(60.0);
        assert!(cluster.all_agree());
        assert_eq!(cluster.count(|event| matches!(event, Event::Suspected { .. })), 0);
        println!("{nodes} nodes know each other after {took:.2} s");
    }
}

#[test]
fn a_failure_among_three_is_seen_within_six_seconds() {
    let (median, most) = median((0..60).map(|seed| detection(3, seed)).collect());
    println!("3 nodes: failure seen by all after {median:.2} s, at most {most:.2} s");
    assert!(most <= 6.1, "{most}");
}

#[test]
fn a_failure_among_a_hundred_is_seen_in_time() {
    let (median, most) = median((0..8).map(|seed| detection(100, seed)).collect());
    println!("100 nodes: failure seen by all after {median:.2} s, at most {most:.2} s");
    assert!(median <= 12.0 && most <= 20.0, "{median} {most}");
}

/// One in ten is stopped for 5 s, others each time: how often somebody that was never stopped is suspected, somebody that is stopped or was
/// is, and how often somebody is declared dead.
fn pauses(nodes: usize, rounds: usize, seed: u64, config: fn(usize) -> MembershipConfig) -> [usize; 3] {
    let mut cluster = Cluster::joined(nodes, seed, config);
    let paused = (nodes / 10).max(1);
    let mut counts = [0; 3];
    for round in 0..rounds {
        let stopped: Vec<usize> = (0..paused).map(|node| (round * paused + node) % nodes).collect();
        stopped.iter().for_each(|node| cluster.pause(*node));
        cluster.run(5.0);
        stopped.iter().for_each(|node| cluster.resume(*node));
        cluster.run(20.0 + (round % 7) as f64 / 7.0);
        let was_stopped = |name: &str| stopped.iter().any(|node| self::name(*node) == name);
        counts[0] += cluster
            .count(|event| matches!(event, Event::Suspected { profile, .. } if !was_stopped(profile.name())));
        counts[1] += cluster
            .count(|event| matches!(event, Event::Suspected { profile, .. } if was_stopped(profile.name())));
        counts[2] += cluster.count(|event| matches!(event, Event::Failed { .. }));
        cluster.nodes.iter_mut().for_each(|node| node.events.clear());
    }
    counts
}

#[test]
fn who_is_stopped_blames_nobody() {
    for (nodes, seeds) in [(10, 8), (40, 3)] {
        let mut sums = [[0; 3]; 2];
        for seed in 0..seeds {
            for (sum, config) in sums.iter_mut().zip([plain as fn(usize) -> MembershipConfig, lan]) {
                let counts = pauses(nodes, 10, seed, config);
                sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        let [[plain_well, _, plain_deaths], [well, _, deaths]] = sums;
        println!(
            "{nodes} nodes: suspicions of the well, of the stopped, deaths: plain {:?}, Lifeguard {:?}",
            sums[0], sums[1]
        );
        assert!(nodes > 10 || plain_well + plain_deaths >= 20, "there is nothing to be better than");
        assert!(20 * (well + deaths) <= plain_well + plain_deaths, "{sums:?}");
    }
}

#[test]
fn who_leaves_has_left_and_is_not_missed() {
    let mut cluster = Cluster::joined(8, 1, lan);
    let now = cluster.now;
    cluster.nodes[3].membership.leave(now);
    let left = |cluster: &Cluster| {
        (0..8).filter(|node| *node != 3).all(|node| cluster.stands(node, 3) == Some(Standing::Left))
    };
    cluster.wake(3);
    let took = cluster.run_until(left, 10.0).unwrap();
    assert!(took < 2.0, "{took}");
    cluster
        .run_until(|cluster| cluster.nodes[3].events.iter().any(|(_, event)| *event == Event::Left), 10.0)
        .unwrap();
    cluster.crash(3);
    cluster.run(60.0);
    assert_eq!(cluster.count(|event| matches!(event, Event::Suspected { .. } | Event::Failed { .. })), 0);
    assert_eq!(cluster.count(|event| matches!(event, Event::LeftGracefully { .. })), 7);
    assert_eq!(cluster.count(|event| matches!(event, Event::Forgotten { .. })), 7);
}

/// Whether it left or crashed, is known to be gone, is not yet missed or is already forgotten: it begins with incarnation 1 again.
#[test]
fn who_begins_anew_is_back_at_once() {
    for (leaves, away) in
        [(true, 1.0), (true, 40.0), (false, 0.2), (false, 3.0), (false, 10.0), (false, 60.0)]
    {
        for seed in 0..5 {
            let mut cluster = Cluster::joined(8, seed, lan);
            let now = cluster.now;
            for _ in 0..5 {
                cluster.nodes[3].membership.update_meta(b"", now).unwrap();
            }
            cluster.wake(3);
            cluster.run(3.0);
            if leaves {
                let now = cluster.now;
                cluster.nodes[3].membership.leave(now);
                cluster.wake(3);
                cluster.run(1.5);
            }
            cluster.crash(3);
            cluster.run(away);
            cluster.restart(3);
            cluster.join(3, 5);
            let took = cluster.run_until(Cluster::all_agree, 60.0).unwrap();
            assert!(took < 2.0, "back after {took} s, seed {seed}, left: {leaves}, away for {away} s");
            cluster.run(20.0);
            assert!(cluster.all_agree());
        }
    }
}

#[test]
fn parts_that_lost_each_other_find_each_other() {
    for seed in 0..5 {
        let mut cluster = Cluster::joined(9, seed, lan);
        cluster.side = (0..9).map(|node| u8::from(node >= 4)).collect();
        // Long enough to be forgotten.
        cluster.run(120.0);
        assert!(
            (0..9).all(|node| cluster.nodes[node].membership.len_active() == if node < 4 { 3 } else { 4 })
        );
        assert!((0..9).all(|node| cluster.nodes[node].membership.len() < 5));
        cluster.side.fill(0);
        let took = cluster.run_until(Cluster::all_agree, 60.0).unwrap();
        // One of them tries one of the others every ten seconds.
        assert!(took < 12.0, "{took}");
    }
}

#[test]
fn an_address_that_does_not_answer_yet_is_tried_again() {
    let mut cluster = Cluster::new(2, 1, lan);
    cluster.crash(0);
    cluster.join(1, 0);
    cluster.run(35.0);
    cluster.restart(0);
    let took = cluster.run_until(Cluster::all_agree, 60.0).unwrap();
    assert!(took <= 10.1, "{took}");
}

#[test]
fn lost_datagrams_kill_nobody() {
    for lost in [50, 200] {
        let mut cluster = Cluster::joined(20, 9, lan);
        cluster.lost = lost;
        cluster.run(120.0);
        let suspected = cluster.count(|event| matches!(event, Event::Suspected { .. }));
        println!("{lost} of 1,000 lost: {suspected} suspicions");
        assert_eq!(cluster.count(|event| matches!(event, Event::Failed { .. })), 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut cluster = Cluster::joined(10, 4, lan);
        cluster.lost = 300;
        cluster.crash(2);
        cluster.run(60.0);
        let events: Vec<String> = cluster.nodes.iter().map(|node| format!("{:?}", node.events)).collect();
        (events, cluster.datagrams)
    };
    assert_eq!(run(), run());
}
