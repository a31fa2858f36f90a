//! What is scraped, and what it costs.

use std::fmt;

/// What a target is told apart by. Numbers stand before ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKey {
    /// A hash, where one is at hand.
    Hash(u64),
    /// A name, such as the job and the address.
    Id(String),
}

/// Something to scrape, with what it costs whoever scrapes it.
///
/// ```
/// use promha_shard_ring::{Target, TargetKey};
///
/// let target = Target::new("node/10.0.0.1:9100", 1_200);
/// assert_eq!((target.key(), target.cost()), (&TargetKey::Id("node/10.0.0.1:9100".into()), 1_200));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Target {
    key: TargetKey,
    cost: u64,
}

impl Target {
    /// A target of this name or hash that costs so many samples a scrape (or whatever else all costs are counted in).
    pub fn new(key: impl Into<TargetKey>, cost: u64) -> Self {
        Self { key: key.into(), cost }
    }

    /// What it is told apart by.
    pub fn key(&self) -> &TargetKey {
        &self.key
    }

    /// What it costs each node that has a replica of it.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}

impl From<u64> for TargetKey {
    fn from(hash: u64) -> Self {
        Self::Hash(hash)
    }
}

impl From<&str> for TargetKey {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

impl From<String> for TargetKey {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => write!(formatter, "{hash:016x}"),
            Self::Id(id) => formatter.write_str(id),
        }
    }
}
