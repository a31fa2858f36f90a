//! Where the replicas of each target go: rendezvous with bounded load, the costliest class of targets first.
//!
//! Every target ranks the nodes, by weight and by chance, and goes to the best that have room: those whose load stays below their fair
//! share and a little headroom. Without the bound nothing moves that need not, and the load is as uneven as the few costly targets are;
//! the bound is reached when nearly all that is left is cheap, so that what it turns away is cheap too, and only nodes that
//! had too much turn anything away. (Bounds that hold from the first target on were tried, and move more: each costly target that is
//! turned away turns away another one. To let those that fit go first, and those turned away after them, gains less than two hundredths
//! of a fair share.) The idea of bounded loads is that of Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with
//! bounded loads", 2016.

use std::cmp::Reverse;

use super::class;
use super::fair::{self, Place};
use super::target::{Target, TargetKey};
use crate::Node;
use crate::hash::{draw, hash_text, mix};
use crate::log2::neg_log2;

/// How far above its fair share a node may come, in thousandths. More moves less, and five in a hundred is what an operator sees as even.
pub(crate) const HEADROOM_PER_MILLE: u128 = 49;

/// One that can have targets.
struct Candidate {
    /// Its place among all nodes.
    node: u32,
    hash: u64,
    weight: u32,
    zone: usize,
    share: u128,
    limit: u128,
    load: u128,
    /// Whether it has this target already: what was last counted up.
    taken: usize,
}

/// The replicas of each target, in the order of targets: `replication` of each, best first.
///
/// Costs O(targets x nodes x replicas). Nodes are sorted by id, targets by key, each without duplicates; at least `replication` nodes have a weight.
pub(crate) fn place(nodes: &[Node], targets: &[Target], replication: usize) -> Vec<u32> {
    let mut candidates = candidates(nodes, targets, replication);
    let uniform = candidates.iter().all(|candidate| candidate.weight == candidates[0].weight);
    let zones = candidates.iter().map(|candidate| candidate.zone + 1).max().unwrap_or(0);

    let mut owners = vec![0; targets.len() * replication];
    let mut scores = vec![0; candidates.len()];
    let mut used = vec![0_usize; zones];
    for (turn, (target, hash)) in in_order(targets).into_iter().enumerate() {
        let cost = u128::from(targets[target].cost());
        for (score, candidate) in scores.iter_mut().zip(&candidates) {
            let number = mix(hash ^ candidate.hash);
            *score = if uniform { !number } else { neg_log2(number) };
        }
        used.fill(0);
        // Zones that have the fewest replicas of it come first; a limit gives way before that does.
        for owner in &mut owners[target * replication..(target + 1) * replication] {
            let free = |candidate: &Candidate| candidate.taken != turn;
            let fewest = if zones == 1 {
                None
            } else {
                candidates.iter().filter(|c| free(c)).map(|c| used[c.zone]).min()
            };
            let open = |candidate: &Candidate| {
                free(candidate) && fewest.is_none_or(|fewest| used[candidate.zone] == fewest)
            };
            let Some(best) = best(&candidates, &scores, |c| open(c) && c.load + cost <= c.limit)
                .or_else(|| emptiest(&candidates, cost, open))
            else {
                continue; // There are at least as many nodes as replicas.
            };
            let candidate = &mut candidates[best];
            candidate.load += cost;
            candidate.taken = turn;
            used[candidate.zone] += 1;
            *owner = candidate.node;
        }
    }
    owners
}

fn candidates(nodes: &[Node], targets: &[Target], replication: usize) -> Vec<Candidate> {
    let with_weight = || nodes.iter().zip(0..).filter(|(node, _)| node.weight() > 0);
    let mut zones: Vec<_> = with_weight().map(|(node, _)| node.zone()).collect();
    zones.sort_unstable();
    zones.dedup();
    let places: Vec<_> = with_weight()
        .map(|(node, _)| Place {
            weight: node.weight(),
            zone: zones.partition_point(|&zone| zone < node.zone()),
        })
        .collect();
    let total = total(targets);
    with_weight()
        .zip(&places)
        .zip(fair::shares(&places, replication))
        .map(|(((node, number), place), share)| Candidate {
            node: number,
            hash: hash_text(node.id()),
            weight: place.weight,
            zone: place.zone,
            share,
            limit: limit(fair::part(share, total)),
            load: 0,
            taken: usize::MAX,
        })
        .collect()
}

/// The fair share of each node in the cost of all targets and their replicas; nothing for those without weight.
pub(crate) fn fair_costs(nodes: &[Node], targets: &[Target], replication: usize) -> Vec<u128> {
    let mut fair = vec![0; nodes.len()];
    let total = total(targets);
    candidates(nodes, targets, replication)
        .iter()
        .for_each(|candidate| fair[candidate.node as usize] = fair::part(candidate.share, total));
    fair
}

fn total(targets: &[Target]) -> u128 {
    targets.iter().map(|target| u128::from(target.cost())).sum()
}

fn limit(fair: u128) -> u128 {
    fair.saturating_add(fair / 1000 * HEADROOM_PER_MILLE + fair % 1000 * HEADROOM_PER_MILLE / 1000)
}

/// Positions and hashes of targets, the costliest class first.
fn in_order(targets: &[Target]) -> Vec<(usize, u64)> {
    let mut order: Vec<_> = targets
        .iter()
        .enumerate()
        .map(|(i, target)| {
            let hash = match target.key() {
                TargetKey::Hash(hash) => draw(*hash, 0),
                TargetKey::Id(id) => hash_text(id),
            };
            (Reverse(class::of_cost(target.cost())), hash, i)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, hash, i)| (i, hash)).collect()
}

/// The one that wants it most.
fn best(candidates: &[Candidate], scores: &[u64], eligible: impl Fn(&Candidate) -> bool) -> Option<usize> {
    let mut best: Option<(u128, u128, usize)> = None;
    for (i, (candidate, &score)) in candidates.iter().zip(scores).enumerate() {
        let (score, weight) = (u128::from(score), u128::from(candidate.weight));
        if best.is_none_or(|(least, of, _)| score * of < least * weight) && eligible(candidate) {
            best = Some((score, weight, i));
        }
    }
    best.map(|(_, _, i)| i)
}

/// The one that would be the least over its fair share. Division of floating point is exactly rounded, so the same everywhere.
fn emptiest(candidates: &[Candidate], cost: u128, eligible: impl Fn(&Candidate) -> bool) -> Option<usize> {
    let filled = |&i: &usize| (candidates[i].load + cost) as f64 / candidates[i].share as f64;
    (0..candidates.len()).filter(|&i| eligible(&candidates[i])).min_by(|a, b| filled(a).total_cmp(&filled(b)))
}

#[cfg(test)]
mod tests;
