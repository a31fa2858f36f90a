//! What a client of remote read asks.

use std::fmt;

use crate::error::{DecodeError, Limit};
use crate::limits::{Limits, check};
use crate::read::fields::{hints, matcher, query, request};
use crate::recycle::recycle;
use crate::wire::fast::{WireType, key};
use crate::wire::open::{Guess, Open};
use crate::wire::{self, Reader};

/// A selection of series and a range of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryView<'v> {
    /// First millisecond since 1970.
    pub start_ms: i64,
    /// Last millisecond since 1970.
    pub end_ms: i64,
    /// All of these have to match.
    pub matchers: &'v [MatcherView<'v>],
    /// What the result is for; a server may ignore it.
    pub hints: Option<HintsView<'v>>,
}

/// A condition on one label. A label that is missing has the value `""`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MatcherView<'v> {
    /// How it compares.
    pub op: MatcherOp,
    /// The name of the label.
    pub name: &'v str,
    /// A value, or a regular expression for the whole value.
    pub value: &'v str,
}

/// How a [`MatcherView`] compares. Source: `LabelMatcher.Type` in `prompb/types.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MatcherOp {
    /// `=`
    #[default]
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
    /// Any other number; a server cannot answer such a query.
    Other(i32),
}

impl MatcherOp {
    /// The operator that has this number on the wire. Every number is one.
    pub fn from_wire(number: i32) -> Self {
        match number {
            0 => Self::Equal,
            1 => Self::NotEqual,
            2 => Self::Regex,
            3 => Self::NotRegex,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Equal => 0,
            Self::NotEqual => 1,
            Self::Regex => 2,
            Self::NotRegex => 3,
            Self::Other(number) => number,
        }
    }
}

/// What the asking side is going to do with the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HintsView<'v> {
    /// Step of the query, 0 for an instant query.
    pub step_ms: i64,
    /// The function or aggregation around the selector.
    pub func: &'v str,
    /// First millisecond that matters.
    pub start_ms: i64,
    /// Last millisecond that matters.
    pub end_ms: i64,
    /// Names of the labels in the aggregation.
    pub grouping: &'v [&'v str],
    /// Whether `grouping` is `by`; otherwise it is `without`.
    pub by: bool,
    /// The range of the selector, 0 for an instant vector.
    pub range_ms: i64,
}

/// Reads read requests. Its memory serves one after the other.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    limits: Limits,
    parts: Parts<'static>,
}

/// The parts of all queries. Where those of one begin is where those of the one before end.
#[derive(Debug, Default)]
struct Parts<'a> {
    queries: Vec<QueryRecord<'a>>,
    matchers: Vec<MatcherView<'a>>,
    grouping: Vec<&'a str>,
    accepted: Vec<i32>,
}

/// A query without its lists.
#[derive(Debug, Clone, Copy, Default)]
struct QueryRecord<'a> {
    start_ms: i64,
    end_ms: i64,
    /// With an empty `grouping`.
    hints: Option<HintsView<'a>>,
    matchers_end: usize,
    grouping_end: usize,
}

impl RequestDecoder {
    /// A decoder with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, parts: Parts::default() }
    }

    /// Reads a message, decompressed. Takes time linear in its size.
    ///
    /// # Errors
    ///
    /// If the message is not a `ReadRequest`, or over the limits. Nothing of it is kept then.
    pub fn decode<'d, 'a>(&'d mut self, message: &'a [u8]) -> Result<RequestView<'d, 'a>, DecodeError> {
        let mut parts = std::mem::take(&mut self.parts).recycled();
        match read_request(message, &self.limits, &mut parts) {
            Ok(()) => Ok(RequestView { parts, home: &mut self.parts }),
            Err(error) => {
                self.parts = parts.recycled();
                Err(error)
            }
        }
    }
}

/// A read request, borrowed from its message and from the memory of the decoder.
pub struct RequestView<'d, 'a> {
    parts: Parts<'a>,
    /// Where the memory goes back to.
    home: &'d mut Parts<'static>,
}

impl RequestView<'_, '_> {
    /// Queries that are answered independently, in this order.
    pub fn queries(&self) -> impl ExactSizeIterator<Item = QueryView<'_>> + Clone {
        (0..self.parts.queries.len()).map(|n| {
            let record = &self.parts.queries[n];
            let start = n.checked_sub(1).map(|n| self.parts.queries[n]).unwrap_or_default();
            let grouping = &self.parts.grouping[start.grouping_end..record.grouping_end];
            QueryView {
                start_ms: record.start_ms,
                end_ms: record.end_ms,
                matchers: &self.parts.matchers[start.matchers_end..record.matchers_end],
                hints: record.hints.map(|hints| HintsView { grouping, ..hints }),
            }
        })
    }

    /// Numbers of [`ResponseType`](crate::prompb::ResponseType), the preferred one first; none means samples. See
    /// [`negotiate::response_type`](crate::negotiate::response_type).
    pub fn accepted_response_types(&self) -> &[i32] {
        &self.parts.accepted
    }
}

impl Drop for RequestView<'_, '_> {
    fn drop(&mut self) {
        *self.home = std::mem::take(&mut self.parts).recycled();
    }
}

impl fmt::Debug for RequestView<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView")
            .field("queries", &self.queries().collect::<Vec<_>>())
            .field("accepted_response_types", &self.accepted_response_types())
            .finish()
    }
}

impl Parts<'_> {
    /// The same memory, empty, for items of another lifetime.
    fn recycled<'b>(mut self) -> Parts<'b> {
        self.accepted.clear();
        Parts {
            queries: recycle(self.queries),
            matchers: recycle(self.matchers),
            grouping: recycle(self.grouping),
            accepted: self.accepted,
        }
    }
}

