//! XOR chunks as their description reads, one bit at a time: what the fast ways are held against.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

/// The forms of a difference of timestamps to the one before: prefix, its length, and how many bits follow.
const FORMS: [(u64, u32, u32); 5] =
    [(0b0, 1, 0), (0b10, 2, 14), (0b110, 3, 17), (0b1110, 4, 20), (0b1111, 4, 64)];

/// The chunk with these samples, at most 65,535.
pub fn encode(samples: &[(i64, u64)]) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(samples.len() as u64, 16);
    let (mut before, mut delta_ms, mut window) = ((0, 0), 0, None);
    for (n, &(t_ms, value)) in samples.iter().enumerate() {
        let difference = t_ms.wrapping_sub(before.0);
        match n {
            0 => bits.put_varint((t_ms << 1 ^ t_ms >> 63) as u64),
            1 => bits.put_varint(difference as u64),
            _ => {
                let change = difference.wrapping_sub(delta_ms);
                let fits = |bits: u32| {
                    let half = 1_i128 << (bits.max(1) - 1);
                    if bits == 0 {
                        change == 0
                    } else {
                        (1 - half..=half).contains(&change.into()) || bits == 64
                    }
                };
                let (prefix, prefix_bits, count) = FORMS.into_iter().find(|form| fits(form.2)).unwrap();
                bits.put(prefix, prefix_bits);
                bits.put(change as u64, count);
            }
        }
        if n == 0 {
            bits.put(value, 64);
        } else {
            bits.put_change(before.1 ^ value, &mut window);
        }
        (before, delta_ms) = ((t_ms, value), difference);
    }
    bits.finish()
}

/// The samples of a chunk, or where that begins which is not there as a whole or makes no sense.
pub fn decode(chunk: &[u8]) -> Result<Vec<(i64, u64)>, usize> {
    let (mut at, mut samples) = (0, Vec::new());
    let count = take(chunk, &mut at, 16).ok_or(0_usize)?;
    let (mut t_ms, mut delta_ms, mut value, mut window) = (0_i64, 0_i64, 0, (0, 64));
    for n in 0..count {
        let start = at / 8;
        match n {
            0 => {
                let zigzag = take_varint(chunk, &mut at).ok_or(start)?;
                t_ms = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                let start = at / 8;
                value = take(chunk, &mut at, 64).ok_or(start)?;
                samples.push((t_ms, value));
                continue;
            }
            1 => delta_ms = take_varint(chunk, &mut at).ok_or(start)? as i64,
            _ => delta_ms = delta_ms.wrapping_add(take_change_of_delta(chunk, &mut at).ok_or(start)?),
        }
        let start = if n == 1 { at / 8 } else { start };
        t_ms = t_ms.wrapping_add(delta_ms);
        value ^= take_change(chunk, &mut at, &mut window).ok_or(start)?;
        samples.push((t_ms, value));
    }
    Ok(samples)
}

fn take(chunk: &[u8], at: &mut usize, count: u32) -> Option<u64> {
    let mut value = 0;
    for _ in 0..count {
        let bit = chunk.get(*at / 8)? >> (7 - *at % 8) & 1;
        value = value << 1 | u64::from(bit);
        *at += 1;
    }
    Some(value)
}

fn take_varint(chunk: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u128;
    for n in 0..10 {
        let byte = take(chunk, at, 8)?;
        value |= u128::from(byte & 0x7f) << (7 * n);
        if byte < 0x80 {
            return value.try_into().ok();
        }
    }
    None
}

fn take_change_of_delta(chunk: &[u8], at: &mut usize) -> Option<i64> {
    let (mut prefix, mut prefix_bits) = (0, 0);
    loop {
        prefix = prefix << 1 | take(chunk, at, 1)?;
        prefix_bits += 1;
        if let Some(&(.., count)) = FORMS.iter().find(|form| (form.0, form.1) == (prefix, prefix_bits)) {
            let raw = i128::from(take(chunk, at, count)?);
            let is_negative = count > 0 && raw > 1 << (count - 1);
            return Some((raw - if is_negative { 1 << count } else { 0 }) as i64);
        }
    }
}

fn take_change(chunk: &[u8], at: &mut usize, window: &mut (u32, u32)) -> Option<u64> {
    if take(chunk, at, 1)? == 0 {
        return Some(0);
    }
    if take(chunk, at, 1)? == 1 {
        let leading = take(chunk, at, 5)? as u32;
        let significant = take(chunk, at, 6)? as u32;
        *window = (leading, if significant == 0 { 64 } else { significant });
    }
    let trailing = 64_u32.checked_sub(window.0 + window.1)?;
    Some(take(chunk, at, window.1)? << trailing)
}

#[derive(Default)]
struct Bits {
    bits: Vec<bool>,
    /// How many bits the last call to `put` brought.
    last: u32,
}

impl Bits {
    fn put(&mut self, value: u64, count: u32) {
        self.bits.extend((0..count).rev().map(|n| value >> n & 1 == 1));
        self.last = count;
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value | 0x80, 8);
            value >>= 7;
        }
        self.put(value, 8);
    }

    /// `window` is how many bits were left out at either end last.
    fn put_change(&mut self, change: u64, window: &mut Option<(u32, u32)>) {
        if change == 0 {
            return self.put(0, 1);
        }
        self.put(1, 1);
        let (leading, trailing) = (change.leading_zeros().min(31), change.trailing_zeros());
        match *window {
            Some(window) if leading >= window.0 && trailing >= window.1 => self.put(0, 1),
            _ => {
                *window = Some((leading, trailing));
                self.put(1, 1);
                self.put(leading.into(), 5);
                self.put(u64::from(64 - leading - trailing), 6);
            }
        }
        let (leading, trailing) = window.unwrap();
        self.put(change >> trailing, 64 - leading - trailing);
    }

    /// Bytes, the last one filled up. When whole bytes were written last, one more was opened for that.
    fn finish(mut self) -> Vec<u8> {
        let is_open =
            self.bits.len() > 16 && self.bits.len().is_multiple_of(8) && self.last.is_multiple_of(8);
        self.bits.resize((self.bits.len() + usize::from(is_open)).next_multiple_of(8), false);
        self.bits
            .chunks(8)
            .map(|byte| byte.iter().fold(0, |value, &bit| value << 1 | u8::from(bit)))
            .collect()
    }
}
