//! Made-up data that is there at once: blocks written by promtool instead of scrapes that a test would wait for.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::process::run;

/// The time between two samples of a series.
pub const STEP_MS: i64 = 15_000;

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name and value, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Time in milliseconds and value, in order of time.
    pub samples: Vec<(i64, f64)>,
}

impl Series {
    /// Whether labels, times and values are the same. Any NaN is like any other, and zero has no sign: as samples,
    /// a protobuf encoder may leave either zero out.
    pub fn same(&self, other: &Self) -> bool {
        let same =
            |a: &(i64, f64), b: &(i64, f64)| a.0 == b.0 && (a.1 == b.1 || (a.1.is_nan() && b.1.is_nan()));
        self.labels == other.labels
            && self.samples.len() == other.samples.len()
            && self.samples.iter().zip(&other.samples).all(|(a, b)| same(a, b))
    }
}

/// Some series over two hours.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The series, in no particular order.
    pub series: Vec<Series>,
    /// The time of the first sample.
    pub start_ms: i64,
    /// The time of the last sample.
    pub end_ms: i64,
}

impl Dataset {
    /// A small shop on three machines: counters (one is reset), gauges, a histogram, series that come and go, labels
    /// that sort before and after `replica`, label sets that are a prefix of others, values at the edge.
    pub fn shop(end_ms: i64) -> Self {
        let end_ms = end_ms - end_ms % 60_000;
        let mut data = Self { series: Vec::new(), start_ms: end_ms - 2 * 3_600_000, end_ms };
        for instance in ["shop-1:80", "shop-2:80", "shop-3:80"] {
            let seed = u64::from(instance.as_bytes()[5]);
            data.machine(&[("instance", instance), ("job", "shop")], seed);
        }
        data.edges();
        data
    }

    /// The same without the samples from `from_ms` (included) to `to_ms` (not included).
    pub fn without(&self, from_ms: i64, to_ms: i64) -> Self {
        let mut holed = self.clone();
        for series in &mut holed.series {
            series.samples.retain(|sample| !(from_ms..to_ms).contains(&sample.0));
        }
        holed.series.retain(|series| !series.samples.is_empty());
        holed
    }

    /// The same with every time moved by up to `jitter_ms` to either side, as a second scraper would have it.
    pub fn jittered(&self, jitter_ms: i64, seed: u64) -> Self {
        let mut moved = self.clone();
        for (index, series) in moved.series.iter_mut().enumerate() {
            for sample in &mut series.samples {
                let dice = mix(seed ^ mix(index as u64) ^ sample.0 as u64);
                sample.0 += (dice % (2 * jitter_ms as u64 + 1)) as i64 - jitter_ms;
            }
        }
        moved
    }

    /// What a read answers: the series whose whole name matches `regex`, with the samples between two times (both
    /// included), in the order of their labels.
    pub fn select(&self, regex: &str, from_ms: i64, to_ms: i64) -> Vec<Series> {
        let name = regex::Regex::new(&format!("^(?:{regex})$")).expect("a regex");
        let cut = |series: &Series| Series {
            labels: series.labels.clone(),
            samples: series.samples.iter().copied().filter(|s| (from_ms..=to_ms).contains(&s.0)).collect(),
        };
        let mut selected: Vec<Series> =
            self.series.iter().filter(|series| name.is_match(&series.labels[0].1)).map(cut).collect();
        selected.retain(|series| !series.samples.is_empty());
        selected.sort_by(|a, b| a.labels.cmp(&b.labels));
        selected
    }

    /// The same without the series that a storage of decimal numbers cannot keep as they are.
    pub fn ordinary(&self) -> Self {
        let ordinary = |value: f64| (value * 1024.0).fract() == 0.0 && value.abs() < 1e12;
        let mut rest = self.clone();
        rest.series.retain(|series| series.samples.iter().all(|sample| ordinary(sample.1)));
        rest
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.series.iter().map(|series| series.samples.len()).sum()
    }

    /// Writes blocks into `folder`, the storage of a Prometheus that is not running.
    pub fn write_blocks(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a data folder");
        let text = folder.join("import.om");
        std::fs::write(&text, self.openmetrics()).expect("a text file");
        run(Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .arg(&text)
            .arg(folder)
            // Blocks are merged in a folder of their own below the working directory.
            .current_dir(folder));
        std::fs::remove_file(&text).expect("the text file");
    }

