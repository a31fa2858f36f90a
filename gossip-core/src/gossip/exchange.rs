//! What is said over connections: push/pull exchanges, the ping for those who do not answer datagrams, messages too large for one.

use std::net::SocketAddr;

use super::sessions::{Purpose, Session};
use super::{Event, Gossip, Replica, StreamFailure, StreamId, hear, speaks};
use crate::dissemination::{Speaks, Verdict};
use crate::wire::alertmanager::Part;
use crate::wire::{Ack, Message, NodeState, OverLimit, Ping, PushPull, Side, Source, StreamMessage};
use crate::{Instant, Key, PeerId};

impl<R: Replica> Gossip<R> {
    /// A connection that we asked for is open: say what it is for.
    pub(super) fn ask(&mut self, stream: StreamId) {
        let Some(mut session) = self.sessions.take(stream) else { return };
        let (mut bytes, side) = (self.sessions.buffer(), Side::Dialled);
        let written = match &mut session.purpose {
            Some(Purpose::PushPull { join, whole, .. }) => {
                let (join, whole) = (*join, *whole);
                self.write_all(side, join, whole, &mut bytes)
            }
            Some(Purpose::FallbackPing { peer, seq_no }) => {
                let node = self.membership.member(*peer).map_or("", |member| member.name());
                let me = self.membership.profile();
                let source = Source { addr: Some(me.ip()), port: me.addr().port(), node: me.name() };
                let ping = Message::Ping(Ping { seq_no: *seq_no, node, source });
                self.codec.write_stream(side, &ping, &mut bytes)
            }
            Some(Purpose::User { message, .. }) => self.codec.write_user_message(side, message, &mut bytes),
            None => Ok(()),
        };
        if let Err(error) = written {
            return self.give_up(stream, session, StreamFailure::Unwritable(error));
        }
        // Nobody answers a message of the user's.
        let is_all = matches!(session.purpose, Some(Purpose::User { .. }));
        self.sessions.put_back(stream, session);
        self.sessions.write(stream, is_all, bytes);
    }

    /// Bytes came over a connection.
    pub(super) fn read_stream(&mut self, stream: StreamId, bytes: &[u8], now: Instant) {
        let Some(mut session) = self.sessions.take(stream) else { return };
        session.reader.push(bytes);
        let message = match session.reader.next_message(&self.codec) {
            Ok(Some(message)) => message,
            Ok(None) => return self.sessions.put_back(stream, session),
            Err(error) => return self.give_up(stream, session, StreamFailure::Unreadable(error)),
        };
        let outcome = match (&session.purpose, message) {
            (Some(Purpose::PushPull { to, .. }), StreamMessage::PushPull(all)) => {
                self.sessions.close(stream);
                self.take_all(*to, self.peer_at(*to), &all, now)
            }
            (Some(Purpose::FallbackPing { seq_no, .. }), StreamMessage::Ack(ack))
                if ack.seq_no == *seq_no =>
            {
                self.sessions.close(stream);
                self.membership.handle_stream_ack(ack.seq_no, now);
                Ok(())
            }
            (None, StreamMessage::PushPull(all)) => {
                // Who tells no state compares digests, or has none; in both cases it wants none.
                let whole = all.join || !all.user_state.is_empty();
                self.answer(stream, |node, into| node.write_all(Side::Accepted, false, whole, into))
                    .and_then(|()| self.take_all(session.remote, PeerId::NOBODY, &all, now))
            }
            (None, StreamMessage::Ping(ping)) if self.membership.answers_to(ping.node) => {
                let ack = Message::Ack(Ack { seq_no: ping.seq_no, payload: None });
                self.answer(stream, |node, into| node.codec.write_stream(Side::Accepted, &ack, into))
            }
            (None, StreamMessage::User(message)) => {
                self.sessions.close(stream);
                let now_ms = self.unix_ms(now);
                let (from, message) = match signed(message) {
                    Some((name, message)) => (self.membership.peer_of(name), message),
                    None => (None, message),
                };
                let (dissemination, replica) = (&mut self.dissemination, &mut self.replica);
                // What cannot be read is about no key. Nobody sends digests this way.
                let _ = hear(dissemination, replica, from.unwrap_or(PeerId::NOBODY), message, now_ms, now);
                Ok(())
            }
            (_, StreamMessage::Err(text)) => Err(StreamFailure::Refused(text.into())),
            _ => Err(StreamFailure::Unexpected),
        };
        if let Err(reason) = outcome {
            let session = Session { purpose: session.purpose, ..Session::closed(session.remote) };
            self.give_up(stream, session, reason);
        }
    }

