/// What a key is called between nodes: 64 bits of a hash of it. Digests carry these and not the keys. Whoever stores keys refuses one
/// whose hash another key already has, so that two keys are never taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

impl Key {
    /// The name of a key: XXH64 with seed 0, the same on every node and in every version.
    ///
    /// ```
    /// use promha_gossip_core::Key;
    ///
    /// assert_eq!(Key::of(b""), Key(0xef46_db37_51d8_e999));
    /// ```
    pub fn of(key: &[u8]) -> Self {
        Self(xxhash_rust::xxh64::xxh64(key, 0))
    }
}

/// What a key holds, told as two numbers of which the larger one wins: when it was written, and, for two contents of the same time, a
/// hash of the content. Equal versions mean equal content, so all nodes settle on the same content also when stamps are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// When it was written, in milliseconds since the Unix epoch as the writer knew it.
    pub stamp_ms: u64,
    /// A hash of the content, which decides between contents of the same time.
    pub content: u64,
}
