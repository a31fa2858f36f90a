//! What messages are wrapped into, on packets and on streams: compression, encryption and a label, in this order.

use super::config::{CodecConfig, EncryptionVersion, MAX_LABEL_BYTES};
use super::error::{DecodeError, ErrorKind};
use super::keyring::Keyring;
use super::kind;
use super::lzw;
use super::msgpack::{self, Reader};
use super::nonce::Nonces;

/// Type and fields of a compressed message, up to its bytes.
const COMPRESS_HEADER: &[u8] = b"\x09\x82\xa4Algo\x00\xa3Buf";

/// The only way to compress that there is.
const LZW: u64 = 0;

/// Version and nonce before what is encrypted.
const SEALED_HEADER_BYTES: usize = 1 + NONCE_BYTES;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;

/// Type and length before what is encrypted on a stream.
pub(super) const STREAM_SEALED_HEADER_BYTES: usize = 5;

// --- Labels -----------------------------------------------------------------------------------------------------

/// How many bytes a label takes.
pub(super) fn label_bytes(label: &str) -> usize {
    if label.is_empty() { 0 } else { 2 + label.len() }
}

/// Appends a label, of at most 255 bytes; none if it is empty.
pub(super) fn write_label(label: &str, into: &mut Vec<u8>) {
    if !label.is_empty() {
        into.extend_from_slice(&[kind::LABEL, label.len() as u8]);
        into.extend_from_slice(label.as_bytes());
    }
}

/// How many bytes the label takes that the bytes begin with, which has to be the one that is expected.
pub(super) fn check_label(expected: &str, bytes: &[u8]) -> Result<usize, DecodeError> {
    let label = match bytes {
        [kind::LABEL, rest @ ..] => rest,
        _ if expected.is_empty() => return Ok(0),
        _ => return Err(DecodeError::new(ErrorKind::NoLabel, 0)),
    };
    let Some((&len, rest)) = label.split_first() else {
        return Err(truncated(2, bytes.len()));
    };
    let len = usize::from(len);
    match rest.get(..len) {
        _ if len == 0 => Err(DecodeError::new(ErrorKind::EmptyLabel, 0)),
        None => Err(truncated(2 + len, bytes.len())),
        Some(label) if label == expected.as_bytes() => Ok(2 + len),
        Some(_) => Err(DecodeError::new(ErrorKind::OtherLabel, 0)),
    }
}

// --- Compression ------------------------------------------------------------------------------------------------

/// How many bytes a compressed message takes that has so many compressed ones.
pub(super) fn compressed_bytes(compressed: usize) -> usize {
    COMPRESS_HEADER.len() + msgpack::bytes_header_bytes(compressed) + compressed
}

/// Appends a compressed message of compressed bytes.
pub(super) fn write_compressed(compressed: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(COMPRESS_HEADER);
    msgpack::write_raw(Some(compressed), into);
}

