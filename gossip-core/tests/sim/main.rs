//! The simulator's own tests, and what nodes do in it.

mod engine;
mod simulator;
