//! What rules make of series.

use super::lint::{Travelling, Warning};
use super::{Assignment, Split};

/// How many series are named of those that no rule or several rules take.
pub const MAX_EXAMPLES: usize = 20;

/// What rules make of series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many series there were.
    pub series: usize,
    /// How many of them stay: a rule says so, or none takes them.
    pub stay: usize,
    /// Each rule, in their order.
    pub rules: Vec<RuleCount>,
    /// Each federation and how many series travel to it.
    pub federations: Vec<(String, usize)>,
    /// How many series no rule takes.
    pub untaken: usize,
    /// The first of them.
    pub untaken_examples: Vec<Example>,
    /// How many series several rules take.
    pub shared: usize,
    /// The first of them.
    pub shared_examples: Vec<Example>,
    /// Averages that travel without what they are made of.
    pub warnings: Vec<Warning>,
}

/// How many series a rule takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCount {
    /// The name of the rule.
    pub name: String,
    /// How many it takes. None: the rule is wrong or no longer needed.
    pub taken: usize,
    /// How many of them no other rule takes.
    pub alone: usize,
}

/// A series, and what takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The labels, as a selector of just this series is written.
    pub series: String,
    /// The names of the rules that take it.
    pub rules: Vec<String>,
}

impl Report {
    pub(super) fn new<'a>(split: &Split, series: impl IntoIterator<Item = &'a [(&'a str, &'a str)]>) -> Self {
        let count = |rule: &super::Rule| RuleCount { name: rule.name.clone(), taken: 0, alone: 0 };
        let mut report = Self {
            rules: split.rules.iter().map(count).collect(),
            federations: split.federations.iter().map(|name| (name.clone(), 0)).collect(),
            ..Self::default()
        };
        let mut travelling = Travelling::default();
        for labels in series {
            let assignment = split.assign(labels);
            report.add(labels, &assignment);
            for federation in assignment.federations {
                travelling.add(federation, labels);
            }
        }
        report.warnings = travelling.warnings();
        report
    }

    fn add(&mut self, labels: &[(&str, &str)], assignment: &Assignment<'_>) {
        self.series += 1;
        self.stay += usize::from(assignment.federations.is_empty());
        for rule in self.rules.iter_mut().filter(|rule| assignment.rules.contains(&rule.name.as_str())) {
            rule.taken += 1;
            rule.alone += usize::from(assignment.rules.len() == 1);
        }
        for (name, count) in &mut self.federations {
            *count += usize::from(assignment.federations.contains(&name.as_str()));
        }
        let (count, examples) = match assignment.rules.len() {
            0 => (&mut self.untaken, &mut self.untaken_examples),
            1 => return,
            _ => (&mut self.shared, &mut self.shared_examples),
        };
        *count += 1;
        if examples.len() < MAX_EXAMPLES {
            let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            let rules = assignment.rules.iter().map(|&rule| rule.to_owned()).collect();
            examples.push(Example { series: format!("{{{}}}", pairs.join(",")), rules });
        }
    }
}
