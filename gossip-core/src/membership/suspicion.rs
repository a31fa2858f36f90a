use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::config::{MembershipConfig, suspicion_timeout};
use crate::{Instant, PeerId};

/// That a member is thought to be dead, and the time it has to say that it is not. A suspicion is of one incarnation: that of another one
/// is another suspicion.
///
/// Source: Lifeguard, section IV-B.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    incarnation: u32,
    started: Instant,
    least: Duration,
    most: Duration,
    wanted: u32,
    /// Who shares it, by hashes of names, whoever raised it first.
    by: Vec<u64>,
    /// What is given to answer once more when the time is over, and is then used up.
    last_word: Option<Duration>,
    ends: Instant,
}

/// What is to be done with a suspect whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To ask it once more: it has a little more time.
    LastWord {
        peer: PeerId,
        /// Whether as many as are wanted share the suspicion, and so ask as well.
        shared: bool,
    },
    /// To declare it dead, of this incarnation: the suspicion is lifted.
    Dead(PeerId, u32),
}

impl Suspicion {
    fn new(config: &MembershipConfig, nodes: usize, incarnation: u32, by: u64, now: Instant) -> Self {
        let least = config.suspicion_least(nodes);
        let wanted = config.confirmations_wanted(nodes);
        let mut suspicion = Self {
            incarnation,
            started: now,
            least,
            most: config.suspicion_most(least),
            wanted,
            by: vec![by],
            // Among so few that no others are waited for, the time is kept.
            last_word: (wanted > 0).then_some(config.probe_timeout),
            ends: now,
        };
        suspicion.set_end();
        suspicion
    }

    /// Whether that is news.
    fn confirm(&mut self, by: u64) -> bool {
        if self.confirmations() >= self.wanted || self.by.contains(&by) {
            return false;
        }
        self.by.push(by);
        if self.last_word.is_some() {
            self.set_end();
        }
        true
    }

    fn confirmations(&self) -> u32 {
        self.by.len() as u32 - 1
    }

    fn set_end(&mut self) {
        let timeout = match self.wanted {
            0 => self.least,
            wanted => suspicion_timeout(self.least, self.most, wanted, self.confirmations()),
        };
        self.ends = self.started + timeout;
    }
}

/// All suspicions, and which ends first.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicions {
    of: BTreeMap<PeerId, Suspicion>,
    ends: BTreeSet<(Instant, PeerId)>,
}

impl Suspicions {
    /// Begins one; of another incarnation it takes the place of the one before.
    pub(super) fn begin(
        &mut self,
        peer: PeerId,
        config: &MembershipConfig,
        nodes: usize,
        incarnation: u32,
        by: u64,
        now: Instant,
    ) {
        self.lift(peer);
        let suspicion = Suspicion::new(config, nodes, incarnation, by, now);
        self.ends.insert((suspicion.ends, peer));
        self.of.insert(peer, suspicion);
    }

    /// Somebody shares the suspicion; whether that is news.
    pub(super) fn confirm(&mut self, peer: PeerId, by: u64) -> bool {
        let Some(suspicion) = self.of.get_mut(&peer) else {
            return false;
        };
        let before = suspicion.ends;
        let news = suspicion.confirm(by);
        if news {
            self.ends.remove(&(before, peer));
            self.ends.insert((suspicion.ends, peer));
        }
        news
    }

    pub(super) fn lift(&mut self, peer: PeerId) {
        if let Some(suspicion) = self.of.remove(&peer) {
            self.ends.remove(&(suspicion.ends, peer));
        }
    }

    /// Of which incarnation a member is suspect.
    pub(super) fn incarnation(&self, peer: PeerId) -> Option<u32> {
        Some(self.of.get(&peer)?.incarnation)
    }

