//! A merge of one's own, to be tested with.

use promha_gossip_core::state::{Choice, Held, Merge};

/// Sets that grow: a byte is in or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Union;

impl Merge for Union {
    fn merge(&self, _key: &[u8], ours: Held<'_>, theirs: Held<'_>, into: &mut Vec<u8>) -> Choice {
        let mut all = [ours.value, theirs.value].concat();
        all.sort_unstable();
        all.dedup();
        if all == ours.value {
            return Choice::Ours;
        }
        if all == theirs.value {
            return Choice::Theirs;
        }
        into.extend_from_slice(&all);
        Choice::Both
    }
}
