//! Lines of the text format, one after the other.

use crate::exposition::braces::{self, Owner};
use crate::exposition::entry::{Entry, MetricType, NAME, SeriesView};
use crate::exposition::error::{ExpositionError, ExpositionErrorKind};
use crate::exposition::labels::{LabelBuffer, Pairs, check};
use crate::exposition::limits::Limits;
use crate::exposition::number;
use crate::exposition::scan;
use crate::exposition::source::{Source, Text};

/// Reads the text format. Allocates nothing for an entry once it has seen one that is as large.
///
/// ```
/// use promha_federate::exposition::{Entry, Limits, text::TextParser};
///
/// let text = "# a comment\nhits{path=\"C:\\\\dir\",code=\"200\"} 1e3 1395066363000\n";
/// let mut parser = TextParser::new(text.as_bytes(), Limits::default());
/// while let Some(entry) = parser.next_entry()? {
///     let Entry::Series(series) = entry else { continue };
///     assert_eq!(series.labels(), [("__name__", "hits"), ("code", "200"), ("path", "C:\\dir")]);
///     assert_eq!((series.value(), series.t_ms()), (1000.0, Some(1_395_066_363_000)));
/// }
/// # Ok::<(), promha_federate::exposition::ExpositionError>(())
/// ```
#[derive(Debug)]
pub struct TextParser<'a> {
    source: Source<'a>,
    labels: LabelBuffer,
    /// A family and a help text without their escapes.
    unescaped: [String; 2],
}

