//! The symbols of a write 2 request, each once.

use ahash::RandomState;

use crate::wire::fast::{WireType, key};
use crate::wire::open::header;
use crate::write::fields::v2;

const SYMBOL_KEY: u8 = key(v2::SYMBOLS, WireType::Delimited);

/// Keys of the hash. Who knows them can only slow down the encoding of what they sent themselves.
const SEEDS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

/// Strings that were seen, in the order in which they came, and how to find them again.
#[derive(Debug)]
pub(super) struct Symbols {
    /// The fields of the request, as they will be sent.
    wire: Vec<u8>,
    /// Where each string ends in `wire`, and how long it is.
    places: Vec<(usize, usize)>,
    /// Slots of a hash table: part of the hash and number of the symbol. A number of 0 is a free slot, because the
    /// empty string, which has it, is not looked up here.
    slots: Vec<(u32, u32)>,
    hasher: RandomState,
}

impl Default for Symbols {
    fn default() -> Self {
        let [a, b, c, d] = SEEDS;
        let hasher = RandomState::with_seeds(a, b, c, d);
        let mut symbols = Self { wire: Vec::new(), places: Vec::new(), slots: vec![(0, 0); 64], hasher };
        symbols.clear();
        symbols
    }
}

impl Symbols {
    /// The number of `text`, which is added if it is new. It may be `guess`, that of a neighbour: looking there first
    /// is cheaper than finding it.
    #[inline]
    pub(super) fn number_near(&mut self, text: &str, guess: u32) -> u32 {
        if self.is(guess, text) { guess } else { self.number(text) }
    }

    /// The number of `text`, which is added if it is new.
    #[inline]
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let hash = self.hasher.hash_one(text.as_bytes());
        let (mask, part) = (self.slots.len() - 1, (hash >> 32) as u32);
        let mut slot = hash as usize & mask;
        loop {
            let (found, number) = self.slots[slot];
            if number == 0 {
                return self.add(text, slot, part);
            }
            if found == part && same(self.bytes(number), text.as_bytes()) {
                return number;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Whether `number` is that of `text`.
    #[inline]
    fn is(&self, number: u32, text: &str) -> bool {
        self.places.get(number as usize).is_some_and(|&(_, length)| length == text.len())
            && same(self.bytes(number), text.as_bytes())
    }

    /// All symbols as fields of the request.
    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Forgets all but the empty string, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.wire.clear();
        self.places.clear();
        self.slots.fill((0, 0));
        self.push("");
    }

    #[inline]
    fn bytes(&self, number: u32) -> &[u8] {
        let (end, length) = self.places[number as usize];
        &self.wire[end - length..end]
    }

    #[cold]
    fn add(&mut self, text: &str, slot: usize, part: u32) -> u32 {
        // Memory ends long before numbers do.
        let number = self.places.len() as u32;
        self.push(text);
        self.slots[slot] = (part, number);
        if self.places.len() * 4 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn push(&mut self, text: &str) {
        header(SYMBOL_KEY, text.len(), &mut self.wire);
        self.wire.extend_from_slice(text.as_bytes());
        self.places.push((self.wire.len(), text.len()));
    }

    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(slots, (0, 0));
        for number in 1..self.places.len() as u32 {
            let hash = self.hasher.hash_one(self.bytes(number));
            let mut slot = hash as usize & (slots - 1);
            while self.slots[slot].1 != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = ((hash >> 32) as u32, number);
        }
    }
}

/// Whether two strings are the same, without a call for the usual lengths: this is asked for each name of each series.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() || a.len() > 64 {
        return a == b;
    }
    let (a_words, a_rest) = a.as_chunks::<8>();
    let (b_words, b_rest) = b.as_chunks::<8>();
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(a_last), Some(b_last)) => a_last == b_last && a_words.iter().zip(b_words).all(|(a, b)| a == b),
        _ => a_rest.iter().zip(b_rest).all(|(a, b)| a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_has_one_number() {
        let mut symbols = Symbols::default();
        for _ in 0..2 {
            assert_eq!(symbols.number(""), 0);
            for n in 0..5_000_u32 {
                assert_eq!(symbols.number(&format!("symbol {n}")), n + 1);
            }
            for n in (0..5_000_u32).rev() {
                assert_eq!(symbols.number(&format!("symbol {n}")), n + 1);
                assert!(symbols.is(n + 1, &format!("symbol {n}")));
                assert!(!symbols.is(n + 1, "symbol") && !symbols.is(n, &format!("symbol {n}")));
            }
            assert!(!symbols.is(5_001, "symbol 5001"));
            symbols.clear();
            assert_eq!(symbols.wire(), [SYMBOL_KEY, 0]);
        }
    }
}
