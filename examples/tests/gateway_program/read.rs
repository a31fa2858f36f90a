//! `gateway read`: what it asks for, and how it shows what comes back.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameWriter};
use promha_remote_proto::prompb::{Query, ResponseType};

use super::data::{everything, nodes};
use crate::harness::dataset::Series;
use crate::harness::fake::Upstream;
use crate::harness::gateway::{Setup, config, group, program};
use crate::harness::process::{Ran, ran};
use crate::harness::{eventually, now_ms, wire};

/// `gateway read` of a server.
async fn read(url: &str, selector: &str, arguments: &[&str]) -> Ran {
    ran(Command::new(program()).args(["read", selector, "--url", url]).args(arguments)).await
}

/// Two series with everything that is not easy to print.
fn odd() -> Vec<Series> {
    let series = |labels: &[(&str, &str)], samples: &[(i64, f64)]| Series {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        samples: samples.to_vec(),
    };
    vec![
        series(
            &[("__name__", "up"), ("path", "C:\\a \"b\", ü")],
            &[(0, 1.0), (15_000, -0.5), (30_001, f64::NAN), (45_000, f64::INFINITY)],
        ),
        series(&[("job", "no name")], &[(1_795_341_600_000, f64::NEG_INFINITY), (1_795_341_601_500, 1e300)]),
    ]
}

/// The whole time in which there are samples.
const ALWAYS: [&str; 2] = ["--from=0", "--to=2030-01-01T00:00:00Z"];

