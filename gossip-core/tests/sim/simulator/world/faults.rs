use super::{Action, Running, World};
use crate::simulator::checks::Watch;
use crate::simulator::node::{Birth, Node, address, instant};
use crate::simulator::streams::{Due, Reach};

impl<N: Node, W: Watch<N>> World<N, W> {
    /// Lets something happen now.
    pub fn act(&mut self, action: &Action) {
        let now = instant(self.now_ns);
        match action {
            Action::Start { node, seeds } => self.start(*node, seeds),
            Action::Cut { id, from, to } => self.network.cut(*id, from.clone(), to.clone()),
            Action::Heal { id } => self.network.heal(*id),
            Action::Weather { loss, duplicate, held, held_for } => self.network.change(|link| {
                link.loss = f64::from(*loss) / 1000.0;
                link.duplicate = f64::from(*duplicate) / 1000.0;
                link.held = f64::from(*held) / 1000.0;
                link.held_for = *held_for;
            }),
            Action::Calm => self.calm(),
            Action::Pause { node } => {
                if self.seats[*node].running == Running::Up {
                    self.becomes(*node, Running::Paused);
                }
            }
            Action::Resume { node } => self.resume(*node),
            Action::Crash { node, silent } => self.crash(*node, *silent),
            Action::Snapshot { node } => {
                if let (Running::Up, Some(running)) = (self.seats[*node].running, &self.seats[*node].node) {
                    self.seats[*node].snapshot = running.snapshot();
                }
            }
            Action::Restart { node, with_state, seeds } => {
                if matches!(self.seats[*node].running, Running::Down { .. }) {
                    self.seats[*node].life += 1;
                    if !with_state {
                        self.seats[*node].snapshot = None;
                    }
                    self.start(*node, seeds);
                }
            }
            Action::Leave { node } => {
                if self.seats[*node].running == Running::Up {
                    self.seats[*node].leaving = true;
                    self.with(*node, |node| node.leave(now));
                }
            }
            Action::Write { node, key, value } => {
                if self.seats[*node].running == Running::Up {
                    self.with(*node, |node| node.write(*key, *value, now));
                }
            }
            Action::Skew { node, skew_ms } => {
                self.seats[*node].skew_ms = *skew_ms;
                if let Some(running) = &mut self.seats[*node].node {
                    running.skew(*skew_ms);
                }
            }
            Action::Poke { node } => {
                if self.seats[*node].running == Running::Up {
                    self.with(*node, |node| node.handle_timeout(now));
                }
            }
        }
        let held = self.watch.acted(self.now_ns, action, &self.seats);
        self.note(held);
    }

    fn start(&mut self, seat: usize, seeds: &[usize]) {
        let nodes = self.seats.len();
        self.watch.starts(self.now_ns, seat);
        let snapshot = self.seats[seat].snapshot.take();
        let birth = Birth {
            number: seat,
            nodes,
            life: self.seats[seat].life,
            seed: self.rng.u64(..),
            now: instant(self.now_ns),
            skew_ms: self.seats[seat].skew_ms,
            snapshot: snapshot.as_deref(),
        };
        let node = (self.make)(&birth);
        self.seats[seat].node = Some(node);
        self.seats[seat].snapshot = snapshot;
        self.seats[seat].leaving = false;
        self.seats[seat].wake_ns = u64::MAX;
        self.becomes(seat, Running::Up);
        let seeds: Vec<_> = seeds.iter().map(|&seed| address(seed)).collect();
        let now = instant(self.now_ns);
        self.with(seat, |node| {
            if !seeds.is_empty() {
                node.join(&seeds, now);
            }
        });
    }

    fn calm(&mut self) {
        self.network.heal_all();
        self.network.change(|link| {
            (link.loss, link.duplicate, link.held) = (0.0, 0.0, 0.0);
        });
        for seat in 0..self.seats.len() {
            self.resume(seat);
        }
    }

    /// A process that was stopped finds everything at once: its timers, all late, and what its sockets kept. Chance says which first.
    fn resume(&mut self, seat: usize) {
        if self.seats[seat].running != Running::Paused {
            return;
        }
        self.becomes(seat, Running::Up);
        // The wake-up for which it was stopped came and went.
        self.seats[seat].wake_ns = u64::MAX;
        let timers_first = self.rng.bool();
        if timers_first {
            self.wake_late(seat);
        }
        while let Some(place) = self.seats[seat].socket.pop_front() {
            self.arrive(place);
        }
        self.seats[seat].socket_bytes = 0;
        self.unpark(seat);
        if !timers_first {
            self.wake_late(seat);
        }
        self.schedule(seat);
    }

    /// Timers may set others that are late as well.
    fn wake_late(&mut self, seat: usize) {
        let now = instant(self.now_ns);
        for _ in 0..10 {
            let due = self.seats[seat].node.as_ref().and_then(Node::poll_timeout);
            if due.is_none_or(|due| due > now) {
                return;
            }
            self.with(seat, |node| node.handle_timeout(now));
        }
    }

    fn crash(&mut self, seat: usize, silent: bool) {
        if !matches!(self.seats[seat].running, Running::Up | Running::Paused) {
            return;
        }
        self.becomes(seat, Running::Down { silent });
        self.seats[seat].node = None;
        self.seats[seat].wake_ns = u64::MAX;
        self.seats[seat].socket_bytes = 0;
        while let Some(place) = self.seats[seat].socket.pop_front() {
            self.recycle(place);
        }
        let reach = self.reach(seat);
        let mut dues = Vec::new();
        self.streams.crash(seat, reach, self.now_ns, |due| dues.push(due));
        dues.into_iter().for_each(|due| self.put_due(due));
        self.unpark(seat);
    }

    fn becomes(&mut self, seat: usize, running: Running) {
        self.seats[seat].running = running;
        self.seats[seat].since_ns = self.now_ns;
    }

    pub(super) fn reach(&self, seat: usize) -> Reach {
        match self.seats[seat].running {
            Running::Up | Running::Paused => Reach::Up,
            Running::Unborn | Running::Down { silent: false } => Reach::Refused,
            Running::Down { silent: true } => Reach::Silent,
        }
    }

    /// What was kept for a process is due now.
    fn unpark(&mut self, seat: usize) {
        while let Some(due) = self.seats[seat].inbox.pop_front() {
            self.put_due(Due { at_ns: self.now_ns, ..due });
        }
    }
}
