//! Merging: series of many sources into one, without duplicates, beside `kmerge` and a binary heap; and chunks, most
//! of them undecoded, beside decoding them all.
//!
//! Every input but those of the chunks holds 160,000 series of 120 samples and 12 labels, as its sources give them:
//!
//! - `A`: 8 sources with 20,000 each; every series is in two of them, with the same samples.
//! - `B`: the same, but the two were scraped apart: no timestamp is the same.
//! - `C`: 64 sources with 2,500 each, and no series is in two of them.
//! - `D`: 2 sources with 80,000 each, all of them in both, the one ending before the other begins.
//!
//! What the sides make of an input is compared before anything is timed.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to stop")]

#[path = "merge/chunks.rs"]
mod chunks;
#[path = "merge/input.rs"]
mod input;
#[path = "merge/rivals.rs"]
mod rivals;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use promha_benches as _;
use promha_merge::{Arena, Chain, Hints, LabelSet, Stitch, merge_arenas, resolve};

use input::{INPUTS, Input, Kind, Plain};
use rivals::Output;

/// So many samples are handed on at a time: 64 KiB.
const PIECE: usize = 4_096;
/// None is.
const KEEP: usize = usize::MAX;

criterion_group!(benches, series, chunks::chunks);
criterion_main!(benches);

fn group<'c>(c: &'c mut Criterion, operation: &str, input: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(format!("merge/{operation}/{input}"));
    group.sampling_mode(SamplingMode::Flat);
    group
}

fn series(c: &mut Criterion) {
    for (name, kind) in INPUTS {
        let input = Input::new(kind);
        let plain = input.plain();
        let arenas = input.arenas();
        samples(c, name, &arenas, &plain);
        if kind != Kind::Jittered {
            samples_borrowed(c, name, &input, &arenas, &plain);
        }
        if let Kind::Equal | Kind::Jittered = kind {
            stitch(c, name, &arenas);
        }
        if kind == Kind::Equal {
            fill(c, name, &input);
        }
    }
}

