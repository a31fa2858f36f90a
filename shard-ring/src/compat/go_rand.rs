//! The random numbers of Go's `math/rand` for a given seed, which decide over shuffle shards.

use std::sync::LazyLock;

/// How many numbers the generator remembers.
const LENGTH: usize = 607;

/// How far back the second number lies that makes the next one.
const TAP: usize = 273;

/// How many numbers were drawn to get away from the first seed.
const DRAWN: u64 = 7_800_000_000_000;

/// A source of random numbers that gives what `rand.New(rand.NewSource(seed))` gives in Go.
///
/// It is an additive lagged Fibonacci generator: a number is the sum of those 607 and 273 places before it. Its state
/// starts as a table, altered by the seed. Go has the table as data, what came out of the generator after 7.8 x 10^12
/// numbers. Here it is computed once for each process, in some milliseconds: the numbers are a linear recurrence, which
/// a power of a polynomial takes as far as one likes.
///
/// Source: `math/rand/rng.go` and `gen_cooked.go` in Go.
///
/// # Complexity
/// A seed costs 607 steps, a number constant time.
///
/// ```
/// use promha_shard_ring::compat::{cortex::shuffle_shard_seed, go_rand::GoRand};
///
/// let mut random = GoRand::new(shuffle_shard_seed("tenant1", ""));
/// assert_eq!([(); 3].map(|()| random.next_u32()), [865929646, 2144738681, 3540187261]);
/// ```
#[derive(Debug, Clone)]
pub struct GoRand {
    state: Box<[u64; LENGTH]>,
    tap: usize,
    feed: usize,
}

impl GoRand {
    /// As `rand.NewSource(seed)`. Seeds that are equal modulo 2^31 - 1 give the same numbers.
    pub fn new(seed: i64) -> Self {
        let mut lehmer = Lehmer::new(seed);
        let mut state = Box::new([0; LENGTH]);
        for (own, table) in state.iter_mut().zip(&*TABLE) {
            *own = lehmer.number(20) ^ table;
        }
        Self { state, tap: 0, feed: LENGTH - TAP }
    }

    /// As `Uint64()`.
    pub fn next_u64(&mut self) -> u64 {
        self.tap = self.tap.checked_sub(1).unwrap_or(LENGTH - 1);
        self.feed = self.feed.checked_sub(1).unwrap_or(LENGTH - 1);
        let sum = self.state[self.feed].wrapping_add(self.state[self.tap]);
        self.state[self.feed] = sum;
        sum
    }

    /// As `Uint32()`: the highest bits but one.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 31) as u32
    }
}

/// The generator that fills states: x = 48271 x modulo 2^31 - 1, without its first 20 numbers.
struct Lehmer(u64);

impl Lehmer {
    const MODULUS: i64 = (1 << 31) - 1;

    fn new(seed: i64) -> Self {
        let seed = seed.rem_euclid(Self::MODULUS) as u64;
        let mut lehmer = Self(if seed == 0 { 89_482_311 } else { seed });
        for _ in 0..20 {
            lehmer.next();
        }
        lehmer
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0 * 48_271 % Self::MODULUS as u64;
        self.0
    }

    /// Three numbers as one, each so many bits above the next.
    fn number(&mut self, bits: u32) -> u64 {
        let [high, middle, low] = [self.next(), self.next(), self.next()];
        high << (2 * bits) ^ middle << bits ^ low
    }
}

/// The state after [`DRAWN`] numbers with the seed 1.
///
/// Number the state's places in the order in which they are overwritten: t(0) to t(606), and on from there with
/// t(n) = t(n - 607) + t(n - 273). If x^N is c(0) + c(1) x + .. + c(606) x^606 modulo x^607 - x^334 - 1, all modulo 2^64,
/// then t(N) is the same sum with t(i) in place of x^i, and so are those after it.
static TABLE: LazyLock<[u64; LENGTH]> = LazyLock::new(|| {
    let mut lehmer = Lehmer::new(1);
    let seeded: [u64; LENGTH] = std::array::from_fn(|_| lehmer.number(10));
    // The first place to be overwritten is 333, then 332 and so on.
    let place = |n: usize| (2 * LENGTH - TAP - 1 - n % LENGTH) % LENGTH;
    let mut numbers: Vec<u64> = (0..LENGTH).map(|n| seeded[place(n)]).collect();
    for n in LENGTH..2 * LENGTH {
        numbers.push(numbers[n - LENGTH].wrapping_add(numbers[n - TAP]));
    }
    let coefficients = power_of_x(DRAWN);
    let mut table = [0; LENGTH];
    for n in 0..LENGTH {
        // What was t(N + n) stands where any t(M) with the same remainder of M stands.
        let at = place(((DRAWN + n as u64) % LENGTH as u64) as usize);
        let terms = coefficients.iter().zip(&numbers[n..]);
        table[at] = terms.fold(0, |sum: u64, (c, t)| sum.wrapping_add(c.wrapping_mul(*t)));
    }
    table
});

/// x^n modulo x^607 - x^334 - 1, all modulo 2^64.
fn power_of_x(n: u64) -> Vec<u64> {
    let mut power = vec![0_u64; LENGTH];
    power[0] = 1;
    for bit in (0..u64::BITS - n.leading_zeros()).rev() {
        // One place more than a square needs, for the factor x.
        let mut product = vec![0_u64; 2 * LENGTH];
        let shift = (n >> bit & 1) as usize;
        for (i, a) in power.iter().enumerate() {
            for (sum, b) in product[i + shift..].iter_mut().zip(&power) {
                *sum = sum.wrapping_add(a.wrapping_mul(*b));
            }
        }
        for i in (LENGTH..product.len()).rev() {
            let high = product[i];
            for lower in [i - LENGTH, i - TAP] {
                product[lower] = product[lower].wrapping_add(high);
            }
        }
        product.truncate(LENGTH);
        power = product;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The polynomial against the plain loop, where that is short enough.
    #[test]
    fn a_power_jumps_as_far_as_steps_go() {
        for steps in [0, 1, 333, 606, 607, 608, 5_000] {
            let mut numbers: Vec<u64> = (0..LENGTH as u64).map(|i| i * i * 0x9E37_79B9 + 7).collect();
            for n in LENGTH..=LENGTH + steps {
                numbers.push(numbers[n - LENGTH].wrapping_add(numbers[n - TAP]));
            }
            let terms = power_of_x(steps as u64).into_iter().zip(&numbers);
            let jumped = terms.fold(0, |sum: u64, (c, t)| sum.wrapping_add(c.wrapping_mul(*t)));
            assert_eq!(jumped, numbers[steps], "{steps} steps");
        }
    }

    #[test]
    fn seeds_are_equal_by_their_remainder() {
        let first = |seed| GoRand::new(seed).next_u64();
        assert_eq!(first(1), 5_577_006_791_947_779_410, "what Go gives for the seed 1");
        assert_eq!(first(1), first(1 << 31));
        assert_eq!(first(0), first(Lehmer::MODULUS));
        assert_eq!(first(-1), first(Lehmer::MODULUS - 1));
    }
}
