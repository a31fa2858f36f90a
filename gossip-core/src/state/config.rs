/// What a store keeps, for how long, and what is too much.
///
/// ```
/// use promha_gossip_core::state::{Ahead, Config};
///
/// let config = Config { ahead: Ahead::Refuse, max_ahead_ms: 5_000, ..Config::default() };
/// assert_eq!(config.max_key_bytes, 1_024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How far the stamps of others may be ahead of our clock. Default: a minute.
    pub max_ahead_ms: u64,
    /// What becomes of a stamp that is further ahead. Default: it is clamped.
    pub ahead: Ahead,
    /// How long a deletion is told to others; longer than anybody is away who then hears of what it missed by itself. Default: a day.
    pub tombstone_ms: u64,
    /// How long after that it is remembered, in 32 bytes, that a key was deleted or expired, so that nobody can bring it back who was away
    /// for so long. Default: 30 days.
    pub grave_ms: u64,
    /// How many such memories there are at most. Of more, the oldest give way to a floor: keys that are not known here, and were written at
    /// or before it, are refused. Default: a million.
    pub max_graves: usize,
    /// The longest key. Default: 1 KiB.
    pub max_key_bytes: usize,
    /// The longest value. Default: 1 MiB.
    pub max_value_bytes: usize,
    /// The most keys, deleted ones included. More are refused; those that are known still change. Default: a million.
    pub max_entries: usize,
    /// The most bytes of keys and values, and 96 more for each of them. Beyond it no other key is taken, and no known one grows; the last one
    /// taken may end beyond it. Default: 256 MiB.
    pub max_bytes: usize,
    /// How many keys there are at most of which it is kept that they [changed](super::Store::poll_change). Of more it is only counted.
    /// Default: a million.
    pub max_changes: usize,
}

impl Default for Config {
    fn default() -> Self {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        Self {
            max_ahead_ms: 60_000,
            ahead: Ahead::Clamp,
            tombstone_ms: DAY_MS,
            grave_ms: 30 * DAY_MS,
            max_graves: 1_000_000,
            max_key_bytes: 1 << 10,
            max_value_bytes: 1 << 20,
            max_entries: 1_000_000,
            max_bytes: 256 << 20,
            max_changes: 1_000_000,
        }
    }
}

/// What becomes of a record whose stamp is too far ahead: its writer's clock is wrong, or ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ahead {
    /// It is refused, until our clock gets near.
    Refuse,
    /// It is taken, as if it had been written as far ahead as is allowed, and once: when it comes again it changes nothing. So it does not
    /// win over what is written later for longer than that. When the clock gets near, what was written after it is told as newer than it,
    /// and all nodes have the same again. A node that hears of it only later takes it then.
    Clamp,
}
