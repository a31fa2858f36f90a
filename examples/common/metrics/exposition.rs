//! From OpenMetrics, which the registry writes, to the text format that older readers know.

use axum::http::HeaderValue;

pub(super) const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(super) const PROMETHEUS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether any of the `Accept` headers names OpenMetrics without refusing it.
pub(super) fn wants_open_metrics<'h>(accept: impl IntoIterator<Item = &'h HeaderValue>) -> bool {
    let texts = accept.into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named =
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
        let refused = parts
            .any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse::<f64>().is_ok_and(|q| q == 0.0)));
        named && !refused
    })
}

/// The same metrics for readers of Prometheus' text format.
///
/// That format names a counter with its `_total`, and knows no units, exemplars, info metrics or end mark.
pub(super) fn to_prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "stateset" => ("", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                text.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with("# ") {
            text.push_str(without_exemplar(line));
            text.push('\n');
        }
    }
    text
}

/// A sample up to the ` # {...}` behind its value; a `#` within a label value is not that.
fn without_exemplar(sample: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in sample.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return sample[..at].trim_end(),
            _ => {}
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_who_asks() {
        let wants = |texts: &[&'static str]| {
            let values: Vec<_> = texts.iter().map(|text| HeaderValue::from_static(text)).collect();
            wants_open_metrics(&values)
        };
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                          version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert!(wants(&[prometheus]));
        assert!(wants(&["text/plain", "Application/OpenMetrics-Text; version=1.0.0"]));
        for texts in [&[] as &[_], &["*/*"], &["text/plain"], &["application/openmetrics-text; q=0"]] {
            assert!(!wants(texts), "{texts:?}");
        }
    }

    #[test]
    fn everything_is_renamed_that_must_be() {
        let open_metrics = r##"# HELP reads Reads so far.
# TYPE reads counter
reads_total{kind="a # b \" # c"} 1 # {trace="x"} 1.0
reads_total{kind="plain"} 2
# HELP wait_seconds How long.
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_sum 0.5
wait_seconds_count 1
wait_seconds_bucket{le="+Inf"} 1
# HELP build What.
# TYPE build info
build_info{version="1"} 1
# TYPE odd unknown
odd 1
# EOF
"##;
        let expected = r#"# HELP reads_total Reads so far.
# TYPE reads_total counter
reads_total{kind="a # b \" # c"} 1
reads_total{kind="plain"} 2
# HELP wait_seconds How long.
# TYPE wait_seconds histogram
wait_seconds_sum 0.5
wait_seconds_count 1
wait_seconds_bucket{le="+Inf"} 1
# HELP build_info What.
# TYPE build_info gauge
build_info{version="1"} 1
# TYPE odd untyped
odd 1
"#;
        assert_eq!(to_prometheus_text(open_metrics), expected);
    }
}
