//! What a query over the merged series is off from what really happened, for every policy and kind of fault.
//!
//! A counter is followed by scrapers with faults; `rate()` over the merged samples, as Prometheus computes it,
//! is compared with the increase that really happened. The table that is printed (`cargo test -p promha-merge
//! --test truth -- --nocapture`) is the one in `docs/compare-merge.md`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{Outage, Random, Replica, STALE, Scraper};
use promha_merge::{Chain, Hints, Interval, Penalty, Stitch, is_stale, resolve};

const SCRAPE_MS: i64 = 15_000;
const LENGTH_MS: i64 = 3 * 3_600_000;
const SERIES: u64 = 40;
const LOOKBACK_MS: i64 = 300_000;
/// A range should span four intervals at least, or a single late scrape leaves it without a rate.
const WINDOW_INTERVALS: [i64; 2] = [4, 20];

/// The truth: how many events there were since the beginning, in steps of a second.
struct Events {
    since_start: Vec<f64>,
    resets_ms: Vec<i64>,
}

impl Events {
    /// A load that has waves and bursts.
    fn new(seed: u64, resets: usize) -> Self {
        let mut random = Random(seed);
        let mut total = 0.0;
        let mut burst = 1.0;
        let half_wave = 600 + random.below(3_000);
        let since_start = (0..LENGTH_MS / 1_000 + 600)
            .map(|second| {
                if second % 40 == 0 {
                    burst = if random.chance(10) { 3.0 } else { 0.7 + random.below(60) as f64 / 100.0 };
                }
                let height = (second % (2 * half_wave) - half_wave).abs() as f64 / half_wave as f64;
                total += burst * 50.0 * (0.2 + 2.0 * height);
                total
            })
            .collect();
        let mut resets_ms: Vec<i64> =
            (0..resets).map(|_| 600_000 + random.below(LENGTH_MS - 900_000)).collect();
        resets_ms.sort_unstable();
        Self { since_start, resets_ms }
    }

    fn total(&self, at_ms: i64) -> f64 {
        let at_s = (at_ms.max(0) as f64 / 1_000.0).min(self.since_start.len() as f64 - 2.0);
        let (second, part) = (at_s as usize, at_s.fract());
        self.since_start[second] * (1.0 - part) + self.since_start[second + 1] * part
    }

    /// What a scrape sees.
    fn counter(&self, at_ms: i64) -> f64 {
        let reset_ms = self.resets_ms.iter().copied().filter(|&reset_ms| reset_ms <= at_ms).max();
        (self.total(at_ms) - reset_ms.map_or(0.0, |reset_ms| self.total(reset_ms))).floor()
    }
}

#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    resets: usize,
    /// The scrapers of one series, by its seed.
    scrapers: fn(u64) -> Vec<Scraper>,
}

fn scraper(seed: u64, replica: u64) -> Scraper {
    let mut random = Random(seed * 31 + replica);
    Scraper {
        interval_ms: SCRAPE_MS,
        phase_ms: random.below(SCRAPE_MS),
        skew_ms: 0,
        jitter_ms: 200,
        seed: random.draw(),
        life_ms: (0, LENGTH_MS),
        outages: Vec::new(),
        restart_ms: None,
        change_ms: None,
        ends_stale: false,
    }
}

fn pair(seed: u64, change: impl Fn(&mut Scraper, u64, &mut Random)) -> Vec<Scraper> {
    replicas(2, seed, change)
}

fn replicas(count: u64, seed: u64, change: impl Fn(&mut Scraper, u64, &mut Random)) -> Vec<Scraper> {
    let one = |replica| {
        let mut one = scraper(seed, replica);
        change(&mut one, replica, &mut Random(seed * 1_009 + replica));
        one
    };
    (0..count).map(one).collect()
}

fn outages(random: &mut Random, count: usize, longest_ms: i64, marker: bool) -> Vec<Outage> {
    let one = |_| {
        let from_ms = random.below(LENGTH_MS);
        Outage { from_ms, to_ms: from_ms + SCRAPE_MS + random.below(longest_ms), marker }
    };
    (0..count).map(one).collect()
}