/// Series by their labels, samples by their time, all of them copied: in `samples` to where they can be sent from, as a
/// program does that answers a query, in `samples-kept` to where all of them stay.
fn samples(c: &mut Criterion, name: &str, arenas: &[Arena], plain: &[Plain<'_>]) {
    let (mut columns, mut output) = (Columns::default(), Output::default());
    columns.chain(arenas, KEEP);
    rivals::kmerge(plain, &mut output, KEEP);
    columns.assert_equals(&output);
    rivals::binary_heap(plain, &mut output, KEEP);
    columns.assert_equals(&output);
    for (operation, piece) in [("samples-kept", KEEP), ("samples", PIECE)] {
        let mut group = group(c, operation, name);
        group.throughput(Throughput::Elements(input::SAMPLES as u64));
        group.bench_function("promha", |b| b.iter(|| columns.chain(black_box(arenas), piece)));
        group.bench_function("kmerge", |b| b.iter(|| rivals::kmerge(black_box(plain), &mut output, piece)));
        group.bench_function("binary-heap", |b| {
            b.iter(|| rivals::binary_heap(black_box(plain), &mut output, piece));
        });
        group.finish();
    }
}

/// The same, but what comes out is lent and not copied: as slices on our side, one by one on the others'.
fn samples_borrowed(c: &mut Criterion, name: &str, input: &Input, arenas: &[Arena], plain: &[Plain<'_>]) {
    let expected = borrowed(arenas);
    assert_eq!(rivals::kmerge_borrowed(plain), expected);
    assert_eq!(rivals::binary_heap_borrowed(plain), expected);
    let mut group = group(c, "samples-borrowed", name);
    group.throughput(Throughput::Elements(input::SAMPLES as u64));
    group.bench_function("promha", |b| b.iter(|| borrowed(black_box(arenas))));
    group.bench_function("kmerge", |b| b.iter(|| rivals::kmerge_borrowed(black_box(plain))));
    group.bench_function("binary-heap", |b| b.iter(|| rivals::binary_heap_borrowed(black_box(plain))));
    let places = places(arenas);
    assert_eq!(handed_out(arenas, input, &places), expected.0);
    group.bench_function("memory", |b| b.iter(|| handed_out(arenas, input, black_box(&places))));
    group.finish();
}

/// Where each label set stands, in the order of the output: the source and the index.
fn places(arenas: &[Arena]) -> Vec<Vec<(usize, usize)>> {
    let (mut merge, mut next, mut places) = (merge_arenas(arenas), vec![0; arenas.len()], Vec::new());
    while let Some(found) = merge.next_series().unwrap() {
        places.push(found.sources.iter().map(|&source| (source, next[source])).collect());
        found.sources.iter().for_each(|&source| next[source] += 1);
    }
    places
}

/// No merge, but what of its cost is memory: who has what is known before, and only what has to be looked at is. That is
/// where samples stand, and of label sets that are equal every byte.
fn handed_out(arenas: &[Arena], input: &Input, places: &[Vec<(usize, usize)>]) -> usize {
    let mut series = 0;
    for holders in places {
        for &(source, index) in holders {
            black_box(arenas[source].column(index));
        }
        let text = |&(source, index): &(usize, usize)| input.text(source, index);
        series += usize::from(holders.windows(2).all(|pair| text(&pair[0]) == text(&pair[1])));
    }
    series
}

/// How many series and samples come out. Every slice is handed out, and nobody reads it.
fn borrowed(arenas: &[Arena]) -> (usize, usize) {
    let (mut merge, mut chain, mut runs) = (merge_arenas(arenas), Chain::default(), Vec::new());
    let (mut series, mut samples) = (0, 0);
    while let Some(found) = merge.next_series().unwrap() {
        series += 1;
        black_box(found.labels);
        runs.clear();
        chain.runs(found.columns, &mut runs).unwrap();
        for run in &runs {
            samples += black_box(run).at_ms().len();
        }
    }
    (series, samples)
}

/// The policies against each other, samples copied.
fn stitch(c: &mut Criterion, name: &str, arenas: &[Arena]) {
    let mut columns = Columns::default();
    columns.stitch(arenas, KEEP);
    // One replica is followed, the other one has nothing to add but a last sample, where it ends much later.
    let (series, samples) = (columns.series.len(), columns.at_ms.len());
    assert!((samples - input::SAMPLES / 2) * 5 < series, "{samples} samples of {series} series");
    let mut group = group(c, "stitch", name);
    group.throughput(Throughput::Elements(input::SAMPLES as u64));
    group.bench_function("promha", |b| b.iter(|| columns.stitch(black_box(arenas), PIECE)));
    group.bench_function("chain", |b| b.iter(|| columns.chain(black_box(arenas), PIECE)));
    group.finish();
}

/// What it costs to get series into arenas: what the merge need not find out any more is found out here.
fn fill(c: &mut Criterion, name: &str, input: &Input) {
    let labels = input.labels();
    let mut arenas = input.arenas();
    let mut copies: Vec<(Vec<i64>, Vec<f64>, String)> = vec![Default::default(); arenas.len()];
    let mut group = group(c, "fill", name);
    group.throughput(Throughput::Elements(input::SAMPLES as u64));
    group.bench_function("promha", |b| {
        b.iter(|| {
            for (source, arena) in arenas.iter_mut().enumerate() {
                arena.clear();
                for (index, labels) in labels[source].iter().enumerate() {
                    let (at_ms, values) = input.column(source, index);
                    arena.push(labels, at_ms, values);
                }
            }
            black_box(&arenas).len()
        });
    });
    group.bench_function("memcpy", |b| {
        b.iter(|| {
            for (source, (all_ms, all_values, text)) in copies.iter_mut().enumerate() {
                all_ms.clear();
                all_values.clear();
                text.clear();
                for (index, labels) in labels[source].iter().enumerate() {
                    let (at_ms, values) = input.column(source, index);
                    all_ms.extend_from_slice(at_ms);
                    all_values.extend_from_slice(values);
                    for (name, value) in labels {
                        text.push_str(name);
                        text.push_str(value);
                    }
                }
            }
            black_box(&copies).len()
        });
    });
    group.finish();
}

/// Our output: of each series its source and index, and where its samples end.
#[derive(Default)]
struct Columns<'a> {
    series: Vec<(LabelSet<'a>, usize)>,
    at_ms: Vec<i64>,
    values: Vec<f64>,
}

impl<'a> Columns<'a> {
    fn clear(&mut self) {
        self.series.clear();
        self.at_ms.clear();
        self.values.clear();
    }

    fn chain(&mut self, arenas: &'a [Arena], piece: usize) {
        self.clear();
        let (mut merge, mut chain) = (merge_arenas(arenas), Chain::default());
        while let Some(series) = merge.next_series().unwrap() {
            chain.append(series.columns, &mut self.at_ms, &mut self.values).unwrap();
            self.push(series.labels, piece);
        }
    }

    fn stitch(&mut self, arenas: &'a [Arena], piece: usize) {
        self.clear();
        let (mut merge, mut policy) = (merge_arenas(arenas), Stitch::new(Hints::default()));
        while let Some(series) = merge.next_series().unwrap() {
            resolve(&mut policy, series.columns, &mut self.at_ms, &mut self.values).unwrap();
            self.push(series.labels, piece);
        }
    }

    fn push(&mut self, labels: LabelSet<'a>, piece: usize) {
        self.series.push((labels, self.at_ms.len()));
        if self.at_ms.len() >= piece {
            black_box(&mut *self).clear();
        }
    }

    fn assert_equals(&self, output: &Output<'_>) {
        assert_eq!((self.at_ms.len(), self.values.len()), (output.samples.len(), output.samples.len()));
        let samples = self.at_ms.iter().zip(&self.values).zip(&output.samples);
        assert!(samples.into_iter().all(|((at_ms, value), other)| (*at_ms, *value) == *other));
        assert_eq!(self.series.len(), output.series.len());
        for ((set, end), (labels, other_end)) in self.series.iter().zip(&output.series) {
            assert!(end == other_end && set.pairs().eq(labels.iter().copied()));
        }
    }
}
