//! Where the golden vectors say nothing: refusals, limits, and plain twins of what is done faster.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use std::collections::{BTreeMap, BTreeSet};

use promha_shard_ring::Node;
use promha_shard_ring::compat::CompatError;
use promha_shard_ring::compat::cortex::TokenRing;
use promha_shard_ring::compat::labels::{encode_string_labels, string_labels_hash};
use promha_shard_ring::compat::spread::spread_minimizing_tokens;
use promha_shard_ring::compat::thanos::{Hashmod, Ketama, section_hash};
use promha_shard_ring::compat::victoria::{ConsistentHash, scrape_members};
use proptest::prelude::*;

/// So many nodes in each zone, whose order is mixed.
fn zoned(zones: &[usize]) -> Vec<Node> {
    let most = zones.iter().copied().max().unwrap_or(0);
    let places = (0..most).flat_map(|i| (0..zones.len()).map(move |zone| (zone, i)));
    places
        .filter(|&(zone, i)| i < zones[zone])
        .map(|(zone, i)| Node::new(format!("node-{zone}-{i}:10901")).with_zone(format!("z{zone}")))
        .collect()
}

/// Walks from the first section at or above a hash, by the words of the original's documentation. `None` if a whole turn
/// brings nothing, after which the original would turn for ever.
fn walk(nodes: &[Node], replication: usize, hash: u64) -> Option<Vec<String>> {
    let mut sections: Vec<(u64, usize)> = (0..nodes.len())
        .flat_map(|i| (1..=1_000).map(move |n| (i, n)))
        .map(|(i, n)| (section_hash(nodes[i].id(), n), i))
        .collect();
    sections.sort_unstable();
    let start = sections.iter().position(|section| section.0 >= hash).unwrap_or(0);
    sections.rotate_left(start);
    let mut spread: BTreeMap<&str, usize> = nodes.iter().map(|node| (node.zone(), 0)).collect();
    let mut owners: Vec<usize> = Vec::new();
    while owners.len() < replication {
        let before = owners.len();
        for &(_, node) in &sections {
            let (zone, least) = (nodes[node].zone(), spread.values().min().copied()?);
            let is_too_full = spread.len() > 1 && spread[zone] > 0 && spread[zone] > least;
            if owners.len() < replication && !owners.contains(&node) && !is_too_full {
                owners.push(node);
                *spread.get_mut(zone)? += 1;
            }
        }
        if owners.len() == before {
            return None;
        }
    }
    Some(owners.into_iter().map(|node| nodes[node].id().to_owned()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Also where a zone needs a second turn.
    #[test]
    fn ketama_walks_or_says_that_it_would_for_ever(
        zones in prop::collection::vec(1_usize..4, 1..4), replication in 1_usize..7, hashes in prop::collection::vec(any::<u64>(), 4),
    ) {
        let nodes = zoned(&zones);
        let ring = Ketama::new(nodes.clone(), replication);
        if replication > nodes.len() {
            prop_assert_eq!(ring.unwrap_err(), CompatError::TooFewNodes { needed: replication, available: nodes.len() });
            return Ok(());
        }
        for hash in hashes.into_iter().chain([0, u64::MAX]) {
            let found = ring.as_ref().ok().map(|ring| ring.replicas(hash).map(|node| node.id().to_owned()).collect::<Vec<_>>());
            prop_assert_eq!(found, walk(&nodes, replication, hash));
        }
    }
}

#[test]
fn thanos_refuses() {
    assert_eq!(
        Ketama::new(zoned(&[1, 3]), 4).unwrap_err(),
        CompatError::UnevenZones { needed: 4, available: 3, smallest: 1 }
    );
    assert!(Ketama::new(zoned(&[1, 3]), 3).is_ok());
    for (nodes, replication) in [(0, 0), (0, 1), (2, 0)] {
        let refused = Ketama::new(zoned(&[nodes]), replication).unwrap_err();
        assert_eq!(refused, CompatError::Empty { nodes, replication });
    }
    assert_eq!(Hashmod::new(Vec::new()).unwrap_err(), CompatError::Empty { nodes: 0, replication: 1 });
    let twice = vec![Node::new("a"), Node::new("b"), Node::new("a")];
    for refused in [Ketama::new(twice.clone(), 1).unwrap_err(), Hashmod::new(twice).unwrap_err()] {
        assert_eq!(refused, CompatError::DuplicateNode { id: "a".to_owned() });
    }
    let refused = Hashmod::new(zoned(&[1])).unwrap_err();
    assert_eq!(refused, CompatError::ZoneInHashmod { id: "node-0-0:10901".to_owned() });
    let ring = Hashmod::new(vec![Node::new("b"), Node::new("a")]).unwrap();
    let refused = ring.replicas(0, 3).err();
    assert_eq!(refused, Some(CompatError::TooFewNodes { needed: 3, available: 2 }));
    assert!(ring.replicas(u64::MAX, 2).unwrap().map(Node::id).eq(["b", "a"]), "the hash overflows");
}

#[test]
fn victoria_at_its_limits() {
    assert_eq!(ConsistentHash::new([""; 0], 0).owner(1, &[]), None);
    let ring = ConsistentHash::new(["a", "b", "c"], 0);
    let owner = ring.owner(7, &[]);
    assert_eq!(ring.owner(7, &[0, 1, 2]), owner, "all are excluded: none is");
    let owners: BTreeSet<_> =
        [vec![], vec![owner.unwrap()]].iter().map(|excluded| ring.owner(7, excluded)).collect();
    assert_eq!(owners.len(), 2);
    assert_eq!(ConsistentHash::new(["a", "b", "c"], 9).owner(7 ^ 9, &[]), owner, "a seed turns the hash");

    assert!(scrape_members(4, 5, 9).eq([4, 0, 1, 2, 3]), "each once");
    assert!(scrape_members(u64::MAX - 1, u64::MAX, 2).eq([u64::MAX - 1, 0]));
}

#[test]
fn a_label_is_too_long() {
    let long = "x".repeat((1 << 24) - 1);
    let mut bytes = Vec::new();
    encode_string_labels(&[("a", &long)], &mut bytes).unwrap();
    assert_eq!(bytes[..6], [1, b'a', 255, 255, 255, 255]);
    let long = long + "x";
    let refused = CompatError::LabelTooLong { length: 1 << 24, limit: 1 << 24 };
    assert_eq!(string_labels_hash(&[("a", &long)]), Err(refused));
}

proptest! {
    #[test]
    fn token_rings_walk(
        tokens in prop::collection::vec(prop::collection::vec(0_u32..40, 1..4), 1..7), zones in 1_usize..4, token in 0_u32..42,
        replication in 0_usize..6,
    ) {
        let nodes: Vec<(Node, Vec<u32>)> = (0..).zip(tokens)
            .map(|(i, tokens)| (Node::new(format!("n{i}")).with_zone(format!("z{}", i % zones)), tokens)).collect();
        let ring = TokenRing::new(nodes.clone());
        let mut reversed = nodes.clone();
        reversed.reverse();
        let owners: Vec<&str> = ring.replicas(token, replication).iter().map(|node| node.id()).collect();
        prop_assert!(TokenRing::new(reversed).replicas(token, replication).iter().map(|node| node.id()).eq(owners.iter().copied()));

        // Token by token; the first node that has one owns it.
        let of = |at: u32| nodes.iter().find(|(_, tokens)| tokens.contains(&at)).map(|(node, _)| node);
        let all_zones = nodes.iter().map(|(node, _)| node.zone()).collect::<BTreeSet<_>>().len();
        let (share, mut extra) = (replication / all_zones, replication % all_zones);
        let mut in_zones: BTreeMap<&str, usize> = BTreeMap::new();
        let mut expected: Vec<&str> = Vec::new();
        for node in (token + 1..40).chain(0..=token).filter_map(of) {
            let own = in_zones.get(node.zone()).copied().unwrap_or(0);
            let has_room = own < share || own == share && extra > 0;
            if expected.len() < replication && !expected.contains(&node.id()) && has_room {
                extra -= usize::from(own == share);
                in_zones.insert(node.zone(), own + 1);
                expected.push(node.id());
            }
        }
        prop_assert_eq!(owners, expected);
    }
}

/// What the tokens are for, and that neighbours never meet.
#[test]
fn tokens_spread() {
    const INSTANCES: u32 = 7;
    let mut all: Vec<(u32, u32)> = Vec::new();
    for instance in 0..INSTANCES {
        let tokens = spread_minimizing_tokens(instance, 3).unwrap();
        assert_eq!(tokens.len(), 512);
        assert!(tokens.iter().all(|token| token % 8 == 3));
        all.extend(tokens.iter().map(|&token| (token, instance)));
    }
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "no token is there twice");
    let mut owned = [0_u64; INSTANCES as usize];
    for (place, &(token, instance)) in all.iter().enumerate() {
        let before = all[(place + all.len() - 1) % all.len()].0;
        owned[instance as usize] += u64::from(token.wrapping_sub(before));
    }
    let [most, least] = [owned.iter().max().unwrap(), owned.iter().min().unwrap()].map(|&owned| owned as f64);
    assert!(most / least < 1.002, "{owned:?}");

    let refused = CompatError::ZoneOutOfRange { zone: 8, limit: 8 };
    assert_eq!(spread_minimizing_tokens(0, 8), Err(refused));
}
