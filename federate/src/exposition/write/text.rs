//! Text: one line a sample.

use memchr::memchr3;

use super::{Escaping, Family, Histogram, Kind, Value, float};

/// Announces a family.
pub(super) fn put_type(family: &Family, out: &mut Vec<u8>) {
    out.extend_from_slice(b"# TYPE ");
    out.extend_from_slice(&family.name);
    out.extend_from_slice(match family.kind {
        Kind::Untyped => b" untyped\n".as_slice(),
        Kind::Histogram | Kind::GaugeHistogram => b" histogram\n",
    });
}

pub(super) fn put_sample(
    family: &Family,
    escaping: Escaping,
    labels: &[(&str, &str)],
    at_ms: Option<i64>,
    value: &Value<'_>,
    out: &mut Vec<u8>,
) {
    let line = Line { family, escaping, labels, at_ms };
    match value {
        Value::Float(value) => line.put("", None, *value, out),
        Value::Histogram(histogram) => line.put_histogram(histogram, out),
    }
}

/// What the lines of a sample have in common.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    family: &'a Family,
    escaping: Escaping,
    labels: &'a [(&'a str, &'a str)],
    at_ms: Option<i64>,
}

impl Line<'_> {
    fn put(&self, suffix: &str, le: Option<f64>, value: f64, out: &mut Vec<u8>) {
        let name = &self.family.name;
        // The next byte before a label: a brace, a comma, or a comma after a name in quotes.
        let mut before = b'{';
        if self.family.is_quoted {
            out.push(b'{');
            out.extend_from_slice(&name[..name.len() - 1]);
            out.extend_from_slice(suffix.as_bytes());
            out.push(b'"');
            before = b',';
        } else {
            out.extend_from_slice(name);
            out.extend_from_slice(suffix.as_bytes());
        }
        for (name, value) in self.labels {
            out.push(before);
            self.escaping.put_quoted(name, false, out);
            out.extend_from_slice(b"=\"");
            put_escaped(value, out);
            out.push(b'"');
            before = b',';
        }
        if let Some(le) = le {
            out.push(before);
            out.extend_from_slice(b"le=\"");
            float::put_sample(le, out);
            out.push(b'"');
            before = b',';
        }
        if before == b',' {
            out.push(b'}');
        }
        out.push(b' ');
        float::put_sample(value, out);
        if let Some(at_ms) = self.at_ms {
            out.push(b' ');
            float::put_int(at_ms, out);
        }
        out.push(b'\n');
    }

    fn put_histogram(&self, histogram: &Histogram<'_>, out: &mut Vec<u8>) {
        for (bound, cumulative) in histogram.classic_buckets() {
            self.put("_bucket", Some(bound), cumulative, out);
        }
        self.put("_bucket", Some(f64::INFINITY), histogram.count, out);
        self.put("_sum", None, histogram.sum, out);
        self.put("_count", None, histogram.count, out);
    }
}

/// Writes what stands in quotes.
#[inline]
pub(in crate::exposition) fn put_escaped(value: &str, out: &mut Vec<u8>) {
    let mut rest = value.as_bytes();
    while let Some(at) = memchr3(b'\\', b'"', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\n' => b"\\n",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
