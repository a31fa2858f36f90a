//! Averages of averages: what cannot be aggregated once it has travelled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Split;
use crate::matcher::{Matcher, Op};
use crate::selector::Selector;

/// What the names of averages, ratios and quantiles end with, before a word like `rate5m` that may follow.
const ENDINGS: [&str; 12] = [
    "ratio",
    "avg",
    "average",
    "mean",
    "median",
    "quantile",
    "percentile",
    "percent",
    "percentage",
    "p50",
    "p95",
    "p99",
];

/// A federation gets a metric that cannot be aggregated further, and not what would be needed to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The name of the federation.
    pub federation: String,
    /// The name of the metric; `""` if the rule does not say it.
    pub metric: String,
    /// Names of which a sum and a count would do.
    pub missing: Vec<String>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { federation, metric, missing } = self;
        let metric = if metric.is_empty() { "quantiles" } else { metric };
        write!(f, "{federation} gets {metric}, which cannot be aggregated any further, ")?;
        write!(f, "but not what it is made of ({})", missing.join(", "))
    }
}

/// Warns about what rules ask for by name, and quantiles that they ask for.
pub(super) fn rules(split: &Split) -> Vec<Warning> {
    let mut warnings = BTreeSet::new();
    for federation in &split.federations {
        let travelling = split.rules.iter().filter(|rule| rule.federations.contains(federation));
        let selectors: Vec<&Selector> = travelling.flat_map(|rule| &rule.selectors).collect();
        let gets = |name: &str| selectors.iter().any(|selector| may_select(selector, name));
        for selector in &selectors {
            let is_quantile = selector.matchers().iter().any(is_of_quantiles);
            let names = names(selector);
            if names.is_empty() && is_quantile && !["_sum", "_count"].iter().all(|end| gets(end)) {
                let missing = vec!["_sum".to_owned(), "_count".to_owned()];
                warnings.insert(Warning { federation: federation.clone(), metric: String::new(), missing });
            }
            for name in names {
                let warning = warning(federation, name, is_quantile, gets);
                warnings.extend(warning);
            }
        }
    }
    warnings.into_iter().collect()
}

/// The names of metrics that travel to each federation, and whether they have quantiles.
#[derive(Debug, Default)]
pub(super) struct Travelling(BTreeMap<String, BTreeMap<String, bool>>);

impl Travelling {
    pub(super) fn add(&mut self, federation: &str, labels: &[(&str, &str)]) {
        let Some(name) = labels.iter().find(|label| label.0 == "__name__").map(|label| label.1) else {
            return;
        };
        let has_quantile = labels.iter().any(|label| label.0 == "quantile" && !label.1.is_empty());
        if !self.0.contains_key(federation) {
            self.0.insert(federation.to_owned(), BTreeMap::new());
        }
        let Some(names) = self.0.get_mut(federation) else { return };
        match names.get_mut(name) {
            Some(known) => *known |= has_quantile,
            None => {
                names.insert(name.to_owned(), has_quantile);
            }
        }
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let in_federation = |(federation, names): (&String, &BTreeMap<String, bool>)| {
            let found = names.iter().filter_map(|(name, &has_quantile)| {
                warning(federation, name, has_quantile, |name| names.contains_key(name))
            });
            found.collect::<Vec<_>>()
        };
        self.0.iter().flat_map(in_federation).collect()
    }
}

/// A warning, if a metric is an average, and the federation does not get what it is made of.
fn warning(
    federation: &str,
    metric: &str,
    is_quantile: bool,
    gets: impl Fn(&str) -> bool,
) -> Option<Warning> {
    let parts =
        if is_quantile { vec![[format!("{metric}_sum"), format!("{metric}_count")]] } else { parts(metric)? };
    if parts.iter().any(|part| part.iter().all(|name| gets(name))) {
        return None;
    }
    let missing = parts.into_iter().flatten().collect();
    Some(Warning { federation: federation.to_owned(), metric: metric.to_owned(), missing })
}

/// Of an average the pairs of a sum and a count of which one would do.
fn parts(metric: &str) -> Option<Vec<[String; 2]>> {
    let words: Vec<(usize, &str)> = metric
        .split([':', '_'])
        .scan(0, |at, word| {
            let start = *at;
            *at += word.len() + 1;
            Some((start, word))
        })
        .collect();
    // The last word, or one that is followed by nothing but over which time it was computed.
    let ending = words.iter().rposition(|(_, word)| !is_window(word))?;
    let (start, word) = words[ending];
    if start == 0 || !ENDINGS.contains(&word) {
        return None;
    }
    let (base, window) = (&metric[..start - 1], &metric[start + word.len()..]);
    let pair = |separator: char| ["sum", "count"].map(|part| format!("{base}{separator}{part}{window}"));
    Some(vec![pair(':'), pair('_')])
}

/// Words such as `rate5m` or `1h`.
fn is_window(word: &str) -> bool {
    let word =
        ["rate", "irate", "increase"].iter().find_map(|start| word.strip_prefix(start)).unwrap_or(word);
    let digits = word.trim_end_matches(|unit: char| unit.is_ascii_lowercase());
    digits.is_empty() && word.is_empty()
        || !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && matches!(&word[digits.len()..], "s" | "m" | "h" | "d" | "w")
}

/// The names that a selector asks for; none if it does not say.
fn names(selector: &Selector) -> Vec<&str> {
    let of_name = selector.matchers().iter().filter(|matcher| matcher.name() == "__name__");
    for matcher in of_name {
        match matcher.op() {
            Op::Equal => return vec![matcher.value()],
            Op::Regex => {
                return match matcher.values() {
                    Some(values) => values.iter().map(String::as_str).collect(),
                    // A pattern that ends like an average stands for all of its names.
                    None => Vec::from_iter(parts(matcher.value()).map(|_| matcher.value())),
                };
            }
            Op::NotEqual | Op::NotRegex => {}
        }
    }
    Vec::new()
}

/// Whether a selector asks for quantiles.
fn is_of_quantiles(matcher: &Matcher) -> bool {
    matcher.name() == "quantile" && !matcher.matches_empty()
}

/// Whether a selector may select a metric of this name that has no quantiles.
fn may_select(selector: &Selector, name: &str) -> bool {
    let mut matchers = selector.matchers().iter();
    matchers.all(|matcher| match matcher.name() {
        "__name__" => matcher.matches(name),
        _ => !is_of_quantiles(matcher),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_told_by_their_names() {
        let table = [
            ("job:errors:ratio", Some("job:errors:sum")),
            ("job:errors:ratio_rate5m", Some("job:errors:sum_rate5m")),
            ("job:latency_seconds:avg", Some("job:latency_seconds:sum")),
            ("disk_used_percent", Some("disk_used:sum")),
            ("job:latency:p99_1h", Some("job:latency:sum_1h")),
            ("ratio", None),
            ("job:errors:rate5m", None),
            ("ratio_total", None),
            ("up", None),
            ("", None),
            ("rpc_seconds_sum", None),
        ];
        for (metric, expected) in table {
            let found = parts(metric);
            assert_eq!(found.as_ref().map(|parts| parts[0][0].as_str()), expected, "{metric}");
        }
    }
}
