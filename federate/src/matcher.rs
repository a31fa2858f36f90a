//! A condition on one label.

use std::fmt;

use thiserror::Error;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// A condition on one label. A label that is missing has the value `""`.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: Op,
    value: String,
    regex: Option<regex_automata::meta::Regex>,
}

/// Why a matcher cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MatcherError {
    /// The regular expression is not one.
    #[error("{text}")]
    Regex {
        /// What is wrong.
        text: String,
    },
}

impl Matcher {
    /// A matcher of these parts. A regular expression has the meaning of RE2, is anchored, and its dot matches line breaks.
    ///
    /// # Errors
    /// [`MatcherError`] if the regular expression is not one.
    pub fn new(name: &str, op: Op, value: &str) -> Result<Self, MatcherError> {
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Regex | Op::NotRegex => {
                let regex = regex_automata::meta::Regex::new(&format!("^(?s:{value})$"));
                Some(regex.map_err(|error| MatcherError::Regex { text: error.to_string() })?)
            }
        };
        Ok(Self { name: name.to_owned(), op, value: value.to_owned(), regex })
    }

    /// The name of the label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> Op {
        self.op
    }

    /// The value, or the regular expression as it was given.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a value of the label fulfils the condition; `""` stands for a label that is missing.
    pub fn matches(&self, value: &str) -> bool {
        match self.op {
            Op::Equal => value == self.value,
            Op::NotEqual => value != self.value,
            Op::Regex => self.regex.as_ref().is_some_and(|regex| regex.is_match(value)),
            Op::NotRegex => !self.regex.as_ref().is_some_and(|regex| regex.is_match(value)),
        }
    }

    /// Whether series without the label fulfil the condition.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The values that the pattern stands for, sorted, if it is an equality or a regular expression that stands for a few; of
    /// a negated matcher those that are excluded.
    pub fn values(&self) -> Option<&[String]> {
        None
    }

    /// What every value begins with that the pattern (negated or not) stands for.
    pub fn prefix(&self) -> &str {
        ""
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            Op::Equal => "=",
            Op::NotEqual => "!=",
            Op::Regex => "=~",
            Op::NotRegex => "!~",
        };
        write!(f, "{}{op}{:?}", self.name, self.value)
    }
}
