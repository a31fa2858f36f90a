//! The wire: what it costs to read and write it, beside prost, quick-protobuf, rusty-chunkenc and plain copying.
//!
//! What the sides make of an input is compared before anything is timed.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to stop")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use quick_protobuf::{BytesReader, MessageRead};

use promha_benches as _;
use promha_remote_proto::Limits;
use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameReader, FrameWriter};
use promha_remote_proto::histogram::{self, Count, HistogramEncoder, HistogramView, Histograms, Span};
use promha_remote_proto::negotiate::WriteVersion;
use promha_remote_proto::prompb::{
    Chunk, ChunkedReadResponse, ChunkedSeries, Label, QueryResult, ReadResponse, Sample, TimeSeries,
    WriteRequest, v2,
};
use promha_remote_proto::read::{AnswerDecoder, AnswerEncoder};
use promha_remote_proto::series::SeriesView;
use promha_remote_proto::snappy;
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use promha_remote_proto::xor::{self, XorEncoder};

const START_MS: i64 = 1_700_000_000_000;

criterion_group!(benches, writes, answers, chunks, frames, blocks);
criterion_main!(benches);

fn group<'c>(c: &'c mut Criterion, operation: &str, input: &str) -> BenchmarkGroup<'c, WallTime> {
    c.benchmark_group(format!("remote-proto/{operation}/{input}"))
}

// --- Write requests ---------------------------------------------------------------------------------------------

fn writes(c: &mut Criterion) {
    let many = made_request(10_000, 12, 18);
    decode_write_v1(c, "10k-series-12-labels", &many);
    // As large and as many as in two bodies that other projects publish figures on.
    decode_write_v1(c, "captured-1148-series", &made_request(1_148, 5, 10));
    decode_write_v1(c, "captured-10k-series", &made_request(10_000, 6, 8));
    decode_write_v2(c, "10k-series-12-labels", &many);
    encode_write_v1(c, "10k-series-12-labels", &many);
    encode_write_v2(c, "10k-series-12-labels", &many);
}

fn decode_write_v1(c: &mut Criterion, input: &str, request: &WriteRequest) {
    let body = &request.encode_to_vec();
    let mut decoder = WriteDecoder::new(Limits::default());
    assert!(owned_series(decoder.decode(WriteVersion::V1, body).unwrap().series()) == request.timeseries);
    assert!(owned_quick(&read_quick(body)) == request.timeseries);

    let mut group = group(c, "decode-write-v1", input);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| black_box(&decoder.decode(WriteVersion::V1, black_box(body)).unwrap()).series().len());
    });
    group.bench_function("prost", |b| b.iter(|| WriteRequest::decode(&black_box(body)[..]).unwrap()));
    group.bench_function("quick-protobuf", |b| b.iter(|| black_box(read_quick(black_box(body))).0.len()));
    let mut copy = Vec::new();
    group.bench_function("memcpy", |b| {
        b.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(body));
            black_box(&copy).len()
        });
    });
    group.finish();
}

fn decode_write_v2(c: &mut Criterion, input: &str, request: &WriteRequest) {
    let body = &symbolized(&borrowed(request)).encode_to_vec();
    let mut decoder = WriteDecoder::new(Limits::default());
    assert!(owned_series(decoder.decode(WriteVersion::V2, body).unwrap().series()) == request.timeseries);

    let mut group = group(c, "decode-write-v2", input);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| black_box(&decoder.decode(WriteVersion::V2, black_box(body)).unwrap()).series().len());
    });
    // With references only: whoever wants labels has yet to resolve them.
    group.bench_function("prost", |b| b.iter(|| v2::Request::decode(&black_box(body)[..]).unwrap()));
    group.finish();
}

fn encode_write_v1(c: &mut Criterion, input: &str, request: &WriteRequest) {
    let series = &borrowed(request);
    let mut encoder = WriteEncoder::new(WriteVersion::V1);
    series.iter().for_each(|(labels, samples)| encoder.series(labels, samples.iter().copied()));
    assert!(encoder.finish() == request.encode_to_vec());

    let mut group = group(c, "encode-write-v1", input);
    group.throughput(Throughput::Bytes(request.encoded_len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| {
            series.iter().for_each(|(labels, samples)| encoder.series(labels, samples.iter().copied()));
            black_box(encoder.finish()).len()
        });
    });
    let mut into = Vec::new();
    group.bench_function("prost", |b| {
        b.iter(|| {
            into.clear();
            black_box(request).encode(&mut into).unwrap();
            black_box(&into).len()
        });
    });
    group.finish();
}