/// The compressed bytes of a compressed message, without its type.
pub(super) fn read_compressed(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let (mut algorithm, mut compressed) = (LZW, None);
    let mut reader = Reader::new(bytes);
    reader.fields(|name, value| {
        match name {
            b"Algo" => algorithm = value.number(u8::MAX.into())?,
            b"Buf" => compressed = value.raw()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    if algorithm != LZW {
        return Err(DecodeError::new(ErrorKind::Compression { found: algorithm as u8 }, 0));
    }
    Ok(compressed.unwrap_or_default())
}

/// Appends what a compressed message, without its type, holds; on an error nothing.
pub(super) fn decompress(
    bytes: &[u8],
    limit: usize,
    decoder: &mut lzw::Decoder,
    into: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let compressed = read_compressed(bytes)?;
    decoder.decode(compressed, limit, into)
}

// --- Encryption -------------------------------------------------------------------------------------------------

/// How many bytes more than the plain ones are encrypted ones, at most.
pub(super) fn sealed_overhead_bytes(version: EncryptionVersion) -> usize {
    match version {
        EncryptionVersion::Padded => SEALED_HEADER_BYTES + BLOCK_BYTES + TAG_BYTES,
        EncryptionVersion::Unpadded => SEALED_HEADER_BYTES + TAG_BYTES,
    }
}

/// How many bytes so many plain ones are, encrypted.
pub(super) fn sealed_bytes(version: EncryptionVersion, plain: usize) -> usize {
    SEALED_HEADER_BYTES + plain + padding(version, plain) + TAG_BYTES
}

fn padding(version: EncryptionVersion, plain: usize) -> usize {
    match version {
        EncryptionVersion::Padded => BLOCK_BYTES - plain % BLOCK_BYTES,
        EncryptionVersion::Unpadded => 0,
    }
}

/// Keys, and nonces for them.
#[derive(Debug)]
pub(super) struct Sealer {
    pub(super) keyring: Keyring,
    nonces: Nonces,
}

impl Sealer {
    pub(super) fn new(keyring: Keyring, first_nonce: [u8; NONCE_BYTES]) -> Self {
        Self { keyring, nonces: Nonces::new(first_nonce) }
    }

    /// Leaves room for what comes before the plain bytes, which are to be appended then.
    pub(super) fn begin(into: &mut Vec<u8>) {
        into.extend_from_slice(&[0; SEALED_HEADER_BYTES]);
    }

    /// Encrypts the bytes from `start` on, where [`begin`](Self::begin) left room.
    pub(super) fn seal(
        &mut self,
        version: EncryptionVersion,
        associated: &[u8],
        start: usize,
        into: &mut Vec<u8>,
    ) {
        let plain_at = start + SEALED_HEADER_BYTES;
        let padding = padding(version, into.len() - plain_at);
        into.resize(into.len() + padding, padding as u8);
        let nonce = self.nonces.next();
        into[start] = version as u8;
        into[start + 1..plain_at].copy_from_slice(&nonce);
        // It fails beyond 64 GiB only, which limits forbid; then it is a tag that nobody takes.
        let tag = self.keyring.encrypt(&nonce, associated, &mut into[plain_at..]);
        into.extend_from_slice(&tag.unwrap_or_default());
    }

    /// Decrypts the bytes where they are, and gives where the plain ones lie among them. On an error they are as they were.
    pub(super) fn open(
        &self,
        associated: &[u8],
        bytes: &mut [u8],
    ) -> Result<std::ops::Range<usize>, DecodeError> {
        let version = match bytes.first() {
            None => return Err(DecodeError::new(ErrorKind::Empty, 0)),
            Some(0) => EncryptionVersion::Padded,
            Some(1) => EncryptionVersion::Unpadded,
            Some(&found) => return Err(DecodeError::new(ErrorKind::EncryptionVersion { found }, 0)),
        };
        let available = bytes.len();
        let short = || truncated(sealed_bytes(version, 0), available);
        if available < sealed_bytes(version, 0) {
            return Err(short());
        }
        let (header, rest) = bytes.split_at_mut(SEALED_HEADER_BYTES);
        let Some((sealed, tag)) = rest.split_last_chunk_mut::<TAG_BYTES>() else { return Err(short()) };
        let Some(nonce) = header.last_chunk::<NONCE_BYTES>() else { return Err(short()) };
        if !self.keyring.decrypt(nonce, associated, sealed, tag) {
            let keys = self.keyring.keys().len();
            return Err(DecodeError::new(ErrorKind::Undecryptable { keys }, 0));
        }
        let mut end = SEALED_HEADER_BYTES + sealed.len();
        if let (EncryptionVersion::Padded, Some(&found)) = (version, sealed.last()) {
            if !(1..=BLOCK_BYTES).contains(&usize::from(found)) {
                return Err(DecodeError::new(ErrorKind::Padding { found }, end - 1));
            }
            end -= usize::from(found).min(sealed.len());
        }
        Ok(SEALED_HEADER_BYTES..end)
    }
}

/// What is encrypted on a stream vouches for its type and length, and the label.
pub(super) struct StreamAssociated {
    bytes: [u8; STREAM_SEALED_HEADER_BYTES + MAX_LABEL_BYTES],
    len: usize,
}

impl StreamAssociated {
    pub(super) fn new(sealed_bytes: u32, label: &str) -> Self {
        let mut bytes = [0; STREAM_SEALED_HEADER_BYTES + MAX_LABEL_BYTES];
        bytes[0] = kind::ENCRYPT;
        bytes[1..STREAM_SEALED_HEADER_BYTES].copy_from_slice(&sealed_bytes.to_be_bytes());
        let len = STREAM_SEALED_HEADER_BYTES + label.len();
        bytes[STREAM_SEALED_HEADER_BYTES..len].copy_from_slice(label.as_bytes());
        Self { bytes, len }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Keys for writing: none if nothing is to be encrypted.
pub(super) fn writing<'s>(config: &CodecConfig, sealer: &'s mut Option<Sealer>) -> Option<&'s mut Sealer> {
    sealer.as_mut().filter(|_| !config.send_plain)
}

fn truncated(needed: usize, available: usize) -> DecodeError {
    let (needed_bytes, available_bytes) = (needed as u64, available as u64);
    DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, 0)
}
