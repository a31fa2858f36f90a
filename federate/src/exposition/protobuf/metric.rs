//! One metric of a family: everything in it, whatever the type of the family.

use super::wire::{Field, Reader, unzigzag};
use crate::exposition::entry::{ExemplarNumbers, NAME};
use crate::exposition::error::{ExpositionError, ExpositionErrorKind as Kind, Limit};
use crate::exposition::histogram::Span;
use crate::exposition::labels::{check, over};
use crate::exposition::limits::Limits;

/// A metric. What is repeated keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Metric<'a> {
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) t_ms: i64,
    pub(super) gauge: f64,
    pub(super) untyped: f64,
    pub(super) counter: f64,
    pub(super) counter_exemplar: Option<Exemplar>,
    pub(super) created: Created,
    pub(super) summary: Summary,
    pub(super) histogram: Histogram,
    /// Labels of all exemplars.
    pub(super) exemplar_labels: Vec<(&'a str, &'a str)>,
}

/// When counters, summaries and histograms began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Created {
    pub(super) counter: Option<Time>,
    pub(super) summary: Option<Time>,
    pub(super) histogram: Option<Time>,
}

#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Quantile and value.
    pub(super) quantiles: Vec<(f64, f64)>,
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    pub(super) count: u64,
    pub(super) count_float: f64,
    pub(super) sum: f64,
    pub(super) buckets: Vec<Bucket>,
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: u64,
    pub(super) zero_count_float: f64,
    pub(super) positive: Side,
    pub(super) negative: Side,
    pub(super) exemplars: Vec<Exemplar>,
}

/// The positive or the negative buckets.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) spans: Vec<Span>,
    pub(super) deltas: Vec<i64>,
    pub(super) counts: Vec<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    pub(super) count: u64,
    pub(super) count_float: f64,
    pub(super) upper_bound: f64,
    pub(super) exemplar: Option<Exemplar>,
}

/// An exemplar, whose labels are a range of those of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exemplar {
    pub(super) labels: (usize, usize),
    value: f64,
    time: Option<Time>,
}

/// Seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Time {
    seconds: i64,
    nanos: i32,
}

impl Time {
    /// Milliseconds since 1970.
    pub(super) fn ms(self) -> i64 {
        self.seconds.wrapping_mul(1_000).wrapping_add(i64::from(self.nanos / 1_000_000))
    }

    fn read(&mut self, mut reader: Reader<'_>) -> Result<(), ExpositionError> {
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => self.seconds = reader.varint(field)? as i64,
                2 => self.nanos = reader.varint(field)? as i32,
                _ => reader.skip(field)?,
            }
        }
        Ok(())
    }
}

impl Exemplar {
    pub(super) fn numbers(&self) -> ExemplarNumbers {
        ExemplarNumbers { value: self.value, t_ms: self.time.map(Time::ms) }
    }

    pub(super) fn has_time(&self) -> bool {
        self.time.is_some()
    }
}

impl Bucket {
    /// How many observations are not above its bound.
    pub(super) fn value(&self) -> f64 {
        if self.count_float == 0.0 { self.count as f64 } else { self.count_float }
    }
}

impl Histogram {
    /// How many observations there are.
    pub(super) fn value(&self) -> f64 {
        if self.count_float == 0.0 { self.count as f64 } else { self.count_float }
    }

    /// Whether it has native buckets. Source: `isNativeHistogram` in `protobufparse.go`.
    pub(super) fn is_native(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
    }

    /// Whether its native buckets have fractions.
    pub(super) fn is_float(&self) -> bool {
        self.count_float > 0.0 || self.zero_count_float > 0.0
    }

    fn clear(&mut self) {
        for side in [&mut self.positive, &mut self.negative] {
            side.spans.clear();
            side.deltas.clear();
            side.counts.clear();
        }
        self.buckets.clear();
        self.exemplars.clear();
        (self.count, self.count_float, self.sum, self.schema) = (0, 0.0, 0.0, 0);
        (self.zero_threshold, self.zero_count, self.zero_count_float) = (0.0, 0, 0.0);
    }
}

