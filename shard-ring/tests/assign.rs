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
    /// What the costliest target is of a fair share.
    costliest: f64,
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
        costliest: targets.iter().map(Target::cost).max().unwrap() as f64 / fair as f64,
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

/// Seeds are not chosen: those from 0 have to do.
const SEEDS: std::ops::Range<u64> = 0..3;

#[test]
fn a_fleet_is_even_and_moves_little() {
    for figures in print(1.5, SEEDS) {
        assert!(figures.uneven <= 1.05);
        assert!(figures.joins <= 1.1 && figures.leaves <= 1.1);
    }
    // More than a tenth is not reached here. The costliest of these targets are a good part of what a node has; when one of them leaves
    // a full node, what the node had turned away comes back. That is what evenness costs.
    let all = print(2.0, SEEDS);
    assert!(all.iter().all(|figures| figures.uneven <= 1.05));
    let mean = |of: fn(&Figures) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    assert!(mean(|figures| figures.joins) <= 1.2 && mean(|figures| figures.leaves) <= 1.2);
}

#[test]
#[ignore = "takes a minute: the same of many fleets"]
fn many_fleets() {
    for sigma in [1.0, 1.5, 2.0] {
        for figures in print(sigma, 0..40) {
            assert!(
                figures.uneven <= 1.05 || figures.uneven <= figures.costliest * 1.001,
                "{}",
                figures.uneven
            );
        }
    }
}

#[test]
fn a_small_change_of_a_cost_moves_next_to_nothing() {
    let (nodes, targets) = (nodes(NODES), fleet(TARGETS, 1.5, 1));
    let now = assign(&nodes, &targets);
    let fair = total(&targets) * REPLICATION as u128 / NODES as u128;
    let mut most = 0.0_f64;
    // The costliest, and some by chance.
    let costliest = (0..TARGETS).max_by_key(|&i| targets[i].cost()).unwrap();
    for i in [costliest, 17, 40_000, 77_777] {
        let mut changed = targets.clone();
        changed[i] = Target::new(targets[i].key().clone(), targets[i].cost() * 105 / 100);
        let moved = moved(&now, &assign(&nodes, &changed)) as f64 / fair as f64;
        println!("target {i} of cost {} costs 5 % more: {moved:.5} of a fair share moves", targets[i].cost());
        most = most.max(moved);
    }
    assert!(most < 0.05, "{most}");
}

#[test]
fn a_target_beyond_the_limit_is_placed() {
    let mut targets = fleet(1_000, 1.0, 0);
    targets.push(Target::new("huge", u64::MAX));
    let assignment = assign(&nodes(10), &targets);
    assert_eq!(assignment.replicas(&"huge".into()).count(), REPLICATION);
    let one = Assignment::new(&nodes(1), &targets, 1).unwrap();
    assert!(one.iter().all(|(_, mut replicas)| replicas.next().is_some()));
}

#[test]
fn zones_and_weights_are_respected_in_a_fleet() {
    let weigh = |(i, node): (u32, Node)| node.with_weight(1 + i % 3);
    // 48 in three zones, each of which has every weight as often.
    let nodes: Vec<_> = (0..).zip(nodes(48)).map(weigh).collect();
    let nodes: Vec<_> =
        nodes.into_iter().enumerate().map(|(i, n)| n.with_zone(((i / 3) % 3).to_string())).collect();
    let assignment = assign(&nodes, &fleet(TARGETS, 1.5, 0));
    for (_, replicas) in assignment.iter() {
        assert_eq!(replicas.map(Node::zone).collect::<BTreeSet<_>>().len(), REPLICATION);
    }
    let mut of_weight = BTreeMap::new();
    for load in assignment.loads() {
        assert!(load.cost as f64 <= 1.05 * load.fair_cost as f64, "{load:?}");
        *of_weight.entry(load.node.weight()).or_insert(0.0) += load.cost as f64;
    }
    for weight in [2, 3] {
        let times = of_weight[&weight] / of_weight[&1] / f64::from(weight);
        println!("nodes of weight {weight} have {times:.3} of {weight} times what those of weight 1 have");
        assert!((0.9..=1.1).contains(&times), "{times}");
    }
}

#[test]
fn what_makes_no_assignment() {
    let (two, one) = (nodes(2), [Target::new("a", 1)]);
    let error = |nodes: &[Node], targets: &[Target], n| Assignment::new(nodes, targets, n).unwrap_err();
    assert_eq!(error(&two, &one, 0), AssignError::NoReplicas);
    let too_few = |available| AssignError::TooFewNodes { needed: 2, available, nodes: 2 };
    assert_eq!(error(&[two[0].clone(), two[1].clone().with_weight(0)], &one, 2), too_few(1));
    let id = two[0].id().to_owned();
    assert_eq!(
        error(&[two[0].clone(), Node::new(&id).with_zone("b")], &one, 1),
        AssignError::TwoNodes { id }
    );
    let twice = AssignError::TwoTargets { key: "a".into(), cost: 1, other_cost: 2 };
    assert_eq!(error(&two, &[Target::new("a", 2), Target::new("a", 1)], 1), twice);
    let none = Assignment::new(&two, &[], 2).unwrap();
    assert!(none.iter().next().is_none() && none.loads().all(|load| load.cost == 0));
}

