//! Lines of OpenMetrics, one after the other.

use crate::exposition::braces::{self, Owner};
use crate::exposition::entry::{Entry, ExemplarNumbers, MetricType, NAME, SeriesView};
use crate::exposition::error::{ExpositionError, ExpositionErrorKind};
use crate::exposition::labels::{LabelBuffer, Pairs, check};
use crate::exposition::limits::Limits;
use crate::exposition::number;
use crate::exposition::scan;
use crate::exposition::source::{Source, Text};

/// Reads OpenMetrics. Allocates nothing for an entry once it has seen one that is as large.
///
/// A sample whose name ends with `_created` is a sample like any other. Timestamps are seconds there and milliseconds here,
/// cut off as in Prometheus.
///
/// ```
/// use promha_federate::exposition::{Entry, Limits, openmetrics::OpenMetricsParser};
///
/// let text = "# TYPE hits counter\nhits_total 17 # {trace_id=\"ab\"} 0.5 1.5\n# EOF\n";
/// let mut parser = OpenMetricsParser::new(text.as_bytes(), Limits::default());
/// while let Some(entry) = parser.next_entry()? {
///     let Entry::Series(series) = entry else { continue };
///     let exemplar = series.exemplar().unwrap();
///     assert_eq!((exemplar.labels, exemplar.value), (&[("trace_id", "ab")][..], 0.5));
///     assert_eq!(exemplar.t_ms, Some(1_500));
/// }
/// # Ok::<(), promha_federate::exposition::ExpositionError>(())
/// ```
#[derive(Debug)]
pub struct OpenMetricsParser<'a> {
    source: Source<'a>,
    labels: LabelBuffer,
    /// A family and a help text without their escapes.
    unescaped: [String; 2],
    is_closed: bool,
}

