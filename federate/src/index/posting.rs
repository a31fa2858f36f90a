//! The list of series that have something in common.

use std::slice;

use super::block::{self, Bits, Block, View};

/// A longer list may be worth blocks.
const MIN_BLOCKS_LEN: usize = 256;
/// Ids in each block from which on blocks take less space than whole ids.
const MIN_IDS_PER_BLOCK: usize = 24;

/// A set of series, sorted. Most lists of most indexes have one entry, so that one takes no memory of its own.
#[derive(Debug, Clone, Default)]
pub(super) enum Posting {
    #[default]
    Empty,
    One(u32),
    Plain(Box<Plain>),
    Blocks(Box<Blocks>),
}

#[derive(Debug, Clone)]
pub(super) struct Plain {
    ids: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    len: usize,
    /// Sorted; which block stands at the same place of `blocks`.
    keys: Vec<u16>,
    blocks: Vec<Block>,
}

impl Posting {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::Plain(plain) => plain.ids.len(),
            Self::Blocks(blocks) => blocks.len,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::Plain(plain) => size_of::<Plain>() + plain.ids.capacity() * size_of::<u32>(),
            Self::Blocks(blocks) => {
                let tables =
                    blocks.keys.capacity() * size_of::<u16>() + blocks.blocks.capacity() * size_of::<Block>();
                size_of::<Blocks>() + tables + blocks.blocks.iter().map(Block::memory_bytes).sum::<usize>()
            }
        }
    }

    /// All ids, if they stand next to each other in memory.
    pub(super) fn as_slice(&self) -> Option<&[u32]> {
        match self {
            Self::Empty => Some(&[]),
            Self::One(id) => Some(slice::from_ref(id)),
            Self::Plain(plain) => Some(&plain.ids),
            Self::Blocks(_) => None,
        }
    }

    /// Adds an id. Constant if it is the highest, otherwise linear in the ids of its block.
    pub(super) fn insert(&mut self, id: u32) {
        match self {
            Self::Empty => *self = Self::One(id),
            Self::One(one) if *one == id => {}
            Self::One(one) => {
                let ids = vec![id.min(*one), id.max(*one)];
                *self = Self::Plain(Box::new(Plain { ids }));
            }
            Self::Plain(plain) => {
                let ids = &mut plain.ids;
                let at = match ids.last() {
                    Some(&last) if last < id => ids.len(),
                    _ => match ids.binary_search(&id) {
                        Ok(_) => return,
                        Err(at) => at,
                    },
                };
                if ids.len() == ids.capacity() {
                    if worth_blocks(ids) {
                        let mut blocks = Blocks::default();
                        ids.iter().chain([&id]).for_each(|&id| blocks.insert(id));
                        *self = Self::Blocks(Box::new(blocks));
                        return;
                    }
                    ids.reserve_exact(ids.len() / 4 + 2);
                }
                ids.insert(at, id);
            }
            Self::Blocks(blocks) => blocks.insert(id),
        }
    }

    /// Takes an id away. Linear in the ids of its block.
    pub(super) fn remove(&mut self, id: u32) {
        match self {
            Self::Empty => {}
            Self::One(one) => {
                if *one == id {
                    *self = Self::Empty;
                }
            }
            Self::Plain(plain) => {
                if let Ok(at) = plain.ids.binary_search(&id) {
                    plain.ids.remove(at);
                }
                match plain.ids[..] {
                    [] => *self = Self::Empty,
                    [one] => *self = Self::One(one),
                    _ => {}
                }
            }
            Self::Blocks(blocks) => {
                blocks.remove(id);
                if blocks.len == 0 {
                    *self = Self::Empty;
                }
            }
        }
    }

    /// The first block from `from` on that the list has something in.
    pub(super) fn next_key(&self, from: u16) -> Option<u16> {
        match self {
            Self::Blocks(blocks) => blocks.keys.get(blocks.position(from).unwrap_or_else(|at| at)).copied(),
            _ => {
                let ids = self.as_slice().unwrap_or_default();
                let at = ids.partition_point(|&id| block::key(id) < from);
                ids.get(at).map(|&id| block::key(id))
            }
        }
    }

    /// What the list has in a block.
    pub(super) fn view(&self, key: u16) -> View<'_> {
        match self {
            Self::Blocks(blocks) => {
                blocks.position(key).map_or(View::Array(&[]), |at| blocks.blocks[at].view())
            }
            _ => {
                let ids = self.as_slice().unwrap_or_default();
                let start = ids.partition_point(|&id| block::key(id) < key);
                let len = ids[start..].partition_point(|&id| block::key(id) == key);
                View::Ids(&ids[start..start + len])
            }
        }
    }

    /// Whether most of it are bits, of which a whole block is read at once.
    pub(super) fn is_dense(&self) -> bool {
        match self {
            Self::Blocks(blocks) => blocks.len / blocks.keys.len().max(1) > block::MAX_ARRAY,
            _ => false,
        }
    }

    /// What is in any of the lists. Linear in their lengths.
    pub(super) fn union<'a>(lists: impl Iterator<Item = &'a Posting> + Clone) -> Posting {
        let total: usize = lists.clone().map(Posting::len).sum();
        if total <= MIN_BLOCKS_LEN {
            let mut ids = Vec::with_capacity(total);
            lists.for_each(|list| list.for_each(|id| ids.push(id)));
            ids.sort_unstable();
            ids.dedup();
            return match ids[..] {
                [] => Self::Empty,
                [one] => Self::One(one),
                _ => Self::Plain(Box::new(Plain { ids })),
            };
        }
        let mut all: Vec<Option<Box<Bits>>> = Vec::new();
        lists.for_each(|list| unite(list, &mut all));
        let mut united = Blocks::default();
        for (key, bits) in (0..=u16::MAX).zip(all) {
            let Some(bits) = bits else { continue };
            let len = bits.iter().map(|word| word.count_ones()).sum::<u32>();
            united.len += len as usize;
            united.keys.push(key);
            united.blocks.push(Block::Bits(bits, len));
        }
        Self::Blocks(Box::new(united))
    }

    pub(super) fn for_each(&self, mut each: impl FnMut(u32)) {
        match self {
            Self::Blocks(blocks) => {
                for (&key, block) in blocks.keys.iter().zip(&blocks.blocks) {
                    let base = u32::from(key) << 16;
                    match block {
                        Block::Array(array) => array.iter().for_each(|&low| each(base | u32::from(low))),
                        Block::Bits(bits, _) => block::for_each_bit(bits, |low| each(base | u32::from(low))),
                    }
                }
            }
            _ => self.as_slice().unwrap_or_default().iter().for_each(|&id| each(id)),
        }
    }
}

