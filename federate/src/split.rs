//! What stays: rules that divide series into those that travel to a federation and those that stay where they are.
//!
//! ```
//! use promha_federate::split::{Rule, Split};
//!
//! let split = Split::new(vec![
//!     Rule::stays("debug", &["{__name__=~\"debug_.*\"}"])?,
//!     Rule::travels("health", &["up"], &["global", "billing"])?,
//!     Rule::travels("recorded", &["{__name__=~\"job:.*\"}"], &["global"])?,
//! ])?;
//! assert_eq!(split.assign(&[("__name__", "up"), ("job", "node")]).federations, ["global", "billing"]);
//! assert!(split.assign(&[("__name__", "debug_up")]).federations.is_empty());
//!
//! // The same in the words of whoever scrapes a federation:
//! assert_eq!(split.selectors("billing")?, [r#"{__name__="up",__name__!~"debug_.*"}"#]);
//! # Ok::<(), promha_federate::split::SplitError>(())
//! ```

mod lint;
mod params;
mod report;
mod scrape;

use thiserror::Error;

use crate::matcher::MatcherError;
use crate::selector::{ParseError, Selector};

pub use lint::Warning;
pub use report::{Example, MAX_EXAMPLES, Report, RuleCount};
pub use scrape::{ScrapeTarget, scrape_config};

/// Which series a rule takes, and where they go.
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    selectors: Vec<Selector>,
    /// Empty if they stay.
    federations: Vec<String>,
}

/// Why rules are none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A selector is none.
    #[error("rule {rule:?}: {text}: {error}")]
    Selector {
        /// The name of the rule.
        rule: String,
        /// The selector.
        text: String,
        /// What is wrong with it.
        error: ParseError,
    },
    /// A selector without matchers selects nothing on `/federate`.
    #[error("rule {rule:?}: {text} selects nothing on /federate; {{__name__!=\"\"}} selects everything")]
    Nothing {
        /// The name of the rule.
        rule: String,
        /// The selector.
        text: String,
    },
    /// A rule has no selector, or one that travels no federation.
    #[error("rule {rule:?} has no {what}")]
    Missing {
        /// The name of the rule.
        rule: String,
        /// What it has not.
        what: &'static str,
    },
    /// Two rules have the same name.
    #[error("there are two rules {rule:?}")]
    Twice {
        /// The name of the rules.
        rule: String,
    },
    /// No rule travels to a federation of this name.
    #[error("no rule travels to {federation:?}")]
    Unknown {
        /// The name that was asked for.
        federation: String,
    },
    /// What stays cannot be left out with so few selectors.
    #[error(
        "{federation:?} needs more than {limit} selectors, because what stays has to be left out of them"
    )]
    TooMany {
        /// The name of the federation.
        federation: String,
        /// How many there may be.
        limit: usize,
    },
    /// The opposite of a matcher is none.
    #[error("{0}")]
    Matcher(#[from] MatcherError),
}

impl Rule {
    /// A rule for series that any of these selectors selects: they travel to these federations.
    ///
    /// # Errors
    ///
    /// If a selector is none or selects nothing, or there are no selectors or federations.
    pub fn travels(name: &str, selectors: &[&str], federations: &[&str]) -> Result<Self, SplitError> {
        if federations.is_empty() {
            return Err(SplitError::Missing { rule: name.to_owned(), what: "federation" });
        }
        let mut rule = Self::stays(name, selectors)?;
        rule.federations = federations.iter().map(|&federation| federation.to_owned()).collect();
        Ok(rule)
    }

    /// A rule for series that any of these selectors selects: they stay, whatever later rules say.
    ///
    /// # Errors
    ///
    /// If a selector is none or selects nothing, or there are no selectors.
    pub fn stays(name: &str, selectors: &[&str]) -> Result<Self, SplitError> {
        if selectors.is_empty() {
            return Err(SplitError::Missing { rule: name.to_owned(), what: "selector" });
        }
        let parse = |&text: &&str| {
            let (rule, text) = (name.to_owned(), text.to_owned());
            match Selector::parse(&text) {
                Ok(selector) if selector.matchers().is_empty() => Err(SplitError::Nothing { rule, text }),
                Ok(selector) => Ok(selector),
                Err(error) => Err(SplitError::Selector { rule, text, error }),
            }
        };
        let selectors = selectors.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), selectors, federations: Vec::new() })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The selectors, of which one has to select a series.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Where the series go; nowhere if they stay.
    pub fn federations(&self) -> &[String] {
        &self.federations
    }

    fn takes(&self, labels: &[(&str, &str)]) -> bool {
        self.selectors.iter().any(|selector| selector.matches(labels))
    }
}

