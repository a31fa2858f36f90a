use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::PeerId;
use crate::wire::Packet;

/// After so many that do not fit, a packet is taken for full.
const MISFITS: usize = 4;

/// Shorter than any rumour.
const ROOM_LEAST_BYTES: usize = 32;

/// Among so few, everybody is told directly.
const FEW: usize = 16;

/// What is to be told to everybody, each a limited number of times, and only the last of each node. What was sent least often goes first, and
/// of that what is newest.
///
/// Among many it is left to chance to whom, as in memberlist, where among few one in ten rumours misses somebody. So among few each is sent
/// to everybody once before it is sent to anybody twice.
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
    /// Who was sent it in this round, by numbers below 64.
    had: u64,
}

/// To whom rumours go: to a member, or to who is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Audience {
    pub(super) peer: Option<PeerId>,
    /// How many there are to be told.
    pub(super) listeners: usize,
    /// How often each rumour is sent at least.
    pub(super) least: u32,
}

impl Audience {
    fn limit(self) -> u32 {
        if self.listeners <= FEW { self.least.max(self.listeners as u32) } else { self.least }
    }

    /// A rumour that everybody was sent begins its next round.
    fn had_after(self, had: u64) -> u64 {
        let had = had | bit(self.peer);
        if had.count_ones() as usize >= self.listeners { 0 } else { had }
    }
}

fn bit(peer: Option<PeerId>) -> u64 {
    peer.and_then(|peer| 1_u64.checked_shl(peer.0)).unwrap_or(0)
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
        // Whoever says that it is alive knows.
        let had = match (&says, subject) {
            (Says::Alive, Subject::Peer(peer)) => bit(Some(peer)),
            _ => 0,
        };
        self.in_turn.insert(turn, Rumour { subject, incarnation, says, had });
    }

    pub(super) fn withdraw(&mut self, subject: Subject) {
        if let Some(turn) = self.turn_of.remove(&subject) {
            self.in_turn.remove(&turn);
        }
    }

    pub(super) fn clear(&mut self) {
        self.in_turn.clear();
        self.turn_of.clear();
    }

    pub(super) fn is_spreading(&self, subject: Subject) -> bool {
        self.turn_of.contains_key(&subject)
    }

    /// Whether there is anything to tell this member. Among many there always is.
    pub(super) fn has_news_for(&self, peer: PeerId, listeners: usize) -> bool {
        listeners > FEW || self.in_turn.values().any(|rumour| rumour.had & bit(Some(peer)) == 0)
    }

    /// Has one after the other written as long as there is room; `write` says whether it fitted. Those that have then been sent often enough
    /// are done with. Returns how many were written.
    pub(super) fn fill(
        &mut self,
        packet: &mut Packet,
        audience: Audience,
        mut write: impl FnMut(&Rumour, &mut Packet) -> bool,
    ) -> u64 {
        let mut misfits = 0;
        let told = if audience.listeners <= FEW { bit(audience.peer) } else { 0 };
        for (turn, rumour) in &self.in_turn {
            if packet.room_bytes() < ROOM_LEAST_BYTES || misfits == MISFITS {
                break;
            }
            if rumour.had & told != 0 {
                continue;
            }
            if write(rumour, packet) {
                self.sent.push(*turn);
            } else {
                misfits += 1;
            }
        }
        let sent = self.sent.len() as u64;
        while let Some(turn) = self.sent.pop() {
            self.was_sent(turn, audience);
        }
        sent
    }

    fn was_sent(&mut self, turn: Turn, audience: Audience) {
        let Some(mut rumour) = self.in_turn.remove(&turn) else {
            return;
        };
        let next = (turn.0 + 1, turn.1);
        if next.0 >= audience.limit() {
            self.turn_of.remove(&rumour.subject);
        } else {
            rumour.had = audience.had_after(rumour.had);
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

    fn take(rumours: &mut Rumours, packet: &mut Packet, peer: Option<u32>, listeners: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        packet.clear();
        let audience = Audience { peer: peer.map(PeerId), listeners, least: 3 };
        rumours.fill(packet, audience, |rumour, packet| {
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
        let mut take = |rumours: &mut Rumours| take(rumours, &mut packet, Some(9), 100);
        for number in 0..3 {
            rumours.spread(Subject::Peer(PeerId(number)), number, Says::Alive);
        }
        assert_eq!(take(&mut rumours), [2, 1]);
        assert_eq!(take(&mut rumours), [0, 2]);
        // In the place of another one of the same node.
        rumours.spread(Subject::Peer(PeerId(1)), 7, Says::Alive);
        assert_eq!(take(&mut rumours), [7, 0]);
        rumours.withdraw(Subject::Peer(PeerId(0)));
        assert_eq!(take(&mut rumours), [7, 2]);
        assert!(
            rumours.is_spreading(Subject::Peer(PeerId(1))) && !rumours.is_spreading(Subject::Peer(PeerId(2)))
        );
        assert_eq!(take(&mut rumours), [7]);
        assert!(rumours.is_empty());
    }

    #[test]
    fn among_few_to_everybody_before_to_anybody_twice() {
        let mut packet = Packet::new(1_400, Ints::Unsigned);
        let mut take =
            |rumours: &mut Rumours, peer, listeners| take(rumours, &mut packet, peer, listeners).len();
        let mut rumours = Rumours::default();
        // Three times among two: to both, and to one of them again.
        rumours.spread(Subject::Me, 1, Says::Alive);
        assert_eq!([0, 0, 1, 1, 1].map(|peer| take(&mut rumours, Some(peer), 2)), [1, 0, 1, 1, 0]);
        assert!(rumours.is_empty());
        // Five times among five, of whom one says it.
        rumours.spread(Subject::Peer(PeerId(4)), 1, Says::Alive);
        assert!(!rumours.has_news_for(PeerId(4), 5) && rumours.has_news_for(PeerId(3), 5));
        assert_eq!([4, 3, 2, 2, 1, 0].map(|peer| take(&mut rumours, Some(peer), 5)), [0, 1, 1, 0, 1, 1]);
        assert_eq!([4, 4].map(|peer| take(&mut rumours, Some(peer), 5)), [1, 0]);
        assert!(rumours.is_empty());
        // Whoever is none of them, or among many, may get it twice.
        rumours.spread(Subject::Me, 1, Says::Alive);
        assert_eq!([None, None].map(|peer| take(&mut rumours, peer, 2)), [1, 1]);
        assert_eq!(take(&mut rumours, Some(70), 100), 1);
        assert!(rumours.is_empty());
    }
}
