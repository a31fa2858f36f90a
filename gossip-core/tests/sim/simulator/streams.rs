//! Streams: reliable, in order, in segments that take their time. What cannot get through is tried again, twice as late each time, until
//! the stream is given up, which both ends hear.

use std::collections::VecDeque;
use std::time::Duration;

use super::network::Network;
use super::node::{StreamId, nanos};

/// The most that a segment carries.
const SEGMENT_BYTES: usize = 16 << 10;
/// When a segment that did not get through is tried again, at first.
const AGAIN: Duration = Duration::from_millis(200);
/// After how long a stream is given up on which nothing gets through.
pub const GIVE_UP: Duration = Duration::from_secs(5);

/// All streams of a world.
#[derive(Debug, Default)]
pub struct Streams {
    all: Vec<Stream>,
    unused: Vec<u32>,
    /// Which streams a node has, by the names that it uses.
    of: Vec<Vec<(StreamId, End)>>,
    /// Buffers of segments, for the next ones.
    spare: Vec<Vec<u8>>,
    pub counts: StreamCounts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    pub opened: u64,
    pub failed: u64,
    pub bytes: u64,
}

/// One end of a stream: that of who connected is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub stream: u32,
    pub side: u8,
}

#[derive(Debug, Default)]
struct Stream {
    nodes: [usize; 2],
    /// What the nodes call it; nothing before it is known to a node, or after the node is done with it.
    names: [Option<StreamId>; 2],
    /// What is on the way *to* that side.
    ways: [Way; 2],
    /// Counts the streams that had this place, so that what comes for an earlier one is known.
    turn: u32,
}

#[derive(Debug, Default)]
struct Way {
    segments: VecDeque<Segment>,
    /// When the last segment arrives: none is earlier than one before it.
    last_ns: u64,
    tried: u32,
}

#[derive(Debug)]
struct Segment {
    at_ns: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// To side 1: somebody connects.
    Open,
    /// To side 0: the other took it.
    Opened,
    Data(Vec<u8>),
    Close,
    Fail,
}

/// The first segment of a way is due then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub at_ns: u64,
    pub end: End,
    pub turn: u32,
}

/// What arrives at a node.
#[derive(Debug)]
pub enum Arrival {
    Open { from: usize },
    Connected(StreamId),
    Data(StreamId, Vec<u8>),
    Closed(StreamId),
    Failed(StreamId),
}

/// Where something arrives: where the segment went, or back where it came from.
#[derive(Debug)]
pub enum Heard {
    There(Arrival),
    Back(Arrival),
}

/// Whether a node can be reached, as far as streams ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Up,
    /// The process is not there, and its host says so.
    Refused,
    /// Nothing comes back.
    Silent,
}

impl Streams {
    pub fn new(nodes: usize) -> Self {
        Self { of: (0..nodes).map(|_| Vec::new()).collect(), ..Self::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len() - self.unused.len()
    }

    /// A node connects to another.
    pub fn connect(
        &mut self,
        from: usize,
        name: StreamId,
        to: usize,
        now_ns: u64,
        network: &mut Network,
    ) -> Option<Due> {
        let place = self.unused.pop().unwrap_or_else(|| {
            self.all.push(Stream::default());
            self.all.len() as u32 - 1
        });
        let stream = &mut self.all[place as usize];
        stream.nodes = [from, to];
        stream.names = [Some(name), None];
        self.of[from].push((name, End { stream: place, side: 0 }));
        self.counts.opened += 1;
        self.send(End { stream: place, side: 1 }, What::Open, 0, now_ns, network)
    }

    /// A node took the stream that reached it.
    pub fn accepted(&mut self, end: End, name: StreamId, now_ns: u64, network: &mut Network) -> Option<Due> {
        let stream = &mut self.all[end.stream as usize];
        stream.names[usize::from(end.side)] = Some(name);
        self.of[stream.nodes[usize::from(end.side)]].push((name, end));
        self.send(other(end), What::Opened, 0, now_ns, network)
    }

    /// A node writes, and is then done with the stream or not. Nothing happens on a stream that it has no more.
    pub fn write(
        &mut self,
        node: usize,
        name: StreamId,
        bytes: &[u8],
        close: bool,
        now_ns: u64,
        network: &mut Network,
    ) -> Option<Due> {
        let end = self.find(node, name)?;
        let mut due = None;
        self.counts.bytes += bytes.len() as u64;
        for part in bytes.chunks(SEGMENT_BYTES) {
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.extend_from_slice(part);
            due = due.or(self.send(other(end), What::Data(copy), part.len(), now_ns, network));
        }
        if close {
            self.forget(end);
            due = due.or(self.send(other(end), What::Close, 0, now_ns, network));
        }
        due
    }

    /// The nodes that the first segment of a way goes from and to, if it is still there.
    pub fn ends(&self, due: Due) -> Option<(usize, usize)> {
        let stream = &self.all[due.end.stream as usize];
        let side = usize::from(due.end.side);
        (stream.turn == due.turn).then(|| (stream.nodes[1 - side], stream.nodes[side]))
    }

    /// The first segment of a way is due: it arrives, or is tried again. `reach` is that of the node it goes to. Gives what arrives where,
    /// and what is due next.
    pub fn arrive(&mut self, due: Due, reach: Reach, cut: bool) -> (Option<Heard>, Option<Due>) {
        let (end, place) = (due.end, due.end.stream as usize);
        let stream = &mut self.all[place];
        if stream.turn != due.turn {
            return (None, None);
        }
        let way = &mut stream.ways[usize::from(end.side)];
        let Some(first) = way.segments.front_mut() else { return (None, None) };
        if first.at_ns > due.at_ns {
            // Told before the stream was given up, of a segment that is gone.
            return (None, None);
        }
        let stuck = cut || reach == Reach::Silent;
        if stuck && !matches!(first.what, What::Fail) {
            let again_ns = nanos(AGAIN) << way.tried;
            if again_ns < nanos(GIVE_UP) {
                way.tried += 1;
                first.at_ns = due.at_ns + again_ns;
                way.last_ns = way.last_ns.max(first.at_ns);
                return (None, Some(Due { at_ns: first.at_ns, ..due }));
            }
            return self.give_up(due);
        }
        if reach == Reach::Refused && !matches!(first.what, What::Fail) {
            return self.give_up(due);
        }
        way.tried = 0;
        let Some(segment) = way.segments.pop_front() else { return (None, None) };
        let next = way.segments.front().map(|next| Due { at_ns: next.at_ns.max(due.at_ns), ..due });
        let name = stream.names[usize::from(end.side)];
        let arrival = match (segment.what, name) {
            (What::Open, _) => Some(Arrival::Open { from: stream.nodes[usize::from(1 - end.side)] }),
            (What::Opened, Some(name)) => Some(Arrival::Connected(name)),
            (What::Data(bytes), Some(name)) => Some(Arrival::Data(name, bytes)),
            (What::Data(bytes), None) => {
                self.recycle(bytes);
                None
            }
            (What::Close, Some(name)) => {
                self.forget(end);
                Some(Arrival::Closed(name))
            }
            (What::Fail, Some(name)) => {
                self.forget(end);
                self.counts.failed += 1;
                Some(Arrival::Failed(name))
            }
            (What::Opened | What::Close | What::Fail, None) => None,
        };
        if next.is_none() {
            self.release(end.stream);
        }
        (arrival.map(Heard::There), next)
    }

    /// A node is no more: its streams fail at their other ends, when those hear of it.
    pub fn crash(&mut self, node: usize, reach: Reach, now_ns: u64, mut due: impl FnMut(Due)) {
        for (_, end) in std::mem::take(&mut self.of[node]) {
            let stream = &mut self.all[end.stream as usize];
            stream.names[usize::from(end.side)] = None;
            let delay_ns = if reach == Reach::Refused { 0 } else { nanos(GIVE_UP) };
            self.place(other(end), What::Fail, now_ns + delay_ns).into_iter().for_each(&mut due);
        }
    }

    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.spare.push(bytes);
    }

