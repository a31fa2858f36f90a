//! One query against all groups: asked of every upstream at once, merged as the answers arrive.
//!
//! Nothing is read ahead of what the merge needs next. An upstream that is not needed fills its socket
//! and waits, and so does everything when the client does: memory is at most some 500 KiB for each upstream, whatever the length of the answer.

use futures::future::join_all;
use promha_merge::labels::Labels;
use promha_merge::{Merge, OutOfOrder, Step};

use super::chunks::{self, ChunkError, ChunkMerge, is_counter};
use super::error::{Failure, ReadError};
use super::metrics::Metrics;
use super::series::{Chunk, Part};
use super::topology::Topology;
use super::upstream::{Answer, UpstreamError};
use crate::common::remote_read::Query;

/// Chunks are handed on once there are this many bytes of them, so that a long series need not be held.
const FLUSH_BYTES: usize = 1 << 20;

/// Where merged series go.
pub trait Sink {
    /// Takes chunks of a series. A series may come in several pieces, one right after the other.
    fn write(
        &mut self,
        labels: &Labels,
        chunks: Vec<Chunk>,
    ) -> impl Future<Output = Result<(), ReadError>> + Send;

    /// Whether what has been written so far can still be declared partial.
    fn can_turn_partial(&self) -> bool;
}

/// Answers that have begun.
#[derive(Debug)]
pub struct Fanout {
    sources: Vec<Source>,
    groups: Vec<GroupState>,
    metrics: Metrics,
    partial_response: bool,
    /// Serves one series after the other.
    chunk_merge: ChunkMerge,
}

#[derive(Debug)]
struct Source {
    answer: Answer,
    group: usize,
    /// What the merge takes next.
    head: Option<Part>,
}

#[derive(Debug)]
struct GroupState {
    name: String,
    /// Replicas that have not failed.
    running: usize,
    failures: Vec<Failure>,
    /// How many of the failures have been decided about.
    settled: usize,
}

impl Fanout {
    /// Asks every upstream that can have something, and waits for the beginning of every answer. This is done on the read thread
    /// with the index `thread`.
    ///
    /// # Errors
    /// [`ReadError::Groups`] if a whole group fails and may not be left out, or no group is left;
    /// [`ReadError::Matcher`] if a matcher is invalid.
    pub async fn begin(
        topology: &Topology,
        query: &Query,
        metrics: &Metrics,
        thread: usize,
    ) -> Result<Self, ReadError> {
        let mut fanout = Self {
            sources: Vec::new(),
            groups: Vec::new(),
            metrics: metrics.clone(),
            partial_response: topology.partial_response,
            chunk_merge: ChunkMerge::new(),
        };
        let mut reads = Vec::new();
        for group in &topology.groups {
            let Some(asked) = group.asked(query)? else { continue };
            let index = fanout.groups.len();
            let running = group.upstreams.len();
            let name = group.name.clone();
            fanout.groups.push(GroupState { name, running, failures: Vec::new(), settled: 0 });
            for upstream in &group.upstreams {
                let asked = asked.clone();
                reads.push(async move { (index, upstream, upstream.read(&asked, thread).await) });
            }
        }
        for (group, upstream, answer) in join_all(reads).await {
            match answer {
                Ok(answer) => fanout.sources.push(Source { answer, group, head: None }),
                Err(error) => fanout.lose(group, &upstream.name, &error),
            }
        }
        fanout.settle(true)?;
        Ok(fanout)
    }

    /// Upstreams that failed while others of their group answer.
    pub fn degraded(&self) -> Vec<&str> {
        let groups = self.groups.iter().filter(|group| !group.is_lost());
        groups.flat_map(|group| &group.failures).map(|failure| failure.upstream.as_str()).collect()
    }

    /// Groups that failed and are left out.
    pub fn partial(&self) -> Vec<&str> {
        self.groups.iter().filter(|group| group.is_lost()).map(|group| group.name.as_str()).collect()
    }

    /// Merges everything into `sink`.
    ///
    /// # Errors
    /// [`ReadError::Groups`] when a whole group is lost and that can no longer be declared; what `sink` returns.
    pub async fn merge_into(&mut self, sink: &mut impl Sink) -> Result<(), ReadError> {
        self.fetch_heads(sink).await?;
        let mut tree = Merge::new(self.sources.len(), Labels::cmp);
        loop {
            match tree.poll() {
                Step::Need(source) => {
                    let Some(part) = self.next_series(source, sink).await? else {
                        tree.exhaust(source);
                        continue;
                    };
                    match tree.supply(source, part.labels.clone()) {
                        Ok(_) => self.sources[source].head = Some(part),
                        Err(OutOfOrder { previous, next, .. }) => {
                            self.fail(source, &UpstreamError::SeriesOrder { previous, next }, sink)?;
                        }
                    }
                }
                Step::Tied(group) => self.merge_series(group, sink).await?,
                Step::Done => return Ok(()),
            }
        }
    }

    /// The first series of every answer, awaited together: one that begins late does not hold up the others' sockets.
    async fn fetch_heads(&mut self, sink: &impl Sink) -> Result<(), ReadError> {
        let heads = join_all(self.sources.iter_mut().map(|source| source.answer.next_series())).await;
        for (index, head) in heads.into_iter().enumerate() {
            match head {
                Ok(head) => self.sources[index].head = head,
                Err(error) => self.fail(index, &error, sink)?,
            }
        }
        Ok(())
    }

