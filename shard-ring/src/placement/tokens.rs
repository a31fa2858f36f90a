//! The token ring: nodes stand at many places of a circle, and a key belongs to the next one.

use std::ops::ControlFlow;

use super::{Arc, Placement, position};
use crate::error::RingError;
use crate::hash::draw;
use crate::members::Members;

/// Consistent hashing as most systems know it. A node has as many tokens as its weight says; a key belongs to the node of the
/// first token at its position or after it. Nothing moves needlessly; shares are less even than with
/// [`Rendezvous`](crate::Rendezvous) (by 1/√tokens), but it does not ask every node.
///
/// The circle is cut into as many equal parts as there are tokens, about, and of each it is known where its first token is; so a
/// lookup need not search.
///
/// # Cost
/// `O(1)` for an owner, expected; the walk to distinct nodes and zones for replicas. 14 bytes for each token.
///
/// # Source
/// Karger et al., "Consistent hashing and random trees", 1997.
///
/// ```
/// use promha_shard_ring::{Node, Ring, TokenRing};
///
/// let ring = Ring::with([Node::new("a").with_zone("x"), Node::new("b").with_zone("x"), Node::new("c")], TokenRing::new)?;
/// let mut zones: Vec<&str> = ring.replicas(42, 2)?.map(Node::zone).collect();
/// zones.sort();
/// assert_eq!(zones, ["", "x"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenRing {
    /// Ascending; of equal ones, only the one of the first node.
    tokens: Vec<u64>,
    owners: Vec<u16>,
    /// Of each part of the circle, the first token in it or after it.
    first: Vec<u32>,
    /// How far a position is shifted to find its part.
    shift: u32,
}

impl TokenRing {
    /// Tokens for each unit of weight, if nothing else is said: shares are within some 4 % of even.
    pub const TOKENS: u32 = 512;
    /// The most tokens of a ring: 2^26, which take 1 GiB.
    pub const LIMIT: u64 = 1 << 26;

    /// With [`TOKENS`](Self::TOKENS) for each unit of weight.
    ///
    /// # Errors
    /// If the weights ask for too many tokens.
    pub fn new(members: &Members) -> Result<Self, RingError> {
        Self::with_tokens(members, Self::TOKENS)
    }

    /// With so many tokens for each unit of weight (0 counts as 1).
    ///
    /// # Errors
    /// If the weights ask for too many tokens.
    pub fn with_tokens(members: &Members, tokens_per_weight: u32) -> Result<Self, RingError> {
        let per_weight = u64::from(tokens_per_weight.max(1));
        let count = members.total_weight().saturating_mul(per_weight);
        if count > Self::LIMIT {
            return Err(RingError::TooManyTokens { tokens: count, limit: Self::LIMIT });
        }
        let mut pairs: Vec<(u64, u16)> = Vec::with_capacity(count as usize);
        for &index in members.weighted() {
            let own = u64::from(members.nodes()[usize::from(index)].weight()) * per_weight;
            pairs.extend((0..own).map(|i| (draw(members.seed(index), i), index)));
        }
        pairs.sort_unstable();
        pairs.dedup_by_key(|pair| pair.0);
        let (tokens, owners): (Vec<u64>, Vec<u16>) = pairs.into_iter().unzip();
        let parts = tokens.len().next_power_of_two().max(2);
        let shift = 64 - parts.trailing_zeros();
        let mut first = Vec::with_capacity(parts);
        let mut at = 0;
        for part in 0..parts as u64 {
            while tokens.get(at).is_some_and(|&token| token < part << shift) {
                at += 1;
            }
            first.push(at as u32);
        }
        Ok(Self { tokens, owners, first, shift })
    }

    /// The index of the first token at a position or after it.
    #[inline]
    fn token(&self, position: u64) -> usize {
        let mut at = self.first[(position >> self.shift) as usize] as usize;
        while self.tokens.get(at).is_some_and(|&token| token < position) {
            at += 1;
        }
        if at == self.tokens.len() { 0 } else { at }
    }
}

impl Placement for TokenRing {
    fn name(&self) -> &'static str {
        "tokens"
    }

    #[inline]
    fn owner(&self, key: u64) -> u16 {
        self.owners[self.token(position(key))]
    }

    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        let (before, after) = self.owners.split_at(self.token(position(key)));
        let _ = after.iter().chain(before).try_for_each(|&owner| visit(owner));
    }

    fn arcs(&self) -> Option<Box<dyn Iterator<Item = Arc> + '_>> {
        let arcs = self.tokens.iter().zip(&self.owners).map(|(&last, &owner)| Arc { last, owner });
        let end = Arc { last: u64::MAX, owner: self.owners[0] };
        let wraps = self.tokens.last() != Some(&u64::MAX);
        Some(Box::new(arcs.chain(wraps.then_some(end))))
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.tokens) + size_of_val(&*self.owners) + size_of_val(&*self.first)
    }
}

impl std::fmt::Debug for TokenRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenRing {{ {} tokens }}", self.tokens.len())
    }
}
