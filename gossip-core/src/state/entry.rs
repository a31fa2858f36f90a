use super::config::Config;
use super::record::Record;
use crate::Version;

/// What an entry takes besides its key and value, roughly: itself, its place in the tree, when it is due.
const ENTRY_BYTES: usize = 96;

/// What one key holds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Box<[u8]>,
    /// Nothing if it was deleted.
    pub(super) value: Option<Box<[u8]>>,
    pub(super) rank_ms: u64,
    pub(super) expires_ms: Option<u64>,
    /// That of the record, kept because it is asked for again and again.
    pub(super) version: Version,
    /// When a deletion was taken up here.
    pub(super) since_ms: u64,
}

impl Entry {
    pub(super) fn new(record: &Record<'_>, now_ms: u64) -> Self {
        Self {
            key: record.key.into(),
            value: record.value.map(Into::into),
            rank_ms: record.rank_ms,
            expires_ms: record.expires_ms,
            version: record.version(),
            since_ms: now_ms,
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record {
            key: &self.key,
            value: self.value.as_deref(),
            rank_ms: self.rank_ms,
            stamp_ms: self.version.stamp_ms,
            expires_ms: self.expires_ms,
        }
    }

    /// Whether readers find it.
    pub(super) fn lives(&self, now_ms: u64) -> bool {
        self.value.is_some() && !self.has_expired(now_ms)
    }

    pub(super) fn has_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
    }

    /// When it is to be collected.
    pub(super) fn due_ms(&self, config: &Config) -> Option<u64> {
        match self.value {
            Some(_) => self.expires_ms,
            None => Some(self.since_ms.saturating_add(config.tombstone_ms)),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        ENTRY_BYTES + self.key.len() + self.value.as_ref().map_or(0, |value| value.len())
    }
}

/// What is remembered of a key that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grave {
    /// When what ended it was written.
    pub(super) stamp_ms: u64,
    pub(super) ended: Ended,
    /// When it may be forgotten.
    pub(super) due_ms: u64,
}

/// How a key came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All lives that began until then are over.
    Deleted,
    /// Nobody wrote it in time: whoever wrote it later wrote in time.
    Expired,
}

impl Grave {
    /// Whether a record is of what lies here.
    pub(super) fn holds(&self, record: &Record<'_>) -> bool {
        match self.ended {
            Ended::Deleted => record.rank_ms <= self.stamp_ms,
            Ended::Expired => record.stamp_ms <= self.stamp_ms,
        }
    }
}
