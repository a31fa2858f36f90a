//! Selectors: all conditions that a series has to fulfil.

use thiserror::Error;

use crate::matcher::{Matcher, MatcherError, Op};

/// Matchers that all have to hold.
#[derive(Debug, Clone)]
pub struct Selector {
    matchers: Vec<Matcher>,
}

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct ParseError {
    text: String,
}

impl From<MatcherError> for ParseError {
    fn from(error: MatcherError) -> Self {
        Self { text: error.to_string() }
    }
}

impl Selector {
    /// Reads a selector such as `up{job="node"}`.
    ///
    /// # Errors
    /// [`ParseError`] if it is anything else.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        use promql_parser::label::MatchOp;
        use promql_parser::parser::{self, Expr};
        let not_a_selector = || ParseError { text: format!("{text} is not a selector") };
        let Ok(Expr::VectorSelector(selector)) = parser::parse(text) else { return Err(not_a_selector()) };
        if selector.offset.is_some() || selector.at.is_some() || !selector.matchers.or_matchers.is_empty() {
            return Err(not_a_selector());
        }
        let mut matchers = Vec::new();
        if let Some(name) = &selector.name {
            matchers.push(Matcher::new("__name__", Op::Equal, name)?);
        }
        for matcher in &selector.matchers.matchers {
            let op = match matcher.op {
                MatchOp::Equal => Op::Equal,
                MatchOp::NotEqual => Op::NotEqual,
                MatchOp::Re(_) => Op::Regex,
                MatchOp::NotRe(_) => Op::NotRegex,
            };
            matchers.push(Matcher::new(&matcher.name, op, &matcher.value)?);
        }
        Ok(Self { matchers })
    }

    /// A selector of these matchers.
    pub fn new(matchers: Vec<Matcher>) -> Self {
        Self { matchers }
    }

    /// The matchers, in the order of the text.
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// Whether a series with these labels, sorted by name, is selected.
    pub fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.matchers.iter().all(|matcher| {
            let at = labels.binary_search_by(|(name, _)| (*name).cmp(matcher.name()));
            matcher.matches(at.map_or("", |at| labels[at].1))
        })
    }
}
