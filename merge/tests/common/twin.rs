//! `stitch` written the obvious way: one sample at a time, everything in memory, nothing remembered that can
//! be looked up.

use super::Replica;
use super::drive::Pick;

const STEPS: usize = 8;

/// An interval, and whether it is but a guess.
#[derive(Clone, Copy)]
struct Pace {
    ms: u64,
    is_guess: bool,
}

struct Twin<'r> {
    replicas: &'r [Replica],
    counter: bool,
    next: Vec<usize>,
    pace: Vec<Option<Pace>>,
    followed: Vec<usize>,
    /// Those that were followed when the last sample came out.
    gave_last: Vec<usize>,
    out: Vec<Pick>,
    last_ms: Option<i64>,
    /// Live samples that came out.
    live: Vec<(i64, f64)>,
}

pub fn stitch(replicas: &[Replica], interval_ms: Option<i64>, counter: bool) -> Vec<Pick> {
    let mut twin = Twin {
        replicas,
        counter,
        next: vec![0; replicas.len()],
        pace: vec![interval_ms.map(|ms| Pace { ms: ms as u64, is_guess: false }); replicas.len()],
        followed: Vec::new(),
        gave_last: Vec::new(),
        out: Vec::new(),
        last_ms: None,
        live: Vec::new(),
    };
    while twin.step() {}
    twin.out
}

fn gap(pace: u64) -> i64 {
    (pace + pace.div_ceil(2)) as i64
}

fn close(pace: u64) -> i64 {
    pace.div_ceil(2) as i64
}

fn dense(pace: u64) -> i64 {
    (pace - pace.div_ceil(4)) as i64
}

fn is_normal(pace: u64, step_ms: i64) -> bool {
    dense(pace) < step_ms && step_ms < gap(pace)
}

