//! The message `TimeSeries` of write 2, whose strings are references to symbols.

use crate::error::{DecodeError, ErrorKind, Limit};
use crate::limits::{Limits, check};
use crate::series::arena::{Arena, ExemplarRecord};
use crate::series::fields::{exemplar, metadata_v2, sample, series_v2};
use crate::series::read_histogram::read_histogram;
use crate::series::read_v1::read_sample_run;
use crate::series::view::{MetadataView, MetricType};
use crate::wire::Reader;
use crate::wire::fast::{self, WireType, key};

const SAMPLES_KEY: u8 = key(series_v2::SAMPLES, WireType::Delimited);

const LABELS_REFS_KEY: u8 = key(series_v2::LABELS_REFS, WireType::Delimited);

/// How deep a series is in the request.
const DEPTH: u32 = 1;

/// The field of references has the same number in a series and in an exemplar.
const LABELS_REFS: u32 = series_v2::LABELS_REFS;
const _: () = assert!(LABELS_REFS == exemplar::LABELS);

/// Reads a series and adds it to the arena, which has all symbols already.
#[inline]
pub(crate) fn read_series<'a>(
    mut reader: Reader<'a>,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    let labels_start = arena.labels.len();
    let before = reader;
    if let Some(packed) = reader.next_short_message(LABELS_REFS_KEY) {
        let references = &before.rest()[before.len() - reader.len() - packed.len()..];
        if !read_pairs(references, packed.len(), limits, &arena.symbols, &mut arena.labels) {
            arena.labels.truncate(labels_start);
            reader = before;
        }
    }
    if arena.samples.len() < limits.max_samples
        && let Some(sample) = fast::only_sample(reader.rest(), SAMPLES_KEY)
    {
        arena.samples.push(sample);
    } else if reader.len() > 0 {
        read_rest(reader, labels_start, limits, arena)?;
    }
    arena.series.push(arena.ends());
    Ok(())
}

/// Adds the labels that the references in the first `length` bytes of `series` mean, if all of them are of the usual
/// form and right.
///
/// What is behind them is there so that eight bytes can be loaded where only two belong to them. A reference that goes
/// on into it is noticed at the end.
#[inline(never)]
fn read_pairs<'a>(
    series: &[u8],
    length: usize,
    limits: &Limits,
    symbols: &[&'a str],
    labels: &mut Vec<(&'a str, &'a str)>,
) -> bool {
    let start = labels.len();
    let mut rest = series;
    let behind = series.len() - length;
    while rest.len() > behind {
        let Some(ahead) = rest.first_chunk() else { return false };
        let Some((name, value, length)) = fast::two_references(ahead) else { return false };
        let (Some(&name), Some(&value)) = (symbols.get(name), symbols.get(value)) else { return false };
        labels.push((name, value));
        rest = &rest[length..];
    }
    rest.len() == behind && labels.len() - start <= limits.max_labels_per_series
}

/// Reads what is left of a series.
#[inline(never)]
fn read_rest<'a>(
    mut reader: Reader<'a>,
    labels_start: usize,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    reader.advance(read_sample_run(reader.rest(), SAMPLES_KEY, limits, &mut arena.samples));
    let whole = reader;
    let read_before = arena.labels.len() - labels_start;
    let mut metadata: Option<Metadata> = None;
    arena.references.clear();
    while let Some(field) = reader.next_field()? {
        match field.number {
            LABELS_REFS => {
                reader.varints(field, |reference| arena.references.push(reference as u32))?;
                let count = read_before + arena.references.len().div_ceil(2);
                check(Limit::LabelsPerSeries, limits.max_labels_per_series, count, field.offset())?;
            }
            series_v2::SAMPLES => {
                check(Limit::Samples, limits.max_samples, arena.samples.len() + 1, field.offset())?;
                read_sample(reader.message(field)?, arena)?;
                reader.advance(read_sample_run(reader.rest(), SAMPLES_KEY, limits, &mut arena.samples));
            }
            series_v2::HISTOGRAMS => {
                check(Limit::Histograms, limits.max_histograms, arena.histograms.len() + 1, field.offset())?;
                let record = read_histogram(reader.message(field)?, DEPTH + 1, &mut arena.buckets)?;
                arena.histograms.push(record);
            }
            series_v2::EXEMPLARS => {
                check(Limit::Exemplars, limits.max_exemplars, arena.exemplars.len() + 1, field.offset())?;
                let record = read_exemplar(reader.message(field)?, limits, arena)?;
                arena.exemplars.push(record);
            }
            series_v2::METADATA => read_metadata(reader.message(field)?, metadata.get_or_insert_default())?,
            _ => reader.skip(field, DEPTH)?,
        }
    }
    resolve(&arena.references, &arena.symbols, &mut arena.labels, whole)?;
    if let Some(metadata) = metadata {
        let resolved = metadata.resolve(&arena.symbols, whole.offset())?;
        arena.series_metadata.resize(arena.series.len(), None);
        arena.series_metadata.push(Some(resolved));
    }
    Ok(())
}

