//! How far apart the samples of a replica are: what is a gap, what is too close, and how it is found out.

/// How many steps are looked at to learn an interval. They must agree with each other to change one that is
/// known.
pub(crate) const STEPS: usize = 8;

/// The interval between the samples of a replica, at least 1 ms and so short that sums do not overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pace {
    interval_ms: u64,
    /// Steps did not agree on it: what later ones say may be better.
    is_guess: bool,
}

impl Pace {
    /// What is assumed where nothing can be known, as when every replica has a single sample: a common
    /// scrape interval.
    pub(crate) const FALLBACK: Self = Self { interval_ms: 15_000, is_guess: true };

    pub(crate) fn new(interval_ms: u64) -> Self {
        Self { interval_ms: interval_ms.clamp(1, u64::MAX / 2), is_guess: false }
    }

    pub(crate) fn interval_ms(self) -> u64 {
        self.interval_ms
    }

    /// A step of this length or longer is a gap: a sample is missing in it.
    pub(crate) fn gap_ms(self) -> u64 {
        self.interval_ms + self.interval_ms.div_ceil(2)
    }

    /// A sample that comes sooner after another one than this doubles the density rather than filling a gap.
    pub(crate) fn close_ms(self) -> u64 {
        self.interval_ms.div_ceil(2)
    }

    /// A replica that ended so long before the last sample of another one lacks a sample at its end: its next one
    /// was due after an interval, but for jitter.
    pub(crate) fn missed_ms(self) -> u64 {
        self.interval_ms - self.interval_ms / 8
    }

    /// A step of this length or shorter says that the interval may have become a shorter one. Were that so
    /// and unnoticed, a step that lacks a sample, twice as long, would still be a [gap](Self::gap_ms).
    pub(crate) fn dense_ms(self) -> u64 {
        self.interval_ms - self.interval_ms.div_ceil(4)
    }

    pub(crate) fn is_normal(self, step_ms: u64) -> bool {
        self.dense_ms() < step_ms && step_ms < self.gap_ms()
    }

    /// The interval that the samples at these times have, at most `STEPS + 1` of them, given what it was.
    ///
    /// A known interval stays as it is, to the millisecond, unless most of as many steps as are looked at are
    /// clearly shorter and the others do not make up for it, or all of them agree on a longer one: what is decided then
    /// depends on where samples are missing, not on how they jitter. An unknown one is the average step. Where steps do not
    /// agree, it is a guess, which later ones may better: still the average if samples are but early or late, else those
    /// steps that are multiples of the median one lack samples.
    pub(crate) fn learn(known: Option<Self>, times_ms: &[i64]) -> Option<Self> {
        let steps = Steps::of(times_ms);
        steps.settle(known).or_else(|| steps.guess())
    }

    /// The shortest one that can be [learned](Self::learn) from steps within these bounds, both included, and from
    /// nothing else. A step that counts as several is at least one and a half of the median one, three quarters of
    /// it each.
    pub(crate) fn shortest_of(shortest_ms: u64, longest_ms: u64) -> Self {
        let shortest = Self::new(shortest_ms);
        if longest_ms < shortest.gap_ms() { shortest } else { Self::new(shortest.dense_ms()) }
    }

    /// Like [`learn`](Self::learn), but nothing if the interval is unknown and the steps do not agree.
    pub(crate) fn settle(known: Option<Self>, times_ms: &[i64]) -> Option<Self> {
        Steps::of(times_ms).settle(known)
    }
}

/// The lengths of a few steps.
struct Steps {
    in_order: [u64; STEPS],
    /// The same, ascending.
    sorted: [u64; STEPS],
    count: usize,
    total_ms: u64,
}

impl Steps {
    fn of(times_ms: &[i64]) -> Self {
        let mut steps = Self { in_order: [0; STEPS], sorted: [0; STEPS], count: 0, total_ms: 0 };
        for pair in times_ms.windows(2).filter(|pair| pair[0] < pair[1]).take(STEPS) {
            let step_ms = pair[0].abs_diff(pair[1]);
            steps.in_order[steps.count] = step_ms;
            steps.count += 1;
            steps.total_ms = steps.total_ms.saturating_add(step_ms);
        }
        steps.sorted = steps.in_order;
        steps.sorted[..steps.count].sort_unstable();
        steps
    }

    fn settle(&self, known: Option<Pace>) -> Option<Pace> {
        let average = self.average();
        // So close together that none can be twice another: samples missing here and there are no agreement.
        let quarter_ms = average.interval_ms / 4;
        let agree = self.count == STEPS
            && self.sorted[0] >= average.interval_ms - quarter_ms
            && self.sorted[STEPS - 1] <= average.interval_ms + quarter_ms;
        match known {
            None => agree.then_some(average),
            Some(known) if agree && (known.is_guess || !known.is_normal(average.interval_ms)) => {
                Some(average)
            }
            Some(known) if self.count < STEPS => Some(known),
            Some(known) if self.median_ms() <= known.dense_ms() && !self.keep(known) => self.guess(),
            Some(known) if known.is_guess && self.keep(average) => self.guess(),
            known => known,
        }
    }

