//! The layers as nodes, each alone and all together.

mod control;
mod framing;
mod members;
mod rumour;
mod swim;
mod table;
mod whole;

pub use rumour::Rumour;
pub use swim::{Swim, profiles};
pub use whole::Whole;
