//! What a server of remote read answers, as samples.

use std::fmt;

use crate::error::{DecodeError, Limit};
use crate::limits::{Limits, check};
use crate::read::fields::{answer, result};
use crate::series::fields::series_v1;
use crate::series::{Arena, SeriesView, read_series_v1};
use crate::wire::fast::{WireType, key};
use crate::wire::open::{Guess, Open, write_uvarint};
use crate::wire::{Reader, uvarint_bytes};
use crate::write::{SeriesWriter, put};

pub(super) const RESULT_KEY: u8 = key(answer::RESULTS, WireType::Delimited);
const SERIES_KEY: u8 = key(result::TIMESERIES, WireType::Delimited);
const LABELS_KEY: u8 = key(series_v1::LABELS, WireType::Delimited);

/// How deep a series is in the answer.
const SERIES_DEPTH: u32 = 2;

/// Reads answers with samples. Its memory serves one after the other.
#[derive(Debug, Default)]
pub struct AnswerDecoder {
    limits: Limits,
    arena: Arena<'static>,
}

impl AnswerDecoder {
    /// A decoder with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, arena: Arena::default() }
    }

    /// Reads a message, decompressed. Takes time linear in its size, and memory for what is in it: about 32 bytes
    /// for a label and 16 for a sample.
    ///
    /// # Errors
    ///
    /// If the message is not a `ReadResponse`, or over the limits. Nothing of it is kept then.
    pub fn decode<'d, 'a>(&'d mut self, message: &'a [u8]) -> Result<AnswerView<'d, 'a>, DecodeError> {
        let mut arena = std::mem::take(&mut self.arena).recycled();
        match read_answer(message, &self.limits, &mut arena) {
            Ok(()) => Ok(AnswerView { arena, home: &mut self.arena }),
            Err(error) => {
                self.arena = arena.recycled();
                Err(error)
            }
        }
    }
}

/// An answer, borrowed from its message and from the memory of the decoder.
pub struct AnswerView<'d, 'a> {
    arena: Arena<'a>,
    /// Where the memory goes back to.
    home: &'d mut Arena<'static>,
}

impl AnswerView<'_, '_> {
    /// The answer to each query, in the order of the request.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ResultView<'_>> + Clone {
        (0..self.arena.results.len()).map(|n| {
            let start = n.checked_sub(1).map_or(0, |n| self.arena.results[n]);
            ResultView { arena: &self.arena, start, end: self.arena.results[n] }
        })
    }
}

impl Drop for AnswerView<'_, '_> {
    fn drop(&mut self) {
        *self.home = std::mem::take(&mut self.arena).recycled();
    }
}

impl fmt::Debug for AnswerView<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.results()).finish()
    }
}

/// The answer to one query.
#[derive(Clone, Copy)]
pub struct ResultView<'v> {
    arena: &'v Arena<'v>,
    start: usize,
    end: usize,
}

impl<'v> ResultView<'v> {
    /// The series, in no particular order.
    pub fn series(&self) -> impl ExactSizeIterator<Item = SeriesView<'v>> + Clone + use<'v> {
        let arena = self.arena;
        (self.start..self.end).map(move |n| SeriesView::new(arena, n))
    }
}

impl fmt::Debug for ResultView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.series()).finish()
    }
}

fn read_answer<'a>(message: &'a [u8], limits: &Limits, arena: &mut Arena<'a>) -> Result<(), DecodeError> {
    limits.check_message(message)?;
    let mut reader = Reader::new(message, 0);
    while let Some(field) = reader.next_field()? {
        if field.number != answer::RESULTS {
            reader.skip(field, 0)?;
            continue;
        }
        check(Limit::Queries, limits.max_queries, arena.results.len() + 1, field.offset())?;
        let mut results = reader.message(field)?;
        while let Some(field) = results.next_field()? {
            if field.number != result::TIMESERIES {
                results.skip(field, 1)?;
                continue;
            }
            check(Limit::Series, limits.max_series, arena.series.len() + 1, field.offset())?;
            read_series_v1(results.message(field)?, SERIES_DEPTH, limits, arena)?;
        }
        arena.results.push(arena.series.len());
    }
    Ok(())
}