fn read_exemplar<'a>(
    mut reader: Reader<'a>,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<ExemplarRecord, DecodeError> {
    let whole = reader;
    let mut record = ExemplarRecord::default();
    arena.exemplar_references.clear();
    while let Some(field) = reader.next_field()? {
        match field.number {
            LABELS_REFS => {
                reader.varints(field, |reference| arena.exemplar_references.push(reference as u32))?;
                let count = arena.exemplar_references.len().div_ceil(2);
                check(Limit::LabelsPerSeries, limits.max_labels_per_series, count, field.offset())?;
            }
            exemplar::VALUE => record.value = reader.double(field)?,
            exemplar::TIMESTAMP => record.t_ms = reader.varint(field)? as i64,
            _ => reader.skip(field, DEPTH + 1)?,
        }
    }
    resolve(&arena.exemplar_references, &arena.symbols, &mut arena.exemplar_labels, whole)?;
    record.labels_end = arena.exemplar_labels.len();
    Ok(record)
}

fn read_sample(mut reader: Reader<'_>, arena: &mut Arena<'_>) -> Result<(), DecodeError> {
    let (mut t_ms, mut value, mut start_ms) = (0, 0.0, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            sample::VALUE => value = reader.double(field)?,
            sample::TIMESTAMP => t_ms = reader.varint(field)? as i64,
            sample::START_TIMESTAMP => start_ms = reader.varint(field)? as i64,
            _ => reader.skip(field, DEPTH + 1)?,
        }
    }
    if start_ms != 0 {
        arena.starts_ms.resize(arena.samples.len(), 0);
        arena.starts_ms.push(start_ms);
    }
    arena.samples.push((t_ms, value));
    Ok(())
}

#[derive(Default)]
struct Metadata {
    metric_type: i32,
    help: u32,
    unit: u32,
}

/// Reads metadata; what stands twice is merged, as messages are.
fn read_metadata(mut reader: Reader<'_>, metadata: &mut Metadata) -> Result<(), DecodeError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            metadata_v2::TYPE => metadata.metric_type = reader.varint(field)? as i32,
            metadata_v2::HELP_REF => metadata.help = reader.varint(field)? as u32,
            metadata_v2::UNIT_REF => metadata.unit = reader.varint(field)? as u32,
            _ => reader.skip(field, DEPTH + 1)?,
        }
    }
    Ok(())
}

impl Metadata {
    fn resolve<'a>(&self, symbols: &[&'a str], offset: usize) -> Result<MetadataView<'a>, DecodeError> {
        let symbol = |reference: u32| match symbols.get(reference as usize) {
            Some(symbol) => Ok(*symbol),
            // The reference that is not written: there is nothing to refer to.
            None if reference == 0 => Ok(""),
            None => Err(bad_reference(reference, symbols, offset)),
        };
        let (help, unit) = (symbol(self.help)?, symbol(self.unit)?);
        Ok(MetadataView { metric_type: MetricType::from_wire(self.metric_type), family: "", help, unit })
    }
}

/// Adds the labels that the references mean. They stand in `message`.
#[inline]
fn resolve<'a>(
    references: &[u32],
    symbols: &[&'a str],
    labels: &mut Vec<(&'a str, &'a str)>,
    message: Reader<'_>,
) -> Result<(), DecodeError> {
    let (pairs, odd) = references.as_chunks::<2>();
    if !odd.is_empty() {
        let count = references.len() as u64;
        return Err(DecodeError::new(ErrorKind::OddReferences { count }, message.offset()));
    }
    let start = labels.len();
    labels.extend(
        pairs
            .iter()
            .map_while(|&[name, value]| Some((*symbols.get(name as usize)?, *symbols.get(value as usize)?))),
    );
    let resolved = labels.len() - start;
    match pairs.get(resolved) {
        None => Ok(()),
        Some(&[name, _]) => {
            let n = 2 * resolved + usize::from((name as usize) < symbols.len());
            Err(bad_reference(references[n], symbols, locate(message, n)))
        }
    }
}

/// Where reference number `n` stands in a message that was read before.
#[cold]
fn locate(mut message: Reader<'_>, n: usize) -> usize {
    let (mut at, mut count) = (message.offset(), 0);
    while let Ok(Some(field)) = message.next_field() {
        let read = if field.number == LABELS_REFS {
            message.varints_at(field, |_, offset| {
                if count == n {
                    at = offset;
                }
                count += 1;
            })
        } else {
            message.skip(field, DEPTH)
        };
        if read.is_err() || count > n {
            break;
        }
    }
    at
}

#[cold]
fn bad_reference(reference: u32, symbols: &[&str], offset: usize) -> DecodeError {
    let symbols = symbols.len() as u64;
    DecodeError::new(ErrorKind::SymbolReference { reference, symbols }, offset)
}
