//! Which format an answer has, and the parser for it.

use thiserror::Error;

use super::entry::Entry;
use super::error::ExpositionError;
use super::limits::Limits;
use super::openmetrics::OpenMetricsParser;
use super::protobuf::ProtobufParser;
use super::text::TextParser;

/// The format of an exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// See [`text`](super::text).
    Text,
    /// See [`openmetrics`](super::openmetrics).
    OpenMetrics,
    /// See [`protobuf`](super::protobuf).
    Protobuf,
}

/// A `Content-Type` that names none of the formats.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the Content-Type {content_type:?} is none of an exposition")]
pub struct UnknownFormat {
    /// The header as it came; empty if there was none.
    pub content_type: String,
}

impl Format {
    /// The format that an answer with this `Content-Type` has, by its media type alone: parameters such as a version say
    /// nothing about which parser it takes, but they have to be well-formed, as in Prometheus 3. If it names none, the fallback,
    /// if there is one; Prometheus 2 always falls back to text. Pass an empty text where there is no header.
    ///
    /// # Errors
    ///
    /// If it names none and there is no fallback.
    ///
    /// ```
    /// use promha_federate::exposition::Format;
    ///
    /// let protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    /// assert_eq!(Format::of_content_type(protobuf, None)?, Format::Protobuf);
    /// assert_eq!(Format::of_content_type("", Some(Format::Text))?, Format::Text);
    /// assert!(Format::of_content_type("text/html", None).is_err());
    /// # Ok::<(), promha_federate::exposition::UnknownFormat>(())
    /// ```
    pub fn of_content_type(content_type: &str, fallback: Option<Format>) -> Result<Self, UnknownFormat> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let known = [
            ("text/plain", Self::Text),
            ("application/openmetrics-text", Self::OpenMetrics),
            ("application/vnd.google.protobuf", Self::Protobuf),
        ];
        known
            .into_iter()
            .find(|(name, _)| media_type.eq_ignore_ascii_case(name))
            .filter(|_| has_parameters(content_type))
            .map(|(_, format)| format)
            .or(fallback)
            .ok_or_else(|| UnknownFormat { content_type: content_type.to_owned() })
    }
}

/// Whether what is behind the media type are parameters, each once. Source: RFC 2045, section 5.1.
fn has_parameters(content_type: &str) -> bool {
    let mut names = Vec::new();
    let mut rest = content_type.find(';').map_or("", |at| &content_type[at..]);
    while let Some(parameter) = rest.strip_prefix(';') {
        let parameter = parameter.trim_start();
        if parameter.is_empty() {
            return true;
        }
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let name = name.to_ascii_lowercase();
        let end = match value.strip_prefix('"') {
            Some(quoted) => closing_quote(quoted).map(|end| end + 2),
            None => Some(value.bytes().take_while(|&byte| is_token(byte)).count()).filter(|&end| end > 0),
        };
        let Some(end) = end else { return false };
        if name.is_empty() || !name.bytes().all(is_token) || names.contains(&name) {
            return false;
        }
        names.push(name);
        rest = value[end..].trim_start();
    }
    rest.is_empty()
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

/// The parser of any format.
#[derive(Debug)]
#[non_exhaustive]
pub enum Parser<'a> {
    /// Of the text format.
    Text(TextParser<'a>),
    /// Of OpenMetrics.
    OpenMetrics(OpenMetricsParser<'a>),
    /// Of protobuf.
    Protobuf(Box<ProtobufParser<'a>>),
}

impl<'a> Parser<'a> {
    /// A parser of these bytes in this format.
    pub fn new(format: Format, input: &'a [u8], limits: Limits) -> Self {
        match format {
            Format::Text => Self::Text(TextParser::new(input, limits)),
            Format::OpenMetrics => Self::OpenMetrics(OpenMetricsParser::new(input, limits)),
            Format::Protobuf => Self::Protobuf(Box::new(ProtobufParser::new(input, limits))),
        }
    }

    /// The next entry, or `None` at the end.
    ///
    /// # Errors
    ///
    /// If what comes next is not as it should be, or over a limit. There is nothing more behind it: another call gives `None`.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, ExpositionError> {
        match self {
            Self::Text(parser) => parser.next_entry(),
            Self::OpenMetrics(parser) => parser.next_entry(),
            Self::Protobuf(parser) => parser.next_entry(),
        }
    }
}
