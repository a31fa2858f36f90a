//! Labels of one entry: gathered while it is read, sorted, lent out, and their memory taken back.

use std::ops::Range;

use super::error::{ExpositionErrorKind, Limit};
use super::limits::Limits;

/// Memory for pairs of strings while nobody has them.
type Idle = Vec<(&'static str, &'static str)>;

/// The labels of the entry that is being read. A string with escapes is written to `unescaped` and put into its place when
/// all are there.
#[derive(Debug, Default)]
pub(super) struct LabelBuffer {
    idle: Idle,
    unescaped: String,
    escaped: Vec<Escaped>,
}

/// The labels so far, of a series and behind them of its exemplar.
pub(super) type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// A string that stands in the input with escapes.
#[derive(Debug)]
struct Escaped {
    label: usize,
    is_name: bool,
    range: Range<usize>,
}

impl LabelBuffer {
    /// The memory for the labels of an entry.
    #[inline]
    pub(super) fn take<'a>(&mut self) -> Pairs<'a> {
        self.unescaped.clear();
        self.escaped.clear();
        std::mem::take(&mut self.idle)
    }

    /// Gives back what [`Self::take`] gave, when nothing comes of it.
    #[cold]
    pub(super) fn give_back(&mut self, pairs: Pairs<'_>) {
        self.idle = recycle(pairs);
    }

    /// A string without its escapes, which is part of label number `label`.
    #[cold]
    pub(super) fn escaped(&mut self, label: usize, is_name: bool, text: &str) {
        let start = self.unescaped.len();
        unescape(text, true, &mut self.unescaped);
        self.escaped.push(Escaped { label, is_name, range: start..self.unescaped.len() });
    }

    /// Lends out the labels, sorted; those from `exemplar` on are not of the series, but of its exemplar.
    ///
    /// # Errors
    ///
    /// Both names of a label that is there twice.
    #[inline]
    pub(super) fn lend<'p>(
        &'p mut self,
        mut pairs: Pairs<'p>,
        exemplar: usize,
    ) -> Result<LabelLease<'p>, [&'p str; 2]> {
        for Escaped { label, is_name, range } in &self.escaped {
            let text = self.unescaped.get(range.clone()).unwrap_or_default();
            if let Some(pair) = pairs.get_mut(*label) {
                *(if *is_name { &mut pair.0 } else { &mut pair.1 }) = text;
            }
        }
        if let Some(more) = pairs.get_mut(exemplar..)
            && more.len() > 1
        {
            more.sort_unstable_by_key(|label| label.0);
        }
        lend(pairs, exemplar, &mut self.idle)
    }

    /// The same for labels without escapes; those from `exemplars` on stay as they are.
    pub(super) fn lend_plain<'p>(
        &'p mut self,
        pairs: Pairs<'p>,
        exemplars: usize,
    ) -> Result<LabelLease<'p>, [&'p str; 2]> {
        lend(pairs, exemplars, &mut self.idle)
    }
}

#[inline]
fn lend<'p>(
    mut pairs: Pairs<'p>,
    exemplar: usize,
    home: &'p mut Idle,
) -> Result<LabelLease<'p>, [&'p str; 2]> {
    if let Some(twice) = pairs.get_mut(..exemplar).and_then(sort) {
        *home = recycle(pairs);
        return Err(twice);
    }
    Ok(LabelLease { pairs, exemplar, home })
}

/// Labels that are lent out. Their memory goes home when they are dropped.
pub(super) struct LabelLease<'p> {
    pairs: Pairs<'p>,
    exemplar: usize,
    home: &'p mut Idle,
}

impl<'p> LabelLease<'p> {
    /// The labels of the series.
    #[inline]
    pub(super) fn series(&self) -> &[(&'p str, &'p str)] {
        self.pairs.get(..self.exemplar).unwrap_or_default()
    }

    /// All that are not of the series.
    pub(super) fn exemplar(&self) -> &[(&'p str, &'p str)] {
        self.pairs.get(self.exemplar..).unwrap_or_default()
    }
}

