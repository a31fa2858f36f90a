//! The one way in which an input can be wrong.

use std::fmt;

/// A source whose keys do not increase as they must.
///
/// Every merging type drops the source that it reports (as if it had been exhausted) and stays usable: what
/// came out before is valid, and what the other sources hold still comes. A strict caller stops here, a
/// lenient one reports the source and goes on.
///
/// ```
/// let error = promha_merge::OutOfOrder { source: 1, previous: "b", next: "a" };
/// assert_eq!(error.to_string(), "source 1 is out of order: a does not come after b");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder<K> {
    /// The index of the source.
    pub source: usize,
    /// The last key of the source that was in order.
    pub previous: K,
    /// The key that followed it.
    pub next: K,
}

impl<K> OutOfOrder<K> {
    /// The same error with its keys in another form.
    ///
    /// ```
    /// let error = promha_merge::OutOfOrder { source: 1, previous: 7, next: 5 };
    /// assert_eq!(error.map(|key| key * 1_000).next, 5_000);
    /// ```
    pub fn map<J>(self, mut form: impl FnMut(K) -> J) -> OutOfOrder<J> {
        OutOfOrder { source: self.source, previous: form(self.previous), next: form(self.next) }
    }
}

impl<K: fmt::Display> fmt::Display for OutOfOrder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, previous, next } = self;
        write!(f, "source {source} is out of order: {next} does not come after {previous}")
    }
}

impl<K: fmt::Debug + fmt::Display> std::error::Error for OutOfOrder<K> {}
