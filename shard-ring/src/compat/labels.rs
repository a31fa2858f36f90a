//! Hashes of label sets as Prometheus computes them.

use xxhash_rust::xxh64::{Xxh64, xxh64};

use super::CompatError;

/// Follows each name and each value: a byte that no UTF-8 text has.
const SEPARATOR: &[u8] = &[0xFF];

/// Values may be as long as three bytes can say.
const LIMIT: usize = 1 << 24;

/// The hash that Prometheus keeps stable between versions and processes: XXH64 over names and values, each followed by
/// 0xFF.
///
/// Source: `model/labels/sharding.go` in Prometheus.
///
/// # Complexity
/// Linear in the bytes; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::labels::stable_hash;
///
/// assert_eq!(stable_hash(&[("__name__", "up")]), 2581902663846753688);
/// ```
pub fn stable_hash(labels: &[(&str, &str)]) -> u64 {
    hash_after(b"", labels.iter())
}

/// The hash of only those labels whose names are given, such as in `on (instance, job)`.
///
/// Source: `Labels.HashForLabels` in `model/labels` of Prometheus.
///
/// # Complexity
/// Looks through the names once for each label; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::labels::{hash_for, stable_hash};
///
/// let labels = [("__name__", "up"), ("job", "node")];
/// assert_eq!(hash_for(&labels, &["instance", "job"]), stable_hash(&[("job", "node")]));
/// ```
pub fn hash_for(labels: &[(&str, &str)], names: &[&str]) -> u64 {
    hash_after(b"", labels.iter().filter(|label| names.contains(&label.0)))
}

/// The hash of all labels but the metric's name and those whose names are given, such as in `ignoring (job)`.
///
/// Source: `Labels.HashWithoutLabels` in `model/labels` of Prometheus.
///
/// # Complexity
/// Looks through the names once for each label; nothing is allocated.
///
/// ```
/// use promha_shard_ring::compat::labels::{hash_without, stable_hash};
///
/// let labels = [("__name__", "up"), ("a", "b"), ("job", "node")];
/// assert_eq!(hash_without(&labels, &["job"]), stable_hash(&[("a", "b")]));
/// ```
pub fn hash_without(labels: &[(&str, &str)], names: &[&str]) -> u64 {
    hash_after(b"", labels.iter().filter(|label| label.0 != "__name__" && !names.contains(&label.0)))
}

/// The hash that a Prometheus built with `stringlabels` (most are) uses within its process, over
/// [`encode_string_labels`]. Other builds have another one, so processes must not agree by it: use [`stable_hash`].
///
/// Source: `Labels.Hash` in `model/labels/labels_stringlabels.go` of Prometheus.
///
/// # Complexity
/// Linear in the bytes, which are copied once.
///
/// # Errors
/// [`CompatError::LabelTooLong`], where Prometheus panics.
///
/// ```
/// use promha_shard_ring::compat::labels::string_labels_hash;
///
/// assert_eq!(string_labels_hash(&[("__name__", "up")]), Ok(17066213849227247093));
/// ```
pub fn string_labels_hash(labels: &[(&str, &str)]) -> Result<u64, CompatError> {
    let mut bytes = Vec::new();
    encode_string_labels(labels, &mut bytes)?;
    Ok(xxh64(&bytes, 0))
}

/// Appends a label set as a Prometheus built with `stringlabels` holds it in memory: names and values, each after its
/// length, which is one byte, or 255 and three bytes with the lowest first.
///
/// Source: `model/labels/labels_stringlabels.go` of Prometheus.
///
/// # Complexity
/// Linear in the bytes.
///
/// # Errors
/// [`CompatError::LabelTooLong`], where Prometheus panics. What stood before the label was appended.
///
/// ```
/// use promha_shard_ring::compat::labels::encode_string_labels;
///
/// let mut bytes = Vec::new();
/// encode_string_labels(&[("job", "node")], &mut bytes)?;
/// assert_eq!(bytes, b"\x03job\x04node");
/// # Ok::<(), promha_shard_ring::compat::CompatError>(())
/// ```
pub fn encode_string_labels(labels: &[(&str, &str)], into: &mut Vec<u8>) -> Result<(), CompatError> {
    for text in labels.iter().flat_map(|&(name, value)| [name, value]) {
        let length = text.len();
        if length >= LIMIT {
            return Err(CompatError::LabelTooLong { length, limit: LIMIT });
        }
        match u8::try_from(length) {
            Ok(length) if length < u8::MAX => into.push(length),
            _ => into.extend([u8::MAX, length as u8, (length >> 8) as u8, (length >> 16) as u8]),
        }
        into.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// XXH64 over something that stands before, and labels with separators.
pub(super) fn hash_after<'a>(before: &[u8], labels: impl Iterator<Item = &'a (&'a str, &'a str)>) -> u64 {
    let mut hash = Xxh64::new(0);
    hash.update(before);
    for (name, value) in labels {
        for part in [name.as_bytes(), SEPARATOR, value.as_bytes(), SEPARATOR] {
            hash.update(part);
        }
    }
    hash.digest()
}
