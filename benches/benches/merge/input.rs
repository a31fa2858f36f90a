//! The inputs, and the forms in which the sides take them.

use promha_merge::Arena;

/// Over all sources.
pub(crate) const SERIES: usize = 160_000;
pub(crate) const SAMPLES_PER_SERIES: usize = 120;
pub(crate) const SAMPLES: usize = SERIES * SAMPLES_PER_SERIES;
pub(crate) const INPUTS: [(&str, Kind); 4] =
    [("A", Kind::Equal), ("B", Kind::Jittered), ("C", Kind::Shards), ("D", Kind::InTurn)];

const INTERVAL_MS: i64 = 15_000;
const START_MS: i64 = 1_700_000_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Two replicas with the same timestamps.
    Equal,
    /// Two replicas that were scraped apart.
    Jittered,
    /// Every series in one source only.
    Shards,
    /// Two sources, one after the other.
    InTurn,
}

/// What the sources have, each in memory of its own. Labels and samples of a series stand under its index.
pub(crate) struct Input {
    sources: Vec<Source>,
}

#[derive(Default)]
struct Source {
    text: String,
    /// Where each name and each value ends in `text`, for 12 labels a series.
    ends: Vec<usize>,
    at_ms: Vec<i64>,
    values: Vec<f64>,
    samples: Vec<(i64, f64)>,
}

/// A source as the rivals take it: labels as they are compared, samples as they are moved.
pub(crate) type Plain<'a> = Vec<(&'a [(&'a str, &'a str)], &'a [(i64, f64)])>;

const LABELS: usize = 12;

impl Input {
    pub(crate) fn new(kind: Kind) -> Self {
        let (sources, held_by) = match kind {
            Kind::Equal | Kind::Jittered => (8, 2),
            Kind::Shards => (64, 1),
            Kind::InTurn => (2, 2),
        };
        let mut made = Self { sources: (0..sources).map(|_| Source::default()).collect() };
        let mut all: Vec<[(&str, String); LABELS]> = (0..SERIES / held_by).map(label_set).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        let places = Shuffled::new(all.len(), sources / held_by);
        for (series, labels) in all.iter().enumerate() {
            for replica in 0..held_by {
                // Replicas stand apart, as the upstreams of several groups do in a configuration.
                let source = places.of(series) + replica * (sources / held_by);
                made.sources[source].push(labels, scrapes(kind, series, replica));
            }
        }
        made
    }

    pub(crate) fn column(&self, source: usize, index: usize) -> (&[i64], &[f64]) {
        let source = &self.sources[source];
        let range = index * SAMPLES_PER_SERIES..(index + 1) * SAMPLES_PER_SERIES;
        (&source.at_ms[range.clone()], &source.values[range])
    }

    /// The labels of a series in one piece.
    pub(crate) fn text(&self, source: usize, index: usize) -> &str {
        let Source { text, ends, .. } = &self.sources[source];
        let end_of = |series: usize| ends[2 * LABELS * series - 1];
        &text[if index == 0 { 0 } else { end_of(index) }..end_of(index + 1)]
    }

    pub(crate) fn labels(&self) -> Vec<Vec<Vec<(&str, &str)>>> {
        self.sources.iter().map(Source::labels).collect()
    }

    pub(crate) fn arenas(&self) -> Vec<Arena> {
        let filled = self.sources.iter().enumerate().map(|(number, source)| {
            let mut arena = Arena::default();
            for (index, labels) in source.labels().iter().enumerate() {
                let (at_ms, values) = self.column(number, index);
                arena.push(labels, at_ms, values);
            }
            arena
        });
        filled.collect()
    }

    /// Pairs of labels in one piece, and pairs of samples likewise.
    pub(crate) fn plain(&self) -> Vec<Plain<'_>> {
        self.sources.iter().map(Source::plain).collect()
    }
}

