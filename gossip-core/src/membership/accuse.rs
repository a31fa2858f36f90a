use std::collections::VecDeque;
use std::time::Duration;

use crate::Instant;

/// How many are remembered to have been told.
const TOLD_LIMIT: usize = 64;

/// Who was told lately that its incarnation is too low, so that it is not told for every copy of its message.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    lately: VecDeque<(u64, Instant)>,
}

impl Told {
    /// Whether to tell it, which is then remembered for `quiet`.
    pub(super) fn again(&mut self, name_hash: u64, quiet: Duration, now: Instant) -> bool {
        while self.lately.front().is_some_and(|(_, at)| now - *at >= quiet) {
            self.lately.pop_front();
        }
        let tell = self.lately.len() < TOLD_LIMIT && !self.lately.iter().any(|(told, _)| *told == name_hash);
        if tell {
            self.lately.push_back((name_hash, now));
        }
        tell
    }
}
