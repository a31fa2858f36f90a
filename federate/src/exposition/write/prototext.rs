//! The messages as text, as Go prints them.

use super::{Escaping, Family, Histogram, Kind, Span, Value, float};

/// Prints fields of messages.
#[derive(Debug)]
pub(super) struct Printer<'o> {
    is_compact: bool,
    is_angled: bool,
    depth: usize,
    out: &'o mut Vec<u8>,
}

impl<'o> Printer<'o> {
    pub(super) fn new(is_compact: bool, is_angled: bool, out: &'o mut Vec<u8>) -> Self {
        Self { is_compact, is_angled, depth: 0, out }
    }

    /// What a family begins with.
    pub(super) fn head(&mut self, family: &Family) {
        self.string("name", &family.name);
        let kind = match family.kind {
            Kind::Untyped => "UNTYPED",
            Kind::Histogram => "HISTOGRAM",
            Kind::GaugeHistogram => "GAUGE_HISTOGRAM",
        };
        self.field("type", |out| out.extend_from_slice(kind.as_bytes()));
    }

    pub(super) fn metric(
        &mut self,
        escaping: Escaping,
        labels: &[(&str, &str)],
        at_ms: Option<i64>,
        value: &Value<'_>,
    ) {
        self.message("metric", |metric| {
            for (name, value) in labels {
                let mut escaped = Vec::new();
                escaping.put(name, false, &mut escaped);
                metric.message("label", |label| {
                    label.string("name", &escaped);
                    label.string("value", value.as_bytes());
                });
            }
            match value {
                Value::Float(value) => metric.message("untyped", |untyped| untyped.double("value", *value)),
                Value::Histogram(histogram) => metric.message("histogram", |it| it.histogram(histogram)),
            }
            if let Some(at_ms) = at_ms {
                metric.int("timestamp_ms", at_ms);
            }
        });
    }

    fn histogram(&mut self, histogram: &Histogram<'_>) {
        self.double("sample_count_float", histogram.count);
        self.double("sample_sum", histogram.sum);
        if histogram.has_custom_bounds() {
            for (bound, cumulative) in histogram.classic_buckets() {
                self.message("bucket", |bucket| {
                    bucket.double("cumulative_count_float", cumulative);
                    bucket.double("upper_bound", bound);
                });
            }
            return;
        }
        self.int("schema", histogram.schema.into());
        self.double("zero_threshold", histogram.zero_threshold);
        self.double("zero_count_float", histogram.zero_count);
        self.spans("negative_span", histogram.negative_spans);
        histogram.negative.counts().for_each(|count| self.double("negative_count", count));
        self.spans("positive_span", histogram.positive_spans);
        histogram.positive.counts().for_each(|count| self.double("positive_count", count));
    }

    fn spans(&mut self, name: &str, spans: &[Span]) {
        for &Span { offset, length } in spans {
            self.message(name, |span| {
                span.int("offset", offset.into());
                span.int("length", length.into());
            });
        }
    }

    fn message(&mut self, name: &str, fields: impl FnOnce(&mut Self)) {
        let (open, close) = if self.is_angled { (b'<', b'>') } else { (b'{', b'}') };
        self.begin(name);
        self.out.push(open);
        if !self.is_compact {
            self.out.push(b'\n');
        }
        self.depth += 1;
        fields(self);
        self.depth -= 1;
        if self.is_compact {
            self.out.pop_if(|byte| *byte == b' ');
        }
        self.indent();
        self.out.push(close);
        self.end();
    }

    fn string(&mut self, name: &str, value: &[u8]) {
        let is_angled = self.is_angled;
        self.field(name, |out| put_string(value, is_angled, out));
    }

    fn double(&mut self, name: &str, value: f64) {
        let exponent_from = if self.is_angled { float::PRINT } else { float::STRCONV };
        self.field(name, |out| {
            if value.is_nan() {
                out.extend_from_slice(b"nan");
            } else if value.is_infinite() {
                out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
            } else {
                float::put_finite(value, exponent_from, out);
            }
        });
    }

    fn int(&mut self, name: &str, value: i64) {
        self.field(name, |out| float::put_int(value, out));
    }

    fn field(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.begin(name);
        value(self.out);
        self.end();
    }

    fn begin(&mut self, name: &str) {
        self.indent();
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        if !self.is_compact {
            self.out.push(b' ');
        }
    }

    fn end(&mut self) {
        self.out.push(if self.is_compact { b' ' } else { b'\n' });
    }

    fn indent(&mut self) {
        if !self.is_compact {
            self.out.extend(std::iter::repeat_n(b' ', 2 * self.depth));
        }
    }
}

fn put_string(value: &[u8], is_angled: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in value {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x20..=0x7e => out.push(byte),
            _ if is_angled => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            0x80.. => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}
