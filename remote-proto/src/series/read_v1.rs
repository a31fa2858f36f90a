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
    reader: Reader<'a>,
    depth: u32,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    if !read_usual_series(reader.rest(), limits, arena) {
        read_any_series(reader, depth, limits, arena)?;
    }
    arena.series.push(arena.ends());
    Ok(())
}

/// Adds the labels and the sample of a series, if it has the form of most series of write requests: short labels, and
/// then one sample.
#[inline]
fn read_usual_series<'a>(series: &'a [u8], limits: &Limits, arena: &mut Arena<'a>) -> bool {
    let labels_start = arena.labels.len();
    if limits.max_label_bytes >= SHORT_BYTES
        && arena.samples.len() < limits.max_samples
        && let Some((text, sample)) = fast::text_and_sample(series, SAMPLES_KEY)
        && read_label_run(text, limits.max_labels_per_series, &mut arena.labels) == text.len()
    {
        arena.samples.push(sample);
        return true;
    }
    arena.labels.truncate(labels_start);
    false
}

#[inline(never)]
fn read_any_series<'a>(
    mut reader: Reader<'a>,
    depth: u32,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    let labels_start = arena.labels.len();
    let bytes = reader.rest();
    // Labels are read one by one if even short ones may be too long.
    let text = if limits.max_label_bytes < SHORT_BYTES { "" } else { fast::text_prefix(bytes) };
    let at = read_label_run(text, limits.max_labels_per_series, &mut arena.labels);
    let at = at + read_sample_run(&bytes[at..], SAMPLES_KEY, limits, &mut arena.samples);
    if at < bytes.len() {
        reader.advance(at);
        read_rest(reader, (bytes.len(), text), labels_start, depth, limits, arena)?;
    }
    Ok(())
}

/// Reads what is left of a series of `length` bytes, which begins with `text`.
fn read_rest<'a>(
    mut reader: Reader<'a>,
    (length, text): (usize, &'a str),
    labels_start: usize,
    depth: u32,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            series_v1::LABELS => {
                let count = arena.labels.len() - labels_start + 1;
                check(Limit::LabelsPerSeries, limits.max_labels_per_series, count, field.offset())?;
                arena.labels.push(read_label(reader.message(field)?, depth + 1, limits)?);
                // Behind the labels that are text, or inside one that is not, there is none of the usual form.
                let rest = text.get(length - reader.len()..).unwrap_or_default();
                let room = limits.max_labels_per_series - count;
                reader.advance(read_label_run(rest, room, &mut arena.labels));
            }
            series_v1::SAMPLES => {
                check(Limit::Samples, limits.max_samples, arena.samples.len() + 1, field.offset())?;
                arena.samples.push(read_sample(reader.message(field)?, depth + 1)?);
                reader.advance(read_sample_run(reader.rest(), SAMPLES_KEY, limits, &mut arena.samples));
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
    Ok(())
}

/// Reads labels as far as they have the usual form, there are at most `room` of them, and `text` goes. Returns how many
/// bytes that are.
#[inline]
fn read_label_run<'a>(text: &'a str, room: usize, labels: &mut Vec<(&'a str, &'a str)>) -> usize {
    let end = labels.len().saturating_add(room);
    let mut rest = text;
    while labels.len() < end
        && let Some((label, next)) = fast::label(rest, LABELS_KEY)
    {
        labels.push(label);
        rest = next;
    }
    text.len() - rest.len()
}

/// Reads samples as far as they have the usual form and may be so many. Returns how many bytes that are.
#[inline]
pub(super) fn read_sample_run(
    bytes: &[u8],
    key: u8,
    limits: &Limits,
    samples: &mut Vec<(i64, f64)>,
) -> usize {
    let mut at = 0;
    loop {
        let room = limits.max_samples.saturating_sub(samples.len());
        if room >= fast::BLOCK_SAMPLES
            && let Some(block) = bytes[at..].first_chunk()
            && fast::sample_block(block, key, samples)
        {
            at += fast::BLOCK_BYTES;
            continue;
        }
        // One by one, but no further than that block would have gone.
        for _ in 0..fast::BLOCK_SAMPLES {
            if samples.len() >= limits.max_samples {
                return at;
            }
            let Some((sample, length)) = fast::sample(&bytes[at..], key) else {
                return at;
            };
            samples.push(sample);
            at += length;
        }
    }
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
