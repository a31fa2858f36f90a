//! Spread-minimizing tokens: chosen one after the other so that instances own the same, instead of at random.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::CompatError;

/// How many tokens an instance has.
const TOKENS: usize = 512;

/// How many zones there can be; the tokens of a zone are the same modulo this.
const ZONES: u32 = 8;

const RING: u64 = 1 << 32;

/// The 512 tokens of an instance (counted from 0, as in `ingester-zone-a-0`) of a zone (its place among the sorted zones),
/// in the order in which they are found. Each takes what it needs from the largest part of who owns most by then.
///
/// Sorted, these are what `GenerateTokens(512, nil)` gives.
///
/// Source: `ring/spread_minimizing_token_generator.go` in dskit.
///
/// # Complexity
/// Finds the tokens of all instances before it: for instance `i`, 512 `i` times a few steps in heaps of 512 and of `i`.
///
/// # Errors
/// [`CompatError::ZoneOutOfRange`], and [`CompatError::NoRoomForToken`] after about a million instances.
///
/// ```
/// use promha_shard_ring::compat::spread::spread_minimizing_tokens;
///
/// let first = spread_minimizing_tokens(0, 1)?;
/// assert_eq!((first.len(), &first[..3]), (512, &[1, 8388609, 16777217][..]));
/// let mut sixth = spread_minimizing_tokens(5, 1)?;
/// sixth.sort_unstable();
/// assert_eq!(sixth[..3], [3075825, 7270129, 11464433]);
/// # Ok::<(), promha_shard_ring::compat::CompatError>(())
/// ```
pub fn spread_minimizing_tokens(instance: u32, zone: u32) -> Result<Vec<u32>, CompatError> {
    if zone >= ZONES {
        return Err(CompatError::ZoneOutOfRange { zone, limit: ZONES });
    }
    let step = (RING / TOKENS as u64) as u32 / ZONES * ZONES;
    let mut tokens: Vec<u32> = (0..TOKENS as u32).map(|i| i * step + zone).collect();
    let before = tokens.iter().cycle().skip(TOKENS - 1);
    let parts = tokens.iter().zip(before).map(|(&token, &previous)| Part::new(previous, token));
    let mut parts_of: Vec<BinaryHeap<Part>> = vec![parts.collect()];
    let mut owners = BinaryHeap::from([(RING, 0)]);
    for instance in 1..=instance {
        let own = add(instance, &mut parts_of, &mut owners)?;
        tokens = own.tokens;
        parts_of.push(own.parts);
        owners.push((own.owned, instance));
    }
    Ok(tokens)
}

/// What a token owns: all above the token before it, up to itself. The largest first, of equal ones the highest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    size: u64,
    token: u32,
    previous: u32,
}

impl Part {
    fn new(previous: u32, token: u32) -> Self {
        let distance = token.wrapping_sub(previous);
        let size = if distance == 0 { RING } else { u64::from(distance) };
        Self { size, token, previous }
    }
}

#[derive(Default)]
struct Own {
    tokens: Vec<u32>,
    parts: BinaryHeap<Part>,
    owned: u64,
}

/// Finds the tokens of one more instance, which takes from those that own most. `owners` are what each owns and who it
/// is, which decides among equal ones.
fn add(
    instance: u32,
    parts_of: &mut [BinaryHeap<Part>],
    owners: &mut BinaryHeap<(u64, u32)>,
) -> Result<Own, CompatError> {
    let optimum = RING as f64 / f64::from(instance + 1);
    let mut own = Own::default();
    // Those that own much, but in parts that are too small.
    let mut set_aside = Vec::new();
    while own.tokens.len() < TOKENS {
        let no_room = CompatError::NoRoomForToken { instance, token: own.tokens.len() };
        let remaining = (TOKENS - own.tokens.len()) as u32;
        let wanted = (optimum - own.owned as f64) as u32 / remaining / ZONES * ZONES;
        let Some(mut owner) = owners.peek_mut().filter(|owner| owner.0 > u64::from(wanted) && wanted > 0)
        else {
            return Err(no_room);
        };
        let Some(mut part) =
            parts_of[owner.1 as usize].peek_mut().filter(|part| part.size > u64::from(wanted))
        else {
            set_aside.push(PeekMut::pop(owner));
            continue;
        };
        let token = token_after(part.previous, wanted);
        own.tokens.push(token);
        own.parts.push(Part::new(part.previous, token));
        let rest = Part::new(token, part.token);
        let taken = part.size - rest.size;
        own.owned += taken;
        owner.0 -= taken;
        *part = rest;
    }
    owners.extend(set_aside);
    Ok(own)
}

/// The token that owns `wanted` above another one. The last multiple of [`ZONES`] is where the ring starts anew, so
/// that there is room for the tokens of the other zones.
fn token_after(previous: u32, wanted: u32) -> u32 {
    let last = (RING - u64::from(ZONES)) as u32;
    let offset = last.wrapping_sub(previous);
    if offset < wanted { wanted - offset } else { previous.wrapping_add(wanted) }
}
