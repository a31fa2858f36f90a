//! How a body is compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::negotiate::quality;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContentEncoding {
    /// Not at all.
    #[default]
    Identity,
    /// With gzip.
    Gzip,
    /// With zlib, which HTTP calls `deflate`.
    Deflate,
}

impl ContentEncoding {
    /// What the header `Accept-Encoding` wants most, of equals the first.
    ///
    /// ```
    /// use promha_federate::federation::ContentEncoding;
    ///
    /// assert_eq!(ContentEncoding::accepted("br, gzip, deflate"), ContentEncoding::Gzip);
    /// assert_eq!(ContentEncoding::accepted("gzip;q=0.5, deflate"), ContentEncoding::Deflate);
    /// assert_eq!(ContentEncoding::accepted("gzip;q=0"), ContentEncoding::Identity);
    /// ```
    pub fn accepted(accept_encoding: &str) -> Self {
        let (mut best, mut best_q) = (Self::Identity, 0.0);
        for coding in accept_encoding.split(',') {
            let (name, parameter) = coding.split_once(';').unwrap_or((coding, ""));
            let q = parameter.trim().strip_prefix("q=").map_or(1.0, quality);
            let found = [Self::Gzip, Self::Deflate].into_iter().find(|encoding| {
                encoding.name().is_some_and(|known| known.eq_ignore_ascii_case(name.trim()))
            });
            if let Some(found) = found.filter(|_| q > best_q) {
                (best, best_q) = (found, q);
            }
        }
        best
    }

    /// The name in headers; that a body is not compressed is not said.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
        }
    }

    /// The body, compressed. Takes time linear in its length.
    pub fn compress(self, body: &[u8]) -> Vec<u8> {
        // Text of metrics shrinks to a tenth, and writing to memory cannot fail.
        let out = Vec::with_capacity(body.len() / 8);
        let compressed = match self {
            Self::Identity => Ok(body.to_vec()),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        compressed.unwrap_or_default()
    }
}