impl Drop for LabelLease<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.home = recycle(std::mem::take(&mut self.pairs));
    }
}

/// Checks the size of a label before it is put behind the others.
#[inline]
pub(super) fn check(
    limits: &Limits,
    labels: usize,
    name: &str,
    value: &str,
) -> Result<(), ExpositionErrorKind> {
    let bytes = name.len().max(value.len());
    if bytes <= limits.max_label_bytes && labels < limits.max_labels_per_series {
        return Ok(());
    }
    Err(if bytes > limits.max_label_bytes {
        over(Limit::LabelBytes, limits.max_label_bytes, bytes)
    } else {
        over(Limit::LabelsPerSeries, limits.max_labels_per_series, labels + 1)
    })
}

#[cold]
pub(super) fn over(what: Limit, limit: usize, found: usize) -> ExpositionErrorKind {
    ExpositionErrorKind::OverLimit { what, limit, found }
}

/// Sorts by name, and returns both names of one that is there twice. Most are sorted when they come.
#[inline]
pub(super) fn sort<'a>(pairs: &mut [(&'a str, &'a str)]) -> Option<[&'a str; 2]> {
    if pairs.windows(2).all(|two| is_before(two[0].0, two[1].0)) { None } else { sort_unsorted(pairs) }
}

#[inline(never)]
fn sort_unsorted<'a>(pairs: &mut [(&'a str, &'a str)]) -> Option<[&'a str; 2]> {
    if pairs.len() > FEW {
        pairs.sort_unstable_by(|one, other| one.0.cmp(other.0));
    } else {
        for end in 1..pairs.len() {
            let mut at = end;
            while at > 0 && is_before(pairs[at].0, pairs[at - 1].0) {
                pairs.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    pairs.windows(2).find(|two| two[0].0 == two[1].0).map(|two| [two[0].0, two[1].0])
}

/// So many labels are sorted by putting each into its place.
const FEW: usize = 20;

/// Names differ mostly in one of their first bytes, for which it is not worthwhile to call anything.
#[inline]
fn is_before(one: &str, other: &str) -> bool {
    for (one, other) in one.bytes().zip(other.bytes()) {
        if one != other {
            return one < other;
        }
    }
    one.len() < other.len()
}

/// Appends `text` without its escapes: of a backslash, a line break and, if wanted, a quote. Any other backslash stands for
/// itself, as in Prometheus.
pub(super) fn unescape(text: &str, quotes: bool, into: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(at);
        into.push_str(before);
        let plain = match escape.as_bytes().get(1) {
            Some(b'n') => '\n',
            Some(b'\\') => '\\',
            Some(b'"') if quotes => '"',
            _ => {
                into.push('\\');
                rest = &escape[1..];
                continue;
            }
        };
        into.push(plain);
        rest = &escape[2..];
    }
    into.push_str(rest);
}

/// An empty vector with the memory of `used`, but free to hold items of another lifetime. The standard library collects in
/// place when the items are of the same size.
#[inline]
pub(super) fn recycle<T, U>(mut used: Vec<T>) -> Vec<U> {
    used.clear();
    used.into_iter().filter_map(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_stays() {
        let text = String::from("borrowed");
        let pairs = vec![(text.as_str(), text.as_str()); 100];
        let (at, capacity) = (pairs.as_ptr().addr(), pairs.capacity());
        let kept: Idle = recycle(pairs);
        drop(text);
        assert_eq!((kept.as_ptr().addr(), kept.capacity(), kept.len()), (at, capacity, 0));
    }

    #[test]
    fn only_three_escapes_mean_something() {
        let cases = [
            (r"a\\b", r"a\b"),
            (r"\n\x\\n", "\n\\x\\n"),
            (r#"\""#, "\""),
            (r"\é", r"\é"),
            ("trailing\\", "trailing\\"),
        ];
        for (text, expected) in cases {
            let mut into = String::new();
            unescape(text, true, &mut into);
            assert_eq!(into, expected);
        }
        let mut into = String::new();
        unescape(r#"\"\n"#, false, &mut into);
        assert_eq!(into, "\\\"\n");
    }
}