fn encode_write_v2(c: &mut Criterion, input: &str, request: &WriteRequest) {
    let series = &borrowed(request);
    let mut encoder = WriteEncoder::new(WriteVersion::V2);
    series.iter().for_each(|(labels, samples)| encoder.series(labels, samples.iter().copied()));
    let message = symbolized(series);
    assert!(encoder.finish() == message.encode_to_vec());

    let mut group = group(c, "encode-write-v2", input);
    group.throughput(Throughput::Bytes(message.encoded_len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| {
            series.iter().for_each(|(labels, samples)| encoder.series(labels, samples.iter().copied()));
            black_box(encoder.finish()).len()
        });
    });
    let mut into = Vec::new();
    group.bench_function("prost", |b| {
        b.iter(|| {
            into.clear();
            symbolized(black_box(series)).encode(&mut into).unwrap();
            black_box(&into).len()
        });
    });
    // The part of it that is left when somebody else has made the references.
    group.bench_function("prost-without-symbols", |b| {
        b.iter(|| {
            into.clear();
            black_box(&message).encode(&mut into).unwrap();
            black_box(&into).len()
        });
    });
    group.finish();
}

// --- Answers with samples ---------------------------------------------------------------------------------------

fn answers(c: &mut Criterion) {
    let timeseries: Vec<TimeSeries> = made_request(1_000, 8, 18)
        .timeseries
        .into_iter()
        .zip(0..)
        .map(|(series, n)| TimeSeries { samples: made_samples(n, 240), ..series })
        .collect();
    let answer = ReadResponse { results: vec![QueryResult { timeseries }] };
    let message = &answer.encode_to_vec();

    let mut decoder = AnswerDecoder::new(Limits::default());
    let view = decoder.decode(message).unwrap();
    assert!(view.results().all(|result| owned_series(result.series()) == answer.results[0].timeseries));
    drop(view);
    let mut group_of = group(c, "decode-read-samples", "1000x240");
    group_of.throughput(Throughput::Bytes(message.len() as u64));
    group_of.bench_function("promha", |b| {
        b.iter(|| black_box(&decoder.decode(black_box(message)).unwrap()).results().len());
    });
    group_of.bench_function("prost", |b| b.iter(|| ReadResponse::decode(&black_box(message)[..]).unwrap()));
    group_of.finish();

    let request = WriteRequest { timeseries: answer.results[0].timeseries.clone(), metadata: vec![] };
    let series = &borrowed(&request);
    let mut encoder = AnswerEncoder::new();
    series.iter().for_each(|(labels, samples)| encoder.series(labels, samples.iter().copied()));
    assert!(encoder.finish() == message);
    let mut group = group(c, "encode-read-samples", "1000x240");
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| {
            series.iter().for_each(|(labels, samples)| encoder.series(labels, samples.iter().copied()));
            black_box(encoder.finish()).len()
        });
    });
    let mut into = Vec::new();
    group.bench_function("prost", |b| {
        b.iter(|| {
            into.clear();
            black_box(&answer).encode(&mut into).unwrap();
            black_box(&into).len()
        });
    });
    group.finish();
}

// --- Chunks -----------------------------------------------------------------------------------------------------

