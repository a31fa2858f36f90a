//! Bodies of requests and answers: compressed one way or the other, and not always the way their header says.

use crate::error::{DecodeError, EncodeError, Limit};
use crate::limits::{Limits, check};
use crate::negotiate::Encoding;
use crate::snappy;

/// Decompresses `body` into `into` and returns what it holds.
///
/// If it is not compressed as `encoding` says, the other encoding is tried, because there are senders whose header is
/// wrong (<https://github.com/VictoriaMetrics/VictoriaMetrics/issues/5301>). `into` is overwritten; its memory serves
/// the next call, and only zstd takes further memory. What is over the limits is refused before memory is taken for it.
/// Takes time linear in input and output.
///
/// # Errors
///
/// If the body is damaged or over [`Limits::max_body_bytes`] or [`Limits::max_message_bytes`]; the error is that of
/// the encoding in the header, and `into` is then empty.
///
/// ```
/// use promha_remote_proto::negotiate::Encoding;
/// use promha_remote_proto::{Limits, body};
///
/// let (mut packed, mut plain) = (Vec::new(), Vec::new());
/// body::compress(Encoding::Snappy, b"message", &mut packed)?;
/// assert_eq!(body::decompress(Encoding::Zstd, &packed, &Limits::default(), &mut plain)?, b"message");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decompress<'b>(
    encoding: Encoding,
    body: &[u8],
    limits: &Limits,
    into: &'b mut Vec<u8>,
) -> Result<&'b [u8], DecodeError> {
    into.clear();
    check(Limit::BodyBytes, limits.max_body_bytes, body.len(), 0)?;
    if let Err(error) = decompress_as(encoding, body, limits, into) {
        let other = match encoding {
            Encoding::Snappy => Encoding::Zstd,
            Encoding::Zstd => Encoding::Snappy,
        };
        decompress_as(other, body, limits, into).map_err(|_| error)?;
    }
    Ok(into)
}

/// Compresses `message`. `into` is overwritten; its memory serves the next call. Takes time linear in the size of the
/// message, and memory that is given back; [`snappy::Compressor`] keeps it.
///
/// # Errors
///
/// If the message is so long that snappy has no way to say it (3.4 GiB), or if this crate was built without the
/// feature `zstd` and is asked for it; `into` is then empty.
pub fn compress(encoding: Encoding, message: &[u8], into: &mut Vec<u8>) -> Result<(), EncodeError> {
    match encoding {
        Encoding::Snappy => snappy::compress(message, into),
        Encoding::Zstd => zstd::compress(message, into),
    }
}

fn decompress_as(
    encoding: Encoding,
    body: &[u8],
    limits: &Limits,
    into: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    match encoding {
        Encoding::Snappy => snappy::decompress(body, limits.max_message_bytes, into).map(drop),
        Encoding::Zstd => zstd::decompress(body, limits.max_message_bytes, into),
    }
}

#[cfg(feature = "zstd")]
mod zstd {
    use std::io::Read;

    use crate::error::{DecodeError, EncodeError, ErrorKind, Limit};
    use crate::limits::check;

    /// How far back a body may refer: 8 MiB, what every decoder has to support (RFC 8878).
    const WINDOW_LOG_MAX: u32 = 23;

    /// The fastest level; what it leaves is not worth the time on this path.
    const LEVEL: i32 = 1;

    /// How much is decompressed at a time.
    const STEP_BYTES: usize = 64 << 10;

    pub(super) fn decompress(body: &[u8], limit_bytes: usize, into: &mut Vec<u8>) -> Result<(), DecodeError> {
        into.clear();
        if body.is_empty() {
            return Err(DecodeError::new(ErrorKind::EmptyBody, 0));
        }
        read(body, limit_bytes, into).inspect_err(|_| into.clear())
    }

    fn read(body: &[u8], limit_bytes: usize, into: &mut Vec<u8>) -> Result<(), DecodeError> {
        if let Ok(Some(declared)) = zstd::zstd_safe::get_frame_content_size(body) {
            let declared = usize::try_from(declared).unwrap_or(usize::MAX);
            check(Limit::DecompressedBytes, limit_bytes, declared, 0)?;
        }
        let damaged = |_| DecodeError::new(ErrorKind::Zstd, 0);
        let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(damaged)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(damaged)?;
        loop {
            let length = into.len();
            into.resize(length + STEP_BYTES, 0);
            let read = decoder.read(&mut into[length..]).map_err(damaged)?;
            into.truncate(length + read);
            check(Limit::DecompressedBytes, limit_bytes, into.len(), 0)?;
            if read == 0 {
                return Ok(());
            }
        }
    }

    pub(super) fn compress(message: &[u8], into: &mut Vec<u8>) -> Result<(), EncodeError> {
        into.clear();
        into.resize(zstd::zstd_safe::compress_bound(message.len()), 0);
        match zstd::bulk::compress_to_buffer(message, into, LEVEL) {
            Ok(length) => {
                into.truncate(length);
                Ok(())
            }
            // There is room for the worst case, so this does not happen; what remains is to say no.
            Err(_) => {
                into.clear();
                Err(EncodeError::NoZstd)
            }
        }
    }
}

#[cfg(not(feature = "zstd"))]
mod zstd {
    use crate::error::{DecodeError, EncodeError, ErrorKind};

    pub(super) fn decompress(_body: &[u8], _limit: usize, into: &mut Vec<u8>) -> Result<(), DecodeError> {
        into.clear();
        Err(DecodeError::new(ErrorKind::NoZstd, 0))
    }

    pub(super) fn compress(_message: &[u8], into: &mut Vec<u8>) -> Result<(), EncodeError> {
        into.clear();
        Err(EncodeError::NoZstd)
    }
}
