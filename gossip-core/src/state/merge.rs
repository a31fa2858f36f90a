use std::cmp::Ordering;

use crate::Version;

/// What a key holds on one of two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'a> {
    /// The value.
    pub value: &'a [u8],
    /// Its version.
    pub version: Version,
    /// When it is to be forgotten, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
}

/// Which of two values a key holds from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Ours.
    Ours,
    /// Theirs.
    Theirs,
    /// One made of both, which was appended.
    Both,
}

/// How two values of one key become one, when two nodes wrote it without knowing of each other.
///
/// Nodes hear of values in different orders, and of some more than once, and are to end with the same. So it has to be
///
/// - commutative: which side is ours makes no difference,
/// - associative: of three, it makes no difference which two come first,
/// - idempotent: a value and itself, or a value and one that was made of it, change nothing,
///
/// in the value that comes out, whatever the versions are; also if both have the same stamp. [`check`](super::laws::check) tries it.
///
/// Deletions are not a matter of this: they end a life of a key, and what was written without knowing of them goes with it.
pub trait Merge {
    /// Chooses, or appends what is made of both.
    fn merge(&self, key: &[u8], ours: Held<'_>, theirs: Held<'_>, into: &mut Vec<u8>) -> Choice;

    /// When what comes out is to be forgotten: if one of the two is never, never, else at the later time. That keeps the laws whatever the
    /// choice was, also between equal values. A time that depends on the choice keeps them only if the choice is always one of the two, and
    /// is made by version.
    fn expires_ms(&self, ours: Held<'_>, theirs: Held<'_>, _choice: Choice) -> Option<u64> {
        ours.expires_ms.zip(theirs.expires_ms).map(|(ours_ms, theirs_ms)| ours_ms.max(theirs_ms))
    }
}

/// The value that was written last; of two of the same time, the one whose hash is larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastWriter;

impl Merge for LastWriter {
    fn merge(&self, _key: &[u8], ours: Held<'_>, theirs: Held<'_>, _into: &mut Vec<u8>) -> Choice {
        match ours.version.cmp(&theirs.version) {
            Ordering::Less => Choice::Theirs,
            Ordering::Equal | Ordering::Greater => Choice::Ours,
        }
    }

    /// As the last writer said.
    fn expires_ms(&self, ours: Held<'_>, theirs: Held<'_>, choice: Choice) -> Option<u64> {
        if choice == Choice::Theirs { theirs.expires_ms } else { ours.expires_ms }
    }
}
