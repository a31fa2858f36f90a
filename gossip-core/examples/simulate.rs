//! Simulates gossip.
//!
//! ```text
//! cargo run --release -p promha-gossip-core --example simulate -- night --seeds 1000
//! cargo run --release -p promha-gossip-core --example simulate -- replay --seed 7 --shrink
//! cargo run --release -p promha-gossip-core --example simulate -- figures
//! cargo run --release -p promha-gossip-core --example simulate -- speed
//! ```

#![allow(clippy::disallowed_methods, reason = "a command may read the clock: it tells how fast it is")]

#[path = "../tests/sim/simulator/mod.rs"]
mod simulator;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use simulator::figures;
use simulator::kinds::{KINDS, Kind, kind};
use simulator::network::{Latency, Link, Network};
use simulator::night::night;
use simulator::node::Birth;
use simulator::plan::{Plan, Trial};
use simulator::real::{Swim, profiles};
use simulator::toy::Bounce;
use simulator::world::{Action, World};

const USAGE: &str = "\
simulate night  [--kind KIND] [--without CHECK] [--latest-ms MS] [--seeds N] [--from SEED] [--jobs N]   plays scenarios, prints those that fail
simulate replay [--kind KIND] [--without CHECK] [--latest-ms MS] --seed SEED [--shrink]                 plays one and prints what happens in it
simulate figures [--quick]                                           what is measured in virtual time
simulate speed                                                       how many messages a second it delivers
simulate large  [--nodes N]                                          a minute of many nodes that know each other";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(kind) = kind(option(&words, "--kind").unwrap_or(KINDS[0].name)) else {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        eprintln!("kinds of nodes: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    let without = option(&words, "--without").map(str::to_owned);
    let mut trial = Trial { without, ..(kind.trial)() };
    trial.latest = number(&words, "--latest-ms").map_or(trial.latest, Duration::from_millis);
    let good = match words.first().map(String::as_str) {
        Some("night") => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let jobs = number(&words, "--jobs").map_or(cores, |jobs| jobs as usize);
            play_night(
                kind,
                &trial,
                number(&words, "--from").unwrap_or(0),
                number(&words, "--seeds").unwrap_or(1000),
                jobs,
            )
        }
        Some("replay") => match number(&words, "--seed") {
            Some(seed) => replay(kind, &trial, seed, words.iter().any(|word| word == "--shrink")),
            None => usage(),
        },
        Some("figures") => {
            figures::table(words.iter().any(|word| word == "--quick"));
            true
        }
        Some("speed") => speed(),
        Some("large") => large(number(&words, "--nodes").unwrap_or(10_000) as usize),
        _ => usage(),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> bool {
    eprintln!("{USAGE}");
    false
}

fn option<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

fn number(words: &[String], name: &str) -> Option<u64> {
    option(words, name)?.parse().ok()
}

fn play_night(kind: &Kind, trial: &Trial, from: u64, seeds: u64, jobs: usize) -> bool {
    let start = Instant::now();
    let played = std::sync::atomic::AtomicU64::new(0);
    let night = night(kind, trial, from, seeds, jobs, |seed, outcome| {
        let played = played.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        if let Some(failure) = &outcome.failure {
            println!("seed {seed}: {failure}");
            println!("  simulate replay --kind {} --seed {seed} --shrink", kind.name);
        }
        if played.is_multiple_of(100) {
            eprintln!("{played} of {seeds} seeds, {:.0} s", start.elapsed().as_secs_f64());
        }
    });
    let rank = |part: f64| {
        night.agreed.get((night.agreed.len() as f64 * part) as usize).copied().unwrap_or_default()
    };
    let most = night.agreed.last().copied().unwrap_or_default();
    println!(
        "{}: {} scenarios, each twice, {} messages, {:.0} s; {} failed; all agreed after {:.1?} (median), {:.1?} (99 %), {:.1?} (at most)",
        kind.name,
        night.played,
        night.delivered,
        start.elapsed().as_secs_f64(),
        night.failed.len(),
        rank(0.5),
        rank(0.99),
        most,
    );
    night.failed.is_empty()
}

fn replay(kind: &Kind, trial: &Trial, seed: u64, shrink: bool) -> bool {
    let mut plan = Plan::of(seed, trial);
    let mut outcome = (kind.play)(&plan);
    if let (true, Some(failure)) = (shrink, &outcome.failure) {
        let check = failure.check;
        plan = plan.shrink(|fewer| (kind.play)(fewer).failure.is_some_and(|failure| failure.check == check));
        outcome = (kind.play)(&plan);
    }
    print!("{plan}");
    println!("{:?}, trace {:016x}", outcome.counts, outcome.trace);
    match outcome.failure {
        Some(failure) => println!("{failure}"),
        None => println!("all agreed {:.1?} after the last fault", outcome.agreed.unwrap_or_default()),
    }
    outcome.agreed.is_some()
}

/// Nodes that send on what they get, so that the simulator is all that is measured.
fn speed() -> bool {
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
            let until = Duration::from_millis(300_000 / nodes as u64);
            world.run_until(until / 10);
            let (warm, start) = (world.counts.delivered, Instant::now());
            world.run_until(until);
            let delivered = world.counts.delivered - warm;
            let rate = delivered as f64 / start.elapsed().as_secs_f64() / 1e6;
            println!("{nodes} nodes, {bytes} bytes, {latency:?}: {delivered} messages, {rate:.2} M/s");
        }
    }
    true
}

/// A minute of virtual time in which all probe all, and one in a thousand crashes.
fn large(nodes: usize) -> bool {
    let start = Instant::now();
    let known = profiles(nodes);
    let make = move |birth: &Birth<'_>| Swim::with_members(birth, &known, |lan| lan);
    let network = Network::new(nodes, Link::lan(), 1);
    let mut world = World::new(nodes, network, 1, (), Box::new(make));
    for node in 0..nodes {
        world.act(&Action::Start { node, seeds: Vec::new() });
    }
    println!("{nodes} nodes: {:.1} s to start", start.elapsed().as_secs_f64());
    for node in (0..nodes).step_by(1000) {
        world.at(Duration::from_secs(10), Action::Crash { node, silent: true });
    }
    let start = Instant::now();
    for second in (10..=60).step_by(10) {
        world.run_until(Duration::from_secs(second));
        let (delivered, took) = (world.counts.delivered, start.elapsed().as_secs_f64());
        println!(
            "{second} s: {delivered} messages, {took:.1} s, {:.2} M/s, {} MB of streams",
            delivered as f64 / took / 1e6,
            world.streams.counts.bytes >> 20
        );
    }
    world.failure.is_none()
}
