//! The simulator's own tests, and what nodes do in it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bugs;
mod checks;
mod engine;
mod figures;
mod nodes;
mod simulator;
mod theory;
mod transport;