/// What a line is.
enum Line<'a> {
    End,
    Type(MetricType),
    Help(Text<'a>),
    Unit(&'a str),
    Series(Pairs<'a>, Sample),
}

/// A sample without its labels.
struct Sample {
    value: f64,
    t_ms: Option<i64>,
    exemplar: Option<ExemplarNumbers>,
    /// How many of the labels are of the series.
    labels: usize,
}

impl<'a> OpenMetricsParser<'a> {
    /// A parser of these bytes. Checks how far they are UTF-8, which takes linear time.
    pub fn new(input: &'a [u8], limits: Limits) -> Self {
        let source = Source::new(input, limits);
        Self { source, labels: LabelBuffer::default(), unescaped: <_>::default(), is_closed: false }
    }

    /// The next entry, or `None` behind `# EOF`. Takes time linear in its size.
    ///
    /// # Errors
    ///
    /// If the next line is not as it should be, or over a limit; at the end, if there was no `# EOF`. There is nothing more
    /// behind it: another call gives `None`.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, ExpositionError> {
        if self.is_closed {
            return Ok(None);
        }
        let mut family = Text::Plain("");
        let start = self.source.at;
        let line = match self.line(&mut family) {
            Ok(line) => line,
            Err(error) => {
                self.is_closed = true;
                return Err(error);
            }
        };
        let [unescaped_family, unescaped_help] = &self.unescaped;
        let family = family.or(unescaped_family);
        Ok(Some(match line {
            Line::End => {
                self.is_closed = true;
                return Ok(None);
            }
            Line::Type(metric_type) => Entry::Type { family, metric_type },
            Line::Help(help) => Entry::Help { family, help: help.or(unescaped_help) },
            Line::Unit(unit) => Entry::Unit { family, unit },
            Line::Series(pairs, Sample { value, t_ms, exemplar, labels }) => {
                match self.labels.lend(pairs, labels) {
                    Ok(labels) => {
                        Entry::Series(SeriesView { labels, value, t_ms, created_ms: None, exemplar })
                    }
                    Err(twice) => {
                        self.is_closed = true;
                        let at = self.source.last_of(twice).unwrap_or(start);
                        let kind = ExpositionErrorKind::DuplicateLabel { name: twice[0].to_owned() };
                        return Err(self.source.error(kind, at));
                    }
                }
            }
        }))
    }

    /// Reads one line; the name of a family that it is about goes to `family`.
    #[inline]
    fn line(&mut self, family: &mut Text<'a>) -> Result<Line<'a>, ExpositionError> {
        let (bytes, start) = (self.source.bytes(), self.source.at);
        let name_end = scan::metric_name_end(bytes, start);
        if name_end > start || bytes.get(start) == Some(&b'{') {
            return self.series(start, name_end);
        }
        self.about(start, family)
    }

    /// A sample: what is from `start` on, with a name until `name_end`.
    #[inline]
    fn series(&mut self, start: usize, name_end: usize) -> Result<Line<'a>, ExpositionError> {
        let mut pairs = self.labels.take();
        match self.series_into(&mut pairs, start, name_end) {
            Ok(sample) => Ok(Line::Series(pairs, sample)),
            Err(error) => {
                self.labels.give_back(pairs);
                Err(error)
            }
        }
    }

    #[inline]
    fn series_into(
        &mut self,
        pairs: &mut Pairs<'a>,
        start: usize,
        name_end: usize,
    ) -> Result<Sample, ExpositionError> {
        let source = &self.source;
        let bytes = source.bytes();
        let name = &source.text()[start..name_end];
        check(&source.limits, 0, NAME, name).map_err(|kind| source.error(kind, start))?;
        pairs.push((NAME, name));
        let mut at = name_end;
        if bytes.get(at) == Some(&b'{') {
            let owner = if name_end > start { Owner::Named } else { Owner::Unnamed };
            at = braces::read::<true>(source, &mut self.labels, pairs, at + 1, owner)?;
        }
        let labels = pairs.len();
        let (value, end) = float(source, at, "a value")?;
        at = end;
        let mut t_ms = None;
        if bytes.get(at) == Some(&b' ') && !is_exemplar(bytes, at) {
            (t_ms, at) = timestamp(source, at)?;
        }
        let mut exemplar = None;
        if is_exemplar(bytes, at) {
            at = braces::read::<true>(source, &mut self.labels, pairs, at + EXEMPLAR.len(), Owner::Exemplar)?;
            let (value, end) = float(source, at, "the value of the exemplar")?;
            let mut t_ms = None;
            at = end;
            if bytes.get(at) == Some(&b' ') {
                (t_ms, at) = timestamp(source, at)?;
            }
            exemplar = Some(ExemplarNumbers { value, t_ms });
        }
        if bytes.get(at) != Some(&b'\n') {
            return Err(end_or(source, "the end of the line", at));
        }
        self.source.finish(start, at + 1)?;
        Ok(Sample { value, t_ms, exemplar, labels })
    }

    /// What is known about a family, or the end.
    #[cold]
    fn about(&mut self, start: usize, family: &mut Text<'a>) -> Result<Line<'a>, ExpositionError> {
        let bytes = self.source.bytes();
        let rest = bytes.get(start..).unwrap_or_default();
        if let Some(behind) = rest.strip_prefix(b"# EOF") {
            let behind = behind.strip_prefix(b"\n").unwrap_or(behind);
            let at = bytes.len() - behind.len();
            if !self.source.is_end(at) {
                return Err(self.source.unexpected("nothing behind # EOF", at));
            }
            return Ok(Line::End);
        }
        let keyword = match rest.first_chunk::<7>() {
            Some(keyword @ (b"# TYPE " | b"# HELP " | b"# UNIT ")) => keyword,
            _ => {
                return Err(end_or(&self.source, "a metric name, {, # HELP, # TYPE, # UNIT or # EOF", start));
            }
        };
        let name_end = braces::family(&self.source, start + 7, family, &mut self.unescaped[0])?;
        if bytes.get(name_end) != Some(&b' ') {
            return Err(end_or(&self.source, "a blank behind the name", name_end));
        }
        let line_end = self.source.line_end(name_end);
        if line_end >= bytes.len() {
            return Err(end_or(&self.source, "the end of the line", line_end));
        }
        self.source.finish(start, line_end + 1)?;
        let text_start = name_end + 1;
        let text = &self.source.text()[text_start..line_end];
        match keyword {
            b"# HELP " => Ok(Line::Help(Text::new(text, true, &mut self.unescaped[1]))),
            b"# TYPE " => MetricType::from_openmetrics(text)
                .map(Line::Type)
                .ok_or_else(|| self.source.unexpected("a type of OpenMetrics", text_start)),
            _ => {
                let family = family.or(&self.unescaped[0]);
                let is_suffix = family.strip_suffix(text).is_some_and(|before| before.ends_with('_'));
                if text.is_empty() || is_suffix {
                    return Ok(Line::Unit(text));
                }
                let kind = ExpositionErrorKind::Unit { unit: text.to_owned(), family: family.to_owned() };
                Err(self.source.error(kind, text_start))
            }
        }
    }
}

/// What an exemplar begins with.
const EXEMPLAR: &[u8] = b" # {";

#[inline]
fn is_exemplar(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..at + EXEMPLAR.len()) == Some(EXEMPLAR)
}

/// The number behind the blank at `at`, and where it ends.
#[inline]
fn float(source: &Source<'_>, at: usize, expected: &'static str) -> Result<(f64, usize), ExpositionError> {
    let bytes = source.bytes();
    if bytes.get(at) != Some(&b' ') {
        return Err(end_or(source, "one blank", at));
    }
    match number::short_float(bytes, at + 1) {
        Some(short) => Ok(short),
        None => long_float(source, at + 1, expected),
    }
}

#[cold]
fn long_float(
    source: &Source<'_>,
    at: usize,
    expected: &'static str,
) -> Result<(f64, usize), ExpositionError> {
    let bytes = source.bytes();
    let mut end = at;
    while !matches!(bytes.get(end), None | Some(b' ' | b'\n')) {
        end += 1;
    }
    match source.text().get(at..end).and_then(number::float) {
        Some(value) => Ok((value, end)),
        None => Err(end_or(source, expected, at)),
    }
}

/// The timestamp behind the blank at `at`, in milliseconds, and where it ends.
fn timestamp(source: &Source<'_>, at: usize) -> Result<(Option<i64>, usize), ExpositionError> {
    let (seconds, end) = float(source, at, "a timestamp in seconds")?;
    if !seconds.is_finite() {
        return Err(source.unexpected("a timestamp that is finite", at + 1));
    }
    Ok((Some((seconds * 1_000.0) as i64), end))
}

/// Something else than what is expected stands at `at`; the end, if it is missing `# EOF`.
#[cold]
fn end_or(source: &Source<'_>, expected: &'static str, at: usize) -> ExpositionError {
    if source.is_end(at) {
        return source.error(ExpositionErrorKind::MissingEof, at);
    }
    source.unexpected(expected, at)
}
