//! A made-up world for tests: a truth, and replicas that scrape it with every fault they can have.

#![allow(dead_code, unreachable_pub, reason = "every test target uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

pub mod drive;
pub mod twin;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

pub const STALE: f64 = f64::from_bits(promha_merge::STALE_BITS);

/// What really happened: a counter that grows by one every `growth_ms` and starts again at times, or a gauge.
#[derive(Debug, Clone)]
pub struct Truth {
    pub counter: bool,
    pub growth_ms: i64,
    pub resets_ms: Vec<i64>,
}

impl Truth {
    pub fn at(&self, time_ms: i64) -> f64 {
        if !self.counter {
            return (time_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> 48) as f64;
        }
        let since_ms = self.resets_ms.iter().copied().filter(|&reset_ms| reset_ms <= time_ms).max();
        ((time_ms - since_ms.unwrap_or(-1_000_000)) / self.growth_ms) as f64
    }

    pub fn resets_between(&self, from_ms: i64, to_ms: i64) -> usize {
        self.resets_ms.iter().filter(|&&reset_ms| from_ms < reset_ms && reset_ms <= to_ms).count()
    }
}

/// How one replica scrapes.
#[derive(Debug, Clone)]
pub struct Scraper {
    pub interval_ms: i64,
    pub phase_ms: i64,
    /// Of the clock that stamps the samples.
    pub skew_ms: i64,
    /// Scrapes are up to this much early or late.
    pub jitter_ms: i64,
    pub seed: u64,
    /// Begins and ends at these times.
    pub life_ms: (i64, i64),
    pub outages: Vec<Outage>,
    /// From this time on the phase is another one, as after moving to another machine.
    pub restart_ms: Option<(i64, i64)>,
    /// From this time on the interval is another one.
    pub change_ms: Option<(i64, i64)>,
    /// Writes a stale marker at its end.
    pub ends_stale: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Outage {
    pub from_ms: i64,
    pub to_ms: i64,
    /// The scrapes fail, and the first of them leaves a stale marker. If not, the scraper is down.
    pub marker: bool,
}

/// What a replica holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replica {
    pub at_ms: Vec<i64>,
    pub values: Vec<f64>,
    /// When the samples were really taken.
    pub true_ms: Vec<i64>,
    /// The shortest and the longest interval it has.
    pub interval_ms: (i64, i64),
}

impl Replica {
    pub fn columns(&self) -> (&[i64], &[f64]) {
        (&self.at_ms, &self.values)
    }

    pub fn is_live(&self, index: usize) -> bool {
        !promha_merge::is_stale(self.values[index])
    }
}

pub fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

impl Scraper {
    pub fn scrape(&self, truth: &Truth) -> Replica {
        let mut replica = Replica::default();
        let mut random = Random(self.seed);
        let mut interval_ms = self.interval_ms;
        let mut tick_ms = self.life_ms.0 + self.phase_ms;
        let mut failing = false;
        let mut intervals = (interval_ms, interval_ms);
        while tick_ms < self.life_ms.1 {
            let true_ms = tick_ms + random.within(self.jitter_ms);
            let outage = self.outages.iter().find(|o| o.from_ms <= tick_ms && tick_ms < o.to_ms);
            match outage {
                None => replica.push(true_ms, self.skew_ms, truth.at(true_ms)),
                Some(outage) if outage.marker && !failing => replica.push(true_ms, self.skew_ms, STALE),
                Some(_) => {}
            }
            failing = outage.is_some();
            let before_ms = tick_ms;
            tick_ms += interval_ms;
            if let Some((from_ms, shift_ms)) = self.restart_ms
                && before_ms < from_ms
                && from_ms <= tick_ms
            {
                tick_ms += shift_ms;
            }
            if let Some((from_ms, other_ms)) = self.change_ms
                && before_ms < from_ms
                && from_ms <= tick_ms
            {
                interval_ms = other_ms;
                intervals = (intervals.0.min(other_ms), intervals.1.max(other_ms));
            }
        }
        if self.ends_stale && replica.values.last().is_some_and(|value| !promha_merge::is_stale(*value)) {
            replica.push(tick_ms, self.skew_ms, STALE);
        }
        replica.interval_ms = intervals;
        replica
    }
}

impl Replica {
    fn push(&mut self, true_ms: i64, skew_ms: i64, value: f64) {
        let at_ms = true_ms + skew_ms;
        if self.at_ms.last().is_none_or(|&last_ms| last_ms < at_ms) {
            self.at_ms.push(at_ms);
            self.values.push(value);
            self.true_ms.push(true_ms);
        }
    }
}

/// A small generator of the xorshift family: tests must not depend on anything but their seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// From `-most` to `most`.
    pub fn within(&mut self, most: i64) -> i64 {
        (self.draw() % (2 * most as u64 + 1)) as i64 - most
    }

    pub fn below(&mut self, end: i64) -> i64 {
        (self.draw() % end.max(1) as u64) as i64
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }
}

/// A series and what its replicas hold of it.
#[derive(Clone)]
pub struct World {
    pub truth: Truth,
    pub scrapers: Vec<Scraper>,
    pub replicas: Vec<Replica>,
}

/// The samples follow from the rest.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("truth", &self.truth).field("scrapers", &self.scrapers).finish()
    }
}

impl World {
    pub fn new(truth: Truth, scrapers: Vec<Scraper>) -> Self {
        let replicas = scrapers.iter().map(|scraper| scraper.scrape(&truth)).collect();
        Self { truth, scrapers, replicas }
    }

    pub fn columns(&self) -> Vec<(&[i64], &[f64])> {
        self.replicas.iter().map(Replica::columns).collect()
    }

