//! A set of texts that is quick to say no.

/// Some texts. Whether one of them is there takes a look at its length, and mostly one place of a table.
///
/// It takes the texts and 16 bytes for each, at most 24.
#[derive(Debug, Clone)]
pub(super) struct Set {
    /// All texts, one after the other.
    arena: Box<str>,
    /// By where they are in the table.
    slots: Box<[Slot]>,
    /// Bit `n` is set if there is a text of `n` bytes, the last bit for all longer ones.
    lengths: u64,
    /// How far the texts are from where their hash puts them, at most.
    max_distance: usize,
    /// By text if the hash does not spread them, and then without a table.
    sorted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    start: u32,
    /// One more than the length; nothing if there is no text.
    len_plus_one: u32,
}

const FREE: Slot = Slot { hash: 0, start: 0, len_plus_one: 0 };

/// A hash that puts more texts than this in one place is one that was chosen to.
const MAX_DISTANCE: usize = 64;

impl Set {
    /// A set of these texts, some of which may be the same. None if they are over 2 GiB.
    pub(super) fn new<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> Option<Self> {
        let bytes = texts.clone().map(str::len).sum();
        let count = texts.clone().count();
        if u32::try_from(bytes).is_err() || u32::try_from(count).is_err() {
            return None;
        }
        let mut arena = String::with_capacity(bytes);
        let lengths = texts.clone().fold(0, |lengths, text| lengths | length_bit(text.len()));
        let mut set = Self {
            arena: Box::default(),
            slots: vec![FREE; (count * 2).next_power_of_two().max(8)].into(),
            lengths: 0,
            max_distance: 0,
            sorted: false,
        };
        for text in texts.clone() {
            if !set.insert(text, &mut arena) {
                return Some(Self::sorted(texts, lengths));
            }
        }
        Some(Self { arena: arena.into(), lengths, ..set })
    }

    fn insert(&mut self, text: &str, arena: &mut String) -> bool {
        let hash = hash(text.as_bytes());
        let mask = self.slots.len() - 1;
        for distance in 0..MAX_DISTANCE {
            let slot = &mut self.slots[(hash as usize + distance) & mask];
            if slot.len_plus_one == 0 {
                *slot = Slot { hash, start: arena.len() as u32, len_plus_one: text.len() as u32 + 1 };
                arena.push_str(text);
                self.max_distance = self.max_distance.max(distance);
                return true;
            }
            if slot.hash == hash && slot.text(arena) == text {
                return true;
            }
        }
        false
    }

    fn sorted<'t>(texts: impl Iterator<Item = &'t str>, lengths: u64) -> Self {
        let mut texts: Vec<&str> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        let mut arena = String::new();
        let slot = |text: &&str| {
            let start = arena.len() as u32;
            arena.push_str(text);
            Slot { hash: 0, start, len_plus_one: text.len() as u32 + 1 }
        };
        let slots = texts.iter().map(slot).collect();
        Self { arena: arena.into(), slots, lengths, max_distance: 0, sorted: true }
    }

    #[inline]
    pub(super) fn contains(&self, text: &str) -> bool {
        if self.lengths & length_bit(text.len()) == 0 {
            return false;
        }
        if self.sorted {
            return self.slots.binary_search_by(|slot| slot.text(&self.arena).cmp(text)).is_ok();
        }
        let hash = hash(text.as_bytes());
        let mask = self.slots.len() - 1;
        for distance in 0..=self.max_distance {
            let slot = &self.slots[(hash as usize + distance) & mask];
            if slot.len_plus_one == 0 {
                return false;
            }
            if slot.hash == hash && slot.text(&self.arena) == text {
                return true;
            }
        }
        false
    }

    /// The texts, in no order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(|slot| slot.len_plus_one > 0).map(|slot| slot.text(&self.arena))
    }

    pub(super) fn len(&self) -> usize {
        self.texts().count()
    }
}

impl Slot {
    #[inline]
    fn text(self, arena: &str) -> &str {
        let start = self.start as usize;
        arena.get(start..start + self.len_plus_one as usize - 1).unwrap_or_default()
    }
}

#[inline]
fn length_bit(len: usize) -> u64 {
    1 << len.min(63)
}

/// Two multiplications for up to 16 bytes: the texts are short, and who asks for what is in the set knows it anyway.
#[inline]
fn hash(text: &[u8]) -> u32 {
    const K1: u64 = 0x9e37_79b9_7f4a_7c15;
    const K2: u64 = 0xd6e8_feb8_6659_fd93;
    let len = text.len();
    let (mut low, mut high) = (len as u64, 0);
    if let Some((first, _)) = text.split_first_chunk::<8>() {
        let mut rest = text;
        while rest.len() > 16
            && let Some((chunk, behind)) = rest.split_first_chunk::<8>()
        {
            low = (low ^ u64::from_le_bytes(*chunk)).wrapping_mul(K2).rotate_left(29);
            rest = behind;
        }
        let first = rest.first_chunk::<8>().unwrap_or(first);
        let last = text.last_chunk::<8>().unwrap_or(first);
        low ^= u64::from_le_bytes(*first).wrapping_mul(K1);
        high = u64::from_le_bytes(*last);
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        high = u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    } else if let [first, .., last] = text {
        high = u64::from(*first) << 16 | u64::from(text[len / 2]) << 8 | u64::from(*last);
    } else if let [only] = text {
        high = u64::from(*only);
    }
    let mixed = (low.rotate_left(23) ^ high).wrapping_mul(K1);
    (mixed >> 32) as u32 ^ (mixed as u32).rotate_left(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let texts: Vec<String> = (0..3000).map(|n| format!("{}{n}", "x".repeat(n % 70))).collect();
        let set = Set::new(texts.iter().map(String::as_str)).unwrap();
        assert!(!set.sorted);
        assert_eq!(set.len(), 3000);
        for text in &texts {
            assert!(set.contains(text));
            assert!(!set.contains(&format!("{text}y")));
            assert!(
                !set.contains(&text[..text.len() - 1]) || texts.contains(&text[..text.len() - 1].to_owned())
            );
        }
    }

    #[test]
    fn texts_that_hash_badly_are_sorted() {
        // Every text a hundred times is no harm, but a table without room is.
        let same = std::iter::repeat_n("same", 100);
        assert_eq!(Set::new(same).unwrap().len(), 1);
        let texts: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let set = Set::sorted(texts.iter().map(String::as_str), u64::MAX);
        assert!(texts.iter().all(|text| set.contains(text)) && !set.contains("x") && !set.contains("100"));
    }

    #[test]
    fn the_empty_text_and_none() {
        assert!(Set::new([""].into_iter()).unwrap().contains(""));
        assert!(!Set::new([].into_iter()).unwrap().contains(""));
    }
}
