//! How values are written down and read again, by way of serde: as what they were made from, never as what follows from it.
//!
//! So nothing that is read can contradict itself, and what is read answers as it would have had it been made here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Unexpected, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};

use crate::error::RingError;
use crate::{Assignment, Members, Node, Placement, Rendezvous, Ring, Table, Target, TargetKey};

/// Of every shape here. It changes when a shape does, or when the same inputs lead to other answers.
const VERSION: u32 = 1;

/// The weight of a node that says none.
pub(crate) fn one() -> u32 {
    1
}

/// What was written by somebody who answers differently must not be read as if it were ours.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(deserializer)?;
    if version == VERSION {
        return Ok(version);
    }
    Err(D::Error::custom(format_args!("version {version} is not known here, only {VERSION}")))
}

#[derive(serde::Serialize)]
struct WrittenRing<'a> {
    version: u32,
    placement: &'a str,
    nodes: &'a [Node],
}

#[derive(serde::Deserialize)]
struct ReadRing {
    #[serde(rename = "version", deserialize_with = "version")]
    _version: u32,
    placement: String,
    nodes: Vec<Node>,
}

fn write<S: Serializer, P: Placement>(ring: &Ring<P>, serializer: S) -> Result<S::Ok, S::Error> {
    let placement = ring.placement().name();
    WrittenRing { version: VERSION, placement, nodes: ring.nodes() }.serialize(serializer)
}

fn read<'de, D: Deserializer<'de>, P: Placement>(
    deserializer: D,
    place: impl FnOnce(&Members) -> Result<P, RingError>,
) -> Result<Ring<P>, D::Error> {
    let ReadRing { placement, nodes, .. } = ReadRing::deserialize(deserializer)?;
    let ring = Ring::with(nodes, place).map_err(D::Error::custom)?;
    let name = ring.placement().name();
    if placement == name {
        return Ok(ring);
    }
    Err(D::Error::custom(format_args!("a ring by {placement:?} is not one by {name:?}")))
}

/// As its nodes: `{"version":1,"placement":"rendezvous","nodes":[..]}`.
impl Serialize for Ring<Rendezvous> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self, serializer)
    }
}

/// From its nodes. Another version, another placement, and nodes that make no ring are errors.
impl<'de> Deserialize<'de> for Ring<Rendezvous> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, Rendezvous::new)
    }
}

/// As its nodes: `{"version":1,"placement":"table","nodes":[..]}`. It is an error if the table was not made by [`Table::new`], since
/// the numbers it was made with are not written.
impl Serialize for Ring<Table> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.placement().is_default(self.members()) {
            return Err(S::Error::custom(
                "only tables of the default number of slots and replicas are written",
            ));
        }
        write(self, serializer)
    }
}

/// From its nodes, compiled anew. Another version, another placement, and nodes that make no ring are errors.
impl<'de> Deserialize<'de> for Ring<Table> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, Table::new)
    }
}

#[derive(serde::Serialize)]
struct WrittenAssignment<'a> {
    version: u32,
    replication: usize,
    nodes: &'a [Node],
    targets: &'a [Target],
}

#[derive(serde::Deserialize)]
struct ReadAssignment {
    #[serde(rename = "version", deserialize_with = "version")]
    _version: u32,
    replication: usize,
    nodes: Vec<Node>,
    targets: Vec<Target>,
}

/// As its inputs, from which it follows: `{"version":1,"replication":2,"nodes":[..],"targets":[..]}`.
impl Serialize for Assignment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (nodes, targets) = (self.nodes(), self.targets());
        WrittenAssignment { version: VERSION, replication: self.replication(), nodes, targets }
            .serialize(serializer)
    }
}

/// By [`Assignment::new`], whose errors become those of the format. Another version is an error.
impl<'de> Deserialize<'de> for Assignment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = ReadAssignment::deserialize(deserializer)?;
        Self::new(&read.nodes, &read.targets, read.replication).map_err(D::Error::custom)
    }
}

/// A hash as a number, a name as text.
impl Serialize for TargetKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Hash(hash) => serializer.serialize_u64(*hash),
            Self::Id(id) => serializer.serialize_str(id),
        }
    }
}

/// A hash from a number, a name from text: so the format must be one that tells them apart, as JSON and YAML do.
impl<'de> Deserialize<'de> for TargetKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;

        impl Visitor<'_> for Key {
            type Value = TargetKey;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name, or a hash from 0 to 2^64 - 1")
            }

            fn visit_u64<E: serde::de::Error>(self, hash: u64) -> Result<TargetKey, E> {
                Ok(TargetKey::Hash(hash))
            }

            // Some formats know signed numbers alone.
            fn visit_i64<E: serde::de::Error>(self, hash: i64) -> Result<TargetKey, E> {
                let hash =
                    u64::try_from(hash).map_err(|_| E::invalid_value(Unexpected::Signed(hash), &self))?;
                Ok(TargetKey::Hash(hash))
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<TargetKey, E> {
                Ok(TargetKey::Id(id.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, id: String) -> Result<TargetKey, E> {
                Ok(TargetKey::Id(id))
            }
        }

        deserializer.deserialize_any(Key)
    }
}
