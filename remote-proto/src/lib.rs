#![doc = include_str!("../README.md")]

pub mod frame;
pub mod histogram;
pub mod negotiate;
pub mod prompb;
pub mod snappy;
pub mod xor;

mod bits;
mod error;
mod gorilla;
mod recycle;
mod wire;

pub use error::{DecodeError, EncodeError, ErrorKind, Limit};
