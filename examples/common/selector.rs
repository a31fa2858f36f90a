//! Series selectors as people type them and as the wire carries them.
//!
//! A stopgap until the `federate` crate has it: promql-parser reads the text, `regex` matches. Where Rust's regular
//! expressions and RE2 differ, a pattern may be refused here that Prometheus takes.

use promha_remote_proto::read::{MatcherOp, MatcherView};
use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr};
use regex::Regex;

/// Why a selector or a matcher is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// The text is not PromQL.
    #[error("{text:?} is not a series selector: {reason}")]
    Syntax {
        /// What was given.
        text: String,
        /// What the parser says.
        reason: String,
    },
    /// The text is PromQL, but more than a selector.
    #[error("{text:?} is not a plain series selector: expected one as up{{job=\"node\"}}")]
    NotASelector {
        /// What was given.
        text: String,
    },
    /// The wire has a number that is no matcher type.
    #[error("matcher on {name:?} has the unknown type {number}: there are = (0), != (1), =~ (2) and !~ (3)")]
    Type {
        /// The matcher's label.
        name: String,
        /// The number.
        number: i32,
    },
    /// A regular expression cannot be compiled.
    #[error("matcher on {name:?} has the invalid regular expression {pattern:?}: {reason}")]
    Regex {
        /// The matcher's label.
        name: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it, in one line.
        reason: String,
    },
}

/// A condition on one label. A label that is missing has the value `""`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// How it compares.
    pub op: MatcherOp,
    /// The name of the label.
    pub name: String,
    /// A value, or a regular expression for the whole value.
    pub value: String,
}

impl Matcher {
    /// A matcher of these parts; `value` is not checked.
    pub fn new(op: MatcherOp, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { op, name: name.into(), value: value.into() }
    }

    /// As the wire has it.
    pub fn view(&self) -> MatcherView<'_> {
        MatcherView { op: self.op, name: &self.name, value: &self.value }
    }
}

impl From<&MatcherView<'_>> for Matcher {
    fn from(view: &MatcherView<'_>) -> Self {
        Self::new(view.op, view.name, view.value)
    }
}

/// The matchers of a series selector such as `up{job=~"a|b"}`.
///
/// # Errors
/// [`SelectorError`] if it is anything else, with a sentence that says what would be right.
///
/// ```
/// use promha_examples::common::selector::{Matcher, parse};
/// use promha_remote_proto::read::MatcherOp;
///
/// let matchers = parse(r#"up{job!="node"}"#)?;
/// assert_eq!(matchers[0], Matcher::new(MatcherOp::Equal, "__name__", "up"));
/// assert_eq!(matchers[1], Matcher::new(MatcherOp::NotEqual, "job", "node"));
/// assert!(parse("sum(up)").is_err());
/// # Ok::<(), promha_examples::common::selector::SelectorError>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<Matcher>, SelectorError> {
    let text = text.trim();
    let not_a_selector = || SelectorError::NotASelector { text: text.to_owned() };
    let selector = match parser::parse(text) {
        Ok(Expr::VectorSelector(selector)) => selector,
        Ok(_) => return Err(not_a_selector()),
        Err(reason) => return Err(SelectorError::Syntax { text: text.to_owned(), reason }),
    };
    if selector.offset.is_some() || selector.at.is_some() || !selector.matchers.or_matchers.is_empty() {
        return Err(not_a_selector());
    }
    let name = selector.name.iter().map(|name| Matcher::new(MatcherOp::Equal, "__name__", name));
    let others = selector.matchers.matchers.iter().map(|matcher| {
        let op = match matcher.op {
            MatchOp::Equal => MatcherOp::Equal,
            MatchOp::NotEqual => MatcherOp::NotEqual,
            MatchOp::Re(_) => MatcherOp::Regex,
            MatchOp::NotRe(_) => MatcherOp::NotRegex,
        };
        Matcher::new(op, &matcher.name, &matcher.value)
    });
    Ok(name.chain(others).collect())
}

