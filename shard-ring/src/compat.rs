//! What other systems compute, bit by bit, so that a client, a router or a test can say beforehand what they will do.
//!
//! Nothing here is the way to place anything anew: most of these move more than they have to, or are slower than what
//! the rest of this crate does. They are for standing beside a system that is there. Golden vectors in
//! `testdata/ring.json`, computed by the original programs, freeze every one of them.
//!
//! | module | system | what |
//! |---|---|---|
//! | [`relabel`] | Prometheus | the relabelling action `hashmod` |
//! | [`labels`] | Prometheus | hashes of label sets |
//! | [`thanos`] | Thanos | the hashrings of receivers, `ketama` and `hashmod` |
//! | [`victoria`] | VictoriaMetrics | members of a vmagent cluster, storage nodes of vminsert |
//! | [`cortex`] | Cortex, Mimir, Loki | tokens of series, the token ring, seeds of shuffle shards |
//! | [`spread`] | Mimir, Loki | spread-minimizing tokens |
//! | [`go_rand`] | Go | the random numbers that follow such a seed |
//!
//! Label sets are pairs sorted by name, as everywhere in this crate.

pub mod cortex;
pub mod go_rand;
pub mod labels;
pub mod relabel;
pub mod spread;
pub mod thanos;
pub mod victoria;

/// Why the original system would refuse, or would never answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompatError {
    /// Nothing is left of a division by zero; Prometheus refuses such a configuration.
    #[error("hashmod needs a modulus that is not zero")]
    ZeroModulus,
    /// A ring without nodes, or one that keeps no copy, owns nothing.
    #[error("a ring of {nodes} nodes with {replication} replicas owns nothing")]
    Empty {
        /// How many nodes there are.
        nodes: usize,
        /// How many replicas are asked for.
        replication: usize,
    },
    /// There are fewer nodes than replicas.
    #[error("{needed} replicas need as many nodes, there are {available}")]
    TooFewNodes {
        /// How many replicas are asked for.
        needed: usize,
        /// How many nodes there are.
        available: usize,
    },
    /// The zones are so uneven that Thanos would look for the next replica for ever.
    #[error(
        "{needed} replicas do not fit into zones of which the smallest has {smallest} nodes: {available} do"
    )]
    UnevenZones {
        /// How many replicas are asked for.
        needed: usize,
        /// How many fit.
        available: usize,
        /// How many nodes the smallest zone has.
        smallest: usize,
    },
    /// Two nodes have the same id, so which one owns something would depend on how an unstable sort goes.
    #[error("two nodes are called {id:?}")]
    DuplicateNode {
        /// What both are called.
        id: String,
    },
    /// Thanos has no zones in its `hashmod` rings.
    #[error("node {id:?} has a zone, and a hashmod ring has none")]
    ZoneInHashmod {
        /// The first node that has one.
        id: String,
    },
    /// A name or value that Prometheus cannot encode.
    #[error("a label of {length} bytes is too long: less than {limit} can be encoded")]
    LabelTooLong {
        /// How long the name or the value is.
        length: usize,
        /// The first length that is too long.
        limit: usize,
    },
    /// There are only so many zones that tokens are spread over.
    #[error("zone {zone} is none of the {limit} that there can be")]
    ZoneOutOfRange {
        /// The zone, counted from 0.
        zone: u32,
        /// How many there can be.
        limit: u32,
    },
    /// Tokens got so dense that there is no room for another one.
    #[error("no room for token {token} of instance {instance}")]
    NoRoomForToken {
        /// The instance, counted from 0.
        instance: u32,
        /// The token, counted from 0.
        token: usize,
    },
}
