//! Which bytes belong to a name, and where quoted text ends.

/// May begin a label name.
const LABEL_START: u8 = 1;
/// May continue a label name.
const LABEL: u8 = 2;
/// May begin a metric name.
const METRIC_START: u8 = 4;
/// May continue a metric name.
const METRIC: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LABEL_START | LABEL | METRIC_START | METRIC,
            b'0'..=b'9' => LABEL | METRIC,
            b':' => METRIC_START | METRIC,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Where the metric name ends that begins at `at`; `at` if there is none.
#[inline]
pub(super) fn metric_name_end(bytes: &[u8], at: usize) -> usize {
    name_end(bytes, at, METRIC_START, METRIC)
}

/// Where the label name ends that begins at `at`; `at` if there is none.
#[inline]
pub(super) fn label_name_end(bytes: &[u8], at: usize) -> usize {
    name_end(bytes, at, LABEL_START, LABEL)
}

#[inline]
fn name_end(bytes: &[u8], mut at: usize, start: u8, continued: u8) -> usize {
    let has = |at: usize, class| bytes.get(at).is_some_and(|&byte| CLASSES[usize::from(byte)] & class != 0);
    if has(at, start) {
        at += 1;
        while has(at, continued) {
            at += 1;
        }
    }
    at
}

/// Where the first quote or backslash is from `at` on, or the end.
#[inline]
pub(super) fn quote_or_escape(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let found = zero_bytes(word ^ repeated(b'"')) | zero_bytes(word ^ repeated(b'\\'));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// Where the first byte is from `at` on that is neither blank nor tab.
#[inline]
pub(super) fn blanks_end(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of the lowest byte that is zero; above it there may be others that mean nothing.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}
