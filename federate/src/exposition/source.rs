//! The bytes of a text, as far as they are UTF-8, and a place in them.

use super::error::{ExpositionError, ExpositionErrorKind, Limit};
use super::labels::{over, unescape};
use super::limits::Limits;

/// How much of what was found an error shows.
const SHOWN_CHARS: usize = 40;

/// A text, and where in it the next entry begins. It is checked for UTF-8 once; where it is not, it ends, unless the bad bytes
/// are in a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    all: &'a [u8],
    /// The part that is looked at: UTF-8, and as long as it goes.
    text: &'a str,
    /// Where `text` begins in `all`.
    base: usize,
    /// Where the next entry begins in `text`.
    pub(super) at: usize,
    pub(super) limits: Limits,
}

impl<'a> Source<'a> {
    pub(super) fn new(all: &'a [u8], limits: Limits) -> Self {
        Self { all, text: valid_prefix(all), base: 0, at: 0, limits }
    }

    /// The part that is looked at.
    #[inline]
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The same as bytes.
    #[inline]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Whether there is nothing from `at` on.
    pub(super) fn is_end(&self, at: usize) -> bool {
        self.base + at >= self.all.len()
    }

    /// Where the last of these strings begins that was taken from the text.
    #[cold]
    pub(super) fn last_of(&self, parts: [&str; 2]) -> Option<usize> {
        let text = self.text.as_ptr().addr();
        let offset = |part: &str| part.as_ptr().addr().checked_sub(text).filter(|&at| at < self.text.len());
        parts.into_iter().filter_map(offset).max()
    }

    /// The rest of the line, whatever its bytes, without its line break; the next entry begins behind it.
    pub(super) fn skip_line(&mut self, at: usize) -> &'a [u8] {
        let start = self.base + at;
        let rest = &self.all[start..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let next = (start + length + 1).min(self.all.len());
        if next - self.base <= self.text.len() {
            self.at = next - self.base;
        } else {
            (self.base, self.at) = (next, 0);
            self.text = prefix_to_first_error(&self.all[next..]);
        }
        &rest[..length]
    }

    /// Where the line break is from `at` on, or the end of the text.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let rest = &self.bytes()[at..];
        at + memchr::memchr(b'\n', rest).unwrap_or(rest.len())
    }

    /// Moves behind an entry that begins at `start`.
    #[inline]
    pub(super) fn finish(&mut self, start: usize, end: usize) -> Result<(), ExpositionError> {
        self.at = end;
        if end - start <= self.limits.max_line_bytes {
            return Ok(());
        }
        Err(self.error(over(Limit::LineBytes, self.limits.max_line_bytes, end - start), start))
    }

    /// There is nothing more to read.
    #[cold]
    pub(super) fn close(&mut self) {
        (self.base, self.at, self.text) = (self.all.len(), 0, "");
    }

    /// Something else than what is expected stands at `at`.
    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str, at: usize) -> ExpositionError {
        if at >= self.text.len() && !self.is_end(at) {
            return self.error(ExpositionErrorKind::InvalidUtf8, self.text.len());
        }
        let line = self.text.get(at..).unwrap_or_default().split('\n').next().unwrap_or_default();
        let found = match line {
            "" if self.is_end(at) => "the end".to_owned(),
            "" => "the end of the line".to_owned(),
            _ => format!("{:?}", line.chars().take(SHOWN_CHARS).collect::<String>()),
        };
        self.error(ExpositionErrorKind::Unexpected { expected, found }, at)
    }

    #[cold]
    pub(super) fn error(&self, kind: ExpositionErrorKind, at: usize) -> ExpositionError {
        ExpositionError::in_text(kind, self.all, self.base + at)
    }
}

/// A text that stands in the input, or without its escapes elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'a> {
    Plain(&'a str),
    Unescaped,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str, quotes: bool, unescaped: &mut String) -> Self {
        if memchr::memchr(b'\\', text.as_bytes()).is_none() {
            return Self::Plain(text);
        }
        unescaped.clear();
        unescape(text, quotes, unescaped);
        Self::Unescaped
    }

    pub(super) fn or<'p>(self, unescaped: &'p str) -> &'p str
    where
        'a: 'p,
    {
        match self {
            Self::Plain(text) => text,
            Self::Unescaped => unescaped,
        }
    }
}

fn valid_prefix(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_else(|_| prefix_to_first_error(bytes))
}

/// The same in time that depends on the size of the prefix alone.
#[cold]
fn prefix_to_first_error(bytes: &[u8]) -> &str {
    simdutf8::compat::from_utf8(bytes).unwrap_or_else(|error| {
        bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default()
    })
}
