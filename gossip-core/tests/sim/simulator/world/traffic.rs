use std::net::SocketAddr;

use xxhash_rust::xxh64::xxh64;

use super::{Event, Running, World, failure};
use crate::simulator::checks::Watch;
use crate::simulator::node::{Node, StreamInput, address, instant};
use crate::simulator::streams::{Arrival, Due, Heard};

impl<N: Node, W: Watch<N>> World<N, W> {
    pub(super) fn put_due(&mut self, due: Due) {
        let place = match self.unused_dues.pop() {
            Some(place) => {
                self.dues[place as usize] = due;
                place
            }
            None => {
                self.dues.push(due);
                self.dues.len() as u32 - 1
            }
        };
        self.wheel.put(due.at_ns.max(self.now_ns), Event::Stream(place));
    }

    pub(super) fn stream_due(&mut self, place: u32) {
        let due = Due { at_ns: self.now_ns, ..self.dues[place as usize] };
        self.unused_dues.push(place);
        let Some((from, to)) = self.streams.ends(due) else { return };
        if self.seats[to].running == Running::Paused {
            // The host keeps it for the process.
            self.seats[to].inbox.push_back(due);
            return;
        }
        let cut = !self.network.reaches(from, to) || !self.network.reaches(to, from);
        let (arrival, next) = self.streams.arrive(due, self.reach(to), cut);
        next.into_iter().for_each(|due| self.put_due(due));
        match arrival {
            Some(Heard::There(arrival)) => self.hear(to, from, due, arrival),
            Some(Heard::Back(arrival)) => self.hear(from, to, due, arrival),
            None => {}
        }
    }

    fn hear(&mut self, seat: usize, with: usize, due: Due, arrival: Arrival) {
        let now = instant(self.now_ns);
        let Some(node) = &mut self.seats[seat].node else { return };
        let mut tag = 0u64;
        let mut spent = None;
        match arrival {
            Arrival::Open { from } => {
                let name = node.accept(caller(from, due), now);
                let next = self.streams.accepted(due.end, name, self.now_ns, &mut self.network);
                next.into_iter().for_each(|due| self.put_due(due));
            }
            Arrival::Connected(name) => {
                tag = 1;
                node.handle_stream(name, StreamInput::Connected, now);
            }
            Arrival::Data(name, bytes) => {
                let held = self.watch.streamed(self.now_ns, with, seat);
                self.failure = self.failure.take().or(failure(self.now_ns, held));
                tag = xxh64(&bytes, 2);
                node.handle_stream(name, StreamInput::Data(&bytes), now);
                spent = Some(bytes);
            }
            Arrival::Closed(name) => {
                tag = 3;
                node.handle_stream(name, StreamInput::Closed, now);
            }
            Arrival::Failed(name) => {
                tag = 4;
                node.handle_stream(name, StreamInput::Failed, now);
            }
        }
        self.trace = xxh64(&tag.to_le_bytes(), self.trace ^ self.now_ns.rotate_left(20) ^ seat as u64);
        spent.into_iter().for_each(|bytes| self.streams.recycle(bytes));
        self.drain(seat);
    }
}

/// Where somebody calls from: at its address, and not from the port that it listens at.
fn caller(from: usize, due: Due) -> SocketAddr {
    SocketAddr::new(address(from).ip(), 32_768 + (due.turn % 16_384) as u16)
}
