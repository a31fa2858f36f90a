#![doc = include_str!("../README.md")]

pub mod dissemination;
mod key;
pub mod membership;
mod peer;
pub mod state;
mod time;
pub mod wire;

pub use key::{Key, Version};
pub use peer::PeerId;
pub use time::Instant;
