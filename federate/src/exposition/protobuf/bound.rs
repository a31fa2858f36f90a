//! Numbers as values of `le` and `quantile`.

use std::fmt::Write;

/// Appends `bound` as Go's shortest `'g'` form, with `.0` behind what would be taken for a whole number.
pub(super) fn put(bound: f64, into: &mut String) {
    if bound.is_nan() {
        into.push_str("NaN");
        return;
    }
    if bound.is_infinite() {
        into.push_str(if bound > 0.0 { "+Inf" } else { "-Inf" });
        return;
    }
    let start = into.len();
    // Writing to a string does not fail.
    let _ = write!(into, "{bound:e}");
    let exponent_at = into.rfind('e').unwrap_or(into.len());
    let exponent: i32 = into.get(exponent_at + 1..).and_then(|text| text.parse().ok()).unwrap_or(0);
    if (-4..6).contains(&exponent) {
        into.truncate(start);
        let _ = write!(into, "{bound:?}");
        return;
    }
    into.truncate(exponent_at);
    let _ = write!(into, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
}

#[cfg(test)]
mod tests {
    #[test]
    fn bounds_are_those_of_openmetrics() {
        let cases = [
            (1.0, "1.0"),
            (0.0, "0.0"),
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
        for (bound, expected) in cases {
            let mut text = String::new();
            super::put(bound, &mut text);
            assert_eq!(text, expected);
        }
    }
}
