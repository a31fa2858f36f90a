use std::net::SocketAddr;

use super::config::Lifeguard;
use super::machine::{Me, Membership};
use super::members::Members;
use super::rumours::{Audience, Rumour, Says, Subject};
use crate::PeerId;
use crate::wire::{self, Ack, IndirectPing, Message, Nack, Packet, Ping, Source, Standing};

/// The first version of the protocol that knows checksums.
const CRC: u8 = 5;

/// What a driver is to do for a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outgoing {
    /// Send the packet as a datagram.
    Datagram {
        /// Where to.
        to: SocketAddr,
        /// Who that is, if it is a member.
        peer: Option<PeerId>,
        /// Whether memberlist would send it with a checksum.
        crc: bool,
    },
    /// Open a stream and exchange all that is known: send [`Membership::nodes`] and give the answer to [`Membership::handle_push_pull`], or
    /// say [`Membership::handle_push_pull_failed`].
    PushPull {
        /// With whom.
        to: SocketAddr,
        /// Whether it is to be asked to take this node in.
        join: bool,
    },
    /// Open a stream and ping the member over it; give the answer to [`Membership::handle_stream_ack`].
    FallbackPing {
        /// Where the member is.
        to: SocketAddr,
        /// The member.
        peer: PeerId,
        /// The number of the ping.
        seq_no: u32,
    },
}

/// What is still to be sent. Members are told by their numbers, so that what is sent is what is known when it is sent.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Ping { peer: PeerId, seq_no: u32 },
    RelayPing { to: SocketAddr, name: Box<str>, seq_no: u32 },
    IndirectPing { relay: PeerId, target: PeerId, seq_no: u32, nack: bool },
    FallbackPing { peer: PeerId, seq_no: u32 },
    Ack { to: SocketAddr, peer: Option<PeerId>, seq_no: u32 },
    Nack { to: SocketAddr, seq_no: u32 },
    TellStale { to: SocketAddr, name: Box<str>, incarnation: u32 },
    Gossip { peer: PeerId },
    PushPull { to: SocketAddr, join: bool },
}

impl Membership {
    /// What to send next. For a datagram the packet, which is cleared before, then holds the messages: what the datagram is for, and as many
    /// rumours as there is room for. Ask until there is nothing more.
    pub fn poll_transmit(&mut self, packet: &mut Packet) -> Option<Outgoing> {
        while let Some(pending) = self.outbox.pop_front() {
            packet.clear();
            let outgoing = self.prepare(&pending, packet);
            if outgoing.is_some() {
                return outgoing;
            }
        }
        None
    }

    /// Nothing comes of what has become pointless.
    fn prepare(&mut self, pending: &Pending, packet: &mut Packet) -> Option<Outgoing> {
        let outgoing = self.write(pending, packet)?;
        if let Outgoing::Datagram { peer, .. } = outgoing {
            self.add_rumours(peer, packet);
            if packet.is_empty() {
                return None;
            }
        }
        Some(outgoing)
    }

    fn write(&self, pending: &Pending, packet: &mut Packet) -> Option<Outgoing> {
        let me = &self.me.profile;
        let source = Source { addr: Some(me.ip()), port: me.addr().port(), node: me.name() };
        let plain = |to, peer| Outgoing::Datagram { to, peer, crc: false };
        Some(match *pending {
            Pending::Ping { peer, seq_no } => {
                let member = self.members.member(peer)?;
                packet.push(&Message::Ping(Ping { seq_no, node: member.name(), source }));
                let suspect =
                    member.standing() == Standing::Suspect && self.config.lifeguard == Lifeguard::On;
                if suspect {
                    let (incarnation, node) = (member.incarnation(), member.name());
                    packet.push(&Message::Suspect(wire::Rumour { incarnation, node, from: me.name() }));
                }
                let crc = suspect && member.profile().protocol_most() >= CRC;
                Outgoing::Datagram { to: member.addr(), peer: Some(peer), crc }
            }
            Pending::RelayPing { to, ref name, seq_no } => {
                packet.push(&Message::Ping(Ping { seq_no, node: name, source }));
                plain(to, None)
            }
            Pending::IndirectPing { relay, target, seq_no, nack } => {
                let (relay, target) = (self.members.member(relay)?, self.members.member(target)?);
                let (addr, node) = (target.profile(), target.name());
                packet.push(&Message::IndirectPing(IndirectPing {
                    seq_no,
                    target: Some(addr.ip()),
                    port: addr.addr().port(),
                    node,
                    nack,
                    source,
                }));
                plain(relay.addr(), Some(relay.peer()))
            }
            Pending::FallbackPing { peer, seq_no } => {
                Outgoing::FallbackPing { to: self.members.member(peer)?.addr(), peer, seq_no }
            }
            Pending::Ack { to, peer, seq_no } => {
                packet.push(&Message::Ack(Ack { seq_no, payload: None }));
                plain(to, peer)
            }
            Pending::Nack { to, seq_no } => {
                packet.push(&Message::Nack(Nack { seq_no }));
                plain(to, None)
            }
            Pending::TellStale { to, ref name, incarnation } => {
                packet.push(&Message::Suspect(wire::Rumour { incarnation, node: name, from: me.name() }));
                plain(to, None)
            }
            Pending::Gossip { peer } => {
                let member = self.members.member(peer)?;
                let crc = member.profile().protocol_most() >= CRC;
                Outgoing::Datagram { to: member.addr(), peer: Some(peer), crc }
            }
            Pending::PushPull { to, join } => Outgoing::PushPull { to, join },
        })
    }

    fn add_rumours(&mut self, peer: Option<PeerId>, packet: &mut Packet) {
        if self.rumours.is_empty() {
            return;
        }
        let least = self.config.retransmits(self.node_count());
        let (members, me) = (&self.members, &self.me);
        let audience = Audience { peer, listeners: members.listeners(), least };
        self.stats.rumours_sent +=
            self.rumours.fill(packet, audience, |rumour, packet| write_rumour(members, me, rumour, packet));
        self.check_left();
    }
}

/// Whether the rumour fitted.
fn write_rumour(members: &Members, me: &Me, rumour: &Rumour, packet: &mut Packet) -> bool {
    let profile = match rumour.subject {
        Subject::Me => &me.profile,
        Subject::Peer(peer) => match members.member(peer) {
            Some(member) => member.profile(),
            None => return true,
        },
    };
    let incarnation = rumour.incarnation;
    let node = profile.name();
    packet.push(&match &rumour.says {
        Says::Alive => Message::Alive(profile.alive(incarnation)),
        Says::Suspect(from) => Message::Suspect(wire::Rumour { incarnation, node, from }),
        Says::Dead(from) => Message::Dead(wire::Rumour { incarnation, node, from }),
    })
}
