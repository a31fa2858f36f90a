//! The figures that are promised, over a million keys: how even shares are, how much moves, that nothing else does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{keys, loads, max_over_mean, nodes, owners};
use promha_shard_ring::{Moves, Node, Placement, Ring, Table, TokenRing};

const KEYS: usize = 1_000_000;

/// What chance gives: the middle one of eleven draws, from one seed.
fn floor(n: usize) -> f64 {
    let mut floors: Vec<f64> = (0..11)
        .map(|round| {
            let below = |key: u64| ((u128::from(key) * n as u128) >> 64) as u16;
            max_over_mean(&loads(&keys(KEYS, 0x0dd + round * 0x1234_5678).map(below).collect::<Vec<_>>(), n))
        })
        .collect();
    floors.sort_by(f64::total_cmp);
    floors[5]
}

#[test]
fn the_floor_is_what_is_known_of_it() {
    assert!((floor(10) - 1.004).abs() < 0.002, "{}", floor(10));
    assert!((floor(100) - 1.021).abs() < 0.006, "{}", floor(100));
}

/// Of one strategy, by rings of `n` and `n + 1` nodes: (max/mean, moved on adding over 1/(n+1), keys moved needlessly).
fn measure<P: Placement>(n: usize, ring: impl Fn(Vec<Node>) -> Ring<P>) -> (f64, f64, u128) {
    let (old, new) = (ring(nodes(n)), ring(nodes(n + 1)));
    let moves = Moves::of_keys(&old, &new, keys(KEYS, 42).map(|key| (key, 1)));
    let even = max_over_mean(&loads(&owners(&old, keys(KEYS, 42)), n));
    (even, moves.moved_fraction() * (n + 1) as f64, moves.needless())
}

#[test]
fn ownership_is_as_even_as_chance_and_moves_what_it_must() {
    for n in [2, 3, 10, 30, 100] {
        let (even, moved, needless) = measure(n, |nodes| Ring::new(nodes).unwrap());
        let floor = floor(n);
        println!("rendezvous, {n} nodes: max/mean {even:.4} (chance {floor:.4}), moved on adding {moved:.4}");
        assert!(even <= floor + 0.01, "{n} nodes: {even} instead of {floor}");
        assert!(moved <= 1.02, "{n} nodes: {moved}");
        assert_eq!(needless, 0);
    }
}

#[test]
fn keys_are_mixed_before_they_are_used() {
    let (table, tokens) =
        (Ring::with(nodes(10), Table::new).unwrap(), Ring::with(nodes(10), TokenRing::new).unwrap());
    let rendezvous = Ring::new(nodes(10)).unwrap();
    for shift in [0, 20, 40] {
        let plain = || (0..KEYS as u64).map(|key| key << shift);
        for (owners, most) in [
            (owners(&rendezvous, plain()), 1.015),
            (owners(&table, plain()), 1.02),
            (owners(&tokens, plain()), 1.12),
        ] {
            let even = max_over_mean(&loads(&owners, 10));
            assert!(even < most, "{shift}: {even}");
        }
    }
}

#[test]
fn whichever_node_goes_its_keys_alone_move() {
    for n in [3, 10, 100] {
        let ring = Ring::new(nodes(n)).unwrap();
        let before = owners(&ring, keys(KEYS, 7));
        for gone in (0..n).step_by(n.div_ceil(5)) {
            let id = ring.nodes()[gone].id();
            let smaller = Ring::new(nodes(n).into_iter().filter(|node| node.id() != id)).unwrap();
            let after = keys(KEYS, 7).map(|key| usize::from(smaller.placement().owner(key)));
            for (&old, new) in before.iter().zip(after) {
                // Indices behind the one that is gone are one less.
                let new = if new >= gone { new + 1 } else { new };
                assert!(usize::from(old) == gone || usize::from(old) == new);
            }
        }
    }
}

#[test]
fn replica_sets_move_as_little() {
    const N: usize = 3;
    for n in [5, 10, 50] {
        let zoned = |count: usize| -> Vec<Node> {
            (0..).zip(nodes(count)).map(|(i, node)| node.with_zone(format!("zone-{}", i % 5))).collect()
        };
        for (all, zones) in [(nodes(n + 1), false), (zoned(n + 1), true)] {
            let new = Ring::new(all.clone()).unwrap();
            let added = all.last().unwrap().id().to_owned();
            let old = Ring::new(all.iter().filter(|node| node.id() != added).cloned()).unwrap();
            let (mut changed, mut with_added) = (0_usize, 0_usize);
            for key in keys(KEYS / 10, 3) {
                let ids = |ring: &Ring| -> Vec<String> {
                    ring.replicas(key, N).unwrap().map(|node| node.id().to_owned()).collect()
                };
                let (before, after) = (ids(&old), ids(&new));
                let new_ones = after.iter().filter(|id| !before.contains(id)).count();
                changed += new_ones;
                with_added += usize::from(after.contains(&added));
                assert!(zones || after == before || after.contains(&added));
                assert!(new_ones <= 1, "one node comes, and {before:?} becomes {after:?}");
            }
            let ratio = changed as f64 / (N * KEYS / 10) as f64 * (n + 1) as f64;
            println!("replicas, {n} nodes, zones {zones}: moved {ratio:.4} of the ideal");
            assert_eq!(changed, with_added, "whoever is new in a set is the new node");
            // A zone with fewer nodes than others has as many replicas as they have: its new node takes more.
            assert!(zones && n % 5 != 4 || ratio <= 1.05, "{n} nodes, zones {zones}: {ratio}");
        }
    }
}

