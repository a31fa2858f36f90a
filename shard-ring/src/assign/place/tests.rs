//! Placement against its obvious twin, which ranks all nodes for each target.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

fn twin(nodes: &[Node], targets: &[Target], replication: usize) -> Vec<u32> {
    let mut candidates = candidates(nodes, targets, replication);
    let mut owners = vec![Vec::new(); targets.len()];
    let mut order = in_order(targets);
    order.sort_by_key(|&(i, _)| Reverse(class::of_cost(targets[i].cost())));
    for (i, hash) in order {
        let cost = u128::from(targets[i].cost());
        let mut ranked: Vec<_> = (0..candidates.len()).collect();
        let score = |c: &Candidate| u128::from(neg_log2(mix(hash ^ c.hash)));
        ranked.sort_by(|&a, &b| {
            let (a, b) = (&candidates[a], &candidates[b]);
            (score(a) * u128::from(b.weight)).cmp(&(score(b) * u128::from(a.weight)))
        });
        let mut chosen: Vec<usize> = Vec::new();
        for _ in 0..replication {
            let in_zone = |c: usize| {
                chosen.iter().filter(|&&other| candidates[other].zone == candidates[c].zone).count()
            };
            let free: Vec<_> = ranked.iter().copied().filter(|c| !chosen.contains(c)).collect();
            let fewest = free.iter().map(|&c| in_zone(c)).min().unwrap();
            let open: Vec<_> = free.into_iter().filter(|&c| in_zone(c) == fewest).collect();
            let filled = |c: usize| (candidates[c].load + cost) as f64 / candidates[c].share as f64;
            let fits = open.iter().copied().find(|&c| candidates[c].load + cost <= candidates[c].limit);
            let next = fits.unwrap_or_else(|| {
                // The first by id among the emptiest.
                let mut by_id = open.clone();
                by_id.sort_unstable();
                by_id
                    .into_iter()
                    .reduce(|a, b| if filled(b).total_cmp(&filled(a)) == Ordering::Less { b } else { a })
                    .unwrap()
            });
            chosen.push(next);
            candidates[next].load += cost;
        }
        owners[i] = chosen.into_iter().map(|c| candidates[c].node).collect();
    }
    owners.concat()
}

proptest! {
    #[test]
    fn as_the_twin_does(
        weights in prop::collection::vec((0_u32..4, 0_u8..4), 1..20),
        uniform in any::<bool>(),
        costs in prop::collection::vec(prop_oneof![0_u64..10, 0_u64..10_000, Just(u64::MAX)], 0..200),
        replication in 1_usize..6,
    ) {
        let nodes: Vec<_> = weights.iter().enumerate().map(|(i, &(weight, zone))| {
            Node::new(format!("node-{i:02}")).with_weight(if uniform { 1 } else { weight }).with_zone(zone.to_string())
        }).collect();
        let targets: Vec<_> = costs.iter().enumerate().map(|(i, &cost)| Target::new(i as u64, cost)).collect();
        prop_assume!(nodes.iter().filter(|node| node.weight() > 0).count() >= replication);
        prop_assert_eq!(place(&nodes, &targets, replication), twin(&nodes, &targets, replication));
    }
}