fn chunks(c: &mut Criterion) {
    let series: Vec<Vec<Sample>> = (0..2_000).map(|n| made_samples(n, 120)).collect();
    let columns: Vec<(Vec<i64>, Vec<f64>)> = series
        .iter()
        .map(|samples| samples.iter().map(|sample| (sample.timestamp, sample.value)).unzip())
        .collect();
    let chunks: Vec<Vec<u8>> = series.iter().map(|samples| xor_chunk(samples)).collect();
    for (chunk, samples) in chunks.iter().zip(&series) {
        assert_eq!(rusty_samples(chunk), *samples);
        let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
        xor::decode(chunk, &mut timestamps_ms, &mut values).unwrap();
        assert!(timestamps_ms.iter().zip(&values).eq(samples.iter().map(|s| (&s.timestamp, &s.value))));
    }

    let mut group_of = group(c, "decode-xor", "2000x120");
    group_of.throughput(Throughput::Elements(240_000));
    let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
    group_of.bench_function("promha", |b| {
        b.iter(|| {
            timestamps_ms.clear();
            values.clear();
            for chunk in black_box(&chunks) {
                xor::decode(chunk, &mut timestamps_ms, &mut values).unwrap();
            }
            black_box(&values).len()
        });
    });
    group_of.bench_function("rusty-chunkenc", |b| {
        b.iter(|| {
            black_box(&chunks)
                .iter()
                .for_each(|chunk| drop(black_box(rusty_chunkenc::xor::read_xor_chunk_data(chunk))));
        });
    });
    group_of.finish();

    let mut group_of = group(c, "find-stale", "2000x120");
    group_of.throughput(Throughput::Elements(240_000));
    group_of.bench_function("promha", |b| {
        b.iter(|| black_box(&chunks).iter().filter(|chunk| xor::has_stale_marker(chunk).unwrap()).count());
    });
    group_of.bench_function("decode", |b| {
        b.iter(|| {
            let has = |chunk: &&Vec<u8>| {
                timestamps_ms.clear();
                values.clear();
                xor::decode(chunk, &mut timestamps_ms, &mut values).unwrap();
                values.iter().copied().any(xor::is_stale_nan)
            };
            black_box(&chunks).iter().filter(has).count()
        });
    });
    group_of.finish();

    let mut group_of = group(c, "encode-xor", "2000x120");
    group_of.throughput(Throughput::Elements(240_000));
    let rusty: Vec<rusty_chunkenc::xor::XORChunk> =
        series.iter().map(|samples| rusty_chunk(samples)).collect();
    let mut into = Vec::new();
    for ((timestamps_ms, values), rusty) in columns.iter().zip(&rusty) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        xor::encode(timestamps_ms, values, &mut ours).unwrap();
        rusty.write(&mut theirs).unwrap();
        // Ours writes the byte too that older versions of Prometheus leave open at the end.
        assert!(ours.strip_prefix(&theirs[..]).is_some_and(|open| open.is_empty() || open == [0]));
    }
    group_of.bench_function("promha", |b| {
        b.iter(|| {
            into.clear();
            for (timestamps_ms, values) in black_box(&columns) {
                xor::encode(timestamps_ms, values, &mut into).unwrap();
            }
            black_box(&into).len()
        });
    });
    group_of.bench_function("rusty-chunkenc", |b| {
        b.iter(|| {
            into.clear();
            black_box(&rusty).iter().for_each(|chunk| chunk.write(&mut into).unwrap());
            black_box(&into).len()
        });
    });
    group_of.finish();

    histogram_chunks(c);
}

/// Nobody else reads these in Rust.
fn histogram_chunks(c: &mut Criterion) {
    let spans = [Span { offset: -2, length: 20 }, Span { offset: 3, length: 20 }];
    let mut histograms = Histograms::<u64>::new();
    for n in 0..120_u64 {
        let deltas: Vec<i64> = (0..40)
            .map(|bucket| (n * (bucket * 7 % 11) / 3) as i64 - (n * (bucket % 5)) as i64 / 4)
            .collect();
        let view = HistogramView {
            t_ms: START_MS + 15_000 * n as i64 + (n * 7 % 31) as i64,
            count: Some(Count::Int(n * 1_000)),
            sum: n as f64 * 31.7,
            schema: 3,
            reset_hint: histogram::ResetHint::Gauge,
            positive_spans: &spans,
            positive_deltas: &deltas,
            ..HistogramView::default()
        };
        assert!(histograms.push(&view).unwrap());
    }
    let (mut encoder, mut chunk) = (HistogramEncoder::new(), Vec::new());
    encoder.encode(&histograms, 0..120, &mut chunk).unwrap();
    let mut decoded = Histograms::<u64>::new();
    decoded.decode(&chunk, histogram::DEFAULT_MAX_BUCKETS).unwrap();
    assert!(decoded.views().eq(histograms.views()));

    let mut group_of = group(c, "decode-histograms", "120x40-buckets");
    group_of.throughput(Throughput::Elements(120));
    group_of.bench_function("promha", |b| {
        b.iter(|| decoded.decode(black_box(&chunk), histogram::DEFAULT_MAX_BUCKETS).unwrap());
    });
    group_of.finish();
    let mut group = group(c, "encode-histograms", "120x40-buckets");
    group.throughput(Throughput::Elements(120));
    group.bench_function("promha", |b| {
        b.iter(|| {
            chunk.clear();
            encoder.encode(black_box(&histograms), 0..120, &mut chunk).unwrap();
            black_box(&chunk).len()
        });
    });
    group.finish();
}

