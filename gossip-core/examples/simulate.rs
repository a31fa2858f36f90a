//! Simulates gossip: `cargo run --release -p promha-gossip-core --example simulate -- speed`.

#![allow(clippy::disallowed_methods, reason = "a command may read the clock: it tells how fast it is")]

#[path = "../tests/sim/simulator/mod.rs"]
mod simulator;

use std::time::{Duration, Instant};

use simulator::network::{Latency, Link, Network};
use simulator::toy::Bounce;
use simulator::world::{Action, World};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("speed") => speed(),
        _ => eprintln!("simulate speed"),
    }
}

fn speed() {
    for (nodes, bytes) in [(100, 100), (10_000, 100), (10_000, 1_000)] {
        for latency in [
            Latency::Fixed(Duration::from_millis(1)),
            Latency::LogNormal { median: Duration::from_micros(500), sigma: 0.6 },
        ] {
            let network = Network::new(nodes, Link::clean(latency), 1);
            let mut world =
                World::new(nodes, network, 1, (), Box::new(move |birth| Bounce::new(birth, bytes)));
            for node in 0..nodes {
                world.act(&Action::Start { node, seeds: Vec::new() });
            }
            let until = Duration::from_millis(3_000_000 / nodes as u64 / 10);
            world.run_until(until / 10);
            let (warm, start) = (world.counts.delivered, Instant::now());
            world.run_until(until);
            let delivered = world.counts.delivered - warm;
            let rate = delivered as f64 / start.elapsed().as_secs_f64() / 1e6;
            println!("{nodes} nodes, {bytes} bytes, {latency:?}: {delivered} messages, {rate:.2} M/s");
        }
    }
}
