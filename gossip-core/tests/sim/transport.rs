//! How datagrams and streams travel, as a node sees it that only writes down what happens to it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use promha_gossip_core::Instant;

use crate::simulator::network::{Latency, Link, Network, Set};
use crate::simulator::node::{Birth, Node, StreamId, StreamInput, Transmit, address, instant, number};
use crate::simulator::toy::Bounce;
use crate::simulator::world::{Action, World};

/// What happened, when, and the first bytes of it.
type Line = (u64, String);

#[derive(Debug, Default)]
struct Scribe {
    lines: Vec<Line>,
    out: VecDeque<(Transmit, Vec<u8>)>,
    accepted: u64,
    wakes: Option<Instant>,
}

impl Scribe {
    fn note(&mut self, now: Instant, line: impl Into<String>) {
        self.lines.push((now.as_millis(), line.into()));
    }
}

impl Node for Scribe {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant) {
        self.note(now, format!("{} of {}", data.len(), number(from).unwrap()));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.wakes = None;
        self.note(now, "timeout");
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        let (transmit, data) = self.out.pop_front()?;
        into.extend_from_slice(&data);
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wakes
    }

    fn accept(&mut self, from: SocketAddr, now: Instant) -> StreamId {
        self.accepted += 100;
        self.note(now, format!("accept {}", number(from).unwrap()));
        StreamId(self.accepted)
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, now: Instant) {
        let line = match input {
            StreamInput::Data(data) => format!("{}: {} bytes, first {}", stream.0, data.len(), data[0]),
            other => format!("{}: {other:?}", stream.0),
        };
        self.note(now, line);
    }
}

fn world(nodes: usize, link: Link) -> World<Scribe, ()> {
    let network = Network::new(nodes, link, 1);
    let mut world = World::new(nodes, network, 1, (), Box::new(|_| Scribe::default()));
    for node in 0..nodes {
        world.act(&Action::Start { node, seeds: Vec::new() });
    }
    world
}

fn fixed() -> Link {
    Link::clean(Latency::Fixed(Duration::from_millis(10)))
}

/// Has node 0 do this, now.
fn does(world: &mut World<Scribe, ()>, node: usize, transmit: Transmit, data: &[u8]) {
    world.seats[node].node.as_mut().unwrap().out.push_back((transmit, data.to_vec()));
    world.act(&Action::Poke { node });
}

fn run(world: &mut World<Scribe, ()>, ms: u64) {
    world.run_until(Duration::from_millis(ms));
}

/// What a node wrote down, without the pokes.
fn lines(world: &mut World<Scribe, ()>, node: usize) -> Vec<Line> {
    let mut lines = std::mem::take(&mut world.seats[node].node.as_mut().unwrap().lines);
    lines.retain(|line| line.1 != "timeout");
    lines
}

fn texts(lines: &[Line]) -> Vec<(u64, &str)> {
    lines.iter().map(|(at, text)| (*at, text.as_str())).collect()
}

const TO_ONE: Transmit = Transmit::Stream { stream: StreamId(7), close: false };

fn connect(world: &mut World<Scribe, ()>) {
    does(world, 0, Transmit::Connect { stream: StreamId(7), to: address(1) }, &[]);
}

#[test]
fn a_stream_takes_its_time_and_keeps_its_order() {
    let mut world = world(2, Link { loss: 0.3, ..fixed() });
    connect(&mut world);
    run(&mut world, 5_000);
    for part in 0..50 {
        does(&mut world, 0, TO_ONE, &[part; 10]);
    }
    does(&mut world, 0, Transmit::Stream { stream: StreamId(7), close: true }, &[50; 40_000]);
    run(&mut world, 60_000);
    assert_eq!(lines(&mut world, 0).len(), 1);
    let lines = lines(&mut world, 1);
    let firsts = lines.iter().filter_map(|line| line.1.rsplit_once("first ")?.1.parse().ok());
    assert_eq!(firsts.collect::<Vec<u8>>(), (0..50).chain([50; 3]).collect::<Vec<u8>>());
    assert_eq!(lines.last().unwrap().1, "100: Closed");
    assert_eq!(world.streams.len(), 0);
}

#[test]
fn a_stream_without_faults_in_full() {
    let mut world = world(2, fixed());
    connect(&mut world);
    run(&mut world, 100);
    does(&mut world, 0, TO_ONE, &[1, 2, 3]);
    run(&mut world, 200);
    does(&mut world, 1, Transmit::Stream { stream: StreamId(100), close: true }, &[4]);
    run(&mut world, 300);
    assert_eq!(
        texts(&lines(&mut world, 0)),
        [(20, "7: Connected"), (210, "7: 1 bytes, first 4"), (210, "7: Closed"),]
    );
    assert_eq!(texts(&lines(&mut world, 1)), [(10, "accept 0"), (110, "100: 3 bytes, first 1")]);
    assert_eq!(world.streams.len(), 0);
    // What is written on a stream that is no more goes nowhere.
    does(&mut world, 0, TO_ONE, &[1]);
    run(&mut world, 1_000);
    assert_eq!(texts(&lines(&mut world, 1)), []);
}

