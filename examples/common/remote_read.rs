//! Asking a server over remote read.

use promha_remote_proto::prompb::{Query, ReadRequest, ResponseType};
use promha_remote_proto::{EncodeError, negotiate, snappy};
use prost::Message;
use reqwest::{Method, RequestBuilder, Url};

use super::http_client::{CredentialsError, HttpClient};

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
    query: Query,
    types: &[ResponseType],
) -> Result<RequestBuilder, AskError> {
    let accepted_response_types = types.iter().map(|&kind| kind.into()).collect();
    let message = ReadRequest { queries: vec![query], accepted_response_types };
    let mut body = Vec::new();
    snappy::compress(&message.encode_to_vec(), &mut body)?;
    let request = client.request(Method::POST, url.clone()).await?.body(body);
    let headers = negotiate::READ_REQUEST_HEADERS.iter();
    Ok(headers.fold(request, |request, (name, value)| request.header(*name, *value)))
}
