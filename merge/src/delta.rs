//! Label sets as what is new in them since the one before.
//!
//! Sources with the same series mostly have the same neighbours, too. Once two of them were found equal, the next ones
//! are equal if the same was changed; and from one to the next a few bytes change where a label set has hundreds.
//!
//! A **delta** is a sequence of bytes, filled up with zeros to whole words. If the names are the same as before it lists
//! the values that are not: the number of the pair, counted from 1, how many bytes at the start and at the end of the
//! value stay, how many others stand between, and these. Else it is a zero, the number of pairs plus one, and each name
//! and value behind its length. There is one delta only for what comes after a given label set, and it can be read in one
//! way only: so label sets are equal, byte by byte, if those before them are and their deltas are.

use std::iter::zip;

/// Numbers below it are one byte, all others are this byte and eight more.
const LARGE: u8 = u8::MAX;

/// Makes deltas.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeltaWriter {
    bytes: Vec<u8>,
}

impl DeltaWriter {
    /// Appends the words of a delta. They are none if nothing is new.
    pub(crate) fn write<'b>(
        &mut self,
        before: impl ExactSizeIterator<Item = (&'b str, &'b str)>,
        labels: &[(&str, &str)],
        words: &mut Vec<u64>,
    ) {
        self.bytes.clear();
        if before.len() != labels.len() || !self.write_values(before, labels) {
            self.write_whole(labels);
        }
        let (whole, rest) = self.bytes.as_chunks();
        words.extend(whole.iter().copied().map(u64::from_le_bytes));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            words.push(u64::from_le_bytes(last));
        }
    }

    /// False if it cannot be done, because a name is new.
    fn write_values<'b>(
        &mut self,
        before: impl Iterator<Item = (&'b str, &'b str)>,
        labels: &[(&str, &str)],
    ) -> bool {
        for (number, ((name_before, before), &(name, value))) in zip(1.., zip(before, labels)) {
            if name_before != name {
                return false;
            }
            if before == value {
                continue;
            }
            let (before, value) = (before.as_bytes(), value.as_bytes());
            let start = zip(before, value).take_while(|(a, b)| a == b).count();
            let (before, value) = (&before[start..], &value[start..]);
            let end = zip(before.iter().rev(), value.iter().rev()).take_while(|(a, b)| a == b).count();
            let new = &value[..value.len() - end];
            [number, start, end].into_iter().for_each(|number| self.write_number(number));
            self.write_bytes(new);
        }
        true
    }

    fn write_whole(&mut self, labels: &[(&str, &str)]) {
        self.bytes.clear();
        self.bytes.push(0);
        self.write_number(labels.len() + 1);
        labels
            .iter()
            .flat_map(|(name, value)| [name, value])
            .for_each(|text| self.write_bytes(text.as_bytes()));
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        self.write_number(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn write_number(&mut self, number: usize) {
        match u8::try_from(number) {
            Ok(number) if number < LARGE => self.bytes.push(number),
            _ => {
                self.bytes.push(LARGE);
                self.bytes.extend((number as u64).to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    type Set = Vec<(String, String)>;

    fn delta(before: &Set, set: &Set) -> Vec<u64> {
        fn pairs(set: &Set) -> Vec<(&str, &str)> {
            set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
        let mut words = Vec::new();
        DeltaWriter::default().write(pairs(before).into_iter(), &pairs(set), &mut words);
        words
    }

    /// The label set behind another one. `None` if that cannot be.
    fn read(before: &Set, delta: &[u64]) -> Option<Set> {
        let bytes: Vec<u8> = delta.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut bytes = bytes.as_slice();
        match *bytes {
            [0, ref rest @ ..] => {
                bytes = rest;
                let pairs = number(&mut bytes)? - 1;
                let mut text = || {
                    let length = number(&mut bytes)?;
                    String::from_utf8(bytes.split_off(..length)?.to_vec()).ok()
                };
                (0..pairs).map(|_| Some((text()?, text()?))).collect()
            }
            _ => {
                let mut set = before.clone();
                while let Some(pair) = number(&mut bytes).filter(|&pair| pair != 0) {
                    let value = &mut set.get_mut(pair - 1)?.1;
                    let (start, end, new) = (number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?);
                    let new = bytes.split_off(..new)?;
                    let old = value.as_bytes();
                    let parts = [&old[..start], new, &old[old.len() - end..]];
                    *value = String::from_utf8(parts.concat()).ok()?;
                }
                Some(set)
            }
        }
    }

    fn number(bytes: &mut &[u8]) -> Option<usize> {
        match *bytes.split_off_first()? {
            LARGE => {
                let (number, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                usize::try_from(u64::from_le_bytes(*number)).ok()
            }
            number => Some(usize::from(number)),
        }
    }

    fn set() -> impl Strategy<Value = Set> {
        let value = prop_oneof![4 => "[ab\u{0}é]{0,9}", 1 => "[ab]{250,260}"];
        btree_map("[abc]", value, 0..4).prop_map(|labels| labels.into_iter().collect())
    }

    proptest! {
        /// What equality rests on: no two label sets behind the same one have the same delta.
        #[test]
        fn a_delta_says_all(before in set(), set in set()) {
            let delta = delta(&before, &set);
            prop_assert_eq!(read(&before, &delta), Some(set.clone()));
            prop_assert_eq!(delta.is_empty(), before == set);
        }

        #[test]
        fn a_few_values_are_a_few_words(before in vec("[a-z]{20}", 12), changed in 0..12usize) {
            let before: Set = (b'a'..).zip(before).map(|(name, value)| (char::from(name).into(), value)).collect();
            let mut set = before.clone();
            set[changed].1.replace_range(7..9, "42");
            prop_assert_eq!(delta(&before, &set).len(), 1);
        }
    }
}
