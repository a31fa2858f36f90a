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
/// So many words behind the place of a code are compared at once.
pub(crate) const NEAR_WORDS: usize = 8;
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

    /// The difference of two codes: below 0 if this one is the smaller, 0 if they are the same.
    pub(crate) fn minus(self, other: Self) -> i64 {
        // Neither has the highest bit, so nothing overflows.
        self.0.wrapping_sub(other.0) as i64
    }

    /// The code from which this one differs by so much.
    pub(crate) fn plus(self, difference: i64) -> Self {
        Self(self.0.wrapping_add(difference as u64))
    }

    /// Where keys with this same code may still differ.
    pub(crate) fn rest(self) -> usize {
        match LAST_PLACE - (self.0 >> PLACE_SHIFT) as usize {
            LAST_PLACE => LAST_PLACE,
            place => place + 1,
        }
    }
}

/// The end of a key behind the place of a code: all of it that is compared again. For later codes are relative to keys that
/// are not smaller, with which it has at least as much in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest<'a> {
    /// The place of its first word in the key.
    pub(crate) start: usize,
    pub(crate) words: &'a [u64],
}

impl<'a> Rest<'a> {
    fn from(self, place: usize) -> &'a [u64] {
        self.words.get(place - self.start..).unwrap_or_default()
    }
}

/// The code of a key relative to the one before it.
pub(crate) fn code_after(before: &[u64], key: &[u64]) -> Code {
    match compare(before, key) {
        (Ordering::Less, same) => Code::at(same, key.get(same)),
        _ => Code::DISORDER,
    }
}

/// The order of two keys that have the same code, and the code of the greater one relative to the other.
#[inline]
pub(crate) fn order_same(code: Code, a: Rest<'_>, b: Rest<'_>) -> (Ordering, Code) {
    let start = code.rest();
    let (a, b) = (a.from(start), b.from(start));
    let (order, same) = compare(a, b);
    match order {
        Ordering::Less => (order, Code::at(start + same, b.get(same))),
        Ordering::Greater => (order, Code::at(start + same, a.get(same))),
        Ordering::Equal => (order, code),
    }
}

/// The order of words, and how many are the same before they differ.
fn compare(a: &[u64], b: &[u64]) -> (Ordering, usize) {
    // Keys of different label sets soon differ, but where cannot be foreseen: so it is computed.
    if let (Some(a), Some(b)) = (a.first_chunk::<NEAR_WORDS>(), b.first_chunk::<NEAR_WORDS>()) {
        let earlier = |same, place| if a[place] == b[place] { same } else { place };
        let same = (0..NEAR_WORDS).rev().fold(NEAR_WORDS, earlier);
        if same < NEAR_WORDS {
            return (a[same].cmp(&b[same]), same);
        }
    }
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
            mut keys in vec(vec(0..3u64, 0..6), 3),
            pad in prop_oneof![Just(0), LAST_PLACE - 3..LAST_PLACE + 2],
            earlier in 0..usize::MAX,
        ) {
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
                // As an arena has them: behind the place of a code that they had before.
                let start = earlier % (codes.0.rest() + 1);
                let [small_rest, large_rest] = [small, large]
                    .map(|key| Rest { start, words: key.get(start..).unwrap_or_default() });
                let (order, code) = order_same(codes.0, small_rest, large_rest);
                prop_assert_eq!(order, small.cmp(large));
                prop_assert!(small == large || code == anew);
                prop_assert_eq!(order_same(codes.0, large_rest, small_rest), (order.reverse(), code));
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
