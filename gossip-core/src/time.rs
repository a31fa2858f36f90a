use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment, told as the time since an origin that the driver chose (its start, say; zero in a simulation). Nothing in this crate
/// reads a clock: whoever calls says what time it is, and never an earlier one than before.
///
/// ```
/// use promha_gossip_core::Instant;
/// use std::time::Duration;
///
/// let start = Instant::ORIGIN;
/// let later = start + Duration::from_millis(200);
/// assert_eq!(later - start, Duration::from_millis(200));
/// assert_eq!(start - later, Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The driver's origin.
    pub const ORIGIN: Self = Self(0);
    /// Later than anything that happens: 584 years.
    pub const NEVER: Self = Self(u64::MAX);

    /// So long after the origin; what is beyond 584 years is [`Instant::NEVER`].
    pub fn since_origin(elapsed: Duration) -> Self {
        Self(nanos(elapsed))
    }

    /// The time since the origin.
    pub const fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// The time between two moments, zero if the other is the later one.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.elapsed())
    }
}
