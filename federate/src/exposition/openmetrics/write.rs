//! Families as OpenMetrics.

use std::io::Write as _;

use thiserror::Error;

use crate::exposition::entry::MetricType;
use crate::exposition::scan;
use crate::exposition::write::float;
use crate::exposition::write::text::put_escaped;

/// Writes OpenMetrics. A family is announced once and all of its samples follow it; `finish` ends the text, without it readers
/// take it for cut off.
///
/// ```
/// use promha_federate::exposition::MetricType;
/// use promha_federate::exposition::openmetrics::{Exemplar, OpenMetricsWriter};
///
/// let mut text = Vec::new();
/// let mut writer = OpenMetricsWriter::new(&mut text);
/// writer.family("hits", MetricType::Counter, "", "All of them.")?;
/// let exemplar = Exemplar { labels: &[("trace_id", "ab")], value: 1.0, t_ms: Some(1_500) };
/// writer.sample("_total", &[("path", "/")], 17.0, None, Some(exemplar))?;
/// writer.finish();
/// assert_eq!(
///     String::from_utf8_lossy(&text),
///     "# TYPE hits counter\n# HELP hits All of them.\nhits_total{path=\"/\"} 17.0 # {trace_id=\"ab\"} 1.0 1.5\n# EOF\n"
/// );
/// # Ok::<(), promha_federate::exposition::openmetrics::WriteError>(())
/// ```
#[derive(Debug)]
pub struct OpenMetricsWriter<'w> {
    into: &'w mut Vec<u8>,
    family: String,
    metric_type: MetricType,
    name: String,
}

/// A sample of what was counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'e> {
    /// What it points to. Receivers may refuse more than 128 characters of them.
    pub labels: &'e [(&'e str, &'e str)],
    /// The value that was observed.
    pub value: f64,
    /// When, in milliseconds since 1970.
    pub t_ms: Option<i64>,
}

/// Why something is not OpenMetrics. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A name that is empty or has a NUL.
    #[error("{name:?} cannot be a name")]
    Name {
        /// The name.
        name: String,
    },
    /// A sample with no family announced before it.
    #[error("a sample before its family")]
    NoFamily,
    /// A suffix that samples of this type do not have.
    #[error("a sample of type {} cannot end with {suffix:?}", .metric_type.as_openmetrics())]
    Suffix {
        /// The type of the family.
        metric_type: MetricType,
        /// The suffix.
        suffix: String,
    },
    /// A unit that the family does not end with, or that its type cannot have.
    #[error("{family:?} cannot have the unit {unit:?}")]
    Unit {
        /// The family.
        family: String,
        /// The unit.
        unit: String,
    },
    /// An exemplar where OpenMetrics has none.
    #[error("samples that end with {suffix:?} have no exemplars")]
    Exemplar {
        /// The suffix.
        suffix: String,
    },
}

impl<'w> OpenMetricsWriter<'w> {
    /// A writer that appends to `into`.
    pub fn new(into: &'w mut Vec<u8>) -> Self {
        Self { into, family: String::new(), metric_type: MetricType::Unknown, name: String::new() }
    }

    /// Announces a family; the caller sees to it that no family is there twice. An empty unit or help is left out. The name of
    /// a counter may come with `_total`.
    ///
    /// # Errors
    ///
    /// If the name is none, or if it does not end with `_` and the unit.
    pub fn family(
        &mut self,
        name: &str,
        metric_type: MetricType,
        unit: &str,
        help: &str,
    ) -> Result<(), WriteError> {
        let family = match metric_type {
            MetricType::Counter => {
                name.strip_suffix("_total").filter(|bare| !bare.is_empty()).unwrap_or(name)
            }
            _ => name,
        };
        check_name(family)?;
        let can_have_unit = !matches!(metric_type, MetricType::Info | MetricType::StateSet);
        let is_suffix = family.strip_suffix(unit).is_some_and(|before| before.ends_with('_'));
        let is_unit = unit.is_empty() || can_have_unit && is_suffix;
        if !is_unit {
            return Err(WriteError::Unit { family: family.to_owned(), unit: unit.to_owned() });
        }
        self.family.clear();
        self.family.push_str(family);
        self.metric_type = metric_type;
        self.about("TYPE", metric_type.as_openmetrics());
        if !unit.is_empty() {
            self.about("UNIT", unit);
        }
        if !help.is_empty() {
            self.about("HELP", help);
        }
        Ok(())
    }