impl<'a> Metric<'a> {
    /// Reads the message of a metric with this name in place of what was there.
    pub(super) fn read(
        &mut self,
        name: &'a str,
        mut reader: Reader<'a>,
        limits: &Limits,
    ) -> Result<(), ExpositionError> {
        self.clear();
        self.labels.push((NAME, name));
        if reader.len() > limits.max_line_bytes {
            let kind = over(Limit::LineBytes, limits.max_line_bytes, reader.len());
            return Err(ExpositionError::in_bytes(kind, reader.offset()));
        }
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => {
                    let (name, value) = label(reader.message(field)?)?;
                    if name.is_empty() {
                        return Err(unexpected("a label name", field));
                    }
                    check(limits, self.labels.len(), name, value)
                        .map_err(|kind| ExpositionError::in_bytes(kind, field.offset))?;
                    self.labels.push((name, value));
                }
                2 => value(reader.message(field)?, &mut self.gauge)?,
                3 => self.read_counter(reader.message(field)?, limits)?,
                4 => self.read_summary(reader.message(field)?, limits)?,
                5 => value(reader.message(field)?, &mut self.untyped)?,
                6 => self.t_ms = reader.varint(field)? as i64,
                7 => self.read_histogram(reader.message(field)?, limits)?,
                _ => reader.skip(field)?,
            }
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.labels.clear();
        self.exemplar_labels.clear();
        (self.t_ms, self.gauge, self.untyped, self.counter) = (0, 0.0, 0.0, 0.0);
        (self.counter_exemplar, self.created) = (None, Created::default());
        (self.summary.count, self.summary.sum) = (0, 0.0);
        self.summary.quantiles.clear();
        self.histogram.clear();
    }

    fn read_counter(&mut self, mut reader: Reader<'a>, limits: &Limits) -> Result<(), ExpositionError> {
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => self.counter = reader.double(field)?,
                2 => {
                    let into = self.counter_exemplar.get_or_insert_default();
                    exemplar(reader.message(field)?, into, &mut self.exemplar_labels, limits)?;
                }
                3 => self.created.counter.get_or_insert_default().read(reader.message(field)?)?,
                _ => reader.skip(field)?,
            }
        }
        Ok(())
    }

    fn read_summary(&mut self, mut reader: Reader<'a>, limits: &Limits) -> Result<(), ExpositionError> {
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => self.summary.count = reader.varint(field)?,
                2 => self.summary.sum = reader.double(field)?,
                3 => {
                    let mut pair = (0.0, 0.0);
                    let mut quantile = reader.message(field)?;
                    while let Some(field) = quantile.next_field()? {
                        match field.number {
                            1 => pair.0 = quantile.double(field)?,
                            2 => pair.1 = quantile.double(field)?,
                            _ => quantile.skip(field)?,
                        }
                    }
                    push(&mut self.summary.quantiles, pair, limits)
                        .map_err(|kind| ExpositionError::in_bytes(kind, field.offset))?;
                }
                4 => self.created.summary.get_or_insert_default().read(reader.message(field)?)?,
                _ => reader.skip(field)?,
            }
        }
        Ok(())
    }

    fn read_histogram(&mut self, mut reader: Reader<'a>, limits: &Limits) -> Result<(), ExpositionError> {
        let Self { histogram, exemplar_labels, created, .. } = self;
        let Histogram { positive, negative, .. } = histogram;
        while let Some(field) = reader.next_field()? {
            let refused = |kind| ExpositionError::in_bytes(kind, field.offset);
            match field.number {
                1 => histogram.count = reader.varint(field)?,
                2 => histogram.sum = reader.double(field)?,
                3 => {
                    let bucket = bucket(reader.message(field)?, exemplar_labels, limits)?;
                    push(&mut histogram.buckets, bucket, limits).map_err(refused)?;
                }
                4 => histogram.count_float = reader.double(field)?,
                5 => histogram.schema = unzigzag(u64::from(reader.varint(field)? as u32)) as i32,
                6 => histogram.zero_threshold = reader.double(field)?,
                7 => histogram.zero_count = reader.varint(field)?,
                8 => histogram.zero_count_float = reader.double(field)?,
                9 => push(&mut negative.spans, span(reader.message(field)?)?, limits).map_err(refused)?,
                10 => reader.varints(field, |delta| push(&mut negative.deltas, unzigzag(delta), limits))?,
                11 => reader.doubles(field, |count| push(&mut negative.counts, count, limits))?,
                12 => push(&mut positive.spans, span(reader.message(field)?)?, limits).map_err(refused)?,
                13 => reader.varints(field, |delta| push(&mut positive.deltas, unzigzag(delta), limits))?,
                14 => reader.doubles(field, |count| push(&mut positive.counts, count, limits))?,
                15 => created.histogram.get_or_insert_default().read(reader.message(field)?)?,
                16 => {
                    let mut into = Exemplar::default();
                    exemplar(reader.message(field)?, &mut into, exemplar_labels, limits)?;
                    push(&mut histogram.exemplars, into, limits).map_err(refused)?;
                }
                _ => reader.skip(field)?,
            }
        }
        Ok(())
    }
}

