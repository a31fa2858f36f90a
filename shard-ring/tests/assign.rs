//! Assignments: what holds of every one, and the figures of a fleet whose targets cost differently much. `--nocapture` prints the figures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{keys, nodes};
use promha_shard_ring::{AssignError, Assignment, Node, Ring, Target, TargetKey, handover, hash_text};
use proptest::prelude::*;

const TARGETS: usize = 100_000;
const NODES: usize = 50;
const REPLICATION: usize = 2;

/// Targets whose cost is log-normal around a median of 500 samples.
fn fleet(n: usize, sigma: f64, seed: u64) -> Vec<Target> {
    let mut uniform = keys(2 * n, seed).map(|key| (key as f64 + 0.5) / 2f64.powi(64));
    (0..n)
        .map(|i| {
            // Box and Muller.
            let (u, v) = (uniform.next().unwrap(), uniform.next().unwrap());
            let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
            let cost = (500.0 * (sigma * normal).exp()).round() as u64;
            Target::new(format!("10.{}.{}.{}:9100", i >> 16, i >> 8 & 255, i & 255), cost.max(1))
        })
        .collect()
}

fn assign(nodes: &[Node], targets: &[Target]) -> Assignment {
    Assignment::new(nodes, targets, REPLICATION).unwrap()
}

fn max_over_mean(assignment: &Assignment) -> f64 {
    common::max_over_mean(
        &assignment.loads().map(|load| u64::try_from(load.cost).unwrap()).collect::<Vec<_>>(),
    )
}

fn moved(now: &Assignment, next: &Assignment) -> u128 {
    now.moves(next).map(|replica| u128::from(replica.cost())).sum()
}

fn total(targets: &[Target]) -> u128 {
    targets.iter().map(|target| u128::from(target.cost())).sum()
}

fn in_zones(nodes: Vec<Node>, zones: usize) -> Vec<Node> {
    nodes.into_iter().enumerate().map(|(i, node)| node.with_zone(format!("zone-{}", i % zones))).collect()
}

/// Both figures of one fleet: how uneven, and what moves in units of what has to.
struct Figures {
    uneven: f64,
    joins: f64,
    leaves: f64,
}

fn figures(sigma: f64, seed: u64) -> Figures {
    let (small, large) = (nodes(NODES), nodes(NODES + 1));
    let targets = fleet(TARGETS, sigma, seed);
    let (before, after) = (assign(&small, &targets), assign(&large, &targets));
    let fair = total(&targets) * REPLICATION as u128 / (NODES + 1) as u128;
    let had = after.loads().find(|load| load.node.id() == large[NODES].id()).unwrap().cost;
    Figures {
        uneven: max_over_mean(&before).max(max_over_mean(&after)),
        joins: moved(&before, &after) as f64 / fair as f64,
        leaves: moved(&after, &before) as f64 / had as f64,
    }
}

/// What rendezvous alone would do, which knows no costs.
fn uneven_without_costs(sigma: f64, seed: u64) -> f64 {
    let ring = Ring::new(nodes(NODES)).unwrap();
    let mut loads = BTreeMap::new();
    for target in fleet(TARGETS, sigma, seed) {
        let key = hash_text(&target.key().to_string());
        for node in ring.replicas(key, REPLICATION).unwrap() {
            *loads.entry(node.id().to_owned()).or_insert(0) += target.cost();
        }
    }
    common::max_over_mean(&loads.into_values().collect::<Vec<_>>())
}

fn print(sigma: f64, seeds: std::ops::Range<u64>) -> Vec<Figures> {
    let all: Vec<_> = seeds.clone().map(|seed| figures(sigma, seed)).collect();
    let most = |of: fn(&Figures) -> f64| all.iter().map(of).fold(0.0, f64::max);
    let mean = |of: fn(&Figures) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    let without = seeds.clone().map(|seed| uneven_without_costs(sigma, seed)).fold(0.0, f64::max);
    println!(
        "sigma {sigma}, {} fleets: max/mean at most {:.4} ({without:.2} without costs); one joins: {:.3} of its fair share moves on \
         average, {:.3} at most; one leaves: {:.3} of what it had on average, {:.3} at most",
        all.len(),
        most(|f| f.uneven),
        mean(|f| f.joins),
        most(|f| f.joins),
        mean(|f| f.leaves),
        most(|f| f.leaves),
    );
    all
}

#[test]
fn a_fleet_is_even_and_moves_little() {
    for sigma in [1.0, 1.5, 1.75, 2.0] {
        for seeds in [0..3, 0..40] {
            print(sigma, seeds);
        }
    }
}
