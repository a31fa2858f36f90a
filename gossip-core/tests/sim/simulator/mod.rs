//! A simulator of gossip: nodes that only know what they are told, a network that does its worst, and checks that look on. It is used by
//! the tests and by the command `simulate`.
//!
//! - [`world`] runs it: time jumps from event to event ([`wheel`]), datagrams travel a [`network`], bytes travel [`streams`];
//! - [`node`] is what a node has to offer; [`toy`] are nodes made to test the simulator and to compare with, [`real`] are ours: each layer
//!   alone, and all together; [`kinds`] names them;
//! - [`checks`] are what must hold at every step and in the end;
//! - [`plan`] makes a scenario of a seed, [`night`] plays many, [`bugs`] are known ones; [`figures`] is what is measured.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "no test uses all of it; a test fails by panicking"
)]

pub mod bugs;
pub mod checks;
pub mod figures;
pub mod kinds;
pub mod network;
pub mod night;
pub mod node;
pub mod plan;
pub mod real;
pub mod streams;
pub mod toy;
pub mod wheel;
pub mod world;