/// Puts one more behind the others, if the limit allows.
#[inline]
fn push<T>(all: &mut Vec<T>, one: T, limits: &Limits) -> Result<(), Kind> {
    if all.len() >= limits.max_buckets {
        return Err(over(Limit::Buckets, limits.max_buckets, all.len() + 1));
    }
    all.push(one);
    Ok(())
}

fn label(mut reader: Reader<'_>) -> Result<(&str, &str), ExpositionError> {
    let (mut name, mut value) = ("", "");
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => name = reader.string(field)?,
            2 => value = reader.string(field)?,
            _ => reader.skip(field)?,
        }
    }
    Ok((name, value))
}

fn value(mut reader: Reader<'_>, into: &mut f64) -> Result<(), ExpositionError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => *into = reader.double(field)?,
            _ => reader.skip(field)?,
        }
    }
    Ok(())
}

fn bucket<'a>(
    mut reader: Reader<'a>,
    exemplar_labels: &mut Vec<(&'a str, &'a str)>,
    limits: &Limits,
) -> Result<Bucket, ExpositionError> {
    let mut bucket = Bucket::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => bucket.count = reader.varint(field)?,
            2 => bucket.upper_bound = reader.double(field)?,
            3 => {
                let into = bucket.exemplar.get_or_insert_default();
                exemplar(reader.message(field)?, into, exemplar_labels, limits)?;
            }
            4 => bucket.count_float = reader.double(field)?,
            _ => reader.skip(field)?,
        }
    }
    Ok(bucket)
}

fn span(mut reader: Reader<'_>) -> Result<Span, ExpositionError> {
    let mut span = Span::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => span.offset = unzigzag(u64::from(reader.varint(field)? as u32)) as i32,
            2 => span.length = reader.varint(field)? as u32,
            _ => reader.skip(field)?,
        }
    }
    Ok(span)
}

/// Reads an exemplar over what is known of it: a message that is there twice is the two of them together.
fn exemplar<'a>(
    mut reader: Reader<'a>,
    into: &mut Exemplar,
    all: &mut Vec<(&'a str, &'a str)>,
    limits: &Limits,
) -> Result<(), ExpositionError> {
    let (start, end) = into.labels;
    let count = end - start;
    if end != all.len() || count == 0 {
        let moved = all.len();
        all.extend_from_within(start..end);
        into.labels = (moved, all.len());
    }
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                let (name, value) = label(reader.message(field)?)?;
                check(limits, all.len() - into.labels.0, name, value)
                    .map_err(|kind| ExpositionError::in_bytes(kind, field.offset))?;
                all.push((name, value));
            }
            2 => into.value = reader.double(field)?,
            3 => into.time.get_or_insert_default().read(reader.message(field)?)?,
            _ => reader.skip(field)?,
        }
    }
    into.labels.1 = all.len();
    Ok(())
}

#[cold]
fn unexpected(expected: &'static str, field: Field) -> ExpositionError {
    let kind = Kind::Unexpected { expected, found: "an empty text".to_owned() };
    ExpositionError::in_bytes(kind, field.offset)
}
