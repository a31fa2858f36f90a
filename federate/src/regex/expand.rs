//! The texts that an expression stands for, if they are few.

use super::fold;
use super::node::Node;

/// How many texts, and how many bytes in all of them, are few.
#[derive(Debug, Clone, Copy)]
pub(super) struct Few {
    pub(super) texts: usize,
    pub(super) bytes: usize,
}

/// All texts that match, in no order and some perhaps more than once; none if they are more than a few, or if they depend
/// on where they stand.
pub(super) fn expand(node: &Node, few: Few) -> Option<Vec<String>> {
    match node {
        Node::Empty => Some(vec![String::new()]),
        Node::Literal(text) => Some(vec![text.clone()]),
        Node::Folded(text) => {
            let mut all = vec![String::new()];
            for c in text.chars() {
                let orbit: Vec<String> = fold::orbit(c).into_iter().map(String::from).collect();
                all = product(all, &orbit, few)?;
            }
            Some(all)
        }
        Node::Class(class) => {
            let count: usize = class.iter().map(|range| range.len()).sum();
            let chars = || class.iter().flat_map(|range| range.start()..=range.end());
            (count <= few.texts).then(|| chars().map(String::from).collect())
        }
        Node::Any | Node::Look(_) => None,
        Node::Repeat { node, min, max } => repeat(node, *min, *max, few),
        Node::Concat(nodes) => concat(nodes, few),
        Node::Alternate(nodes) => {
            let mut all = Vec::new();
            let mut bytes = 0;
            for node in nodes {
                let texts = expand(node, few)?;
                bytes += texts.iter().map(String::len).sum::<usize>();
                all.extend(texts);
                if all.len() > few.texts || bytes > few.bytes {
                    return None;
                }
            }
            Some(all)
        }
    }
}

/// All texts that match these one after the other.
pub(super) fn concat(nodes: &[Node], few: Few) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    for node in nodes {
        all = product(all, &expand(node, few)?, few)?;
    }
    Some(all)
}

fn repeat(node: &Node, min: u32, max: Option<u32>, few: Few) -> Option<Vec<String>> {
    let once = expand(node, few)?;
    if once.iter().all(String::is_empty) && (min == 0 || !once.is_empty()) {
        return Some(vec![String::new()]);
    }
    let mut all = Vec::new();
    let mut times = vec![String::new()];
    let mut bytes = 0;
    for count in 0..=max? {
        if count > 0 {
            times = product(times, &once, few)?;
        }
        if count >= min {
            bytes += times.iter().map(String::len).sum::<usize>();
            all.extend_from_slice(&times);
            if all.len() > few.texts || bytes > few.bytes {
                return None;
            }
        }
    }
    Some(all)
}

/// Every text of the left with every one of the right behind.
fn product(mut left: Vec<String>, right: &[String], few: Few) -> Option<Vec<String>> {
    let bytes_of = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    let count = left.len().checked_mul(right.len())?;
    let bytes =
        bytes_of(&left).checked_mul(right.len())?.checked_add(bytes_of(right).checked_mul(left.len())?)?;
    if count > few.texts || bytes > few.bytes {
        return None;
    }
    if let [only] = right {
        left.iter_mut().for_each(|left| left.push_str(only));
        return Some(left);
    }
    let both = |left: &String| right.iter().map(|right| format!("{left}{right}")).collect::<Vec<_>>();
    Some(left.iter().flat_map(both).collect())
}

/// What every text begins with that matches.
pub(super) fn prefix(node: &Node) -> String {
    let mut out = String::new();
    push_prefix(node, &mut out);
    out
}

/// Whether the node is wholly in the prefix, so that what follows it may be too.
fn push_prefix(node: &Node, out: &mut String) -> bool {
    match node {
        Node::Empty => true,
        Node::Literal(text) => {
            out.push_str(text);
            true
        }
        Node::Folded(text) => {
            let fixed = text.chars().take_while(|&c| fold::smallest(c).1);
            out.extend(fixed);
            false
        }
        Node::Class(_) | Node::Any | Node::Look(_) => false,
        Node::Repeat { node, min, max } => {
            if *min > 0 {
                let whole = push_prefix(node, out);
                return whole && (*min, *max) == (1, Some(1));
            }
            *max == Some(0)
        }
        Node::Concat(nodes) => nodes.iter().all(|node| push_prefix(node, out)),
        Node::Alternate(nodes) => {
            let mut prefixes = nodes.iter().map(prefix);
            let first = prefixes.next().unwrap_or_default();
            out.push_str(prefixes.fold(&*first, |common, next| common_prefix(common, &next)));
            false
        }
    }
}

/// What both begin with.
pub(super) fn common_prefix<'t>(one: &'t str, other: &str) -> &'t str {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    &one[..same.map(|(c, _)| c.len_utf8()).sum()]
}
