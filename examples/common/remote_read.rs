//! Asking a server over remote read.

use promha_remote_proto::negotiate::{self, Encoding};
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::read::{HintsView, MatcherView, QueryView, encode_request};
use promha_remote_proto::{EncodeError, body};
use reqwest::{Method, RequestBuilder, Url};

use super::http_client::{CredentialsError, HttpClient};
use super::selector::Matcher;

/// A query that does not borrow from the request it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// First millisecond since 1970.
    pub start_ms: i64,
    /// Last millisecond since 1970, included.
    pub end_ms: i64,
    /// All of these have to match.
    pub matchers: Vec<Matcher>,
    /// What the result is for.
    pub hints: Option<Hints>,
}

/// What whoever asks is going to do with the samples; see [`HintsView`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Step of the query, 0 for an instant query.
    pub step_ms: i64,
    /// The function or aggregation around the selector.
    pub func: String,
    /// First millisecond that matters.
    pub start_ms: i64,
    /// Last millisecond that matters.
    pub end_ms: i64,
    /// Names of the labels in the aggregation.
    pub grouping: Vec<String>,
    /// Whether `grouping` is `by`; otherwise it is `without`.
    pub by: bool,
    /// The range of the selector, 0 for an instant vector.
    pub range_ms: i64,
}

impl Query {
    /// Writes a request of this query alone, for an answer of one of `types`, the preferred one first.
    pub fn encode(&self, types: &[ResponseType], into: &mut Vec<u8>) {
        let Self { start_ms, end_ms, matchers, hints } = self;
        let matchers: Vec<MatcherView<'_>> = matchers.iter().map(Matcher::view).collect();
        let grouping: Vec<&str> =
            hints.iter().flat_map(|hints| &hints.grouping).map(String::as_str).collect();
        let hints = hints.as_ref().map(|hints| HintsView {
            step_ms: hints.step_ms,
            func: &hints.func,
            start_ms: hints.start_ms,
            end_ms: hints.end_ms,
            grouping: &grouping,
            by: hints.by,
            range_ms: hints.range_ms,
        });
        let query = QueryView { start_ms: *start_ms, end_ms: *end_ms, matchers: &matchers, hints };
        let types: Vec<i32> = types.iter().map(|&kind| kind.into()).collect();
        encode_request(&[query], &types, into);
    }
}

impl From<&QueryView<'_>> for Query {
    fn from(view: &QueryView<'_>) -> Self {
        Self {
            start_ms: view.start_ms,
            end_ms: view.end_ms,
            matchers: view.matchers.iter().map(Matcher::from).collect(),
            hints: view.hints.as_ref().map(Hints::from),
        }
    }
}

impl From<&HintsView<'_>> for Hints {
    fn from(view: &HintsView<'_>) -> Self {
        Self {
            step_ms: view.step_ms,
            func: view.func.to_owned(),
            start_ms: view.start_ms,
            end_ms: view.end_ms,
            grouping: view.grouping.iter().map(|&name| name.to_owned()).collect(),
            by: view.by,
            range_ms: view.range_ms,
        }
    }
}

/// Why a request cannot even be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It is too large for the wire.
    #[error("the query cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// Its credentials cannot be had.
    #[error("{0}")]
    Credentials(#[from] CredentialsError),
}

/// The request that asks the endpoint at `url` one query, and for an answer of one of `types`, the preferred one first.
///
/// # Errors
/// [`AskError`].
pub async fn ask(
    client: &HttpClient,
    url: &Url,
    query: &Query,
    types: &[ResponseType],
) -> Result<RequestBuilder, AskError> {
    let (mut message, mut packed) = (Vec::new(), Vec::new());
    query.encode(types, &mut message);
    body::compress(Encoding::Snappy, &message, &mut packed)?;
    let request = client.request(Method::POST, url.clone()).await?.body(packed);
    let headers = negotiate::READ_REQUEST_HEADERS.iter();
    Ok(headers.fold(request, |request, (name, value)| request.header(*name, *value)))
}

#[cfg(test)]
mod tests {
    use promha_remote_proto::read::{MatcherOp, RequestDecoder};

    use super::*;

    #[test]
    fn a_query_goes_out_as_it_came_in() {
        let hints = Hints {
            step_ms: 1,
            func: "sum".to_owned(),
            start_ms: 2,
            end_ms: 3,
            grouping: vec!["job".to_owned(), String::new()],
            by: true,
            range_ms: 4,
        };
        let matchers =
            vec![Matcher::new(MatcherOp::NotRegex, "a", "b.*"), Matcher::new(MatcherOp::Other(9), "", "")];
        for hints in [None, Some(hints)] {
            let query = Query { start_ms: -5, end_ms: 6, matchers: matchers.clone(), hints };
            let mut message = Vec::new();
            query.encode(&[ResponseType::StreamedXorChunks, ResponseType::Samples], &mut message);
            let mut decoder = RequestDecoder::default();
            let view = decoder.decode(&message).unwrap();
            assert_eq!(view.queries().map(|view| Query::from(&view)).collect::<Vec<_>>(), [query]);
            assert_eq!(view.accepted_response_types(), [1, 0]);
        }
    }
}
