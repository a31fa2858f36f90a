use std::time::Duration;

use super::{middle_and_last, warm};
use crate::simulator::checks::{Broken, Watch};
use crate::simulator::network::{Link, Network};
use crate::simulator::node::{Birth, Node, Standing, Told};
use crate::simulator::world::Action;

/// How long it takes until all know that one is dead.
#[derive(Clone, Copy, Debug)]
pub struct Detection {
    /// Until the first and the last of the living hold it for dead: the middle one and the last one of all runs.
    pub first: (Duration, Duration),
    pub all: (Duration, Duration),
    /// Runs in which somebody never did within two minutes.
    pub never: usize,
    pub runs: usize,
}

/// The last node crashes without a word, once for each seed.
pub fn detection<N: Node>(
    nodes: usize,
    link: Link,
    silent: bool,
    seeds: impl IntoIterator<Item = u64>,
    make: impl Fn(&Birth<'_>) -> N + Clone + 'static,
) -> Detection {
    let (mut first, mut all, mut never, mut runs) = (Vec::new(), Vec::new(), 0, 0);
    for seed in seeds {
        runs += 1;
        let watch = Deaths { of: nodes - 1, known: vec![false; nodes], times_ns: Vec::new() };
        let network = Network::new(nodes, link, seed);
        // Probes are spread over a second, and a crash comes at any time between two.
        let begin = Duration::from_secs(30) + Duration::from_millis(seed % 10 * 97);
        let mut world = warm(network, nodes, seed, watch, begin, make.clone());
        world.watch.times_ns.clear();
        world.watch.known = vec![false; nodes];
        world.act(&Action::Crash { node: nodes - 1, silent });
        while world.watch.times_ns.len() < nodes - 1 && world.now() < begin + Duration::from_secs(120) {
            world.run_until(world.now() + Duration::from_millis(100));
        }
        let after = |at_ns: &u64| Duration::from_nanos(*at_ns) - begin;
        if world.watch.times_ns.len() < nodes - 1 {
            never += 1;
            continue;
        }
        first.extend(world.watch.times_ns.first().map(after));
        all.extend(world.watch.times_ns.last().map(after));
    }
    Detection {
        first: middle_and_last(first).unwrap_or_default(),
        all: middle_and_last(all).unwrap_or_default(),
        never,
        runs,
    }
}

struct Deaths {
    of: usize,
    known: Vec<bool>,
    times_ns: Vec<u64>,
}

impl<N: Node> Watch<N> for Deaths {
    fn told(&mut self, at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        if let Told::Member { of, standing: Standing::Dead, .. } = told
            && *of == self.of
            && !std::mem::replace(&mut self.known[node], true)
        {
            self.times_ns.push(at_ns);
        }
        Ok(())
    }
}
