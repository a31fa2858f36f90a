//! The three styles against what theory says of them: rounds until everybody has an update, in rounds that all nodes share.
//!
//! Nothing is pushed when it is fresh; each node compares with three others a round, and what it learns in a round it passes on in the
//! next one. `cargo test --release --test dissemination_theory -- --include-ignored --nocapture` shows also 10,000 nodes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod dissemination_net;

use dissemination_net::{Link, Net, at_ms, ms};
use promha_gossip_core::dissemination::{Config, Style};
use promha_gossip_core::wire::{Ints, Packet};
use promha_gossip_core::{Key, Version};

const ROUND_MS: u64 = 1000;
const KEY: Key = Key(0x1234_5678_9abc_def0);
const NEW: Version = Version { stamp_ms: 1_790_000_000_000, content: 7 };

/// What the facts say: nodes, and mean rounds of push, pull and push-pull.
const THEORY: [(u32, [f64; 3]); 4] =
    [(10, [2.8, 2.6, 2.0]), (100, [5.6, 5.0, 3.9]), (1000, [8.2, 7.0, 5.1]), (10_000, [10.7, 9.1, 6.7])];

const STYLES: [Style; 3] = [Style::Push, Style::Pull, Style::PushPull];

/// Rounds, and payloads a node.
fn spread(count: u32, style: Style, seed: u64) -> (f64, f64) {
    let config = Config {
        round: ms(ROUND_MS),
        idle: ms(ROUND_MS),
        fanout: 0,
        exchanges: 3,
        direct_peers: 0,
        style,
        ..Config::default()
    };
    let mut net = Net::new(count, &config, Link::default(), seed);
    net.notes = false;
    net.publish_silently(0, KEY, NEW);
    for round in 1..60 {
        let mut packets = begun_in(&mut net, round);
        // All hear first and speak then.
        while !packets.is_empty() {
            for (from, to, bodies) in packets {
                bodies.iter().for_each(|body| net.deliver(from, to, body));
            }
            packets = polled(&mut net);
        }
        if net.is_everywhere(KEY, NEW) {
            return (round as f64, net.payloads as f64 / f64::from(count));
        }
    }
    panic!("60 rounds");
}

type Sent = Vec<(u32, u32, Vec<Vec<u8>>)>;

/// What the nodes say of themselves in a round.
fn begun_in(net: &mut Net, round: u64) -> Sent {
    let (start, end) = (at_ms((round - 1) * ROUND_MS), at_ms(round * ROUND_MS - 1));
    for node in &mut net.nodes {
        while let Some(at) = node.gossip.poll_timeout().filter(|&at| at < end) {
            node.gossip.handle_timeout(at.max(start));
        }
    }
    net.now = end;
    polled(net)
}

fn polled(net: &mut Net) -> Sent {
    let mut packet = Packet::new(dissemination_net::PACKET_BYTES, Ints::Unsigned);
    let mut sent = Vec::new();
    for number in 0..net.nodes.len() as u32 {
        while let Some(to) = net.poll(number, &mut packet) {
            sent.push((number, to, packet.bodies().map(<[u8]>::to_vec).collect()));
        }
    }
    sent
}

/// Asserts that each style takes no more than a round longer than theory says, and pull-push the least.
fn compare(sizes: std::ops::Range<usize>, runs: u64) {
    println!("|n|push|pull|push-pull|payloads a node|");
    for (count, theory) in &THEORY[sizes] {
        let runs = (runs / u64::from(*count)).clamp(3, 40);
        let means = STYLES.map(|style| {
            let all: Vec<(f64, f64)> = (0..runs).map(|seed| spread(*count, style, seed)).collect();
            let mean = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).sum::<f64>() / runs as f64;
            (mean(|run| run.0), mean(|run| run.1))
        });
        let [push, pull, both] = means.map(|(rounds, _)| rounds);
        let payloads = means.map(|(_, payloads)| format!("{payloads:.1}")).join(" / ");
        println!("|{count}|{push:.1}|{pull:.1}|{both:.1}|{payloads}|");
        for ((mean, _), theory) in means.iter().zip(theory) {
            assert!(*mean <= theory + 1.0, "n={count}: {mean} rounds, {theory} in theory");
        }
        assert!(both <= push && both <= pull);
    }
}

#[test]
fn a_few_nodes() {
    compare(0..2, 2000);
}

#[test]
#[ignore = "takes minutes without optimisation"]
fn many_nodes() {
    compare(2..4, 20_000);
}
