use thiserror::Error;

use super::record::RecordError;

/// Why something was not taken. The store has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is no record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its key is too long.
    #[error("a key of {found} bytes, the limit is {limit}")]
    KeyTooLong {
        /// How long it is.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Its value is too long.
    #[error("a value of {found} bytes, the limit is {limit}")]
    ValueTooLong {
        /// How long it is.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Another key has the same hash.
    #[error("another key has the same hash")]
    Collision,
    /// There are as many keys as there may be, and this is another one.
    #[error("there are {found} keys, the limit is {limit}")]
    TooManyEntries {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// There is no room for another key.
    #[error("{found} bytes are taken, the limit is {limit}")]
    TooManyBytes {
        /// How many are taken.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// Its stamp is too far ahead of our clock.
    #[error("a stamp {ahead_ms} ms ahead of the clock, the limit is {limit_ms}")]
    Ahead {
        /// How far.
        ahead_ms: u64,
        /// How far it may be.
        limit_ms: u64,
    },
    /// It has expired already.
    #[error("it expired {ago_ms} ms ago")]
    Expired {
        /// When.
        ago_ms: u64,
    },
    /// A deletion of a key of which no more than that is remembered.
    #[error("deleted or expired by a write of {buried_ms}, this deletion is of {stamp_ms}")]
    Buried {
        /// When the deletion was written, in milliseconds since the Unix epoch.
        stamp_ms: u64,
        /// When what ended the key was written.
        buried_ms: u64,
    },
    /// The key is not known, and so old that it may have been deleted.
    #[error("an unknown key of {stamp_ms}, not after the floor at {floor_ms}")]
    BelowFloor {
        /// When it was written, in milliseconds since the Unix epoch.
        stamp_ms: u64,
        /// The floor.
        floor_ms: u64,
    },
}

/// How often something was refused, or taken only in part, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// No records.
    pub unreadable: u64,
    /// Keys or values that are too long, and those for which there was no room.
    pub over_limit: u64,
    /// Keys with the hash of another key.
    pub collisions: u64,
    /// Stamps too far ahead.
    pub ahead: u64,
    /// Of them, those that were clamped.
    pub clamped: u64,
    /// What had expired.
    pub expired: u64,
    /// What had been deleted, or had expired in a newer version. Whoever brought it was told.
    pub buried: u64,
    /// What may have been deleted.
    pub below_floor: u64,
    /// Changes that were not kept for [`poll_change`](super::Store::poll_change), which nobody had asked for long.
    pub changes_lost: u64,
    /// Pieces of whole states that were cut off.
    pub torn: u64,
}

impl Stats {
    pub(super) fn count(&mut self, refused: &Refused) {
        let counter = match refused {
            Refused::Record(_) => &mut self.unreadable,
            Refused::KeyTooLong { .. }
            | Refused::ValueTooLong { .. }
            | Refused::TooManyEntries { .. }
            | Refused::TooManyBytes { .. } => &mut self.over_limit,
            Refused::Collision => &mut self.collisions,
            Refused::Ahead { .. } => &mut self.ahead,
            Refused::Expired { .. } => &mut self.expired,
            Refused::Buried { .. } => &mut self.buried,
            Refused::BelowFloor { .. } => &mut self.below_floor,
        };
        *counter += 1;
    }
}