/// Rules in their order.
///
/// Every rule that selects a series takes it, and it travels to the federations of all of them; a rule whose series
/// stay ends that: neither it nor any rule after it sends the series anywhere. What no rule takes stays.
#[derive(Debug, Clone)]
pub struct Split {
    rules: Vec<Rule>,
    /// In the order in which the rules name them.
    federations: Vec<String>,
}

/// Where a series goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment<'a> {
    /// The names of the rules that take it, in their order.
    pub rules: Vec<&'a str>,
    /// The federations it travels to, each once; none if it stays.
    pub federations: Vec<&'a str>,
}

impl Split {
    /// These rules.
    ///
    /// # Errors
    ///
    /// If two have the same name.
    pub fn new(rules: Vec<Rule>) -> Result<Self, SplitError> {
        let mut federations: Vec<String> = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            if rules[..at].iter().any(|other| other.name == rule.name) {
                return Err(SplitError::Twice { rule: rule.name.clone() });
            }
            for federation in &rule.federations {
                if !federations.contains(federation) {
                    federations.push(federation.clone());
                }
            }
        }
        Ok(Self { rules, federations })
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The federations that series travel to, in the order in which the rules name them.
    pub fn federations(&self) -> &[String] {
        &self.federations
    }

    /// Where a series with these labels, sorted by name, goes. Takes as long as its selectors take to match.
    pub fn assign(&self, labels: &[(&str, &str)]) -> Assignment<'_> {
        let mut assignment = Assignment::default();
        for rule in self.rules.iter().filter(|rule| rule.takes(labels)) {
            assignment.rules.push(&rule.name);
            for federation in &rule.federations {
                if !assignment.federations.contains(&federation.as_str()) {
                    assignment.federations.push(federation);
                }
            }
            if rule.federations.is_empty() {
                break;
            }
        }
        assignment
    }

    /// What a federation has to be asked for with `match[]` to get just the series that travel to it. The opposite of
    /// a selector whose series stay is as many selectors as it has matchers, so a rule after it needs more of them.
    ///
    /// # Errors
    ///
    /// If no rule travels to the federation, or it would take more than 1,000 selectors.
    pub fn selectors(&self, federation: &str) -> Result<Vec<String>, SplitError> {
        params::selectors(self, federation)
    }

    /// How many of these series each rule takes, and which are taken by none or by several.
    pub fn report<'a>(&self, series: impl IntoIterator<Item = &'a [(&'a str, &'a str)]>) -> Report {
        Report::new(self, series)
    }

    /// Warns about federations that get averages (or ratios, or quantiles) that a rule asks for by name, without the
    /// sums and counts that they are made of: nobody can aggregate those any further, and an average of averages is
    /// wrong. Looks at the rules only; [`report`](Self::report) looks at what travels.
    ///
    /// ```
    /// use promha_federate::split::{Rule, Split};
    ///
    /// let quantiles = Rule::travels("slow", &["rpc_seconds{quantile=\"0.99\"}"], &["global"])?;
    /// let parts = Rule::travels("parts", &["{__name__=~\"rpc_seconds_(sum|count)\"}"], &["global"])?;
    /// let alone = Split::new(vec![quantiles.clone()])?.lint();
    /// assert_eq!(alone.len(), 1);
    /// assert!(alone[0].to_string().starts_with("global gets rpc_seconds, which cannot be aggregated"));
    /// assert!(Split::new(vec![quantiles, parts])?.lint().is_empty());
    /// # Ok::<(), promha_federate::split::SplitError>(())
    /// ```
    pub fn lint(&self) -> Vec<Warning> {
        lint::rules(self)
    }
}
