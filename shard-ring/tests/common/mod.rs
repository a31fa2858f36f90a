//! What the laws share: rings of every strategy, and keys.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "not every test uses all of it; a test fails by panicking"
)]

use promha_shard_ring::{
    Anchor, Bounded, Jump, Members, Node, Placement, Rendezvous, Ring, RingError, Table, TokenRing,
};

pub type AnyRing = Ring<Box<dyn Placement>>;

/// Every strategy, the tables small enough to be compiled often.
pub const STRATEGIES: [&str; 6] = ["rendezvous", "tokens", "table", "bounded", "jump", "anchor"];

/// Those that know weights and by which the order of nodes is no matter.
pub const UNORDERED: [&str; 4] = ["rendezvous", "tokens", "table", "bounded"];

pub fn ring(strategy: &str, nodes: impl IntoIterator<Item = Node>) -> Result<AnyRing, RingError> {
    Ring::with(nodes, |members: &Members| {
        Ok(match strategy {
            "rendezvous" => Box::new(Rendezvous::new(members)?) as Box<dyn Placement>,
            "tokens" => Box::new(TokenRing::with_tokens(members, 16)?),
            "table" => Box::new(Table::with_slots(members, 1 << 8, 16)?),
            "bounded" => Box::new(Bounded::with_slots(members, 1 << 8, 5)?),
            "jump" => Box::new(Jump::new(members)?),
            "anchor" => Box::new(Anchor::with_capacity(members, 64)?),
            other => unreachable!("{other}"),
        })
    })
}

/// Nodes numbered from 0, of weight 1 and in one zone.
pub fn nodes(n: usize) -> Vec<Node> {
    (0..n).map(|i| Node::new(format!("collector-{i}.example.org:9090"))).collect()
}

/// Keys in a fixed pseudo-random order (SplitMix64).
pub fn keys(n: usize, seed: u64) -> impl Iterator<Item = u64> + Clone {
    (1..=n as u64).map(move |i| {
        let x = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    })
}

/// The index of every key's owner.
pub fn owners<P: Placement>(ring: &Ring<P>, keys: impl Iterator<Item = u64>) -> Vec<u16> {
    keys.map(|key| ring.placement().owner(key)).collect()
}

/// How many keys each of `n` nodes has.
pub fn loads(owners: &[u16], n: usize) -> Vec<u64> {
    let mut loads = vec![0; n];
    for &owner in owners {
        loads[usize::from(owner)] += 1;
    }
    loads
}

/// The highest load over the mean.
pub fn max_over_mean(loads: &[u64]) -> f64 {
    let sum: u64 = loads.iter().sum();
    *loads.iter().max().unwrap() as f64 * loads.len() as f64 / sum as f64
}
