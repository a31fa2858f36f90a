//! What is known of a column before anyone looks at its samples.

use super::{Floats, STALE_BITS, Steps};

/// What everyone asks of a column, found out once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Known(usize);

impl Known {
    const ASCENDING: usize = 1;
    const STRICT: usize = 2;
    const SHORT_STEPS: usize = 4;
    const ALL_LIVE: usize = 8;
    const BITS: u32 = 4;

    pub(crate) fn of(samples: Floats<'_>, steps: Steps) -> Self {
        let flag = |bit: usize, holds: bool| bit * usize::from(holds);
        let has_short_steps = steps.are_ascending() && u16::try_from(steps.longest_ms()).is_ok();
        Self(
            flag(Self::ASCENDING, steps.are_ascending())
                | flag(Self::STRICT, steps.are_strict())
                | flag(Self::SHORT_STEPS, has_short_steps)
                | flag(Self::ALL_LIVE, !has_stale(samples.values())),
        )
    }

    /// No timestamp is before its predecessor.
    pub(crate) fn is_ascending(self) -> bool {
        self.0 & Self::ASCENDING != 0
    }

    /// Every timestamp is after its predecessor.
    pub(crate) fn is_strict(self) -> bool {
        self.0 & Self::STRICT != 0
    }

    /// It is ascending, and each step fits in two bytes.
    pub(crate) fn has_short_steps(self) -> bool {
        self.0 & Self::SHORT_STEPS != 0
    }

    /// No value is a stale marker.
    pub(crate) fn all_live(self) -> bool {
        self.0 & Self::ALL_LIVE != 0
    }
}

/// A number that has to do with a column, and what is known of that, in one word: there are so many of them that it matters how many of
/// them a cache line has. What is counted here has at least eight bytes, so the highest bits of the number are free.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noted(usize);

impl Noted {
    pub(crate) fn new(number: usize, known: Known) -> Self {
        Self(number << Known::BITS | known.0)
    }

    pub(crate) fn number(self) -> usize {
        self.0 >> Known::BITS
    }

    pub(crate) fn known(self) -> Known {
        Known(self.0 & ((1 << Known::BITS) - 1))
    }
}

/// Whether a stale marker is among them. Goes on to the end in any case, several at a time.
fn has_stale(values: &[f64]) -> bool {
    values.iter().fold(false, |stale, value| stale | (value.to_bits() == STALE_BITS))
}
