//! The other crates, each with nodes numbered from 0.

use std::hash::{BuildHasher, Hasher};

use anchorhash::AnchorHash;
use consistent_hash_ring::RingBuilder;
use hashring::HashRing;
use hrw_hash::HrwNodes;
use jumphash::JumpHasher;
use maglev::Maglev;

/// So many places of a node on a ring, where a crate leaves that to its user.
const PLACES: u32 = 128;

/// A hasher of one wide multiplication for each word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cheap(u64);

impl BuildHasher for Cheap {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0x2d35_8dcc_aa6c_78a5)
    }
}

impl Hasher for Cheap {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x8bb8_4b93_962e_acc9;
        self.0 = product as u64 ^ (product >> 64) as u64 ^ word.rotate_left(32);
    }
}

pub(crate) fn ids(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

pub(crate) fn hashring(n: usize) -> HashRing<(u32, u32)> {
    let mut ring = HashRing::new();
    ring.batch_add(ids(n).into_iter().flat_map(|id| (0..PLACES).map(move |place| (id, place))).collect());
    ring
}

/// With the hasher of the crate: its places are not spread by a weaker one.
pub(crate) fn consistent_hash_ring(n: usize) -> consistent_hash_ring::Ring<u32> {
    RingBuilder::default().vnodes(PLACES as usize).nodes_iter(ids(n)).build()
}

/// With room for twice the nodes, as for ours.
pub(crate) fn anchorhash(n: usize) -> AnchorHash<u64, u32, Cheap> {
    let capacity = (2 * n.next_power_of_two()) as u16;
    anchorhash::Builder::with_hasher(Cheap::default()).with_resources(ids(n)).build(capacity)
}

pub(crate) fn jumphash() -> JumpHasher {
    JumpHasher::new_with_keys(1, 2)
}

pub(crate) fn maglev(n: usize) -> Maglev<u32> {
    Maglev::with_capacity(ids(n), 65_537)
}

pub(crate) fn hrw(n: usize) -> HrwNodes<u32, Cheap> {
    HrwNodes::with_build_hasher(Cheap::default(), ids(n))
}