    /// A suspicion that was not refuted in time.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Verdict> {
        let &(before, peer) = self.ends.first().filter(|(ends, _)| *ends <= now)?;
        let suspicion = self.of.get_mut(&peer)?;
        let Some(last_word) = suspicion.last_word.take() else {
            let incarnation = suspicion.incarnation;
            self.lift(peer);
            return Some(Verdict::Dead(peer, incarnation));
        };
        suspicion.ends = now + last_word;
        self.ends.remove(&(before, peer));
        self.ends.insert((suspicion.ends, peer));
        let shared = suspicion.confirmations() >= suspicion.wanted;
        Some(Verdict::LastWord { peer, shared })
    }

    /// Gives all of them so much more time.
    pub(super) fn postpone(&mut self, by: Duration) {
        for suspicion in self.of.values_mut() {
            suspicion.started += by;
            suspicion.ends += by;
        }
        self.ends = self.of.iter().map(|(peer, suspicion)| (suspicion.ends, *peer)).collect();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ends.first().map(|(ends, _)| *ends)
    }
}

#[cfg(test)]
impl Suspicions {
    /// Panics if these are not the suspects, or the parts contradict each other.
    pub(super) fn check(&self, suspects: &BTreeSet<PeerId>) {
        assert_eq!(&self.of.keys().copied().collect::<BTreeSet<_>>(), suspects);
        assert_eq!(self.ends, self.of.iter().map(|(peer, suspicion)| (suspicion.ends, *peer)).collect());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rule as one reads it, from all that has happened.
    fn ends_at(config: &MembershipConfig, nodes: usize, confirmed_by: &[u64]) -> Duration {
        let scale = ((nodes as f64).log10().max(1.0) * 1e3).floor() / 1e3;
        let least =
            (f64::from(config.suspicion_multiplier) * scale * config.probe_interval.as_secs_f64() * 1e3)
                .round();
        let most = least * f64::from(config.suspicion_max_multiplier);
        let wanted = config.suspicion_multiplier as usize - 2;
        if nodes - 2 < wanted || wanted == 0 {
            return Duration::from_millis(least as u64);
        }
        let distinct: BTreeSet<u64> = confirmed_by.iter().copied().filter(|by| *by != 0).collect();
        let confirmations = distinct.len().min(wanted) as f64;
        let timeout = most - (confirmations + 1.0).ln() / (wanted as f64 + 1.0).ln() * (most - least);
        Duration::from_millis(timeout.max(least) as u64)
    }

    proptest! {
        #[test]
        fn as_the_rule_says(
            multiplier in 2..9u32,
            nodes in 2..20_000usize,
            by in prop::collection::vec(0..8u64, 0..12),
            started_ms in 0..100_000u64,
        ) {
            let mut config = MembershipConfig::lan("a", ([10, 0, 0, 1], 1).into());
            config.suspicion_multiplier = multiplier;
            let started = Instant::since_origin(Duration::from_millis(started_ms));
            let mut suspicions = Suspicions::default();
            suspicions.begin(PeerId(3), &config, nodes, 7, 0, started);
            for (at, by_now) in by.iter().enumerate() {
                let before = suspicions.deadline();
                let news = suspicions.confirm(PeerId(3), *by_now);
                prop_assert_eq!(news, before != suspicions.deadline());
                suspicions.check(&[PeerId(3)].into());
                let ends = suspicions.deadline().unwrap() - started;
                let rule = ends_at(&config, nodes, &by[..=at]);
                // Both cut to whole milliseconds.
                prop_assert!(ends.abs_diff(rule) <= Duration::from_millis(5), "{ends:?} is not {rule:?}");
            }
            let ends = suspicions.deadline().unwrap();
            suspicions.postpone(Duration::from_secs(5));
            prop_assert!(suspicions.expired(ends).is_none());
            let mut ends = ends + Duration::from_secs(5);
            prop_assert_eq!(suspicions.deadline(), Some(ends));
            if config.confirmations_wanted(nodes) > 0 {
                let distinct: BTreeSet<u64> = by.iter().copied().filter(|by| *by != 0).collect();
                let shared = distinct.len() >= config.confirmations_wanted(nodes) as usize;
                prop_assert_eq!(suspicions.expired(ends), Some(Verdict::LastWord { peer: PeerId(3), shared }));
                prop_assert!(suspicions.expired(ends).is_none());
                ends += config.probe_timeout;
                suspicions.confirm(PeerId(3), 99);
                // Whoever shares it only now does not cut that short.
                prop_assert_eq!(suspicions.deadline(), Some(ends));
            }
            prop_assert_eq!(suspicions.expired(ends), Some(Verdict::Dead(PeerId(3), 7)));
            prop_assert_eq!(suspicions.deadline(), None);
        }
    }
}
