//! From a message to series.

use std::fmt;

use crate::error::{DecodeError, Limit};
use crate::limits::{Limits, check};
use crate::negotiate::WriteVersion;
use crate::series::{Arena, MetadataView, SeriesView, read_metadata, read_series_v1, read_series_v2};
use crate::wire::Reader;
use crate::wire::fast::{self, WireType, key};
use crate::write::fields::{v1, v2};

/// How deep a series or metadata is in the request.
const DEPTH: u32 = 1;

const TIMESERIES_V1_KEY: u8 = key(v1::TIMESERIES, WireType::Delimited);
const TIMESERIES_V2_KEY: u8 = key(v2::TIMESERIES, WireType::Delimited);
const SYMBOLS_KEY: u8 = key(v2::SYMBOLS, WireType::Delimited);

/// Reads write requests. Its memory serves one after the other.
#[derive(Debug, Default)]
pub struct WriteDecoder {
    limits: Limits,
    arena: Arena<'static>,
}

impl WriteDecoder {
    /// A decoder with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, arena: Arena::default() }
    }

    /// Reads a message of this version, decompressed; see [`negotiate`](crate::negotiate).
    ///
    /// Takes time linear in the size of the message, and memory for what is in it: about 32 bytes for a label and
    /// 16 for a sample. What is accepted is what the owned messages accept, plus that references of version 2 have
    /// to be right.
    ///
    /// # Errors
    ///
    /// If the message is not one of this version, or over the limits. Nothing of it is kept then.
    pub fn decode<'d, 'a>(
        &'d mut self,
        version: WriteVersion,
        message: &'a [u8],
    ) -> Result<WriteView<'d, 'a>, DecodeError> {
        let mut arena = std::mem::take(&mut self.arena).recycled();
        let read = match version {
            WriteVersion::V1 => read_v1(message, &self.limits, &mut arena),
            WriteVersion::V2 => read_v2(message, &self.limits, &mut arena),
        };
        match read {
            Ok(()) => Ok(WriteView { arena, home: &mut self.arena }),
            Err(error) => {
                self.arena = arena.recycled();
                Err(error)
            }
        }
    }
}

/// A write request, borrowed from its message and from the memory of the decoder.
pub struct WriteView<'d, 'a> {
    arena: Arena<'a>,
    /// Where the memory goes back to.
    home: &'d mut Arena<'static>,
}

impl WriteView<'_, '_> {
    /// The series in the order of the sender.
    pub fn series(&self) -> impl ExactSizeIterator<Item = SeriesView<'_>> + Clone {
        (0..self.arena.series.len()).map(|n| SeriesView::new(&self.arena, n))
    }

    /// What is known about metric families, of the series here or of others. Only version 1 says it here; in version
    /// 2 it stands with the series.
    pub fn metadata(&self) -> &[MetadataView<'_>] {
        &self.arena.metadata
    }

    /// How many float samples all series have together.
    pub fn sample_count(&self) -> usize {
        self.arena.samples.len()
    }

    /// How many histograms all series have together.
    pub fn histogram_count(&self) -> usize {
        self.arena.histograms.len()
    }

    /// How many exemplars all series have together.
    pub fn exemplar_count(&self) -> usize {
        self.arena.exemplars.len()
    }
}

impl Drop for WriteView<'_, '_> {
    fn drop(&mut self) {
        *self.home = std::mem::take(&mut self.arena).recycled();
    }
}

impl fmt::Debug for WriteView<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteView")
            .field("series", &self.series().collect::<Vec<_>>())
            .field("metadata", &self.metadata())
            .finish()
    }
}

fn read_v1<'a>(message: &'a [u8], limits: &Limits, arena: &mut Arena<'a>) -> Result<(), DecodeError> {
    limits.check_message(message)?;
    let mut reader = Reader::new(message, 0);
    loop {
        while arena.series.len() < limits.max_series
            && let Some(series) = reader.next_short_message(TIMESERIES_V1_KEY)
        {
            read_series_v1(series, DEPTH, limits, arena)?;
        }
        let Some(field) = reader.next_field()? else {
            break;
        };
        match field.number {
            v1::TIMESERIES => {
                check(Limit::Series, limits.max_series, arena.series.len() + 1, field.offset())?;
                read_series_v1(reader.message(field)?, DEPTH, limits, arena)?;
            }
            v1::METADATA => {
                check(Limit::Metadata, limits.max_metadata, arena.metadata.len() + 1, field.offset())?;
                arena.metadata.push(read_metadata(reader.message(field)?, DEPTH)?);
            }
            _ => reader.skip(field, 0)?,
        }
    }
    Ok(())
}

