//! The layers as nodes.

mod swim;

pub use swim::{Swim, profiles};
