//! What travels: the answer to a scrape of `/federate`.
//!
//! A [`Federation`] takes a [`Request`] and a [`Source`] of series and gives status, headers and body, as the handler
//! of Prometheus does (`web/federate.go`), in plain shapes, for whatever serves HTTP.
//!
//! ```
//! use promha_federate::exposition::write::Value;
//! use promha_federate::federation::{Federation, PlainSeries, Request, Sample};
//!
//! let series = [PlainSeries {
//!     labels: &[("__name__", "up"), ("job", "node")],
//!     samples: &[Sample { at_ms: 6_000_000, value: Value::Float(1.0) }],
//! }];
//! let federation = Federation::new(&[("replica", "a")]);
//! let request = Request::new("match[]=up&match[]=%7Bjob%3D%22node%22%7D", [("Accept", "text/plain")])?;
//! let mut body = Vec::new();
//! let head = federation.answer(&request, &series[..], 6_060_000, &mut body);
//! assert_eq!(head.status, 200);
//! assert_eq!(body, b"# TYPE up untyped\nup{job=\"node\",instance=\"\",replica=\"a\"} 1 6000000\n");
//! # Ok::<(), promha_federate::federation::RequestError>(())
//! ```

mod encoding;
mod gather;
mod negotiate;
mod request;
mod source;

use thiserror::Error;

use crate::exposition::write::{Escaping, WriteError, WriteFormat, Writer};
use crate::selector::{ParseError, Selector};
use gather::Gathered;

pub use encoding::ContentEncoding;
pub use negotiate::Release;
pub use request::{Request, RequestError};
pub use source::{PlainSeries, STALE_BITS, Sample, Source};

/// How far back a sample may lie if nothing else is said: five minutes, in milliseconds.
pub const DEFAULT_LOOKBACK_MS: i64 = 300_000;

/// How large a body may become if nothing else is said: 1 GiB.
pub const DEFAULT_MAX_BODY_BYTES: usize = 1 << 30;

/// How series are federated: which labels are added, and how far back a sample may lie.
#[derive(Debug, Clone)]
pub struct Federation {
    /// Sorted by name, with `instance`.
    external_labels: Vec<(String, String)>,
    lookback_ms: i64,
    max_body_bytes: usize,
    release: Release,
}

/// How an answer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 200, 400 for a selector that is none, or 500.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
}

/// Why there is no answer. Nothing of what has been written counts then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FederationError {
    /// A selector of the request is none.
    #[error("{0}")]
    Selector(#[from] ParseError),
    /// The source has failed.
    #[error("{text}")]
    Source {
        /// What it says.
        text: String,
    },
    /// A sample cannot be written.
    #[error("{name}: {error}")]
    Write {
        /// The name of the metric.
        name: String,
        /// What is wrong with it.
        error: WriteError,
    },
    /// The body has become too large.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// How large it may be.
        limit_bytes: usize,
    },
}

impl FederationError {
    /// The status to answer with.
    pub fn status(&self) -> u16 {
        match self {
            Self::Selector(_) => 400,
            Self::Source { .. } | Self::Write { .. } | Self::TooLarge { .. } => 500,
        }
    }
}

impl Federation {
    /// A federation that adds these labels to series that have none of the name. Where neither side has an `instance`,
    /// an empty one is added: a scraper with `honor_labels: true` then does not attach its own.
    pub fn new(external_labels: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let mut external_labels: Vec<_> = external_labels.iter().map(owned).collect();
        if !external_labels.iter().any(|label| label.0 == "instance") {
            external_labels.push(("instance".to_owned(), String::new()));
        }
        external_labels.sort();
        external_labels.dedup_by(|next, label| next.0 == label.0);
        Self {
            external_labels,
            lookback_ms: DEFAULT_LOOKBACK_MS,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            release: Release::default(),
        }
    }

    /// How far back a sample may lie, in milliseconds.
    #[must_use]
    pub fn lookback_ms(mut self, lookback_ms: i64) -> Self {
        self.lookback_ms = lookback_ms;
        self
    }

    /// How large a body may become before it is compressed.
    #[must_use]
    pub fn max_body_bytes(mut self, max_body_bytes: usize) -> Self {
        self.max_body_bytes = max_body_bytes;
        self
    }