/// Single scrapes fail, one in a hundred.
fn misses(random: &mut Random, percent: u64, marker: bool) -> Vec<Outage> {
    let starts = (0..LENGTH_MS / SCRAPE_MS).map(|tick| tick * SCRAPE_MS);
    let failing = starts.filter(|_| random.chance(percent)).collect::<Vec<_>>();
    failing.into_iter().map(|from_ms| Outage { from_ms, to_ms: from_ms + SCRAPE_MS, marker }).collect()
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "nothing is wrong", resets: 0, scrapers: |seed| pair(seed, |_, _, _| ()) },
    Scenario {
        name: "equal timestamps, values differ",
        resets: 0,
        scrapers: |seed| {
            pair(seed, |s, replica, _| {
                // The clocks agree on when it was, and both are a little wrong.
                (s.phase_ms, s.jitter_ms, s.skew_ms) = (5_000 - 40 * replica as i64, 0, 40 * replica as i64);
            })
        },
    },
    Scenario {
        name: "1 % of scrapes fail, with stale markers",
        resets: 0,
        scrapers: |seed| pair(seed, |s, _, random| s.outages = misses(random, 1, true)),
    },
    Scenario {
        name: "10 % of scrapes are missing",
        resets: 0,
        scrapers: |seed| pair(seed, |s, _, random| s.outages = misses(random, 10, false)),
    },
    Scenario {
        name: "servers are down for minutes",
        resets: 0,
        scrapers: |seed| pair(seed, |s, _, random| s.outages = outages(random, 6, 600_000, false)),
    },
    Scenario {
        name: "target out of reach for one",
        resets: 0,
        scrapers: |seed| pair(seed, |s, _, random| s.outages = outages(random, 6, 600_000, true)),
    },
    Scenario { name: "resets", resets: 12, scrapers: |seed| pair(seed, |_, _, _| ()) },
    Scenario {
        name: "resets and outages",
        resets: 12,
        scrapers: |seed| pair(seed, |s, _, random| s.outages = outages(random, 6, 600_000, true)),
    },
    Scenario {
        name: "clocks 54 ms apart, same phase",
        resets: 0,
        scrapers: |seed| {
            pair(seed, |s, replica, random| {
                (s.phase_ms, s.jitter_ms, s.skew_ms) = (5_000 + 20 * replica as i64, 10, 54 * replica as i64);
                s.skew_ms *= if seed % 2 == 0 { 1 } else { -1 };
                s.outages = misses(random, 2, false);
            })
        },
    },
    Scenario {
        name: "clocks 5 s apart, outages, resets",
        resets: 6,
        scrapers: |seed| {
            pair(seed, |s, replica, random| {
                s.skew_ms = 5_000 * replica as i64 * if seed % 2 == 0 { 1 } else { -1 };
                s.outages = outages(random, 6, 300_000, false);
            })
        },
    },
    Scenario {
        name: "15 s and 60 s, outages",
        resets: 0,
        scrapers: |seed| {
            pair(seed, |s, replica, random| {
                s.interval_ms = if replica == 0 { SCRAPE_MS } else { 4 * SCRAPE_MS };
                s.outages = outages(random, 4, 600_000, false);
            })
        },
    },
    Scenario {
        name: "interval becomes 30 s",
        resets: 0,
        scrapers: |seed| {
            pair(seed, |s, replica, random| {
                s.change_ms = Some((LENGTH_MS / 2 + 60_000 * replica as i64, 2 * SCRAPE_MS));
                s.outages = misses(random, 2, false);
            })
        },
    },
    Scenario {
        name: "servers move, with another phase",
        resets: 0,
        scrapers: |seed| {
            pair(seed, |s, _, random| {
                let from_ms = random.below(LENGTH_MS);
                s.restart_ms = Some((from_ms, random.below(SCRAPE_MS)));
                s.outages = vec![Outage { from_ms, to_ms: from_ms + 90_000, marker: false }];
            })
        },
    },
    Scenario {
        name: "three replicas, each down often",
        resets: 4,
        scrapers: |seed| {
            replicas(3, seed, |s, _, random| s.outages = outages(random, 20, 300_000, random.0 % 2 == 0))
        },
    },
];

