//! What holds for any input: no bytes make a parser panic, what is written is read again, and nothing is allocated for entries.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod plain_text;
}

use allocation_counter::measure;
use common::plain_text;
use promha_federate::exposition::openmetrics::{Exemplar, OpenMetricsWriter};
use promha_federate::exposition::{Entry, Format, Limits, MetricType, Parser};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const FORMATS: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];

/// How many entries there are, and whether that is all.
fn count(format: Format, input: &[u8]) -> (usize, bool) {
    let (mut parser, mut count) = (Parser::new(format, input, Limits::default()), 0);
    loop {
        match parser.next_entry() {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, true),
            Err(error) => {
                assert!(error.offset() <= input.len());
                return (count, false);
            }
        }
    }
}

/// Pieces of which an exposition is made, well or badly.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "a", "b:c", "{", "}", "\"", ",", "=", " ", "\t", "\n", "\\", "\\n", "# ", "#", "TYPE ", "HELP ", "UNIT ", "EOF",
            "counter", "1", "-1.5e3", "NaN", "{a=\"b\"}", " 1\n", " # {", "\0", "é", "\u{feff}", "a_s s", "# EOF\n",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// A family with its samples.
#[derive(Debug, Clone)]
struct Family {
    name: String,
    metric_type: MetricType,
    unit: String,
    help: String,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    suffix: &'static str,
    labels: Labels,
    value: f64,
    t_ms: Option<i64>,
    exemplar: Option<(Labels, f64, Option<i64>)>,
}

type Labels = Vec<(String, String)>;

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map("[a-zA-Z_][a-z0-9_]{0,4}|[^\0]{1,3}", "\\PC{0,5}|[\\\\\"\n\0 a]{0,4}", 0..4)
        .prop_map(|labels| labels.into_iter().filter(|label| label.0 != "__name__").collect())
}

/// Milliseconds of the next 30,000 years, and as long ago.
fn t_ms() -> impl Strategy<Value = i64> {
    -(1_i64 << 49)..(1 << 49)
}

fn number() -> impl Strategy<Value = f64> {
    let special = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324];
    prop_oneof![
        prop::sample::select(special.to_vec()),
        any::<f64>().prop_filter("every NaN becomes the same", |number| !number.is_nan()),
        Just(f64::from_bits(0x7ff8_0000_0000_0001)),
    ]
}

fn family() -> impl Strategy<Value = Family> {
    let types = vec![
        (MetricType::Unknown, &[""][..]),
        (MetricType::Counter, &["_total", "_created"]),
        (MetricType::Gauge, &[""]),
        (MetricType::Histogram, &["_bucket", "_sum", "_count", "_created"]),
        (MetricType::GaugeHistogram, &["_bucket", "_gsum", "_gcount"]),
        (MetricType::Summary, &["", "_sum", "_count"]),
        (MetricType::Info, &["_info"]),
        (MetricType::StateSet, &[""]),
    ];
    let name = "[a-zA-Z_:][a-z0-9_:]{0,6}|[^\0]{1,4}";
    let unit = prop_oneof![3 => Just(""), 1 => Just("seconds")];
    (prop::sample::select(types), name, unit, "\\PC{0,8}|[\\\\\"\n ]{0,4}").prop_flat_map(
        |((metric_type, suffixes), name, unit, help)| {
            let can_have_unit = !matches!(metric_type, MetricType::Info | MetricType::StateSet);
            let unit = if can_have_unit { unit } else { "" };
            let mut name = name.strip_suffix("_total").unwrap_or(&name).to_owned();
            if name.is_empty() || !unit.is_empty() {
                name += &format!("_{unit}");
            }
            let exemplar = option::of((labels(), number(), option::of(t_ms())));
            let sample = (prop::sample::select(suffixes), labels(), number(), option::of(t_ms()), exemplar)
                .prop_map(|(suffix, labels, value, t_ms, exemplar)| {
                    let exemplar = exemplar.filter(|_| matches!(suffix, "_total" | "_bucket"));
                    Sample { suffix, labels, value, t_ms, exemplar }
                });
            vec(sample, 0..4).prop_map(move |samples| Family {
                name: name.clone(),
                metric_type,
                unit: unit.to_owned(),
                help: help.clone(),
                samples,
            })
        },
    )
}

