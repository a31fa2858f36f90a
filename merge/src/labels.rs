//! Label sets: their order, their text form, and an owned, reusable one.
//!
//! A label set is a list of name and value pairs, sorted by name, each name once. This crate trusts that; it
//! compares what it is given.

use std::cmp::Ordering;
use std::fmt;

/// Prometheus' label order (`labels.Compare`): pair by pair, name before value, bytes as they are; a prefix
/// comes first.
///
/// This is how slices of pairs compare in Rust too. `O(length)`.
///
/// ```
/// use std::cmp::Ordering;
/// use promha_merge::labels::compare;
///
/// assert_eq!(compare(&[("a", "1")], &[("a", "1"), ("b", "2")]), Ordering::Less);
/// assert_eq!(compare(&[("b", "1")], &[("a", "2"), ("b", "1")]), Ordering::Greater);
/// ```
pub fn compare(a: &[(&str, &str)], b: &[(&str, &str)]) -> Ordering {
    a.cmp(b)
}

/// Sorts series by their labels, for a source whose order is not [`compare`]'s. Series of equal labels keep
/// their order.
///
/// A source loses its order, for instance, when a label is taken away from its series: `{a="1", replica="x"}`
/// stands after `{a="1", b="2"}`, but `{a="1"}` belongs before it. Two series may also have become one; a
/// [`Merge`](crate::Merge) reports them as out of order, because it cannot know which samples to keep.
///
/// `O(n log n)` comparisons for `n` series, no allocation when they are sorted already.
///
/// ```
/// use promha_merge::labels;
///
/// let (long, short): (&[_], &[_]) = (&[("a", "1"), ("b", "2")], &[("a", "1")]);
/// let mut series = [(long, "first"), (short, "second")];
/// labels::sort(&mut series);
/// assert_eq!(series, [(short, "second"), (long, "first")]);
/// ```
pub fn sort<T>(series: &mut [(&[(&str, &str)], T)]) {
    series.sort_by(|(a, _), (b, _)| compare(a, b));
}

/// An owned label set: two allocations however many labels, both kept by [`assign`](Self::assign).
///
/// It orders as [`compare`] does and prints as Prometheus prints label sets: values quoted as Go quotes
/// strings, names quoted when they are not of the classic form `[a-zA-Z_][a-zA-Z0-9_]*`.
///
/// ```
/// use promha_merge::labels::Labels;
///
/// let mut labels: Labels = [("__name__", "up"), ("path", "C:\\")].into_iter().collect();
/// assert_eq!(labels.to_string(), r#"{__name__="up", path="C:\\"}"#);
/// labels.assign([("le", "0.5"), ("service.name", "a\nb")]);
/// assert_eq!(labels.to_string(), r#"{le="0.5", "service.name"="a\nb"}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// Every name and value, one after the other.
    text: String,
    /// Where each name and each value ends in `text`, in bytes.
    ends: Vec<usize>,
}

impl Labels {
    /// Replaces the content, and keeps the memory.
    pub fn assign<N: AsRef<str>, V: AsRef<str>>(&mut self, pairs: impl IntoIterator<Item = (N, V)>) {
        self.text.clear();
        self.ends.clear();
        for (name, value) in pairs {
            self.text.push_str(name.as_ref());
            self.ends.push(self.text.len());
            self.text.push_str(value.as_ref());
            self.ends.push(self.text.len());
        }
    }

    /// The pairs, in the order in which they were given.
    ///
    /// ```
    /// let labels: promha_merge::labels::Labels = [("a", "1"), ("b", "")].into_iter().collect();
    /// assert_eq!(labels.pairs().collect::<Vec<_>>(), [("a", "1"), ("b", "")]);
    /// ```
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.chunks_exact(2).map(move |ends| {
            let name = &self.text[start..ends[0]];
            start = ends[1];
            (name, &self.text[ends[0]..ends[1]])
        })
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        /// What a name and a value have together, more or less.
        const USUAL_BYTES: usize = 32;
        let pairs = pairs.into_iter();
        let count = pairs.size_hint().0;
        let (text, ends) = (String::with_capacity(count * USUAL_BYTES), Vec::with_capacity(count * 2));
        let mut labels = Self { text, ends };
        labels.assign(pairs);
        labels
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.pairs().cmp(other.pairs())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.pairs().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if is_classic_name(name) {
                f.write_str(name)?
            } else {
                write_quoted(name, f)?
            }
            f.write_str("=")?;
            write_quoted(value, f)?;
        }
        f.write_str("}")
    }
}

fn is_classic_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// Quotes as Go's `strconv.Quote` does.
fn write_quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\x07' => f.write_str("\\a")?,
            '\x08' => f.write_str("\\b")?,
            '\x0c' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\x0b' => f.write_str("\\v")?,
            ' '..='~' => write!(f, "{c}")?,
            '\0'..='\x7f' => write!(f, "\\x{:02x}", u32::from(c))?,
            _ if is_printable(c) => write!(f, "{c}")?,
            '\0'..='\u{ffff}' => write!(f, "\\u{:04x}", u32::from(c))?,
            _ => write!(f, "\\U{:08x}", u32::from(c))?,
        }
    }
    f.write_str("\"")
}

/// Letters, marks, numbers, punctuation and symbols, as the standard library knows them: it escapes all else,
/// and leaves marks alone unless they come first.
fn is_printable(c: char) -> bool {
    let mut after_letter = String::from("a");
    after_letter.push(c);
    after_letter.escape_debug().eq(['a', c])
}
