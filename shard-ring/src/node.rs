//! Who can own something.

/// A member: of a ring, or among those that share targets.
///
/// Nodes are compared by all of their fields; a ring tells them apart by their [`id`](Self::id) alone, and what a node owns
/// depends on its id and weight, never on its place in a list.
///
/// ```
/// use promha_shard_ring::Node;
///
/// let node = Node::new("collector-1:9090").with_weight(2).with_zone("eu-1").with_shard(1);
/// assert_eq!((node.id(), node.weight(), node.zone(), node.shard()), ("collector-1:9090", 2, "eu-1", Some(1)));
/// assert_eq!(Node::new("a").weight(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    id: String,
    #[cfg_attr(feature = "serde", serde(default = "crate::json::one"))]
    weight: u32,
    #[cfg_attr(feature = "serde", serde(default))]
    zone: String,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    shard: Option<u32>,
}

impl Node {
    /// A node of weight 1, in the zone without a name, without a shard.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), weight: 1, zone: String::new(), shard: None }
    }

    /// Its share beside those of others: a node of weight 2 owns twice what one of weight 1 owns. A node of weight 0 owns
    /// nothing.
    #[must_use]
    pub fn with_weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// What fails with it: replicas stand in different zones while there are enough.
    #[must_use]
    pub fn with_zone(self, zone: impl Into<String>) -> Self {
        Self { zone: zone.into(), ..self }
    }

    /// The number under which it is known where shards are numbered, such as `hashmod` of Prometheus.
    #[must_use]
    pub fn with_shard(self, shard: u32) -> Self {
        Self { shard: Some(shard), ..self }
    }

    /// What it is told apart by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its share beside those of others.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// What fails with it.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Its number, where shards are numbered.
    pub fn shard(&self) -> Option<u32> {
        self.shard
    }
}
