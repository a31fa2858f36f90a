//! A short list of nodes, by index, that needs no allocation while it is short.

const INLINE: usize = 8;

/// Indices of nodes, in order: what a placement answers when it is asked for replicas.
///
/// ```
/// use promha_shard_ring::Picks;
///
/// let mut picks = Picks::default();
/// picks.push(7);
/// assert_eq!(picks.as_slice(), [7]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Picks {
    few: [u16; INLINE],
    len: usize,
    /// All of them, once there are more than fit in `few`.
    many: Vec<u16>,
}

impl Picks {
    /// Appends one. Amortised O(1).
    #[inline]
    pub fn push(&mut self, index: u16) {
        if let Some(free) = self.few.get_mut(self.len) {
            *free = index;
        } else {
            if self.len == INLINE {
                self.many.extend_from_slice(&self.few);
            }
            self.many.push(index);
        }
        self.len += 1;
    }

    /// What was picked.
    #[inline]
    pub fn as_slice(&self) -> &[u16] {
        if self.len <= INLINE { &self.few[..self.len] } else { &self.many }
    }
}

impl Extend<u16> for Picks {
    #[inline]
    fn extend<I: IntoIterator<Item = u16>>(&mut self, indices: I) {
        for index in indices {
            self.push(index);
        }
    }
}
