//! What is wrong with a text that is not a selector.

use std::fmt;

use thiserror::Error;

use crate::matcher::MatcherError;

/// Why a text is not a selector, in the words of Prometheus, and where.
///
/// ```
/// use promha_federate::Selector;
///
/// let error = Selector::parse(r#"up{job="api"} or down"#).unwrap_err();
/// assert_eq!(error.to_string(), "1:15: parse error: unexpected <op:or>");
/// assert_eq!(error.offset(), Some(14));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    kind: ParseErrorKind,
    at: Option<Place>,
}

/// What is wrong with the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// It is another expression, or none.
    #[error("{0}")]
    Syntax(String),
    /// A regular expression in it is not one, or too large.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// It is a selector, but one that the rule does not allow: all its matchers accept series without the label.
    #[error("match[] must contain at least one non-empty matcher")]
    MatchesEverything,
}

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: usize,
    line: usize,
    column: usize,
}

impl ParseError {
    /// A syntax error at this byte.
    pub(super) fn syntax(text: &str, offset: usize, message: impl Into<String>) -> Self {
        Self::at(text, offset, ParseErrorKind::Syntax(message.into()))
    }

    pub(super) fn at(text: &str, offset: usize, kind: ParseErrorKind) -> Self {
        let before = &text.as_bytes()[..offset];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let place = Place { offset, line, column: offset - line_start + 1 };
        Self { kind, at: (!text.is_empty()).then_some(place) }
    }

    pub(super) fn matches_everything() -> Self {
        Self { kind: ParseErrorKind::MatchesEverything, at: None }
    }

    /// What is wrong.
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// Where it is wrong, in bytes from the start; none for an empty text, and where it is not a matter of place.
    pub fn offset(&self) -> Option<usize> {
        self.at.map(|place| place.offset)
    }

    /// Line and column of [`offset`](Self::offset), both from 1, the column in bytes.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.at.map(|place| (place.line, place.column))
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ParseErrorKind::Matcher(error) => Some(error),
            ParseErrorKind::Syntax(_) | ParseErrorKind::MatchesEverything => None,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.at) {
            (ParseErrorKind::MatchesEverything, _) => self.kind.fmt(f),
            (kind, Some(place)) => write!(f, "{}:{}: parse error: {kind}", place.line, place.column),
            (kind, None) => write!(f, "unknown position: parse error: {kind}"),
        }
    }
}

/// A text in double quotes, as Go writes it.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(c, '"', &mut out);
    }
    out.push('"');
    out
}

/// A character in single quotes, as Go writes it; the end of the text is none.
pub(super) fn quote_char(c: Option<char>) -> String {
    let mut out = String::from("'");
    push_escaped(c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'', &mut out);
    out.push('\'');
    out
}

pub(crate) fn push_escaped(c: char, delimiter: char, out: &mut String) {
    use std::fmt::Write;
    match c {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        c if c == delimiter => out.extend(['\\', c]),
        '\'' | '"' => out.push(c),
        c if c.is_ascii_control() => _ = write!(out, "\\x{:02x}", u32::from(c)),
        // What cannot be seen is escaped.
        c if c.escape_debug().len() > 1 && c <= '\u{ffff}' => _ = write!(out, "\\u{:04x}", u32::from(c)),
        c if c.escape_debug().len() > 1 => _ = write!(out, "\\U{:08x}", u32::from(c)),
        c => out.push(c),
    }
}