    /// Of as many steps as are looked at.
    fn average(&self) -> Pace {
        Pace::new(self.total_ms.saturating_add(STEPS as u64 / 2) / STEPS as u64)
    }

    /// Whether samples at these steps keep a pace, each of them early or late by up to a quarter of an interval.
    fn keep(&self, pace: Pace) -> bool {
        let interval_ms = i128::from(pace.interval_ms);
        let (mut late_ms, mut least_ms, mut most_ms) = (0, 0, 0);
        for &step_ms in &self.in_order[..self.count] {
            late_ms += i128::from(step_ms) - interval_ms;
            (least_ms, most_ms) = (late_ms.min(least_ms), late_ms.max(most_ms));
        }
        (most_ms - least_ms) * 2 <= interval_ms
    }

    /// The lower one of two that are in the middle.
    fn median_ms(&self) -> u64 {
        self.sorted[self.count.saturating_sub(1) / 2]
    }

    fn guess(&self) -> Option<Pace> {
        if self.count == STEPS && self.keep(self.average()) {
            return Some(Pace { is_guess: true, ..self.average() });
        }
        let steps = self.sorted[..self.count].iter();
        let median_ms = self.median_ms();
        let ticks = steps.map(|&step_ms| (step_ms.saturating_add(median_ms / 2) / median_ms).max(1));
        let ticks = ticks.fold(0, u64::saturating_add);
        let average = |ticks| Pace::new(self.total_ms.saturating_add(ticks / 2) / ticks);
        (ticks > 0).then(|| Pace { is_guess: true, ..average(ticks) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(known: Option<u64>, steps: &[i64]) -> Option<u64> {
        let mut at_ms = 1_000;
        let mut times_ms = vec![at_ms];
        for step in steps {
            at_ms += step;
            times_ms.push(at_ms);
        }
        Pace::learn(known.map(Pace::new), &times_ms).map(Pace::interval_ms)
    }

    #[test]
    fn an_unknown_interval_is_what_most_steps_are() {
        for (steps, expected) in [
            (&[][..], None),
            (&[60], Some(60)),
            (&[15; 8], Some(15)),
            (&[14, 16, 15, 17, 13, 15, 15, 15], Some(15)),
            (&[3_600, 15, 15, 30, 15, 15, 60, 15], Some(15)),
            (&[30, 15], Some(15)),
            (&[0, 15, 0, 15], Some(15)),
            (&[1; 8], Some(1)),
        ] {
            assert_eq!(learn(None, steps), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_known_interval_changes_when_all_steps_agree_or_most_are_shorter() {
        for (steps, expected) in [
            (&[][..], 15),
            (&[60; 7], 15),
            (&[60; 8], 60),
            (&[59, 61, 60, 57, 63, 60, 60, 60], 60),
            (&[60, 60, 60, 15, 60, 60, 60, 60], 15),
            (&[3_600, 15, 15, 15, 15, 15, 15, 15], 15),
            (&[14, 16, 15, 17, 13, 15, 15, 15], 15),
            (&[16; 8], 15),
            (&[5; 8], 5),
            (&[11; 8], 11),
            (&[12; 8], 15),
            (&[5, 5, 5, 5, 5, 10, 5, 60], 5),
            (&[5, 5, 5, 15, 15, 15, 15, 15], 15),
            (&[5; 7], 15),
            (&[52, 28, 32, 29, 30, 60, 29, 59], 15),
            // Some scrapes are late, and the next ones come the sooner.
            (&[11, 19, 11, 18, 10, 20, 11, 17], 15),
            (&[11, 11, 11, 11, 19, 19, 19, 19], 10),
        ] {
            assert_eq!(learn(Some(15), steps), Some(expected), "{steps:?}");
        }
    }

    #[test]
    fn no_pace_is_shorter_than_what_bounds_of_the_steps_say() {
        for shortest in 1..12 {
            for longest in shortest..40 {
                let bound = Pace::shortest_of(shortest as u64, longest as u64).interval_ms();
                for long_ones in 0..STEPS {
                    let steps: [i64; STEPS] =
                        std::array::from_fn(|i| if i < long_ones { longest } else { shortest });
                    for count in 1..=STEPS {
                        for known in [None, Some(bound), Some(longest as u64)] {
                            let learned = learn(known, &steps[..count]);
                            assert!(learned >= Some(bound), "{known:?}, {:?}: {learned:?}", &steps[..count]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn extremes_are_intervals_too() {
        assert_eq!(Pace::learn(None, &[i64::MIN, i64::MAX]).map(Pace::interval_ms), Some(u64::MAX / 2));
        for interval_ms in [0, 1, 2, 3, u64::MAX] {
            let pace = Pace::new(interval_ms);
            assert!(pace.is_normal(pace.interval_ms()), "{pace:?}");
            assert!(pace.close_ms() >= 1 && pace.close_ms() <= pace.interval_ms(), "{pace:?}");
        }
        assert!(!Pace::new(1).is_normal(2));
    }
}
