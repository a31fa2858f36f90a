//! What the timestamps of a column are like, from one look over them.

/// Bounds of the steps between neighbouring timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    ascending: bool,
    shortest_ms: u64,
    longest_ms: u64,
}

impl Steps {
    /// Reads all timestamps, in milliseconds.
    ///
    /// ```
    /// use promha_merge::Steps;
    ///
    /// let steps = Steps::of(&[10, 20, 50]);
    /// assert!(steps.are_ascending() && steps.are_strict());
    /// assert_eq!((steps.shortest_ms(), steps.longest_ms()), (10, 30));
    /// assert!(Steps::of(&[10, 10]).are_ascending() && !Steps::of(&[10, 10]).are_strict());
    /// assert!(!Steps::of(&[10, 9]).are_ascending());
    /// ```
    pub fn of(at_ms: &[i64]) -> Self {
        let start = Self { ascending: true, shortest_ms: u64::MAX, longest_ms: 0 };
        let later = at_ms.get(1..).unwrap_or_default();
        at_ms.iter().zip(later).fold(start, |steps, (&a_ms, &b_ms)| {
            let step_ms = b_ms.wrapping_sub(a_ms) as u64;
            Self {
                ascending: steps.ascending & (a_ms <= b_ms),
                shortest_ms: steps.shortest_ms.min(step_ms),
                longest_ms: steps.longest_ms.max(step_ms),
            }
        })
    }

    /// No timestamp is before its predecessor.
    pub fn are_ascending(self) -> bool {
        self.ascending
    }

    /// Every timestamp is after its predecessor.
    pub fn are_strict(self) -> bool {
        self.ascending && self.shortest_ms > 0
    }

    /// The shortest step, in milliseconds; `u64::MAX` if there is none. Means nothing unless they are ascending.
    pub fn shortest_ms(self) -> u64 {
        self.shortest_ms
    }

    /// The longest step, in milliseconds; 0 if there is none. Means nothing unless they are ascending.
    pub fn longest_ms(self) -> u64 {
        self.longest_ms
    }
}
