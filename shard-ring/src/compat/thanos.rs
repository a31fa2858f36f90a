//! The hashrings by which Thanos receivers share series.

use std::collections::BTreeMap;

use xxhash_rust::xxh64::xxh64;

use super::{CompatError, labels};
use crate::Node;

/// How many sections of the ring a node has.
const SECTIONS: u32 = 1_000;

/// The hash of a series of a tenant: XXH64 over the tenant, 0xFF, and names and values as in
/// [`stable_hash`](labels::stable_hash).
///
/// Source: `HashWithPrefix` in `pkg/store/labelpb` of Thanos.
///
/// # Complexity
/// Linear in the bytes; allocates the tenant once.
///
/// ```
/// use promha_shard_ring::compat::thanos::series_hash;
///
/// assert_eq!(series_hash("tenant1", &[("__name__", "up")]), 1183050993778441604);
/// ```
pub fn series_hash(tenant: &str, labels: &[(&str, &str)]) -> u64 {
    let mut before = tenant.as_bytes().to_vec();
    before.push(0xFF);
    labels::hash_after(&before, labels.iter())
}

/// Where section `number` (counted from 1) of a node stands on the ring.
///
/// Source: `newKetamaHashring` in `pkg/receive/hashring.go` of Thanos.
///
/// # Complexity
/// Linear in the address.
///
/// ```
/// use promha_shard_ring::compat::thanos::section_hash;
///
/// assert_eq!(section_hash("node-0:10901", 1), 9762681304486551115);
/// ```
pub fn section_hash(address: &str, number: u32) -> u64 {
    xxh64(format!("{address}:{number}").as_bytes(), 0)
}

/// The hashring `ketama`: a thousand sections for each node, replicas on different nodes, and in zones of which none has
/// two more than another.
///
/// Node ids are addresses; weights mean nothing here.
///
/// Source: `ketamaHashring` in `pkg/receive/hashring.go` of Thanos.
///
/// ```
/// use promha_shard_ring::Node;
/// use promha_shard_ring::compat::thanos::{Ketama, series_hash};
///
/// let nodes = (0..3).map(|i| Node::new(format!("node-{i}:10901"))).collect();
/// let ring = Ketama::new(nodes, 2)?;
/// let replicas = ring.replicas(series_hash("tenant1", &[("job", "node")]));
/// assert!(replicas.map(Node::id).eq(["node-0:10901", "node-2:10901"]));
/// # Ok::<(), promha_shard_ring::compat::CompatError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ketama {
    nodes: Vec<Node>,
    replication: usize,
    /// Where sections stand, ascending.
    hashes: Vec<u64>,
    /// For each section its replicas, as places in `nodes`.
    replicas: Vec<u32>,
}

impl Ketama {
    /// A ring on which every series has `replication` owners.
    ///
    /// # Complexity
    /// For `n` nodes sorts 1000 `n` sections, and from each walks on until it has found its replicas: a few steps for
    /// each, but up to the whole ring where zones are uneven.
    ///
    /// # Errors
    /// - [`CompatError::Empty`] without nodes or replicas, where Thanos panics when asked;
    /// - [`CompatError::TooFewNodes`], as in Thanos;
    /// - [`CompatError::UnevenZones`] where Thanos would never come to an end: with zones, no zone gets two replicas
    ///   more than the smallest zone has nodes;
    /// - [`CompatError::DuplicateNode`], where it would depend on an unstable sort who owns what.
    pub fn new(nodes: Vec<Node>, replication: usize) -> Result<Self, CompatError> {
        check_nodes(&nodes, replication)?;
        let zones = zones_of(&nodes);
        check_zones(&nodes, &zones, replication)?;

        let mut sections: Vec<(u64, u32)> = (0..)
            .zip(&nodes)
            .flat_map(|(place, node)| (1..=SECTIONS).map(move |i| (section_hash(node.id(), i), place)))
            .collect();
        sections.sort_unstable();
        let mut ring = Self {
            replicas: Vec::with_capacity(sections.len() * replication),
            hashes: sections.iter().map(|section| section.0).collect(),
            replication,
            nodes,
        };
        let zone_of: Vec<usize> =
            ring.nodes.iter().map(|node| zones.get(node.zone()).map_or(0, |zone| zone.place)).collect();
        let mut in_zone = vec![0_usize; zones.len()];
        for start in 0..sections.len() {
            in_zone.fill(0);
            let first = ring.replicas.len();
            for (_, node) in sections[start..].iter().chain(&sections[..start]).cycle() {
                let zone = zone_of[*node as usize];
                let fewest = in_zone.iter().copied().min().unwrap_or(0);
                if ring.replicas[first..].contains(node) || in_zone.len() > 1 && in_zone[zone] > fewest {
                    continue;
                }
                ring.replicas.push(*node);
                in_zone[zone] += 1;
                if ring.replicas.len() - first == replication {
                    break;
                }
            }
        }
        Ok(ring)
    }

