//! The relabelling action `hashmod` of Prometheus.

use md5::{Digest, Md5};

use super::CompatError;

/// What the action `hashmod` writes into its target label: a number below `modulus` that depends on the values of some
/// labels, joined by a separator (`;` unless configured). A label that is missing counts as empty.
///
/// Source: `model/relabel/relabel.go` in Prometheus.
///
/// # Complexity
/// Looks through the labels once for each source label, and hashes the values with MD5; nothing is allocated.
///
/// # Errors
/// [`CompatError::ZeroModulus`], as Prometheus refuses such a configuration.
///
/// ```
/// use promha_shard_ring::compat::{CompatError, relabel::hashmod};
///
/// let labels = [("__address__", "10.0.0.1:9100"), ("job", "node")];
/// assert_eq!(hashmod(&labels, &["__address__"], ";", 3), Ok(2));
/// assert_eq!(hashmod(&labels, &["__address__"], ";", 0), Err(CompatError::ZeroModulus));
/// ```
pub fn hashmod(
    labels: &[(&str, &str)],
    source_labels: &[&str],
    separator: &str,
    modulus: u64,
) -> Result<u64, CompatError> {
    let mut md5 = Md5::new();
    for (place, &source) in source_labels.iter().enumerate() {
        if place > 0 {
            md5.update(separator);
        }
        md5.update(value(labels, source));
    }
    let digest: [u8; 16] = md5.finalize().into();
    let [.., a, b, c, d, e, f, g, h] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).checked_rem(modulus).ok_or(CompatError::ZeroModulus)
}

/// The value of a label; empty if there is none.
pub(crate) fn value<'a>(labels: &[(&str, &'a str)], name: &str) -> &'a str {
    labels.iter().find(|label| label.0 == name).map_or("", |label| label.1)
}
