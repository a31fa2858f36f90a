//! What is to happen, in order of time: a hierarchy of slots, each level a thousand times as coarse as the one below it, so that an event
//! is put down in O(1) and moved at most once a level before it is due. Only the slot that is open is kept sorted, in a small heap.
//!
//! Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds of one slot of the lowest level, as a power of two: 16 us.
const SLOT_BITS: u32 = 14;
/// Slots of one level, as a power of two.
const LEVEL_BITS: u32 = 10;
const SLOTS: usize = 1 << LEVEL_BITS;
/// Five levels of ten bits and the bits of a slot are all of a `u64`.
const LEVELS: usize = 5;

/// A queue of events, by time and then by the order in which they were put in. No event may be put before one that was taken out.
#[derive(Debug)]
pub struct Wheel<T> {
    /// Events of the open slot and of what lies before its end.
    open: BinaryHeap<Reverse<Entry<T>>>,
    /// The open slot, counted from the start of time.
    tick: u64,
    levels: Vec<Level<T>>,
    put: u64,
    len: usize,
}

#[derive(Debug)]
struct Level<T> {
    slots: Vec<Vec<Entry<T>>>,
    /// One bit a slot that holds something.
    occupied: [u64; SLOTS / 64],
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    at_ns: u64,
    order: u64,
    event: T,
}

impl<T: Copy> Wheel<T> {
    pub fn new() -> Self {
        let level = |_| Level { slots: (0..SLOTS).map(|_| Vec::new()).collect(), occupied: [0; SLOTS / 64] };
        Self { open: BinaryHeap::new(), tick: 0, levels: (0..LEVELS).map(level).collect(), put: 0, len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts an event down. O(1), or O(log of the open slot) if it is due that soon.
    pub fn put(&mut self, at_ns: u64, event: T) {
        self.put += 1;
        self.len += 1;
        self.place(Entry { at_ns, order: self.put, event });
    }

    /// Takes the earliest event out if it is due at `until_ns` or before.
    pub fn take(&mut self, until_ns: u64) -> Option<(u64, T)> {
        while self.open.is_empty() {
            if !self.open_next(until_ns >> SLOT_BITS) {
                return None;
            }
        }
        if self.open.peek()?.0.at_ns > until_ns {
            return None;
        }
        let Reverse(entry) = self.open.pop()?;
        self.len -= 1;
        Some((entry.at_ns, entry.event))
    }

    fn place(&mut self, entry: Entry<T>) {
        let tick = entry.at_ns >> SLOT_BITS;
        if tick <= self.tick {
            self.open.push(Reverse(entry));
            return;
        }
        // The highest bit in which it differs from the open slot tells the level, as in a radix heap.
        let level = ((u64::BITS - 1 - (tick ^ self.tick).leading_zeros()) / LEVEL_BITS) as usize;
        let slot = index(tick, level);
        self.levels[level].slots[slot].push(entry);
        self.levels[level].occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// Goes on to the next slot that holds something, unless it lies after `until`; whether it did.
    fn open_next(&mut self, until: u64) -> bool {
        for level in 0..LEVELS {
            let Some(slot) = self.levels[level].next(index(self.tick, level)) else { continue };
            let shift = LEVEL_BITS * level as u32;
            let above = self.tick.checked_shr(shift + LEVEL_BITS).unwrap_or(0);
            let tick = (above << LEVEL_BITS | slot as u64) << shift;
            if tick > until {
                return false;
            }
            self.tick = tick;
            let mut entries = std::mem::take(&mut self.levels[level].slots[slot]);
            self.levels[level].occupied[slot / 64] &= !(1 << (slot % 64));
            for entry in entries.drain(..) {
                self.place(entry);
            }
            // The slot keeps its memory: none is asked for when it comes round again.
            self.levels[level].slots[slot] = entries;
            return true;
        }
        false
    }
}

/// Which slot of a level a tick belongs to.
fn index(tick: u64, level: usize) -> usize {
    (tick >> (LEVEL_BITS * level as u32)) as usize & (SLOTS - 1)
}

impl<T> Level<T> {
    /// The first slot after `slot` that holds something.
    fn next(&self, slot: usize) -> Option<usize> {
        let (mut word, after) = ((slot + 1) / 64, (slot + 1) % 64);
        let mut bits = self.occupied.get(word)? & (u64::MAX << after);
        while bits == 0 {
            word += 1;
            bits = *self.occupied.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.order).cmp(&(other.at_ns, other.order))
    }
}