/// Symbols usually stand before all series, and then one pass is enough. But they may stand anywhere, also behind the
/// series that need them.
fn read_v2<'a>(message: &'a [u8], limits: &Limits, arena: &mut Arena<'a>) -> Result<(), DecodeError> {
    limits.check_message(message)?;
    let mut reader = Reader::new(message, 0);
    read_symbols(&mut reader, limits, arena)?;
    let symbols_before = arena.symbols.len();
    let read = read_all_series(reader, limits, arena);
    if !matches!(read, Ok(SymbolsBehind(false))) {
        // What was wrong may have been a reference to a symbol that was not read yet.
        let mut rest = reader;
        while rest.len() > 0 {
            skip_series(&mut rest)?;
            read_symbols(&mut rest, limits, arena)?;
        }
        if arena.symbols.len() == symbols_before {
            return read.map(drop);
        }
        arena.clear_series();
        read_all_series(reader, limits, arena)?;
    }
    if !arena.starts_ms.is_empty() {
        arena.starts_ms.resize(arena.samples.len(), 0);
    }
    Ok(())
}

/// Whether there are symbols behind the first series.
struct SymbolsBehind(bool);

/// Reads all series from the first one on, and no symbols.
fn read_all_series<'a>(
    mut reader: Reader<'a>,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<SymbolsBehind, DecodeError> {
    let mut symbols_behind = false;
    loop {
        while arena.series.len() < limits.max_series
            && let Some(series) = reader.next_short_message(TIMESERIES_V2_KEY)
        {
            read_series_v2(series, limits, arena)?;
        }
        let Some(field) = reader.next_field()? else {
            return Ok(SymbolsBehind(symbols_behind));
        };
        if field.number == v2::TIMESERIES {
            check(Limit::Series, limits.max_series, arena.series.len() + 1, field.offset())?;
            read_series_v2(reader.message(field)?, limits, arena)?;
        } else {
            symbols_behind |= field.number == v2::SYMBOLS;
            reader.skip(field, 0)?;
        }
    }
}

/// Passes over series up to something else.
fn skip_series(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let mut next = *reader;
    while let Some(field) = next.next_field()?
        && field.number == v2::TIMESERIES
    {
        next.message(field)?;
        *reader = next;
    }
    Ok(())
}

/// Reads symbols, and passes over whatever else there is, up to the next series.
fn read_symbols<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    loop {
        read_symbol_run(reader, limits, arena)?;
        let mut next = *reader;
        let Some(field) = next.next_field()? else {
            return Ok(());
        };
        match field.number {
            v2::SYMBOLS => {
                check(Limit::Symbols, limits.max_symbols, arena.symbols.len() + 1, field.offset())?;
                let symbol = next.string(field)?;
                check(Limit::LabelBytes, limits.max_label_bytes, symbol.len(), field.offset())?;
                arena.symbols.push(symbol);
            }
            v2::TIMESERIES => return Ok(()),
            _ => next.skip(field, 0)?,
        }
        *reader = next;
    }
}

/// Reads the symbols that come next, as far as they are short, and checks them as one string.
fn read_symbol_run<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    arena: &mut Arena<'a>,
) -> Result<(), DecodeError> {
    let (bytes, count) = fast::short_run(reader.rest(), SYMBOLS_KEY);
    if count == 0 || arena.symbols.len() + count > limits.max_symbols || limits.max_label_bytes < 0x80 {
        return Ok(());
    }
    let run = std::str::from_utf8(&reader.rest()[..bytes]).ok();
    arena.symbols.reserve(count);
    let mut at = 0;
    while at < bytes {
        if let Some((symbol, next)) = run.and_then(|run| fast::string(run, at)) {
            arena.symbols.push(symbol);
            at = next;
            continue;
        }
        // One of them is not UTF-8, or their lengths are not. All are read here: looking for a run once more after
        // each of them would take time for the square of their number.
        let mut symbol = *reader;
        symbol.advance(at);
        if let Some(field) = symbol.next_field()? {
            arena.symbols.push(symbol.string(field)?);
        }
        at = reader.len() - symbol.len();
    }
    reader.advance(bytes);
    Ok(())
}
