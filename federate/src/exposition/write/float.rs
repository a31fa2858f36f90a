//! Numbers as Go prints them.

use std::io::Write;

/// From which power of ten on `strconv.FormatFloat(value, 'g', -1, 64)` writes an exponent.
pub(super) const STRCONV: i32 = 6;

/// From which power of ten on `fmt.Print(value)` writes an exponent.
pub(super) const PRINT: i32 = 21;

/// Up to here every whole number is a float, and no two numbers of as few digits are the same float.
const EXACT: f64 = 1e15;

const POWERS: [f64; 9] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The value of a sample in text: `expfmt` gives zero no sign.
pub(super) fn put_sample(value: f64, out: &mut Vec<u8>) {
    if value == 0.0 {
        out.push(b'0');
    } else if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        put_finite(value, STRCONV, out);
    }
}

/// The same in OpenMetrics (zero with its sign), and as a value of `le` or `quantile` there: every number shows that it is no integer.
pub(in crate::exposition) fn put_open(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        return put_sample(value, out);
    }
    let start = out.len();
    put_finite(value, STRCONV, out);
    if !out[start..].iter().any(|byte| matches!(byte, b'.' | b'e')) {
        out.extend_from_slice(b".0");
    }
}

/// A finite number in its shortest digits, with an exponent below 1e-4 and from 10^`exponent_from` on.
pub(super) fn put_finite(value: f64, exponent_from: i32, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    let mut digits = Digits::default();
    if value < EXACT {
        if value == (value as u64) as f64 {
            digits.set(value as u64, 0);
            return digits.put(exponent_from, out);
        }
        // A decimal number of at most 15 digits that gives the value is the only one, and so the shortest.
        for (places, power) in (1..).zip(POWERS) {
            let scaled = value * power;
            if scaled >= EXACT {
                break;
            }
            let whole = scaled as u64;
            if scaled == whole as f64 && scaled / power == value {
                digits.set(whole, places);
                return digits.put(exponent_from, out);
            }
        }
    }
    digits.set_shortest(value);
    digits.put(exponent_from, out);
}

/// A whole number.
pub(super) fn put_int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = Digits::default();
    let start = digits.write(value.unsigned_abs());
    out.extend_from_slice(&digits.bytes[start..]);
}

/// The digits of a number; it is 0.digits x 10^point.
#[derive(Debug, Default)]
struct Digits {
    bytes: [u8; 20],
    start: usize,
    end: usize,
    point: i32,
}

impl Digits {
    /// `whole` x 10^-`places`
    fn set(&mut self, whole: u64, places: i32) {
        self.start = self.write(whole);
        self.end = self.bytes.len();
        self.point = (self.end - self.start) as i32 - places;
        while self.end > self.start + 1 && self.bytes[self.end - 1] == b'0' {
            self.end -= 1;
        }
    }

    /// Writes a number to the end of the bytes; returns where it begins.
    fn write(&mut self, mut value: u64) -> usize {
        let mut at = self.bytes.len();
        loop {
            at -= 1;
            self.bytes[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return at;
            }
        }
    }

    /// The fewest digits that give this value, which is positive.
    fn set_shortest(&mut self, value: f64) {
        let mut text = [0; 32];
        let mut rest = &mut text[..];
        // Seventeen digits, a point and an exponent have room.
        let _ = write!(rest, "{value:e}");
        let left = rest.len();
        let text = &text[..text.len() - left];
        (self.start, self.end) = (0, 0);
        let mut bytes = text.iter();
        for &byte in bytes.by_ref() {
            match byte {
                b'e' => break,
                b'.' => {}
                digit => {
                    self.bytes[self.end] = digit;
                    self.end += 1;
                }
            }
        }
        let exponent = bytes.as_slice();
        let is_negative = exponent.first() == Some(&b'-');
        let number = exponent.iter().filter(|byte| byte.is_ascii_digit());
        let exponent = number.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
        self.point = 1 + if is_negative { -exponent } else { exponent };
    }

    fn put(&self, exponent_from: i32, out: &mut Vec<u8>) {
        let digits = &self.bytes[self.start..self.end];
        let exponent = self.point - 1;
        if exponent < -4 || exponent >= exponent_from {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.abs() < 10 {
                out.push(b'0');
            }
            put_int(exponent.abs().into(), out);
        } else if self.point <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', self.point.unsigned_abs() as usize));
            out.extend_from_slice(digits);
        } else {
            let point = self.point as usize;
            if point < digits.len() {
                out.extend_from_slice(&digits[..point]);
                out.push(b'.');
                out.extend_from_slice(&digits[point..]);
            } else {
                out.extend_from_slice(digits);
                out.extend(std::iter::repeat_n(b'0', point - digits.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        put_sample(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_of_openmetrics_show_that_they_are_no_integers() {
        let cases = [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (-1.0, "-1.0"),
            (0.5, "0.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (2.5, "2.5"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (123_456.0, "123456.0"),
            (1e-7, "1e-07"),
            (1e100, "1e+100"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            let mut out = Vec::new();
            put_open(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_are_those_of_go() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (123_456.0, "123456"),
            (999_999.0, "999999"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (999_999.5, "999999.5"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (0.00001, "1e-05"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
            (2.0 / 3.0, "0.6666666666666666"),
            (5e-324, "5e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (-12.5, "-12.5"),
            (1e23, "1e+23"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expected) in table {
            assert_eq!(text(value), expected);
        }
        let mut printed = Vec::new();
        put_finite(123_456_789.0, PRINT, &mut printed);
        put_finite(-1e21, PRINT, &mut printed);
        put_finite(-0.0, PRINT, &mut printed);
        assert_eq!(printed, b"123456789-1e+21-0");
        let mut open = Vec::new();
        [0.0, 1.0, 2.5, 1e6, f64::NAN, f64::INFINITY].iter().for_each(|&value| {
            put_open(value, &mut open);
            open.push(b' ');
        });
        assert_eq!(open, b"0.0 1.0 2.5 1e+06 NaN +Inf ");
        let mut ints = Vec::new();
        [i64::MIN, -1, 0, i64::MAX].iter().for_each(|&int| put_int(int, &mut ints));
        assert_eq!(ints, b"-9223372036854775808-109223372036854775807");
    }

    /// What the digits are without looking for a shorter way.
    fn slow(value: f64) -> String {
        let mut digits = Digits::default();
        digits.set_shortest(value.abs());
        let mut out = if value < 0.0 { b"-".to_vec() } else { Vec::new() };
        digits.put(STRCONV, &mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn every_number_is_read_back_and_the_short_way_is_the_same(
            bits: u64,
            whole in -2_000_000_000_000_000_i64..2_000_000_000_000_000,
            places in 0_i32..20,
        ) {
            for value in [f64::from_bits(bits), whole as f64, whole as f64 / 10_f64.powi(places)] {
                let text = text(value);
                if value.is_finite() && value != 0.0 {
                    prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
                    prop_assert_eq!(text, slow(value));
                }
            }
        }
    }
}
