//! Clusters in virtual time: who is found, who is missed, how soon.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod membership_common;

use membership_common::*;
use promha_gossip_core::membership::Event;

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
