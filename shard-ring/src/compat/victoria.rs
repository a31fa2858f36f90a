//! Members of a vmagent cluster, and the storage nodes that vminsert writes to.

use std::iter;

use xxhash_rust::xxh64::{Xxh64, xxh64};

/// The hash by which members of a vmagent cluster share targets: XXH64 over `name=value,` for each label that the target
/// has after relabelling.
///
/// Source: `lib/promscrape/config.go` in VictoriaMetrics.
///
/// # Complexity
/// Linear in the bytes; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::victoria::scrape_hash;
///
/// assert_eq!(scrape_hash(&[("__name__", "up")]), 1145629504817097122);
/// ```
pub fn scrape_hash(labels: &[(&str, &str)]) -> u64 {
    let mut hash = Xxh64::new(0);
    for (name, value) in labels {
        for part in [name, "=", value, ","] {
            hash.update(part.as_bytes());
        }
    }
    hash.digest()
}

/// The numbers (`-promscrape.cluster.memberNum`) of the members that scrape a target: the one its hash says, and those
/// after it. Each is named once, also if there are fewer members than replicas. No replicas are one replica, and no
/// members one member, as in vmagent.
///
/// Source: `lib/promscrape/config.go` in VictoriaMetrics.
///
/// # Complexity
/// Constant for each number.
///
/// ```
/// use promha_shard_ring::compat::victoria::{scrape_hash, scrape_members};
///
/// let hash = scrape_hash(&[("a", "b")]);
/// assert!(scrape_members(hash, 5, 2).eq([4, 0]));
/// assert!(scrape_members(hash, 0, 0).eq([0]));
/// ```
pub fn scrape_members(hash: u64, members: u64, replication: u64) -> impl Iterator<Item = u64> {
    let members = members.max(1);
    let first = hash % members;
    let after = replication.clamp(1, members) - 1;
    // Not (first + i) % members, which could exceed 64 bits.
    iter::successors(Some(first), move |&last| Some(if last + 1 == members { 0 } else { last + 1 }))
        .zip(0..=after)
        .map(|(member, _)| member)
}

/// The hash by which vminsert finds the storage node of a series: XXH64 over the tenant, and names and values after
/// their lengths. Labels come in the order in which they were received, which vminsert sorts if it is told to.
///
/// Lengths are 16 bits and overflow in silence, as in the original.
///
/// Source: `GetStorageNodeIdx` in `app/vminsert/netstorage/insert_ctx.go` of the cluster version of VictoriaMetrics.
///
/// # Complexity
/// Linear in the bytes; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::victoria::insert_hash;
///
/// assert_eq!(insert_hash(0, 0, &[("__name__", "up")]), 16992283632703325935);
/// ```
pub fn insert_hash(account: u32, project: u32, labels: &[(&str, &str)]) -> u64 {
    let mut hash = Xxh64::new(0);
    hash.update(&account.to_be_bytes());
    hash.update(&project.to_be_bytes());
    for text in labels.iter().flat_map(|&(name, value)| [name, value]) {
        hash.update(&(text.len() as u16).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.digest()
}

/// Rendezvous hashing as in vminsert: every storage node is a candidate for every series.
///
/// Source: `lib/consistenthash/consistent_hash.go` in VictoriaMetrics.
///
/// ```
/// use promha_shard_ring::compat::victoria::ConsistentHash;
///
/// let nodes = ["vmstorage-0:8400", "vmstorage-1:8400"];
/// let ring = ConsistentHash::new(nodes, 0);
/// assert_eq!(ring.owner(1358662563146998643, &[]), Some(1));
/// assert_eq!(ring.owner(1358662563146998643, &[1]), Some(0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistentHash {
    seed: u64,
    nodes: Vec<u64>,
}

impl ConsistentHash {
    /// Nodes by their addresses, in the order in which they are numbered. vminsert has the seed 0, unless two levels
    /// stand behind each other.
    pub fn new<N: AsRef<str>>(addresses: impl IntoIterator<Item = N>, seed: u64) -> Self {
        let nodes = addresses.into_iter().map(|address| xxh64(address.as_ref().as_bytes(), 0)).collect();
        Self { seed, nodes }
    }

    /// The number of the node that a hash belongs to, without those that are excluded. None is, if as many are excluded
    /// as there are. `None` if there are no nodes.
    ///
    /// # Complexity
    /// A few instructions for each node, and a look through the excluded ones.
    pub fn owner(&self, hash: u64, excluded: &[usize]) -> Option<usize> {
        let excluded = if excluded.len() == self.nodes.len() { &[] } else { excluded };
        let mut best = (0, (!self.nodes.is_empty()).then_some(0));
        for (number, &node) in self.nodes.iter().enumerate().filter(|(number, _)| !excluded.contains(number))
        {
            let mixed = mix(node ^ hash ^ self.seed);
            if mixed > best.0 {
                best = (mixed, Some(number));
            }
        }
        best.1
    }
}

/// One step of xorshift64*.
fn mix(mut x: u64) -> u64 {
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    x.wrapping_mul(2_685_821_657_736_338_717)
}
