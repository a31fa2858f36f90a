//! What is going on on each connection. memberlist has one exchange a connection: the one who dials asks, the other answers, and both
//! close.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::stream::{StreamId, Transmit};
use crate::wire::{Side, StreamReader};
use crate::{Instant, Key, PeerId};

/// Why we dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To tell all and hear all, of the state too if it is to be whole.
    PushPull { to: SocketAddr, join: bool, whole: bool },
    /// To ask a node that does not answer datagrams whether it is alive.
    FallbackPing { peer: PeerId, seq_no: u32 },
    /// To send what does not fit into a datagram.
    User { key: Key, message: Vec<u8> },
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Why we dialled; nothing if the other did.
    pub(super) purpose: Option<Purpose>,
    /// The address that it comes from or goes to.
    pub(super) remote: SocketAddr,
    /// What came in.
    pub(super) reader: StreamReader,
    /// When it is given up.
    pub(super) deadline: Instant,
}

impl Session {
    /// One that is over.
    pub(super) fn closed(remote: SocketAddr) -> Self {
        Self { purpose: None, remote, reader: StreamReader::new(Side::Accepted), deadline: Instant::NEVER }
    }
}

/// All connections, and what is still to be done on them.
#[derive(Debug)]
pub(super) struct Sessions {
    open: BTreeMap<StreamId, Session>,
    todo: VecDeque<(Transmit, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    next: u64,
    patience: Duration,
    limit: usize,
}

impl Sessions {
    pub(super) fn new(patience: Duration, limit: usize) -> Self {
        Self { open: BTreeMap::new(), todo: VecDeque::new(), spare: Vec::new(), next: 0, patience, limit }
    }

    /// Asks for a connection, and says whether there may be another one.
    pub(super) fn dial(&mut self, to: SocketAddr, purpose: Purpose, now: Instant) -> bool {
        if self.is_crowded(true) {
            return false;
        }
        let stream = self.add(Some(purpose), to, Side::Dialled, now);
        self.todo.push_back((Transmit::Connect { stream, to }, Vec::new()));
        true
    }

    /// A connection that came in; it is closed unheard if there are too many.
    pub(super) fn accept(&mut self, from: SocketAddr, now: Instant) -> StreamId {
        let crowded = self.is_crowded(false);
        let stream = self.add(None, from, Side::Accepted, now);
        if crowded {
            self.close(stream);
        }
        stream
    }

    /// Whether there are as many of a side as there may be: whoever calls us does not keep us from calling.
    fn is_crowded(&self, dialled: bool) -> bool {
        let of_side = self.open.values().filter(|session| session.purpose.is_some() == dialled);
        of_side.count() >= self.limit
    }

    fn add(&mut self, purpose: Option<Purpose>, remote: SocketAddr, side: Side, now: Instant) -> StreamId {
        let stream = StreamId(self.next);
        self.next += 1;
        self.open.insert(
            stream,
            Session { purpose, remote, reader: StreamReader::new(side), deadline: now + self.patience },
        );
        stream
    }

    /// Takes a connection out, to be put back or closed.
    pub(super) fn take(&mut self, stream: StreamId) -> Option<Session> {
        self.open.remove(&stream)
    }

    pub(super) fn put_back(&mut self, stream: StreamId, session: Session) {
        self.open.insert(stream, session);
    }

    /// Memory for what is to be said.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes
    }

    /// Says something on a connection.
    pub(super) fn write(&mut self, stream: StreamId, close: bool, bytes: Vec<u8>) {
        if close {
            self.open.remove(&stream);
        }
        self.todo.push_back((Transmit::Stream { stream, close }, bytes));
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, stream: StreamId) {
        let nothing = self.buffer();
        self.write(stream, true, nothing);
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The next connection that took too long. It is closed.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Session> {
        let stream =
            self.open.iter().find(|(_, session)| session.deadline <= now).map(|(&stream, _)| stream)?;
        let session = self.open.remove(&stream);
        self.close(stream);
        session
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.values().map(|session| session.deadline).min()
    }

    pub(super) fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        let (transmit, mut bytes) = self.todo.pop_front()?;
        std::mem::swap(into, &mut bytes);
        if self.spare.len() < KEPT_BUFFERS {
            self.spare.push(bytes);
        }
        Some(transmit)
    }
}

/// Buffers of what was said are kept for what will be; so many.
const KEPT_BUFFERS: usize = 4;
