//! Series selectors as people type them, and matchers as the wire carries them: the one place where the wire's matchers
//! become those of the `federate` crate.

use promha_federate::selector::Rule;
use promha_federate::{MatcherError, Op, ParseError, Selector};
use promha_remote_proto::read::{MatcherOp, MatcherView};

/// Why a matcher of the wire is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// The wire has a number that is no matcher type.
    #[error("matcher on {name:?} has the unknown type {number}: there are = (0), != (1), =~ (2) and !~ (3)")]
    Type {
        /// The matcher's label.
        name: String,
        /// The number.
        number: i32,
    },
    /// A regular expression is not one.
    #[error("matcher on {name:?} has an invalid regular expression: {source}")]
    Regex {
        /// The matcher's label.
        name: String,
        /// What is wrong with it.
        source: MatcherError,
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

/// The matchers of a series selector such as `up{job=~"a|b"}`, of which one at least must ask for something.
///
/// # Errors
/// [`ParseError`] if it is anything else.
///
/// ```
/// use promha_examples::common::selector::{Matcher, parse};
/// use promha_remote_proto::read::MatcherOp;
///
/// let matchers = parse(r#"up{job!="node"}"#)?;
/// assert_eq!(matchers[0], Matcher::new(MatcherOp::Equal, "__name__", "up"));
/// assert_eq!(matchers[1], Matcher::new(MatcherOp::NotEqual, "job", "node"));
/// assert!(parse("sum(up)").is_err());
/// # Ok::<(), promha_federate::ParseError>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let selector = Selector::parse_with(text, Rule::Series)?;
    let matcher = |matcher: &promha_federate::Matcher| {
        let op = match matcher.op() {
            Op::Equal => MatcherOp::Equal,
            Op::NotEqual => MatcherOp::NotEqual,
            Op::Regex => MatcherOp::Regex,
            Op::NotRegex => MatcherOp::NotRegex,
        };
        Matcher::new(op, matcher.name(), matcher.value())
    };
    Ok(selector.matchers().iter().map(matcher).collect())
}

/// Matchers of the wire, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct CompiledMatchers {
    matchers: Vec<promha_federate::Matcher>,
}

impl CompiledMatchers {
    /// Compiles what must all match.
    ///
    /// # Errors
    /// [`SelectorError`].
    pub fn new<'m>(matchers: impl IntoIterator<Item = &'m Matcher>) -> Result<Self, SelectorError> {
        Ok(Self { matchers: matchers.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether a label set, in any order, satisfies all of them.
    pub fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.matchers.iter().all(|matcher| {
            let value =
                labels.iter().find(|(name, _)| *name == matcher.name()).map_or("", |(_, value)| value);
            matcher.matches(value)
        })
    }
}

fn compile(matcher: &Matcher) -> Result<promha_federate::Matcher, SelectorError> {
    let Matcher { op, name, value } = matcher;
    let op = match *op {
        MatcherOp::Equal => Op::Equal,
        MatcherOp::NotEqual => Op::NotEqual,
        MatcherOp::Regex => Op::Regex,
        MatcherOp::NotRegex => Op::NotRegex,
        MatcherOp::Other(number) => return Err(SelectorError::Type { name: name.clone(), number }),
    };
    promha_federate::Matcher::new(name, op, value)
        .map_err(|source| SelectorError::Regex { name: name.clone(), source })
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
        assert!(error(2, "a(").contains("invalid regular expression"), "{}", error(2, "a("));
        assert!(error(3, "a)|(b").contains("invalid regular expression"), "{}", error(3, "a)|(b"));
    }
}
