//! Clusters in virtual time: who is found, who is missed, how soon.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use membership_common::*;
use promha_gossip_core::membership::{Event, MembershipConfig};

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
    let (median, most) = median((0..12).map(|seed| detection(100, seed)).collect());
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
    for nodes in [10, 40, 100] {
        let mut sums = [[0; 3]; 2];
        for seed in 0..5 {
            for (sum, config) in sums.iter_mut().zip([plain as fn(usize) -> MembershipConfig, lan]) {
                let counts = pauses(nodes, 10, seed, config);
                sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        println!(
            "{nodes} nodes: suspicions of the well, of the stopped, deaths: plain {:?}, Lifeguard {:?}",
            sums[0], sums[1]
        );
    }
}
