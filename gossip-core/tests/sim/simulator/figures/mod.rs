//! What is measured in virtual time, and so the same on every machine: each figure is a function of a kind of node.

mod detection;
mod pauses;
mod spread;
mod storm;
mod table;

pub use detection::{Detection, detection};
pub use pauses::{AGAIN, ONCE, Pauses, Stops, pauses};
pub use spread::{Case, Spread, Summary, spread};
pub use storm::{Storm, storm};
pub use table::table;

use std::time::Duration;

use super::checks::Watch;
use super::network::Network;
use super::node::{Birth, Node};
use super::world::{Action, World};

/// A world in which all nodes are started at once and know each other by the end of `warm`. The first is given to all others as a seed.
pub fn warm<N: Node, W: Watch<N>>(
    network: Network,
    nodes: usize,
    seed: u64,
    watch: W,
    warm: Duration,
    make: impl FnMut(&Birth<'_>) -> N + 'static,
) -> World<N, W> {
    let mut world = World::new(nodes, network, seed, watch, Box::new(make));
    for node in 0..nodes {
        let seeds = if node == 0 { Vec::new() } else { vec![0] };
        world.act(&Action::Start { node, seeds });
    }
    world.run_until(warm);
    assert_eq!(world.failure, None);
    world
}

/// The middle one and the last one.
pub fn middle_and_last<T: Copy + Ord>(values: impl IntoIterator<Item = T>) -> Option<(T, T)> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    Some((*values.get(values.len() / 2)?, *values.last()?))
}

/// In milliseconds, as text.
pub fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 10_000.0 { format!("{ms:.1} ms") } else { format!("{:.1} s", ms / 1e3) }
}