#[test]
fn nobody_connects_to_who_is_not_there() {
    for (silent, failed_ms) in [(false, 10), (true, 10 + 200 + 400 + 800 + 1_600 + 3_200)] {
        let mut world = world(2, fixed());
        world.act(&Action::Crash { node: 1, silent });
        connect(&mut world);
        run(&mut world, 60_000);
        assert_eq!(texts(&lines(&mut world, 0)), [(failed_ms, "7: Failed")]);
        assert_eq!(world.streams.len(), 0);
    }
}

#[test]
fn a_cut_holds_a_stream_up_and_a_long_one_breaks_it() {
    for (long, expected) in [(false, "100: 1 bytes, first 9"), (true, "100: Failed")] {
        let mut world = world(2, fixed());
        connect(&mut world);
        run(&mut world, 100);
        lines(&mut world, 1);
        // One way is enough: what confirms a segment does not come through.
        world.act(&Action::Cut { id: 1, from: Set::of([1]), to: Set::of([0]) });
        does(&mut world, 0, TO_ONE, &[9]);
        run(&mut world, if long { 20_000 } else { 1_000 });
        world.act(&Action::Heal { id: 1 });
        run(&mut world, 40_000);
        let lines_1 = lines(&mut world, 1);
        assert_eq!(lines_1.iter().map(|line| line.1.as_str()).collect::<Vec<_>>(), [expected]);
        let failed = lines(&mut world, 0).iter().any(|line| line.1 == "7: Failed");
        assert_eq!(failed, long);
        assert_eq!(world.streams.len(), usize::from(!long));
    }
}

#[test]
fn a_crash_breaks_the_streams_of_a_node() {
    let mut world = world(2, fixed());
    connect(&mut world);
    run(&mut world, 100);
    world.act(&Action::Crash { node: 1, silent: false });
    world.act(&Action::Restart { node: 1, with_state: false, seeds: Vec::new() });
    run(&mut world, 60_000);
    assert_eq!(texts(&lines(&mut world, 0)), [(20, "7: Connected"), (100, "7: Failed")]);
    assert_eq!((texts(&lines(&mut world, 1)), world.streams.len()), (vec![], 0));
}

#[test]
fn a_stopped_process_finds_everything_at_once() {
    let late = |_: &Birth<'_>| Scribe { wakes: Some(instant(50_000_000)), ..Scribe::default() };
    let mut world = World::new(2, Network::new(2, fixed(), 1), 1, (), Box::new(late));
    for node in 0..2 {
        world.act(&Action::Start { node, seeds: Vec::new() });
    }
    world.act(&Action::Pause { node: 1 });
    connect(&mut world);
    // 212,992 bytes are kept, which is 152 of 1,400.
    for _ in 0..200 {
        does(&mut world, 0, Transmit::Datagram { to: address(1) }, &[0; 1400]);
    }
    run(&mut world, 4_000);
    assert_eq!(lines(&mut world, 1), []);
    world.act(&Action::Resume { node: 1 });
    run(&mut world, 5_000);
    let lines = std::mem::take(&mut world.seats[1].node.as_mut().unwrap().lines);
    assert!(lines.iter().all(|line| line.0 == 4_000), "{lines:?}");
    let count = |text: &str| lines.iter().filter(|line| line.1 == text).count();
    assert_eq!((count("1400 of 0"), count("accept 0"), count("timeout")), (152, 1, 1));
    assert_eq!(world.counts.overrun, 48);
}

#[test]
fn a_cut_is_one_way_until_it_is_healed() {
    let mut world = world(3, fixed());
    world.act(&Action::Cut { id: 1, from: Set::of([0]), to: Set::of([1, 2]) });
    let both = |world: &mut World<Scribe, ()>| {
        does(world, 0, Transmit::Datagram { to: address(1) }, &[0; 3]);
        does(world, 1, Transmit::Datagram { to: address(0) }, &[0; 4]);
        let later = world.now() + Duration::from_millis(100);
        world.run_until(later);
        (lines(world, 0).len(), lines(world, 1).len())
    };
    assert_eq!(both(&mut world), (1, 0));
    world.act(&Action::Cut { id: 2, from: Set::of([1]), to: Set::of([0]) });
    assert_eq!(both(&mut world), (0, 0));
    world.act(&Action::Heal { id: 1 });
    assert_eq!(both(&mut world), (0, 1));
    world.act(&Action::Calm);
    assert_eq!(both(&mut world), (1, 1));
}

