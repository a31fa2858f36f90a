#![doc = include_str!("../README.md")]

pub mod dissemination;
mod gossip;
mod key;
pub mod membership;
mod peer;
pub mod state;
mod time;
pub mod wire;

pub use gossip::{
    DatagramError, Event, Gossip, GossipConfig, Heard, Replica, StreamFailure, StreamId, StreamInput,
    Transmit, user_meta,
};
pub use key::{Key, Version};
pub use peer::PeerId;
pub use time::Instant;
