use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::PeerId;
use crate::wire::Packet;

/// After so many that do not fit, a packet is taken for full.
const MISFITS: usize = 4;

/// Shorter than any rumour.
const ROOM_LEAST_BYTES: usize = 32;

/// What is to be told to everybody, each a limited number of times, and only the last of each node. What was sent least often goes first, and
/// of that what is newest.
#[derive(Clone, Debug, Default)]
pub(super) struct Rumours {
    in_turn: BTreeMap<Turn, Rumour>,
    turn_of: BTreeMap<Subject, Turn>,
    begun: u64,
    sent: Vec<Turn>,
}

/// How often it was sent, and, backwards, when it began.
type Turn = (u32, Reverse<u64>);

/// Of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Me,
    Peer(PeerId),
}

#[derive(Clone, Debug)]
pub(super) struct Rumour {
    pub(super) subject: Subject,
    pub(super) incarnation: u32,
    pub(super) says: Says,
}

#[derive(Clone, Debug)]
pub(super) enum Says {
    Alive,
    /// With the name of who says so.
    Suspect(Box<str>),
    /// With the name of who says so.
    Dead(Box<str>),
}

impl Rumours {
    pub(super) fn is_empty(&self) -> bool {
        self.in_turn.is_empty()
    }

    /// Begins a rumour, in the place of any other of the same node.
    pub(super) fn spread(&mut self, subject: Subject, incarnation: u32, says: Says) {
        self.withdraw(subject);
        self.begun += 1;
        let turn = (0, Reverse(self.begun));
        self.turn_of.insert(subject, turn);
        self.in_turn.insert(turn, Rumour { subject, incarnation, says });
    }

    pub(super) fn withdraw(&mut self, subject: Subject) {
        if let Some(turn) = self.turn_of.remove(&subject) {
            self.in_turn.remove(&turn);
        }
    }

    pub(super) fn is_spreading(&self, subject: Subject) -> bool {
        self.turn_of.contains_key(&subject)
    }

    /// Has one after the other written as long as there is room; `write` says whether it fitted. Those that have now been sent as often as the
    /// limit are done with. Returns how many were written.
    pub(super) fn fill(
        &mut self,
        packet: &mut Packet,
        limit: u32,
        mut write: impl FnMut(&Rumour, &mut Packet) -> bool,
    ) -> u64 {
        let mut misfits = 0;
        for (turn, rumour) in &self.in_turn {
            if packet.room_bytes() < ROOM_LEAST_BYTES || misfits == MISFITS {
                break;
            }
            if write(rumour, packet) {
                self.sent.push(*turn);
            } else {
                misfits += 1;
            }
        }
        let sent = self.sent.len() as u64;
        while let Some(turn) = self.sent.pop() {
            self.was_sent(turn, limit);
        }
        sent
    }

    fn was_sent(&mut self, turn: Turn, limit: u32) {
        let Some(rumour) = self.in_turn.remove(&turn) else {
            return;
        };
        let next = (turn.0 + 1, turn.1);
        if next.0 >= limit {
            self.turn_of.remove(&rumour.subject);
        } else {
            self.turn_of.insert(rumour.subject, next);
            self.in_turn.insert(next, rumour);
        }
    }
}

#[cfg(test)]
impl Rumours {
    /// Panics if the parts contradict each other.
    pub(super) fn check(&self, is_known: impl Fn(Subject) -> bool) {
        assert!(self.sent.is_empty());
        assert_eq!(self.in_turn.len(), self.turn_of.len());
        for (turn, rumour) in &self.in_turn {
            assert_eq!(self.turn_of.get(&rumour.subject), Some(turn));
            assert!(is_known(rumour.subject));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Ints;

    fn take(rumours: &mut Rumours, packet: &mut Packet, limit: u32) -> Vec<u32> {
        let mut taken = Vec::new();
        packet.clear();
        rumours.fill(packet, limit, |rumour, packet| {
            let fits = packet.push_body(&[0; 40]);
            taken.extend(fits.then_some(rumour.incarnation));
            fits
        });
        taken
    }

    /// A packet takes two of them.
    #[test]
    fn least_often_sent_first_then_newest() {
        let mut packet = Packet::new(2 + 2 * 42, Ints::Unsigned);
        let mut rumours = Rumours::default();
        for number in 0..3 {
            rumours.spread(Subject::Peer(PeerId(number)), number, Says::Alive);
        }
        assert_eq!(take(&mut rumours, &mut packet, 3), [2, 1]);
        assert_eq!(take(&mut rumours, &mut packet, 3), [0, 2]);
        // In the place of another one of the same node.
        rumours.spread(Subject::Peer(PeerId(1)), 7, Says::Alive);
        assert_eq!(take(&mut rumours, &mut packet, 3), [7, 0]);
        rumours.withdraw(Subject::Peer(PeerId(0)));
        assert_eq!(take(&mut rumours, &mut packet, 3), [7, 2]);
        assert!(
            rumours.is_spreading(Subject::Peer(PeerId(1))) && !rumours.is_spreading(Subject::Peer(PeerId(2)))
        );
        assert_eq!(take(&mut rumours, &mut packet, 3), [7]);
        assert!(rumours.is_empty());
    }
}
