use crate::dissemination::{Source, Verdict};
use crate::{Key, Version};

/// What is told of each key that a message was about: the version that came, and how it compares with what was here.
pub type Heard<'f> = &'f mut dyn FnMut(Key, Version, Verdict);

/// State that several nodes hold, as the layers below see it: messages about keys come in, messages about keys go out. What a message
/// looks like is the replica's own affair. [`Store`](crate::state::Store) is one; a program that speaks to others in their own format
/// writes its own.
pub trait Replica: Source {
    /// Takes a message from another node. A message that cannot be read is about no key.
    fn merge(&mut self, message: &[u8], now_ms: u64, heard: Heard<'_>);

    /// Appends everything, for a push/pull exchange.
    fn write_all(&self, into: &mut Vec<u8>);

    /// Takes everything another node has, as [`merge`](Self::merge) takes a message.
    fn merge_all(&mut self, state: &[u8], now_ms: u64, heard: Heard<'_>);

    /// Tells of every key that there is something to be said of, and its version: what a node starts with.
    fn versions(&self, tell: &mut dyn FnMut(Key, Version));

    /// Forgets what has come to its end, and tells of which keys nothing is to be said any more. By default nothing ends.
    fn collect(&mut self, _now_ms: u64, _forgotten: &mut dyn FnMut(Key)) {}

    /// When there is something to [`collect`](Self::collect) next, in milliseconds since the Unix epoch.
    fn next_due_ms(&self) -> Option<u64> {
        None
    }
}

/// Nothing to replicate: membership alone.
impl Replica for () {
    fn merge(&mut self, _message: &[u8], _now_ms: u64, _heard: Heard<'_>) {}

    fn write_all(&self, _into: &mut Vec<u8>) {}

    fn merge_all(&mut self, _state: &[u8], _now_ms: u64, _heard: Heard<'_>) {}

    fn versions(&self, _tell: &mut dyn FnMut(Key, Version)) {}
}

impl Source for () {
    fn message(&self, _key: Key, _into: &mut Vec<u8>) -> Option<Version> {
        None
    }
}