// --- Frames -----------------------------------------------------------------------------------------------------

fn frames(c: &mut Criterion) {
    let messages: Vec<ChunkedReadResponse> = made_request(1_000, 12, 18)
        .timeseries
        .into_iter()
        .zip(0..)
        .map(|(series, n)| {
            let chunk = |part: i64| Chunk {
                min_time_ms: START_MS + part * 1_800_000,
                max_time_ms: START_MS + part * 1_800_000 + 1_785_000,
                r#type: 1,
                data: xor_chunk(&made_samples(n + part, 120)).into(),
            };
            let chunked_series =
                vec![ChunkedSeries { labels: series.labels, chunks: (0..4).map(chunk).collect() }];
            ChunkedReadResponse { chunked_series, query_index: 0 }
        })
        .collect();
    let labels: Vec<Vec<(&str, &str)>> =
        messages.iter().map(|message| borrowed_labels(&message.chunked_series[0].labels)).collect();
    let write = |writer: &mut FrameWriter, into: &mut Vec<u8>| {
        into.clear();
        for (message, labels) in messages.iter().zip(&labels) {
            writer.write(0, labels, message.chunked_series[0].chunks.iter().map(chunk_view), into);
        }
    };
    let write_prost = |into: &mut Vec<u8>, payload: &mut Vec<u8>| {
        into.clear();
        for message in &messages {
            payload.clear();
            message.encode(payload).unwrap();
            prost::encode_length_delimiter(payload.len(), into).unwrap();
            into.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
            into.extend_from_slice(payload);
        }
    };
    let (mut writer, mut stream, mut payload, mut other) = (FrameWriter::default(), vec![], vec![], vec![]);
    write(&mut writer, &mut stream);
    write_prost(&mut other, &mut payload);
    assert!(stream == other);
    assert!(read_prost(&bytes::Bytes::from(stream.clone())) == messages);

    let mut group_of = group(c, "frames-write", "1000");
    group_of.throughput(Throughput::Bytes(stream.len() as u64));
    group_of.bench_function("promha", |b| b.iter(|| write(&mut writer, black_box(&mut other))));
    group_of.bench_function("prost", |b| b.iter(|| write_prost(black_box(&mut other), &mut payload)));
    group_of.finish();

    let mut group = group(c, "frames-read", "1000");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    let mut reader = FrameReader::default();
    group.bench_function("promha", |b| {
        b.iter(|| {
            reader.clear();
            let mut chunks = 0;
            // As they come from a socket.
            for piece in black_box(&stream).chunks(64 << 10) {
                reader.push(piece);
                while let Some(series) = reader.next_frame().unwrap() {
                    chunks += series.chunks().map(|chunk| black_box(chunk).data.len()).sum::<usize>();
                }
            }
            chunks
        });
    });
    let stream = bytes::Bytes::from(stream.clone());
    group.bench_function("prost", |b| b.iter(|| read_prost(black_box(&stream))));
    group.finish();
}

fn chunk_view(chunk: &Chunk) -> ChunkView<'_> {
    ChunkView {
        min_ms: chunk.min_time_ms,
        max_ms: chunk.max_time_ms,
        encoding: ChunkEncoding::Xor,
        data: &chunk.data,
    }
}

/// Everything is there at once, so that chunks need no copies.
fn read_prost(stream: &bytes::Bytes) -> Vec<ChunkedReadResponse> {
    let (mut rest, mut messages) = (stream.clone(), Vec::new());
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).unwrap();
        let checksum = rest.split_to(4);
        let payload = rest.split_to(length);
        assert_eq!(crc32c::crc32c(&payload).to_be_bytes(), checksum[..]);
        messages.push(ChunkedReadResponse::decode(payload).unwrap());
    }
    messages
}

// --- Snappy -----------------------------------------------------------------------------------------------------

