//! Messages that are written before their length is known.

use crate::wire::{put_uvarint, uvarint_bytes};

/// A message in the making.
#[derive(Debug)]
pub(crate) struct Open {
    /// Where its length stands.
    at: usize,
    /// How many bytes were set aside for the length.
    width: usize,
}

/// How long the last message of a kind was, in bytes of its length: the best guess for the next one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guess(usize);

impl Open {
    /// Appends the key `key` and begins the message after it.
    #[inline]
    pub(crate) fn new(key: u8, guess: Guess, into: &mut Vec<u8>) -> Self {
        into.push(key);
        let (at, width) = (into.len(), guess.0.clamp(1, 10));
        into.extend_from_slice(&[0; 10][..width]);
        Self { at, width }
    }

    /// Ends the message with what was appended last. If the guess was wrong, it moves to make its length fit.
    #[inline]
    pub(crate) fn close(self, guess: &mut Guess, into: &mut Vec<u8>) {
        let start = self.at + self.width;
        let length = (into.len() - start) as u64;
        let width = uvarint_bytes(length);
        if width != self.width {
            guess.0 = width;
            let end = into.len();
            if width > self.width {
                into.resize(end + width - self.width, 0);
            }
            into.copy_within(start..end, self.at + width);
            into.truncate(end - self.width + width);
        }
        write_uvarint(length, &mut into[self.at..self.at + width]);
    }
}

/// Writes a varint that takes as many bytes as there are.
pub(crate) fn write_uvarint(value: u64, into: &mut [u8]) {
    let mut rest = value;
    let last = into.len() - 1;
    for byte in &mut into[..last] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    into[last] = rest as u8;
}

/// The key and the length of a message that stands already, to be written before it.
pub(crate) fn header(key: u8, length: usize, into: &mut Vec<u8>) {
    into.push(key);
    put_uvarint(length as u64, into);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_guess_gives_the_same_bytes() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_152] {
            for guess in 0..12 {
                let mut guess = Guess(guess);
                let mut bytes = b"before".to_vec();
                let open = Open::new(0x0a, guess, &mut bytes);
                bytes.resize(bytes.len() + length, 7);
                open.close(&mut guess, &mut bytes);
                let mut expected = b"before".to_vec();
                header(0x0a, length, &mut expected);
                expected.resize(expected.len() + length, 7);
                assert!(bytes == expected, "{length} bytes, guessed {guess:?}");
                let again = Open::new(0x0a, guess, &mut bytes);
                assert_eq!(again.width, uvarint_bytes(length as u64));
            }
        }
    }
}
