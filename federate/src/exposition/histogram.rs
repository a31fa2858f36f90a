//! Native histograms.
use super::labels::LabelLease;
/// A native histogram.
pub struct HistogramView<'p> { pub(super) labels: LabelLease<'p> }
impl std::fmt::Debug for HistogramView<'_> { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{}", self.labels.series().len()) } }
