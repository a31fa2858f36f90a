//! The usual ways: series by a k-way merge, then the samples of each by another one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use itertools::Itertools;

use super::input::Plain;

type Labels<'a> = &'a [(&'a str, &'a str)];
type Samples<'a> = &'a [(i64, f64)];

/// Of each series its labels and where its samples end; and all samples.
#[derive(Default)]
pub(crate) struct Output<'a> {
    pub(crate) series: Vec<(Labels<'a>, usize)>,
    pub(crate) samples: Vec<(i64, f64)>,
}

impl<'a> Output<'a> {
    fn clear(&mut self) {
        self.series.clear();
        self.samples.clear();
    }

    fn push(&mut self, labels: Labels<'a>, piece: usize) {
        self.series.push((labels, self.samples.len()));
        if self.samples.len() >= piece {
            black_box(&mut *self).clear();
        }
    }
}

pub(crate) fn kmerge<'a>(sources: &[Plain<'a>], output: &mut Output<'a>, piece: usize) {
    output.clear();
    kmerge_series(sources, |labels, holders| {
        output.samples.extend(kmerge_samples(holders));
        output.push(labels, piece);
    });
}

pub(crate) fn kmerge_borrowed(sources: &[Plain<'_>]) -> (usize, usize) {
    let (mut series, mut samples) = (0, 0);
    kmerge_series(sources, |labels, holders| {
        series += 1;
        black_box(labels);
        kmerge_samples(holders).for_each(|sample| {
            black_box(sample);
            samples += 1;
        });
    });
    (series, samples)
}

fn kmerge_series<'a>(sources: &[Plain<'a>], mut found: impl FnMut(Labels<'a>, &[Samples<'a>])) {
    let mut merged =
        sources.iter().map(|source| source.iter().copied()).kmerge_by(|a, b| a.0 < b.0).peekable();
    let mut holders = Vec::new();
    while let Some((labels, samples)) = merged.next() {
        holders.clear();
        holders.push(samples);
        while let Some((_, samples)) = merged.next_if(|next| next.0 == labels) {
            holders.push(samples);
        }
        found(labels, &holders);
    }
}

fn kmerge_samples<'a>(holders: &[Samples<'a>]) -> impl Iterator<Item = (i64, f64)> + use<'a> {
    let merged = holders.iter().map(|samples| samples.iter().copied()).kmerge_by(|a, b| a.0 < b.0);
    merged.dedup_by(|a, b| a.0 == b.0)
}

pub(crate) fn binary_heap<'a>(sources: &[Plain<'a>], output: &mut Output<'a>, piece: usize) {
    output.clear();
    heap_series(sources, |labels, holders, heap| {
        heap_samples(holders, heap, |sample| output.samples.push(sample));
        output.push(labels, piece);
    });
}

pub(crate) fn binary_heap_borrowed(sources: &[Plain<'_>]) -> (usize, usize) {
    let (mut series, mut samples) = (0, 0);
    heap_series(sources, |labels, holders, heap| {
        series += 1;
        black_box(labels);
        heap_samples(holders, heap, |sample| {
            black_box(sample);
            samples += 1;
        });
    });
    (series, samples)
}

/// The next sample of each holder, and which one it is in which.
type SampleHeap = BinaryHeap<Reverse<(i64, usize, usize)>>;

fn heap_series<'a>(
    sources: &[Plain<'a>],
    mut found: impl FnMut(Labels<'a>, &[Samples<'a>], &mut SampleHeap),
) {
    let heads = sources.iter().enumerate().filter_map(|(s, source)| Some(Reverse((source.first()?.0, s, 0))));
    let mut heap: BinaryHeap<Reverse<(Labels<'a>, usize, usize)>> = heads.collect();
    let (mut holders, mut samples) = (Vec::new(), SampleHeap::new());
    while let Some(&Reverse((labels, ..))) = heap.peek() {
        holders.clear();
        while let Some(mut top) = heap.peek_mut().filter(|top| top.0.0 == labels) {
            let Reverse((_, source, index)) = *top;
            holders.push(sources[source][index].1);
            match sources[source].get(index + 1) {
                Some(next) => *top = Reverse((next.0, source, index + 1)),
                None => drop(std::collections::binary_heap::PeekMut::pop(top)),
            }
        }
        found(labels, &holders, &mut samples);
    }
}

fn heap_samples(holders: &[Samples<'_>], heap: &mut SampleHeap, mut found: impl FnMut((i64, f64))) {
    heap.clear();
    heap.extend(
        holders.iter().enumerate().filter_map(|(h, samples)| Some(Reverse((samples.first()?.0, h, 0)))),
    );
    let mut last_ms = None;
    while let Some(mut top) = heap.peek_mut() {
        let Reverse((at_ms, holder, index)) = *top;
        if last_ms != Some(at_ms) {
            found(holders[holder][index]);
            last_ms = Some(at_ms);
        }
        match holders[holder].get(index + 1) {
            Some(next) => *top = Reverse((next.0, holder, index + 1)),
            None => drop(std::collections::binary_heap::PeekMut::pop(top)),
        }
    }
}
