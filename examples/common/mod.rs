//! What the programs share.

pub mod duration;
pub mod secret;
pub mod yaml;
