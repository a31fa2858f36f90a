//! The message `Histogram`, which is the same in both versions of write.

use crate::error::DecodeError;
use crate::histogram::{Count, ResetHint, Span};
use crate::series::arena::{Buckets, HistogramRecord};
use crate::series::fields::{histogram, span};
use crate::wire::{Reader, unzigzag};

/// Reads a histogram inside `depth` messages and puts its lists behind those that are there.
pub(super) fn read_histogram(
    mut reader: Reader<'_>,
    depth: u32,
    buckets: &mut Buckets,
) -> Result<HistogramRecord, DecodeError> {
    let mut record = HistogramRecord::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            histogram::COUNT_INT => record.count = Some(Count::Int(reader.varint(field)?)),
            histogram::COUNT_FLOAT => record.count = Some(Count::Float(reader.double(field)?)),
            histogram::SUM => record.sum = reader.double(field)?,
            histogram::SCHEMA => record.schema = unzigzag32(reader.varint(field)?),
            histogram::ZERO_THRESHOLD => record.zero_threshold = reader.double(field)?,
            histogram::ZERO_COUNT_INT => record.zero_count = Some(Count::Int(reader.varint(field)?)),
            histogram::ZERO_COUNT_FLOAT => record.zero_count = Some(Count::Float(reader.double(field)?)),
            histogram::NEGATIVE_SPANS => {
                buckets.negative_spans.push(read_span(reader.message(field)?, depth + 1)?);
            }
            histogram::NEGATIVE_DELTAS => {
                reader.varints(field, |delta| buckets.negative_deltas.push(unzigzag(delta)))?;
            }
            histogram::NEGATIVE_COUNTS => {
                reader.doubles(field, |count| buckets.negative_counts.push(count))?;
            }
            histogram::POSITIVE_SPANS => {
                buckets.positive_spans.push(read_span(reader.message(field)?, depth + 1)?);
            }
            histogram::POSITIVE_DELTAS => {
                reader.varints(field, |delta| buckets.positive_deltas.push(unzigzag(delta)))?;
            }
            histogram::POSITIVE_COUNTS => {
                reader.doubles(field, |count| buckets.positive_counts.push(count))?;
            }
            histogram::RESET_HINT => {
                record.reset_hint = ResetHint::from_wire(reader.varint(field)? as i32);
            }
            histogram::TIMESTAMP => record.t_ms = reader.varint(field)? as i64,
            histogram::CUSTOM_VALUES => reader.doubles(field, |bound| buckets.custom_values.push(bound))?,
            histogram::START_TIMESTAMP => record.start_ms = reader.varint(field)? as i64,
            _ => reader.skip(field, depth)?,
        }
    }
    record.ends = buckets.ends();
    Ok(record)
}

fn read_span(mut reader: Reader<'_>, depth: u32) -> Result<Span, DecodeError> {
    let mut read = Span::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            span::OFFSET => read.offset = unzigzag32(reader.varint(field)?),
            span::LENGTH => read.length = reader.varint(field)? as u32,
            _ => reader.skip(field, depth)?,
        }
    }
    Ok(read)
}

/// A `sint32`, which is what the lower 32 bits say.
fn unzigzag32(value: u64) -> i32 {
    unzigzag(u64::from(value as u32)) as i32
}
