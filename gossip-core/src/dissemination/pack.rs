use crate::PeerId;
use crate::dissemination::control::{self, flags};
use crate::dissemination::hot::Origin;
use crate::dissemination::index::MAX_DEPTH;
use crate::dissemination::lane::{Flight, Tell};
use crate::dissemination::{Dissemination, Event, Source};
use crate::wire::Packet;
use crate::{Key, Version};

/// The type of memberlist's message that carries what its user sends.
const USER: u8 = 8;

/// A range of no more keys than this is listed.
const LIST_AT_MOST: usize = 32;

/// What is not worth beginning a control message for.
const LEAST_ROOM_BYTES: usize = 64;

/// How a try to put a message into a packet went.
enum Put {
    Sent { bytes: usize, version: Version },
    Full,
    Oversize,
    Gone,
}

impl Dissemination {
    /// Makes the next packet, and says for whom it is: as many messages as there is room for. None, and an empty packet, if there is
    /// nothing to send now. Whatever the packet held before is taken out.
    ///
    /// What [`publish`](Self::publish) or [`heard`](Self::heard) say of a key is to be said before this asks the source for it.
    pub fn poll_transmit(&mut self, source: &impl Source, packet: &mut Packet) -> Option<PeerId> {
        packet.clear();
        while let Some(peer) = self.ready.pop_front() {
            let Some(lane) = self.lanes.find_mut(peer).filter(|lane| lane.ready) else { continue };
            lane.ready = false;
            self.pack(peer, source, packet);
            if !packet.is_empty() {
                if self.has_more(peer) {
                    self.make_ready(peer);
                }
                return Some(peer);
            }
            self.drop_control(peer);
        }
        self.batch_left = 0;
        None
    }

    /// Adds to a packet that goes to this peer anyway what is to be sent to it. Only once for a packet, which then holds no key
    /// twice.
    pub fn fill(&mut self, to: PeerId, source: &impl Source, packet: &mut Packet) {
        if self.lanes.find(to).is_some() {
            self.pack(to, source, packet);
        }
    }

    fn pack(&mut self, peer: PeerId, source: &impl Source, packet: &mut Packet) {
        self.put_confirms(peer, packet);
        self.put_wants(peer, packet);
        while self.put_tell(peer, packet) {}
        self.put_hot(peer, source, packet);
        self.put_cold(peer, source, packet);
    }

    fn has_more(&self, peer: PeerId) -> bool {
        let lane = self.lanes.find(peer);
        lane.is_some_and(|lane| {
            lane.has_control() || lane.has_payload() && lane.is_open(self.config.window_bytes)
        })
    }

    /// What is left did not fit into an empty packet.
    fn drop_control(&mut self, peer: PeerId) {
        let Some(lane) = self.lanes.find_mut(peer) else { return };
        if lane.has_control() {
            self.counters.dropped += 1;
            lane.confirms.clear();
            lane.wants.clear();
            lane.tells.clear();
        }
    }

    fn put_confirms(&mut self, peer: PeerId, packet: &mut Packet) {
        let root = self.index.root();
        loop {
            let room = self.control_room_bytes(packet);
            let Some(lane) = self.lanes.find_mut(peer) else { return };
            if lane.confirms.is_empty() || room < LEAST_ROOM_BYTES {
                return;
            }
            self.writer.have(root);
            let fit = lane
                .confirms
                .iter()
                .take_while(|&&(key, version)| self.writer.pair(key, version, room))
                .count();
            lane.confirms.drain(..fit);
            if lane.confirms.is_empty() {
                lane.confirm_at = crate::Instant::NEVER;
            }
            self.put_control(packet);
        }
    }

    fn put_wants(&mut self, peer: PeerId, packet: &mut Packet) {
        let room = self.control_room_bytes(packet);
        let Some(lane) = self.lanes.find_mut(peer) else { return };
        if lane.wants.is_empty() || room < LEAST_ROOM_BYTES {
            return;
        }
        self.writer.want();
        let fit = lane.wants.iter().take_while(|&&key| self.writer.key(key, room)).count();
        lane.wants.drain(..fit);
        lane.asked_at = Some(self.now);
        self.counters.wants_sent += fit as u64;
        self.put_control(packet);
    }

