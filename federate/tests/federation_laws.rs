//! What holds for every federation: what it takes of memory, that nothing is cut short, how it is compressed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::convert::Infallible;
use std::io::Read;

use allocation_counter::measure;

use promha_federate::Selector;
use promha_federate::exposition::write::{Counts, Escaping, Histogram, Span, Value, WriteFormat};
use promha_federate::federation::{Federation, Head, PlainSeries, Request, Sample, Source};

const NOW_MS: i64 = 1_700_000_000_000;

type Labels = Vec<(&'static str, String)>;

fn labels(n: usize) -> Labels {
    vec![
        ("__name__", format!("metric_{}_total", n % 200)),
        ("instance", format!("10.0.0.{}:9100", n % 50)),
        ("job", "node".to_owned()),
        ("series", n.to_string()),
    ]
}

fn with_series<R>(count: usize, run: impl FnOnce(&[PlainSeries<'_>]) -> R) -> R {
    let owned: Vec<Labels> = (0..count).map(labels).collect();
    let borrowed: Vec<Vec<(&str, &str)>> =
        owned.iter().map(|labels| labels.iter().map(|label| (label.0, label.1.as_str())).collect()).collect();
    let samples: Vec<[Sample<'_>; 1]> = (0..count)
        .map(|n| [Sample { at_ms: NOW_MS - n as i64 % 15_000, value: Value::Float(n as f64 / 8.0) }])
        .collect();
    let series: Vec<PlainSeries<'_>> =
        borrowed.iter().zip(&samples).map(|(labels, samples)| PlainSeries { labels, samples }).collect();
    run(&series)
}

fn request(selector: &str, accept_encoding: &str) -> Request {
    Request {
        selectors: vec![selector.to_owned()],
        accept: String::new(),
        accept_encoding: accept_encoding.to_owned(),
    }
}

#[test]
fn a_thousand_series_take_ten_allocations_at_most() {
    let federation = Federation::new(&[("cluster", "dc1"), ("replica", "a")]);
    let request = request("{job=\"node\"}", "");
    with_series(100_000, |series| {
        // Also the first answer, which has no memory yet.
        let mut body = Vec::new();
        for what in ["cold", "warm"] {
            let info = measure(|| {
                assert_eq!(federation.answer(&request, series, NOW_MS, &mut body).status, 200);
            });
            println!("{what}: {} allocations for {} series", info.count_total, series.len());
            assert!(info.count_total <= 100_000 / 1_000 * 10, "{what}: {} allocations", info.count_total);
        }
    });
    // What is selected takes memory; the samples take none.
    with_series(200, |series| {
        let selectors = [Selector::parse("{job=\"node\"}").unwrap()];
        let mut out = Vec::with_capacity(1 << 20);
        for (format, most) in [(WriteFormat::Text, 80), (WriteFormat::Protobuf, 80)] {
            out.clear();
            let info = measure(|| {
                let written =
                    federation.expose(&selectors, series, NOW_MS, format, Escaping::Underscores, &mut out);
                assert_eq!(written, Ok(200));
            });
            assert!(info.count_total <= most, "{format:?}: {} allocations", info.count_total);
        }
    });
}

/// A source that has each selector give its series by itself.
struct OneByOne<'a>(&'a [PlainSeries<'a>]);

impl Source for OneByOne<'_> {
    type Series = usize;
    type Error = Infallible;

    fn select(&self, selectors: &[Selector], take: &mut dyn FnMut(usize)) -> Result<(), Infallible> {
        for selector in selectors.iter().rev() {
            (0..self.0.len()).rev().filter(|&at| selector.matches(self.0[at].labels)).for_each(&mut *take);
        }
        Ok(())
    }

    fn labels(&self, series: usize) -> impl Iterator<Item = (&str, &str)> {
        self.0.labels(series)
    }

    fn newest(&self, series: usize, from_ms: i64, to_ms: i64) -> Result<Option<Sample<'_>>, Infallible> {
        self.0.newest(series, from_ms, to_ms)
    }
}

#[test]
fn series_come_once_and_in_order_however_they_are_selected() {
    let selectors = ["{job=\"node\"}", "metric_7_total", "{instance=~\"10.*\"}"];
    let request = Request { selectors: selectors.map(str::to_owned).to_vec(), ..Request::default() };
    let federation = Federation::new(&[("replica", "a")]);
    with_series(1_000, |series| {
        let (mut plain, mut one_by_one) = (Vec::new(), Vec::new());
        federation.answer(&request, series, NOW_MS, &mut plain);
        federation.answer(&request, &OneByOne(series), NOW_MS, &mut one_by_one);
        assert!(plain == one_by_one);
        let text = String::from_utf8(plain).unwrap();
        let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert!(families.len() == 200 && families.is_sorted());
        assert_eq!(text.lines().count(), 1_200);
    });
}

#[test]
fn bodies_are_compressed_as_accepted() {
    let federation = Federation::new(&[]);
    with_series(1_000, |series| {
        let answer = |accept_encoding| {
            let mut body = Vec::new();
            let head =
                federation.answer(&request("{job=\"node\"}", accept_encoding), series, NOW_MS, &mut body);
            (header(&head, "content-encoding").map(str::to_owned), body)
        };
        let (encoding, plain) = answer("br;q=1.0, identity");
        assert_eq!(encoding, None);
        let (encoding, gzip) = answer("deflate;q=0.5, gzip");
        assert_eq!(encoding.as_deref(), Some("gzip"));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain && gzip.len() < plain.len() / 4);
        let (encoding, zlib) = answer("deflate");
        assert_eq!(encoding.as_deref(), Some("deflate"));
        unpacked.clear();
        flate2::read::ZlibDecoder::new(&zlib[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain);
    });
}

#[test]
fn what_goes_wrong_is_never_half_an_answer() {
    let broken = Histogram { positive_spans: &[span(0, 3)], ..Histogram::default() };
    let float = [Sample { at_ms: NOW_MS, value: Value::Float(1.0) }];
    let histogram = [Sample { at_ms: NOW_MS, value: Value::Histogram(broken) }];
    let series = [
        PlainSeries { labels: &[("__name__", "a"), ("job", "x")], samples: &float },
        PlainSeries { labels: &[("__name__", "b"), ("job", "x")], samples: &histogram },
    ];
    let mut body = b"of before".to_vec();
    let mut answer =
        |federation: &Federation, source: &dyn Fn(&Federation, &Request, &mut Vec<u8>) -> Head, encoding| {
            let mut request = request("{job=\"x\"}", encoding);
            request.accept =
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
                    .to_owned();
            let head = source(federation, &request, &mut body);
            assert_eq!(header(&head, "content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(header(&head, "content-encoding"), None);
            (head.status, String::from_utf8(body.clone()).unwrap())
        };
    let plain = |federation: &Federation, request: &Request, body: &mut Vec<u8>| {
        federation.answer(request, &series[..], NOW_MS, body)
    };
    let (status, text) = answer(&Federation::new(&[]), &plain, "gzip");
    assert_eq!((status, text.as_str()), (500, "b: spans of 3 buckets, but 0 counts\n"));
    let (status, text) = answer(&Federation::new(&[]).max_body_bytes(5), &plain, "gzip");
    assert_eq!((status, text.as_str()), (500, "the answer is larger than 5 bytes\n"));
    let failing = |federation: &Federation, request: &Request, body: &mut Vec<u8>| {
        federation.answer(request, &Failing, NOW_MS, body)
    };
    let (status, text) = answer(&Federation::new(&[]), &failing, "");
    assert_eq!((status, text.as_str()), (500, "disk on fire\n"));
}

#[test]
fn names_that_not_every_reader_knows_stand_in_quotes_if_they_may() {
    let (float, custom) = (
        Value::Float(1.5),
        Histogram {
            count: 3.0,
            sum: 2.5,
            schema: -53,
            positive_spans: &[span(0, 2)],
            positive: Counts::Absolute(&[1.0, 2.0]),
            custom_bounds: &[0.5],
            ..Histogram::default()
        },
    );
    let samples = [
        [Sample { at_ms: NOW_MS, value: float }],
        [Sample { at_ms: NOW_MS, value: Value::Histogram(custom) }],
    ];
    let labels = [("__name__", "http.requests"), ("k8s.pod", "p\"1"), ("x", "")];
    let series = [
        PlainSeries { labels: &labels[..], samples: &samples[0] },
        PlainSeries { labels: &labels[..1], samples: &samples[1] },
    ];
    let selectors = [Selector::parse("{__name__=\"http.requests\"}").unwrap()];
    let expose = |format, escaping| {
        let mut out = Vec::new();
        Federation::new(&[("instance", "i")])
            .expose(&selectors, &series[..], NOW_MS, format, escaping, &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        expose(WriteFormat::Text, Escaping::AllowUtf8),
        "# TYPE \"http.requests\" untyped\n\
         {\"http.requests\",\"k8s.pod\"=\"p\\\"1\",instance=\"i\"} 1.5 1700000000000\n\
         # TYPE \"http.requests\" histogram\n\
         {\"http.requests_bucket\",instance=\"i\",le=\"0.5\"} 1 1700000000000\n\
         {\"http.requests_bucket\",instance=\"i\",le=\"+Inf\"} 3 1700000000000\n\
         {\"http.requests_sum\",instance=\"i\"} 2.5 1700000000000\n\
         {\"http.requests_count\",instance=\"i\"} 3 1700000000000\n"
    );
    assert_eq!(
        expose(WriteFormat::Text, Escaping::Dots),
        "# TYPE http_dot_requests untyped\n\
         http_dot_requests{k8s_dot_pod=\"p\\\"1\",instance=\"i\"} 1.5 1700000000000\n\
         # TYPE http_dot_requests histogram\n\
         http_dot_requests_bucket{instance=\"i\",le=\"0.5\"} 1 1700000000000\n\
         http_dot_requests_bucket{instance=\"i\",le=\"+Inf\"} 3 1700000000000\n\
         http_dot_requests_sum{instance=\"i\"} 2.5 1700000000000\n\
         http_dot_requests_count{instance=\"i\"} 3 1700000000000\n"
    );
    let compact = WriteFormat::Prototext { is_compact: true, is_angled: false };
    assert!(expose(compact, Escaping::Values).starts_with(
        "name:\"U__http_2e_requests\" type:UNTYPED metric:{label:{name:\"U__k8s_2e_pod\" value:\"p\\\"1\"} \
         label:{name:\"instance\" value:\"i\"} untyped:{value:1.5} timestamp_ms:1700000000000} \n"
    ));
}

/// Gives its only series, and then fails.
struct Failing;

impl Source for Failing {
    type Series = u8;
    type Error = &'static str;

    fn select(&self, _: &[Selector], take: &mut dyn FnMut(u8)) -> Result<(), Self::Error> {
        take(0);
        Ok(())
    }

    fn labels(&self, _: u8) -> impl Iterator<Item = (&str, &str)> {
        [("__name__", "up")].into_iter()
    }

    fn newest(&self, _: u8, _: i64, _: i64) -> Result<Option<Sample<'_>>, Self::Error> {
        Err("disk on fire")
    }
}

fn header<'h>(head: &'h Head, name: &str) -> Option<&'h str> {
    head.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
}

const fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}