impl Source {
    fn push(&mut self, labels: &[(&str, String)], samples: impl Iterator<Item = (i64, f64)>) {
        for (name, value) in labels {
            for text in [*name, value] {
                self.text.push_str(text);
                self.ends.push(self.text.len());
            }
        }
        for (at_ms, value) in samples {
            self.at_ms.push(at_ms);
            self.values.push(value);
            self.samples.push((at_ms, value));
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.chunks_exact(2).map(move |ends| {
            let pair = (&self.text[start..ends[0]], &self.text[ends[0]..ends[1]]);
            start = ends[1];
            pair
        })
    }

    fn labels(&self) -> Vec<Vec<(&str, &str)>> {
        self.pairs().collect::<Vec<_>>().chunks_exact(LABELS).map(<[_]>::to_vec).collect()
    }

    fn plain(&self) -> Plain<'_> {
        // Lent to the end of the process: one piece of memory, and no reference into a neighbour.
        let pairs: &[(&str, &str)] = self.pairs().collect::<Vec<_>>().leak();
        pairs.chunks_exact(LABELS).zip(self.samples.chunks_exact(SAMPLES_PER_SERIES)).collect()
    }
}

/// As kube-prometheus has them: a few metrics of many pods.
fn label_set(series: usize) -> [(&'static str, String); LABELS] {
    const METRICS: usize = 40;
    let (metric, pod) = (series % METRICS, series / METRICS);
    let (service, node) = (pod % 50, pod % 97);
    [
        (
            "__name__",
            format!("container_network_{}_{metric:02}_bytes_total", ["receive", "transmit"][metric % 2]),
        ),
        ("cluster", "production-eu-central-1".into()),
        ("container", format!("service-{service:02}")),
        ("endpoint", "https-metrics".into()),
        ("instance", format!("10.{}.{}.{}:10250", node / 16, node % 16, pod % 251)),
        ("job", "kubelet".into()),
        ("namespace", format!("team-{:02}", service / 4)),
        ("node", format!("ip-10-0-{node}-17.eu-central-1.compute.internal")),
        ("pod", format!("service-{service:02}-{:010x}", pod as u64 * 0x9e_3779_b97f % (1 << 40))),
        ("region", "eu-central-1".into()),
        ("service", "prometheus-kubelet".into()),
        ("zone", format!("eu-central-1{}", ["a", "b", "c"][node % 3])),
    ]
}

/// The samples of a replica of a series: every 15 s, some milliseconds early or late, a counter.
fn scrapes(kind: Kind, series: usize, replica: usize) -> impl Iterator<Item = (i64, f64)> {
    let mut random = Random(series as u64);
    let phase_ms = random.below(INTERVAL_MS as u64) as i64;
    // What a replica adds of its own.
    let (mut own, shift_ms) = match kind {
        Kind::Equal | Kind::Shards => (random.clone(), 0),
        Kind::Jittered => {
            let mut own = Random((series as u64) << 1 | replica as u64 | 1 << 40);
            let shift_ms = own.below(INTERVAL_MS as u64) as i64;
            (own, shift_ms)
        }
        Kind::InTurn => (random.clone(), replica as i64 * SAMPLES_PER_SERIES as i64 * INTERVAL_MS),
    };
    let mut last_ms = i64::MIN;
    (0..SAMPLES_PER_SERIES as i64).map(move |scrape| {
        let jitter_ms = own.below(200) as i64;
        let at_ms = START_MS + phase_ms + shift_ms + scrape * INTERVAL_MS + jitter_ms;
        // No two replicas of a jittered series share a millisecond.
        let at_ms = if kind == Kind::Jittered { (at_ms & !1) | replica as i64 } else { at_ms };
        assert!(last_ms < at_ms);
        last_ms = at_ms;
        (at_ms, ((at_ms - START_MS) / 7) as f64)
    })
}

/// Which source has a series: any, but all of them equally many.
struct Shuffled(Vec<u32>);

impl Shuffled {
    fn new(series: usize, places: usize) -> Self {
        let mut of: Vec<u32> = (0..series).map(|series| (series % places) as u32).collect();
        let mut random = Random(7);
        for last in (1..series).rev() {
            of.swap(last, random.below(last as u64 + 1) as usize);
        }
        Self(of)
    }

    fn of(&self, series: usize) -> usize {
        self.0[series] as usize
    }
}

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }
}
