//! What makes a real Prometheus keep the share of one shard: `relabel_configs` that drop the rest, or a discovery that
//! hands out no more than that.

mod sd;
mod shard;

pub use sd::target_groups;
pub use shard::{Shard, ShardError};
