//! Laws of every ring, over any nodes: replicas, zones, order, what may move, and fast paths against their obvious twins.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use common::{STRATEGIES, UNORDERED, keys, ring};
use promha_shard_ring::{
    Anchor, Bounded, Epochs, Moves, Node, Picks, Placement, PlacementError, Ring, RingError, Table,
    TokenRing, position,
};
use proptest::prelude::*;

/// Nodes of distinct ids, in any order; weights from 0, up to five zones.
fn any_nodes() -> impl Strategy<Value = Vec<Node>> {
    let node = ("[a-z]{1,4}", prop_oneof![Just(1_u32), 0..9_u32], 0..5_u8);
    prop::collection::vec(node, 1..14).prop_map(|nodes| {
        let by_id: BTreeMap<_, _> =
            nodes.into_iter().map(|(id, weight, zone)| (id, (weight, zone))).collect();
        let nodes = by_id.into_iter();
        nodes
            .map(|(id, (weight, zone))| Node::new(id).with_weight(weight).with_zone(format!("z{zone}")))
            .collect()
    })
}

fn with_any_weight() -> impl Strategy<Value = Vec<Node>> {
    any_nodes().prop_filter("somebody can own", |nodes| nodes.iter().any(|node| node.weight() > 0))
}

/// For every strategy: those that know no weights get nodes of weight 1.
fn suited(strategy: &str, nodes: &[Node]) -> Vec<Node> {
    let equal = |node: &Node| if node.weight() == 0 { node.clone() } else { node.clone().with_weight(1) };
    nodes.iter().map(|node| if UNORDERED.contains(&strategy) { node.clone() } else { equal(node) }).collect()
}

fn ids<P: Placement>(ring: &Ring<P>, key: u64, n: usize) -> Vec<String> {
    ring.replicas(key, n).unwrap().map(|node| node.id().to_owned()).collect()
}