/// Matchers of the wire, ready to be evaluated. A label that is missing is the empty string; regular expressions are
/// anchored, and their dot matches line breaks.
#[derive(Clone, Debug)]
pub struct CompiledMatchers {
    matchers: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    name: String,
    test: Test,
    negated: bool,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    Regex(Regex),
}

impl CompiledMatchers {
    /// Compiles what must all match.
    ///
    /// # Errors
    /// [`SelectorError::Type`] and [`SelectorError::Regex`].
    pub fn new<'m>(matchers: impl IntoIterator<Item = &'m Matcher>) -> Result<Self, SelectorError> {
        Ok(Self { matchers: matchers.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether a label set, in any order, satisfies all of them.
    pub fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = labels.iter().find(|(name, _)| *name == matcher.name).map_or("", |(_, value)| value);
            let matches = match &matcher.test {
                Test::Equal(wanted) => wanted == value,
                Test::Regex(regex) => regex.is_match(value),
            };
            matches != matcher.negated
        })
    }
}

fn compile(matcher: &Matcher) -> Result<Compiled, SelectorError> {
    let Matcher { op, name, value } = matcher;
    let test = match *op {
        MatcherOp::Equal | MatcherOp::NotEqual => Test::Equal(value.clone()),
        MatcherOp::Regex | MatcherOp::NotRegex => Test::Regex(anchored(name, value)?),
        MatcherOp::Other(number) => return Err(SelectorError::Type { name: name.clone(), number }),
    };
    let negated = matches!(op, MatcherOp::NotEqual | MatcherOp::NotRegex);
    Ok(Compiled { name: name.clone(), test, negated })
}

fn anchored(name: &str, pattern: &str) -> Result<Regex, SelectorError> {
    let refuse = |error: regex::Error| {
        // The last line of the crate's message is the reason; the ones before draw the pattern.
        let reason =
            error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        SelectorError::Regex { name: name.to_owned(), pattern: pattern.to_owned(), reason }
    };
    // On its own first: `a)|(b` would become valid inside the group.
    Regex::new(pattern).map_err(refuse)?;
    Regex::new(&format!("^(?s:{pattern})$")).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_selectors_are_parsed() {
        for good in ["up", "{job=\"a\"}", "up{a=\"b\",c!~\"d.*\"}", " up "] {
            parse(good).unwrap();
        }
        for bad in [
            "",
            "up[5m]",
            "up offset 5m",
            "up @ 0",
            "rate(up[5m])",
            "up + up",
            "up{",
            "1",
            "up{a=\"1\" or b=\"2\"}",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn matching_is_prometheus() {
        let labels = [("__name__", "up"), ("job", "node\nx")];
        for (text, matches) in [
            ("up", true),
            ("{job=\"node\"}", false),
            ("{job=~\"node.x\"}", true),
            ("{job=~\"node\"}", false),
            ("{__name__=\"up\",job!~\"node.*|b\"}", false),
            ("{job=~\"b|node.*\"}", true),
            ("{__name__=\"up\",zone=\"\"}", true),
            ("{__name__=\"up\",zone=~\".+\"}", false),
            ("{__name__=\"up\",zone!=\"a\"}", true),
        ] {
            let matchers = CompiledMatchers::new(&parse(text).unwrap()).unwrap();
            assert_eq!(matchers.matches(&labels), matches, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |number: i32, value: &str| {
            let matcher = Matcher::new(MatcherOp::from_wire(number), "job", value);
            CompiledMatchers::new([&matcher]).unwrap_err().to_string()
        };
        assert!(error(9, "a").contains("unknown type 9"), "{}", error(9, "a"));
        assert!(error(2, "a(").contains("unclosed group"), "{}", error(2, "a("));
        assert!(error(3, "a)|(b").contains("invalid regular expression"), "{}", error(3, "a)|(b"));
    }
}