    /// Whether one was put in.
    fn put_tell(&mut self, peer: PeerId, packet: &mut Packet) -> bool {
        let room = self.control_room_bytes(packet);
        if room < LEAST_ROOM_BYTES {
            return false;
        }
        let Some(tell) = self.lanes.find_mut(peer).and_then(|lane| lane.tells.pop_front()) else {
            return false;
        };
        let rest = match tell {
            Tell::Root => {
                self.writer.have(self.index.root());
                None
            }
            Tell::Digest { flags } => self.write_digest(peer, flags, room),
            Tell::Pairs { flags, root, ref pairs } => self.write_pairs(flags, root, pairs, room),
            Tell::Range(range) => {
                if range.depth == MAX_DEPTH || self.index.count(range, LIST_AT_MOST + 1) <= LIST_AT_MOST {
                    self.write_list(range.first(), range.last(), room)
                } else {
                    let salt = self.rng.u8(..);
                    self.writer.ranges(salt, range);
                    for child in range.children() {
                        let hash = self.fold(child, salt);
                        self.writer.hash(hash);
                    }
                    None
                }
            }
            Tell::List { first, last } => self.write_list(first, last, room),
        };
        let fits = self.writer.bytes().len() <= room;
        let asks = !matches!(tell, Tell::Root);
        let lists = matches!(tell, Tell::List { .. } | Tell::Range(_));
        let Some(lane) = self.lanes.find_mut(peer) else { return false };
        if !fits {
            lane.tells.push_front(tell);
            return false;
        }
        if asks {
            lane.asked_at = Some(self.now);
        }
        if lists {
            lane.listed_at = Some(self.now);
        }
        if let Some(rest) = rest {
            lane.tells.push_front(rest);
        }
        self.counters.digests_sent += u64::from(matches!(tell, Tell::Digest { .. }));
        self.put_control(packet);
        true
    }

    /// Tells what is recent and what the peer is not known to have.
    fn write_digest(&mut self, peer: PeerId, flags: u8, room: usize) -> Option<Tell> {
        let mut pairs = std::mem::take(&mut self.pairs);
        let mut flags = flags;
        pairs.clear();
        for slot in self.hot.newest_first() {
            if !self.lacks(slot, peer) {
                continue;
            }
            if pairs.len() == self.config.digest_pairs || !self.is_ripe(slot, peer) {
                flags |= flags::MORE;
                continue;
            }
            pairs.push((self.hot.at(slot).key, self.hot.at(slot).version));
        }
        let rest = self.write_pairs(flags, self.index.root(), &pairs, room);
        self.pairs = pairs;
        rest
    }

    /// Those that do not fit are left, and belong to no root any more.
    fn write_pairs(&mut self, flags: u8, root: u64, pairs: &[(Key, Version)], room: usize) -> Option<Tell> {
        self.writer.digest(flags, root, self.index.len() as u64);
        let fit = pairs.iter().take_while(|&&(key, version)| self.writer.pair(key, version, room)).count();
        if fit == pairs.len() {
            return None;
        }
        self.writer.add_flags(flags::MORE);
        let flags = flags & (flags::OFFER | flags::OLD) | flags::MORE;
        Some(Tell::Pairs { flags, root: 0, pairs: pairs[fit..].to_vec() })
    }

    fn write_list(&mut self, first: Key, last: Key, room: usize) -> Option<Tell> {
        self.writer.list(first, last);
        let mut end = None;
        for (key, version) in self.index.within(first, last) {
            if !self.writer.pair(key, version, room) {
                let end = end?;
                self.writer.end_list_at(end);
                return Some(Tell::List { first: Key(end.0 + 1), last });
            }
            end = Some(key);
        }
        None
    }