    /// Scrapes are early or late by a 32nd of the interval at most.
    pub fn steady_clocks(&mut self) {
        self.scrapers.iter_mut().for_each(|scraper| scraper.jitter_ms /= 4);
        *self = Self::new(self.truth.clone(), std::mem::take(&mut self.scrapers));
    }

    pub fn make_counter(&mut self) {
        self.truth.counter = true;
        *self = Self::new(self.truth.clone(), std::mem::take(&mut self.scrapers));
    }

    /// The shortest interval that any replica ever has.
    pub fn shortest_ms(&self) -> i64 {
        self.replicas.iter().map(|replica| replica.interval_ms.0).min().unwrap()
    }

    /// The longest interval that any replica ever has.
    pub fn longest_ms(&self) -> i64 {
        self.replicas.iter().map(|replica| replica.interval_ms.1).max().unwrap()
    }
}

/// What may go wrong in a generated world.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// At most so many for a replica.
    pub outages: usize,
    pub markers: bool,
    pub restarts: bool,
    pub intervals: bool,
    pub changes: bool,
    pub copies: bool,
    pub lives: bool,
}

pub const ALL: Faults = Faults {
    outages: 6,
    markers: true,
    restarts: true,
    intervals: true,
    changes: true,
    copies: true,
    lives: true,
};

pub const NONE: Faults = Faults {
    outages: 0,
    markers: false,
    restarts: false,
    intervals: false,
    changes: false,
    copies: false,
    lives: false,
};

const INTERVALS_MS: [i64; 4] = [1_000, 15_000, 60_000, 7_333];

/// Worlds with one to four replicas and a few dozen scrapes each.
pub fn worlds(faults: Faults) -> impl Strategy<Value = World> {
    let shape = (any::<Index>(), 10..150i64, any::<bool>(), prop_oneof![1..40i64, 2_000..100_000i64]);
    (shape, vec(0..1_000i64, 0..3), 0..1_000i64, vec(scraper_seeds(), 1..5)).prop_map(
        move |((interval, ticks, counter, growth_ms), resets, change, seeds)| {
            let interval_ms = *interval.get(&INTERVALS_MS);
            let length_ms = interval_ms * ticks;
            let part = |permille: i64| length_ms * permille / 1_000;
            let growth_ms = growth_ms * interval_ms / 15_000 + 1;
            let resets_ms = resets.into_iter().map(part).collect();
            let truth = Truth { counter, growth_ms, resets_ms };
            let mut scrapers: Vec<Scraper> = Vec::new();
            for seeds in seeds {
                let copied = scrapers.first().cloned().filter(|_| faults.copies && seeds.copy);
                scrapers
                    .push(copied.unwrap_or_else(|| seeds.scraper(interval_ms, length_ms, change, faults)));
            }
            World::new(truth, scrapers)
        },
    )
}

#[derive(Debug, Clone)]
struct ScraperSeeds {
    phase: i64,
    skew: i64,
    jitter: i64,
    seed: u64,
    life: (i64, i64),
    outages: Vec<(i64, i64, bool)>,
    restart: Option<(i64, i64)>,
    coarse: Option<bool>,
    change: Option<bool>,
    ends_stale: bool,
    copy: bool,
}

fn scraper_seeds() -> impl Strategy<Value = ScraperSeeds> {
    let clock = (0..1_000i64, -500..=500i64, 0..=125i64, any::<u64>());
    let rare = (
        prop::option::weighted(0.25, (0..1_000i64, 0..1_000i64)),
        prop::option::weighted(0.25, any::<bool>()),
        prop::option::weighted(0.25, any::<bool>()),
        prop::bool::weighted(0.2),
    );
    let life = prop_oneof![2 => Just((0, 1_000)), 1 => (0..500i64, 500..1_000i64)];
    let length = prop_oneof![2 => Just(1), 2 => 1..60i64, 1 => 1..600i64];
    let outages = vec((0..1_000i64, length, any::<bool>()), 0..6);
    (clock, life, outages, rare, any::<bool>()).prop_map(
        |((phase, skew, jitter, seed), life, outages, (restart, coarse, change, copy), ends_stale)| {
            ScraperSeeds {
                phase,
                skew,
                jitter,
                seed,
                life,
                outages,
                restart,
                coarse,
                change,
                ends_stale,
                copy,
            }
        },
    )
}

impl ScraperSeeds {
    fn scraper(&self, interval_ms: i64, length_ms: i64, change: i64, faults: Faults) -> Scraper {
        let part = |permille: i64| length_ms * permille / 1_000;
        let coarser = |coarse: bool| interval_ms * if coarse { 4 } else { 2 };
        let own_ms = self.coarse.filter(|_| faults.intervals).map_or(interval_ms, coarser);
        let outages = self.outages.iter().take(faults.outages).map(|&(from, length, marker)| Outage {
            from_ms: part(from),
            to_ms: part(from) + part(length).max(own_ms),
            marker: marker && faults.markers,
        });
        Scraper {
            interval_ms: own_ms,
            phase_ms: self.phase * own_ms / 1_000,
            skew_ms: self.skew * interval_ms / 1_000,
            jitter_ms: self.jitter * own_ms / 1_000,
            seed: self.seed,
            life_ms: if faults.lives { (part(self.life.0), part(self.life.1)) } else { (0, length_ms) },
            outages: outages.collect(),
            restart_ms: self
                .restart
                .filter(|_| faults.restarts)
                .map(|(from, shift)| (part(from), shift * own_ms / 1_000)),
            change_ms: self.change.filter(|_| faults.changes).map(|coarse| (part(change), coarser(coarse))),
            ends_stale: self.ends_stale && faults.markers,
        }
    }
}
