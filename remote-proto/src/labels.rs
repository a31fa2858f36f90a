//! The rules for labels, which the protocol leaves to whoever stores them.
//!
//! Decoders check the protocol only. Whoever wants the rules too asks for them series by series, and may drop the
//! series that break them: write 2 lets a receiver take a part of a request. Sources: the section on labels of the
//! specification of remote write (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#labels>) and
//! `storage/remote/write_handler.go` in Prometheus.
//!
//! ```
//! use promha_remote_proto::labels::{self, LabelFault, Names};
//!
//! assert_eq!(labels::check(&[("__name__", "up"), ("job", "node")], Names::Legacy), Ok(()));
//! let error = labels::check(&[("job", "node"), ("__name__", "up")], Names::Utf8).unwrap_err();
//! assert_eq!((error.fault(), error.position(), error.name()), (LabelFault::Unsorted, 1, "__name__"));
//! assert_eq!(error.to_string(), r#"label 1 ("__name__") is not behind the one before it"#);
//! ```

use thiserror::Error;

/// The name of the label that holds the name of the metric.
pub const METRIC_NAME: &str = "__name__";

/// The most bytes of a name that an error keeps.
const MAX_NAME_BYTES: usize = 128;

/// Which names are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// Any that are not empty, as in Prometheus 3.
    Utf8,
    /// `[a-zA-Z_][a-zA-Z0-9_]*` for labels, and colons too for metrics, as before.
    Legacy,
}

/// What is wrong with the labels of a series: which label, and what it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("label {position} ({name:?}) {fault}")]
pub struct LabelError {
    fault: LabelFault,
    position: usize,
    name: String,
}

impl LabelError {
    /// The rule that is broken.
    pub fn fault(&self) -> LabelFault {
        self.fault
    }

    /// Which label it is, counted from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Its name, at most the first 128 bytes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The status to answer with: 400.
    pub fn status(&self) -> u16 {
        400
    }
}

/// A rule for labels that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum LabelFault {
    /// It has no name.
    #[error("has an empty name")]
    EmptyName,
    /// It has no value, which is the same as not being there.
    #[error("has an empty value")]
    EmptyValue,
    /// Its name has characters that it may not have.
    #[error("has a name that is not valid")]
    InvalidName,
    /// It names the metric, and that name has characters that it may not have.
    #[error("has a value that is not valid for a metric")]
    InvalidMetricName,
    /// It should name the metric, and is not there; its position is the number of labels.
    #[error("is missing")]
    NoMetricName,
    /// It has the name of the one before it.
    #[error("has the name of the one before it")]
    Duplicate,
    /// Its name sorts before that of the one before it.
    #[error("is not behind the one before it")]
    Unsorted,
}

/// Checks that labels are sorted by name, each there once, none empty, and that their names are right. Takes time
/// linear in the length of the names.
///
/// # Errors
///
/// For the first label that breaks a rule.
pub fn check(labels: &[(&str, &str)], names: Names) -> Result<(), LabelError> {
    let mut before = "";
    for (position, &(name, value)) in labels.iter().enumerate() {
        if let Some(fault) = fault(name, value, before, names) {
            return Err(LabelError { fault, position, name: clip(name).into() });
        }
        before = name;
    }
    Ok(())
}

/// Checks the labels of a series that was written, as [`check`] does and that one of them names the metric. A series
/// of an answer need not have a name.
///
/// # Errors
///
/// For the first label that breaks a rule, and then for the name.
///
/// ```
/// use promha_remote_proto::labels::{self, LabelFault, Names};
///
/// assert_eq!(labels::check_written(&[("__name__", "up"), ("job", "node")], Names::Utf8), Ok(()));
/// let error = labels::check_written(&[("job", "node")], Names::Utf8).unwrap_err();
/// assert_eq!((error.fault(), error.name()), (LabelFault::NoMetricName, "__name__"));
/// ```
pub fn check_written(labels: &[(&str, &str)], names: Names) -> Result<(), LabelError> {
    check(labels, names)?;
    if labels.iter().any(|label| label.0 == METRIC_NAME) {
        return Ok(());
    }
    Err(LabelError { fault: LabelFault::NoMetricName, position: labels.len(), name: METRIC_NAME.into() })
}

fn fault(name: &str, value: &str, before: &str, names: Names) -> Option<LabelFault> {
    if name.is_empty() {
        return Some(LabelFault::EmptyName);
    }
    if value.is_empty() {
        return Some(LabelFault::EmptyValue);
    }
    match name.cmp(before) {
        std::cmp::Ordering::Less => return Some(LabelFault::Unsorted),
        std::cmp::Ordering::Equal => return Some(LabelFault::Duplicate),
        std::cmp::Ordering::Greater => {}
    }
    if names == Names::Legacy {
        if !is_legacy(name, false) {
            return Some(LabelFault::InvalidName);
        }
        if name == METRIC_NAME && !is_legacy(value, true) {
            return Some(LabelFault::InvalidMetricName);
        }
    }
    None
}

fn is_legacy(name: &str, with_colons: bool) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':' && with_colons;
    !name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(is_allowed)
}

fn clip(name: &str) -> &str {
    let end = (0..=MAX_NAME_BYTES.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    &name[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_noticed() {
        use LabelFault::*;
        let long = "é".repeat(100);
        for (labels, legacy, utf8) in [
            (&[][..], None, None),
            (&[("a", "1"), ("b", "2")], None, None),
            (&[("__name__", "a:b"), ("job", "x")], None, None),
            (&[("A", "1"), ("_", "2"), ("a", "3")], None, None),
            (&[("a", "1"), ("a", "2")], Some((Duplicate, 1)), Some((Duplicate, 1))),
            (&[("b", "1"), ("a", "2")], Some((Unsorted, 1)), Some((Unsorted, 1))),
            (&[("", "1")], Some((EmptyName, 0)), Some((EmptyName, 0))),
            (&[("a", "1"), ("b", "")], Some((EmptyValue, 1)), Some((EmptyValue, 1))),
            (&[("1a", "1")], Some((InvalidName, 0)), None),
            (&[("a:b", "1")], Some((InvalidName, 0)), None),
            (&[("a", "1"), (&long, "2")], Some((InvalidName, 1)), None),
            (&[("__name__", "with space")], Some((InvalidMetricName, 0)), None),
        ] {
            for (names, expected) in [(Names::Legacy, legacy), (Names::Utf8, utf8)] {
                let found = check(labels, names).err();
                assert_eq!(
                    found.as_ref().map(|error| (error.fault(), error.position())),
                    expected,
                    "{labels:?}"
                );
                assert!(found.is_none_or(|error| labels[error.position()].0.starts_with(error.name())));
            }
        }
        let error = check(&[(&long, "1")], Names::Legacy).unwrap_err();
        assert_eq!((error.name(), error.status()), (&long[..128], 400));
    }
}
