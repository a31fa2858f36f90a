//! What is taken and what is refused, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod cases;
}

use std::path::Path;

use common::cases::{Case, OPENMETRICS, TEXT};
use promha_federate::exposition::openmetrics::OpenMetricsParser;
use promha_federate::exposition::text::TextParser;
use promha_federate::exposition::{
    Entry, ExpositionError, ExpositionErrorKind, Format, Limit, Limits, MetricType, Parser,
};

/// Entries as text, one a line, as far as they go.
fn entries(format: Format, input: &[u8]) -> (Vec<String>, Result<(), ExpositionError>) {
    limited(format, input, Limits::default())
}

fn limited(format: Format, input: &[u8], limits: Limits) -> (Vec<String>, Result<(), ExpositionError>) {
    let mut parser = Parser::new(format, input, limits);
    let mut found = Vec::new();
    let result = loop {
        match parser.next_entry() {
            Ok(None) => break Ok(()),
            Ok(Some(entry)) => found.push(shown(&entry)),
            Err(error) => break Err(error),
        }
    };
    assert!(matches!(parser.next_entry(), Ok(None)), "nothing more behind the end");
    (found, result)
}

fn shown(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Type { family, metric_type } => format!("type {family} {}", metric_type.as_openmetrics()),
        Entry::Help { family, help } => format!("help {family} {help:?}"),
        Entry::Unit { family, unit } => format!("unit {family} {unit}"),
        Entry::Comment(text) => format!("comment {:?}", String::from_utf8_lossy(text)),
        Entry::Series(series) => {
            let mut text = format!("{:?} {:?}", series.labels(), series.value());
            if let Some(t_ms) = series.t_ms() {
                text += &format!(" at {t_ms}");
            }
            if let Some(exemplar) = series.exemplar() {
                text += &format!(" # {:?} {:?} {:?}", exemplar.labels, exemplar.value, exemplar.t_ms);
            }
            text
        }
        other => format!("{other:?}"),
    }
}