fn read_request<'a>(message: &'a [u8], limits: &Limits, parts: &mut Parts<'a>) -> Result<(), DecodeError> {
    limits.check_message(message)?;
    let mut reader = Reader::new(message, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            request::QUERIES => {
                check(Limit::Queries, limits.max_queries, parts.queries.len() + 1, field.offset())?;
                read_query(reader.message(field)?, limits, parts)?;
            }
            request::ACCEPTED_RESPONSE_TYPES => {
                reader.varints(field, |number| parts.accepted.push(number as i32))?;
            }
            _ => reader.skip(field, 0)?,
        }
    }
    Ok(())
}

fn read_query<'a>(mut reader: Reader<'a>, limits: &Limits, parts: &mut Parts<'a>) -> Result<(), DecodeError> {
    let mut record = QueryRecord::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            query::START_TIMESTAMP_MS => record.start_ms = reader.varint(field)? as i64,
            query::END_TIMESTAMP_MS => record.end_ms = reader.varint(field)? as i64,
            query::MATCHERS => {
                check(Limit::Matchers, limits.max_matchers, parts.matchers.len() + 1, field.offset())?;
                parts.matchers.push(read_matcher(reader.message(field)?)?);
            }
            query::HINTS => {
                let hints = record.hints.get_or_insert_default();
                read_hints(reader.message(field)?, limits, hints, &mut parts.grouping)?;
            }
            _ => reader.skip(field, 1)?,
        }
    }
    (record.matchers_end, record.grouping_end) = (parts.matchers.len(), parts.grouping.len());
    parts.queries.push(record);
    Ok(())
}

fn read_matcher(mut reader: Reader<'_>) -> Result<MatcherView<'_>, DecodeError> {
    let mut view = MatcherView::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            matcher::TYPE => view.op = MatcherOp::from_wire(reader.varint(field)? as i32),
            matcher::NAME => view.name = reader.string(field)?,
            matcher::VALUE => view.value = reader.string(field)?,
            _ => reader.skip(field, 2)?,
        }
    }
    Ok(view)
}

/// Reads hints; what stands twice is merged, as messages are.
fn read_hints<'a>(
    mut reader: Reader<'a>,
    limits: &Limits,
    view: &mut HintsView<'a>,
    grouping: &mut Vec<&'a str>,
) -> Result<(), DecodeError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            hints::STEP_MS => view.step_ms = reader.varint(field)? as i64,
            hints::FUNC => view.func = reader.string(field)?,
            hints::START_MS => view.start_ms = reader.varint(field)? as i64,
            hints::END_MS => view.end_ms = reader.varint(field)? as i64,
            hints::GROUPING => {
                check(Limit::Matchers, limits.max_matchers, grouping.len() + 1, field.offset())?;
                grouping.push(reader.string(field)?);
            }
            hints::BY => view.by = reader.varint(field)? != 0,
            hints::RANGE_MS => view.range_ms = reader.varint(field)? as i64,
            _ => reader.skip(field, 2)?,
        }
    }
    Ok(())
}

/// Writes a request and puts it into `into`, whose content is replaced. The bytes are those of the owned message.
///
/// `accepted_response_types` are numbers of [`ResponseType`](crate::prompb::ResponseType), the preferred one first.
pub fn encode_request(queries: &[QueryView<'_>], accepted_response_types: &[i32], into: &mut Vec<u8>) {
    into.clear();
    let mut guess = Guess::default();
    for query in queries {
        let open = Open::new(key(request::QUERIES, WireType::Delimited), guess, into);
        put_query(query, into);
        open.close(&mut guess, into);
    }
    // Numbers of enums are signed, and negative ones fill all 64 bits.
    let accepted = accepted_response_types.iter().map(|&number| i64::from(number) as u64);
    wire::put_varints_field(request::ACCEPTED_RESPONSE_TYPES, accepted, into);
}

fn put_query(query: &QueryView<'_>, into: &mut Vec<u8>) {
    let mut guess = Guess::default();
    wire::put_varint_field(query::START_TIMESTAMP_MS, query.start_ms as u64, into);
    wire::put_varint_field(query::END_TIMESTAMP_MS, query.end_ms as u64, into);
    for matcher in query.matchers {
        let open = Open::new(key(query::MATCHERS, WireType::Delimited), guess, into);
        wire::put_varint_field(matcher::TYPE, i64::from(matcher.op.to_wire()) as u64, into);
        wire::put_bytes_field(matcher::NAME, matcher.name.as_bytes(), into);
        wire::put_bytes_field(matcher::VALUE, matcher.value.as_bytes(), into);
        open.close(&mut guess, into);
    }
    if let Some(hints) = &query.hints {
        let open = Open::new(key(query::HINTS, WireType::Delimited), guess, into);
        wire::put_varint_field(hints::STEP_MS, hints.step_ms as u64, into);
        wire::put_bytes_field(hints::FUNC, hints.func.as_bytes(), into);
        wire::put_varint_field(hints::START_MS, hints.start_ms as u64, into);
        wire::put_varint_field(hints::END_MS, hints.end_ms as u64, into);
        for name in hints.grouping {
            // The empty one counts too.
            wire::put_message_header(hints::GROUPING, name.len(), into);
            into.extend_from_slice(name.as_bytes());
        }
        wire::put_varint_field(hints::BY, u64::from(hints.by), into);
        wire::put_varint_field(hints::RANGE_MS, hints.range_ms as u64, into);
        open.close(&mut guess, into);
    }
}
