//! What is to be known of the messages by which two nodes compare what they know, without reading them.

/// What they begin with, before the length of the rest, and the kinds of them.
const CONTROL: &[u8] = b"\x0a\x06promha\x12";
const DIGEST_WANT_RANGES_LIST: [u8; 4] = [2, 3, 4, 5];

pub fn is_control(message: &[u8]) -> bool {
    message.starts_with(CONTROL)
}

/// Whether it asks for what its sender has not, or lets one see it.
pub fn asks(message: &[u8]) -> bool {
    let Some(control) = message.strip_prefix(CONTROL) else { return false };
    // The length is a varint of one byte or two.
    let control = &control[1 + usize::from(control[0] >> 7)..];
    control.get(1).is_some_and(|kind| DIGEST_WANT_RANGES_LIST.contains(kind))
}