fn worth_blocks(ids: &[u32]) -> bool {
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return false };
    let spanned = usize::from(block::key(*last) - block::key(*first)) + 1;
    ids.len() >= MIN_BLOCKS_LEN && ids.len() / spanned >= MIN_IDS_PER_BLOCK
}

impl Blocks {
    /// Where a block stands, or would.
    fn position(&self, key: u16) -> Result<usize, usize> {
        // Most long lists have something everywhere.
        if self.keys.get(usize::from(key)) == Some(&key) {
            return Ok(key.into());
        }
        self.keys.binary_search(&key)
    }

    fn insert(&mut self, id: u32) {
        let (key, low) = (block::key(id), block::low(id));
        let at = match self.keys.last() {
            Some(&last) if last == key => Ok(self.keys.len() - 1),
            _ => self.position(key),
        };
        match at {
            Ok(at) => self.len += usize::from(self.blocks[at].insert(low)),
            Err(at) => {
                self.keys.insert(at, key);
                self.blocks.insert(at, Block::one(low));
                self.len += 1;
            }
        }
    }

    fn remove(&mut self, id: u32) {
        let Ok(at) = self.position(block::key(id)) else { return };
        self.len -= usize::from(self.blocks[at].remove(block::low(id)));
        if self.blocks[at].len() == 0 {
            self.keys.remove(at);
            self.blocks.remove(at);
        }
    }
}

/// Adds a list to the bits of the blocks.
fn unite(list: &Posting, to: &mut Vec<Option<Box<Bits>>>) {
    match list {
        Posting::Blocks(blocks) => {
            for (&key, block) in blocks.keys.iter().zip(&blocks.blocks) {
                let bits = bits_of(to, key);
                match block {
                    Block::Array(array) => array.iter().for_each(|&low| block::set(bits, low)),
                    Block::Bits(more, _) => {
                        bits.iter_mut().zip(more.iter()).for_each(|(all, more)| *all |= more)
                    }
                }
            }
        }
        _ => {
            for &id in list.as_slice().unwrap_or_default() {
                block::set(bits_of(to, block::key(id)), block::low(id));
            }
        }
    }
}

fn bits_of(blocks: &mut Vec<Option<Box<Bits>>>, key: u16) -> &mut Bits {
    let at = usize::from(key);
    if blocks.len() <= at {
        blocks.resize(at + 1, None);
    }
    blocks[at].get_or_insert_with(block::no_bits)
}