#[test]
fn weights_are_kept() {
    let weights = [1_u32, 1, 2, 3, 5, 8, 1_000, 13, 21, 34].map(|weight| weight * 100);
    for (weights, tolerance) in [(&weights[2..6], 0.01), (&[1, 2][..], 0.01), (&[300, 100, 200][..], 0.01)] {
        let total: u32 = weights.iter().sum();
        let all =
            || nodes(weights.len()).into_iter().zip(weights).map(|(node, &weight)| node.with_weight(weight));
        let check = |name: &str, owners: Vec<u16>| {
            for (load, weight) in loads(&owners, weights.len()).into_iter().zip(weights) {
                let ratio = load as f64 / KEYS as f64 * f64::from(total) / f64::from(*weight);
                println!("{name}: weight {weight} of {total}: {ratio:.4} of its share");
                assert!(
                    (ratio - 1.0).abs() < tolerance,
                    "{name} {weights:?}: {weight} has {ratio} of its share"
                );
            }
        };
        check("rendezvous", owners(&Ring::new(all()).unwrap(), keys(KEYS, 11)));
        check("table", owners(&Ring::with(all(), Table::new).unwrap(), keys(KEYS, 11)));
    }
    // Small shares vary by chance; these have 10,000 keys at least.
    let all = || nodes(20).into_iter().zip(1..).map(|(node, weight)| node.with_weight(weight + 20));
    let ring = Ring::new(all()).unwrap();
    for (load, node) in loads(&owners(&ring, keys(4 * KEYS, 5)), 20).into_iter().zip(ring.nodes()) {
        let share = f64::from(node.weight()) / ring.members().total_weight() as f64;
        let ratio = load as f64 / (4 * KEYS) as f64 / share;
        assert!((ratio - 1.0).abs() < 0.02, "{} {ratio}", node.id());
    }
}

#[test]
fn a_weight_that_grows_takes_and_gives_nothing() {
    let weigh = |weight| {
        nodes(10).into_iter().zip(0..).map(move |(node, i)| node.with_weight(if i == 4 { weight } else { 3 }))
    };
    let (old, new) = (Ring::new(weigh(3)).unwrap(), Ring::new(weigh(4)).unwrap());
    let moves = old.moves(&new, keys(KEYS, 1).map(|key| (key, 1)));
    assert_eq!(moves.needless(), 0);
    assert!(moves.flows().iter().all(|flow| flow.to.starts_with("collector-4")));
    let ideal = 4.0 / 31.0 - 0.1;
    assert!((moves.moved_fraction() / ideal - 1.0).abs() < 0.02, "{moves}");
}

#[test]
fn tables_are_even_and_move_what_they_must() {
    for n in [10, 100] {
        let (even, moved, needless) = measure(n, |nodes| Ring::with(nodes, Table::new).unwrap());
        let table = |n| Ring::with(nodes(n), Table::new).unwrap();
        let exact = Moves::exact(&table(n), &table(n + 1)).unwrap();
        let exact_moved = exact.moved_fraction() * (n + 1) as f64;
        println!(
            "table, {n} nodes: max/mean {even:.4}, moved on adding {moved:.4}, by positions {exact_moved:.4}"
        );
        assert!(even <= floor(n) + 0.02, "{n} nodes: {even}");
        assert!((exact_moved - 1.0).abs() <= 0.02, "{n} nodes: {exact_moved}");
        assert_eq!((needless, exact.needless()), (0, 0));
    }
}

#[test]
fn ten_thousand_nodes() {
    let ring = Ring::with(nodes(10_000), Table::new).unwrap();
    let even = max_over_mean(&loads(&owners(&ring, keys(KEYS, 2)), 10_000));
    println!("table, 10,000 nodes: max/mean {even:.3}, {} bytes", ring.placement().heap_bytes());
    assert!(even < floor(10_000) + 0.25);
    assert!(ring.replicas(1, 3).unwrap().len() == 3);
}
