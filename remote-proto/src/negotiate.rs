//! Headers and versions: what to send, and what to make of what was sent.
//!
//! All content types, versions and status codes of the crate are here. Header names are in lower case, as
//! HTTP/2 wants them and HTTP/1 allows; compare names that come from elsewhere without regard to case.
//! Sources: the specifications of remote write 1 and 2 and of remote read
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>,
//! <https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/>) and `storage/remote` in Prometheus.
//!
//! ```
//! use promha_remote_proto::negotiate;
//! use promha_remote_proto::prompb::ResponseType;
//!
//! // A server of remote read:
//! negotiate::check_read_request(Some("application/x-protobuf"), Some("snappy"))?;
//! let response_type = negotiate::response_type(&[1, 0])?;
//! let (name, content_type) = negotiate::answer_headers(response_type)[0];
//! assert_eq!(name, negotiate::header::CONTENT_TYPE);
//!
//! // Its client:
//! assert_eq!(negotiate::answer_type(Some(content_type))?, ResponseType::StreamedXorChunks);
//!
//! // A receiver of remote write:
//! let version = negotiate::write_version(Some("application/x-protobuf"), Some("gzip"));
//! assert_eq!(version.unwrap_err().status(), 415);
//! # Ok::<(), negotiate::NegotiateError>(())
//! ```

mod answer;

use thiserror::Error;

use crate::error::{DecodeError, ErrorKind};
use crate::prompb::ResponseType;

pub use answer::{Outcome, RetryPolicy, Written};

/// Names of headers, in lower case.
pub mod header {
    /// What the body is.
    pub const CONTENT_TYPE: &str = "content-type";
    /// How the body is compressed.
    pub const CONTENT_ENCODING: &str = "content-encoding";
    /// How the body of the answer may be compressed.
    pub const ACCEPT_ENCODING: &str = "accept-encoding";
    /// Version of remote read, in requests.
    pub const READ_VERSION: &str = "x-prometheus-remote-read-version";
    /// Version of remote write, in requests.
    pub const WRITE_VERSION: &str = "x-prometheus-remote-write-version";
    /// Version of VictoriaMetrics' remote write, which is write 1 compressed with zstd.
    pub const VICTORIA_METRICS_WRITE_VERSION: &str = "x-victoriametrics-remote-write-version";
    /// How many samples of a write 2 request were written, in answers.
    pub const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";
    /// How many histograms of a write 2 request were written, in answers.
    pub const HISTOGRAMS_WRITTEN: &str = "x-prometheus-remote-write-histograms-written";
    /// How many exemplars of a write 2 request were written, in answers.
    pub const EXEMPLARS_WRITTEN: &str = "x-prometheus-remote-write-exemplars-written";
    /// When to try again, in answers: seconds, or a date.
    pub const RETRY_AFTER: &str = "retry-after";
}

/// Content type of everything that is one protobuf message: read and write 1 requests, answers with samples.
pub const PROTOBUF: &str = "application/x-protobuf";
/// Content type of a write 2 request.
pub const PROTOBUF_WRITE_V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
/// Content type of a streamed answer.
pub const STREAMED_PROTOBUF: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
/// Content encoding of everything but a streamed answer, which has none.
pub const SNAPPY: &str = "snappy";
/// Value of [`header::READ_VERSION`].
pub const READ_VERSION: &str = "0.1.0";

/// Content encoding of bodies that VictoriaMetrics sends to its own kind.
pub const ZSTD: &str = "zstd";

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// With snappy, in its block format: what the specifications want.
    #[default]
    Snappy,
    /// With zstd, between programs of VictoriaMetrics. Read and written only with the feature `zstd`.
    Zstd,
}

impl Encoding {
    /// The name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snappy => SNAPPY,
            Self::Zstd => ZSTD,
        }
    }
}

/// The encoding that a `Content-Encoding` means; none means snappy. [`body::decompress`](crate::body::decompress)
/// forgives one that is wrong.
///
/// # Errors
///
/// If it is another one, or zstd without the feature `zstd`.
///
/// ```
/// use promha_remote_proto::negotiate::{Encoding, content_encoding};
///
/// assert_eq!(content_encoding(None)?, Encoding::Snappy);
/// assert_eq!(content_encoding(Some("gzip")).unwrap_err().status(), 415);
/// # Ok::<(), promha_remote_proto::negotiate::NegotiateError>(())
/// ```
pub fn content_encoding(header: Option<&str>) -> Result<Encoding, NegotiateError> {
    match header.unwrap_or_default().trim() {
        "" => Ok(Encoding::Snappy),
        encoding if encoding.eq_ignore_ascii_case(SNAPPY) => Ok(Encoding::Snappy),
        encoding if cfg!(feature = "zstd") && encoding.eq_ignore_ascii_case(ZSTD) => Ok(Encoding::Zstd),
        encoding => Err(NegotiateError::ContentEncoding { found: clip(encoding) }),
    }
}

