//! What can go wrong: when a ring is built, when it is asked, when it becomes history.

use thiserror::Error;

/// Why there is no ring of these nodes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RingError {
    /// A ring needs a node that can own something.
    #[error("none of {nodes} nodes has a weight")]
    NoWeight {
        /// How many nodes there are, all of weight 0.
        nodes: usize,
    },
    /// Two nodes have the same id.
    #[error("two nodes have the id {id:?}")]
    DuplicateId {
        /// Theirs.
        id: String,
    },
    /// There are more nodes than can be told apart.
    #[error("{nodes} nodes exceed the limit of {limit}")]
    TooManyNodes {
        /// How many there are.
        nodes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The weights ask for more tokens than the limit.
    #[error("{tokens} tokens exceed the limit of {limit}: divide all weights")]
    TooManyTokens {
        /// How many they ask for.
        tokens: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The number of slots is not a power of two within the limits, or too small for the nodes.
    #[error("{slots} slots: must be a power of two from {least} to {most}")]
    Slots {
        /// How many were asked for.
        slots: usize,
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// The table cannot be compiled for so many replicas, or for none.
    #[error("{replicas} replicas in a table: must be from 1 to {most}")]
    TableReplicas {
        /// How many were asked for.
        replicas: usize,
        /// The most.
        most: usize,
    },
    /// The strategy knows no weights, and they differ. (A weight of 0 is always allowed.)
    #[error("this placement knows no weights, and they are from {lowest} to {highest}")]
    UnequalWeights {
        /// The lowest weight that is not 0.
        lowest: u32,
        /// The highest.
        highest: u32,
    },
    /// The strategy goes by positions, and two nodes have the same.
    #[error("two nodes are shard {shard}")]
    DuplicateShard {
        /// Theirs.
        shard: u32,
    },
    /// The strategy goes by positions, and only some nodes say theirs.
    #[error("{with} nodes have a shard and {without} have none")]
    SomeShards {
        /// How many say it.
        with: usize,
        /// How many do not.
        without: usize,
    },
    /// A node stands beyond the capacity of the strategy.
    #[error("position {position} exceeds the capacity of {capacity}")]
    Capacity {
        /// Where it stands, counted from 0.
        position: usize,
        /// How many positions there are.
        capacity: usize,
    },
}

/// Why a ring has no such replicas. The ring is unchanged, as it always is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// There are fewer nodes with a weight than replicas are wanted.
    #[error("{wanted} replicas wanted of {available} nodes with a weight")]
    TooFewNodes {
        /// How many are wanted.
        wanted: usize,
        /// How many nodes have a weight.
        available: usize,
    },
    /// A table was compiled for fewer replicas than are wanted.
    #[error("{wanted} replicas wanted of a table compiled for {compiled}")]
    NotCompiled {
        /// How many are wanted.
        wanted: usize,
        /// How many there are of each key.
        compiled: usize,
    },
}

/// Why a ring did not become part of the history. The history is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EpochError {
    /// It would begin before the last one did, or with it.
    #[error("an epoch from {from_ms} ms cannot follow one from {last_ms} ms")]
    OutOfOrder {
        /// When it would begin.
        from_ms: i64,
        /// When the last one began.
        last_ms: i64,
    },
}
