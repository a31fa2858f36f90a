//! Selectors: all conditions that a series has to fulfil.

mod error;
mod lex;
mod parse;
mod token;

use std::fmt;
use std::str::FromStr;

pub use self::error::{ParseError, ParseErrorKind};
pub(crate) use self::error::{push_escaped, quote};
use self::token::{Kind, word};
use crate::matcher::{METRIC_NAME, Matcher, MatcherLimits, Op};

/// Matchers that all have to hold.
///
/// It is read as Prometheus 3.9 reads what `match[]` carries, and refuses in the same words what is not a selector: other expressions, offsets, `@`,
/// ranges, parentheses, functions, `or`. Regular expressions have the meaning of RE2, see [`Matcher`].
///
/// ```
/// use promha_federate::Selector;
///
/// let selector = Selector::parse(r#"http_requests_total{code=~"5..", "k8s.pod"!=""}"#)?;
/// assert!(selector.matches(&[("__name__", "http_requests_total"), ("code", "503"), ("k8s.pod", "p-1")]));
/// assert!(!selector.matches(&[("__name__", "http_requests_total"), ("code", "503")]), "the pod is missing, that is empty");
/// assert_eq!(selector.metric_name(), Some("http_requests_total"));
/// assert_eq!(selector.to_string(), r#"http_requests_total{code=~"5..","k8s.pod"!=""}"#);
/// # Ok::<(), promha_federate::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Selector {
    matchers: Vec<Matcher>,
}

/// What a selector has to be besides well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rule {
    /// As on `/federate`: anything goes, also what matches everything, such as `{job!="api"}` or `{}`.
    #[default]
    Federate,
    /// As on `/api/v1/series` and the other endpoints that take `match[]`: at least one matcher rejects the empty value.
    Series,
}

impl Selector {
    /// Reads a selector such as `up{job="node"}`, by the [rule](Rule) of `/federate`.
    ///
    /// # Errors
    /// [`ParseError`] if it is anything else, or a regular expression in it is not one or too large.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_with(text, Rule::Federate)
    }

    /// Reads a selector by this rule.
    ///
    /// ```
    /// use promha_federate::selector::{Rule, Selector};
    ///
    /// assert!(Selector::parse_with(r#"{job!="api"}"#, Rule::Federate).is_ok());
    /// let error = Selector::parse_with(r#"{job!="api"}"#, Rule::Series).unwrap_err();
    /// assert_eq!(error.to_string(), "match[] must contain at least one non-empty matcher");
    /// ```
    ///
    /// # Errors
    /// [`ParseError`] if it is anything else, if a regular expression in it is not one or too large, or if the rule does not allow it.
    pub fn parse_with(text: &str, rule: Rule) -> Result<Self, ParseError> {
        Self::parse_within(text, rule, &MatcherLimits::default())
    }

    /// Reads a selector by this rule, whose matchers keep to these limits.
    ///
    /// # Errors
    /// As for [`parse_with`](Self::parse_with).
    pub fn parse_within(text: &str, rule: Rule, limits: &MatcherLimits) -> Result<Self, ParseError> {
        let selector = Self { matchers: parse::parse(text, limits)? };
        match rule {
            Rule::Series if selector.matches_everything() => Err(ParseError::matches_everything()),
            Rule::Federate | Rule::Series => Ok(selector),
        }
    }

    /// A selector of these matchers.
    pub fn new(matchers: Vec<Matcher>) -> Self {
        Self { matchers }
    }

    /// The matchers, in the order of the text.
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// The name of the metric, if an equality demands one.
    pub fn metric_name(&self) -> Option<&str> {
        let names = |matcher: &&Matcher| matcher.op() == Op::Equal && matcher.name() == METRIC_NAME;
        self.matchers.iter().find(names).map(Matcher::value)
    }

    /// Whether no matcher rejects the empty value: then it also selects series without any of its labels.
    pub fn matches_everything(&self) -> bool {
        self.matchers.iter().all(Matcher::matches_empty)
    }

    /// Whether a series with these labels, sorted by name, is selected. A label that is missing has the value `""`.
    ///
    /// Takes O(m log n) for m matchers and n labels, besides what the matchers take.
    pub fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.matchers.iter().all(|matcher| {
            let at = labels.binary_search_by(|(name, _)| (*name).cmp(matcher.name()));
            matcher.matches(at.map_or("", |at| labels[at].1))
        })
    }
}

impl FromStr for Selector {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The selector as text that [`Selector::parse`] reads as the same one.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut matchers = &*self.matchers;
        if let Some((first, rest)) = matchers.split_first()
            && first.op() == Op::Equal
            && first.name() == METRIC_NAME
            && may_stand_alone(first.value())
        {
            f.write_str(first.value())?;
            matchers = rest;
            if matchers.is_empty() {
                return Ok(());
            }
        }
        f.write_str("{")?;
        for (at, matcher) in matchers.iter().enumerate() {
            write!(f, "{}{matcher}", if at == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}

/// Whether this name of a metric may stand before the braces.
fn may_stand_alone(name: &str) -> bool {
    let well_formed = name.chars().all(|c| lex::is_alphanumeric(c) || c == ':')
        && name.starts_with(|c| lex::is_alpha(c) || c == ':');
    well_formed
        && match word(name) {
            Kind::Identifier | Kind::MetricIdentifier => true,
            Kind::Word(word) => word.as_name,
            _ => false,
        }
}

/// Whether this name of a label needs no quotes.
pub(crate) fn is_plain_label(name: &str) -> bool {
    name.starts_with(lex::is_alpha) && name.chars().all(lex::is_alphanumeric)
}
