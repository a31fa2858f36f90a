//! How much of everything an exposition may have.

/// What a parser accepts. Each limit is checked before memory is taken for what is over it.
///
/// ```
/// use promha_federate::exposition::Limits;
///
/// let mut limits = Limits::default();
/// limits.max_labels_per_series = 100;
/// assert_eq!(limits.max_label_bytes, 1 << 20, "all others have their defaults");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one line of text, or of one metric in protobuf: 16 MiB.
    pub max_line_bytes: usize,
    /// Labels of one series, with its name; and of one exemplar: 10,000.
    pub max_labels_per_series: usize,
    /// Bytes of one name or value of a label, as it stands in the input: 1 MiB.
    pub max_label_bytes: usize,
    /// Buckets, quantiles, spans and exemplars, each, of one metric in protobuf: 100,000.
    pub max_buckets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line_bytes: 16 << 20,
            max_labels_per_series: 10_000,
            max_label_bytes: 1 << 20,
            max_buckets: 100_000,
        }
    }
}
