//! Label sets as words that sort as they do, and codes that say how one differs from another.
//!
//! A **key** is the text of a label set with every name and value ended by a byte that is below all others, cut
//! into words of six bytes. No escaping is needed for that: text is UTF-8, whose bytes are below 245, so two can
//! be added to each of them, which leaves 0 (nothing there) and 1 (the end of a name or value) free.
//!
//! An **offset-value code** of a key, relative to one that is not greater, is the place of the first word in
//! which they differ and that word, in one number: the sooner they differ, the greater, and then the greater the
//! word. Of two keys whose codes are relative to the same third one, the one with the smaller code is smaller,
//! and the code of the greater one then holds relative to the smaller one too. So a duel in a loser tree is one
//! comparison of numbers, and touches neither key; only if the codes are the same the words behind that place
//! are compared, and the loser's code is made anew. (Conner, *Offset-value coding*, IBM Technical Disclosure
//! Bulletin 20(7), 1977; Graefe and Do, *Offset-value coding in database query processing*, EDBT 2023.) Words are compared as a whole, never
//! in parts: were the first differing byte meant, the loser would have to fetch bytes of its key to keep its code right.

use std::cmp::Ordering;

use crate::labels::Labels;

const WORD_BYTES: usize = 6;
/// So many words behind the place of a code are next to it: together they are a cache line.
pub(crate) const NEAR_WORDS: usize = 7;
/// What is added to every byte of text, so that it is above both of these.
const SHIFT: u8 = 2;
const END: u8 = 1;
/// The bits of a code from here on hold the place, all but the highest one, which is 0; the others hold the word.
const PLACE_SHIFT: u32 = 48;
/// Places from here on are not told apart: codes that name it say nothing more.
const LAST_PLACE: usize = 0x7fff;

/// An offset-value code. Its order is the one of the keys, if both are relative to the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Code(u64);

impl Code {
    /// Of a source that has no more keys: after all others.
    pub(crate) const NONE: Self = Self(u64::MAX >> 1);
    /// Of a key that is not greater than the one before it.
    pub(crate) const DISORDER: Self = Self(Self::NONE.0 - 1);

    /// Relative to nothing at all.
    pub(crate) fn first(key: &[u64]) -> Self {
        Self::at(0, key.first())
    }

    /// A key differs first at this place, where it has this word, or no more.
    fn at(place: usize, word: Option<&u64>) -> Self {
        if place >= LAST_PLACE {
            return Self(0);
        }
        Self(((LAST_PLACE - place) as u64) << PLACE_SHIFT | word.copied().unwrap_or_default())
    }

    /// Where keys with this same code may still differ.
    pub(crate) fn rest(self) -> usize {
        match LAST_PLACE - (self.0 >> PLACE_SHIFT) as usize {
            LAST_PLACE => LAST_PLACE,
            place => place + 1,
        }
    }
}

/// The code of a key relative to the one before it.
pub(crate) fn code_after(before: &[u64], key: &[u64]) -> Code {
    match compare(before, key) {
        (Ordering::Less, same) => Code::at(same, key.get(same)),
        _ => Code::DISORDER,
    }
}

/// What is mostly all that is looked at of a key.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Key {
    /// How it differs from the one before it; the first from nothing at all.
    pub(crate) code: Code,
    /// The first words behind the place of that; 0, which is no word, where there are no more.
    near: [u64; NEAR_WORDS],
}

const _: () = assert!(size_of::<Key>() == 64);

impl Key {
    /// A key with that code, and those of its words that are not near.
    pub(crate) fn new(code: Code, words: &[u64]) -> (Self, &[u64]) {
        let behind = words.get(code.rest()..).unwrap_or_default();
        let (near, far) = behind.split_at(behind.len().min(NEAR_WORDS));
        let mut key = Self { code, near: [0; NEAR_WORDS] };
        key.near[..near.len()].copy_from_slice(near);
        (key, far)
    }

    /// The near words from a place on.
    pub(crate) fn near_from(&self, place: usize) -> &[u64] {
        let end = self.near.iter().position(|&word| word == 0).unwrap_or(NEAR_WORDS);
        self.near[..end].get(place.wrapping_sub(self.code.rest())..).unwrap_or_default()
    }

    /// The order of two keys that still have the code that they were given, and the code of the greater one relative to the other; if the
    /// near words tell.
    #[inline]
    pub(crate) fn order_near(&self, other: &Self) -> Option<(Ordering, Code)> {
        // Keys of different label sets soon differ, but where cannot be foreseen, nor which one is greater: so it is computed.
        let earlier = |same, place: usize| if self.near[place] == other.near[place] { same } else { place };
        let same = (0..NEAR_WORDS).rev().fold(NEAR_WORDS, earlier);
        let (word, other_word) = (self.near.get(same)?, other.near.get(same)?);
        let code = Code::at(self.code.rest() + same, Some(word.max(other_word)));
        Some((word.cmp(other_word), code))
    }
}