impl Twin<'_> {
    fn step(&mut self) -> bool {
        let sources = 0..self.replicas.len();
        for source in sources.clone() {
            while self.head(source).is_some_and(|at_ms| self.last_ms.is_some_and(|last_ms| at_ms <= last_ms))
            {
                self.next[source] += 1;
            }
        }
        if self.followed.len() != 1 {
            let among =
                if self.followed.is_empty() { sources.clone().collect() } else { self.followed.clone() };
            let heads = among.into_iter().filter(|&source| self.head(source).is_some());
            let best = self.best(heads.map(|source| (source, self.next[source])).collect());
            if !best.is_empty() {
                self.followed = best.into_iter().map(|(source, _)| source).collect();
            }
        }
        let Some(&source) = self.followed.first() else { return false };
        let others: Vec<usize> =
            sources.filter(|s| !self.followed.contains(s) && self.head(*s).is_some()).collect();
        let Some(at_ms) = self.head(source) else { return self.at_the_end(&others) };
        if others.is_empty() {
            return self.take();
        }
        if !self.replicas[source].is_live(self.next[source]) {
            return self.at_a_marker(at_ms, &others);
        }
        let inside: Vec<usize> =
            others.iter().copied().filter(|&other| self.head(other).unwrap() < at_ms).collect();
        if inside.is_empty() || self.is_plain(at_ms, &inside) {
            return self.take();
        }
        let pace = self.learn(&inside);
        if self.live.last().is_none_or(|live| at_ms - live.0 >= gap(pace)) {
            return self.fill(&inside, Some(at_ms - close(pace)), true, pace) || self.take();
        }
        self.take()
    }

    fn is_plain(&self, at_ms: i64, inside: &[usize]) -> bool {
        let pace = self.followed.iter().filter_map(|&source| self.pace[source]).map(|pace| pace.ms).min();
        let (Some(pace), Some(live)) = (pace, self.live.last()) else { return false };
        let is_denser = |&other: &usize| {
            let times_ms = &self.replicas[other].at_ms[self.next[other]..];
            times_ms.len() > 1
                && times_ms[1] < at_ms
                && settle(self.pace[other], times_ms).is_some_and(|own| own.ms as i64 <= dense(pace))
        };
        self.last_ms == Some(live.0) && is_normal(pace, at_ms - live.0) && !inside.iter().any(is_denser)
    }

    fn at_a_marker(&mut self, at_ms: i64, others: &[usize]) -> bool {
        let is_inside = |other: &usize| self.head(*other).unwrap() <= at_ms;
        let inside: Vec<usize> = others.iter().copied().filter(is_inside).collect();
        let pace = if inside.is_empty() { 0 } else { self.learn(&inside) };
        if others.iter().any(|&other| self.lives(other, at_ms)) {
            self.followed.clone().into_iter().for_each(|source| self.next[source] += 1);
            return true;
        }
        self.fill(&inside, Some(at_ms), false, pace) || self.take()
    }

    fn at_the_end(&mut self, others: &[usize]) -> bool {
        let pace = self.learn(others);
        let ended_with_marker = self.followed.iter().any(|&source| {
            let replica = &self.replicas[source];
            let last = self.next[source].checked_sub(1);
            last.is_some_and(|i| !replica.is_live(i) && Some(replica.at_ms[i]) > self.last_ms)
        });
        let live = self.live.last().filter(|_| !ended_with_marker);
        let due_ms = live.map_or(i64::MIN, |live| live.0 + (pace - pace / 8) as i64);
        let goes_on = |&other: &usize| *self.replicas[other].at_ms.last().unwrap() >= due_ms;
        others.iter().any(goes_on) && self.fill(others, None, true, pace)
    }

    fn fill(&mut self, inside: &[usize], until_ms: Option<i64>, markers: bool, pace: u64) -> bool {
        let fillers = self.fillers(inside, until_ms, markers, pace);
        !fillers.is_empty() && self.switch(&fillers)
    }

    fn fillers(
        &self,
        inside: &[usize],
        until_ms: Option<i64>,
        markers: bool,
        pace: u64,
    ) -> Vec<(usize, usize)> {
        let last_is_live = self.live.last().map(|live| live.0) == self.last_ms;
        let filler = |&source: &usize| {
            let replica = &self.replicas[source];
            let fits = |&i: &usize| {
                let at_ms = replica.at_ms[i];
                let everyone_else = |markers_ms: i64| {
                    (0..self.replicas.len()).any(|other| other != source && self.lives(other, markers_ms))
                };
                self.live.last().is_none_or(|live| at_ms >= live.0 + close(pace))
                    && if replica.is_live(i) {
                        !self.steps_back(source, i, pace)
                    } else {
                        markers && last_is_live && !everyone_else(at_ms)
                    }
            };
            let in_time = |&i: &usize| until_ms.is_none_or(|ms| replica.at_ms[i] <= ms);
            let first = (self.next[source]..replica.at_ms.len()).take_while(in_time).find(fits)?;
            Some((source, first))
        };
        self.best(inside.iter().filter_map(filler).collect())
    }

    fn steps_back(&self, source: usize, i: usize, pace: u64) -> bool {
        let Some(&(live_ms, level)) = self.live.last().filter(|_| self.counter) else { return false };
        let replica = &self.replicas[source];
        if replica.at_ms[i] - live_ms >= gap(pace) {
            return false;
        }
        let before_that = self.live.len().checked_sub(2).map(|i| self.live[i].1);
        let fell_from = before_that.filter(|&before| level < before);
        let falls = |from: usize, to: usize| {
            let (upper, lower) = (replica.values[from], *replica.values.get(to)?);
            (lower < upper).then_some(level - lower > upper - level)
        };
        if replica.values[i] < level {
            let is_here = i > 0 && replica.at_ms[i] - replica.at_ms[i - 1] < gap(pace);
            let is_past = replica.values.get(i + 1).is_some_and(|&next| next >= level);
            let lately = self.live.windows(2).rev().take(3);
            let mut falls_lately = lately.filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[1].0);
            let is_same = |at_ms: i64| {
                i.checked_sub(1).is_some_and(|before| replica.at_ms[before] - (pace as i64) < at_ms)
            };
            return !(is_here && !falls_lately.any(is_same) && falls(i - 1, i) == Some(true)) || is_past;
        }
        if fell_from.is_some_and(|upper| replica.values[i] - level > upper - replica.values[i]) {
            return true;
        }
        falls(i, i + 1).is_some_and(|is_above| fell_from.is_some() || !is_above)
    }

    fn lives(&self, source: usize, at_ms: i64) -> bool {
        let replica = &self.replicas[source];
        let next = replica.at_ms.partition_point(|&time_ms| time_ms <= at_ms).max(self.next[source]);
        next > 0
            && next < replica.at_ms.len()
            && replica.is_live(next - 1)
            && replica.is_live(next)
            && self
                .learned_at(source, next - 1)
                .is_some_and(|pace| replica.at_ms[next] - replica.at_ms[next - 1] < gap(pace.ms))
    }

    /// The shortest interval of those concerned.
    fn learn(&mut self, inside: &[usize]) -> u64 {
        let concerned: Vec<usize> = self.followed.iter().chain(inside).copied().collect();
        for &source in &concerned {
            self.pace[source] = self.learned_at(source, self.next[source]);
        }
        concerned
            .into_iter()
            .filter_map(|source| self.pace[source])
            .map(|pace| pace.ms)
            .min()
            .unwrap_or(15_000)
    }

    fn learned_at(&self, source: usize, index: usize) -> Option<Pace> {
        let all_ms = &self.replicas[source].at_ms;
        let times_ms = &all_ms[index.min(all_ms.len().saturating_sub(STEPS + 1))..];
        match self.pace[source] {
            Some(known) if all_ms.len() - index <= STEPS => Some(known),
            known => settle(known, times_ms).or_else(|| guess(times_ms)),
        }
    }

    fn best(&self, mut candidates: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
        // Whole numbers only, so that their order is the one of their bits where they are equal.
        let rank = |&(source, i): &(usize, usize)| {
            let replica = &self.replicas[source];
            let value = if replica.is_live(i) { replica.values[i] as i64 } else { i64::MIN };
            (replica.at_ms[i], std::cmp::Reverse(value))
        };
        let Some(best) = candidates.iter().map(rank).min() else { return candidates };
        candidates.retain(|candidate| rank(candidate) == best);
        candidates
    }

    fn switch(&mut self, fillers: &[(usize, usize)]) -> bool {
        self.followed = fillers.iter().map(|&(source, _)| source).collect();
        fillers.iter().for_each(|&(source, index)| self.next[source] = index);
        self.take()
    }

    fn take(&mut self) -> bool {
        let source = self.followed[0];
        let index = self.next[source];
        let replica = &self.replicas[source];
        // Some of what it had since may have been dropped.
        let continues = self.gave_last.contains(&source)
            && index.checked_sub(1).map(|before| replica.at_ms[before]) == self.last_ms;
        self.out.push(Pick { source, index, continues });
        self.last_ms = Some(replica.at_ms[index]);
        if replica.is_live(index) {
            self.live.push((replica.at_ms[index], replica.values[index]));
        }
        self.gave_last.clone_from(&self.followed);
        self.followed.clone().into_iter().for_each(|same| self.next[same] += 1);
        true
    }

    fn head(&self, source: usize) -> Option<i64> {
        self.replicas[source].at_ms.get(self.next[source]).copied()
    }
}