/// The headers that a request of remote read carries.
pub const READ_REQUEST_HEADERS: [(&str, &str); 4] = [
    (header::CONTENT_TYPE, PROTOBUF),
    (header::CONTENT_ENCODING, SNAPPY),
    (header::ACCEPT_ENCODING, SNAPPY),
    (header::READ_VERSION, READ_VERSION),
];

/// The headers of a write 1 request that is compressed with zstd, for receivers of VictoriaMetrics' kind.
/// Source: `app/vmagent/remotewrite/client.go` in VictoriaMetrics.
pub const ZSTD_WRITE_HEADERS: [(&str, &str); 3] = [
    (header::CONTENT_TYPE, PROTOBUF),
    (header::CONTENT_ENCODING, ZSTD),
    (header::VICTORIA_METRICS_WRITE_VERSION, "1"),
];

/// The content type of a streamed answer, as far as it decides what the answer is.
const STREAMED_MEDIA_TYPE: &str = "application/x-streamed-protobuf";

/// Version of remote write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteVersion {
    /// `prometheus.WriteRequest`
    V1,
    /// `io.prometheus.write.v2.Request`
    V2,
}

impl WriteVersion {
    /// The headers that a request of this version carries.
    pub fn headers(self) -> [(&'static str, &'static str); 3] {
        let (content_type, version) = match self {
            Self::V1 => (PROTOBUF, "0.1.0"),
            Self::V2 => (PROTOBUF_WRITE_V2, "2.0.0"),
        };
        [
            (header::CONTENT_TYPE, content_type),
            (header::CONTENT_ENCODING, SNAPPY),
            (header::WRITE_VERSION, version),
        ]
    }
}

/// The form that the answer to a read request has: the first one of its list that there is. An empty list means
/// samples. Numbers that nobody knows are passed over. As `NegotiateResponseType` in `storage/remote/codec.go`.
///
/// # Errors
///
/// If the list has none that there is.
///
/// ```
/// use promha_remote_proto::negotiate::response_type;
/// use promha_remote_proto::prompb::ResponseType;
///
/// assert_eq!(response_type(&[7, 1, 0])?, ResponseType::StreamedXorChunks);
/// assert_eq!(response_type(&[])?, ResponseType::Samples);
/// assert_eq!(response_type(&[7]).unwrap_err().status(), 400);
/// # Ok::<(), promha_remote_proto::negotiate::NegotiateError>(())
/// ```
pub fn response_type(accepted: &[i32]) -> Result<ResponseType, NegotiateError> {
    if accepted.is_empty() {
        return Ok(ResponseType::Samples);
    }
    let mut known = accepted.iter().filter_map(|&number| ResponseType::try_from(number).ok());
    known.next().ok_or(NegotiateError::ResponseType { first: accepted[0], count: accepted.len() })
}

/// The headers of an answer, `Content-Type` first. A streamed answer has no `Content-Encoding`.
pub fn answer_headers(response_type: ResponseType) -> &'static [(&'static str, &'static str)] {
    match response_type {
        ResponseType::Samples => &[(header::CONTENT_TYPE, PROTOBUF), (header::CONTENT_ENCODING, SNAPPY)],
        ResponseType::StreamedXorChunks => &[(header::CONTENT_TYPE, STREAMED_PROTOBUF)],
    }
}

/// The form of a successful answer with this `Content-Type`. What it begins with decides, as in Prometheus;
/// upper and lower case are the same.
///
/// # Errors
///
/// If it is missing or neither of the two.
pub fn answer_type(content_type: Option<&str>) -> Result<ResponseType, NegotiateError> {
    let found = content_type.unwrap_or_default();
    if begins_with(found, STREAMED_MEDIA_TYPE) {
        Ok(ResponseType::StreamedXorChunks)
    } else if begins_with(found, PROTOBUF) {
        Ok(ResponseType::Samples)
    } else {
        Err(NegotiateError::AnswerType { found: clip(found) })
    }
}