    /// Nothing comes of a connection any more.
    pub(super) fn give_up(&mut self, stream: StreamId, session: Session, reason: StreamFailure) {
        self.sessions.close(stream);
        self.failed(session, reason);
    }

    /// Nothing came of a connection that is closed.
    pub(super) fn failed(&mut self, session: Session, reason: StreamFailure) {
        if let Some(Purpose::PushPull { to, .. }) = session.purpose {
            self.membership.handle_push_pull_failed(to);
        }
        self.report(Event::StreamFailed { with: session.remote, reason });
    }

    /// Says the last thing on a connection.
    fn answer(
        &mut self,
        stream: StreamId,
        write: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), OverLimit>,
    ) -> Result<(), StreamFailure> {
        let mut bytes = self.sessions.buffer();
        write(self, &mut bytes).map_err(StreamFailure::Unwritable)?;
        self.sessions.write(stream, true, bytes);
        Ok(())
    }

    /// Half of a push/pull exchange: all nodes, and the whole state if it is wanted.
    fn write_all(
        &mut self,
        side: Side,
        join: bool,
        whole: bool,
        into: &mut Vec<u8>,
    ) -> Result<(), OverLimit> {
        self.scratch.clear();
        if whole {
            self.replica.write_all(&mut self.scratch);
        }
        let nodes: Vec<NodeState<'_>> = self.membership.nodes().collect();
        self.codec.write_push_pull(side, join, nodes.into_iter(), &self.scratch, into)
    }

    /// The other half.
    fn take_all(
        &mut self,
        with: SocketAddr,
        peer: PeerId,
        all: &PushPull<'_>,
        now: Instant,
    ) -> Result<(), StreamFailure> {
        let nodes = all.nodes();
        self.membership
            .handle_push_pull(with, nodes.clone(), all.join, now)
            .map_err(StreamFailure::Incompatible)?;
        let now_ms = self.unix_ms(now);
        let dissemination = &mut self.dissemination;
        self.replica.merge_all(all.user_state, now_ms, &mut |key, version, verdict| match verdict {
            // News of which the sender is full; they go on from here only to whoever compares.
            Verdict::Fresh => dissemination.restore(key, version),
            Verdict::Known => {}
            Verdict::Stale | Verdict::Merged(_) | Verdict::Refused => {
                dissemination.heard(peer, key, version, verdict, now);
            }
        });
        let (nodes, state_bytes) = (nodes.count(), all.user_state.len());
        self.report(Event::Exchanged { with, nodes, state_bytes });
        Ok(())
    }

    /// Sends a message over a connection, as it is too large for a datagram.
    pub(super) fn send_large(&mut self, peer: PeerId, key: Key, now: Instant) {
        let Some(member) = self.membership.member(peer) else { return };
        let (to, understands) = (member.addr(), speaks(member.meta()) == Speaks::Digests);
        let mut message = Vec::new();
        if self.replica.message(key, &mut message).is_none() {
            return;
        }
        if understands {
            message = sign(self.membership.profile().name(), &message);
        }
        let (message_bytes, limit_bytes) = (message.len(), self.codec.config().limits.user_message_bytes);
        if message_bytes > limit_bytes {
            self.report(Event::TooLarge { key, message_bytes, limit_bytes });
        } else {
            // Of too many at once some are left to be asked for again when digests are compared.
            self.sessions.dial(to, Purpose::User { key, message }, now);
        }
    }

    /// Asks for a push/pull exchange.
    pub(super) fn exchange(&mut self, to: SocketAddr, join: bool, whole: bool, now: Instant) {
        if !self.sessions.dial(to, Purpose::PushPull { to, join, whole }, now) {
            self.membership.handle_push_pull_failed(to);
        }
    }
}

/// What a message over a connection is in that says who sends it: to be passed on to the others, and not back. A protobuf part like
/// Alertmanager's, in which another one has the name as its key.
const SIGNED: &str = "promha.from";

fn sign(name: &str, message: &[u8]) -> Vec<u8> {
    let (mut named, mut signed) = (Vec::new(), Vec::new());
    Part { key: name, data: message }.encode(&mut named);
    Part { key: SIGNED, data: &named }.encode(&mut signed);
    signed
}

/// Who sent a message, and the message, if it says so.
fn signed(message: &[u8]) -> Option<(&str, &[u8])> {
    let outer = Part::decode(message).ok().filter(|part| part.key == SIGNED)?;
    let Part { key: name, data: message } = Part::decode(outer.data).ok()?;
    Some((name, message))
}
