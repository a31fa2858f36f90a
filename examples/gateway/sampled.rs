//! Answers that are held whole: sampled ones, which nobody promises to be sorted, and streams that are not.

use promha_remote_proto::read::AnswerDecoder;
use promha_remote_proto::series::SeriesView;
use promha_remote_proto::{Limits, snappy};

use super::chunks::{ChunkMerge, Step, is_counter};
use super::samples::ChunkCutter;
use super::series::{Chunk, Part};
use super::upstream::{GroupQuery, UpstreamError};

/// Reads a sampled answer, each series encoded as chunks: a tenth of the memory, and one shape for all that follows.
///
/// # Errors
/// [`UpstreamError::Decode`] if the body is broken or larger than `limit` bytes once decompressed.
pub fn decode(body: &[u8], limit: usize, asked: &GroupQuery) -> Result<Vec<Part>, UpstreamError> {
    let mut limits = Limits::default();
    limits.max_message_bytes = limit;
    let (mut raw, mut decoder) = (Vec::new(), AnswerDecoder::new(limits));
    let answer = decoder.decode(snappy::decompress(body, limit, &mut raw)?)?;
    let (mut parts, mut pairs) = (Vec::new(), Vec::new());
    for series in answer.results().flat_map(|result| result.series()) {
        pairs.clear();
        pairs.extend_from_slice(series.labels());
        pairs.sort_unstable();
        if asked.replica_matchers.as_ref().is_none_or(|matchers| matchers.matches(&pairs)) {
            parts.push(Part { labels: asked.relabel.apply(&pairs), chunks: encode(&series)? });
        }
    }
    Ok(parts)
}

/// Floats and histograms of a series, which a message lists apart, as chunks in the order of time.
fn encode(series: &SeriesView<'_>) -> Result<Vec<Chunk>, UpstreamError> {
    let (mut cutter, mut chunks) = (ChunkCutter::default(), Vec::new());
    let mut floats = series.samples().iter().copied().peekable();
    for view in series.histograms() {
        while let Some((t_ms, value)) = floats.next_if(|(t_ms, _)| *t_ms < view.t_ms) {
            cutter.push_float(t_ms, value, &mut chunks);
        }
        cutter.push_histogram(&view, &mut chunks).map_err(UpstreamError::Histogram)?;
    }
    floats.for_each(|(t_ms, value)| cutter.push_float(t_ms, value, &mut chunks));
    cutter.cut(&mut chunks);
    Ok(chunks)
}

/// Sorts parts by label set. Where several series end up with the same labels (replicas behind one upstream), they
/// are merged.
///
/// # Errors
/// [`UpstreamError::Chunks`] if the chunks of a series are broken.
pub fn sort(mut parts: Vec<Part>) -> Result<Vec<Part>, UpstreamError> {
    parts.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut sorted: Vec<Part> = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter().peekable();
    while let Some(first) = parts.next() {
        let mut members = vec![first];
        while let Some(part) = parts.next_if(|part| part.labels == members[0].labels) {
            match members.last_mut() {
                Some(last) if follows(last, &part) => last.chunks.extend(part.chunks),
                _ => members.push(part),
            }
        }
        sorted.push(join(members)?);
    }
    Ok(sorted)
}

/// Whether `part` is the continuation of `earlier` rather than another series.
fn follows(earlier: &Part, part: &Part) -> bool {
    match (earlier.chunks.last(), part.chunks.first()) {
        (Some(last), Some(first)) => first.min_ms > last.max_ms,
        _ => true,
    }
}

fn join(mut members: Vec<Part>) -> Result<Part, UpstreamError> {
    let Some(last) = members.pop() else { return Ok(Part::default()) };
    if members.is_empty() {
        return Ok(last);
    }
    members.push(last);
    let labels = members[0].labels.clone();
    let broken = |source| UpstreamError::Chunks { labels: labels.clone(), source };
    let mut merge = ChunkMerge::new();
    merge.begin(members.len(), is_counter(&labels));
    for (index, member) in members.into_iter().enumerate() {
        merge.supply(index, member.chunks).map_err(broken)?;
        merge.exhaust(index);
    }
    let mut chunks = Vec::new();
    while let Step::Emit(chunk) = merge.poll().map_err(broken)? {
        chunks.push(chunk);
    }
    Ok(Part { labels, chunks })
}
