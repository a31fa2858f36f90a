use std::collections::BTreeMap;

use super::{Broken, Watch, staying};
use crate::simulator::node::{Node, Stamp};
use crate::simulator::world::{Action, Seat};

/// In the end all have the same state, and nothing is missing that was written by somebody who did not crash since.
#[derive(Debug, Default)]
pub struct Convergence {
    /// By writer and key.
    written: BTreeMap<(usize, u64), Stamp>,
}

impl<N: Node> Watch<N> for Convergence {
    fn acted(&mut self, _at_ns: u64, action: &Action, seats: &[Seat<N>]) -> Result<(), Broken> {
        match action {
            Action::Write { node, key, .. } => {
                let written = seats[*node].node.as_ref().and_then(|state| state.value(*key));
                if let Some((stamp, _)) = written {
                    self.written.insert((*node, *key), stamp);
                }
            }
            Action::Crash { node, .. } => self.written.retain(|(writer, _), _| writer != node),
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, _at_ns: u64, seats: &[Seat<N>]) -> Result<(), Broken> {
        let broken = |what| Err(Broken { check: "convergence", what });
        let Some((first, state)) = staying(seats).next() else { return Ok(()) };
        for (number, node) in staying(seats) {
            if node.state() != state.state() {
                return broken(format!("nodes {first} and {number} differ"));
            }
        }
        for (&(writer, key), &stamp) in &self.written {
            for (number, node) in staying(seats) {
                let held = node.value(key).map(|(stamp, _)| stamp);
                if held < Some(stamp) {
                    return broken(format!(
                        "node {number} has {held:?} of key {key}, and node {writer} wrote {stamp:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