fn blocks(c: &mut Criterion) {
    let write = made_request(10_000, 12, 18).encode_to_vec();
    let timeseries = made_request(1_000, 8, 18).timeseries.into_iter().zip(0..);
    let timeseries =
        timeseries.map(|(series, n)| TimeSeries { samples: made_samples(n, 240), ..series }).collect();
    let answer = ReadResponse { results: vec![QueryResult { timeseries }] }.encode_to_vec();
    for (input, message) in [("write-10k-series", &write), ("answer-1000x240", &answer)] {
        let (mut block, mut plain) = (Vec::new(), Vec::new());
        snappy::compress(message, &mut block).unwrap();
        assert_eq!(snappy::decompress(&block, message.len(), &mut plain).unwrap(), message);

        let mut group_of = group(c, "snappy-compress", input);
        group_of.throughput(Throughput::Bytes(message.len() as u64));
        let mut into = Vec::new();
        group_of.bench_function("promha", |b| {
            b.iter(|| snappy::compress(black_box(message), &mut into).unwrap())
        });
        group_of.bench_function("snap", |b| {
            b.iter(|| snap::raw::Encoder::new().compress_vec(black_box(message)).unwrap());
        });
        group_of.finish();
        let mut group = group(c, "snappy-decompress", input);
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function("promha", |b| {
            b.iter(|| snappy::decompress(black_box(&block), message.len(), &mut plain).unwrap().len());
        });
        group.bench_function("snap", |b| {
            b.iter(|| snap::raw::Decoder::new().decompress_vec(black_box(&block)).unwrap());
        });
        group.finish();
    }
}

// --- Inputs -----------------------------------------------------------------------------------------------------

/// Series with one sample each. Names repeat from series to series, most values do too.
fn made_request(series: usize, labels: usize, value_bytes: usize) -> WriteRequest {
    let label = |series: usize, n: usize| match n {
        0 => Label::new("__name__", format!("http_requests_total_{}", series % 97)),
        1 => Label::new("instance", format!("host-{:05}.example:9100", series / 7)),
        _ => {
            let value = format!("value-{}-{}", n, series % (n * n * 3));
            Label::new(format!("label_{:02}_with_a_name", n), format!("{value:_<value_bytes$}"))
        }
    };
    let timeseries = (0..series).map(|series| TimeSeries {
        labels: (0..labels).map(|n| label(series, n)).collect(),
        samples: vec![Sample { value: series as f64 + 0.25, timestamp: START_MS + series as i64 % 15_000 }],
        ..TimeSeries::default()
    });
    WriteRequest { timeseries: timeseries.collect(), metadata: vec![] }
}

/// Every 15 seconds with some jitter: a counter, a gauge or a constant.
fn made_samples(series: i64, count: i64) -> Vec<Sample> {
    let mut state = series as u64 * 2 + 1;
    let mut dice = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut total = 1_000.0;
    let sample = |n| {
        let value = match series % 4 {
            0 | 1 => {
                total += dice(50) as f64;
                total
            }
            2 => 20.0 + dice(1_000_000) as f64 / 7.0,
            _ => 1.0,
        };
        Sample { value, timestamp: START_MS + 15_000 * n + dice(21) as i64 - 10 }
    };
    (0..count).map(sample).collect()
}

type Borrowed<'a> = (Vec<(&'a str, &'a str)>, Vec<(i64, f64)>);

fn borrowed(request: &WriteRequest) -> Vec<Borrowed<'_>> {
    let samples = |series: &TimeSeries| series.samples.iter().map(|s| (s.timestamp, s.value)).collect();
    request.timeseries.iter().map(|series| (borrowed_labels(&series.labels), samples(series))).collect()
}

fn borrowed_labels(labels: &[Label]) -> Vec<(&str, &str)> {
    labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect()
}

