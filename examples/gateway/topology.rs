//! Groups of upstreams, and what of a query each group is asked.

use std::sync::Arc;

use promha_remote_proto::read::MatcherOp;

use super::labels::Relabel;
use super::upstream::{GroupQuery, Upstream};
use crate::common::remote_read::Query;
use crate::common::selector::{CompiledMatchers, Matcher, SelectorError};

/// What a running gateway reads from. A reload makes a new one; reads under way keep theirs.
#[derive(Debug)]
pub struct Topology {
    /// Whether a group that fails may be left out of an answer.
    pub partial_response: bool,
    /// The shards.
    pub groups: Vec<Group>,
}

impl Topology {
    /// The same upstreams, of which no group may be left out.
    pub fn strict(&self) -> Self {
        Self { partial_response: false, groups: self.groups.clone() }
    }
}

/// Replicas of the same data.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name, unique in the configuration.
    pub name: String,
    /// What happens to its label sets.
    pub relabel: Relabel,
    /// The replicas.
    pub upstreams: Vec<Arc<Upstream>>,
}

impl Group {
    /// What the group is asked for `query`; `None` if it cannot have anything that matches.
    ///
    /// External labels are decided here: every series of the group has them, and Prometheus itself only understands
    /// `=` on them. Replica labels are gone from what leaves the gateway, so a matcher on one selects replicas: `=`
    /// by the upstream, which knows its own label, everything else on the labels as they arrive.
    ///
    /// # Errors
    /// [`SelectorError`] if a matcher's regular expression is invalid.
    pub fn asked(&self, query: &Query) -> Result<Option<GroupQuery>, SelectorError> {
        let (mut forwarded, mut replica) = (Vec::new(), Vec::new());
        for matcher in &query.matchers {
            if let Some(value) = self.relabel.external_value(&matcher.name) {
                if !CompiledMatchers::new([matcher])?.matches(&[(matcher.name.as_str(), value)]) {
                    return Ok(None);
                }
            } else if self.relabel.is_replica_label(&matcher.name) && !is_plain_equality(matcher) {
                replica.push(matcher);
            } else {
                forwarded.push(matcher.clone());
            }
        }
        if forwarded.is_empty() {
            // A remote read without matchers selects nothing in Prometheus.
            forwarded.push(Matcher::new(MatcherOp::Regex, "__name__", ".+"));
        }
        let replica_matchers = if replica.is_empty() { None } else { Some(CompiledMatchers::new(replica)?) };
        let Query { start_ms, end_ms, ref hints, .. } = *query;
        let query = Query { start_ms, end_ms, matchers: forwarded, hints: hints.clone() };
        Ok(Some(GroupQuery { query, replica_matchers, relabel: self.relabel.clone() }))
    }
}

/// `=` with a value. With an empty one it asks for series that lack the label.
fn is_plain_equality(matcher: &Matcher) -> bool {
    matcher.op == MatcherOp::Equal && !matcher.value.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::selector;

    fn asked(selector: &str) -> Option<GroupQuery> {
        let relabel = Relabel::new(vec!["replica".to_owned()], [("zone".to_owned(), "eu".to_owned())]);
        let group = Group { name: "dc1".to_owned(), relabel, upstreams: Vec::new() };
        let matchers = selector::parse(selector).unwrap();
        group.asked(&Query { matchers, ..Query::default() }).unwrap()
    }

    fn forwarded(selector: &str) -> Vec<Matcher> {
        asked(selector).unwrap().query.matchers
    }

    #[test]
    fn external_labels_are_decided_here() {
        for contradicting in [
            "up{zone=\"us\"}",
            "up{zone!=\"eu\"}",
            "up{zone=~\"us|uk\"}",
            "up{zone=\"\"}",
            "up{zone!~\"e.\"}",
        ] {
            assert!(asked(contradicting).is_none(), "{contradicting}");
        }
        for fitting in ["up{zone=\"eu\"}", "up{zone!=\"us\"}", "up{zone=~\"e.\"}", "up{zone=~\".+\"}"] {
            assert_eq!(forwarded(fitting), forwarded("up"), "{fitting}");
        }
    }

    #[test]
    fn matchers_on_replica_labels_select_replicas() {
        assert_eq!(forwarded("up{replica=\"a\"}"), selector::parse("up{replica=\"a\"}").unwrap());
        assert!(asked("up{replica=\"a\"}").unwrap().replica_matchers.is_none());
        for (selector, a, b) in [
            ("up{replica!=\"a\"}", false, true),
            ("up{replica=~\"a|b\"}", true, true),
            ("up{replica!~\"b\"}", true, false),
            ("up{replica=\"\"}", false, false),
        ] {
            let asked = asked(selector).unwrap();
            assert_eq!(asked.query.matchers, forwarded("up"), "{selector}");
            let matchers = asked.replica_matchers.unwrap();
            let matches =
                ["a", "b"].map(|replica| matchers.matches(&[("__name__", "up"), ("replica", replica)]));
            assert_eq!(matches, [a, b], "{selector}");
        }
    }

    #[test]
    fn a_query_that_is_decided_here_alone_still_selects_everything() {
        assert_eq!(forwarded("{zone=\"eu\"}"), selector::parse("{__name__=~\".+\"}").unwrap());
    }
}
