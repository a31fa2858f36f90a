//! Why a matcher cannot be made, and how large it may be.

use std::fmt;

use thiserror::Error;

/// How large a regular expression may be. Each limit is checked before memory is taken for what is over it.
///
/// ```
/// use promha_federate::matcher::{Matcher, MatcherLimits, Op};
///
/// let mut limits = MatcherLimits::default();
/// limits.max_pattern_bytes = 16;
/// let error = Matcher::with_limits("job", Op::Regex, "a|few|more|than|that", &limits).unwrap_err();
/// assert_eq!(error.to_string(), "bytes of a regular expression: 20 exceed the limit of 16");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatcherLimits {
    /// Bytes of a regular expression: 4 MiB, which has room for some 100,000 alternatives.
    pub max_pattern_bytes: usize,
    /// Ranges of characters in all classes of a regular expression together: 1,000,000. `\pL` has 659.
    pub max_class_ranges: usize,
    /// Bytes of the automaton of a regular expression that cannot do without: 16 MiB.
    pub max_automaton_bytes: usize,
}

impl Default for MatcherLimits {
    fn default() -> Self {
        Self { max_pattern_bytes: 4 << 20, max_class_ranges: 1_000_000, max_automaton_bytes: 16 << 20 }
    }
}

/// Why a matcher cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MatcherError {
    /// The regular expression is not one.
    #[error("error parsing regexp: {problem}: `{text}`")]
    Regex {
        /// What is wrong.
        problem: RegexProblem,
        /// The part that is wrong.
        text: String,
    },
    /// The regular expression is longer than the limit.
    #[error("bytes of a regular expression: {found} exceed the limit of {limit}")]
    PatternBytes {
        /// How many there are.
        found: usize,
        /// The limit in force.
        limit: usize,
    },
    /// The classes of characters in the regular expression have more ranges than the limit.
    #[error("ranges in classes of a regular expression: {found} exceed the limit of {limit}")]
    ClassRanges {
        /// How many there are at least.
        found: usize,
        /// The limit in force.
        limit: usize,
    },
    /// The regular expression needs a larger automaton than the limit.
    #[error("bytes of the automaton of a regular expression exceed the limit of {limit}")]
    AutomatonBytes {
        /// The limit in force.
        limit: usize,
    },
}

/// What is wrong with a regular expression, in the words of Go's `regexp/syntax`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegexProblem {
    /// A range that ends before it begins, or a class that is not known.
    InvalidCharRange,
    /// An escape that is not known.
    InvalidEscape,
    /// A name of a group that is not one.
    InvalidNamedCapture,
    /// `(?` with something that RE2 does not have behind it.
    InvalidPerlOp,
    /// `a**`
    InvalidRepeatOp,
    /// A repetition of more than 1,000, all of them together, or one that ends before it begins.
    InvalidRepeatSize,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A class without end.
    MissingBracket,
    /// A group without end.
    MissingParen,
    /// A repetition of nothing.
    MissingRepeatArgument,
    /// `\` at the end.
    TrailingBackslash,
    /// An end of a group that was not begun.
    UnexpectedParen,
    /// More than 1,000 groups in each other, or more than 200 repetitions and alternations.
    NestingDepth,
}

impl RegexProblem {
    /// The error that says so about this part.
    pub(crate) fn at(self, text: &str) -> MatcherError {
        MatcherError::Regex { problem: self, text: text.to_owned() }
    }
}

impl fmt::Display for RegexProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidCharRange => "invalid character class range",
            Self::InvalidEscape => "invalid escape sequence",
            Self::InvalidNamedCapture => "invalid named capture",
            Self::InvalidPerlOp => "invalid or unsupported Perl syntax",
            Self::InvalidRepeatOp => "invalid nested repetition operator",
            Self::InvalidRepeatSize => "invalid repeat count",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::MissingRepeatArgument => "missing argument to repetition operator",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParen => "unexpected )",
            Self::NestingDepth => "expression nests too deeply",
        })
    }
}