    /// The owners of a series, the first one first.
    ///
    /// # Complexity
    /// A binary search among the sections.
    pub fn replicas(&self, series_hash: u64) -> impl Iterator<Item = &Node> {
        let section = self.hashes.partition_point(|&hash| hash < series_hash) % self.hashes.len();
        let start = section * self.replication;
        self.replicas[start..start + self.replication].iter().map(|&node| &self.nodes[node as usize])
    }
}

/// The hashring `hashmod`: nodes in the order of their addresses, the remainder of the hash says the first one.
///
/// Node ids are addresses; weights mean nothing here.
///
/// Source: `simpleHashring` in `pkg/receive/hashring.go` of Thanos.
///
/// ```
/// use promha_shard_ring::Node;
/// use promha_shard_ring::compat::thanos::{Hashmod, series_hash};
///
/// let nodes = (0..3).map(|i| Node::new(format!("node-{i}:10901"))).collect();
/// let ring = Hashmod::new(nodes)?;
/// let replicas = ring.replicas(series_hash("tenant1", &[("job", "node")]), 2)?;
/// assert!(replicas.map(Node::id).eq(["node-2:10901", "node-0:10901"]));
/// # Ok::<(), promha_shard_ring::compat::CompatError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Hashmod {
    nodes: Vec<Node>,
}

impl Hashmod {
    /// A ring of these nodes.
    ///
    /// # Complexity
    /// Sorts the nodes.
    ///
    /// # Errors
    /// [`CompatError::Empty`] without nodes, [`CompatError::ZoneInHashmod`] as in Thanos, and
    /// [`CompatError::DuplicateNode`].
    pub fn new(mut nodes: Vec<Node>) -> Result<Self, CompatError> {
        check_nodes(&nodes, 1)?;
        if let Some(node) = nodes.iter().find(|node| !node.zone().is_empty()) {
            return Err(CompatError::ZoneInHashmod { id: node.id().to_owned() });
        }
        nodes.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        Ok(Self { nodes })
    }

    /// The owners of a series, the first one first.
    ///
    /// # Complexity
    /// Constant.
    ///
    /// # Errors
    /// [`CompatError::TooFewNodes`], as in Thanos.
    pub fn replicas(
        &self,
        series_hash: u64,
        replication: usize,
    ) -> Result<impl Iterator<Item = &Node>, CompatError> {
        let available = self.nodes.len();
        if replication > available {
            return Err(CompatError::TooFewNodes { needed: replication, available });
        }
        // The original adds to the hash first, which may overflow: the remainder then starts anew.
        let place = move |i: usize| (series_hash.wrapping_add(i as u64) % available as u64) as usize;
        Ok((0..replication).map(move |i| &self.nodes[place(i)]))
    }
}

/// A zone: its place among all zones, and how many nodes it has.
struct Zone {
    place: usize,
    nodes: usize,
}

fn zones_of(nodes: &[Node]) -> BTreeMap<String, Zone> {
    let mut zones = BTreeMap::new();
    for node in nodes {
        let place = zones.len();
        zones.entry(node.zone().to_owned()).or_insert(Zone { place, nodes: 0 }).nodes += 1;
    }
    zones
}

fn check_nodes(nodes: &[Node], replication: usize) -> Result<(), CompatError> {
    if nodes.is_empty() || replication == 0 {
        return Err(CompatError::Empty { nodes: nodes.len(), replication });
    }
    if nodes.len() < replication {
        return Err(CompatError::TooFewNodes { needed: replication, available: nodes.len() });
    }
    let mut ids: Vec<&str> = nodes.iter().map(Node::id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(CompatError::DuplicateNode { id: pair[0].to_owned() }),
        None => Ok(()),
    }
}

/// A zone takes another replica only if it has none yet or no more than the zone with the fewest. Once the smallest zone
/// is full, the others get one more each, and then the original walks around the ring for ever.
fn check_zones(
    nodes: &[Node],
    zones: &BTreeMap<String, Zone>,
    replication: usize,
) -> Result<(), CompatError> {
    let smallest = zones.values().map(|zone| zone.nodes).min().unwrap_or(0);
    let available = if zones.len() < 2 {
        nodes.len()
    } else {
        zones.values().map(|zone| zone.nodes.min(smallest + 1)).sum()
    };
    if replication > available {
        return Err(CompatError::UnevenZones { needed: replication, available, smallest });
    }
    Ok(())
}
