//! The loser tree: who is smallest, who equals it, who comes next. It knows sources by their index and never
//! sees a key; at most codes of them.
//!
//! Source `s` of `k` sits at leaf `k + s` of a tree whose node `n` has the children `2n` and `2n + 1`; node 1
//! is the root, and no leaf is deeper than `ceil(log2 k)`. A node keeps the loser of the duel fought there,
//! the winner moves up. A new key therefore meets only the losers on the way from its leaf to the root: one
//! comparison a level, where a heap needs two. (Knuth, The Art of Computer Programming, volume 3, section
//! 5.4.1.)

use std::cmp::Ordering;
use std::hint::select_unpredictable;

use crate::key::Code;

#[derive(Debug, Default)]
pub(crate) struct LoserTree {
    sources: usize,
    winner: usize,
    /// Where codes are played.
    winner_code: Code,
    nodes: Vec<Node>,
    /// In how many nodes the loser equals the source that beat it.
    ties: usize,
}

/// Sixteen bytes: a tree of 64 sources is a kilobyte.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// The loser's, where codes are played: a duel touches nothing but the node.
    code: Code,
    loser: u32,
    /// The loser equals the source that beat it.
    tied: bool,
    visit: Visit,
}

impl Node {
    const NEW: Self = Self { code: Code::NONE, loser: 0, tied: false, visit: Visit::One };
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
        self.ties = 0;
        self.winner_code = Code::NONE;
        self.nodes.clear();
        self.nodes.resize(sources, Node::NEW);
    }

    /// The source that beats all others, once every source has been played.
    pub(crate) fn winner(&self) -> usize {
        self.winner
    }

    /// The code with which it beat them.
    pub(crate) fn winner_code(&self) -> Code {
        self.winner_code
    }

    /// No source equals the winner, or any other that it lost to.
    pub(crate) fn has_no_ties(&self) -> bool {
        self.ties == 0
    }

    /// Plays the sources whose keys changed. They must be all sources (the first time), or the winner and
    /// every source tied with it: then each node on their way up holds either the best of the untouched side,
    /// or two changed sides meet in it.
    ///
    /// `duel(a, b)` orders two sources by key. On a tie the lower index wins.
    pub(crate) fn play(&mut self, changed: &[usize], mut duel: impl FnMut(usize, usize) -> Ordering) {
        if let [source] = *changed {
            return self.climb_alone(source, &mut duel);
        }
        changed.iter().for_each(|&source| self.mark(source));
        for &source in changed {
            self.climb(source, &mut duel);
        }
    }

    /// The climb of the only source whose key changed: nobody waits for anybody.
    fn climb_alone(&mut self, source: usize, duel: &mut impl FnMut(usize, usize) -> Ordering) {
        let mut rising = source;
        let mut at = (self.sources + source) / 2;
        while at > 0 {
            rising = self.fight(at, rising, duel);
            at /= 2;
        }
        self.winner = rising;
    }

    /// As [`play`](Self::play), where codes decide nearly all duels: their order is the one of the keys, unless two are the
    /// same. Then `duel(a, b, code)` looks at the keys, and says what becomes of the loser's code. `codes` has those of the
    /// sources that changed; the one of a source without a key is [`Code::NONE`].
    ///
    /// Gives the number of duels.
    #[inline]
    pub(crate) fn play_codes(
        &mut self,
        changed: &[usize],
        codes: &[Code],
        mut duel: impl FnMut(usize, usize, Code) -> (Ordering, Code),
    ) -> u64 {
        changed.iter().for_each(|&source| self.mark(source));
        changed.iter().map(|&source| self.climb_codes::<false>(source, codes[source], &mut duel)).sum()
    }

    /// The same if only one source changed, which spares looking out for others.
    #[inline]
    pub(crate) fn play_code(
        &mut self,
        source: usize,
        code: Code,
        mut duel: impl FnMut(usize, usize, Code) -> (Ordering, Code),
    ) -> u64 {
        self.climb_codes::<true>(source, code, &mut duel)
    }

    /// Who wins shows no pattern that a processor could learn, so it is selected and not branched on. Compilers respect that only as long
    /// as both selections differ: of two that are alike they make one, with a branch before it.
    #[inline]
    fn climb_codes<const ALONE: bool>(
        &mut self,
        source: usize,
        mut code: Code,
        duel: &mut impl FnMut(usize, usize, Code) -> (Ordering, Code),
    ) -> u64 {
        let mut rising = source as u32;
        let mut at = (self.sources + source) / 2;
        let mut duels = 0;
        while at > 0 {
            let node = &mut self.nodes[at];
            // Who climbs alone meets nobody who waits, nor anybody tied: that one would climb, too.
            if !ALONE {
                let waits = node.visit == Visit::Both;
                node.visit = Visit::One;
                if waits {
                    (node.loser, node.code) = (rising, code);
                    return duels;
                }
                self.ties -= usize::from(node.tied);
                node.tied = false;
            }
            duels += 1;
            let loser = node.loser;
            if code != node.code {
                let rises = code < node.code;
                (node.code, code) = (code.max(node.code), code.min(node.code));
                node.loser = select_unpredictable(rises, loser, rising);
                rising = select_unpredictable(rises, rising, loser);
            } else if code != Code::NONE {
                let (order, beaten) = duel(rising as usize, loser as usize, code);
                node.code = beaten;
                node.tied = order == Ordering::Equal;
                self.ties += usize::from(node.tied);
                // Of equal ones it does not matter.
                let pair = u64::from(loser) << 32 | u64::from(rising);
                let pair = select_unpredictable(order == Ordering::Less, pair, pair.rotate_left(32));
                (node.loser, rising) = ((pair >> 32) as u32, pair as u32);
            }
            at /= 2;
        }
        (self.winner, self.winner_code) = (rising as usize, code);
        duels
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
            let waits = node.visit == Visit::Both;
            node.visit = Visit::One;
            if waits {
                node.loser = rising as u32;
                return;
            }
            rising = self.fight(at, rising, duel);
            at /= 2;
        }
        self.winner = rising;
    }

    /// Who moves up from a node. The other one stays there.
    fn fight(&mut self, at: usize, rising: usize, duel: &mut impl FnMut(usize, usize) -> Ordering) -> usize {
        let node = &mut self.nodes[at];
        let loser = node.loser as usize;
        let outcome = duel(rising, loser);
        let tied = outcome == Ordering::Equal;
        self.ties = self.ties + usize::from(tied) - usize::from(node.tied);
        node.tied = tied;
        let rises = outcome.then(rising.cmp(&loser)) != Ordering::Greater;
        let (winner, loser) = if rises { (rising, loser) } else { (loser, rising) };
        node.loser = loser as u32;
        winner
    }

    /// Replaces `group` by the winner and every source that equals it, ascending. No key is compared: the duels have
    /// noted ties.
    #[inline]
    pub(crate) fn tied_with_winner(&self, group: &mut Vec<usize>) {
        if let ([only], 0) = (&mut **group, self.ties) {
            *only = self.winner;
        } else if self.ties == 0 {
            group.clear();
            group.push(self.winner);
        } else {
            self.tied_and_beaten(group, |_| ());
        }
    }

    /// The same, and names to `beaten` those that lost against a member of the group without being equal: the best of
    /// them is the best of all that are not in it.
    pub(crate) fn tied_and_beaten(&self, group: &mut Vec<usize>, mut beaten: impl FnMut(usize)) {
        group.clear();
        self.collect(self.winner, 0, group, &mut beaten);
        if group.len() > 1 {
            group.sort_unstable();
        }
    }

    /// Below the node `ceiling`, every duel on the way up from `source` was won by `source`.
    fn collect(&self, source: usize, ceiling: usize, group: &mut Vec<usize>, beaten: &mut impl FnMut(usize)) {
        group.push(source);
        let mut at = (self.sources + source) / 2;
        while at > ceiling {
            let node = self.nodes[at];
            if node.tied {
                self.collect(node.loser as usize, at, group, beaten);
            } else {
                beaten(node.loser as usize);
            }
            at /= 2;
        }
    }
}
