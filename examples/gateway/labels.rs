//! What a group does to label sets, and the order they leave in.
//!
//! Prometheus sorts its series *before* it adds its external labels. A stream of a group with `external_labels` is
//! therefore sorted by the label sets without them, and not by the label sets as they are sent: `{a="1", zone="x"}`
//! arrives before `{a="1", b="2", zone="x"}`, which sorts first. [`Restore`] delays just those series.

use std::collections::VecDeque;

use promha_merge::labels::Labels;

use super::series::Part;

/// What a group does to the label sets of its upstreams: replica labels go, external labels come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relabel {
    replica_labels: Vec<String>,
    /// Sorted by name.
    external_labels: Vec<(String, String)>,
}

impl Relabel {
    /// `replica_labels` are dropped; `external_labels` are added where a series does not carry them.
    pub fn new(
        replica_labels: Vec<String>,
        external_labels: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut external_labels: Vec<_> = external_labels.into_iter().collect();
        external_labels.sort();
        Self { replica_labels, external_labels }
    }

    /// Whether `name` tells replicas apart.
    pub fn is_replica_label(&self, name: &str) -> bool {
        self.replica_labels.iter().any(|label| label == name)
    }

    /// The value that every series of the group has for `name`, if it is an external label.
    pub fn external_value(&self, name: &str) -> Option<&str> {
        self.external_labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// The label set that leaves the gateway for `pairs` (sorted by name) that arrived.
    pub fn apply(&self, pairs: &[(&str, &str)]) -> Labels {
        let external = self.external_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut external = external.peekable();
        let mut out: Vec<(&str, &str)> = Vec::with_capacity(pairs.len() + self.external_labels.len());
        for &(name, value) in pairs {
            while let Some(added) = external.next_if(|(label, _)| *label < name) {
                out.push(added);
            }
            // A label of the series' own wins over the external one, as in Prometheus.
            external.next_if(|(label, _)| *label == name);
            if !self.is_replica_label(name) {
                out.push((name, value));
            }
        }
        out.extend(external);
        out.into_iter().collect()
    }

    /// Whether a series that arrives later may have to leave before `labels`.
    ///
    /// Only extensions of a label set can overtake it, and only while an external label stands last: the extension's
    /// next label may then sort before it.
    fn may_be_overtaken(&self, labels: &Labels) -> bool {
        let last = labels.pairs().last();
        last.is_some_and(|(name, _)| self.external_value(name).is_some())
    }
}

/// Turns a stream sorted without external labels into one sorted with them. Holds back a series only while an
/// extension of it may still come, so it holds at most one series per label of the longest label set.
#[derive(Debug)]
pub struct Restore {
    relabel: Relabel,
    /// Held series, the first to leave last.
    held: Vec<Part>,
    ready: VecDeque<Part>,
}

impl Restore {
    /// An empty stage for streams of a group that relabels so.
    pub fn new(relabel: Relabel) -> Self {
        Self { relabel, held: Vec::new(), ready: VecDeque::new() }
    }

    /// Takes the next part of the stream.
    pub fn push(&mut self, part: Part) {
        if let Some(held) = self.held.last_mut()
            && held.labels == part.labels
        {
            held.chunks.extend(part.chunks);
            return;
        }
        while let Some(held) = self.held.pop_if(|held| held.labels < part.labels) {
            self.ready.push_back(held);
        }
        if self.relabel.may_be_overtaken(&part.labels) {
            self.held.push(part);
        } else {
            self.ready.push_back(part);
        }
    }

    /// The next part that nothing can overtake any more.
    pub fn pop(&mut self) -> Option<Part> {
        self.ready.pop_front()
    }

    /// The stream has ended: everything held is ready.
    pub fn finish(&mut self) {
        while let Some(held) = self.held.pop() {
            self.ready.push_back(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    fn relabel(replicas: &[&str], external: &[(&str, &str)]) -> Relabel {
        Relabel::new(
            replicas.iter().map(|name| (*name).to_owned()).collect(),
            external.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn replica_labels_go_and_external_labels_come() {
        let relabel = relabel(&["replica"], &[("zone", "x"), ("cluster", "dc1")]);
        assert_eq!(
            relabel.apply(&[("__name__", "up"), ("job", "n"), ("replica", "a")]),
            set(&[("__name__", "up"), ("cluster", "dc1"), ("job", "n"), ("zone", "x")])
        );
        assert_eq!(
            relabel.apply(&[("cluster", "own"), ("replica", "a"), ("zone", "x")]),
            set(&[("cluster", "own"), ("zone", "x")])
        );
    }

    /// Every stream of label sets sorted without external labels comes out sorted with them, and whole.
    #[test]
    fn restore_sorts_what_external_labels_disorder() {
        let names = ["a", "c", "m", "z"];
        let mut plain = Vec::new();
        for mask in 0_u32..16 {
            for values in 0_u32..16 {
                if values & !mask == 0 {
                    let pairs = (0..4)
                        .filter(|bit| mask & (1 << bit) != 0)
                        .map(|bit| (names[bit], if values & (1 << bit) == 0 { "0" } else { "1" }));
                    plain.push(pairs.collect::<Labels>());
                }
            }
        }
        plain.sort();
        for external in
            [&[][..], &[("b", "x")], &[("n", "x")], &[("b", "x"), ("zz", "y")], &[("n", "x"), ("zz", "y")]]
        {
            let relabel = relabel(&[], external);
            let sent: Vec<_> =
                plain.iter().map(|labels| relabel.apply(&labels.pairs().collect::<Vec<_>>())).collect();
            let mut restore = Restore::new(relabel);
            let (mut got, mut most_held) = (Vec::new(), 0);
            for labels in &sent {
                restore.push(Part { labels: labels.clone(), chunks: Vec::new() });
                most_held = most_held.max(restore.held.len());
                got.extend(std::iter::from_fn(|| restore.pop()).map(|part| part.labels));
            }
            restore.finish();
            got.extend(std::iter::from_fn(|| restore.pop()).map(|part| part.labels));
            let mut want = sent.clone();
            want.sort();
            assert_eq!(got, want, "external labels {external:?}");
            assert!(most_held <= names.len() + 1, "{most_held} held");
            assert!(!external.is_empty() || most_held == 0);
        }
    }
}