/// What a line is.
enum Line<'a> {
    End,
    Comment(&'a [u8]),
    Type(MetricType),
    Help(Text<'a>),
    Series(Pairs<'a>, f64, Option<i64>),
}

impl<'a> TextParser<'a> {
    /// A parser of these bytes. Checks how far they are UTF-8, which takes linear time.
    pub fn new(input: &'a [u8], limits: Limits) -> Self {
        Self { source: Source::new(input, limits), labels: LabelBuffer::default(), unescaped: <_>::default() }
    }

    /// The next entry, or `None` at the end. Takes time linear in its size.
    ///
    /// # Errors
    ///
    /// If the next line is not as it should be, or over a limit. There is nothing more behind it: another call gives `None`.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, ExpositionError> {
        let mut family = Text::Plain("");
        let start = self.source.at;
        let line = match self.line(&mut family) {
            Ok(line) => line,
            Err(error) => {
                self.source.close();
                return Err(error);
            }
        };
        let [unescaped_family, unescaped_help] = &self.unescaped;
        let family = family.or(unescaped_family);
        Ok(Some(match line {
            Line::End => return Ok(None),
            Line::Comment(text) => Entry::Comment(text),
            Line::Type(metric_type) => Entry::Type { family, metric_type },
            Line::Help(help) => Entry::Help { family, help: help.or(unescaped_help) },
            Line::Series(pairs, value, t_ms) => {
                let count = pairs.len();
                match self.labels.lend(pairs, count) {
                    Ok(labels) => {
                        Entry::Series(SeriesView { labels, value, t_ms, created_ms: None, exemplar: None })
                    }
                    Err(twice) => {
                        let at = self.source.last_of(twice).unwrap_or(start);
                        let kind = ExpositionErrorKind::DuplicateLabel { name: twice[0].to_owned() };
                        let error = self.source.error(kind, at);
                        self.source.close();
                        return Err(error);
                    }
                }
            }
        }))
    }

    /// Reads one line; the name of a family that it is about goes to `family`.
    #[inline]
    fn line(&mut self, family: &mut Text<'a>) -> Result<Line<'a>, ExpositionError> {
        let bytes = self.source.bytes();
        let mut start = self.source.at;
        // Blank lines, and blanks before anything but a name.
        while matches!(bytes.get(start), Some(b'\n' | b' ' | b'\t')) {
            start += 1;
        }
        let name_end = scan::metric_name_end(bytes, start);
        if name_end > start {
            if start > self.source.at && bytes.get(start - 1) != Some(&b'\n') {
                return Err(self.source.unexpected("a name where the line begins", start - 1));
            }
            return self.series(start, name_end);
        }
        match bytes.get(start) {
            Some(b'{') => self.series(start, start),
            Some(b'#') => self.comment(start, family),
            None if self.source.is_end(start) => {
                self.source.at = start;
                Ok(Line::End)
            }
            _ => Err(self.source.unexpected("a metric name, { or #", start)),
        }
    }

    /// A sample: what is from `start` on, with a name until `name_end`.
    #[inline]
    fn series(&mut self, start: usize, name_end: usize) -> Result<Line<'a>, ExpositionError> {
        let mut pairs = self.labels.take();
        match self.series_into(&mut pairs, start, name_end) {
            Ok((value, t_ms)) => Ok(Line::Series(pairs, value, t_ms)),
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
    ) -> Result<(f64, Option<i64>), ExpositionError> {
        let source = &self.source;
        let bytes = source.bytes();
        let name = &source.text()[start..name_end];
        check(&source.limits, 0, NAME, name).map_err(|kind| source.error(kind, start))?;
        pairs.push((NAME, name));
        let mut at = scan::blanks_end(bytes, name_end);
        if bytes.get(at) == Some(&b'{') {
            let owner = if name_end > start { Owner::Named } else { Owner::Unnamed };
            at = braces::read::<false>(source, &mut self.labels, pairs, at + 1, owner)?;
            at = scan::blanks_end(bytes, at);
        }
        let (value, end) = match number::short_float(bytes, at) {
            Some(short) => short,
            None => float(source, at)?,
        };
        let mut t_ms = None;
        at = scan::blanks_end(bytes, end);
        if bytes.get(at).is_some_and(u8::is_ascii_digit) {
            let (number, end) = number::timestamp(bytes, at)
                .ok_or_else(|| source.unexpected("a timestamp of at most 63 bits", at))?;
            t_ms = Some(number);
            at = scan::blanks_end(bytes, end);
        }
        let end = match bytes.get(at) {
            Some(b'\n') => at + 1,
            None if source.is_end(at) => at,
            _ if t_ms.is_some() => return Err(source.unexpected("the end of the line", at)),
            _ => return Err(source.unexpected("a timestamp or the end of the line", at)),
        };
        self.source.finish(start, end)?;
        Ok((value, t_ms))
    }

    /// A comment, or what is known about a family.
    #[cold]
    fn comment(&mut self, start: usize, family: &mut Text<'a>) -> Result<Line<'a>, ExpositionError> {
        let bytes = self.source.bytes();
        let word = scan::blanks_end(bytes, start + 1);
        let (is_type, is_help) = match bytes.get(word..word + 5) {
            Some(b"TYPE " | b"TYPE\t") => (true, false),
            Some(b"HELP " | b"HELP\t") => (false, true),
            _ => (false, false),
        };
        if word == start + 1 || !(is_type || is_help) {
            let comment = self.source.skip_line(start);
            let blanks = (word - start).min(comment.len());
            return Ok(Line::Comment(&comment[blanks..]));
        }
        let name = scan::blanks_end(bytes, word + 5);
        let name_end = braces::family(&self.source, name, family, &mut self.unescaped[0])?;
        let line_end = self.source.line_end(name_end);
        if line_end >= bytes.len() && !self.source.is_end(line_end) {
            return Err(self.source.unexpected("text", line_end));
        }
        let end = (line_end + 1).min(bytes.len());
        self.source.finish(start, end)?;
        // One byte behind the name belongs to neither, whatever it is.
        let text_start = (name_end + 1).min(line_end);
        let Some(text) = self.source.text().get(text_start..line_end) else {
            return Err(self.source.unexpected("a blank behind the name", name_end));
        };
        if is_type {
            let metric_type = MetricType::from_text(text).ok_or_else(|| {
                self.source.unexpected("counter, gauge, histogram, summary or untyped", text_start)
            })?;
            return Ok(Line::Type(metric_type));
        }
        // Nothing but blanks is nothing.
        let text = if text.bytes().all(|byte| matches!(byte, b' ' | b'\t')) { "" } else { text };
        Ok(Line::Help(Text::new(text, false, &mut self.unescaped[1])))
    }
}

/// The number at `at` that takes more than a look, and where it ends.
#[cold]
fn float(source: &Source<'_>, at: usize) -> Result<(f64, usize), ExpositionError> {
    let bytes = source.bytes();
    let mut end = at;
    while !matches!(bytes.get(end), None | Some(b' ' | b'\t' | b'\n' | b'{')) {
        end += 1;
    }
    match source.text().get(at..end).and_then(number::float) {
        Some(value) => Ok((value, end)),
        None => Err(source.unexpected("a value", at)),
    }
}