#[test]
fn a_thin_line_makes_datagrams_wait_and_drops_what_is_too_much() {
    let mut world = world(3, Link { bytes_per_s: Some(100_000), ..fixed() });
    for _ in 0..300 {
        does(&mut world, 0, Transmit::Datagram { to: address(1) }, &[0; 1000]);
    }
    does(&mut world, 0, Transmit::Datagram { to: address(2) }, &[0; 1000]);
    run(&mut world, 60_000);
    // A hundredth of a second each; the line of another pair is free.
    assert_eq!(texts(&lines(&mut world, 2)), [(20, "1000 of 0")]);
    let lines = lines(&mut world, 1);
    assert_eq!((lines[0].0, lines[1].0, lines.last().unwrap().0), (20, 30, 10 * lines.len() as u64 + 10));
    // Two seconds of it may wait.
    assert_eq!((lines.len(), world.counts.lost), (201, 99));
}

#[test]
fn what_is_too_long_is_not_sent() {
    let mut world = world(2, fixed());
    does(&mut world, 0, Transmit::Datagram { to: address(1) }, &[0; 1401]);
    does(&mut world, 0, Transmit::Datagram { to: address(9) }, &[0; 1]);
    run(&mut world, 100);
    assert_eq!((world.counts.too_long, world.counts.unheard, lines(&mut world, 1).len()), (1, 1, 0));
}

#[test]
fn sites_have_links_of_their_own() {
    let near = fixed();
    let far =
        Link::clean(Latency::Uniform { least: Duration::from_millis(100), most: Duration::from_millis(200) });
    let gone = far.lossy(1.0);
    // From the first site to the second it is far, and nothing comes back.
    let network = Network::with_sites(vec![0, 0, 1], &[near, far, gone, near], 1);
    let mut world = World::new(3, network, 1, (), Box::new(|_| Scribe::default()));
    for node in 0..3 {
        world.act(&Action::Start { node, seeds: Vec::new() });
    }
    for (from, to) in [(0, 1), (0, 2), (2, 0)] {
        does(&mut world, from, Transmit::Datagram { to: address(to) }, &[0]);
    }
    run(&mut world, 1_000);
    assert_eq!(texts(&lines(&mut world, 1)), [(10, "1 of 0")]);
    let there = lines(&mut world, 2);
    assert!((100..=200).contains(&there[0].0) && there.len() == 1);
    assert_eq!(lines(&mut world, 0), []);
}

#[test]
fn most_of_a_log_normal_latency_is_near_the_median() {
    let median = Duration::from_millis(50);
    let mut network = Network::new(2, Link::clean(Latency::LogNormal { median, sigma: 0.5 }), 1);
    let mut times: Vec<u64> = (0..20_000)
        .map(|_| match network.carry(0, 1, 100, 0) {
            crate::simulator::network::Fate::Once(at_ns) => at_ns / 1_000,
            other => panic!("{other:?}"),
        })
        .collect();
    times.sort_unstable();
    let near = |part: f64, us: f64| {
        let found = times[(times.len() as f64 * part) as usize] as f64;
        assert!((found / us - 1.0).abs() < 0.05, "{part}: {found}, not {us}");
    };
    // One and two deviations.
    near(0.5, 50_000.0);
    near(0.8413, 50_000.0 * 0.5f64.exp());
    near(0.1587, 50_000.0 * (-0.5f64).exp());
    near(0.9772, 50_000.0 * 1f64.exp());
}

#[test]
fn a_message_costs_no_memory_once_all_is_warm() {
    let link =
        Link::clean(Latency::Uniform { least: Duration::from_millis(1), most: Duration::from_millis(2) });
    let network = Network::new(50, link, 1);
    let mut world = World::new(50, network, 1, (), Box::new(|birth| Bounce::new(birth, 100)));
    for node in 0..50 {
        world.act(&Action::Start { node, seeds: Vec::new() });
    }
    world.run_until(Duration::from_millis(1_000));
    let warm = world.counts.delivered;
    let used = allocation_counter::measure(|| {
        world.run_until(Duration::from_millis(1_400));
    });
    let delivered = world.counts.delivered - warm;
    assert!(delivered > 100_000);
    // A slot of the wheel may still come to hold more than ever before, and the trail grows.
    assert!(used.count_total < delivered / 200, "{} for {delivered} messages", used.count_total);
}