fn borrowed(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn shown(labels: &[(&str, &str)], value: f64, t_ms: Option<i64>) -> String {
    format!("{labels:?} {:x} {t_ms:?}", value.to_bits())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = FORMATS.map(|format| count(format, &bytes));
    }

    #[test]
    fn any_pieces_are_taken_or_refused(text in pieces()) {
        let _ = FORMATS.map(|format| count(format, text.as_bytes()));
    }

    #[test]
    fn text_is_what_it_obviously_is(text in pieces(), bad in option::weighted(0.1, any::<prop::sample::Index>())) {
        let mut bytes = text.into_bytes();
        if let Some(place) = bad.filter(|_| !bytes.is_empty()) {
            let place = place.index(bytes.len());
            bytes[place] |= 0x80;
        }
        assert_eq!(plain_text::parsed(&bytes), plain_text::expected(&bytes));
    }

    #[test]
    fn samples_of_text_are_what_they_obviously_are(
        names in vec("[a-c_:]{1,3}|\"[^\"\\\\\0]{1,9}\"", 1..3),
        values in vec("([^\"\\\\]|\\\\[nx\"\\\\]){0,20}", 0..3),
        number in "[-+]?[0-9]{0,19}\\.?[0-9]{0,10}(e[-+]?[0-9]{1,2})?| ?[Nn][Aa][Nn]|[-+]?[Ii]nf",
        t_ms in "( [0-9]{0,19})?",
    ) {
        let labels: String = values.iter().zip('a'..).map(|(value, name)| format!("{name}=\"{value}\", ")).collect();
        let named = match names[0].strip_prefix('"') {
            Some(_) => format!("{{{},{labels}}}", names[0]),
            None => format!("{}{{{labels}}}", names[0]),
        };
        let text = format!("{named} {number}{t_ms}\n");
        assert_eq!(plain_text::parsed(text.as_bytes()), plain_text::expected(text.as_bytes()));
    }

    #[test]
    fn lines_before_others_do_not_matter(first in pieces(), second in pieces()) {
        // What ends with a line break and is taken can have anything behind it.
        let first = format!("{first}\n");
        if let (before, true) = count(Format::Text, first.as_bytes()) {
            let (behind, is_whole) = count(Format::Text, second.as_bytes());
            let both = format!("{first}{second}");
            assert_eq!(count(Format::Text, both.as_bytes()), (before + behind, is_whole));
        }
    }

    #[test]
    fn openmetrics_that_is_written_is_read(families in vec(family(), 0..4)) {
        let (mut text, mut expected) = (Vec::new(), Vec::new());
        let mut writer = OpenMetricsWriter::new(&mut text);
        for family in &families {
            let Family { name, metric_type, unit, help, samples } = family;
            writer.family(name, *metric_type, unit, help).unwrap();
            expected.push(format!("type {name} {metric_type:?}"));
            expected.extend((!unit.is_empty()).then(|| format!("unit {name} {unit}")));
            expected.extend((!help.is_empty()).then(|| format!("help {name} {help}")));
            for Sample { suffix, labels, value, t_ms, exemplar } in samples {
                let more = exemplar.as_ref().map(|exemplar| borrowed(&exemplar.0));
                let exemplar = exemplar.as_ref().zip(more.as_ref());
                let exemplar = exemplar.map(|((_, value, t_ms), labels)| Exemplar { labels, value: *value, t_ms: *t_ms });
                writer.sample(suffix, &borrowed(labels), *value, *t_ms, exemplar).unwrap();
                let name = format!("{name}{suffix}");
                let mut labels = borrowed(labels);
                labels.push(("__name__", &name));
                labels.sort();
                let exemplar = exemplar.map(|exemplar| shown(exemplar.labels, exemplar.value, exemplar.t_ms));
                expected.push(format!("{} {exemplar:?}", shown(&labels, *value, *t_ms)));
            }
        }
        writer.finish();

        let mut parser = Parser::new(Format::OpenMetrics, &text, Limits::default());
        let mut found = Vec::new();
        while let Some(entry) = parser.next_entry().unwrap() {
            found.push(match entry {
                Entry::Type { family, metric_type } => format!("type {family} {metric_type:?}"),
                Entry::Unit { family, unit } => format!("unit {family} {unit}"),
                Entry::Help { family, help } => format!("help {family} {help}"),
                Entry::Series(series) => {
                    let exemplar = series.exemplar();
                    let exemplar = exemplar.map(|exemplar| shown(exemplar.labels, exemplar.value, exemplar.t_ms));
                    format!("{} {exemplar:?}", shown(series.labels(), series.value(), series.t_ms()))
                }
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn entries_are_read_without_allocating() {
    let lines = "# HELP hits a\\\\b\n# TYPE hits counter\n\
        hits_total{z=\"\\n\",b=\"c\\\\d\",a=\"1\"} 17 1395066363\n{\"a.b\",\"c d\"=\"\\\"\"} 0.30000000000000004\n";
    let exemplars = "hits_total{le=\"\\n\"} 1 # {z=\"1\",a=\"\\\\\"} 2 3\n";
    // A counter `up` with two labels and an exemplar.
    let metric = b"\x22\x27\x0a\x06\x0a\x01z\x12\x01x\x0a\x06\x0a\x01a\x12\x01x\x1a\x15\x09\0\0\0\0\0\0\xf0\x3f\x12\x0a\x0a\x08\x0a\x03\
        abc\x12\x01x";
    let protobuf = |metrics: usize| {
        let family = [b"\x0a\x02up".to_vec(), metric.repeat(metrics)].concat();
        let mut length = family.len();
        let mut bytes = Vec::new();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        [bytes, family].concat()
    };
    let few_and_many = |make: &dyn Fn(usize) -> Vec<u8>| [make(10), make(1_000)];
    let inputs = [
        (Format::Text, few_and_many(&|n| lines.repeat(n).into_bytes())),
        (
            Format::OpenMetrics,
            few_and_many(&|n| format!("{}# EOF\n", (lines.to_owned() + exemplars).repeat(n)).into_bytes()),
        ),
        (Format::Protobuf, few_and_many(&protobuf)),
    ];
    for (format, [few, many]) in inputs {
        assert!(count(format, &few).1, "{format:?}");
        let allocations = |input: &[u8]| measure(|| assert!(count(format, input).1)).count_total;
        assert_eq!(allocations(&few), allocations(&many), "{format:?}");
        println!("{format:?}: {} allocations in all", allocations(&many));
    }
}
