//! Chunks of two replicas become one sequence of chunks: planned, or decoded, merged and encoded again.
//!
//! 2,000 counters, scraped every 15 s for 6 h by each of two replicas, up to 20 ms early or late and a random part of
//! the interval apart: 12 XOR chunks of 120 samples each. What can have happened:
//!
//! - `healthy-replicas`: nothing.
//! - `1%-missing`: of one replica, the one or the other, one scrape in a hundred is missing, here and there.
//! - `1%-missing-of-both`: of each of them, so that 70 chunks in a hundred lack a sample.
//! - `outage`: one replica was down for an hour.
//!
//! `promha` is told which chunks hold no stale marker, as whoever stores chunks can know; `promha-unmarked` is not, and
//! looks at those that would come out to see.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use promha_merge::{Chunk, Floats, Hints, PlanStep, Planner, Stitch, is_stale, resolve};
use promha_remote_proto::xor;

use super::input::Random;

const SERIES: usize = 2_000;
const SCRAPES: usize = 1_440;
const CHUNK_SAMPLES: usize = 120;
const INTERVAL_MS: i64 = 15_000;
const START_MS: i64 = 1_700_000_000_000;
const HINTS: Hints = Hints { interval_ms: Some(INTERVAL_MS), counter: true };

pub(crate) fn chunks(c: &mut Criterion) {
    bench(c, "healthy-replicas", Fault::None);
    bench(c, "1%-missing", Fault::Missing);
    bench(c, "1%-missing-of-both", Fault::MissingOfBoth);
    bench(c, "outage", Fault::Outage);
}

fn bench(c: &mut Criterion, name: &str, fault: Fault) {
    let series: Vec<Vec<Vec<Stored>>> = (0..SERIES as u64).map(|series| replicas(fault, series)).collect();
    let samples: usize = series.iter().flatten().flatten().map(|chunk| chunk.samples).sum();
    let (mut work, mut planned, mut decoded) = (Work::default(), Vec::new(), Vec::new());
    for unmarked in [false, true] {
        let mut planner = Planner::new(0, HINTS);
        for replicas in &series {
            planned.clear();
            plan(&mut planner, replicas, unmarked, &mut work, &mut planned);
            decoded.clear();
            decode_all(replicas, &mut work, &mut decoded);
            assert_eq!(contents(&planned), contents(&decoded));
        }
        println!(
            "merge/chunks/{name}: unmarked: {unmarked}, {:?} of {}",
            planner.counts(),
            samples / CHUNK_SAMPLES
        );
    }

    let mut group = super::group(c, "chunks", name);
    group.throughput(Throughput::Elements(samples as u64));
    for (implementation, unmarked) in [("promha", false), ("promha-unmarked", true)] {
        let mut planner = Planner::new(0, HINTS);
        group.bench_function(implementation, |b| {
            b.iter(|| {
                for replicas in black_box(&series) {
                    planned.clear();
                    plan(&mut planner, replicas, unmarked, &mut work, &mut planned);
                    black_box(&planned);
                }
            });
        });
    }
    group.bench_function("decode-all", |b| {
        b.iter(|| {
            for replicas in black_box(&series) {
                decoded.clear();
                decode_all(replicas, &mut work, &mut decoded);
                black_box(&decoded);
            }
        });
    });
    group.finish();
}

/// A chunk as it is stored or sent.
#[derive(Debug, Clone)]
struct Stored {
    min_ms: i64,
    max_ms: i64,
    samples: usize,
    data: Vec<u8>,
}

/// A chunk that comes out: the bytes as they came, or new ones.
enum Out<'a> {
    Passed(&'a [u8]),
    Encoded(Box<[u8]>),
}

/// Memory that is used again and again.
#[derive(Default)]
struct Work {
    columns: Vec<(Vec<i64>, Vec<f64>)>,
    looked: (Vec<i64>, Vec<f64>),
    merged: (Vec<i64>, Vec<f64>),
    policy: Stitch,
    cutter: Cutter,
}

/// Cuts samples into chunks and encodes them.
#[derive(Default)]
struct Cutter {
    /// The chunk under way.
    at_ms: Vec<i64>,
    values: Vec<f64>,
    /// Where a chunk is encoded, as its length is not known before.
    bytes: Vec<u8>,
}

fn plan<'a>(
    planner: &mut Planner<&'a [u8]>,
    replicas: &'a [Vec<Stored>],
    unmarked: bool,
    work: &mut Work,
    out: &mut Vec<Out<'a>>,
) {
    planner.reset(replicas.len(), HINTS);
    work.columns.resize_with(replicas.len(), Default::default);
    for (at_ms, values) in &mut work.columns {
        at_ms.clear();
        values.clear();
    }
    for (source, chunks) in replicas.iter().enumerate() {
        for Stored { min_ms, max_ms, samples, data } in chunks {
            let (min_ms, max_ms, samples) = (*min_ms, *max_ms, *samples);
            planner
                .supply(
                    source,
                    Chunk { min_ms, max_ms, samples, all_live: (!unmarked).then_some(true), bytes: data },
                )
                .unwrap();
        }
        planner.exhaust(source);
    }
    let Work { columns, looked, cutter, .. } = work;
    loop {
        match planner.poll(|source| Floats::new(&columns[source].0, &columns[source].1)).unwrap() {
            PlanStep::Pass { chunk, .. } => {
                cutter.cut(out);
                out.push(Out::Passed(chunk.bytes));
            }
            PlanStep::Decode { source, keep_from, chunk } => {
                let (at_ms, values) = &mut columns[source];
                at_ms.drain(..keep_from);
                values.drain(..keep_from);
                xor::decode(chunk.bytes, at_ms, values).unwrap();
                planner.decoded(source);
            }
            PlanStep::Look { source, chunk } => {
                let (at_ms, values) = looked;
                at_ms.clear();
                values.clear();
                xor::decode(chunk.bytes, at_ms, values).unwrap();
                planner.looked(source, !values.iter().any(|&value| is_stale(value)));
            }
            PlanStep::Run(run) => {
                let (at_ms, values) = &columns[run.source];
                cutter.push(&at_ms[run.range.clone()], &values[run.range], out);
            }
            PlanStep::Need(source) => planner.exhaust(source),
            PlanStep::Done => break,
        }
    }
    cutter.cut(out);
}

