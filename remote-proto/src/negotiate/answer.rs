//! What an answer to a write request says, besides its status.

use std::time::Duration;

use crate::negotiate::{NegotiateError, clip, header};

/// How much of a write 2 request was written. A receiver says it in every answer, also when it refused a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Written {
    /// Float samples.
    pub samples: u64,
    /// Histograms.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
}

impl Written {
    /// The headers of an answer.
    ///
    /// ```
    /// use promha_remote_proto::negotiate::Written;
    ///
    /// let written = Written { samples: 7, ..Written::default() };
    /// let headers = written.headers();
    /// assert_eq!(headers[0], ("x-prometheus-remote-write-samples-written", String::from("7")));
    /// let read = Written::from_headers(|name| {
    ///     headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    /// });
    /// assert_eq!(read, Ok(Some(written)));
    /// ```
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [
            (header::SAMPLES_WRITTEN, self.samples.to_string()),
            (header::HISTOGRAMS_WRITTEN, self.histograms.to_string()),
            (header::EXEMPLARS_WRITTEN, self.exemplars.to_string()),
        ]
    }

    /// What the headers of an answer say; `find` looks one up by its name in lower case. One that is missing beside
    /// others is 0. `None` if all are missing: then nothing is confirmed, and the receiver may not know write 2 at
    /// all, whatever its status.
    ///
    /// # Errors
    ///
    /// If one of them is not a number.
    pub fn from_headers<'h>(find: impl Fn(&str) -> Option<&'h str>) -> Result<Option<Self>, NegotiateError> {
        let number = |name: &'static str| match find(name) {
            None => Ok(None),
            Some(found) => match found.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(NegotiateError::Written { name, found: clip(found) }),
            },
        };
        let samples: Option<u64> = number(header::SAMPLES_WRITTEN)?;
        let histograms = number(header::HISTOGRAMS_WRITTEN)?;
        let exemplars = number(header::EXEMPLARS_WRITTEN)?;
        if samples.or(histograms).or(exemplars).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            samples: samples.unwrap_or(0),
            histograms: histograms.unwrap_or(0),
            exemplars: exemplars.unwrap_or(0),
        }))
    }
}

/// What a sender does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request arrived.
    Done,
    /// Send it again: after this time, if the receiver said so, and otherwise when the sender sees fit.
    Retry {
        /// What `Retry-After` says.
        after: Option<Duration>,
    },
    /// Do not send it again: the receiver will never take it.
    GiveUp,
}

/// Which answers make a sender try again. Source: `storage/remote/client.go` in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RetryPolicy {
    /// Whether 429 (too many requests) does, besides 5xx. Prometheus drops such requests unless it is told
    /// otherwise, because it may be too late for them.
    pub too_many_requests: bool,
}

impl RetryPolicy {
    /// What to do after an answer with this status and this `Retry-After`: a number of seconds, or a date in any of the
    /// forms of RFC 9110. The time, in seconds since 1970, is needed for dates. What cannot be read counts as missing.
    ///
    /// ```
    /// use promha_remote_proto::negotiate::{Outcome, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy { too_many_requests: true };
    /// let now_unix_s = 784_111_777;
    /// let in_a_minute = Outcome::Retry { after: Some(Duration::from_secs(60)) };
    /// assert_eq!(policy.outcome(429, Some("60"), now_unix_s), in_a_minute);
    /// assert_eq!(policy.outcome(503, Some("Sun, 06 Nov 1994 08:50:37 GMT"), now_unix_s), in_a_minute);
    /// assert_eq!(policy.outcome(400, Some("60"), now_unix_s), Outcome::GiveUp);
    /// assert_eq!(policy.outcome(204, None, now_unix_s), Outcome::Done);
    /// ```
    pub fn outcome(&self, status: u16, retry_after: Option<&str>, now_unix_s: u64) -> Outcome {
        match status {
            200..=299 => Outcome::Done,
            429 if !self.too_many_requests => Outcome::GiveUp,
            429 | 500..=599 => Outcome::Retry { after: retry_after.and_then(|text| delay(text, now_unix_s)) },
            _ => Outcome::GiveUp,
        }
    }
}

/// The delay that a `Retry-After` asks for: a number of seconds, or the time until a date.
fn delay(text: &str, now_unix_s: u64) -> Option<Duration> {
    let text = text.trim();
    let seconds = match text.parse() {
        Ok(seconds) => seconds,
        Err(_) => unix_s(text, now_unix_s)?.saturating_sub(now_unix_s),
    };
    Some(Duration::from_secs(seconds))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 of a date in any of the forms that recipients have to read (RFC 9110, section 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
fn unix_s(date: &str, now_unix_s: u64) -> Option<u64> {
    let mut parts = date.split_ascii_whitespace();
    let mut next = || parts.next();
    let (day, month, year, time) = if next()?.ends_with(',') {
        let first = next()?;
        let (day, month, year) = match first.split_once('-') {
            None => (first, next()?, digits(next()?, 4)?),
            Some((day, rest)) => {
                let (month, year) = rest.split_once('-')?;
                (day, month, full_year(digits(year, 2)?, now_unix_s))
            }
        };
        let time = next()?;
        if next() != Some("GMT") {
            return None;
        }
        (digits(day, 2)?, month, year, time)
    } else {
        let (month, day, time) = (next()?, next()?, next()?);
        (digits(day, day.len().min(2))?, month, digits(next()?, 4)?, time)
    };
    let month = 1 + MONTHS.iter().position(|name| *name == month)? as u64;
    let seconds = seconds_of_day(time)?;
    if parts.next().is_some() || year < 1970 || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970, with years that begin in March so that the leap day comes last.
    let year = if month < 3 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some(days * 86_400 + seconds)
}

/// The year that two digits mean: one that seems to be more than 50 years ahead has passed.
fn full_year(last_digits: u64, now_unix_s: u64) -> u64 {
    const AVERAGE_YEAR_S: u64 = 31_556_952;
    let this_year = 1970 + now_unix_s / AVERAGE_YEAR_S;
    let year = this_year - this_year % 100 + last_digits;
    if year > this_year + 50 { year - 100 } else { year }
}

/// Seconds since midnight of a time like `08:49:37`.
fn seconds_of_day(time: &str) -> Option<u64> {
    let (hours, rest) = time.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let [hours, minutes, seconds] = [digits(hours, 2)?, digits(minutes, 2)?, digits(seconds, 2)?];
    // A leap second is a second too.
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(hours * 3_600 + minutes * 60 + seconds)
}

/// A number of so many digits.
fn digits(text: &str, count: usize) -> Option<u64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        // Some time in 2026.
        let now_unix_s = 1_795_348_800;
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Sun, 22 Nov 2026 12:00:00 GMT", Some(1_795_348_800)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nuv 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1969 08:49:37 GMT", None),
            ("Sun, 0x Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:60 GMT", Some(784_111_800)),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:60:00 GMT", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT again", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 22-Nov-76 12:00:00 GMT", Some(3_373_272_000)),
            ("Monday, 22-Nov-77 12:00:00 GMT", Some(249_048_000)),
            ("Sunday, 06-Nov-1994 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 06 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 006 08:49:37 1994", None),
            ("Sun Nov  6 08:49:37", None),
            ("Sun,", None),
            ("Sun, 06 Nov 1994 +8:49:37 GMT", None),
            ("", None),
        ] {
            assert_eq!(unix_s(date, now_unix_s), expected, "{date}");
        }
    }
}