/// The whole ranking, each node once.
fn walked(placement: &dyn Placement, key: u64) -> Vec<u16> {
    let mut ranking = Vec::new();
    placement.walk(key, &mut |index| {
        if !ranking.contains(&index) {
            ranking.push(index);
        }
        ControlFlow::Continue(())
    });
    ranking
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn replicas_are_distinct_and_so_are_their_zones(nodes in with_any_weight(), seed: u64) {
        for strategy in STRATEGIES {
            let ring = ring(strategy, suited(strategy, &nodes)).unwrap();
            let members = ring.members();
            let (available, zones) = (members.weighted().len(), members.zones());
            for key in keys(20, seed) {
                let all: Vec<&Node> = ring.replicas(key, available).unwrap().collect();
                prop_assert_eq!(all[0], ring.owner(key), "{}", strategy);
                prop_assert!(all.iter().all(|node| node.weight() > 0));
                prop_assert!((1..all.len()).all(|i| !all[..i].contains(&all[i])), "{} {:?}", strategy, all);
                for n in 0..=available {
                    let some: Vec<&Node> = ring.replicas(key, n).unwrap().collect();
                    prop_assert_eq!(&some[..], &all[..n], "of more replicas the first are those of fewer: {}", strategy);
                    let mut found: Vec<&str> = some.iter().map(|node| node.zone()).collect();
                    found.sort_unstable();
                    found.dedup();
                    prop_assert_eq!(found.len(), n.min(zones), "{}", strategy);
                }
                let error = ring.replicas(key, available + 1).unwrap_err();
                prop_assert_eq!(error, PlacementError::TooFewNodes { wanted: available + 1, available });
            }
        }
    }

    #[test]
    fn the_order_of_nodes_changes_nothing(
        (nodes, shuffled) in with_any_weight().prop_flat_map(|nodes| (Just(nodes.clone()), Just(nodes).prop_shuffle())),
        seed: u64,
    ) {
        for strategy in UNORDERED {
            let (one, other) = (ring(strategy, nodes.clone()).unwrap(), ring(strategy, shuffled.clone()).unwrap());
            let n = one.members().weighted().len().min(3);
            prop_assert!(keys(50, seed).all(|key| ids(&one, key, n) == ids(&other, key, n)), "{}", strategy);
        }
        // Those that go by positions do so by shards, if there are any.
        let numbered = |nodes: &[Node]| -> Vec<Node> {
            let shard = |node: &Node| node.id().bytes().fold(0, |shard, byte| shard * 26 + u32::from(byte - b'a') + 1);
            nodes.iter().map(|node| node.clone().with_shard(shard(node))).collect()
        };
        let jump = |nodes: &[Node]| ring("jump", numbered(&suited("jump", nodes))).unwrap();
        let (one, other) = (jump(&nodes), jump(&shuffled));
        prop_assert!(keys(50, seed).all(|key| one.owner(key) == other.owner(key)));
    }

    #[test]
    fn nothing_moves_but_to_a_node_that_comes(nodes in with_any_weight(), weight in 1..5_u32, zone in 0..6_u8, seed: u64) {
        let new = Node::new("NEW").with_weight(weight).with_zone(format!("z{zone}"));
        let with_new: Vec<Node> = nodes.iter().cloned().chain([new]).collect();
        for strategy in ["rendezvous", "tokens", "table"] {
            let (old, new) = (ring(strategy, nodes.clone()).unwrap(), ring(strategy, with_new.clone()).unwrap());
            for key in keys(50, seed) {
                let (before, after) = (old.owner(key).id(), new.owner(key).id());
                prop_assert!(before == after || after == "NEW", "{}: {} -> {}", strategy, before, after);
                for n in 1..=old.members().weighted().len().min(4) {
                    let (before, after) = (ids(&old, key, n), ids(&new, key, n));
                    let one_zone = nodes.iter().all(|node| node.zone() == format!("z{zone}"));
                    if one_zone {
                        prop_assert!(before == after || after.iter().any(|id| id == "NEW"), "{}", strategy);
                    }
                    // While there are zones enough, nobody but the new node enters a set.
                    if n <= old.members().zones() {
                        let strangers = after.iter().filter(|id| !before.contains(id) && *id != "NEW");
                        prop_assert_eq!(strangers.count(), 0, "{}: {:?} -> {:?}", strategy, before, after);
                    }
                }
            }
        }
    }

    #[test]
    fn fast_paths_agree_with_their_twins(nodes in with_any_weight(), seed: u64) {
        for strategy in STRATEGIES {
            let ring = ring(strategy, suited(strategy, &nodes)).unwrap();
            for key in keys(30, seed) {
                let ranking = walked(ring.placement(), key);
                prop_assert_eq!(ranking[0], ring.placement().owner(key), "{}", strategy);
                prop_assert_eq!(ranking.len(), ring.members().weighted().len());
                for n in 0..=ranking.len().min(5) {
                    let mut twin = Picks::default();
                    let walk = |visit: &mut dyn FnMut(u16) -> ControlFlow<()>| {
                        let _ = ranking.iter().try_for_each(|&index| visit(index));
                    };
                    ring.members().pick(n, &mut twin, walk).unwrap();
                    let mut fast = Picks::default();
                    ring.placement().replicas(ring.members(), key, n, &mut fast).unwrap();
                    prop_assert_eq!(fast.as_slice(), twin.as_slice(), "{} {}", strategy, n);
                }
            }
        }
    }

    #[test]
    fn who_stands_where_is_who_a_linear_scan_finds(nodes in with_any_weight(), seed: u64) {
        for strategy in ["tokens", "table", "bounded"] {
            let ring = ring(strategy, nodes.clone()).unwrap();
            let arcs: Vec<_> = ring.placement().arcs().unwrap().collect();
            prop_assert!(arcs.is_sorted_by(|a, b| a.last < b.last));
            prop_assert_eq!(arcs.last().unwrap().last, u64::MAX);
            for key in keys(100, seed).chain([0, u64::MAX]) {
                let arc = arcs.iter().find(|arc| arc.last >= position(key)).unwrap();
                prop_assert_eq!(arc.owner, ring.placement().owner(key), "{}", strategy);
            }
            prop_assert!((ring.shares().unwrap().iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn exact_moves_are_what_keys_show(old in with_any_weight(), new in with_any_weight(), strategies in (0..3_usize, 0..3_usize)) {
        let kinds = ["tokens", "table", "bounded"];
        let (old, new) = (ring(kinds[strategies.0], old).unwrap(), ring(kinds[strategies.1], new).unwrap());
        let exact = Moves::exact(&old, &new).unwrap();
        let seen = old.moves(&new, keys(4_000, 9).map(|key| (key, 3)));
        prop_assert_eq!(exact.total(), 1 << 64);
        prop_assert_eq!((seen.total(), seen.total_cost(), seen.moved_cost()), (4_000, 12_000, 3 * seen.moved()));
        prop_assert!((exact.moved_fraction() - seen.moved_fraction()).abs() < 0.05, "{}\n{}", exact, seen);
        for flow in seen.flows() {
            prop_assert!(exact.flows().iter().any(|other| (&other.from, &other.to) == (&flow.from, &flow.to)));
        }
    }

    #[test]
    fn nobody_is_above_the_bound(nodes in with_any_weight(), percent in 0..30_u32) {
        let slots = 1 << 10;
        let ring = Ring::with(nodes, |members| Bounded::with_slots(members, slots, percent)).unwrap();
        for (share, node) in ring.shares().unwrap().into_iter().zip(ring.nodes()) {
            let fair = f64::from(node.weight()) / ring.members().total_weight() as f64;
            let most = fair * (1.0 + f64::from(percent) / 100.0) + 1.0 / slots as f64;
            prop_assert!(share <= most, "{} has {} of {}", node.id(), share, fair);
        }
    }

    #[test]
    fn history_remembers_who_owned_what(
        steps in prop::collection::vec((1..50_i64, with_any_weight()), 0..8),
        ranges in prop::collection::vec((-20..300_i64, -5..120_i64), 1..20),
        pruned_ms in 0..300_i64,
    ) {
        let (mut epochs, mut known, mut from_ms) = (Epochs::new(), Vec::new(), 0);
        for (step_ms, nodes) in steps {
            from_ms += step_ms;
            let ring = Ring::new(nodes).unwrap();
            epochs.push(from_ms, ring.clone()).unwrap();
            prop_assert!(epochs.push(from_ms, ring.clone()).is_err());
            known.push((from_ms, ring));
        }
        // Millisecond by millisecond, from the newest.
        let twin = |min_ms: i64, max_ms: i64, n: usize| {
            let mut found: Vec<String> = Vec::new();
            for time_ms in (min_ms..=max_ms).rev() {
                let Some((_, ring)) = known.iter().rfind(|(from_ms, _)| *from_ms <= time_ms) else { continue };
                for node in ring.replicas(5, n).unwrap() {
                    if !found.iter().any(|id| id == node.id()) {
                        found.push(node.id().to_owned());
                    }
                }
            }
            found
        };
        let names = |nodes: Vec<&Node>| nodes.into_iter().map(|node| node.id().to_owned()).collect::<Vec<_>>();
        let n = known.iter().map(|(_, ring)| ring.members().weighted().len()).min().unwrap_or(1);
        for (min_ms, length_ms) in ranges {
            let max_ms = min_ms + length_ms;
            prop_assert_eq!(names(epochs.owners(5, min_ms, max_ms)), twin(min_ms, max_ms, 1));
            prop_assert_eq!(names(epochs.replicas(5, n, min_ms, max_ms).unwrap()), twin(min_ms, max_ms, n));
            let mut pruned = epochs.clone();
            pruned.prune(pruned_ms);
            if min_ms >= pruned_ms {
                prop_assert_eq!(names(pruned.owners(5, min_ms, max_ms)), twin(min_ms, max_ms, 1));
            }
        }
    }
}

#[test]
fn an_anchored_node_may_go_and_come_back() {
    let all = || (0..40).map(|shard| Node::new(format!("n{shard:02}")).with_shard(shard));
    let anchor = |nodes: Vec<Node>| Ring::with(nodes, |members| Anchor::with_capacity(members, 64)).unwrap();
    let full = anchor(all().collect());
    for gone in 0..40 {
        let without = anchor(all().filter(|node| node.shard() != Some(gone)).collect());
        let moves = full.moves(&without, keys(20_000, 4).map(|key| (key, 1)));
        assert_eq!(moves.needless(), 0);
        assert!((moves.moved_fraction() * 40.0 - 1.0).abs() < 0.15, "{gone}: {moves}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let node = |id: &str| Node::new(id);
    assert_eq!(Ring::new([]).unwrap_err(), RingError::NoWeight { nodes: 0 });
    assert_eq!(Ring::new([node("a").with_weight(0)]).unwrap_err(), RingError::NoWeight { nodes: 1 });
    assert_eq!(Ring::new([node("a"), node("a")]).unwrap_err(), RingError::DuplicateId { id: "a".to_owned() });
    let many = || (0..70_000).map(|i| Node::new(i.to_string()));
    assert_eq!(Ring::new(many()).unwrap_err(), RingError::TooManyNodes { nodes: 70_000, limit: 65_535 });
    let heavy = Ring::with([node("a").with_weight(u32::MAX)], TokenRing::new).unwrap_err();
    assert_eq!(heavy.to_string(), "2199023255040 tokens exceed the limit of 67108864: divide all weights");
    let odd = Ring::with([node("a")], |members| Table::with_slots(members, 1_000, 1)).unwrap_err();
    assert_eq!(odd, RingError::Slots { slots: 1_000, least: 16, most: 1 << 24 });
    let none = Ring::with([node("a")], |members| Table::with_slots(members, 1 << 10, 0)).unwrap_err();
    assert_eq!(none, RingError::TableReplicas { replicas: 0, most: 16 });
    let unequal = ring("jump", [node("a"), node("b").with_weight(2)]).unwrap_err();
    assert_eq!(unequal, RingError::UnequalWeights { lowest: 1, highest: 2 });
    let some = ring("anchor", [node("a").with_shard(1), node("b")]).unwrap_err();
    assert_eq!(some, RingError::SomeShards { with: 1, without: 1 });
    let twice = ring("jump", [node("a").with_shard(1), node("b").with_shard(1)]).unwrap_err();
    assert_eq!(twice, RingError::DuplicateShard { shard: 1 });
    let far = ring("anchor", [node("a").with_shard(64)]).unwrap_err();
    assert_eq!(far, RingError::Capacity { position: 64, capacity: 64 });
    assert!(Ring::with([node("a").with_shard(u32::MAX)], Anchor::new).is_err());
}

#[test]
fn weights_may_be_as_far_apart_as_they_go() {
    // A zone of next to no weight still has its replica, and the table does not take forever to find it.
    let nodes = [("a", u32::MAX), ("b", u32::MAX), ("c", 1)]
        .map(|(id, weight)| Node::new(id).with_weight(weight).with_zone(id));
    for strategy in ["rendezvous", "table", "bounded"] {
        let ring = ring(strategy, nodes.clone()).unwrap();
        assert!(keys(100, 0).all(|key| ring.replicas(key, 3).unwrap().len() == 3));
        assert!(keys(100, 0).all(|key| ring.owner(key).id() != "c" || strategy == "bounded"));
    }
}

#[test]
fn a_ring_is_readable() {
    let nodes = [Node::new("a:9090").with_weight(3).with_zone("eu-1"), Node::new("b:9090").with_shard(1)];
    assert_eq!(
        format!("{:?}", Ring::with(nodes, Table::new).unwrap()),
        "Ring by table: 2 nodes, weight 4, 2 zones\n  a:9090  weight 3 (75.0 %)  zone eu-1\n  b:9090  weight 1 (25.0 %)  shard 1"
    );
    let many = Ring::new((0..100).map(|i| Node::new(i.to_string()))).unwrap();
    assert_eq!(format!("{many:?}").lines().count(), 10);
}
