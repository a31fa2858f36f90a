use super::{Broken, Watch};
use crate::simulator::node::{Node, Queues};

/// Nobody ever keeps more for later than its limits say.
#[derive(Debug)]
pub struct BoundedQueues {
    pub limit: Queues,
}

impl<N: Node> Watch<N> for BoundedQueues {
    fn stepped(&mut self, _at_ns: u64, node: usize, state: &N) -> Result<(), Broken> {
        let (kept, limit) = (state.queues(), self.limit);
        if kept.messages <= limit.messages && kept.bytes <= limit.bytes {
            return Ok(());
        }
        let what = format!("node {node} keeps {kept:?}, at most {limit:?} is allowed");
        Err(Broken { check: "bounded_queues", what })
    }
}
