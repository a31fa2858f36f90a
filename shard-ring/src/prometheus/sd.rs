//! Targets as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Targets, each with its labels, as the JSON that `http_sd_configs` and `file_sd_configs` of Prometheus read: targets
/// of the same labels stand in one group, `[]` says that there are none.
///
/// The text depends on what the targets are, never on their order: groups are sorted by their labels, targets within
/// them by their addresses, each once. So it changes only if a target does. Of labels with the same name the last one
/// counts.
///
/// Source: `discovery/http` and `discovery/file` in Prometheus.
///
/// # Complexity
/// Sorts the targets by their labels.
///
/// ```
/// use promha_shard_ring::prometheus::target_groups;
///
/// let node: &[(&str, &str)] = &[("job", "node"), ("zone", "eu-1")];
/// let json = target_groups([("10.0.0.2:9100", node), ("10.0.0.1:9100", node), ("10.0.0.3:80", &[])]);
/// assert_eq!(
///     json,
///     "[{\"targets\":[\"10.0.0.3:80\"],\"labels\":{}},\
///      {\"targets\":[\"10.0.0.1:9100\",\"10.0.0.2:9100\"],\"labels\":{\"job\":\"node\",\"zone\":\"eu-1\"}}]"
/// );
/// assert_eq!(target_groups([]), "[]");
/// ```
pub fn target_groups<'a>(targets: impl IntoIterator<Item = (&'a str, &'a [(&'a str, &'a str)])>) -> String {
    let mut groups: BTreeMap<BTreeMap<&str, &str>, BTreeSet<&str>> = BTreeMap::new();
    for (address, labels) in targets {
        groups.entry(labels.iter().copied().collect()).or_default().insert(address);
    }
    let mut json = String::from("[");
    separated(&mut json, groups, |json, (labels, addresses)| {
        json.push_str("{\"targets\":[");
        separated(json, addresses, push_quoted);
        json.push_str("],\"labels\":{");
        separated(json, labels, |json, (name, value)| {
            push_quoted(json, name);
            json.push(':');
            push_quoted(json, value);
        });
        json.push_str("}}");
    });
    json.push(']');
    json
}

/// Appends items with commas between them.
fn separated<T>(json: &mut String, items: impl IntoIterator<Item = T>, mut push: impl FnMut(&mut String, T)) {
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        push(json, item);
    }
}

fn push_quoted(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}
