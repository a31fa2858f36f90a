//! Runs a policy over replicas, as embedders do.

use promha_merge::{Floats, OutOfOrder, Resolve, Resolved, Run};

use super::{Random, Replica};

/// A sample that came out: where it stands in which replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    pub source: usize,
    pub index: usize,
    /// Came out right after the one that stands before it in its replica.
    pub continues: bool,
}

/// Everything at once: each replica is one column.
pub fn picks(policy: &mut impl Resolve, replicas: &[Replica]) -> Vec<Pick> {
    policy.reset(replicas.len());
    (0..replicas.len()).for_each(|source| policy.supply(source));
    let mut picks = Vec::new();
    loop {
        match policy.poll(|source| Floats::new(&replicas[source].at_ms, &replicas[source].values)).unwrap() {
            Resolved::Need { source, .. } => policy.exhaust(source),
            Resolved::Run(run) => push(&run, 0, &mut picks),
            Resolved::Done => return picks,
        }
    }
}

/// In columns of random length, some empty, each beginning with what the policy wants to keep.
pub fn picks_in_pieces(policy: &mut impl Resolve, replicas: &[Replica], seed: u64) -> Vec<Pick> {
    try_picks_in_pieces(policy, replicas, seed).0
}

/// The same, going on without the sources that are out of order.
pub fn try_picks_in_pieces(
    policy: &mut impl Resolve,
    replicas: &[Replica],
    seed: u64,
) -> (Vec<Pick>, Vec<OutOfOrder<i64>>) {
    let mut random = Random(seed);
    let longest = 1 + random.below(40) as usize;
    // Which part of each replica is its current column.
    let mut windows = vec![0..0; replicas.len()];
    policy.reset(replicas.len());
    let (mut picks, mut errors) = (Vec::new(), Vec::new());
    loop {
        let shown = |source: usize| {
            let window: std::ops::Range<usize> = windows[source].clone();
            Floats::new(&replicas[source].at_ms[window.clone()], &replicas[source].values[window])
        };
        match policy.poll(shown) {
            Ok(Resolved::Need { source, keep_from }) => {
                let window = &mut windows[source];
                if window.end == replicas[source].at_ms.len() {
                    policy.exhaust(source);
                } else {
                    let more = random.below(longest as i64 + 1) as usize;
                    *window = window.start + keep_from..(window.end + more).min(replicas[source].at_ms.len());
                    policy.supply(source);
                }
            }
            Ok(Resolved::Run(run)) => push(&run, windows[run.source].start, &mut picks),
            Ok(Resolved::Done) => return (picks, errors),
            Err(error) => errors.push(error),
        }
    }
}

fn push(run: &Run, start: usize, picks: &mut Vec<Pick>) {
    assert!(!run.range.is_empty(), "a run has samples");
    picks.extend(run.range.clone().map(|index| Pick {
        source: run.source,
        index: start + index,
        continues: run.continues || index > run.range.start,
    }));
}

/// What came out, as samples.
pub fn samples(replicas: &[Replica], picks: &[Pick]) -> Vec<(i64, u64)> {
    let sample = |pick: &Pick| {
        let replica = &replicas[pick.source];
        (replica.at_ms[pick.index], replica.values[pick.index].to_bits())
    };
    picks.iter().map(sample).collect()
}
