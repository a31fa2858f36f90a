//! 65,536 neighbouring ids: the unit in which lists are stored and queries are evaluated.

/// How many ids a block spans.
pub(super) const IDS: usize = 1 << 16;
/// Words of a block's bits.
pub(super) const WORDS: usize = IDS / 64;
/// A list of more ids is kept as bits, although they take up to twice the space: they are combined many times faster.
pub(super) const MAX_ARRAY: usize = 2048;

/// One bit for each id of a block.
pub(super) type Bits = [u64; WORDS];

/// The ids of a list that lie in one block, by what they are within it.
#[derive(Debug, Clone)]
pub(super) enum Block {
    /// Few: sorted.
    Array(Vec<u16>),
    /// Many, and how many.
    Bits(Box<Bits>, u32),
}

/// What a list has in one block.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    /// Whole ids of the block, sorted.
    Ids(&'a [u32]),
    /// Ids within the block, sorted.
    Array(&'a [u16]),
    Bits(&'a Bits),
}

/// The block of an id.
pub(super) fn key(id: u32) -> u16 {
    (id >> 16) as u16
}

/// What an id is within its block.
pub(super) fn low(id: u32) -> u16 {
    id as u16
}

pub(super) fn has(bits: &Bits, low: u16) -> bool {
    bits[usize::from(low) / 64] >> (low % 64) & 1 == 1
}

pub(super) fn set(bits: &mut Bits, low: u16) {
    bits[usize::from(low) / 64] |= 1 << (low % 64);
}

pub(super) fn clear(bits: &mut Bits, low: u16) {
    bits[usize::from(low) / 64] &= !(1 << (low % 64));
}

pub(super) fn no_bits() -> Box<Bits> {
    Box::new([0; WORDS])
}

impl Block {
    pub(super) fn one(low: u16) -> Self {
        Self::Array(vec![low])
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Array(array) => array.len(),
            Self::Bits(_, len) => *len as usize,
        }
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Array(array) => array.capacity() * size_of::<u16>(),
            Self::Bits(..) => size_of::<Bits>(),
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        match self {
            Self::Array(array) => View::Array(array),
            Self::Bits(bits, _) => View::Bits(bits),
        }
    }

    /// Whether the id is new.
    pub(super) fn insert(&mut self, low: u16) -> bool {
        match self {
            Self::Array(array) => {
                let at = match array.last() {
                    Some(&last) if last < low => array.len(),
                    _ => match array.binary_search(&low) {
                        Ok(_) => return false,
                        Err(at) => at,
                    },
                };
                if array.len() == MAX_ARRAY {
                    let mut bits = no_bits();
                    array.iter().for_each(|&low| set(&mut bits, low));
                    set(&mut bits, low);
                    *self = Self::Bits(bits, MAX_ARRAY as u32 + 1);
                    return true;
                }
                if array.len() == array.capacity() {
                    array.reserve_exact(array.len() / 4 + 2);
                }
                array.insert(at, low);
                true
            }
            Self::Bits(bits, len) => {
                let new = !has(bits, low);
                set(bits, low);
                *len += u32::from(new);
                new
            }
        }
    }

    /// Whether the id was there.
    pub(super) fn remove(&mut self, low: u16) -> bool {
        match self {
            Self::Array(array) => match array.binary_search(&low) {
                Ok(at) => {
                    array.remove(at);
                    true
                }
                Err(_) => false,
            },
            Self::Bits(bits, len) => {
                let was = has(bits, low);
                clear(bits, low);
                *len -= u32::from(was);
                if *len as usize <= MAX_ARRAY / 2 {
                    let mut array = Vec::with_capacity(*len as usize);
                    for_each_bit(bits, |low| array.push(low));
                    *self = Self::Array(array);
                }
                was
            }
        }
    }
}

/// Calls `each` with every id of the bits, in order.
pub(super) fn for_each_bit(bits: &Bits, mut each: impl FnMut(u16)) {
    for (at, &word) in bits.iter().enumerate() {
        let mut word = word;
        while word != 0 {
            each((at * 64) as u16 | word.trailing_zeros() as u16);
            word &= word - 1;
        }
    }
}
