//! In which form a client wants its answer.

use crate::exposition::write::{Escaping, WriteFormat};

/// Which release of Prometheus to answer like. What is selected and exposed is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Release {
    /// Names are always escaped with underscores, and the content type does not speak of it.
    V2,
    /// Clients choose how names are escaped, and the content type says how they are.
    #[default]
    V3,
}

const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily";

/// The form that the header `Accept` asks for. Never OpenMetrics: text is always accepted. As `Negotiate` in
/// `prometheus/common`, except that a form with `q=0` is not accepted.
pub(super) fn format(accept: &str, release: Release) -> (WriteFormat, Escaping) {
    let mut escaping = Escaping::default();
    let mut ranges: Vec<Range<'_>> =
        accept.split(',').map(Range::new).filter(|range| range.q > 0.0).collect();
    ranges.sort_by(|a, b| b.q.total_cmp(&a.q));
    for range in ranges {
        if release == Release::V3 {
            escaping = Escaping::from_name(range.parameter("escaping")).unwrap_or(escaping);
        }
        if range.media_type.eq_ignore_ascii_case("application/vnd.google.protobuf")
            && range.parameter("proto") == "io.prometheus.client.MetricFamily"
        {
            let is_angled = release == Release::V2;
            match range.parameter("encoding") {
                "delimited" => return (WriteFormat::Protobuf, escaping),
                "text" => return (WriteFormat::Prototext { is_compact: false, is_angled }, escaping),
                "compact-text" => return (WriteFormat::Prototext { is_compact: true, is_angled }, escaping),
                _ => {}
            }
        }
        let is_text = range.media_type.eq_ignore_ascii_case("text/plain");
        if is_text && matches!(range.parameter("version"), "" | "0.0.4") {
            break;
        }
    }
    (WriteFormat::Text, escaping)
}

/// The content type of an answer.
pub(super) fn content_type(format: WriteFormat, escaping: Escaping, release: Release) -> String {
    let form = match format {
        WriteFormat::Text => "text/plain; version=0.0.4; charset=utf-8".to_owned(),
        WriteFormat::Protobuf => format!("{PROTOBUF}; encoding=delimited"),
        WriteFormat::Prototext { is_compact: false, .. } => format!("{PROTOBUF}; encoding=text"),
        WriteFormat::Prototext { is_compact: true, .. } => format!("{PROTOBUF}; encoding=compact-text"),
    };
    match release {
        Release::V2 => form,
        Release::V3 => format!("{form}; escaping={}", escaping.name()),
    }
}

/// A form that is accepted.
#[derive(Debug)]
struct Range<'a> {
    media_type: &'a str,
    parameters: &'a str,
    q: f64,
}

impl<'a> Range<'a> {
    fn new(text: &'a str) -> Self {
        let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
        let mut range = Self { media_type: media_type.trim(), parameters, q: 1.0 };
        range.q = quality(range.parameter("q"));
        range
    }

    /// The value of a parameter, `""` if there is none.
    fn parameter(&self, name: &str) -> &'a str {
        let parameters = self.parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        let mut values = parameters.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value.trim().trim_matches('"'))
    }
}

/// How much something is wanted, from 0 (not at all) to 1, which is what `""` means.
pub(super) fn quality(text: &str) -> f64 {
    text.parse().ok().filter(|q: &f64| q.is_finite()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_the_form() {
        let delimited =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let scraper = format!(
            "{delimited};q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        let table = [
            (String::new(), WriteFormat::Text, "underscores"),
            ("*/*".into(), WriteFormat::Text, "underscores"),
            ("application/openmetrics-text; version=1.0.0".into(), WriteFormat::Text, "underscores"),
            (delimited.into(), WriteFormat::Protobuf, "underscores"),
            (scraper, WriteFormat::Protobuf, "underscores"),
            (format!("{delimited};q=0.1, text/plain;q=0.5"), WriteFormat::Text, "underscores"),
            (format!("{delimited};q=0"), WriteFormat::Text, "underscores"),
            (format!("text/plain;version=9, {delimited} ; escaping=\"dots\""), WriteFormat::Protobuf, "dots"),
            ("text/plain;escaping=values".into(), WriteFormat::Text, "values"),
            ("text/plain;escaping=none".into(), WriteFormat::Text, "underscores"),
            // As in Prometheus, a form that there is not still says how names are escaped.
            (
                "application/openmetrics-text;escaping=allow-utf-8,text/plain;q=0.5".into(),
                WriteFormat::Text,
                "allow-utf-8",
            ),
        ];
        for (accept, expected, escaping) in table {
            let (found, found_escaping) = format(&accept, Release::V3);
            assert_eq!((found, found_escaping.name()), (expected, escaping), "{accept}");
            assert_eq!(format(&accept, Release::V2), (expected, Escaping::Underscores), "{accept}");
        }
    }
}
