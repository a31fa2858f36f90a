//! What several tests of the wire read.

#![allow(dead_code, reason = "each test reads a part of it")]

pub(crate) mod loose;
pub(crate) mod made;
pub(crate) mod shared_state;
pub(crate) mod vectors;
