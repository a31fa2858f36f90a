//! Durations spelled as Prometheus spells them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration such as `30s`, `1m30s`, `100ms`, `5d` or `0`, as Prometheus reads and writes them.
///
/// Units go from the largest to the smallest, each at most once: `y` (365 days), `w`, `d`, `h`, `m`, `s`,
/// `ms`. Only zero goes without a unit. Displayed in the same spelling.
///
/// ```
/// use promha_examples::common::duration::PromDuration;
///
/// let timeout: PromDuration = "1m30s".parse()?;
/// assert_eq!(timeout.as_duration().as_secs(), 90);
/// assert_eq!(timeout.to_string(), "1m30s");
/// # Ok::<(), promha_examples::common::duration::DurationError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PromDuration {
    millis: u64,
}

/// Largest first, with its length in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration Prometheus can hold: 2^63 - 1 nanoseconds, about 292 years.
const MAX_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

impl PromDuration {
    /// A duration of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// A duration of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self { millis: secs * 1_000 }
    }

    /// The same length as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// Whether the length is zero, which often means "off".
    pub const fn is_zero(self) -> bool {
        self.millis == 0
    }
}

impl From<PromDuration> for Duration {
    fn from(duration: PromDuration) -> Self {
        duration.as_duration()
    }
}

impl FromStr for PromDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let refuse = || DurationError { text: text.to_owned() };
        if text == "0" {
            return Ok(Self::default());
        }
        let (mut rest, mut units, mut millis) = (text, UNITS.as_slice(), 0u64);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
            let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
            let place = units.iter().position(|(name, _)| *name == unit).ok_or_else(refuse)?;
            let length = number
                .parse::<u64>()
                .ok()
                .and_then(|count| count.checked_mul(units[place].1))
                .ok_or_else(refuse)?;
            millis = millis.checked_add(length).filter(|millis| *millis <= MAX_MILLIS).ok_or_else(refuse)?;
            (rest, units) = (&rest[digits + letters..], &units[place + 1..]);
        }
        if text.is_empty() { Err(refuse()) } else { Ok(Self { millis }) }
    }
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millis == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.millis;
        for (name, length) in UNITS {
            // As Prometheus: 90d reads better than 12w6d, so years and weeks only when they are exact.
            let fits = !matches!(name, "y" | "w") || rest.is_multiple_of(length);
            if fits && rest >= length {
                write!(f, "{}{name}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for PromDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a duration: expected a number and a unit of ms, s, m, h, d, w or y, \
     as in 30s, 1m30s or 100ms, or 0"
)]
pub struct DurationError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::yaml;

    #[test]
    fn reads_what_prometheus_reads() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("324ms", 324),
            ("3s", 3_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("4d", 345_600_000),
            ("4d1h", 349_200_000),
            ("14d", 1_209_600_000),
            ("3w", 1_814_400_000),
            ("3w2d1h", 1_990_800_000),
            ("10y", 315_360_000_000),
            ("1m30s", 90_000),
            ("292y", 9_208_512_000_000),
        ];
        for (text, millis) in cases {
            assert_eq!(text.parse(), Ok(PromDuration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        let cases = [
            "",
            "1",
            "30",
            "-3s",
            "1.5h",
            "1s1m",
            "1m1m",
            "s",
            "ms",
            "5 m",
            " 5m",
            "5m ",
            "1M",
            "30sec",
            "1é",
            "abc",
            "300y",
            "18446744073709551615y",
            "99999999999999999999s",
            "00",
        ];
        for text in cases {
            assert!(text.parse::<PromDuration>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn writes_what_prometheus_writes() {
        let cases = [
            (0, "0s"),
            (1, "1ms"),
            (90_000, "1m30s"),
            (86_400_000 * 90, "90d"),
            (86_400_000 * 14, "2w"),
            (86_400_000 * 365, "1y"),
            (3_661_001, "1h1m1s1ms"),
        ];
        for (millis, text) in cases {
            let duration = PromDuration::from_millis(millis);
            assert_eq!(duration.to_string(), text);
            assert_eq!(text.parse(), Ok(duration));
        }
        assert_eq!(PromDuration::from_secs(60), PromDuration::from_millis(60_000));
    }

    #[test]
    fn a_bad_duration_in_a_file_names_its_line() {
        #[derive(Debug, Deserialize, Serialize)]
        struct Config {
            timeout: PromDuration,
        }
        let error = yaml::parse::<Config>("\ntimeout: 30\n", "c.yml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "c.yml:2:10: \"30\" is not a duration: expected a number and a unit of ms, s, m, h, d, w or y, \
             as in 30s, 1m30s or 100ms, or 0"
        );
        let config: Config = yaml::parse("timeout: 0", "c.yml").unwrap();
        assert!(config.timeout.is_zero());
        assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"timeout":"0s"}"#);
    }
}
