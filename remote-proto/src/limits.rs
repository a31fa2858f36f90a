//! How much of everything a message may have.

use crate::error::{DecodeError, ErrorKind, Limit};

/// What a decoder accepts. Each limit is checked before memory is taken for what is over it.
///
/// ```
/// use promha_remote_proto::Limits;
///
/// let mut limits = Limits::default();
/// limits.max_labels_per_series = 100;
/// assert_eq!(limits.max_body_bytes, 32 << 20, "all others have their defaults");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a body as it arrives, compressed: 32 MiB, as in Prometheus.
    pub max_body_bytes: usize,
    /// Bytes of a message, once decompressed: 32 MiB, as in Prometheus. A body that declares more is not
    /// decompressed.
    pub max_message_bytes: usize,
    /// Series of one message: 1,000,000. An empty one takes two bytes on the wire and 40 in memory.
    pub max_series: usize,
    /// Labels of one series or exemplar: 10,000. An empty one takes two bytes on the wire and 32 in memory.
    pub max_labels_per_series: usize,
    /// Bytes of one name or value of a label: 1 MiB.
    pub max_label_bytes: usize,
    /// Float samples of all series together: 50,000,000, as Prometheus has for answers.
    pub max_samples: usize,
    /// Histograms of all series together: 1,000,000. An empty one takes two bytes on the wire and 150 in memory.
    pub max_histograms: usize,
    /// Exemplars of all series together: 1,000,000.
    pub max_exemplars: usize,
    /// Metadata of a write 1 request, that is metric families: 1,000,000.
    pub max_metadata: usize,
    /// Symbols of a write 2 request: 2,000,000.
    pub max_symbols: usize,
    /// Queries of a read request, and results of its answer: 1,000.
    pub max_queries: usize,
    /// Matchers of all queries together, and names in their hints: 10,000.
    pub max_matchers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_message_bytes: 32 << 20,
            max_series: 1_000_000,
            max_labels_per_series: 10_000,
            max_label_bytes: 1 << 20,
            max_samples: 50_000_000,
            max_histograms: 1_000_000,
            max_exemplars: 1_000_000,
            max_metadata: 1_000_000,
            max_symbols: 2_000_000,
            max_queries: 1_000,
            max_matchers: 10_000,
        }
    }
}

impl Limits {
    /// Checks the size of a message.
    pub(crate) fn check_message(&self, message: &[u8]) -> Result<(), DecodeError> {
        check(Limit::MessageBytes, self.max_message_bytes, message.len(), 0)
    }
}

/// Refuses `found` of something if the limit is less; it stands at `offset`.
#[inline]
pub(crate) fn check(what: Limit, limit: usize, found: usize, offset: usize) -> Result<(), DecodeError> {
    if found <= limit { Ok(()) } else { Err(over(what, limit, found, offset)) }
}

#[cold]
fn over(what: Limit, limit: usize, found: usize, offset: usize) -> DecodeError {
    DecodeError::new(ErrorKind::OverLimit { what, limit: limit as u64, found: found as u64 }, offset)
}
