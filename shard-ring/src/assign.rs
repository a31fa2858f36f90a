//! Who scrapes what, when targets cost differently much.

mod changes;
mod class;
mod error;
mod fair;
mod place;
mod target;

use crate::Node;

pub use changes::{Handover, TargetMove, handover};
pub use error::AssignError;
pub use target::{Target, TargetKey};

/// Which nodes have which targets: a value that depends on the members, the targets and the number of replicas alone.
///
/// Neither the order of the two lists nor an earlier assignment matters, so that everybody who knows the lists comes to the same
/// answer, on every platform, without talking. Replicas of a target are on distinct nodes, and in distinct zones while
/// there are enough (then no zone has two more than another that has a node left). No node takes what would
/// bring it more than 4.9 % above its fair share of the cost, unless no other has room; a single target that costs more than that goes
/// to some node all the same.
///
/// ```
/// use promha_shard_ring::{Assignment, Node, Target};
///
/// let nodes = ["a", "b", "c"].map(|zone| Node::new(format!("collector-{zone}")).with_zone(zone));
/// let targets: Vec<_> = (0..1_000).map(|i| Target::new(format!("10.0.0.{i}:9100"), 100 + i % 7 * 300)).collect();
/// let assignment = Assignment::new(&nodes, &targets, 2)?;
///
/// let replicas: Vec<_> = assignment.replicas(targets[0].key()).collect();
/// assert_eq!(replicas.len(), 2);
/// assert_ne!(replicas[0].zone(), replicas[1].zone());
/// assert!(assignment.loads().all(|load| load.cost as f64 <= 1.05 * load.fair_cost as f64));
/// # Ok::<(), promha_shard_ring::AssignError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// By id.
    nodes: Vec<Node>,
    /// By key.
    targets: Vec<Target>,
    replication: usize,
    /// Positions of nodes, `replication` for each target, best first.
    owners: Vec<u32>,
}

/// What a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLoad<'a> {
    /// The node.
    pub node: &'a Node,
    /// How many targets it has a replica of.
    pub targets: usize,
    /// What they cost together.
    pub cost: u128,
    /// What they would cost if cost could be divided: its part by weight, as far as zones and replicas allow.
    pub fair_cost: u128,
}

impl Assignment {
    /// Assigns each target to so many nodes. Nodes of weight zero have none.
    ///
    /// Costs O(targets x nodes x replicas): some 40 ms for 100,000 targets, 50 nodes and two replicas, 150 ms
    /// with weights and zones.
    ///
    /// # Errors
    ///
    /// If no replicas are asked for or more than there are nodes with a weight, or if two nodes have the same id or two targets the same
    /// key.
    pub fn new(nodes: &[Node], targets: &[Target], replication: usize) -> Result<Self, AssignError> {
        let (nodes, targets) = (sorted(nodes), sorted(targets));
        check(&nodes, &targets, replication)?;
        let owners = place::place(&nodes, &targets, replication);
        Ok(Self { nodes, targets, replication, owners })
    }

    /// The nodes, by id.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The targets, by key.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// How many nodes have each target.
    pub fn replication(&self) -> usize {
        self.replication
    }

    /// The nodes that have a target, best first; none if there is no such target. Costs a binary search.
    pub fn replicas(&self, key: &TargetKey) -> impl Iterator<Item = &Node> {
        let found = self.targets.binary_search_by(|target| target.key().cmp(key));
        found.ok().into_iter().flat_map(|i| self.replicas_at(i))
    }

    /// Each target with the nodes that have it, best first, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, impl Iterator<Item = &Node>)> {
        self.targets.iter().enumerate().map(|(i, target)| (target, self.replicas_at(i)))
    }

    /// What a node has, in the order of keys, each with its rank among the replicas: zero for the first. Nothing if there is no such node.
    /// Costs O(targets x replicas).
    ///
    /// ```
    /// use promha_shard_ring::{Assignment, Node, Target};
    ///
    /// let assignment = Assignment::new(&["a", "b"].map(Node::new), &[Target::new("x", 1), Target::new("y", 2)], 2)?;
    /// assert!(assignment.targets_of("a").map(|(target, _)| target.cost()).eq([1, 2]));
    /// # Ok::<(), promha_shard_ring::AssignError>(())
    /// ```
    pub fn targets_of(&self, id: &str) -> impl Iterator<Item = (&Target, usize)> {
        let node = self.nodes.iter().zip(0_u32..).find(|(node, _)| node.id() == id).map(|(_, number)| number);
        self.targets.iter().zip(self.owners.chunks_exact(self.replication)).filter_map(
            move |(target, owners)| {
                owners.iter().position(|&owner| Some(owner) == node).map(|rank| (target, rank))
            },
        )
    }

    /// What each node has, by id. Costs O(targets x replicas).
    pub fn loads(&self) -> impl Iterator<Item = NodeLoad<'_>> {
        let mut loads = vec![(0, 0_u128); self.nodes.len()];
        for (target, owners) in self.targets.iter().zip(self.owners.chunks_exact(self.replication)) {
            for &owner in owners {
                let (targets, cost) = &mut loads[owner as usize];
                *targets += 1;
                *cost += u128::from(target.cost());
            }
        }
        let fair = place::fair_costs(&self.nodes, &self.targets, self.replication);
        self.nodes.iter().zip(loads).zip(fair).map(|((node, (targets, cost)), fair_cost)| NodeLoad {
            node,
            targets,
            cost,
            fair_cost,
        })
    }

    fn replicas_at(&self, target: usize) -> impl Iterator<Item = &Node> {
        let owners = &self.owners[target * self.replication..(target + 1) * self.replication];
        owners.iter().map(|&owner| &self.nodes[owner as usize])
    }
}

fn sorted<T: Clone + Ord>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list
}

/// Of lists that are sorted.
fn check(nodes: &[Node], targets: &[Target], replication: usize) -> Result<(), AssignError> {
    if replication == 0 {
        return Err(AssignError::NoReplicas);
    }
    let available = nodes.iter().filter(|node| node.weight() > 0).count();
    if available < replication {
        return Err(AssignError::TooFewNodes { needed: replication, available, nodes: nodes.len() });
    }
    if let Some(pair) = nodes.windows(2).find(|pair| pair[0].id() == pair[1].id()) {
        return Err(AssignError::TwoNodes { id: pair[0].id().to_owned() });
    }
    if let Some(pair) = targets.windows(2).find(|pair| pair[0].key() == pair[1].key()) {
        let (key, cost, other_cost) = (pair[0].key().clone(), pair[0].cost(), pair[1].cost());
        return Err(AssignError::TwoTargets { key, cost, other_cost });
    }
    Ok(())
}
