//! How even the shares are, and how much moves, of every implementation.

use std::time::Instant;

use maglev::ConsistentHasher;
use promha_shard_ring::{
    Anchor, Bounded, Jump, Members, Placement, Rendezvous, Ring, RingError, Table, TokenRing,
};

use crate::rivals;

const KEYS: usize = 1_000_000;

/// From keys to indices of nodes.
type Find = Box<dyn Fn(u64) -> usize>;
type Make = Box<dyn Fn(usize) -> Find>;

pub(crate) fn print() {
    println!(
        "| {:<22} | {:>6} | {:>9} | {:>8} | {:>9} |",
        "implementation", "nodes", "max/mean", "moved", "needless"
    );
    println!("|---|---|---|---|---|");
    for n in [10, 100, 1000] {
        for (name, make) in implementations() {
            let keys =
                if n == 1000 && ["hrw-hash", "promha-rendezvous"].contains(&name) { KEYS / 10 } else { KEYS };
            row(name, n, keys, &*make);
        }
    }
    println!();
    for n in [100, 1000, 10_000] {
        build("table of 2^20 slots", n, Table::new);
        build("table of 2^22 slots", n, |members| Table::with_slots(members, 1 << 22, 3));
        build("tokens, 512 each", n, TokenRing::new);
        build("anchor", n, Anchor::new);
        build("rendezvous", n, Rendezvous::new);
    }
}

fn implementations() -> Vec<(&'static str, Make)> {
    let modulo = |n: usize| -> Find { Box::new(move |key| ((u128::from(key) * n as u128) >> 64) as usize) };
    vec![
        ("(chance)", Box::new(modulo)),
        ("promha", ours(Table::new)),
        ("promha, 2^22 slots", ours(|members| Table::with_slots(members, 1 << 22, 1))),
        ("promha-rendezvous", ours(Rendezvous::new)),
        ("promha-tokens", ours(TokenRing::new)),
        ("promha-bounded", ours(Bounded::new)),
        ("promha-anchor", ours(|members| Anchor::with_capacity(members, 2048))),
        ("promha-jump", ours(Jump::new)),
        ("hashring", rival(|n| (rivals::hashring(n), |ring, key| ring.get(&key).map(|(id, _)| *id)))),
        (
            "consistent_hash_ring",
            rival(|n| (rivals::consistent_hash_ring(n), |ring, key| Some(*ring.get(key)))),
        ),
        ("anchorhash", rival(|n| (rivals::anchorhash(n), |ring, key| ring.get_resource(key).copied()))),
        ("jumphash", rival(|n| ((rivals::jumphash(), n as u32), |(jump, n), key| Some(jump.slot(&key, *n))))),
        ("maglev", rival(|n| (rivals::maglev(n), |ring, key| ring.get(&key).copied()))),
        ("hrw-hash", rival(|n| (rivals::hrw(n), |ring, key| ring.sorted(&key).next().copied()))),
    ]
}

fn ours<P: Placement + 'static>(place: impl Fn(&Members) -> Result<P, RingError> + 'static) -> Make {
    Box::new(move |n| {
        let ring = Ring::with(crate::nodes(n), &place).unwrap();
        // Indices go by id; numbers by the place among those that were given.
        let number = |id: &str| id["collector-".len()..].split('.').next().unwrap().parse().unwrap();
        let numbers: Vec<usize> = ring.nodes().iter().map(|node| number(node.id())).collect();
        Box::new(move |key| numbers[usize::from(ring.placement().owner(key))])
    })
}

fn rival<R: 'static>(make: impl Fn(usize) -> (R, fn(&R, u64) -> Option<u32>) + 'static) -> Make {
    Box::new(move |n| {
        let (ring, find) = make(n);
        Box::new(move |key| find(&ring, key).unwrap() as usize)
    })
}

fn row(name: &str, n: usize, keys: usize, make: &dyn Fn(usize) -> Find) {
    let (old, new) = (make(n), make(n + 1));
    let mut loads = vec![0_u64; n];
    let (mut moved, mut needless) = (0_usize, 0_usize);
    for key in crate::keys(keys) {
        let (before, after) = (old(key), new(key));
        loads[before] += 1;
        moved += usize::from(before != after);
        needless += usize::from(before != after && after != n);
    }
    let even = *loads.iter().max().unwrap() as f64 * n as f64 / keys as f64;
    let ideal = keys as f64 / (n + 1) as f64;
    let fewer = if keys < KEYS { format!(" of {keys} keys") } else { String::new() };
    println!(
        "| {name:<22} | {n:>6} | {even:>9.3} | {:>7.3}x | {:>8.3}x |{fewer}",
        moved as f64 / ideal,
        needless as f64 / ideal
    );
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn build<P: Placement>(name: &str, n: usize, place: impl FnOnce(&Members) -> Result<P, RingError>) {
    let nodes = crate::nodes(n);
    let start = Instant::now();
    let ring = Ring::with(nodes, place).unwrap();
    let built = start.elapsed();
    let keys: Vec<u64> = crate::keys(100_000).collect();
    let start = Instant::now();
    let sum: usize = keys.iter().map(|&key| usize::from(ring.placement().owner(key))).sum();
    std::hint::black_box(sum);
    let lookup_ns = start.elapsed().as_nanos() as f64 / keys.len() as f64;
    let kib = ring.placement().heap_bytes() / 1024;
    println!("{name}, {n} nodes: built in {built:.1?}, {lookup_ns:.1} ns per owner, {kib} KiB");
}
