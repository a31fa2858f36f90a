//! How the parts of series are written.

use crate::histogram::{Count, HistogramView, Span};
use crate::series::fields::{exemplar, histogram, label, metadata_v1, sample, span};
use crate::series::{ExemplarView, MetadataView};
use crate::wire::fast::{self, WireType, key};
use crate::wire::open::{Guess, Open};
use crate::wire::{self, zigzag};

const NAME_KEY: u8 = key(label::NAME, WireType::Delimited);
const VALUE_KEY: u8 = key(label::VALUE, WireType::Delimited);

/// Appends labels as fields `label_key` and returns how long these are together, without keys and lengths.
#[inline]
pub(crate) fn labels(label_key: u8, labels: &[(&str, &str)], into: &mut Vec<u8>) -> usize {
    let mut bytes = 0;
    for &(name, value) in labels {
        let (name_length, value_length) = (name.len(), value.len());
        let length = 4 + name_length + value_length;
        // What is empty is left out, and lengths from 128 on have more than one byte.
        if length >= 0x80 || name_length == 0 || value_length == 0 {
            bytes += any_label(label_key, name, value, into);
            continue;
        }
        bytes += length;
        into.extend_from_slice(&[label_key, length as u8, NAME_KEY, name_length as u8]);
        into.extend_from_slice(name.as_bytes());
        into.extend_from_slice(&[VALUE_KEY, value_length as u8]);
        into.extend_from_slice(value.as_bytes());
    }
    bytes
}

fn any_label(label_key: u8, name: &str, value: &str, into: &mut Vec<u8>) -> usize {
    let length =
        wire::bytes_field_bytes(label::NAME, name.len()) + wire::bytes_field_bytes(label::VALUE, value.len());
    wire::open::header(label_key, length, into);
    wire::put_bytes_field(label::NAME, name.as_bytes(), into);
    wire::put_bytes_field(label::VALUE, value.as_bytes(), into);
    length
}

/// For how many samples room is made at a time.
const BLOCK_SAMPLES: usize = 64;

/// Appends samples as fields `sample_key`.
#[inline]
pub(crate) fn samples(sample_key: u8, samples: impl IntoIterator<Item = (i64, f64)>, into: &mut Vec<u8>) {
    let mut samples = samples.into_iter();
    while samples.size_hint() != (0, Some(0)) {
        // Room is made for many at once, so that nothing has to look for it before each of them.
        let start = into.len();
        into.resize(start + samples.size_hint().0.clamp(1, BLOCK_SAMPLES) * 18, 0);
        let (rooms, _) = into[start..].as_chunks_mut();
        let mut count = 0;
        let stopped_by = rooms.iter_mut().find_map(|room| {
            let Some((t_ms, value)) = samples.next() else { return Some(None) };
            if !fast::put_sample(sample_key, t_ms, value, room) {
                return Some(Some((t_ms, value)));
            }
            count += 1;
            None
        });
        into.truncate(start + count * 18);
        match stopped_by {
            None => {}
            Some(Some((t_ms, value))) => any_sample(sample_key, t_ms, value, 0, into),
            Some(None) => return,
        }
    }
}

/// Appends a sample of any form.
pub(crate) fn any_sample(sample_key: u8, t_ms: i64, value: f64, start_ms: i64, into: &mut Vec<u8>) {
    let (t_ms, start_ms) = (t_ms as u64, start_ms as u64);
    let length = if value.to_bits() == 0 { 0 } else { 9 }
        + wire::varint_field_bytes(sample::TIMESTAMP, t_ms)
        + wire::varint_field_bytes(sample::START_TIMESTAMP, start_ms);
    wire::open::header(sample_key, length, into);
    wire::put_double_field(sample::VALUE, value, into);
    wire::put_varint_field(sample::TIMESTAMP, t_ms, into);
    wire::put_varint_field(sample::START_TIMESTAMP, start_ms, into);
}