const POLICIES: [&str; 5] = ["chain", "penalty", "penalty, counters lifted", "interval", "stitch"];

fn merge(policy: &str, replicas: &[Replica]) -> (Vec<i64>, Vec<f64>) {
    let columns: Vec<(&[i64], &[f64])> = replicas.iter().map(Replica::columns).collect();
    let (mut at_ms, mut values) = (Vec::new(), Vec::new());
    let (at, v) = (&mut at_ms, &mut values);
    match policy {
        "chain" => resolve(&mut Chain::default(), &columns, at, v),
        "penalty" => resolve(&mut Penalty::default(), &columns, at, v),
        "penalty, counters lifted" => resolve(&mut Penalty::default().counter(true), &columns, at, v),
        "interval" => resolve(&mut Interval::new(SCRAPE_MS), &columns, at, v),
        "stitch" => resolve(&mut Stitch::new(Hints { counter: true, interval_ms: None }), &columns, at, v),
        other => panic!("{other:?} is no policy"),
    }
    .unwrap();
    (at_ms, values)
}

/// What went wrong with one policy in one scenario.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    /// Of `rate()`, in percent of the true rate: on average, and the 99th percentile.
    error: f64,
    error_99: f64,
    /// Windows without a rate although one replica had no gap in them.
    missing: usize,
    /// Instants without a value although one replica has one (and still has it a scrape later).
    absent: usize,
    /// Steps back of the counter that are no reset.
    false_resets: usize,
    samples: usize,
}

fn score(scenario: &Scenario, policy: &str) -> Score {
    let mut score = Score::default();
    let mut errors = Vec::new();
    for seed in 1..=SERIES {
        let events = Events::new(seed, scenario.resets);
        let scrapers = (scenario.scrapers)(seed);
        let replicas: Vec<Replica> = scrapers.iter().map(|scraper| scrape(scraper, &events)).collect();
        let (at_ms, values) = merge(policy, &replicas);
        score.samples += at_ms.len();
        score.false_resets += false_resets(&at_ms, &values, &events);
        let longest_ms = replicas.iter().map(|replica| replica.interval_ms.1).max().unwrap();
        for (evaluated, eval_ms) in (1_200_000..LENGTH_MS).step_by(37_000).enumerate() {
            let window_ms = WINDOW_INTERVALS[evaluated % WINDOW_INTERVALS.len()] * longest_ms;
            match rate(&at_ms, &values, eval_ms, window_ms) {
                Some(rate) => {
                    let truth = (events.total(eval_ms) - events.total(eval_ms - window_ms))
                        / (window_ms as f64 / 1_000.0);
                    errors.push((rate - truth).abs() / truth * 100.0);
                }
                None if replicas.iter().any(|r| has_no_gap(r, eval_ms - window_ms, eval_ms)) => {
                    score.missing += 1;
                }
                None => {}
            }
            let is_there = |r: &Replica| is_present(&r.at_ms, &r.values, eval_ms, LOOKBACK_MS - longest_ms);
            let is_absent = !is_present(&at_ms, &values, eval_ms, LOOKBACK_MS);
            if is_absent && replicas.iter().any(is_there) {
                score.absent += 1;
            }
        }
    }
    errors.sort_unstable_by(f64::total_cmp);
    score.error = errors.iter().sum::<f64>() / errors.len() as f64;
    score.error_99 = errors[errors.len() * 99 / 100];
    score
}

fn scrape(scraper: &Scraper, events: &Events) -> Replica {
    let mut replica = scraper.scrape(&common::Truth { counter: true, growth_ms: 1, resets_ms: Vec::new() });
    for (value, &true_ms) in replica.values.iter_mut().zip(&replica.true_ms) {
        if !is_stale(*value) {
            *value = events.counter(true_ms);
        }
    }
    replica
}

