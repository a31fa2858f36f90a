//! The layers as nodes, each alone and all together.

mod control;
mod framing;
mod members;
mod rumour;
mod stored;
mod swim;
mod table;
mod whole;

pub use rumour::Rumour;
pub use stored::{State, Stored};
pub use swim::{Swim, profiles};
pub use table::Table;
pub use whole::Whole;
