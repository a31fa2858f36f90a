//! The layers as nodes.

mod framing;
mod rumour;
mod swim;

pub use rumour::Rumour;
pub use swim::{Swim, profiles};
