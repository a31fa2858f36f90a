use std::time::Duration;

/// How well this node itself is: 0 is well, and the higher the score, the longer others are given to answer.
///
/// Source: Lifeguard, section IV-A.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awareness {
    score: u32,
    most: u32,
}

impl Awareness {
    /// Well; with a most of 0 it stays so.
    pub(super) fn new(most: u32) -> Self {
        Self { score: 0, most }
    }

    pub(super) fn score(self) -> u32 {
        self.score
    }

    pub(super) fn improve(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    pub(super) fn worsen(&mut self, by: u32) {
        self.score = self.score.saturating_add(by).min(self.most);
    }

    pub(super) fn scale(self, time: Duration) -> Duration {
        time.saturating_mul(self.score.saturating_add(1))
    }
}