/// Whether the headers of a read request leave its body readable: protobuf, compressed with snappy. A missing
/// or empty header means just that, and so does the type of a streamed answer, which vmctl sends.
///
/// # Errors
///
/// If one of them says something else.
pub fn check_read_request(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
) -> Result<(), NegotiateError> {
    self::content_encoding(content_encoding)?;
    // vmctl announces the type of the answer that it wants as the type of its request.
    if content_type.is_some_and(|found| begins_with(found, STREAMED_MEDIA_TYPE)) {
        return Ok(());
    }
    match proto_parameter(content_type)? {
        None | Some("prometheus.ReadRequest") => Ok(()),
        Some(_) => Err(unsupported_type(content_type)),
    }
}

/// The version of a write request with these headers. Without a `Content-Type` or without its parameter `proto`
/// it is version 1; without a `Content-Encoding` it is compressed with snappy. As `parseProtoMsg` in
/// `storage/remote/write_handler.go`, but blanks around the parameter and upper case are accepted too.
///
/// # Errors
///
/// If one of the headers says something else.
pub fn write_version(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
) -> Result<WriteVersion, NegotiateError> {
    self::content_encoding(content_encoding)?;
    match proto_parameter(content_type)? {
        None | Some("prometheus.WriteRequest") => Ok(WriteVersion::V1),
        Some("io.prometheus.write.v2.Request") => Ok(WriteVersion::V2),
        Some(_) => Err(unsupported_type(content_type)),
    }
}

/// Why a request or an answer is not one that this crate reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NegotiateError {
    /// A request with another content type.
    #[error("content type {found:?} is not supported, expected {PROTOBUF}")]
    ContentType {
        /// The header, at most its first 128 characters.
        found: String,
    },
    /// A request with another content encoding.
    #[error("content encoding {found:?} is not supported, expected {SNAPPY}")]
    ContentEncoding {
        /// The header, at most its first 128 characters.
        found: String,
    },
    /// A read request that accepts only answers that there are not.
    #[error(
        "none of the {count} accepted response types is supported (the first is {first}), there are 0 and 1"
    )]
    ResponseType {
        /// The number of the first one.
        first: i32,
        /// How many the request accepts.
        count: usize,
    },
    /// A header that should say how much was written, and is no number.
    #[error("header {name} is {found:?}, which is not a number")]
    Written {
        /// The name of the header.
        name: &'static str,
        /// The header, at most its first 128 characters.
        found: String,
    },
    /// An answer with another content type.
    #[error("content type {found:?} of the answer is neither {PROTOBUF} nor {STREAMED_MEDIA_TYPE}")]
    AnswerType {
        /// The header, at most its first 128 characters; empty if it was missing.
        found: String,
    },
}

impl NegotiateError {
    /// The status to answer with: 415 for headers of a request, 400 for its list of response types, and 502 for
    /// an answer that was fetched from elsewhere.
    pub fn status(&self) -> u16 {
        match self {
            Self::ContentType { .. } | Self::ContentEncoding { .. } => 415,
            Self::ResponseType { .. } => 400,
            Self::AnswerType { .. } | Self::Written { .. } => 502,
        }
    }
}

impl DecodeError {
    /// The status to answer with if the bytes are the body of a request: 415 if it is compressed in a way that is not
    /// built in, and 400 for all else that is wrong with it. A body that is too large has none of its own (413), as
    /// in Prometheus: senders give up on either.
    pub fn status(&self) -> u16 {
        match self.kind() {
            ErrorKind::NoZstd => 415,
            _ => 400,
        }
    }
}

fn begins_with(content_type: &str, media_type: &str) -> bool {
    content_type.get(..media_type.len()).is_some_and(|start| start.eq_ignore_ascii_case(media_type))
}

/// The parameter `proto` of a content type that is protobuf.
fn proto_parameter(content_type: Option<&str>) -> Result<Option<&str>, NegotiateError> {
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let missing = content_type.is_none_or(|found| found.trim().is_empty());
    if !missing && !media_type.eq_ignore_ascii_case(PROTOBUF) {
        return Err(unsupported_type(content_type));
    }
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            return Err(unsupported_type(content_type));
        };
        if name.trim().eq_ignore_ascii_case("proto") {
            return Ok(Some(value.trim().trim_matches('"')));
        }
    }
    Ok(None)
}

#[cold]
fn unsupported_type(content_type: Option<&str>) -> NegotiateError {
    NegotiateError::ContentType { found: clip(content_type.unwrap_or_default()) }
}

/// As much of a header as fits into a message.
fn clip(header: &str) -> String {
    header.chars().take(128).collect()
}