/// Room in front of the first result for its key and the longest length.
const HEADER_BYTES: usize = 11;

/// Writes answers with samples. Its memory serves one after the other.
///
/// Call [`result`](Self::result) for each query, then add its series. The bytes are those of the owned message (which
/// leaves minus zero out, as if it were zero), if each series is given its parts in the order samples, exemplars,
/// histograms.
#[derive(Debug)]
pub struct AnswerEncoder {
    /// Room for the header of the first result, which is usually the only one and large: it is written last and
    /// needs no guess. Then everything else.
    message: Vec<u8>,
    current: Current,
    first_end: Option<usize>,
    result_guess: Guess,
    series_guess: Guess,
    finished: bool,
}

/// The result that series are added to.
#[derive(Debug)]
enum Current {
    None,
    First,
    Later(Open),
}

impl Default for AnswerEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl AnswerEncoder {
    /// An encoder for the first answer.
    pub fn new() -> Self {
        Self {
            message: vec![0; HEADER_BYTES],
            current: Current::None,
            first_end: None,
            result_guess: Guess::default(),
            series_guess: Guess::default(),
            finished: false,
        }
    }

    /// Begins the answer to the next query.
    pub fn result(&mut self) {
        self.begin();
        self.close_result();
        self.current = match self.first_end {
            None => Current::First,
            Some(_) => Current::Later(Open::new(RESULT_KEY, self.result_guess, &mut self.message)),
        };
    }

    /// Adds a series with float samples to the answer to the current query: milliseconds since 1970, and the value.
    /// Without a query before it, it begins the first one.
    ///
    /// The labels should be sorted by name, and the samples by time; neither is checked. Takes time linear in what
    /// is written.
    pub fn series(&mut self, labels: &[(&str, &str)], samples: impl IntoIterator<Item = (i64, f64)>) {
        self.series_with(labels, |series| series.samples(samples));
    }

    /// Adds a series whose parts `write` adds, as
    /// [`WriteEncoder::series_with`](crate::write::WriteEncoder::series_with) does. An answer has no place for start
    /// times of samples and for metadata; they are left out.
    pub fn series_with(&mut self, labels: &[(&str, &str)], write: impl FnOnce(&mut SeriesWriter<'_>)) {
        self.begin();
        if matches!(self.current, Current::None) {
            self.result();
        }
        put_series(labels, write, &mut self.series_guess, &mut self.message);
    }

    /// Adds a series as it was read; what an answer has no place for is left out.
    pub fn series_view(&mut self, series: &SeriesView<'_>) {
        self.series_with(series.labels(), |writer| writer.parts_of(series));
    }

    /// The message of all that was added; what is added next belongs to another one.
    pub fn finish(&mut self) -> &[u8] {
        self.begin();
        self.close_result();
        self.finished = true;
        let Some(end) = self.first_end else {
            return &[];
        };
        let length = end - HEADER_BYTES;
        let start = HEADER_BYTES - 1 - uvarint_bytes(length as u64);
        self.message[start] = RESULT_KEY;
        write_uvarint(length as u64, &mut self.message[start + 1..HEADER_BYTES]);
        &self.message[start..]
    }

    fn close_result(&mut self) {
        match std::mem::replace(&mut self.current, Current::None) {
            Current::None => {}
            Current::First => self.first_end = Some(self.message.len()),
            Current::Later(open) => open.close(&mut self.result_guess, &mut self.message),
        }
    }

    /// Forgets an answer that is finished.
    fn begin(&mut self) {
        if self.finished {
            self.finished = false;
            self.first_end = None;
            self.message.truncate(HEADER_BYTES);
        }
    }
}

/// Appends a series whose parts `write` adds.
pub(super) fn put_series(
    labels: &[(&str, &str)],
    write: impl FnOnce(&mut SeriesWriter<'_>),
    guess: &mut Guess,
    into: &mut Vec<u8>,
) {
    let open = Open::new(SERIES_KEY, *guess, into);
    put::labels(LABELS_KEY, labels, into);
    write(&mut SeriesWriter::v1(into));
    open.close(guess, into);
}