    fn openmetrics(&self) -> String {
        let mut text = String::new();
        for series in &self.series {
            let name = &series.labels[0].1;
            let labels: Vec<String> = series.labels[1..]
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
                .collect();
            let labels = labels.join(",");
            for (time_ms, value) in &series.samples {
                let value = if value.is_infinite() { format!("{value:+}") } else { value.to_string() };
                let (seconds, millis) = (time_ms / 1000, time_ms % 1000);
                writeln!(text, "{name}{{{labels}}} {value} {seconds}.{millis:03}").expect("a string");
            }
        }
        text.push_str("# EOF\n");
        text
    }

    fn machine(&mut self, at: &[(&str, &str)], seed: u64) {
        self.add("up", at, &[], |_| Some(1.0));
        for (method, code) in
            [("get", "200"), ("get", "404"), ("get", "500"), ("post", "200"), ("post", "500")]
        {
            let rate = 1 + mix(seed ^ u64::from(code.as_bytes()[0]) ^ method.len() as u64) % 7;
            // The second machine restarts after 40 minutes.
            let restart = if seed == u64::from(b'2') { 160 } else { u64::MAX };
            let count = |n: u64| (rate * if n < restart { n } else { n - restart }) as f64;
            self.add("shop_requests_total", at, &[("code", code), ("method", method)], |n| Some(count(n)));
        }
        let queues = [("mail", ""), ("orders", ""), ("orders", "north"), ("orders", "south")];
        for (index, (queue, zone)) in queues.into_iter().enumerate() {
            let labels: &[_] = &[("queue", queue), ("zone", zone)];
            let labels = if zone.is_empty() { &labels[..1] } else { labels };
            // No two are ever of the same length: a tie would leave `topk` a choice.
            let own = 4 * (seed % 4) + index as u64;
            self.add("shop_queue_length", at, labels, |n| {
                Some((mix(own ^ n << 8) % 50) as f64 + own as f64 / 16.0)
            });
        }
        let bounds = ["0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
        for (index, bound) in bounds.iter().enumerate() {
            let share = (index as u64 + 1) * (seed % 5 + 1);
            self.add("shop_latency_seconds_bucket", at, &[("le", bound)], |n| Some((n * share) as f64));
        }
        let total = bounds.len() as u64 * (seed % 5 + 1);
        self.add("shop_latency_seconds_count", at, &[], |n| Some((n * total) as f64));
        self.add("shop_latency_seconds_sum", at, &[], |n| Some((n * total) as f64 * 0.375));
        // A new version after an hour: one series ends, another begins.
        self.add("shop_build_info", at, &[("version", "1.0")], |n| (n < 240).then_some(1.0));
        self.add("shop_build_info", at, &[("version", "1.1")], |n| (n >= 240).then_some(1.0));
    }

    fn edges(&mut self) {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MAX, -0.0, 0.1 + 0.2];
        for (index, value) in odd.into_iter().enumerate() {
            let kind = index.to_string();
            self.add("shop_odd_value", &[], &[("kind", &kind)], |n| {
                Some(if n % 3 == 0 { 1.0 } else { value })
            });
        }
        for text in ["", "ä ö ü", "日本語", "a \"quoted\" word", "back\\slash", "two\nlines", "replica", "~"]
        {
            let labels: &[_] = &[("text", text)];
            let labels = if text.is_empty() { &[] } else { labels };
            self.add("shop_word", &[], labels, |n| Some(n as f64));
        }
        // Around `replica`: before it, after it, both, and neither (above).
        self.add("shop_word", &[], &[("a", "1")], |n| Some(n as f64));
        self.add("shop_word", &[], &[("zone", "1")], |n| Some(n as f64));
        self.add("shop_word", &[], &[("a", "1"), ("zone", "1")], |n| Some(n as f64));
        self.add("shop_sparse", &[], &[], |n| (n % 40 == 7).then_some(n as f64));
        self.add("shop_once", &[], &[], |n| (n == 300).then_some(42.0));
    }

    fn add(
        &mut self,
        name: &str,
        at: &[(&str, &str)],
        more: &[(&str, &str)],
        value: impl Fn(u64) -> Option<f64>,
    ) {
        let mut labels: Vec<(String, String)> =
            at.iter().chain(more).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        labels.sort_unstable();
        labels.insert(0, ("__name__".to_owned(), name.to_owned()));
        let count = ((self.end_ms - self.start_ms) / STEP_MS) as u64;
        let samples =
            (0..=count).filter_map(|n| Some((self.start_ms + n as i64 * STEP_MS, value(n)?))).collect();
        self.series.push(Series { labels, samples });
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// One step of splitmix64: the same dice in every run.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