    /// Writes a sample of the family: the suffix of its name, labels without the name, the value, milliseconds since 1970 (exact
    /// for the next 30,000 years).
    ///
    /// # Errors
    ///
    /// If the type has no such suffix, an exemplar is not possible, or a label has no name.
    pub fn sample(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        value: f64,
        t_ms: Option<i64>,
        exemplar: Option<Exemplar<'_>>,
    ) -> Result<(), WriteError> {
        if self.family.is_empty() {
            return Err(WriteError::NoFamily);
        }
        if !suffixes(self.metric_type).contains(&suffix) {
            return Err(WriteError::Suffix { metric_type: self.metric_type, suffix: suffix.to_owned() });
        }
        if exemplar.is_some() && !matches!(suffix, "_total" | "_bucket") {
            return Err(WriteError::Exemplar { suffix: suffix.to_owned() });
        }
        let more = exemplar.map_or(&[][..], |exemplar| exemplar.labels);
        labels.iter().chain(more).try_for_each(|label| check_name(label.0))?;

        self.name.clear();
        self.name.push_str(&self.family);
        self.name.push_str(suffix);
        if is_plain(&self.name, scan::metric_name_end) {
            self.into.extend_from_slice(self.name.as_bytes());
            if !labels.is_empty() {
                put_labels(labels, b"{", self.into);
            }
        } else {
            self.into.push(b'{');
            put_quoted(&self.name, self.into);
            put_labels(labels, if labels.is_empty() { b"" } else { b"," }, self.into);
        }
        self.into.push(b' ');
        float::put_open(value, self.into);
        put_timestamp(t_ms, self.into);
        if let Some(Exemplar { labels, value, t_ms }) = exemplar {
            self.into.extend_from_slice(b" # ");
            put_labels(labels, b"{", self.into);
            self.into.push(b' ');
            float::put_open(value, self.into);
            put_timestamp(t_ms, self.into);
        }
        self.into.push(b'\n');
        Ok(())
    }

    /// Ends the text.
    pub fn finish(self) {
        self.into.extend_from_slice(b"# EOF\n");
    }

    fn about(&mut self, what: &str, text: &str) {
        self.into.extend_from_slice(b"# ");
        self.into.extend_from_slice(what.as_bytes());
        self.into.push(b' ');
        put_name(&self.family, scan::metric_name_end, self.into);
        self.into.push(b' ');
        put_escaped(text, self.into);
        self.into.push(b'\n');
    }
}

/// What names of samples add to the name of their family. Source: the section "Metric Types" of the specification.
fn suffixes(metric_type: MetricType) -> &'static [&'static str] {
    match metric_type {
        MetricType::Unknown | MetricType::Gauge | MetricType::StateSet => &[""],
        MetricType::Counter => &["_total", "_created"],
        MetricType::Histogram => &["_bucket", "_sum", "_count", "_created"],
        MetricType::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        MetricType::Summary => &["", "_sum", "_count", "_created"],
        MetricType::Info => &["_info"],
    }
}

fn check_name(name: &str) -> Result<(), WriteError> {
    if name.is_empty() || name.contains('\0') {
        return Err(WriteError::Name { name: name.to_owned() });
    }
    Ok(())
}

fn is_plain(name: &str, end: impl Fn(&[u8], usize) -> usize) -> bool {
    end(name.as_bytes(), 0) == name.len()
}

fn put_labels(labels: &[(&str, &str)], open: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(open);
    for (n, (name, value)) in labels.iter().enumerate() {
        if n > 0 {
            into.push(b',');
        }
        put_name(name, scan::label_name_end, into);
        into.push(b'=');
        put_quoted(value, into);
    }
    into.push(b'}');
}

fn put_name(name: &str, end: impl Fn(&[u8], usize) -> usize, into: &mut Vec<u8>) {
    if is_plain(name, end) {
        into.extend_from_slice(name.as_bytes());
    } else {
        put_quoted(name, into);
    }
}

fn put_quoted(text: &str, into: &mut Vec<u8>) {
    into.push(b'"');
    put_escaped(text, into);
    into.push(b'"');
}

/// Seconds, with decimals that become the same milliseconds again when a reader multiplies and cuts off.
fn put_timestamp(t_ms: Option<i64>, into: &mut Vec<u8>) {
    let Some(t_ms) = t_ms else { return };
    let (sign, size) = (if t_ms < 0 { "-" } else { "" }, t_ms.unsigned_abs());
    let start = into.len() + 1;
    let _ = write!(into, " {sign}{}.{:03}", size / 1_000, size % 1_000);
    let read = into.get(start..).and_then(|text| std::str::from_utf8(text).ok()?.parse::<f64>().ok());
    if read.is_some_and(|seconds| (seconds * 1_000.0) as i64 != t_ms) {
        into.push(b'1');
    }
    while into.ends_with(b"0") {
        into.pop();
    }
    if into.ends_with(b".") {
        into.pop();
    }
}
