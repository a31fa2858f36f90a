//! Keys: 64 bits that stand for a label set, or for a text such as an address or a tenant.

/// The hash of a label set, sorted by name: the key of a series.
///
/// It is the same on every machine and in every version (golden vectors freeze it), and it is nobody else's: for the keys of
/// other systems, use their functions. Names and values are hashed apart, each with its length, and chained in their order:
/// `("a", "bc")` and `("ab", "c")` differ. It is not made to withstand somebody who looks for collisions.
///
/// # Cost
/// One wide multiplication for every 16 bytes of a name or a value, and one for each label. No allocation, no copy.
///
/// # Source
/// The folded multiplication of wyhash and rapidhash, over parts of a label set in place of one text.
///
/// ```
/// use promha_shard_ring::hash_labels;
///
/// assert_eq!(hash_labels(&[("__name__", "up"), ("job", "node")]), 0x3e46_3118_37b7_59e4);
/// assert_ne!(hash_labels(&[("a", "bc")]), hash_labels(&[("ab", "c")]));
/// ```
#[inline]
pub fn hash_labels(labels: &[(&str, &str)]) -> u64 {
    let mut state = SECRET[0];
    for (name, value) in labels {
        state = fold(state ^ digest(name.as_bytes()), digest(value.as_bytes()) ^ SECRET[3]);
    }
    mix(state)
}

/// The hash of a text: the key of a target by its address, or of a tenant; also what a node's place is made of.
///
/// ```
/// use promha_shard_ring::hash_text;
///
/// assert_eq!(hash_text("tenant-1"), 0xc099_4379_40ec_4b12);
/// ```
#[inline]
pub fn hash_text(text: &str) -> u64 {
    mix(digest(text.as_bytes()))
}

/// A bijection whose output shows no pattern of its input: so keys that were not hashed well, or not at all, do no harm.
///
/// The finalizer of SplitMix64 (Stafford's variant 13 of MurmurHash3's).
#[inline]
pub(crate) fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

/// The `n`th of the numbers that are drawn from `seed`.
#[inline]
pub(crate) fn draw(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Odd, half of their bits set, and no pattern in them (from wyhash).
const SECRET: [u64; 4] =
    [0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9, 0x4b33_a62e_d433_d4a3, 0x4d5a_2da5_1de1_aa47];

#[inline]
fn digest(text: &[u8]) -> u64 {
    let mut state = (text.len() as u64).wrapping_mul(SECRET[1]) ^ SECRET[0];
    let mut rest = text;
    while rest.len() > 16 {
        let (low, high) = ends(&rest[..16]);
        state = fold(low ^ state, high ^ SECRET[1]);
        rest = &rest[16..];
    }
    let (low, high) = ends(rest);
    fold(low ^ state, high ^ SECRET[2])
}

/// The first and the last eight of up to 16 bytes, or what stands for them if there are fewer. With their number known,
/// no two texts give the same.
#[inline]
fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else if let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) {
        (u64::from(first) | u64::from(bytes[bytes.len() / 2]) << 8, u64::from(last))
    } else {
        (0, 0)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