fn check(format: Format, cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let (_, result) = entries(format, case.input);
        let found =
            result.as_ref().copied().map_err(|error| (error.line().unwrap(), error.column().unwrap()));
        if found != case.expected {
            let input = String::from_utf8_lossy(case.input);
            wrong.push(format!("{input:?}: expected {:?}, found {found:?} {result:?}", case.expected));
        }
        if let Err(error) = result {
            assert!(error.offset() <= case.input.len());
        }
    }
    println!("{} cases", cases.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn text_is_taken_and_refused_as_by_prometheus() {
    check(Format::Text, TEXT);
}

#[test]
fn openmetrics_is_taken_and_refused_as_by_prometheus() {
    check(Format::OpenMetrics, OPENMETRICS);
}

#[test]
fn text_becomes_entries() {
    let input = concat!(
        "# HELP hits All\\n of \\\\ them \\\".\n",
        "# TYPE hits counter\n",
        "hits{path=\"C:\\\\d\\\"\\n\\x\",code=\"200\",Z=\"é\"} 1027 1395066363000\n",
        "#  a comment\n",
        "{\"my.metric\", \"l \\\"x\"=\"y\"} NaN\n",
        "up{b=\"\"} +Inf\n",
        "# HELP \"a\\\"b\"  x\n",
        "a 1e-7",
    );
    let (found, result) = entries(Format::Text, input.as_bytes());
    assert_eq!(result, Ok(()));
    let expected = [
        "help hits \"All\\n of \\\\ them \\\\\\\".\"",
        "type hits counter",
        "[(\"Z\", \"é\"), (\"__name__\", \"hits\"), (\"code\", \"200\"), (\"path\", \"C:\\\\d\\\"\\n\\\\x\")] \
         1027.0 at 1395066363000",
        "comment \"a comment\"",
        "[(\"__name__\", \"my.metric\"), (\"l \\\"x\", \"y\")] NaN",
        "[(\"__name__\", \"up\"), (\"b\", \"\")] inf",
        "help a\"b \" x\"",
        "[(\"__name__\", \"a\")] 1e-7",
    ];
    assert_eq!(found, expected);
}

#[test]
fn openmetrics_becomes_entries() {
    let input = concat!(
        "# TYPE hits_seconds counter\n",
        "# UNIT hits_seconds seconds\n",
        "# HELP hits_seconds All \\\"of\\\" them\\n.\n",
        "hits_seconds_total{b=\"2\",a=\"1\"} 17.0 1.5 # {z=\"\\n\",y=\"1\"} 0.5 1395066363.123\n",
        "hits_seconds_created{b=\"2\",a=\"1\"} 1395066363\n",
        "# TYPE s stateset\n",
        "s{s=\"on\"} 1 -1.5\n",
        "# EOF\n",
    );
    let (found, result) = entries(Format::OpenMetrics, input.as_bytes());
    assert_eq!(result, Ok(()));
    let expected = [
        "type hits_seconds counter",
        "unit hits_seconds seconds",
        "help hits_seconds \"All \\\"of\\\" them\\n.\"",
        "[(\"__name__\", \"hits_seconds_total\"), (\"a\", \"1\"), (\"b\", \"2\")] 17.0 at 1500 \
         # [(\"y\", \"1\"), (\"z\", \"\\n\")] 0.5 Some(1395066363123)",
        "[(\"__name__\", \"hits_seconds_created\"), (\"a\", \"1\"), (\"b\", \"2\")] 1395066363.0",
        "type s stateset",
        "[(\"__name__\", \"s\"), (\"s\", \"on\")] 1.0 at -1500",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_was_read_before_an_error_stands() {
    let (found, result) = entries(Format::Text, b"a 1\nb 2\nc{d=\"e\" f=\"g\",h} 3\nd 4\n");
    assert_eq!(found.len(), 2);
    let error = result.unwrap_err();
    assert_eq!((error.line(), error.column(), error.offset()), (Some(3), Some(16), 23));
    assert_eq!(
        error.to_string(),
        "line 3, column 16 (byte 23): expected = behind the label name, found \"} 3\""
    );
}

#[test]
fn the_ordinary_nan_has_its_bits() {
    let mut parser = TextParser::new(b"a nan\n", Limits::default());
    let Some(Entry::Series(series)) = parser.next_entry().unwrap() else { panic!() };
    assert_eq!(series.value().to_bits(), 0x7ff8_0000_0000_0001);
    drop(series);
    let mut parser = OpenMetricsParser::new(b"a NaN\n# EOF\n", Limits::default());
    let Some(Entry::Series(series)) = parser.next_entry().unwrap() else { panic!() };
    assert_eq!(series.value().to_bits(), 0x7ff8_0000_0000_0001);
}

#[test]
fn what_is_over_a_limit_is_refused() {
    let mut limits = Limits::default();
    (limits.max_line_bytes, limits.max_labels_per_series, limits.max_label_bytes) = (40, 3, 10);
    for format in [Format::Text, Format::OpenMetrics] {
        let over = |input: &str| {
            let input = format!("{input}# EOF\n");
            limited(format, input.as_bytes(), limits).1.map_err(|error| match error.kind() {
                ExpositionErrorKind::OverLimit { what, limit, found } => {
                    (*what, *limit, *found, error.offset())
                }
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(over("a{b=\"1\",c=\"2\"} 1\n"), Ok(()));
        assert_eq!(over("a{b=\"1\",c=\"2\",d=\"3\"} 1\n"), Err((Limit::LabelsPerSeries, 3, 4, 14)));
        assert_eq!(over("a{b=\"0123456789\"} 1\n"), Ok(()));
        assert_eq!(over("a{b=\"0123456789a\"} 1\n"), Err((Limit::LabelBytes, 10, 11, 2)));
        assert_eq!(over("a{b0123456789=\"\"} 1\n"), Err((Limit::LabelBytes, 10, 11, 2)));
        assert_eq!(over("a0123456789 1\n"), Err((Limit::LabelBytes, 10, 11, 0)));
        assert_eq!(over("{\"a0123456789\"} 1\n"), Err((Limit::LabelBytes, 10, 11, 1)));
        assert_eq!(over("# HELP a 012345678901234567890123456789\n"), Ok(()));
        assert_eq!(over("# HELP a 0123456789012345678901234567890\n"), Err((Limit::LineBytes, 40, 41, 0)));
        assert_eq!(over(&format!("a {}1\n", "0".repeat(40))), Err((Limit::LineBytes, 40, 44, 0)));
    }
}

#[test]
fn many_labels_and_many_bad_comments_take_linear_time() {
    let labels: String = (0..9_000).rev().map(|n| format!("l{n}=\"{n}\",")).collect();
    let lines = format!("a{{{labels}}} 1\n").repeat(5);
    assert_eq!(entries(Format::Text, lines.as_bytes()).1, Ok(()));
    let comments = b"# \xff\n".repeat(200_000);
    let (found, result) = entries(Format::Text, &comments);
    assert_eq!((found.len(), result), (200_000, Ok(())));
}

#[test]
fn recorded_scrapes_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/federate");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with('r') {
            continue;
        }
        let case: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for part in ["scraped_body", "body"] {
            let is_text = part == "scraped_body"
                || case["content_type"].as_str().is_some_and(|text| text.starts_with("text/plain; version"));
            let Some(body) = case[part].as_str().filter(|_| is_text) else { continue };
            let (found, result) = entries(Format::Text, body.as_bytes());
            assert_eq!(result, Ok(()), "{path:?}");
            let samples = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            let series = found.iter().filter(|entry| entry.starts_with('[')).count();
            assert_eq!(series, samples, "{path:?}");
            read += 1;
        }
    }
    println!("{read} bodies");
    assert!(read > 20, "{read}");
}

#[test]
fn the_content_type_says_the_format() {
    let cases = [
        ("text/plain", Some(Format::Text)),
        ("text/plain; version=0.0.4; charset=utf-8", Some(Format::Text)),
        ("Text/PLAIN;version=\"1.0.0\" ; escaping=allow-utf-8", Some(Format::Text)),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Some(Format::OpenMetrics)),
        ("application/openmetrics-text;", Some(Format::OpenMetrics)),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            Some(Format::Protobuf),
        ),
        ("", None),
        ("text/html; charset=utf-8", None),
        ("application/json", None),
        ("text/plain; version", None),
        ("text/plain; a=1; A=2", None),
        ("text/plain; a=", None),
        ("text/plain; a=\"", None),
    ];
    for (content_type, expected) in cases {
        assert_eq!(Format::of_content_type(content_type, None).ok(), expected, "{content_type}");
        let fallback = Format::of_content_type(content_type, Some(Format::Text)).unwrap();
        assert_eq!(fallback, expected.unwrap_or(Format::Text), "{content_type}");
    }
}

#[test]
fn types_have_their_words() {
    for (word, metric_type) in [("untyped", MetricType::Unknown), ("summary", MetricType::Summary)] {
        assert_eq!(MetricType::from_text(word), Some(metric_type));
    }
    assert_eq!(MetricType::from_openmetrics("gaugehistogram"), Some(MetricType::GaugeHistogram));
    assert_eq!(MetricType::from_openmetrics("untyped"), None);
}
