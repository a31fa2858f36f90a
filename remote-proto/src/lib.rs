#![doc = include_str!("../README.md")]

pub mod frame;
pub mod negotiate;
pub mod prompb;
pub mod snappy;
pub mod xor;

mod bits;
mod error;
mod recycle;
mod wire;

pub use error::{DecodeError, EncodeError, ErrorKind, Limit};
