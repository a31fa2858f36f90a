//! A long night of seeds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::kinds::Kind;
use super::plan::{Outcome, Plan, Trial};

/// What a night came to.
#[derive(Debug, Default)]
pub struct Night {
    pub played: u64,
    pub delivered: u64,
    /// How long after the last fault all agreed, in order.
    pub agreed: Vec<Duration>,
    pub failed: Vec<(u64, String)>,
}

/// Plays every seed from `from` on, so many at a time, and tells of each.
pub fn night(
    kind: &Kind,
    trial: &Trial,
    from: u64,
    seeds: u64,
    jobs: usize,
    told: impl Fn(u64, &Outcome) + Sync,
) -> Night {
    let (next, night) = (AtomicU64::new(0), Mutex::new(Night::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = from + next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let outcome = (kind.play)(&Plan::of(seed, trial));
                    told(seed, &outcome);
                    let mut night = night.lock().unwrap();
                    night.played += 1;
                    night.delivered += outcome.counts.delivered;
                    match outcome.failure {
                        Some(failure) => night.failed.push((seed, failure.to_string())),
                        None => night.agreed.extend(outcome.agreed),
                    }
                }
            });
        }
    });
    let mut night = night.into_inner().unwrap();
    night.agreed.sort();
    night.failed.sort();
    night
}
