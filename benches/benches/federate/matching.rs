//! Regular expressions, compiled and matched, beside the `regex` crate.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use promha_federate::{Matcher, Op};
use regex::Regex;

pub(crate) fn benches(criterion: &mut Criterion) {
    let patterns = patterns();
    let texts = texts();
    for (input, pattern) in &patterns {
        let matcher = ours(pattern);
        let regex = theirs(pattern);
        let mut matched = 0;
        for text in &texts {
            assert_eq!(matcher.matches(text), regex.is_match(text), "{pattern:.80} on {text}");
            matched += usize::from(matcher.matches(text));
        }
        assert!((1..texts.len()).contains(&matched), "{pattern:.80} matches {matched}");

        let mut group = criterion.benchmark_group(format!("federate/match-regex/{input}"));
        group.throughput(Throughput::Elements(texts.len() as u64));
        group.bench_function("promha", |bencher| {
            bencher.iter(|| texts.iter().filter(|text| matcher.matches(black_box(text))).count());
        });
        group.bench_function("regex", |bencher| {
            bencher.iter(|| texts.iter().filter(|text| regex.is_match(black_box(text))).count());
        });
    }
    for (input, pattern) in &patterns {
        let mut group = criterion.benchmark_group(format!("federate/compile/{input}"));
        group.bench_function("promha", |bencher| bencher.iter(|| ours(black_box(pattern))));
        group.bench_function("regex", |bencher| bencher.iter(|| theirs(black_box(pattern))));
    }
}

fn ours(pattern: &str) -> Matcher {
    Matcher::new("label", Op::Regex, pattern).unwrap()
}

fn theirs(pattern: &str) -> Regex {
    Regex::new(&format!("^(?s:{pattern})$")).unwrap()
}

fn patterns() -> Vec<(&'static str, String)> {
    let literals = |count| (0..count).map(|n| word(n * 7)).collect::<Vec<_>>().join("|");
    vec![
        ("50-literals", literals(50)),
        ("1000-literals", literals(1000)),
        ("prefix", "foo.*".into()),
        ("contains", ".*foo.*".into()),
        ("two-alternations", "(a|b|c).*(x|y)".into()),
        ("case-folded-prefix", "(?i)foo.*".into()),
        ("three-contains", ".*foo.*bar.*baz.*".into()),
        ("dashes", ".*-.*-.*".into()),
        ("class", "[a-z]+-[0-9]{4}".into()),
    ]
}

/// 1,024 values as labels have them: names of services and pods, paths, numbers; about one in eight matches a pattern.
fn texts() -> Vec<String> {
    let text = |n: usize| match n % 16 {
        0 => word(n),
        1 => format!("foo-{}", word(n)),
        2 => format!("{}/foo/{n}", word(n)),
        3 => format!("FOO_{n}"),
        4 => format!("a{}x", word(n)),
        5 => format!("c/{n}/y"),
        6 => format!("{}-foo-bar-baz-{n}", word(n)),
        7 => format!("{}-{:04}", word(n).trim_end_matches(|c: char| c.is_ascii_digit()), n),
        8 => format!("/api/v1/{}/{n}", word(n)),
        9 => format!("10.0.{}.{}:9090", n % 256, n / 256),
        10 => format!("{}-7d4b9c6f5d-x{n:04}", word(n)),
        11 => format!("Fo{}", word(n)),
        12 => word(n / 2),
        13 => word(n * 7),
        14 => format!("bar-{n}.baz.example.com"),
        _ => format!("node_{}_seconds_total", word(n)),
    };
    (0..1024).map(text).collect()
}

/// A word of a few letters and a number.
fn word(n: usize) -> String {
    const STEMS: [&str; 8] =
        ["server", "node", "prometheus", "web", "kube-proxy", "ingest", "billing", "api-gateway"];
    format!("{}{n}", STEMS[n / 3 % STEMS.len()])
}
