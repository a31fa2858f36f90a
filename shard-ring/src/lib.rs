#![doc = include_str!("../README.md")]

pub mod compat;
pub mod prometheus;

mod node;

pub use node::Node;
