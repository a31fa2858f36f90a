//! How an update comes to everybody.

mod config;
mod control;
mod counters;
mod exchange;
mod hash_keys;
mod hot;
mod index;
mod lane;
mod pack;
mod peer_set;
mod peers;
mod rounds;
mod spread;

pub use config::{Config, Speaks, Style};
pub use control::ControlError;
pub use counters::Counters;
pub use spread::{Dissemination, Event, Source, Verdict};
