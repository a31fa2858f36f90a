#![doc = include_str!("../README.md")]

mod assign;
pub mod compat;
mod epochs;
mod error;
mod hash;
#[cfg(feature = "serde")]
mod json;
mod log2;
mod members;
mod moves;
mod node;
mod picks;
mod placement;
pub mod prometheus;
pub mod report;
mod ring;

pub use assign::{AssignError, Assignment, Handover, NodeLoad, Target, TargetKey, TargetMove, handover};
pub use epochs::{Epoch, Epochs};
pub use error::{EpochError, PlacementError, RingError};
pub use hash::{hash_labels, hash_text};
pub use members::Members;
pub use moves::{Flow, Move, Moves};
pub use node::Node;
pub use picks::Picks;
pub use placement::anchor::Anchor;
pub use placement::bounded::Bounded;
pub use placement::jump::Jump;
pub use placement::rendezvous::Rendezvous;
pub use placement::table::Table;
pub use placement::tokens::TokenRing;
pub use placement::{Arc, Placement, position};
pub use report::Report;
pub use ring::{Replicas, Ring};