/// The order of two keys that have the same code, of which these are the words behind its place; and the code of the greater one
/// relative to the other.
pub(crate) fn order_same(
    code: Code,
    a: impl Iterator<Item = u64>,
    b: impl Iterator<Item = u64>,
) -> (Ordering, Code) {
    let (mut a, mut b, mut place) = (a, b, code.rest());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return (Ordering::Equal, code),
            (a, b) if a != b => return (a.cmp(&b), Code::at(place, a.max(b).as_ref())),
            _ => place += 1,
        }
    }
}

/// The order of words, and how many are the same before they differ.
fn compare(a: &[u64], b: &[u64]) -> (Ordering, usize) {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (a.get(same).cmp(&b.get(same)), same)
}

/// The label set of a key.
pub(crate) fn labels(key: &[u64]) -> Labels {
    let bytes: Vec<u8> = key.iter().flat_map(|word| word.to_be_bytes().into_iter().skip(2)).collect();
    let text = |part: &[u8]| part.iter().map(|byte| byte.wrapping_sub(SHIFT)).collect::<Vec<u8>>();
    let mut parts =
        bytes.split(|&byte| byte == END).map(|part| String::from_utf8_lossy(&text(part)).into_owned());
    // What follows the last end is no name.
    std::iter::from_fn(|| Some((parts.next()?, parts.next()?))).collect()
}

/// Makes keys of label sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyWriter {
    bytes: Vec<u8>,
}

impl KeyWriter {
    /// Appends the words of a label set.
    pub(crate) fn write(&mut self, labels: &[(&str, &str)], words: &mut Vec<u64>) {
        let bytes = &mut self.bytes;
        bytes.clear();
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(text.as_bytes());
            // It becomes the end below, where all bytes are shifted at once.
            bytes.push(END.wrapping_sub(SHIFT));
        }
        bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(SHIFT));
        let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
        words.extend(whole.iter().map(|&[a, b, c, d, e, f]| u64::from_be_bytes([0, 0, a, b, c, d, e, f])));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[2..][..rest.len()].copy_from_slice(rest);
            words.push(u64::from_be_bytes(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn key(labels: &[(String, String)]) -> Vec<u64> {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut words = Vec::new();
        KeyWriter::default().write(&labels, &mut words);
        words
    }

    fn label_set() -> impl Strategy<Value = Vec<(String, String)>> {
        btree_map("[ab\u{0}]{0,7}", "[x\u{0}\u{1}\u{2}é\u{10ffff}]{0,7}", 0..4)
            .prop_map(|labels| labels.into_iter().collect())
    }

    proptest! {
        #[test]
        fn keys_sort_as_label_sets_do(a in label_set(), b in label_set()) {
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn keys_can_be_read(set in label_set()) {
            prop_assert_eq!(labels(&key(&set)), set.iter().map(|(name, value)| (name, value)).collect());
        }

        /// What the codes rest on, for words as they come and at places that cannot be told apart.
        #[test]
        fn codes_order_keys_and_stay_right(
            mut keys in vec(vec(1..4u64, 0..20), 3),
            pad in prop_oneof![Just(0), LAST_PLACE - 3..LAST_PLACE + 2],
            alike in 0..20_usize,
        ) {
            // For otherwise two of them hardly have much in common that the third one has not.
            let [first, second, _] = &mut keys[..] else { unreachable!() };
            let alike = alike.min(first.len()).min(second.len());
            second[..alike].copy_from_slice(&first[..alike]);
            keys.iter_mut().for_each(|key| drop(key.splice(0..0, vec![7; pad])));
            keys.sort();
            let [base, small, large] = &keys[..] else { unreachable!() };
            if base == small || base == large {
                return Ok(());
            }
            let codes = (code_after(base, small), code_after(base, large));
            prop_assert!(codes.0 <= codes.1 && codes.1 < Code::DISORDER);
            let anew = if small == large { Code::DISORDER } else { code_after(small, large) };
            if codes.0 == codes.1 {
                let rest = |key: &[u64]| key.get(codes.0.rest()..).unwrap_or_default().to_vec();
                let (order, code) = order_same(codes.0, rest(small).into_iter(), rest(large).into_iter());
                prop_assert_eq!(order, small.cmp(large));
                prop_assert!(small == large || code == anew);
                let reversed = order_same(codes.0, rest(large).into_iter(), rest(small).into_iter());
                prop_assert_eq!(reversed, (order.reverse(), code));
                // And the near words say the same, if anything.
                let [small, large] = [small, large].map(|key| Key::new(codes.0, key).0);
                let near = small.order_near(&large);
                prop_assert!(near.is_none_or(|near| near == (order, code)));
                prop_assert_eq!(large.order_near(&small), near.map(|(order, code)| (order.reverse(), code)));
            } else {
                prop_assert_eq!(codes.1, anew);
            }
        }
    }

    #[test]
    fn a_key_not_greater_than_the_one_before_is_in_disorder() {
        for (before, key) in [(&[1, 2][..], &[1, 2][..]), (&[1, 2], &[1]), (&[1, 2], &[1, 1, 9]), (&[], &[])]
        {
            assert_eq!(code_after(before, key), Code::DISORDER, "{before:?} {key:?}");
        }
        assert_eq!(code_after(&[1], &[1, 0]), Code::at(1, Some(&0)));
    }
}