#[tokio::test]
async fn a_table_for_people() {
    let upstream = Upstream::good(odd());
    for accept in [&[][..], &["--accept=streamed"], &["--accept=samples"], &["--output=table"]] {
        let ran = read(&upstream.url(), "up", &[&ALWAYS, accept].concat()).await;
        assert_eq!(
            ran.stdout,
            r#"up{path="C:\\a \"b\", ü"}
  1970-01-01T00:00:00.000Z  1
  1970-01-01T00:00:15.000Z  -0.5
  1970-01-01T00:00:30.001Z  NaN
  1970-01-01T00:00:45.000Z  +Inf
{job="no name"}
  2026-11-22T10:00:00.000Z  -Inf
  2026-11-22T10:00:01.500Z  1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
"#
        );
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn csv_for_spreadsheets() {
    let upstream = Upstream::good(odd());
    for accept in ["--accept=streamed", "--accept=samples"] {
        let ran = read(&upstream.url(), "up", &[&ALWAYS[..], &["--output=csv", accept]].concat()).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(
            lines[..6],
            [
                "series,timestamp_ms,value",
                r#""up{path=""C:\\a \""b\"", ü""}",0,1"#,
                r#""up{path=""C:\\a \""b\"", ü""}",15000,-0.5"#,
                r#""up{path=""C:\\a \""b\"", ü""}",30001,NaN"#,
                r#""up{path=""C:\\a \""b\"", ü""}",45000,+Inf"#,
                r#""{job=""no name""}",1795341600000,-Inf"#,
            ]
        );
        assert_eq!(lines.len(), 7);
    }
}

/// As VictoriaMetrics exports and imports it: what JSON has no number for is null or a text.
#[tokio::test]
async fn json_for_programs() {
    let upstream = Upstream::good(odd());
    for accept in ["--accept=streamed", "--accept=samples"] {
        let ran = read(&upstream.url(), "up", &[&ALWAYS[..], &["--output=json", accept]].concat()).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let lines: Vec<serde_json::Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(
            lines,
            [
                serde_json::json!({
                    "metric": { "__name__": "up", "path": "C:\\a \"b\", ü" },
                    "values": [1.0, -0.5, null, "Infinity"],
                    "timestamps": [0, 15_000, 30_001, 45_000],
                }),
                serde_json::json!({
                    "metric": { "job": "no name" },
                    "values": ["-Infinity", 1e300],
                    "timestamps": [1_795_341_600_000_i64, 1_795_341_601_500_i64],
                }),
            ]
        );
    }
}

#[tokio::test]
async fn the_summary_says_what_came_back() {
    let series = odd();
    let upstream = Upstream::good(series.clone());
    let streamed: usize = series.iter().map(|one| wire::frames(0, one).len()).sum();
    let samples = wire::samples_body(std::slice::from_ref(&series)).len();
    assert!(streamed < 1000 && samples < 1000, "small enough to be printed as bytes");
    let cases = [
        ("--accept=streamed", format!("streamed chunks ({}): 2 series, 2 chunks", wire::STREAMED), streamed),
        ("--accept=samples", "samples (application/x-protobuf): 2 series, 0 chunks".to_owned(), samples),
    ];
    for (accept, begin, bytes) in cases {
        for output in ["--output=table", "--output=csv", "--output=json"] {
            let ran = read(&upstream.url(), "up", &[&ALWAYS[..], &[accept, output]].concat()).await;
            let expected = format!("{begin}, 6 samples, {bytes} B in ");
            assert!(ran.stderr.starts_with(&expected), "{:?} is not {expected:?}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "no more than that where there is no terminal");
        }
    }
    // Through a gateway, of which half is down.
    let dead = Upstream::failing(500, "no");
    let other = Upstream::failing(500, "no");
    let groups = [
        group("north", &[("a", &upstream.url()), ("b", &dead.url())]),
        group("south", &[("c", &other.url())]),
    ];
    let gateway = Setup::new(&format!("partial_response: true\n{}", config(&groups))).start().await;
    let ran = gateway.read("up", &ALWAYS).await;
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 8), "{}", ran.stderr);
    assert!(ran.stderr.contains("\ndegraded: b did not answer\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\npartial: south did not answer\n"), "{}", ran.stderr);
}

#[tokio::test]
async fn nothing_is_said_to_be_nothing() {
    let upstream = Upstream::good(vec![]);
    for output in ["--output=table", "--output=json"] {
        let ran = read(&upstream.url(), "up", &[output]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
        assert!(ran.stderr.contains(": 0 series, 0 chunks, 0 samples, 0 B in "), "{}", ran.stderr);
    }
    // A file of which something is read by a program has its head also when it is empty.
    let ran = read(&upstream.url(), "up", &["--output=csv"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "series,timestamp_ms,value\n"));
}

#[tokio::test]
async fn what_cannot_be_shown_is_mentioned() {
    let chunks = [ChunkEncoding::Histogram, ChunkEncoding::FloatHistogram].map(|encoding| ChunkView {
        min_ms: 0,
        max_ms: 9,
        encoding,
        data: &[1, 2, 3],
    });
    let mut frames = Vec::new();
    FrameWriter::default().write(0, &[("__name__", "latency")], chunks.into_iter(), &mut frames);
    frames.extend(wire::frames(0, &odd()[0]));
    let upstream = Upstream::start(move |_, connection| {
        connection.begin_stream()?;
        connection.chunk(&frames)?;
        connection.end_stream()
    });
    let ran = read(&upstream.url(), "up", &ALWAYS).await;
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 5), "{}", ran.stderr);
    assert!(ran.stderr.contains(": 1 series, 3 chunks, 4 samples, "), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("\nnot shown: 2 chunks of native histograms\n"), "{}", ran.stderr);
}