    /// Nothing gets through to that side any more: both hear it.
    fn give_up(&mut self, due: Due) -> (Option<Heard>, Option<Due>) {
        let stream = &mut self.all[due.end.stream as usize];
        stream.ways[usize::from(due.end.side)].segments.clear();
        stream.ways[usize::from(due.end.side)].tried = 0;
        let next = self.place(due.end, What::Fail, due.at_ns);
        let back = other(due.end);
        // What is on its way back still is; the failure comes after it, at once.
        let way = &mut self.all[back.stream as usize].ways[usize::from(back.side)];
        way.segments.clear();
        way.tried = 0;
        let name = self.all[back.stream as usize].names[usize::from(back.side)];
        let arrival = name.map(|name| {
            self.forget(back);
            self.counts.failed += 1;
            Heard::Back(Arrival::Failed(name))
        });
        (arrival, next)
    }

    fn send(&mut self, to: End, what: What, bytes: usize, now_ns: u64, network: &mut Network) -> Option<Due> {
        let nodes = self.all[to.stream as usize].nodes;
        let (from, node) = (nodes[usize::from(1 - to.side)], nodes[usize::from(to.side)]);
        let at_ns = network.carry_segment(from, node, bytes, now_ns);
        self.place(to, what, at_ns)
    }

    /// Puts a segment behind those on the same way; what is due is told if there are none.
    fn place(&mut self, to: End, what: What, at_ns: u64) -> Option<Due> {
        let stream = &mut self.all[to.stream as usize];
        let turn = stream.turn;
        let way = &mut stream.ways[usize::from(to.side)];
        let at_ns = at_ns.max(way.last_ns);
        way.last_ns = at_ns;
        way.segments.push_back(Segment { at_ns, what });
        (way.segments.len() == 1).then_some(Due { at_ns, end: to, turn })
    }

    fn find(&self, node: usize, name: StreamId) -> Option<End> {
        self.of[node].iter().find(|(known, _)| *known == name).map(|(_, end)| *end)
    }

    /// The node is done with its end.
    fn forget(&mut self, end: End) {
        let stream = &mut self.all[end.stream as usize];
        let node = stream.nodes[usize::from(end.side)];
        stream.names[usize::from(end.side)] = None;
        self.of[node].retain(|(_, known)| *known != end);
    }

    /// The place is free again when no node has an end and nothing is on its way.
    fn release(&mut self, place: u32) {
        let stream = &mut self.all[place as usize];
        if stream.names == [None, None] && stream.ways.iter().all(|way| way.segments.is_empty()) {
            stream.turn += 1;
            stream.ways.iter_mut().for_each(|way| (way.last_ns, way.tried) = (0, 0));
            self.unused.push(place);
        }
    }
}

fn other(end: End) -> End {
    End { side: 1 - end.side, ..end }
}
