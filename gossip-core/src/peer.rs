/// Another node, as a small dense number that [`membership`](crate::membership) gives out (or whoever uses a layer alone). Dense, so
/// that sets of peers are bitmaps. A number is given to another node only after it was reported as forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

impl PeerId {
    /// Somebody who is no member, or of whom it is not known who it is.
    pub const NOBODY: Self = Self(u32::MAX);

    /// The number, as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