fn steps_of(times_ms: &[i64]) -> Vec<u64> {
    let mut steps: Vec<u64> =
        times_ms.windows(2).take(STEPS).map(|pair| (pair[1] - pair[0]) as u64).collect();
    steps.sort_unstable();
    steps
}

fn settle(known: Option<Pace>, times_ms: &[i64]) -> Option<Pace> {
    let steps = steps_of(times_ms);
    let average = (steps.iter().sum::<u64>() + 4) / 8;
    let agree = steps.len() == STEPS && steps.iter().all(|&step| step.abs_diff(average) <= average / 4);
    let agreed = Pace { ms: average, is_guess: false };
    let Some(known) = known else { return agree.then_some(agreed) };
    if agree && (known.is_guess || !is_normal(known.ms, average as i64)) {
        return Some(agreed);
    }
    let is_shorter = steps.len() == STEPS && steps[3] as i64 <= dense(known.ms) && !keep(known.ms, times_ms);
    let is_late = steps.len() == STEPS && known.is_guess && keep(average, times_ms);
    if is_shorter || is_late { guess(times_ms) } else { Some(known) }
}

/// Whether every sample is where it should be, give or take a quarter of the interval.
fn keep(pace: u64, times_ms: &[i64]) -> bool {
    let late = |(n, at_ms): (usize, &i64)| at_ms - n as i64 * pace as i64;
    let late_ms: Vec<i64> = times_ms.iter().take(STEPS + 1).enumerate().map(late).collect();
    2 * (late_ms.iter().max().unwrap() - late_ms.iter().min().unwrap()) <= pace as i64
}

fn guess(times_ms: &[i64]) -> Option<Pace> {
    let steps = steps_of(times_ms);
    let total = steps.iter().sum::<u64>();
    let average = (total + 4) / 8;
    if steps.len() == STEPS && keep(average, times_ms) {
        return Some(Pace { ms: average, is_guess: true });
    }
    let median = *steps.get(steps.len().saturating_sub(1) / 2)?;
    let ticks: u64 = steps.iter().map(|&step| ((step + median / 2) / median).max(1)).sum();
    Some(Pace { ms: (total + ticks / 2) / ticks, is_guess: true })
}
