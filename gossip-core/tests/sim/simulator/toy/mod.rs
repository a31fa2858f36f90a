//! Nodes that are made for the simulator: to load it, to break its checks, and to compare others with.

mod bounce;
mod memberlist;
mod simple;

pub use bounce::Bounce;
pub use memberlist::Retransmit;
pub use simple::{Flaw, Simple};
