use std::hash::{BuildHasher, Hasher};

/// Hashes what is a hash already, or a small number: one multiplication. The same on every node and in every run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HashKeys;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HashKey(u64);

impl BuildHasher for HashKeys {
    type Hasher = HashKey;

    fn build_hasher(&self) -> HashKey {
        HashKey::default()
    }
}

impl Hasher for HashKey {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}
