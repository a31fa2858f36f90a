//! What several tests of the wire read.

#![allow(dead_code, reason = "each test reads a part of it")]

pub mod shared_state;
pub mod vectors;