fn symbolized(series: &[Borrowed<'_>]) -> v2::Request {
    let (mut symbols, mut numbers) = (vec![String::new()], HashMap::from([("", 0)]));
    let timeseries = series.iter().map(|(labels, samples)| {
        let number = |text| {
            *numbers.entry(text).or_insert_with(|| {
                symbols.push(String::from(text));
                symbols.len() as u32 - 1
            })
        };
        let labels_refs = labels.iter().flat_map(|&(name, value)| [name, value]).map(number).collect();
        let samples = samples.iter();
        let samples =
            samples.map(|&(timestamp, value)| v2::Sample { value, timestamp, start_timestamp: 0 }).collect();
        v2::TimeSeries { labels_refs, samples, ..v2::TimeSeries::default() }
    });
    let timeseries = timeseries.collect();
    v2::Request { symbols, timeseries }
}

fn owned_series<'v>(series: impl Iterator<Item = SeriesView<'v>>) -> Vec<TimeSeries> {
    let owned = |series: SeriesView<'_>| TimeSeries {
        labels: series.labels().iter().map(|&(name, value)| Label::new(name, value)).collect(),
        samples: series.samples().iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
        ..TimeSeries::default()
    };
    series.map(owned).collect()
}

fn xor_chunk(samples: &[Sample]) -> Vec<u8> {
    let (mut encoder, mut chunk) = (XorEncoder::new(), Vec::new());
    samples.iter().for_each(|sample| encoder.push(sample.timestamp, sample.value));
    encoder.finish(&mut chunk);
    chunk
}

// --- Rivals -----------------------------------------------------------------------------------------------------

fn rusty_chunk(samples: &[Sample]) -> rusty_chunkenc::xor::XORChunk {
    let sample =
        |sample: &Sample| rusty_chunkenc::XORSample { timestamp: sample.timestamp, value: sample.value };
    rusty_chunkenc::xor::XORChunk::new(samples.iter().map(sample).collect())
}

fn rusty_samples(chunk: &[u8]) -> Vec<Sample> {
    let (_, chunk) = rusty_chunkenc::xor::read_xor_chunk_data(chunk).unwrap();
    let sample =
        |sample: &rusty_chunkenc::XORSample| Sample { timestamp: sample.timestamp, value: sample.value };
    chunk.samples().iter().map(sample).collect()
}

/// What quick-protobuf's generator makes of the messages of write 1, with borrowed strings.
#[derive(Default)]
struct QuickRequest<'a>(Vec<QuickSeries<'a>>);

#[derive(Default)]
struct QuickSeries<'a> {
    labels: Vec<QuickLabel<'a>>,
    samples: Vec<QuickSample>,
}

#[derive(Default)]
struct QuickLabel<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

#[derive(Default)]
struct QuickSample {
    value: f64,
    timestamp: i64,
}

impl<'a> MessageRead<'a> for QuickRequest<'a> {
    fn from_reader(r: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !r.is_eof() {
            match r.next_tag(bytes) {
                Ok(10) => message.0.push(r.read_message::<QuickSeries<'_>>(bytes)?),
                Ok(tag) => r.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

impl<'a> MessageRead<'a> for QuickSeries<'a> {
    fn from_reader(r: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !r.is_eof() {
            match r.next_tag(bytes) {
                Ok(10) => message.labels.push(r.read_message::<QuickLabel<'_>>(bytes)?),
                Ok(18) => message.samples.push(r.read_message::<QuickSample>(bytes)?),
                Ok(tag) => r.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

impl<'a> MessageRead<'a> for QuickLabel<'a> {
    fn from_reader(r: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !r.is_eof() {
            match r.next_tag(bytes) {
                Ok(10) => message.name = r.read_string(bytes).map(Cow::Borrowed)?,
                Ok(18) => message.value = r.read_string(bytes).map(Cow::Borrowed)?,
                Ok(tag) => r.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

impl<'a> MessageRead<'a> for QuickSample {
    fn from_reader(r: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !r.is_eof() {
            match r.next_tag(bytes) {
                Ok(9) => message.value = r.read_double(bytes)?,
                Ok(16) => message.timestamp = r.read_int64(bytes)?,
                Ok(tag) => r.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

fn read_quick(body: &[u8]) -> QuickRequest<'_> {
    QuickRequest::from_reader(&mut BytesReader::from_bytes(body), body).unwrap()
}

fn owned_quick(request: &QuickRequest<'_>) -> Vec<TimeSeries> {
    let owned = |series: &QuickSeries<'_>| TimeSeries {
        labels: series.labels.iter().map(|label| Label::new(&*label.name, &*label.value)).collect(),
        samples: series.samples.iter().map(|s| Sample { value: s.value, timestamp: s.timestamp }).collect(),
        ..TimeSeries::default()
    };
    request.0.iter().map(owned).collect()
}