    fn put_hot(&mut self, peer: PeerId, source: &impl Source, packet: &mut Packet) {
        self.packed.clear();
        loop {
            let Some(lane) = self.lanes.find(peer) else { return };
            if !lane.is_open(self.config.window_bytes) {
                return;
            }
            let Some(&pending) = lane.pending.peek() else { return };
            let slot = pending.slot;
            let is_hot = self.hot.holds(slot, pending.seq);
            let is_due = is_hot && self.lacks(slot, peer) && !self.hot.at(slot).sent.contains(peer);
            let key = self.hot.at(slot).key;
            let put = if is_due { self.put(key, source, packet) } else { Put::Gone };
            if matches!(put, Put::Full) {
                return;
            }
            if let Some(lane) = self.lanes.find_mut(peer) {
                lane.pending.pop();
            }
            if is_hot {
                self.hot.at_mut(slot).queued.remove(peer);
            }
            match put {
                Put::Sent { bytes, version } => {
                    self.packed.push(key);
                    self.counters.resent += u64::from(pending.tries > 0);
                    self.note_sent(peer, slot, bytes, version, pending.tries);
                }
                Put::Oversize => {
                    self.hot.at_mut(slot).sent.insert(peer);
                    self.report(Event::Oversize { peer, key });
                }
                Put::Full | Put::Gone => {}
            }
        }
    }

    fn note_sent(&mut self, peer: PeerId, slot: u32, bytes: usize, version: Version, tries: u8) {
        let confirms = self.is_direct() && self.peers.speaks_digests(peer);
        let hot = self.hot.at_mut(slot);
        hot.transmits += 1;
        let is_tracked = confirms && hot.origin == Origin::Own && hot.version == version;
        if hot.version == version {
            hot.sent.insert(peer);
        }
        let seq = hot.seq;
        let Some(lane) = self.lanes.find_mut(peer) else { return };
        if is_tracked {
            let tries = tries.saturating_add(1);
            lane.flights.push_back(Flight { slot, seq, sent_at: self.now, bytes: bytes as u32, tries });
            lane.flight_bytes += bytes;
        } else {
            lane.loose_bytes += bytes;
        }
    }

    fn put_cold(&mut self, peer: PeerId, source: &impl Source, packet: &mut Packet) {
        loop {
            let Some(lane) = self.lanes.find(peer) else { return };
            if !lane.is_open(self.config.window_bytes) {
                return;
            }
            let Some(&key) = lane.cold.last() else { return };
            // What became hot since then goes its own way.
            let is_due = !self.packed.contains(&key)
                && self
                    .hot
                    .slot_of(key)
                    .is_none_or(|slot| self.lacks(slot, peer) && !self.hot.at(slot).sent.contains(peer));
            let put = if is_due { self.put(key, source, packet) } else { Put::Gone };
            if matches!(put, Put::Full) {
                return;
            }
            let sent_bytes = if let Put::Sent { bytes, .. } = put { bytes } else { 0 };
            if let Some(lane) = self.lanes.find_mut(peer) {
                lane.cold.pop();
                lane.loose_bytes += sent_bytes;
            }
            if matches!(put, Put::Oversize) {
                self.report(Event::Oversize { peer, key });
            }
        }
    }

    fn put(&mut self, key: Key, source: &impl Source, packet: &mut Packet) -> Put {
        self.body.clear();
        self.body.push(USER);
        let Some(version) = source.message(key, &mut self.body) else { return Put::Gone };
        if !packet.push_body(&self.body) {
            return if packet.is_empty() { Put::Oversize } else { Put::Full };
        }
        let bytes = self.body.len();
        self.counters.payloads_sent += 1;
        self.counters.payload_bytes_sent += bytes as u64;
        Put::Sent { bytes, version }
    }

    fn put_control(&mut self, packet: &mut Packet) {
        self.body.clear();
        self.body.push(USER);
        control::wrap(&self.config.control_prefix, self.writer.bytes(), &mut self.body);
        if packet.push_body(&self.body) {
            self.counters.controls_sent += 1;
            self.counters.control_bytes_sent += self.body.len() as u64;
        }
    }

    /// How long a control message may be.
    fn control_room_bytes(&self, packet: &Packet) -> usize {
        packet.room_bytes().saturating_sub(1 + control::wrap_bytes(&self.config.control_prefix))
    }
}
