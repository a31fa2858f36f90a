//! Messages `io.prometheus.client.MetricFamily`, fields in the order of their numbers, as Go writes them.

use super::{Escaping, Family, Histogram, Kind, Span, Value, name};

/// Writes what a family begins with; its length comes before it when it has ended.
pub(super) fn put_head(family: &Family, out: &mut Vec<u8>) {
    put_bytes(1, &family.name, out);
    put_varint(3 << 3, out);
    put_varint(
        match family.kind {
            Kind::Untyped => 3,
            Kind::Histogram => 4,
            Kind::GaugeHistogram => 5,
        },
        out,
    );
}

/// Writes the length of what the buffer holds from `start` on before it.
pub(super) fn put_length_before(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    put_varint(length as u64, out);
    let written = out.len() - start - length;
    out[start..].rotate_right(written);
}

/// Writes a `Metric`.
pub(super) fn put_metric(
    escaping: Escaping,
    labels: &[(&str, &str)],
    at_ms: Option<i64>,
    value: &Value<'_>,
    out: &mut Vec<u8>,
) {
    let plain = escaping == Escaping::AllowUtf8 || labels.iter().all(|label| name::is_plain(label.0, false));
    if !plain {
        return put_with_length(4, out, |out| {
            for (name, value) in labels {
                put_with_length(1, out, |out| {
                    put_with_length(1, out, |out| escaping.put(name, false, out));
                    put_bytes(2, value.as_bytes(), out);
                });
            }
            put_seen(at_ms, value, out);
        });
    }
    let label_len = |label: &(&str, &str)| bytes_len(label.0.len()) + bytes_len(label.1.len());
    let Value::Float(_) = value else {
        return put_with_length(4, out, |out| {
            labels.iter().for_each(|label| put_label(label, label_len(label), out));
            put_seen(at_ms, value, out);
        });
    };
    // The usual case is measured first, so that nothing has to be moved.
    let labels_len: usize = labels.iter().map(|label| bytes_len(label_len(label))).sum();
    let at_len = at_ms.map_or(0, |at_ms| 1 + varint_len(at_ms as u64));
    put_varint(4 << 3 | 2, out);
    put_varint((labels_len + 11 + at_len) as u64, out);
    labels.iter().for_each(|label| put_label(label, label_len(label), out));
    put_seen(at_ms, value, out);
}

fn put_label(label: &(&str, &str), length: usize, out: &mut Vec<u8>) {
    put_varint(1 << 3 | 2, out);
    put_varint(length as u64, out);
    put_bytes(1, label.0.as_bytes(), out);
    put_bytes(2, label.1.as_bytes(), out);
}

/// What was seen, and when.
fn put_seen(at_ms: Option<i64>, value: &Value<'_>, out: &mut Vec<u8>) {
    if let Value::Float(value) = value {
        out.extend_from_slice(&[5 << 3 | 2, 9]);
        put_double(1, *value, out);
    }
    if let Some(at_ms) = at_ms {
        put_varint(6 << 3, out);
        put_varint(at_ms as u64, out);
    }
    if let Value::Histogram(histogram) = value {
        put_with_length(7, out, |out| put_histogram(histogram, out));
    }
}

fn put_histogram(histogram: &Histogram<'_>, out: &mut Vec<u8>) {
    put_double(2, histogram.sum, out);
    if histogram.has_custom_bounds() {
        for (bound, cumulative) in histogram.classic_buckets() {
            // A bound, and a count as a float: nine bytes each.
            out.extend_from_slice(&[3 << 3 | 2, 18]);
            put_double(2, bound, out);
            put_double(4, cumulative, out);
        }
        return put_double(4, histogram.count, out);
    }
    put_double(4, histogram.count, out);
    put_varint(5 << 3, out);
    put_varint(zigzag(histogram.schema), out);
    put_double(6, histogram.zero_threshold, out);
    put_double(8, histogram.zero_count, out);
    put_spans(9, histogram.negative_spans, out);
    histogram.negative.counts().for_each(|count| put_double(11, count, out));
    put_spans(12, histogram.positive_spans, out);
    histogram.positive.counts().for_each(|count| put_double(14, count, out));
}

fn put_spans(field: u8, spans: &[Span], out: &mut Vec<u8>) {
    for &Span { offset, length } in spans {
        put_with_length(field, out, |out| {
            put_varint(1 << 3, out);
            put_varint(zigzag(offset), out);
            put_varint(2 << 3, out);
            put_varint(length.into(), out);
        });
    }
}

fn put_with_length(field: u8, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    out.push(field << 3 | 2);
    let start = out.len();
    put(out);
    put_length_before(start, out);
}

fn put_bytes(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_double(field: u8, value: f64, out: &mut Vec<u8>) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

#[inline]
fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (value | 1).ilog2() as usize / 7 + 1
}

/// The length of a field that holds so many bytes.
fn bytes_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

fn zigzag(value: i32) -> u64 {
    ((value << 1) ^ (value >> 31)) as u32 as u64
}
