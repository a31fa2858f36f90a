//! Why a read is refused or fails.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use promha_remote_proto::negotiate::NegotiateError;
use promha_remote_proto::{DecodeError, EncodeError};

use crate::common::selector::SelectorError;

/// An upstream that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The upstream's name.
    pub upstream: String,
    /// What happened.
    pub error: String,
}

/// Why a read is refused or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The headers of the request, or what it accepts.
    #[error("{0}")]
    Negotiate(#[from] NegotiateError),
    /// The body of the request.
    #[error("the body is not a snappy block that can be read: {0}")]
    Body(DecodeError),
    /// The message in the body.
    #[error("not a ReadRequest: {0}")]
    Message(DecodeError),
    /// A matcher is at fault.
    #[error("{0}")]
    Matcher(String),
    /// Groups that no replica answers for.
    #[error("{}", groups_text(.0))]
    Groups(Vec<(String, Vec<Failure>)>),
    /// A sampled answer would be too large to hold.
    #[error("exceeded sample limit ({limit}): ask for less, or for streamed chunks, which have no limit")]
    SampleLimit {
        /// The limit.
        limit: usize,
    },
    /// A sampled answer has no room on the wire.
    #[error("the answer cannot be sent: {0}")]
    AnswerSize(#[from] EncodeError),
    /// A chunk cannot be turned into samples.
    #[error("cannot answer with samples: {0}")]
    Chunk(String),
    /// The client has stopped reading: its upstreams are let go.
    #[error("the client has taken nothing for {stall:?}")]
    ClientStalled {
        /// How long it was waited for.
        stall: Duration,
    },
    /// The client went away; nobody reads this.
    #[error("the client closed the connection")]
    ClientGone,
}

impl ReadError {
    /// The HTTP status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Negotiate(error) => StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Body(error) | Self::Message(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Matcher(_) | Self::SampleLimit { .. } | Self::AnswerSize(_) => StatusCode::BAD_REQUEST,
            Self::Groups(_) | Self::Chunk(_) => StatusCode::BAD_GATEWAY,
            Self::ClientStalled { .. } | Self::ClientGone => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

impl From<SelectorError> for ReadError {
    fn from(error: SelectorError) -> Self {
        Self::Matcher(error.to_string())
    }
}

impl IntoResponse for ReadError {
    fn into_response(self) -> Response {
        (self.status(), format!("{self}\n")).into_response()
    }
}

fn groups_text(groups: &[(String, Vec<Failure>)]) -> String {
    let mut text = String::new();
    for (name, failures) in groups {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}no upstream of group {name} answers (");
        for (index, Failure { upstream, error }) in failures.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let _ = write!(text, "{separator}{upstream}: {error}");
        }
        text.push(')');
    }
    text
}