    async fn next_series(&mut self, source: usize, sink: &impl Sink) -> Result<Option<Part>, ReadError> {
        if let Some(head) = self.sources[source].head.take() {
            return Ok(Some(head));
        }
        let part = self.sources[source].answer.next_series().await;
        self.note(source, part, sink)
    }

    /// Merges the series that stands at the head of `group`.
    async fn merge_series(&mut self, group: &[usize], sink: &mut impl Sink) -> Result<(), ReadError> {
        let mut heads: Vec<_> = group.iter().filter_map(|&source| self.sources[source].head.take()).collect();
        let Some(labels) = heads.first_mut().map(|head| std::mem::take(&mut head.labels)) else {
            return Ok(());
        };
        let mut merge = std::mem::take(&mut self.chunk_merge);
        let before = merge.counts();
        merge.begin(heads.len(), is_counter(&labels));
        for (member, head) in heads.into_iter().enumerate() {
            if let Err(error) = merge.supply(member, head.chunks) {
                self.drop_member(&mut merge, group, &labels, error, sink)?;
            }
        }
        let (mut out, mut out_bytes) = (Vec::new(), 0);
        loop {
            match merge.poll() {
                Ok(chunks::Step::Need(member)) => {
                    let source = group[member];
                    let part = self.sources[source].answer.next_part_of(&labels).await;
                    match self.note(source, part, sink)? {
                        None => merge.exhaust(member),
                        Some(part) => {
                            if let Err(error) = merge.supply(member, part.chunks) {
                                self.drop_member(&mut merge, group, &labels, error, sink)?;
                            }
                        }
                    }
                }
                Ok(chunks::Step::Emit(chunk)) => {
                    out_bytes += chunk.data.len();
                    out.push(chunk);
                    if out_bytes >= FLUSH_BYTES {
                        out_bytes = 0;
                        sink.write(&labels, std::mem::take(&mut out)).await?;
                    }
                }
                Ok(chunks::Step::Done) => break,
                Err(error) => self.drop_member(&mut merge, group, &labels, error, sink)?,
            }
        }
        if !out.is_empty() {
            sink.write(&labels, out).await?;
        }
        self.metrics.merged(merge.counts(), before);
        self.chunk_merge = merge;
        Ok(())
    }

    /// Goes on without a source whose chunks are broken.
    fn drop_member(
        &mut self,
        merge: &mut ChunkMerge,
        group: &[usize],
        labels: &Labels,
        error: ChunkError,
        sink: &impl Sink,
    ) -> Result<(), ReadError> {
        let member = error.member();
        merge.abandon(member);
        self.fail(group[member], &UpstreamError::Chunks { labels: labels.clone(), source: error }, sink)
    }

    /// Goes on as at the end of an answer where it failed.
    fn note(
        &mut self,
        source: usize,
        part: Result<Option<Part>, UpstreamError>,
        sink: &impl Sink,
    ) -> Result<Option<Part>, ReadError> {
        match part {
            Ok(part) => Ok(part),
            Err(error) => {
                self.fail(source, &error, sink)?;
                Ok(None)
            }
        }
    }

    /// Goes on without a source, if its group can.
    fn fail(&mut self, source: usize, error: &UpstreamError, sink: &impl Sink) -> Result<(), ReadError> {
        let Source { answer, group, .. } = &mut self.sources[source];
        answer.fail(error);
        let (group, upstream) = (*group, answer.upstream().name.clone());
        self.lose(group, &upstream, error);
        self.settle(sink.can_turn_partial())
    }

    fn lose(&mut self, group: usize, upstream: &str, error: &UpstreamError) {
        let state = &mut self.groups[group];
        tracing::warn!(group = state.name, upstream, %error, "upstream failed");
        state.running -= 1;
        state.failures.push(Failure { upstream: upstream.to_owned(), error: error.to_string() });
    }

    /// Decides what failures mean: a replica less, a group less, or the end.
    fn settle(&mut self, can_turn_partial: bool) -> Result<(), ReadError> {
        let lost = self.groups.iter().filter(|group| group.is_lost()).count();
        let may_go_on = lost == 0 || (self.partial_response && can_turn_partial && lost < self.groups.len());
        for group in &mut self.groups {
            let unsettled = group.failures.len() - group.settled;
            if unsettled == 0 {
                continue;
            }
            if !group.is_lost() {
                let fresh = &group.failures[group.settled..];
                fresh.iter().for_each(|failure| self.metrics.degraded(&group.name, &failure.upstream));
            } else if may_go_on {
                self.metrics.partial(&group.name);
            } else {
                self.metrics.failed(&group.name);
            }
            group.settled = group.failures.len();
        }
        if may_go_on {
            return Ok(());
        }
        let lost = self.groups.iter().filter(|group| group.is_lost());
        Err(ReadError::Groups(lost.map(|group| (group.name.clone(), group.failures.clone())).collect()))
    }
}

impl GroupState {
    /// Nobody has, or could still give, all of the group's data. A replica that has given everything counts as running.
    fn is_lost(&self) -> bool {
        self.running == 0
    }
}
