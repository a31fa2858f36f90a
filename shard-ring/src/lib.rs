#![doc = include_str!("../README.md")]

mod node;

pub use node::Node;