/// What was once answered is answered for ever: another answer moves targets of everybody who takes the new version.
#[test]
fn an_assignment_is_what_it_was() {
    let nodes = in_zones(nodes(7), 3).into_iter().zip(0..).map(|(node, i)| node.with_weight(1 + i % 2));
    let targets: Vec<_> =
        (0..12).map(|i| Target::new(format!("t{i}"), 1 << i)).chain([Target::new(7, 100)]).collect();
    let assignment = Assignment::new(&nodes.collect::<Vec<_>>(), &targets, 2).unwrap();
    let answer: Vec<String> = assignment
        .iter()
        .map(|(target, replicas)| {
            let numbers = replicas.map(|node| &node.id()["collector-".len()..][..1]);
            format!("{} {}", target.key(), numbers.collect::<String>())
        })
        .collect();
    assert_eq!(
        answer.join(", "),
        "0000000000000007 56, t0 54, t1 65, t10 50, t11 13, t2 62, t3 64, t4 56, t5 54, t6 54, t7 56, t8 42, t9 64"
    );
}

fn some_nodes() -> impl Strategy<Value = Vec<Node>> {
    prop::collection::btree_map(0_u8..30, (1_u32..4, 0_u8..4), 4..12).prop_map(|nodes| {
        let node =
            |(i, (weight, zone))| Node::new(format!("{i}")).with_weight(weight).with_zone(format!("{zone}"));
        nodes.into_iter().map(node).collect()
    })
}

fn some_targets() -> impl Strategy<Value = Vec<Target>> {
    prop::collection::btree_map(0_u64..200, 0_u64..10_000, 0..100)
        .prop_map(|targets| targets.into_iter().map(|(key, cost)| Target::new(key, cost)).collect())
}

proptest! {
    #[test]
    fn order_does_not_matter(nodes in some_nodes(), targets in some_targets(), n in 1_usize..4, by in 0_usize..100) {
        let assignment = Assignment::new(&nodes, &targets, n).unwrap();
        let (mut nodes, mut targets) = (nodes, targets);
        nodes.reverse();
        let by = by.min(targets.len());
        targets.rotate_left(by);
        prop_assert_eq!(&assignment, &Assignment::new(&nodes, &targets, n).unwrap());
    }

    #[test]
    fn replicas_are_apart(nodes in some_nodes(), targets in some_targets(), n in 1_usize..4) {
        let assignment = Assignment::new(&nodes, &targets, n).unwrap();
        let zones = nodes.iter().map(Node::zone).collect::<BTreeSet<_>>().len();
        for (target, replicas) in assignment.iter() {
            let replicas: Vec<_> = replicas.collect();
            prop_assert_eq!(replicas.iter().map(|node| node.id()).collect::<BTreeSet<_>>().len(), n);
            prop_assert_eq!(replicas.iter().map(|node| node.zone()).collect::<BTreeSet<_>>().len(), n.min(zones));
            prop_assert!(assignment.replicas(target.key()).eq(replicas));
        }
        for load in assignment.loads() {
            let own: Vec<_> = assignment.targets_of(load.node.id()).collect();
            prop_assert_eq!(own.len(), load.targets);
            prop_assert_eq!(own.iter().map(|(target, _)| u128::from(target.cost())).sum::<u128>(), load.cost);
        }
    }

    #[test]
    fn a_handover_leads_from_one_to_the_other(
        (nodes, targets, n) in (some_nodes(), some_targets(), 1_usize..4),
        (next_nodes, next_targets, next_n) in (some_nodes(), some_targets(), 1_usize..4),
    ) {
        let old = Assignment::new(&nodes, &targets, n).unwrap();
        let next = Assignment::new(&next_nodes, &next_targets, next_n).unwrap();
        let state = |assignment: &Assignment| -> BTreeSet<(TargetKey, String)> {
            let each = assignment.iter();
            each.flat_map(|(t, nodes)| nodes.map(|node| (t.key().clone(), node.id().to_owned())).collect::<Vec<_>>()).collect()
        };
        let mut reached = state(&old);
        let (mut starts, mut stops) = (0, 0);
        for change in handover(&old, &next) {
            let of = |node: &&Node| (change.target.key().clone(), node.id().to_owned());
            prop_assert!(change.stay.iter().all(|node| reached.contains(&of(node))));
            prop_assert!(change.start.iter().all(|node| reached.insert(of(node))));
            prop_assert!(change.stop.iter().all(|node| reached.remove(&of(node))));
            starts += change.start.len();
            stops += change.stop.len();
        }
        prop_assert_eq!(reached, state(&next));
        prop_assert_eq!(old.moves(&next).filter(|replica| replica.to.is_some()).count(), starts);
        prop_assert_eq!(old.moves(&next).filter(|replica| replica.from.is_some()).count(), stops);
        prop_assert_eq!(handover(&old, &old).count(), 0);
    }
}
