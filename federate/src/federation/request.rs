//! What a client asks for.

use thiserror::Error;

/// A request for `/federate`, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The parameters `match[]`.
    pub selectors: Vec<String>,
    /// The header `Accept`, empty if there is none.
    pub accept: String,
    /// The header `Accept-Encoding`, empty if there is none.
    pub accept_encoding: String,
}

/// Why the parameters of a request cannot be read. The status to answer with is 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A percent sign without two hexadecimal digits after it.
    #[error("error parsing form values: invalid URL escape {text:?}")]
    Escape {
        /// What stands there.
        text: String,
    },
    /// Parameters are separated with `&`.
    #[error("error parsing form values: invalid semicolon separator in query")]
    Semicolon,
    /// A selector that is not UTF-8.
    #[error("match[] is not UTF-8 after {valid_bytes} bytes")]
    Utf8 {
        /// How many bytes of it are.
        valid_bytes: usize,
    },
}

impl Request {
    /// Reads the query of a URL (what comes after its question mark) and headers, whose names are compared without
    /// regard to case; several of a name count as one list. A form that was posted is a query as well.
    ///
    /// # Errors
    ///
    /// If the query is no list of parameters.
    ///
    /// ```
    /// use promha_federate::federation::Request;
    ///
    /// let request = Request::new("match[]=up&match%5B%5D=%7Ba%3D%22b+c%22%7D", [("accept-encoding", "gzip")])?;
    /// assert_eq!(request.selectors, ["up", "{a=\"b c\"}"]);
    /// assert_eq!(request.accept_encoding, "gzip");
    /// assert!(Request::new("match[]=%x", []).is_err());
    /// # Ok::<(), promha_federate::federation::RequestError>(())
    /// ```
    pub fn new<'a>(
        query: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RequestError> {
        let mut request = Self::default();
        for parameter in query.split('&') {
            if parameter.contains(';') {
                return Err(RequestError::Semicolon);
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = decode(value)?;
            if decode(name)? == b"match[]" {
                let text = String::from_utf8(value)
                    .map_err(|error| RequestError::Utf8 { valid_bytes: error.utf8_error().valid_up_to() })?;
                request.selectors.push(text);
            }
        }
        for (name, value) in headers {
            let list = if name.eq_ignore_ascii_case("accept") {
                &mut request.accept
            } else if name.eq_ignore_ascii_case("accept-encoding") {
                &mut request.accept_encoding
            } else {
                continue;
            };
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(value);
        }
        Ok(request)
    }
}

/// Undoes what encodes a part of a query.
fn decode(text: &str) -> Result<Vec<u8>, RequestError> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
                let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                    let end = bytes.len().min(at + 3);
                    let text = String::from_utf8_lossy(&bytes[at..end]).into_owned();
                    return Err(RequestError::Escape { text });
                };
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            byte => decoded.push(byte),
        }
        at += 1;
    }
    Ok(decoded)
}
