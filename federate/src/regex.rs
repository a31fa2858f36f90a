//! Regular expressions with the syntax and the meaning of RE2.

use crate::matcher::{MatcherError, MatcherLimits, RegexProblem};

#[derive(Debug, Clone)]
pub(crate) struct Regex(regex_automata::meta::Regex);

impl Regex {
    pub(crate) fn new(pattern: &str, _: &MatcherLimits) -> Result<Self, MatcherError> {
        regex_automata::meta::Regex::new(&format!("^(?s:{pattern})$"))
            .map(Self)
            .map_err(|_| RegexProblem::InvalidEscape.at(pattern))
    }
    pub(crate) fn matches(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
    pub(crate) fn values(&self, _: usize) -> Option<Vec<String>> {
        None
    }
    pub(crate) fn prefix(&self) -> &str {
        ""
    }
}
