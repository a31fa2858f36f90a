//! What the gateway reads from when nobody has configured anything: two samplers of its own metrics, half a second
//! apart, that answer remote reads as two replicas would.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use promha_federate::exposition::text::TextParser;
use promha_federate::exposition::{Entry, Limits};
use promha_merge::labels::Labels;
use promha_remote_proto::frame::FrameWriter;
use tokio::time::{Instant, MissedTickBehavior};

use super::labels::Relabel;
use super::metrics::Metrics;
use super::samples::{ChunkCutter, SAMPLES_PER_CHUNK};
use super::series::Chunk;
use super::topology::{Group, Topology};
use super::upstream::{Origin, Upstream, UpstreamError};
use crate::common::remote_read::Query;
use crate::common::selector::CompiledMatchers;

/// The label that tells the two samplers apart.
const REPLICA: &str = "replica";
const INTERVAL: Duration = Duration::from_secs(1);
const RETENTION_MS: i64 = 3_600_000;

/// Samples a text exposition into memory, and answers remote reads from it.
#[derive(Debug)]
pub struct Sampler {
    replica: String,
    series: Mutex<BTreeMap<Labels, Stored>>,
}

#[derive(Debug, Default)]
struct Stored {
    sealed: VecDeque<Chunk>,
    open: Vec<(i64, f64)>,
}

/// A topology of two samplers of `exposition`, which returns Prometheus text, and the work that feeds them.
pub fn replicas(
    metrics: &Metrics,
    instance: &str,
    exposition: Arc<dyn Fn() -> String + Send + Sync>,
) -> (Topology, impl Future<Output = ()> + Send + use<>) {
    let instance = instance.to_owned();
    let samplers = ["a", "b"].map(|replica| Arc::new(Sampler::new(replica)));
    let upstreams = samplers.iter().map(|sampler| {
        Arc::new(Upstream {
            name: format!("sampler-{}", sampler.replica),
            origin: Origin::Embedded(Arc::clone(sampler)),
            timeout: Duration::from_secs(30),
            sort: false,
            max_held_bytes: usize::MAX,
            metrics: metrics.upstream("embedded", &format!("sampler-{}", sampler.replica)),
            last_seen: Mutex::default(),
        })
    });
    let relabel = Relabel::new(vec![REPLICA.to_owned()], []);
    let group = Group { name: "embedded".to_owned(), relabel, upstreams: upstreams.collect() };
    let topology = Topology { partial_response: false, groups: vec![group] };
    let sampling = async move {
        let start = Instant::now();
        let sampling = samplers.into_iter().zip([Duration::ZERO, INTERVAL / 2]).map(|(sampler, offset)| {
            let (exposition, instance) = (exposition.clone(), instance.clone());
            async move {
                let mut ticks = tokio::time::interval_at(start + offset, INTERVAL);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                loop {
                    ticks.tick().await;
                    sampler.sample(&exposition(), &instance, now_ms());
                }
            }
        });
        futures::future::join_all(sampling).await;
    };
    (topology, sampling)
}

impl Sampler {
    /// An empty sampler, whose series carry `replica`.
    pub fn new(replica: &str) -> Self {
        Self { replica: replica.to_owned(), series: Mutex::default() }
    }

    /// Takes one sample of everything that `text` exposes, and forgets what is older than the retention.
    pub fn sample(&self, text: &str, instance: &str, now_ms: i64) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let target = [("instance", instance), ("job", "gateway")];
        let up = std::iter::once(([("__name__", "up"), target[0], target[1]].into_iter().collect(), 1.0));
        for (labels, value) in up.chain(exposed(text, &target)) {
            series.entry(labels).or_default().push(now_ms, value);
        }
        series.retain(|_, stored| {
            while stored.sealed.front().is_some_and(|chunk| chunk.max_ms < now_ms - RETENTION_MS) {
                stored.sealed.pop_front();
            }
            !stored.sealed.is_empty()
                || stored.open.last().is_some_and(|(t_ms, _)| *t_ms >= now_ms - RETENTION_MS)
        });
    }

    /// Answers as a collector does: frames of chunks, sorted without the replica label.
    pub fn read(&self, query: &Query) -> BoxStream<'static, Result<Bytes, UpstreamError>> {
        // The gateway has refused invalid matchers; a sampler that still meets one has nothing that matches.
        let Ok(matchers) = CompiledMatchers::new(&query.matchers) else { return stream::empty().boxed() };
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut frames = Vec::new();
        let mut writer = FrameWriter::default();
        for (labels, stored) in series.iter() {
            let mut pairs: Vec<_> = labels.pairs().chain([(REPLICA, self.replica.as_str())]).collect();
            pairs.sort_unstable();
            if !matchers.matches(&pairs) {
                continue;
            }
            let chunks = stored.between(query.start_ms, query.end_ms);
            if !chunks.is_empty() {
                let mut frame = Vec::new();
                writer.write(0, &pairs, chunks.iter().map(Chunk::view), &mut frame);
                frames.push(Ok(Bytes::from(frame)));
            }
        }
        stream::iter(frames).boxed()
    }
}

impl Stored {
    fn push(&mut self, t_ms: i64, value: f64) {
        if self.open.last().is_some_and(|(last_ms, _)| *last_ms >= t_ms) {
            // The wall clock was set back: as a collector does, keep what is there and wait until it has caught up.
            return;
        }
        self.open.push((t_ms, value));
        if self.open.len() == SAMPLES_PER_CHUNK {
            let mut cutter = ChunkCutter::default();
            for (t_ms, value) in self.open.drain(..) {
                cutter.push_float(t_ms, value, &mut self.sealed);
            }
        }
    }

    fn between(&self, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let (mut cutter, mut open) = (ChunkCutter::default(), Vec::new());
        for &(t_ms, value) in &self.open {
            cutter.push_float(t_ms, value, &mut open);
        }
        cutter.cut(&mut open);
        let chunks = self.sealed.iter().cloned().chain(open);
        chunks.filter(|chunk| chunk.min_ms <= end_ms && start_ms <= chunk.max_ms).collect()
    }
}

/// The samples of a text exposition, with the target's labels added; those before a line that is wrong.
fn exposed(text: &str, target: &[(&str, &str)]) -> Vec<(Labels, f64)> {
    let mut parser = TextParser::new(text.as_bytes(), Limits::default());
    let mut exposed = Vec::new();
    while let Ok(Some(entry)) = parser.next_entry() {
        if let Entry::Series(series) = entry {
            let mut pairs: Vec<_> = series.labels().iter().chain(target).copied().collect();
            pairs.sort_unstable();
            exposed.push((pairs.into_iter().collect(), series.value()));
        }
    }
    exposed
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
