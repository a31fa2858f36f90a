use super::{Broken, Watch, staying};
use crate::simulator::node::Node;
use crate::simulator::world::Seat;

/// In the end everybody holds exactly those for alive that are.
#[derive(Debug)]
pub struct Agreement;

impl<N: Node> Watch<N> for Agreement {
    fn settled(&mut self, _at_ns: u64, seats: &[Seat<N>]) -> Result<(), Broken> {
        if !N::HAS_MEMBERS {
            return Ok(());
        }
        let alive: Vec<usize> = staying(seats).map(|(number, _)| number).collect();
        let mut seen = Vec::new();
        for (number, node) in staying(seats) {
            seen.clear();
            node.living(&mut seen);
            seen.sort_unstable();
            if seen != alive {
                let what = format!("node {number} holds {seen:?} for alive, and alive are {alive:?}");
                return Err(Broken { check: "agreement", what });
            }
        }
        Ok(())
    }
}
