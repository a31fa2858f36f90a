//! The simulator's own tests, and what nodes do in it.

mod bugs;
mod checks;
mod engine;
mod figures;
mod nodes;
mod simulator;
mod theory;
mod transport;
