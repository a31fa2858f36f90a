use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Duration;

use crate::Instant;

/// What is remembered of the dead and of those who left, also after they are forgotten: the incarnation, so that no stale message brings
/// them back, and of the dead the address, to try them again. Besides, the addresses to join that were never reached.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    graves: BTreeMap<u64, Grave>,
    ageing: VecDeque<(Instant, u64)>,
    unreached: VecDeque<(SocketAddr, Instant)>,
    /// How many graves have an address.
    addressed: usize,
    cursor: u64,
    keep: Duration,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Grave {
    incarnation: u32,
    since: Instant,
    addr: Option<SocketAddr>,
}

impl Lost {
    pub(super) fn new(keep: Duration, limit: usize) -> Self {
        Self {
            graves: BTreeMap::new(),
            ageing: VecDeque::new(),
            unreached: VecDeque::new(),
            addressed: 0,
            cursor: 0,
            keep,
            limit,
        }
    }

    /// Remembers a death. The highest incarnation counts, and the time and address of the last death.
    pub(super) fn bury(&mut self, name_hash: u64, incarnation: u32, addr: Option<SocketAddr>, now: Instant) {
        self.expire(now);
        let before = self.dig(name_hash);
        if before.is_none() && self.graves.len() >= self.limit {
            self.drop_oldest();
        }
        let incarnation = before.map_or(incarnation, |before| before.incarnation.max(incarnation));
        self.addressed += usize::from(addr.is_some());
        self.graves.insert(name_hash, Grave { incarnation, since: now, addr });
        if before.is_none_or(|before| before.since != now) {
            self.ageing.push_back((now, name_hash));
        }
        if self.ageing.len() > 2 * self.limit {
            let graves = &self.graves;
            self.ageing.retain(|(since, hash)| graves.get(hash).is_some_and(|grave| grave.since == *since));
        }
    }

    /// Remembers a higher incarnation of one that is remembered.
    pub(super) fn raise(&mut self, name_hash: u64, incarnation: u32) {
        if let Some(grave) = self.graves.get_mut(&name_hash) {
            grave.incarnation = grave.incarnation.max(incarnation);
        }
    }

    /// Forgets one that lives.
    pub(super) fn forget(&mut self, name_hash: u64) {
        self.dig(name_hash);
    }

    /// The incarnation that is known to have ended.
    pub(super) fn incarnation(&self, name_hash: u64, now: Instant) -> Option<u32> {
        let grave = self.graves.get(&name_hash)?;
        (now - grave.since < self.keep).then_some(grave.incarnation)
    }

    /// Remembers an address that is to be joined.
    pub(super) fn seek(&mut self, addr: SocketAddr, now: Instant) {
        if self.unreached.len() < self.limit && !self.unreached.iter().any(|(sought, _)| *sought == addr) {
            self.unreached.push_back((addr, now));
        }
    }

    /// Somebody answers at this address: if one of the lost was there, it is not any more, or will be heard of.
    pub(super) fn reached(&mut self, addr: SocketAddr) {
        self.unreached.retain(|(sought, _)| *sought != addr);
        for grave in self.graves.values_mut().filter(|grave| grave.addr == Some(addr)) {
            grave.addr = None;
            self.addressed -= 1;
        }
    }

    /// Whether this address is tried again anyway.
    pub(super) fn seeks(&self, addr: SocketAddr) -> bool {
        self.unreached.iter().any(|(sought, _)| *sought == addr)
            || self.graves.values().any(|grave| grave.addr == Some(addr))
    }

    /// Whether there is an address to try.
    pub(super) fn is_seeking(&self) -> bool {
        self.addressed > 0 || !self.unreached.is_empty()
    }

    /// The next address to try that was never reached, and the next one of those who died.
    pub(super) fn next_addresses(&mut self, now: Instant) -> [Option<SocketAddr>; 2] {
        self.expire(now);
        let unreached = self.unreached.pop_front();
        self.unreached.extend(unreached);
        [unreached.map(|(addr, _)| addr), self.next_grave()]
    }

