#![doc = include_str!("../README.md")]

pub mod body;
pub mod frame;
pub mod histogram;
pub mod labels;
pub mod metadata;
pub mod negotiate;
pub mod prompb;
pub mod read;
pub mod series;
pub mod snappy;
pub mod write;
pub mod xor;

mod bits;
mod error;
mod gorilla;
mod limits;
mod recycle;
mod wire;

pub use error::{DecodeError, EncodeError, ErrorKind, Limit};
pub use limits::Limits;
