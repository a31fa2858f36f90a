//! The message `TimeSeries` of write 1 and of answers with samples.

use crate::error::{DecodeError, Limit};
use crate::limits::{Limits, check};
use crate::series::arena::{Arena, ExemplarRecord};
use crate::series::fields::{exemplar, label, metadata_v1, sample, series_v1};
use crate::series::read_histogram::read_histogram;
use crate::series::view::{MetadataView, MetricType};
use crate::wire::Reader;
use crate::wire::fast::{self, WireType, key};

const LABELS_KEY: u8 = key(series_v1::LABELS, WireType::Delimited);
const SAMPLES_KEY: u8 = key(series_v1::SAMPLES, WireType::Delimited);

/// Labels below this size need no look at how long they are.
const SHORT_BYTES: usize = 0x80;

/// Reads a series inside `depth` messages and adds it to the arena.
#[inline]
pub(crate) fn read_series<'a>(
    mut reader: Reader<'a>,
    depth: u32,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    let labels_start = arena.labels.len();
    loop {
        read_label_run(&mut reader, labels_start, depth, limits, arena)?;
        read_sample_run(&mut reader, SAMPLES_KEY, limits, arena);
        let Some(field) = reader.next_field()? else {
            break;
        };
        match field.number {
            series_v1::LABELS => {
                let count = arena.labels.len() - labels_start + 1;
                check(Limit::LabelsPerSeries, limits.max_labels_per_series, count, field.offset())?;
                arena.labels.push(read_label(reader.message(field)?, depth + 1, limits)?);
            }
            series_v1::SAMPLES => {
                check(Limit::Samples, limits.max_samples, arena.samples.len() + 1, field.offset())?;
                arena.samples.push(read_sample(reader.message(field)?, depth + 1)?);
            }
            series_v1::EXEMPLARS => {
                check(Limit::Exemplars, limits.max_exemplars, arena.exemplars.len() + 1, field.offset())?;
                let record = read_exemplar(reader.message(field)?, depth + 1, limits, arena)?;
                arena.exemplars.push(record);
            }
            series_v1::HISTOGRAMS => {
                check(Limit::Histograms, limits.max_histograms, arena.histograms.len() + 1, field.offset())?;
                let record = read_histogram(reader.message(field)?, depth + 1, &mut arena.buckets)?;
                arena.histograms.push(record);
            }
            _ => reader.skip(field, depth)?,
        }
    }
    arena.series.push(arena.ends());
    Ok(())
}

/// Reads the labels that come next, as far as they are short: checks them as one string and cuts it.
#[inline]
fn read_label_run<'a>(
    reader: &mut Reader<'a>,
    labels_start: usize,
    depth: u32,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    let (bytes, count) = fast::short_run(reader.rest(), LABELS_KEY);
    if count == 0
        || arena.labels.len() - labels_start + count > limits.max_labels_per_series
        || limits.max_label_bytes < SHORT_BYTES
    {
        return Ok(());
    }
    let run = std::str::from_utf8(&reader.rest()[..bytes]).ok();
    arena.labels.reserve(count);
    let mut at = 0;
    while at < bytes {
        if let Some((label, next)) = run.and_then(|run| fast::label(run, at)) {
            arena.labels.push(label);
            at = next;
            continue;
        }
        // Not UTF-8, or not a name and a value and nothing else. All of the run is read here, because looking for
        // a run once more after each such label would take time for the square of their number.
        let mut label = *reader;
        label.advance(at);
        if let Some(field) = label.next_field()? {
            arena.labels.push(read_label(label.message(field)?, depth + 1, limits)?);
        }
        at = reader.len() - label.len();
    }
    reader.advance(bytes);
    Ok(())
}

/// Reads the samples that come next, as far as they have the usual form.
#[inline]
pub(super) fn read_sample_run(reader: &mut Reader<'_>, key: u8, limits: &Limits, arena: &mut Arena<'_>) {
    let bytes = reader.rest();
    let mut at = 0;
    let room = limits.max_samples.saturating_sub(arena.samples.len());
    let samples = std::iter::from_fn(|| {
        let (sample, length) = fast::sample(&bytes[at..], key)?;
        at += length;
        Some(sample)
    });
    arena.samples.extend(samples.take(room));
    reader.advance(at);
}

fn read_label<'a>(
    mut reader: Reader<'a>,
    depth: u32,
    limits: &Limits,
) -> Result<(&'a str, &'a str), DecodeError> {
    let (mut name, mut value) = ("", "");
    while let Some(field) = reader.next_field()? {
        let text = match field.number {
            label::NAME => &mut name,
            label::VALUE => &mut value,
            _ => {
                reader.skip(field, depth)?;
                continue;
            }
        };
        *text = reader.string(field)?;
        check(Limit::LabelBytes, limits.max_label_bytes, text.len(), field.offset())?;
    }
    Ok((name, value))
}

fn read_sample(mut reader: Reader<'_>, depth: u32) -> Result<(i64, f64), DecodeError> {
    let (mut t_ms, mut value) = (0, 0.0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            sample::VALUE => value = reader.double(field)?,
            sample::TIMESTAMP => t_ms = reader.varint(field)? as i64,
            _ => reader.skip(field, depth)?,
        }
    }
    Ok((t_ms, value))
}

fn read_exemplar<'a>(
    mut reader: Reader<'a>,
    depth: u32,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<ExemplarRecord, DecodeError> {
    let mut record = ExemplarRecord::default();
    let labels_start = arena.exemplar_labels.len();
    while let Some(field) = reader.next_field()? {
        match field.number {
            exemplar::LABELS => {
                let count = arena.exemplar_labels.len() - labels_start + 1;
                check(Limit::LabelsPerSeries, limits.max_labels_per_series, count, field.offset())?;
                arena.exemplar_labels.push(read_label(reader.message(field)?, depth + 1, limits)?);
            }
            exemplar::VALUE => record.value = reader.double(field)?,
            exemplar::TIMESTAMP => record.t_ms = reader.varint(field)? as i64,
            _ => reader.skip(field, depth)?,
        }
    }
    record.labels_end = arena.exemplar_labels.len();
    Ok(record)
}

/// Reads a `MetricMetadata` inside `depth` messages.
pub(crate) fn read_metadata<'a>(mut reader: Reader<'a>, depth: u32) -> Result<MetadataView<'a>, DecodeError> {
    let mut metadata = MetadataView::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            metadata_v1::TYPE => metadata.metric_type = MetricType::from_wire(reader.varint(field)? as i32),
            metadata_v1::METRIC_FAMILY_NAME => metadata.family = reader.string(field)?,
            metadata_v1::HELP => metadata.help = reader.string(field)?,
            metadata_v1::UNIT => metadata.unit = reader.string(field)?,
            _ => reader.skip(field, depth)?,
        }
    }
    Ok(metadata)
}
