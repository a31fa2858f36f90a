//! Numbers as Prometheus takes them: what Go's `ParseFloat` accepts, without hexadecimal digits and underscores.

/// Powers of ten that are exact.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The most digits that surely fit into 64 bits.
const MAX_DIGITS: usize = 19;

/// The bits of an ordinary NaN in Prometheus. Source: `model/value/value.go`.
const NORMAL_NAN: u64 = 0x7ff8_0000_0000_0001;

/// The number at `start`, and where it ends: at a blank, a tab, a line break or the end. `None` if it takes more than one
/// exact operation, or is none at all; then [`float`] knows.
#[inline]
pub(super) fn short_float(bytes: &[u8], start: usize) -> Option<(f64, usize)> {
    let mut at = start;
    let negative = *bytes.get(at)? == b'-';
    at += usize::from(negative);
    let (whole, point) = digits(bytes, at, 0);
    let (mut mantissa, mut count) = (whole, point - at);
    let mut exponent = 0;
    at = point;
    if bytes.get(at) == Some(&b'.') {
        let (all, end) = digits(bytes, at + 1, whole);
        let decimals = end - at - 1;
        (mantissa, count, at) = (all, count + decimals, end);
        exponent = -(decimals.min(MAX_DIGITS + 1) as i32);
    }
    if count == 0 || count > MAX_DIGITS {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        let below = bytes.get(at) == Some(&b'-');
        at += usize::from(below || bytes.get(at) == Some(&b'+'));
        let (power, end) = digits(bytes, at, 0);
        if end == at || end - at > 3 {
            return None;
        }
        exponent += if below { -(power as i32) } else { power as i32 };
        at = end;
    }
    if !matches!(bytes.get(at), None | Some(b' ' | b'\n' | b'\t')) || mantissa >= 1 << 53 {
        return None;
    }
    let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
    let size = if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
    Some((if negative { -size } else { size }, at))
}

/// `number` continued by the digits at `at`, and where they end.
#[inline]
fn digits(bytes: &[u8], mut at: usize, mut number: u64) -> (u64, usize) {
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (number, at)
}

/// The number that a text is, or `None` if Prometheus has none for it.
#[cold]
pub(super) fn float(text: &str) -> Option<f64> {
    if text.contains(['p', 'P', '_']) {
        return None;
    }
    let (sign, size) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match size.as_bytes().first()? {
        b'0'..=b'9' | b'.' => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ if ["inf", "infinity"].iter().any(|word| size.eq_ignore_ascii_case(word)) => {
            Some(sign * f64::INFINITY)
        }
        _ => text.eq_ignore_ascii_case("nan").then_some(f64::from_bits(NORMAL_NAN)),
    }
}

/// The timestamp of digits alone at `start`, and where it ends; `None` if there are none, or too many.
#[inline]
pub(super) fn timestamp(bytes: &[u8], start: usize) -> Option<(i64, usize)> {
    let (number, end) = digits(bytes, start, 0);
    if end == start {
        return None;
    }
    if end - start < MAX_DIGITS {
        return Some((number as i64, end));
    }
    let text = std::str::from_utf8(&bytes[start..end]).ok()?;
    Some((text.parse().ok()?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        let same = [
            "0",
            "-0",
            "1",
            "1027",
            "-3.5",
            "1e21",
            "1.5e-7",
            ".5",
            "5.",
            "1.e3",
            "0.1",
            "123456789012345678",
        ];
        for text in same {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(float(text).map(f64::to_bits), Some(expected.to_bits()), "{text}");
            if let Some((short, end)) = short_float(text.as_bytes(), 0) {
                assert_eq!((short.to_bits(), end), (expected.to_bits(), text.len()), "{text}");
            }
        }
        for text in ["Inf", "+inf", "infinity", "+INFINITY"] {
            assert_eq!(float(text), Some(f64::INFINITY), "{text}");
        }
        assert_eq!(float("-inf"), Some(f64::NEG_INFINITY));
        for text in ["NaN", "nan", "NAN"] {
            assert_eq!(float(text).map(f64::to_bits), Some(NORMAL_NAN), "{text}");
        }
        assert_eq!(float("1e-400"), Some(0.0));
        assert_eq!(float("0e99999999999999999999"), Some(0.0));
        let refused = [
            "", "+", "-", ".", "e5", "1e", "1e+", "1e400", "-1e400", "0x10", "0x1p-2", "1_000", "+NaN",
            "-nan", "infi", "infinit", "1,5", "1f", "--1", "+-1", "１", "1.2.3", "0b1", "0o7", "..5", "1 ",
        ];
        for text in refused {
            assert_eq!(float(text), None, "{text}");
            assert_eq!(short_float(text.as_bytes(), 0).filter(|short| short.1 == text.len()), None, "{text}");
        }
    }

    #[test]
    fn timestamps_have_63_bits() {
        assert_eq!(timestamp(b"0", 0), Some((0, 1)));
        assert_eq!(timestamp(b" 1395066363000\n", 1), Some((1_395_066_363_000, 14)));
        assert_eq!(timestamp(b"9223372036854775807", 0), Some((i64::MAX, 19)));
        assert_eq!(timestamp(b"0000000000000000000000007", 0), Some((7, 25)));
        for refused in ["", "-1", "9223372036854775808", "18446744073709551617", "x"] {
            assert_eq!(timestamp(refused.as_bytes(), 0), None, "{refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_is_the_long_way(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,4})?") {
            if let Some((short, end)) = short_float(text.as_bytes(), 0) {
                assert_eq!(end, text.len());
                assert_eq!(float(&text).map(f64::to_bits), Some(short.to_bits()));
            }
        }
    }
}
