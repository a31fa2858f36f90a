use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Watch};
use crate::simulator::node::{Node, Stamp, Standing, Told};

/// How long what somebody sent may be on its way, or lie in the socket of a process that is stopped: what it sent before a crash says nothing
/// of what it has after.
const ON_ITS_WAY_NS: u64 = 30_000_000_000;

/// Nobody sends a message to somebody that sent it the same message, unless that one has let see since that it lacks it: it asked, or said
/// something older of the same key. (That may have been on its way for long; it looks the same as from one that lost what it had.)
#[derive(Debug, Default)]
pub struct NoMessageBackToOrigin {
    /// Who had what from whom.
    had: BTreeSet<(usize, u64, Stamp, usize)>,
    restarted_ns: BTreeMap<usize, u64>,
    /// Who knows whom.
    met: BTreeSet<(usize, usize)>,
}

impl<N: Node> Watch<N> for NoMessageBackToOrigin {
    fn received(&mut self, at_ns: u64, from: usize, to: usize, data: &[u8]) -> Result<(), Broken> {
        if self.restarted_ns.get(&from).is_some_and(|restarted_ns| at_ns - restarted_ns < ON_ITS_WAY_NS) {
            return Ok(());
        }
        if N::HAS_MEMBERS && !self.met.contains(&(to, from)) {
            return Ok(());
        }
        if N::asks(data) {
            self.had.retain(|(had, _, _, with)| (*had, *with) != (to, from));
        }
        N::payloads(data, &mut |key, stamp| {
            self.had.retain(|had| {
                *had <= (to, key, stamp, usize::MAX) || (had.0, had.1, had.3) != (to, key, from)
            });
            self.had.insert((to, key, stamp, from));
        });
        Ok(())
    }

    fn streamed(&mut self, _at_ns: u64, from: usize, to: usize) -> Result<(), Broken> {
        // All that it has may come over it, as it was when the stream began.
        self.had.retain(|(had, _, _, with)| (*had, *with) != (to, from));
        Ok(())
    }

    fn told(&mut self, _at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        // Whom it does not know, or takes for gone, is a stranger of whom it does not keep what it had.
        match told {
            Told::Member { of, standing: Standing::Dead | Standing::Left, .. } => {
                self.met.remove(&(node, *of));
                self.had.retain(|(had, _, _, with)| (*had, *with) != (node, *of));
            }
            Told::Member { of, standing: Standing::Alive, .. } => _ = self.met.insert((node, *of)),
            _ => {}
        }
        Ok(())
    }

    fn sent(&mut self, _at_ns: u64, from: usize, to: usize, data: &[u8]) -> Result<(), Broken> {
        let mut back = None;
        N::payloads(data, &mut |key, stamp| {
            if self.had.contains(&(from, key, stamp, to)) {
                back = Some((key, stamp));
            }
        });
        let Some((key, stamp)) = back else { return Ok(()) };
        let what = format!("node {from} sends key {key} of {stamp:?} to node {to}, which it has it from");
        Err(Broken { check: "no_message_back_to_origin", what })
    }

    fn starts(&mut self, at_ns: u64, node: usize) {
        self.had.retain(|(to, _, _, from)| *to != node && *from != node);
        self.met.retain(|(knows, _)| *knows != node);
        self.restarted_ns.insert(node, at_ns);
    }
}
