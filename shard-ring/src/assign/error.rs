//! Why there is no assignment.

use thiserror::Error;

use super::TargetKey;

/// Why targets cannot be assigned. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AssignError {
    /// No replicas were asked for.
    #[error("a target needs at least one replica, not none")]
    NoReplicas,
    /// Replicas are on distinct nodes, and there are not as many that have a weight.
    #[error("{needed} replicas need as many nodes with a weight, and of {nodes} nodes {available} have one")]
    TooFewNodes {
        /// How many replicas were asked for.
        needed: usize,
        /// How many nodes have a weight above zero.
        available: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// Two nodes have the same id.
    #[error("there are two nodes {id:?}")]
    TwoNodes {
        /// The id of both.
        id: String,
    },
    /// Two targets have the same key.
    #[error("there are two targets {key}, of cost {cost} and {other_cost}")]
    TwoTargets {
        /// The key of both.
        key: TargetKey,
        /// The lesser cost.
        cost: u64,
        /// The higher cost.
        other_cost: u64,
    },
}
