//! Sets of texts with anything between them.

use super::ends::{Head, Middle, Tail};

/// `head .* middle .* middle .* tail`, where each is one out of a few texts and each gap may demand a number of characters.
///
/// Gaps have no end, so that the first place where a part ends is as good as any; one pass over the text decides.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    pub(super) head: Head,
    pub(super) tail: Tail,
    /// How many characters are before each part in the middle at least, and the part.
    pub(super) middles: Box<[(u32, Middle)]>,
    /// How many are before the tail at least.
    pub(super) last_gap: u32,
}

impl Glob {
    #[inline]
    pub(super) fn matches(&self, text: &str) -> bool {
        self.end(text).is_some()
    }

    /// Where the part before the tail ends.
    #[inline]
    fn end(&self, text: &str) -> Option<usize> {
        let mut at = self.head.take(text)?;
        let rest = text.get(at..)?;
        let end = text.len() - self.tail.take(rest)?;
        for (gap, middle) in &*self.middles {
            at = skip(text, at, *gap)?;
            at += middle.end(text.as_bytes().get(at..end)?)?;
        }
        at = skip(text, at, self.last_gap)?;
        (at <= end).then_some(at)
    }
}

/// The place that is this many characters behind another one.
#[inline]
fn skip(text: &str, at: usize, chars: u32) -> Option<usize> {
    if chars == 0 {
        return Some(at);
    }
    let mut rest = text.get(at..)?.chars();
    for _ in 0..chars {
        rest.next()?;
    }
    Some(text.len() - rest.as_str().len())
}
