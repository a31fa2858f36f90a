//! How Cortex, Mimir and Loki place series on their ring of tokens.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

use crate::Node;

/// The token of a series of a tenant, for [`TokenRing::replicas`]: 32-bit FNV-1 over the tenant and all names and values
/// in their order, with nothing between them.
///
/// Source: `shardByAllLabels` in `pkg/distributor/distributor.go` of Cortex.
///
/// # Complexity
/// Linear in the bytes; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::cortex::shard_by_all_labels;
///
/// assert_eq!(shard_by_all_labels("tenant1", &[("__name__", "up")]), 1811648220);
/// // Nothing between them: these two always share their ingesters.
/// assert_eq!(shard_by_all_labels("t", &[("ab", "c")]), shard_by_all_labels("t", &[("a", "bc")]));
/// ```
pub fn shard_by_all_labels(tenant: &str, labels: &[(&str, &str)]) -> u32 {
    labels.iter().fold(fnv1(0x811c_9dc5, tenant), |hash, (name, value)| fnv1(fnv1(hash, name), value))
}

fn fnv1(hash: u32, text: &str) -> u32 {
    text.bytes().fold(hash, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte))
}

/// The seed from which the nodes of a tenant's shuffle shard are drawn, in each zone anew; without zone awareness the zone
/// is empty. [`GoRand`](super::go_rand::GoRand) draws.
///
/// Source: `ShuffleShardSeed` in `pkg/util/shard.go` of Cortex.
///
/// # Complexity
/// Linear in the bytes; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::cortex::shuffle_shard_seed;
///
/// assert_eq!(shuffle_shard_seed("tenant1", ""), -90632230971250994);
/// ```
pub fn shuffle_shard_seed(tenant: &str, zone: &str) -> i64 {
    let mut md5 = Md5::new();
    md5.update(tenant);
    if !zone.is_empty() {
        md5.update([0]);
        md5.update(zone);
    }
    let digest: [u8; 16] = md5.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A ring of tokens: a series belongs to the owner of the first token above its own, and to the owners of the next ones.
///
/// Ownership only: which instances are alive, and who stands in for one that is not, is for the caller. Zones count if
/// nodes have some; then a zone owns no more than its part of the replicas. Weights mean nothing here: a node with more
/// tokens owns more.
///
/// Source: `Ring.Get` in `pkg/ring/ring.go` of Cortex. The golden vectors have no case of it.
///
/// ```
/// use promha_shard_ring::Node;
/// use promha_shard_ring::compat::cortex::TokenRing;
///
/// let node = |id: &str, zone| Node::new(id).with_zone(zone);
/// let ring = TokenRing::new([
///     (node("a", "z1"), vec![10, 40]),
///     (node("b", "z1"), vec![20]),
///     (node("c", "z2"), vec![30]),
/// ]);
/// let ids = |token, replication| ring.replicas(token, replication).iter().map(|node| node.id()).collect::<Vec<_>>();
/// assert_eq!(ids(10, 1), ["b"], "a token owns what is below it");
/// assert_eq!(ids(9, 2), ["a", "c"], "two zones own one replica each");
/// assert_eq!(ids(40, 3), ["a", "b", "c"]);
/// assert_eq!(ids(0, 4), ["a", "b", "c"], "there are no more");
/// ```
#[derive(Debug, Clone)]
pub struct TokenRing {
    nodes: Vec<Node>,
    zones: usize,
    /// Ascending, each with the place of its owner in `nodes`.
    tokens: Vec<(u32, usize)>,
}

impl TokenRing {
    /// A ring of nodes and their tokens. A token that two nodes have belongs to the one whose id comes first.
    ///
    /// # Complexity
    /// Sorts the tokens.
    pub fn new(nodes: impl IntoIterator<Item = (Node, Vec<u32>)>) -> Self {
        let mut nodes: Vec<(Node, Vec<u32>)> = nodes.into_iter().collect();
        nodes.sort_by(|a, b| a.0.id().cmp(b.0.id()));
        let zones = nodes.iter().map(|(node, _)| node.zone()).collect::<BTreeSet<_>>().len();
        let mut tokens: Vec<(u32, usize)> = nodes
            .iter()
            .enumerate()
            .flat_map(|(place, (_, tokens))| tokens.iter().map(move |&token| (token, place)))
            .collect();
        tokens.sort_unstable();
        tokens.dedup_by_key(|token| token.0);
        Self { nodes: nodes.into_iter().map(|(node, _)| node).collect(), zones, tokens }
    }

    /// The owners of what has this token, the first one first: at most `replication`, fewer if there are fewer nodes or
    /// if zones have not enough of them. The original then fails unless they are a majority.
    ///
    /// With `z` zones, none owns more than `replication / z`, and as many of them one more as the remainder says, first
    /// come, first served.
    ///
    /// # Complexity
    /// A binary search among the tokens, and a walk that is short unless `replication` is near to the number of nodes.
    pub fn replicas(&self, token: u32, replication: usize) -> Vec<&Node> {
        let start = self.tokens.partition_point(|&(own, _)| own <= token);
        let mut owners: Vec<usize> = Vec::new();
        let (share, mut remainder) = (replication / self.zones.max(1), replication % self.zones.max(1));
        let mut in_zones: BTreeMap<&str, usize> = BTreeMap::new();
        for &(_, place) in self.tokens[start..].iter().chain(&self.tokens[..start]) {
            if owners.len() == replication {
                break;
            }
            if owners.contains(&place) {
                continue;
            }
            let zone = self.nodes[place].zone();
            if !zone.is_empty() {
                let in_zone = in_zones.entry(zone).or_default();
                if *in_zone >= share + usize::from(remainder > 0) {
                    continue;
                }
                *in_zone += 1;
                remainder -= usize::from(*in_zone > share);
            }
            owners.push(place);
        }
        owners.into_iter().map(|place| &self.nodes[place]).collect()
    }
}
