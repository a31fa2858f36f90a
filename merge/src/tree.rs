//! The loser tree: who is smallest, who equals it, who comes next. It knows sources by their index and never
//! sees a key.
//!
//! Source `s` of `k` sits at leaf `k + s` of a tree whose node `n` has the children `2n` and `2n + 1`; node 1
//! is the root, and no leaf is deeper than `ceil(log2 k)`. A node keeps the loser of the duel fought there,
//! the winner moves up. A new key therefore meets only the losers on the way from its leaf to the root: one
//! comparison a level, where a heap needs two. (Knuth, The Art of Computer Programming, volume 3, section
//! 5.4.1.)

use std::cmp::Ordering;

#[derive(Debug, Default)]
pub(crate) struct LoserTree {
    sources: usize,
    winner: usize,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    loser: usize,
    /// The loser equals the source that beat it.
    tied: bool,
    visit: Visit,
}

/// How many climbs are still to come past a node.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Visit {
    One,
    /// From both sides: the first climb waits here for the second.
    Both,
    Marked,
}

impl LoserTree {
    pub(crate) fn reset(&mut self, sources: usize) {
        self.sources = sources;
        self.winner = 0;
        self.nodes.clear();
        self.nodes.resize(sources, Node { loser: 0, tied: false, visit: Visit::One });
    }

    /// The source that beats all others, once every source has been played.
    pub(crate) fn winner(&self) -> usize {
        self.winner
    }

    /// Plays the sources whose keys changed. They must be all sources (the first time), or the winner and
    /// every source tied with it: then each node on their way up holds either the best of the untouched side,
    /// or two changed sides meet in it.
    ///
    /// `duel(a, b)` orders two sources by key. On a tie the lower index wins.
    pub(crate) fn play(&mut self, changed: &[usize], mut duel: impl FnMut(usize, usize) -> Ordering) {
        if changed.len() > 1 {
            changed.iter().for_each(|&source| self.mark(source));
        }
        for &source in changed {
            self.climb(source, &mut duel);
        }
    }

    fn mark(&mut self, source: usize) {
        let mut at = (self.sources + source) / 2;
        while at > 0 {
            let node = &mut self.nodes[at];
            if node.visit == Visit::Marked {
                node.visit = Visit::Both;
                return;
            }
            node.visit = Visit::Marked;
            at /= 2;
        }
    }

    fn climb(&mut self, source: usize, duel: &mut impl FnMut(usize, usize) -> Ordering) {
        let mut rising = source;
        let mut at = (self.sources + source) / 2;
        while at > 0 {
            let node = &mut self.nodes[at];
            if node.visit == Visit::Both {
                node.visit = Visit::One;
                node.loser = rising;
                return;
            }
            node.visit = Visit::One;
            let outcome = duel(rising, node.loser);
            node.tied = outcome == Ordering::Equal;
            if outcome.then(rising.cmp(&node.loser)) == Ordering::Greater {
                std::mem::swap(&mut rising, &mut node.loser);
            }
            at /= 2;
        }
        self.winner = rising;
    }

    /// Replaces `group` by the winner and every source that equals it, ascending, and names to `beaten` those
    /// that lost against a member of it without being equal: the best of them is the best of all that are not
    /// in the group. No key is compared: the duels have noted ties.
    pub(crate) fn tied_with_winner(&self, group: &mut Vec<usize>, mut beaten: impl FnMut(usize)) {
        group.clear();
        self.collect(self.winner, 0, group, &mut beaten);
        group.sort_unstable();
    }

    /// Below the node `ceiling`, every duel on the way up from `source` was won by `source`.
    fn collect(&self, source: usize, ceiling: usize, group: &mut Vec<usize>, beaten: &mut impl FnMut(usize)) {
        group.push(source);
        let mut at = (self.sources + source) / 2;
        while at > ceiling {
            let node = self.nodes[at];
            if node.tied {
                self.collect(node.loser, at, group, beaten);
            } else {
                beaten(node.loser);
            }
            at /= 2;
        }
    }
}
