//! What updates cost, and how long they take to be everywhere, where nodes need 1 to 10 ms to each other. `cargo test --release --test
//! dissemination_figures -- --include-ignored --nocapture` shows the figures, also of 10,000 nodes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod dissemination_net;

use std::time::Duration;

use dissemination_net::{Link, Net, at_ms, ms};
use promha_gossip_core::dissemination::Config;
use promha_gossip_core::{Key, Version};

const KEY: Key = Key(0x1234_5678_9abc_def0);
const NEW: Version = Version { stamp_ms: 1_790_000_000_000, content: 7 };

/// How long the longest way takes.
const LATENCY: Duration = Duration::from_millis(10);

/// Nodes, and in how many rounds of push-pull everybody has an update, in theory.
const THEORY: [(u32, f64); 4] = [(10, 2.0), (100, 3.9), (1000, 5.1), (10_000, 6.7)];

/// What became of one update in a cluster where nothing else is new.
struct Spread {
    took: Duration,
    payloads: f64,
    controls: f64,
    control_bytes: f64,
}

/// Figures a node, but for the time. Control messages are counted for 10 s, those that would be there anyway too.
fn spread(count: u32, loss: f64, crashed: f64, seed: u64) -> Spread {
    let mut net = Net::new(count, &Config::default(), Link { loss, ..Link::default() }, seed);
    net.notes = false;
    net.run_for(ms(30_000));
    let mut rng = fastrand::Rng::with_seed(seed);
    for number in 1..count {
        net.nodes[number as usize].alive = rng.f64() >= crashed;
    }
    assert_eq!(net.payloads, 0);
    let (start, controls, control_bytes) = (net.now, net.controls, net.control_bytes);
    net.publish(0, KEY, NEW);
    let mut lacking = count;
    let is_over = net.run(start + ms(60_000), |net| {
        let is_done = |number: u32| {
            let node = &net.nodes[number as usize];
            !node.alive || node.store.held.contains_key(&KEY)
        };
        while lacking > 0 && is_done(lacking - 1) {
            lacking -= 1;
        }
        lacking == 0
    });
    assert!(is_over, "{lacking} of {count} lack it, seed {seed}");
    let took = net.now - start;
    net.run(start + ms(10_000), |_| false);
    let a_node = |total: u64| total as f64 / f64::from(count);
    Spread {
        took,
        payloads: a_node(net.payloads),
        controls: a_node(net.controls - controls),
        control_bytes: a_node(net.control_bytes - control_bytes),
    }
}

struct Mean {
    rounds: f64,
    longest: Duration,
    payloads: f64,
    controls: f64,
}

fn spreads(count: u32, loss: f64, crashed: f64, seeds: u64) -> Mean {
    let all: Vec<Spread> = (0..seeds).map(|seed| spread(count, loss, crashed, seed)).collect();
    let mean = |of: fn(&Spread) -> f64| all.iter().map(of).sum::<f64>() / seeds as f64;
    let rounds = mean(|spread| spread.took.as_secs_f64()) / Config::default().round.as_secs_f64();
    let longest = all.iter().map(|spread| spread.took).max().unwrap();
    let (payloads, controls) = (mean(|spread| spread.payloads), mean(|spread| spread.controls));
    let bytes = mean(|spread| spread.control_bytes);
    println!(
        "|{count}|{loss}|{crashed}|{rounds:.2}|{}|{payloads:.2}|{controls:.1}|{bytes:.0}|",
        longest.as_millis()
    );
    Mean { rounds, longest, payloads, controls }
}

/// The figures that gossip is to reach: without loss, and with.
fn one_update(sizes: &[(u32, f64)], nodes: u64) {
    println!("|n|loss|crashed|rounds, mean|longest ms|payloads/node|controls/node in 10 s|their bytes|");
    for &(count, theory) in sizes {
        let seeds = (nodes / u64::from(count)).clamp(1, 100);
        let clean = spreads(count, 0.0, 0.0, seeds);
        assert!(clean.rounds <= theory + 1.0 && clean.payloads <= 4.0);
        let lossy = spreads(count, 0.2, 0.01, seeds);
        assert!(lossy.rounds <= 1.5 * theory && lossy.payloads <= 4.0);
    }
}

#[test]
fn one_update_among_hundreds() {
    one_update(&THEORY[..2], 2000);
}

#[test]
#[ignore = "takes a minute without optimisation"]
fn one_update_among_thousands() {
    one_update(&THEORY[2..], 40_000);
}

#[test]
fn one_update_among_three() {
    let mean = spreads(3, 0.0, 0.0, 50);
    assert!(mean.longest <= LATENCY, "one way");
    assert!(mean.payloads * 3.0 <= 2.0 + 1e-9, "one to each");
    // Two confirm, all three pairs compare, and in 10 s each node starts one more exchange or two.
    assert!(mean.controls <= 7.0, "{} control messages a node", mean.controls);
}

#[test]
fn one_update_among_seven_where_every_fifth_packet_is_lost() {
    let mean = spreads(7, 0.2, 0.0, 400);
    assert!(mean.longest <= ms(2000), "{:?}", mean.longest);
    assert!(mean.payloads <= 2.5);
}

/// Where links take a megabyte a second.
fn storm(count: u32, updates: u64, loss: f64) -> (Duration, f64) {
    let link = Link { loss, bytes_per_s: 1_000_000, ..Link::default() };
    let mut net = Net::new(count, &Config::default(), link, 5);
    net.notes = false;
    net.run(at_ms(30_000), |_| false);
    let (start, control_bytes) = (net.now, net.control_bytes);
    for update in 0..updates {
        net.publish_silently(0, Key::of(&update.to_le_bytes()), NEW);
    }
    net.flush(0);
    let has_all = |net: &Net| net.nodes.iter().all(|node| node.store.held.len() as u64 == updates);
    assert!(net.run(start + ms(60_000), has_all));
    let took = net.now - start;
    net.run_for(ms(5000));
    assert!(net.nodes.iter().all(|node| node.gossip.stats().hot == 0), "nothing is hot for ever");
    let a_node = net.payloads as f64 / (updates * u64::from(count)) as f64;
    let control_bytes = (net.control_bytes - control_bytes) / u64::from(count);
    println!("storm |{count}|{loss}|{}|{a_node:.2}|{control_bytes}|", took.as_millis());
    (took, a_node)
}

#[test]
fn three_thousand_updates_at_once() {
    let (took, payloads) = storm(3, 3000, 0.0);
    assert!(took <= ms(1000), "{took:?}");
    assert!(payloads * 3.0 <= 2.0 + 1e-9, "none is sent twice");
    storm(3, 3000, 0.05);
    storm(7, 3000, 0.0);
    let (_, payloads) = storm(40, 500, 0.1);
    assert!(payloads <= 4.0);
}