    /// Which release of Prometheus to answer like.
    #[must_use]
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Answers a request at the time `now_ms`, in milliseconds since 1970. `body` is overwritten; its memory serves
    /// the next call.
    ///
    /// The body is complete before the status is known: what goes wrong is a status of its own, with the reason as
    /// text, and never the end of half a body. A request without selectors is answered with an empty body.
    pub fn answer<S: Source + ?Sized>(
        &self,
        request: &Request,
        source: &S,
        now_ms: i64,
        body: &mut Vec<u8>,
    ) -> Head {
        body.clear();
        match self.try_answer(request, source, now_ms, body) {
            Ok(headers) => Head { status: 200, headers },
            Err(error) => {
                body.clear();
                body.extend_from_slice(format!("{error}\n").as_bytes());
                let content_type = ("content-type", "text/plain; charset=utf-8".to_owned());
                let headers = vec![content_type, ("x-content-type-options", "nosniff".to_owned())];
                Head { status: error.status(), headers }
            }
        }
    }

    fn try_answer<S: Source + ?Sized>(
        &self,
        request: &Request,
        source: &S,
        now_ms: i64,
        body: &mut Vec<u8>,
    ) -> Result<Vec<(&'static str, String)>, FederationError> {
        let selectors = request.selectors.iter().map(|text| Selector::parse(text));
        let selectors: Vec<Selector> = selectors.collect::<Result<_, _>>()?;
        let (format, escaping) = negotiate::format(&request.accept, self.release);
        self.expose(&selectors, source, now_ms, format, escaping, body)?;
        let mut headers = vec![("content-type", negotiate::content_type(format, escaping, self.release))];
        let encoding = ContentEncoding::accepted(&request.accept_encoding);
        if let Some(name) = encoding.name().filter(|_| !body.is_empty()) {
            let compressed = encoding.compress(body);
            body.clear();
            body.extend_from_slice(&compressed);
            headers.push(("content-encoding", name.to_owned()));
        }
        Ok(headers)
    }

    /// Writes to the end of `out` what any of the selectors selects: of each series the newest sample from
    /// `now_ms` - lookback to `now_ms`, both included. A series whose newest sample is a stale marker is left out, and
    /// so is one without a name; histograms are left out where the format does not hold them. A selector without
    /// matchers selects nothing. Returns how many samples were written.
    ///
    /// Names come in the order of their bytes, the series of a name in the order of [`Source::Series`]; of a series
    /// first its own labels, then the external labels that it does not have. Takes O(n log n) for the n series that
    /// are selected, and memory for them and for their names.
    ///
    /// # Errors
    ///
    /// If the source fails, a sample cannot be written, or `out` would become larger than a body may be.
    pub fn expose<S: Source + ?Sized>(
        &self,
        selectors: &[Selector],
        source: &S,
        now_ms: i64,
        format: WriteFormat,
        escaping: Escaping,
        out: &mut Vec<u8>,
    ) -> Result<usize, FederationError> {
        let selecting = selectors.iter().filter(|selector| !selector.matchers().is_empty());
        let selecting: Vec<Selector> = selecting.cloned().collect();
        if selecting.is_empty() {
            return Ok(0);
        }
        let failed = |error: S::Error| FederationError::Source { text: error.to_string() };
        let gathered = Gathered::new(source, &selecting).map_err(failed)?;
        let from_ms = now_ms.saturating_sub(self.lookback_ms);
        let mut writer = Writer::new(format, escaping, out);
        let (mut family, mut labels, mut written) = (None, Vec::new(), 0);
        for (name, series) in gathered.iter() {
            let sample = source.newest(series, from_ms, now_ms).map_err(failed)?;
            let Some(Sample { at_ms, value }) = sample.filter(|sample| sample.travels(format)) else {
                continue;
            };
            if family != Some((name, value.kind())) {
                family = Some((name, value.kind()));
                writer.family(name, value.kind());
            }
            self.put_labels(source.labels(series), &mut labels);
            let write_failed = |error| FederationError::Write { name: name.to_owned(), error };
            writer.sample(&labels, Some(at_ms), &value).map_err(write_failed)?;
            written += 1;
            if writer.written_bytes() > self.max_body_bytes {
                return Err(FederationError::TooLarge { limit_bytes: self.max_body_bytes });
            }
        }
        writer.finish();
        Ok(written)
    }

    /// The labels of a series that are not empty, without its name; then the external labels that it does not have.
    fn put_labels<'a>(
        &'a self,
        own: impl Iterator<Item = (&'a str, &'a str)>,
        labels: &mut Vec<(&'a str, &'a str)>,
    ) {
        labels.clear();
        labels.extend(own.filter(|(name, value)| !value.is_empty() && *name != "__name__"));
        let (own, mut at) = (labels.len(), 0);
        for (name, value) in &self.external_labels {
            while at < own && labels[at].0 < name.as_str() {
                at += 1;
            }
            if at == own || labels[at].0 != name {
                labels.push((name, value));
            }
        }
    }
}