fn false_resets(at_ms: &[i64], values: &[f64], events: &Events) -> usize {
    let live: Vec<(i64, f64)> =
        at_ms.iter().copied().zip(values.iter().copied()).filter(|sample| !is_stale(sample.1)).collect();
    // Clocks are off by a few seconds at most.
    let happened = |from_ms: i64, to_ms: i64| {
        events.resets_ms.iter().any(|&reset_ms| from_ms - 5_500 <= reset_ms && reset_ms <= to_ms + 5_500)
    };
    let steps_back = live.windows(2).filter(|pair| pair[1].1 < pair[0].1);
    let false_steps = steps_back.clone().filter(|pair| !happened(pair[0].0, pair[1].0)).count();
    // One reset may come out once.
    false_steps.max(steps_back.count().saturating_sub(events.resets_ms.len()))
}

fn has_no_gap(replica: &Replica, from_ms: i64, to_ms: i64) -> bool {
    let from = replica.at_ms.partition_point(|&time_ms| time_ms <= from_ms);
    let to = replica.at_ms.partition_point(|&time_ms| time_ms <= to_ms);
    let longest_ms = replica.interval_ms.0 * 3 / 2;
    from > 0
        && to < replica.at_ms.len()
        && (from - 1..=to).all(|i| replica.is_live(i))
        && replica.at_ms[from - 1..=to].windows(2).all(|pair| pair[1] - pair[0] < longest_ms)
}

/// PromQL's `rate()`: the increase between the first and last sample of the window, resets added, stretched
/// to the ends of the window where these are near.
fn rate(at_ms: &[i64], values: &[f64], eval_ms: i64, window_ms: i64) -> Option<f64> {
    let start_ms = eval_ms - window_ms;
    let from = at_ms.partition_point(|&time_ms| time_ms <= start_ms);
    let to = at_ms.partition_point(|&time_ms| time_ms <= eval_ms);
    let live: Vec<(f64, f64)> = (from..to)
        .filter(|&i| !is_stale(values[i]))
        .map(|i| (at_ms[i] as f64 / 1_000.0, values[i]))
        .collect();
    let (&(first_s, first), &(last_s, last)) = (live.first()?, live.last()?);
    if live.len() < 2 {
        return None;
    }
    let resets: f64 = live.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
    let increase = last - first + resets;
    let sampled_s = last_s - first_s;
    let step_s = sampled_s / (live.len() - 1) as f64;
    let (mut to_start_s, mut to_end_s) =
        (first_s - start_ms as f64 / 1_000.0, eval_ms as f64 / 1_000.0 - last_s);
    if to_start_s >= step_s * 1.1 {
        to_start_s = step_s / 2.0;
    }
    if increase > 0.0 && first >= 0.0 {
        to_start_s = to_start_s.min(sampled_s * (first / increase));
    }
    if to_end_s >= step_s * 1.1 {
        to_end_s = step_s / 2.0;
    }
    Some(increase * ((sampled_s + to_start_s + to_end_s) / sampled_s) / (window_ms as f64 / 1_000.0))
}

/// Whether an instant query finds a value: the last sample is live and not too old.
fn is_present(at_ms: &[i64], values: &[f64], eval_ms: i64, lookback_ms: i64) -> bool {
    let end = at_ms.partition_point(|&time_ms| time_ms <= eval_ms);
    end > 0 && eval_ms - at_ms[end - 1] < lookback_ms && values[end - 1].to_bits() != STALE.to_bits()
}

#[test]
fn stitch_is_at_least_as_true_as_every_other_policy() {
    println!("| scenario | policy | error % | 99th % | missing | absent | false resets | samples |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut worse = Vec::new();
    for scenario in SCENARIOS {
        let scores: Vec<(&str, Score)> =
            POLICIES.iter().map(|&policy| (policy, score(scenario, policy))).collect();
        for (policy, s) in &scores {
            println!(
                "| {} | {policy} | {:.2} | {:.1} | {} | {} | {} | {} |",
                scenario.name, s.error, s.error_99, s.missing, s.absent, s.false_resets, s.samples
            );
        }
        let stitch = scores.last().unwrap().1;
        for (policy, other) in &scores {
            if stitch.error > other.error
                || stitch.missing > other.missing
                || stitch.absent > other.absent
                || stitch.false_resets > other.false_resets
            {
                worse.push((scenario.name, *policy));
            }
        }
    }
    assert!(worse.is_empty(), "{worse:?}");
}