/// Chunks reach beyond what was asked for; what is shown does not, in whichever form it came.
#[tokio::test]
async fn only_what_is_in_the_range_is_shown() {
    let upstream = Upstream::good(odd());
    for accept in ["--accept=streamed", "--accept=samples"] {
        let arguments = ["--from=15", "--to=30.001", "--output=csv", accept];
        let ran = read(&upstream.url(), "up", &arguments).await;
        let times: Vec<&str> =
            ran.stdout.lines().skip(1).map(|line| line.rsplit(',').nth(1).unwrap()).collect();
        assert_eq!(times, ["15000", "30001"], "{accept}: both ends are included");
        assert!(ran.stderr.contains(": 1 series, "), "{accept}: {}", ran.stderr);
        assert!(ran.stderr.contains(" 2 samples, "), "{accept}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn what_is_asked_for_is_what_was_typed() {
    let upstream = Upstream::good(vec![]);
    let (streamed, samples): (i32, i32) =
        (ResponseType::StreamedXorChunks.into(), ResponseType::Samples.into());
    for (accept, types) in [
        (&[][..], &[streamed, samples][..]),
        (&["--accept=streamed"], &[streamed]),
        (&["--accept", "samples"], &[samples]),
    ] {
        read(&upstream.url(), r#"up{a="1",b!="2",c=~"3|4",d!~"5.*"}"#, accept).await;
        let request = upstream.last_request();
        assert_eq!(request.message.accepted_response_types, types);
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("content-encoding"), Some("snappy"));
        assert_eq!(request.header("x-prometheus-remote-read-version"), Some("0.1.0"));
        let query = &request.message.queries[0];
        let matchers: Vec<(i32, &str, &str)> =
            query.matchers.iter().map(|m| (m.r#type, m.name.as_str(), m.value.as_str())).collect();
        let expected =
            [(0, "__name__", "up"), (0, "a", "1"), (1, "b", "2"), (2, "c", "3|4"), (3, "d", "5.*")];
        assert_eq!((request.message.queries.len(), &matchers[..]), (1, &expected[..]));
    }
}

#[tokio::test]
async fn a_range_can_be_typed_in_many_ways() {
    let upstream = Upstream::good(vec![]);
    let asked = async |arguments: &[&str]| -> Query {
        let ran = read(&upstream.url(), "up", arguments).await;
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        upstream.last_request().message.queries[0].clone()
    };
    for (typed, ms) in [
        ("0", 0),
        ("-5", -5_000),
        ("12.5", 12_500),
        ("1795341600", 1_795_341_600_000),
        ("1795341600.001", 1_795_341_600_001),
        ("1.7953416e9", 1_795_341_600_000),
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-22T10:00:00Z", 1_795_341_600_000),
        ("2026-11-22T10:00:00.001Z", 1_795_341_600_001),
        ("2026-11-22T12:00:00+02:00", 1_795_341_600_000),
        ("2026-11-22 10:00:00Z", 1_795_341_600_000),
    ] {
        let query = asked(&["--from", typed, "--to", "2040-01-01T00:00:00Z"]).await;
        assert_eq!(query.start_timestamp_ms, ms, "--from {typed}");
        let query = asked(&["--from=-9", &format!("--to={typed}")]).await;
        assert_eq!((query.start_timestamp_ms, query.end_timestamp_ms), (-9_000, ms), "--to={typed}");
    }
    // What is relative is relative to one and the same now.
    for (arguments, length_ms) in [
        (&[][..], 3_600_000),
        (&["--from=now-1h30m"], 5_400_000),
        (&["--from", "now-2d", "--to", "now-1d"], 86_400_000),
        (&["--from=now", "--to=now"], 0),
        (&["--from=now-500ms"], 500),
    ] {
        let before = now_ms();
        let query = asked(arguments).await;
        let after = now_ms();
        assert_eq!(query.end_timestamp_ms - query.start_timestamp_ms, length_ms, "{arguments:?}");
        let ago = if arguments.len() == 4 { 86_400_000 } else { 0 };
        let now = query.end_timestamp_ms + ago;
        assert!((before..=after).contains(&now), "{arguments:?}: {now} is not from {before} to {after}");
    }
}

/// Whoever has seen enough, as `head -n 1`, is not told that the rest could not be printed.
#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let upstream = Upstream::good(nodes("a", 400));
    for output in ["table", "csv", "json"] {
        let mut child = Command::new(program())
            .args(["read", "up", "--url", &upstream.url(), "--from=0", "--output", output])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a gateway");
        let mut out = BufReader::with_capacity(64, child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "{output}");
        drop(out);
        let status = eventually("gateway read ends", async || {
            child.try_wait().expect("its state").ok_or("it runs".to_owned())
        })
        .await;
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut said).expect("text");
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{output}");
    }
    // Without the early end there is more than a pipe holds.
    let whole = read(&upstream.url(), "up", &["--from=0", "--output=json"]).await;
    assert!(whole.stdout.len() > 1 << 20, "{} bytes", whole.stdout.len());
    assert_eq!(whole.stdout.lines().count(), 400);
    let gateway = Setup::new(&config(&[group("dc1", &[("a", &upstream.url())])])).start().await;
    let reply = wire::read(&gateway.read_url(), vec![everything()], &[ResponseType::Samples]).await;
    assert_eq!(reply.expect("an answer").results[0].len(), 400);
}
