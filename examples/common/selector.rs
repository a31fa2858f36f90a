//! Series selectors as people type them and as the wire carries them.
//!
//! A stopgap until the `federate` crate has it: promql-parser reads the text, `regex` matches. Where Rust's regular
//! expressions and RE2 differ, a pattern may be refused here that Prometheus takes.

use promha_remote_proto::prompb::{LabelMatcher, MatcherType};
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

/// The matchers of a series selector such as `up{job=~"a|b"}`.
///
/// # Errors
/// [`SelectorError`] if it is anything else, with a sentence that says what would be right.
///
/// ```
/// use promha_examples::common::selector::parse;
/// use promha_remote_proto::prompb::{LabelMatcher, MatcherType};
///
/// let matchers = parse(r#"up{job!="node"}"#)?;
/// assert_eq!(matchers[0], LabelMatcher::new(MatcherType::Eq, "__name__", "up"));
/// assert_eq!(matchers[1], LabelMatcher::new(MatcherType::Neq, "job", "node"));
/// assert!(parse("sum(up)").is_err());
/// # Ok::<(), promha_examples::common::selector::SelectorError>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<LabelMatcher>, SelectorError> {
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
    let name = selector.name.iter().map(|name| LabelMatcher::new(MatcherType::Eq, "__name__", name));
    let others = selector.matchers.matchers.iter().map(|matcher| {
        let kind = match matcher.op {
            MatchOp::Equal => MatcherType::Eq,
            MatchOp::NotEqual => MatcherType::Neq,
            MatchOp::Re(_) => MatcherType::Re,
            MatchOp::NotRe(_) => MatcherType::Nre,
        };
        LabelMatcher::new(kind, &matcher.name, &matcher.value)
    });
    Ok(name.chain(others).collect())
}

/// Matchers of the wire, ready to be evaluated. A label that is missing is the empty string; regular expressions are
/// anchored, and their dot matches line breaks.
#[derive(Clone, Debug)]
pub struct CompiledMatchers {
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
struct Matcher {
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
    pub fn new<'m>(matchers: impl IntoIterator<Item = &'m LabelMatcher>) -> Result<Self, SelectorError> {
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

fn compile(matcher: &LabelMatcher) -> Result<Matcher, SelectorError> {
    let LabelMatcher { r#type, name, value } = matcher;
    let kind = MatcherType::try_from(*r#type)
        .map_err(|_| SelectorError::Type { name: name.clone(), number: *r#type })?;
    let test = match kind {
        MatcherType::Eq | MatcherType::Neq => Test::Equal(value.clone()),
        MatcherType::Re | MatcherType::Nre => Test::Regex(anchored(name, value)?),
    };
    let negated = matches!(kind, MatcherType::Neq | MatcherType::Nre);
    Ok(Matcher { name: name.clone(), test, negated })
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
        let error = |kind: i32, value: &str| {
            let matcher = LabelMatcher { r#type: kind, name: "job".to_owned(), value: value.to_owned() };
            CompiledMatchers::new([&matcher]).unwrap_err().to_string()
        };
        assert!(error(9, "a").contains("unknown type 9"), "{}", error(9, "a"));
        assert!(error(2, "a(").contains("unclosed group"), "{}", error(2, "a("));
        assert!(error(3, "a)|(b").contains("invalid regular expression"), "{}", error(3, "a)|(b"));
    }
}