fn decode_all(replicas: &[Vec<Stored>], work: &mut Work, out: &mut Vec<Out<'_>>) {
    let Work { columns, merged: (at_ms, values), policy, cutter, .. } = work;
    columns.resize_with(replicas.len(), Default::default);
    for ((at_ms, values), chunks) in columns.iter_mut().zip(replicas) {
        at_ms.clear();
        values.clear();
        chunks.iter().for_each(|chunk| xor::decode(&chunk.data, at_ms, values).unwrap());
    }
    let sources: Vec<Floats<'_>> = columns.iter().map(|(at_ms, values)| Floats::new(at_ms, values)).collect();
    policy.reset_with(replicas.len(), HINTS);
    at_ms.clear();
    values.clear();
    resolve(policy, &sources, at_ms, values).unwrap();
    cutter.push(at_ms, values, out);
    cutter.cut(out);
}

impl Cutter {
    fn push(&mut self, mut at_ms: &[i64], mut values: &[f64], out: &mut Vec<Out<'_>>) {
        // Whole chunks are encoded where they stand.
        while self.at_ms.is_empty() && at_ms.len() >= CHUNK_SAMPLES {
            out.push(encode(&at_ms[..CHUNK_SAMPLES], &values[..CHUNK_SAMPLES], &mut self.bytes));
            (at_ms, values) = (&at_ms[CHUNK_SAMPLES..], &values[CHUNK_SAMPLES..]);
        }
        while !at_ms.is_empty() {
            let taken = at_ms.len().min(CHUNK_SAMPLES - self.at_ms.len());
            self.at_ms.extend_from_slice(&at_ms[..taken]);
            self.values.extend_from_slice(&values[..taken]);
            (at_ms, values) = (&at_ms[taken..], &values[taken..]);
            if self.at_ms.len() == CHUNK_SAMPLES {
                self.cut(out);
            }
        }
    }

    fn cut(&mut self, out: &mut Vec<Out<'_>>) {
        if !self.at_ms.is_empty() {
            out.push(encode(&self.at_ms, &self.values, &mut self.bytes));
            self.at_ms.clear();
            self.values.clear();
        }
    }
}

fn encode<'a>(at_ms: &[i64], values: &[f64], bytes: &mut Vec<u8>) -> Out<'a> {
    bytes.clear();
    xor::encode(at_ms, values, bytes).unwrap();
    Out::Encoded(bytes.as_slice().into())
}

fn contents(chunks: &[Out<'_>]) -> Vec<(i64, u64)> {
    let (mut at_ms, mut values) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let data = match chunk {
            Out::Passed(data) => data,
            Out::Encoded(data) => &data[..],
        };
        xor::decode(data, &mut at_ms, &mut values).unwrap();
    }
    at_ms.into_iter().zip(values.into_iter().map(f64::to_bits)).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Missing,
    MissingOfBoth,
    Outage,
}

/// The chunks of both replicas of a series.
fn replicas(fault: Fault, series: u64) -> Vec<Vec<Stored>> {
    let mut random = Random(series);
    let faulty = random.below(2);
    (0..2).map(|replica| store(scrape(fault, replica == faulty, &mut random))).collect()
}

fn scrape(fault: Fault, is_faulty: bool, random: &mut Random) -> Vec<(i64, f64)> {
    let phase_ms = random.below(INTERVAL_MS as u64) as i64;
    let down = 600..600 + 240;
    let mut scrapes = Vec::new();
    for scrape in 0..SCRAPES {
        let at_ms = START_MS + scrape as i64 * INTERVAL_MS + phase_ms + random.below(40) as i64 - 20;
        let is_missing = match fault {
            Fault::None => false,
            Fault::Missing => is_faulty && random.below(100) == 0,
            Fault::MissingOfBoth => random.below(100) == 0,
            Fault::Outage => is_faulty && down.contains(&scrape),
        };
        if !is_missing {
            scrapes.push((at_ms, ((at_ms - START_MS) / 7) as f64));
        }
    }
    scrapes
}

fn store(samples: Vec<(i64, f64)>) -> Vec<Stored> {
    let chunks = samples.chunks(CHUNK_SAMPLES).map(|samples| {
        let (at_ms, values): (Vec<_>, Vec<_>) = samples.iter().copied().unzip();
        let mut data = Vec::new();
        xor::encode(&at_ms, &values, &mut data).unwrap();
        Stored { min_ms: at_ms[0], max_ms: at_ms[at_ms.len() - 1], samples: at_ms.len(), data }
    });
    chunks.collect()
}