/// Appends an exemplar as a field `exemplar_key`; `labels` writes what it points to.
pub(crate) fn exemplar(
    exemplar_key: u8,
    exemplar: &ExemplarView<'_>,
    labels: impl FnOnce(&mut Vec<u8>),
    into: &mut Vec<u8>,
) {
    let mut guess = Guess::default();
    let open = Open::new(exemplar_key, guess, into);
    labels(into);
    wire::put_double_field(exemplar::VALUE, exemplar.value, into);
    wire::put_varint_field(exemplar::TIMESTAMP, exemplar.t_ms as u64, into);
    open.close(&mut guess, into);
}

/// Appends a histogram as a field `histogram_key`.
pub(crate) fn histogram(histogram_key: u8, view: &HistogramView<'_>, into: &mut Vec<u8>) {
    let mut guess = Guess::default();
    let open = Open::new(histogram_key, guess, into);
    match view.count {
        Some(Count::Int(count)) => wire::put_varint(histogram::COUNT_INT, count, into),
        Some(Count::Float(count)) => wire::put_double(histogram::COUNT_FLOAT, count, into),
        None => {}
    }
    wire::put_double_field(histogram::SUM, view.sum, into);
    wire::put_varint_field(histogram::SCHEMA, zigzag32(view.schema), into);
    wire::put_double_field(histogram::ZERO_THRESHOLD, view.zero_threshold, into);
    match view.zero_count {
        Some(Count::Int(count)) => wire::put_varint(histogram::ZERO_COUNT_INT, count, into),
        Some(Count::Float(count)) => wire::put_double(histogram::ZERO_COUNT_FLOAT, count, into),
        None => {}
    }
    spans(histogram::NEGATIVE_SPANS, view.negative_spans, into);
    deltas(histogram::NEGATIVE_DELTAS, view.negative_deltas, into);
    wire::put_doubles_field(histogram::NEGATIVE_COUNTS, view.negative_counts, into);
    spans(histogram::POSITIVE_SPANS, view.positive_spans, into);
    deltas(histogram::POSITIVE_DELTAS, view.positive_deltas, into);
    wire::put_doubles_field(histogram::POSITIVE_COUNTS, view.positive_counts, into);
    // Numbers of enums are signed, and negative ones fill all 64 bits.
    wire::put_varint_field(histogram::RESET_HINT, i64::from(view.reset_hint.to_wire()) as u64, into);
    wire::put_varint_field(histogram::TIMESTAMP, view.t_ms as u64, into);
    wire::put_doubles_field(histogram::CUSTOM_VALUES, view.custom_values, into);
    wire::put_varint_field(histogram::START_TIMESTAMP, view.start_ms as u64, into);
    open.close(&mut guess, into);
}

fn deltas(number: u32, deltas: &[i64], into: &mut Vec<u8>) {
    wire::put_varints_field(number, deltas.iter().map(|&delta| zigzag(delta)), into);
}

fn spans(number: u32, spans: &[Span], into: &mut Vec<u8>) {
    for span in spans {
        let (offset, length) = (zigzag32(span.offset), u64::from(span.length));
        let bytes =
            wire::varint_field_bytes(span::OFFSET, offset) + wire::varint_field_bytes(span::LENGTH, length);
        wire::put_message_header(number, bytes, into);
        wire::put_varint_field(span::OFFSET, offset, into);
        wire::put_varint_field(span::LENGTH, length, into);
    }
}

/// Appends metadata of write 1 as a field `metadata_key`.
pub(crate) fn metadata(metadata_key: u8, metadata: &MetadataView<'_>, into: &mut Vec<u8>) {
    let mut guess = Guess::default();
    let open = Open::new(metadata_key, guess, into);
    wire::put_varint_field(metadata_v1::TYPE, i64::from(metadata.metric_type.to_wire()) as u64, into);
    wire::put_bytes_field(metadata_v1::METRIC_FAMILY_NAME, metadata.family.as_bytes(), into);
    wire::put_bytes_field(metadata_v1::HELP, metadata.help.as_bytes(), into);
    wire::put_bytes_field(metadata_v1::UNIT, metadata.unit.as_bytes(), into);
    open.close(&mut guess, into);
}

/// A `sint32`: what would be lost in 64 bits is not there.
fn zigzag32(value: i32) -> u64 {
    u64::from(zigzag(i64::from(value)) as u32)
}
