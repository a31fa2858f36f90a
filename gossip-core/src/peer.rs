/// Another node, as a small dense number that [`membership`](crate::membership) gives out (or whoever uses a layer alone). Dense, so
/// that sets of peers are bitmaps. A number is given to another node only after it was reported as forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

impl PeerId {
    /// The number, as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
