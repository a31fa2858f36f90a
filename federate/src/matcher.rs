//! A condition on one label.

mod error;
mod text;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub use self::error::{MatcherError, MatcherLimits, RegexProblem};
pub(crate) use self::text::Text;
use crate::regex::Regex;
use crate::selector::is_plain_label;

/// The label that holds the name of the metric.
pub const METRIC_NAME: &str = "__name__";

/// How many values [`Matcher::values`] lists at most.
pub const MAX_VALUES: usize = 1024;

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

impl Op {
    /// Whether it accepts what the pattern does not stand for.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotRegex)
    }

    /// The other one of `=` and `!=`, of `=~` and `!~`.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Regex => Self::NotRegex,
            Self::NotRegex => Self::Regex,
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A condition on one label. A label that is missing has the value `""`. A clone shares what was compiled.
///
/// A regular expression has the syntax and the meaning of RE2, is anchored at both ends, and its dot matches line breaks. As
/// Prometheus 3.9 does and RE2 does not, `(?i)literal.*` and `(?i).*literal` fold only letters that take as many bytes,
/// and 16 or more alternatives that ignore case are compared after normalisation (NFKD) in lower case; for ASCII that
/// is the same. The tables of Unicode are newer than those of Prometheus.
///
/// ```
/// use promha_federate::{Matcher, Op};
///
/// let matcher = Matcher::new("code", Op::NotRegex, "5..|4(04|29)")?;
/// assert!(matcher.matches("200") && matcher.matches(""));
/// assert!(!matcher.matches("503") && !matcher.matches("429"));
///
/// let error = Matcher::new("code", Op::Regex, "5)|(4").unwrap_err();
/// assert_eq!(error.to_string(), "error parsing regexp: unexpected ): `5)|(4`");
/// # Ok::<(), promha_federate::MatcherError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Matcher {
    op: Op,
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    name: Text,
    value: Text,
    /// Of a regular expression.
    regex: Option<Regex>,
    /// What the pattern stands for, once somebody has asked.
    values: OnceLock<Option<Vec<String>>>,
}

impl Matcher {
    /// A matcher of these parts, within the default limits.
    ///
    /// # Errors
    /// [`MatcherError`] if the regular expression is not one, or too large.
    pub fn new(name: &str, op: Op, value: &str) -> Result<Self, MatcherError> {
        Self::with_limits(name, op, value, &MatcherLimits::default())
    }

    /// A matcher of these parts.
    ///
    /// # Errors
    /// [`MatcherError`] if the regular expression is not one, or larger than the limits allow.
    pub fn with_limits(
        name: &str,
        op: Op,
        value: &str,
        limits: &MatcherLimits,
    ) -> Result<Self, MatcherError> {
        Self::of_text(Text::from(name), op, Text::from(value), limits)
    }

    pub(crate) fn of_text(
        name: Text,
        op: Op,
        value: Text,
        limits: &MatcherLimits,
    ) -> Result<Self, MatcherError> {
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Regex | Op::NotRegex => match value.utf8() {
                Some(pattern) => Some(Regex::new(pattern, limits)?),
                None => return Err(RegexProblem::InvalidUtf8.at(value.lossy())),
            },
        };
        Ok(Self { op, parts: Arc::new(Parts { name, value, regex, values: OnceLock::new() }) })
    }

    /// The name of the label. Of a name that is not UTF-8 it is empty: no series has either.
    pub fn name(&self) -> &str {
        self.parts.name.utf8().unwrap_or_default()
    }

    /// How it compares.
    pub fn op(&self) -> Op {
        self.op
    }

    /// The value, or the regular expression as it was given. What is not UTF-8 of a value is replaced; such a value equals none.
    pub fn value(&self) -> &str {
        self.parts.value.lossy()
    }

    /// Whether a value of the label fulfils the condition; `""` stands for a label that is missing.
    ///
    /// Takes time linear in the value at most, and constant or logarithmic in the pattern.
    #[inline]
    pub fn matches(&self, value: &str) -> bool {
        let parts = &*self.parts;
        let stands_for = match &parts.regex {
            Some(regex) => regex.matches(value),
            None => parts.value.utf8() == Some(value),
        };
        stands_for != self.op.is_negative()
    }

    /// Whether series without the label fulfil the condition.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The values that the pattern stands for, sorted, if it is an equality or a regular expression that stands for [at
    /// most 1,024](MAX_VALUES); of a negated matcher those that are excluded. They are made when first asked for.
    ///
    /// ```
    /// use promha_federate::{Matcher, Op};
    ///
    /// let matcher = Matcher::new("code", Op::Regex, "5(0[0-3]|11)?")?;
    /// assert_eq!(matcher.values().unwrap(), ["5", "500", "501", "502", "503", "511"]);
    /// assert_eq!(Matcher::new("code", Op::Regex, "5..")?.values(), None);
    /// # Ok::<(), promha_federate::MatcherError>(())
    /// ```
    pub fn values(&self) -> Option<&[String]> {
        let parts = &*self.parts;
        let values = parts.values.get_or_init(|| match (&parts.regex, parts.value.utf8()) {
            (Some(regex), _) => regex.values(MAX_VALUES),
            (None, Some(value)) => Some(vec![value.to_owned()]),
            (None, None) => Some(Vec::new()),
        });
        values.as_deref()
    }

    /// What every value begins with that the pattern (negated or not) stands for.
    ///
    /// ```
    /// use promha_federate::{Matcher, Op};
    ///
    /// assert_eq!(Matcher::new("pod", Op::Regex, "web-(a|b).*")?.prefix(), "web-");
    /// # Ok::<(), promha_federate::MatcherError>(())
    /// ```
    pub fn prefix(&self) -> &str {
        match &self.parts.regex {
            Some(regex) => regex.prefix(),
            None => self.parts.value.utf8().unwrap_or_default(),
        }
    }

    /// The matcher that accepts what this one rejects. Nothing is compiled again.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self { op: self.op.negated(), parts: Arc::clone(&self.parts) }
    }
}

/// Matchers are the same when they are written the same.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        let written = |parts: &'_ Parts| (parts.name.clone(), parts.value.clone());
        self.op == other.op
            && (Arc::ptr_eq(&self.parts, &other.parts) || written(&self.parts) == written(&other.parts))
    }
}

impl Eq for Matcher {}

/// The matcher as it stands in a selector, the name in quotes if it has to be.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.parts;
        match parts.name.utf8() {
            Some(name) if is_plain_label(name) => f.write_str(name)?,
            _ => f.write_str(&parts.name.quoted())?,
        }
        write!(f, "{}{}", self.op.as_str(), parts.value.quoted())
    }
}