    fn next_grave(&mut self) -> Option<SocketAddr> {
        let behind = (Bound::Excluded(self.cursor), Bound::Unbounded);
        let (hash, addr) = self
            .graves
            .range(behind)
            .chain(self.graves.range(..=self.cursor))
            .find_map(|(hash, grave)| Some((*hash, grave.addr?)))?;
        self.cursor = hash;
        Some(addr)
    }

    fn expire(&mut self, now: Instant) {
        while self.ageing.front().is_some_and(|(since, _)| now - *since >= self.keep) {
            self.drop_oldest();
        }
        self.unreached.retain(|(_, since)| now - *since < self.keep);
    }

    fn drop_oldest(&mut self) {
        while let Some((since, hash)) = self.ageing.pop_front() {
            if self.graves.get(&hash).is_some_and(|grave| grave.since == since) {
                self.dig(hash);
                return;
            }
        }
    }

    fn dig(&mut self, name_hash: u64) -> Option<Grave> {
        let grave = self.graves.remove(&name_hash)?;
        self.addressed -= usize::from(grave.addr.is_some());
        Some(grave)
    }
}

#[cfg(test)]
impl Lost {
    /// Panics if the parts contradict each other.
    pub(super) fn check(&self) {
        assert!(self.graves.len() <= self.limit && self.ageing.len() <= 2 * self.limit);
        assert_eq!(self.addressed, self.graves.values().filter(|grave| grave.addr.is_some()).count());
        for (hash, grave) in &self.graves {
            assert!(self.ageing.contains(&(grave.since, *hash)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn addr(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn remembered_for_a_time() {
        let mut lost = Lost::new(10 * SECOND, 8);
        lost.bury(1, 5, None, Instant::ORIGIN);
        let later = Instant::ORIGIN + 9 * SECOND;
        assert_eq!(lost.incarnation(1, later), Some(5));
        assert_eq!(lost.incarnation(1, later + SECOND), None);
        // A lower one does not take its place, a later death counts from then on.
        lost.bury(1, 3, None, later);
        assert_eq!(lost.incarnation(1, later + 9 * SECOND), Some(5));
        lost.raise(1, 9);
        assert_eq!(lost.incarnation(1, later), Some(9));
        lost.forget(1);
        assert_eq!(lost.incarnation(1, later), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut lost = Lost::new(10 * SECOND, 3);
        for hash in 0..100 {
            lost.bury(hash % 5, 1, Some(addr(1)), Instant::ORIGIN + SECOND * (hash as u32) / 50);
            lost.check();
        }
        let now = Instant::ORIGIN + 2 * SECOND;
        let kept: Vec<u64> = (0..5).filter(|hash| lost.incarnation(*hash, now).is_some()).collect();
        assert_eq!(kept, [2, 3, 4]);
    }

    #[test]
    fn tried_in_turn_until_reached() {
        let mut lost = Lost::new(10 * SECOND, 8);
        assert!(!lost.is_seeking());
        for hash in 1..4 {
            lost.bury(hash, 1, Some(addr(hash as u16)), Instant::ORIGIN);
        }
        lost.bury(4, 1, None, Instant::ORIGIN);
        lost.seek(addr(9), Instant::ORIGIN);
        lost.seek(addr(9), Instant::ORIGIN);
        let tried: Vec<_> = (0..4).map(|_| lost.next_addresses(Instant::ORIGIN)).collect();
        let pair = |port: u16| [Some(addr(9)), Some(addr(port))];
        assert_eq!(tried, [pair(1), pair(2), pair(3), pair(1)]);
        lost.reached(addr(2));
        lost.reached(addr(9));
        assert_eq!(lost.next_addresses(Instant::ORIGIN), [None, Some(addr(3))]);
        assert!(lost.is_seeking());
        assert_eq!(lost.next_addresses(Instant::ORIGIN + 10 * SECOND), [None, None]);
        assert!(!lost.is_seeking());
    }
}
