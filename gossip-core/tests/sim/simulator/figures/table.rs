use std::time::Duration;

use promha_gossip_core::dissemination::Config;
use promha_gossip_core::membership::MembershipConfig;

use super::{AGAIN, Case, ONCE, Stops, Storm, Summary, detection, ms, pauses, spread, storm};
use crate::simulator::kinds::{gossip_node, rumour_node};
use crate::simulator::network::{Latency, Link};
use crate::simulator::node::Birth;
use crate::simulator::real::{Rumour, Stored, Swim, Whole};
use crate::simulator::toy::Retransmit;

const ROUND: Duration = Duration::from_millis(200);

/// Prints all figures: quickly, or from as many seeds as make them steady.
pub fn table(quick: bool) {
    let runs = |many: u64| if quick { many.div_ceil(10) } else { many };
    spreads(&runs);
    storms();
    detections(&runs);
    for (stops, how) in [(ONCE, "once for 5 s"), (AGAIN, "ten times for 5 s, 1 ms apart")] {
        wrongs(stops, how, &runs);
    }
}

/// What is to be reached by one update, and what is known of memberlist.
struct Wanted {
    nodes: usize,
    loss: f64,
    crashed: f64,
    seeds: u64,
    must: &'static str,
    known: &'static str,
}

const fn wanted(
    nodes: usize,
    loss: f64,
    crashed: f64,
    seeds: u64,
    must: &'static str,
    known: &'static str,
) -> Wanted {
    Wanted { nodes, loss, crashed, seeds, must, known }
}

const WANTED: &[Wanted] = &[
    wanted(3, 0.0, 0.0, 400, "<= 3 sends, one latency", "measured: 9 sends, p50 127 ms, p95 197 ms"),
    wanted(7, 0.0, 0.0, 1000, "", "measured: 20.65 sends, 13 of 120 missed somebody; 9 % in theory"),
    wanted(7, 0.2, 0.0, 2000, "nobody missed within 2 s, <= 2.5 payloads a node", ""),
    wanted(10, 0.0, 0.0, 400, "<= 3.0 rounds, <= 4 payloads a node", ""),
    wanted(10, 0.2, 0.01, 400, "all within 3.0 rounds", ""),
    wanted(100, 0.0, 0.0, 100, "<= 4.9 rounds, <= 4 payloads a node", ""),
    wanted(100, 0.2, 0.01, 100, "all within 5.9 rounds", ""),
    wanted(
        1_000,
        0.0,
        0.0,
        30,
        "<= 6.1 rounds, <= 4 payloads a node",
        "theory: 8.3 rounds in step, 12 payloads, 0.5 % missed",
    ),
    wanted(1_000, 0.2, 0.01, 30, "all within 7.7 rounds", ""),
    wanted(10_000, 0.0, 0.0, 10, "<= 7.7 rounds, <= 4 payloads a node", ""),
    wanted(10_000, 0.2, 0.01, 10, "all within 10.1 rounds", ""),
];

/// One update, by ours and by memberlist's rule.
fn spreads(runs: &dyn Fn(u64) -> u64) {
    println!("One update of 100 bytes, latency 0.5 ms, rounds of 200 ms; times are mean / most.");
    println!(
        "\"rumours\" are nodes with our dissemination alone, \"whole\" have all layers and memberlist's wire."
    );
    for wanted in WANTED {
        let Wanted { nodes, loss, crashed, .. } = *wanted;
        let link = Link::clean(Latency::Fixed(Duration::from_micros(500))).lossy(loss);
        let warm = Duration::from_secs(1);
        let case = Case { nodes, link, crashed, warm, watched: Duration::from_secs(10) };
        println!(
            "\nn={nodes}, {:.0} % loss, {:.0} % crashed: {}",
            loss * 100.0,
            crashed * 100.0,
            wanted.must
        );
        let seeds = 0..runs(wanted.seeds);
        tell_spread("rumours", &spread(&case, seeds.clone(), rumour_node));
        if nodes <= 100 {
            // They have to find each other first, all over one link.
            let case = Case { warm: Duration::from_secs(20), ..case };
            tell_spread("whole", &spread(&case, 0..seeds.end.div_ceil(10), gossip_node::<Stored>));
        }
        tell_spread("memberlist's rule", &spread(&case, seeds, |birth| Retransmit::new(birth, 3, 100)));
        if !wanted.known.is_empty() {
            println!("  {:17} {}", "memberlist", wanted.known);
        }
    }
}

fn tell_spread(who: &str, found: &Summary) {
    let (mean, most) = found.rounds(ROUND);
    println!(
        "  {who:17} {} / {}, {mean:.2} / {most:.2} rounds; {:.2} % missed somebody; {:.2} payloads a node, {:.1} in all; {} updates",
        ms(found.mean),
        ms(found.last),
        found.missed * 100.0,
        found.payloads_per_node,
        found.payloads,
        found.runs,
    );
}

fn storms() {
    println!("\n3,000 updates of 200 bytes at once, n=3, 1 MB/s a link: drained in <= 1 s");
    let tell = |who: &str, found: &Storm| {
        let all = found.all.map_or_else(|| format!("{} missing after 2 min", found.missing), ms);
        println!(
            "  {who:17} {all}; {} datagrams, {} kB, {} kB over streams, {} dropped",
            found.datagrams,
            found.bytes / 1_000,
            found.stream_bytes / 1_000,
            found.lost
        );
    };
    let thin = 1_000_000;
    tell("rumours", &storm(3, 3_000, thin, 1, |birth| Rumour::new(birth, 200, Config::default())));
    tell("whole", &storm(3, 3_000, thin, 1, |birth| Whole::<Stored>::new(birth, 200, |config| config)));
    tell("memberlist's rule", &storm(3, 3_000, thin, 1, |birth| Retransmit::new(birth, 3, 200)));
    println!("  {:17} measured: 47 updates a second, 1,529 duplicate notifications", "Alertmanager");
}

fn detections(runs: &dyn Fn(u64) -> u64) {
    for (nodes, seeds, must) in [(3, 200, "<= 6 s"), (100, 40, "median <= 12 s, most <= 20 s")] {
        println!("\nA failure is known to all, n={nodes}, LAN defaults: {must}");
        for (who, change) in KINDS {
            let found = detection(nodes, Link::lan(), true, 0..runs(seeds), swim(*change));
            println!(
                "  {who:17} {} / {} (median / most of {}), {} never",
                ms(found.all.0),
                ms(found.all.1),
                found.runs,
                found.never
            );
        }
    }
}

type Change = fn(MembershipConfig) -> MembershipConfig;

const KINDS: &[(&str, Change)] = &[("promha", |lan| lan), ("plain SWIM", MembershipConfig::plain)];

fn swim(change: Change) -> impl Fn(&Birth<'_>) -> Swim + Clone + 'static {
    move |birth| Swim::new(birth, change)
}

fn wrongs(stops: Stops, how: &str, runs: &dyn Fn(u64) -> u64) {
    println!(
        "\nWho is held for suspect or dead without being down; 1 in 10 is stopped {how}: <= 1/20 of plain SWIM"
    );
    for (nodes, seeds) in [(10, 100), (30, 50), (100, 20)] {
        for (who, change) in KINDS {
            let wrong = pauses(nodes, Link::lan(), stops, 0..runs(seeds), swim(*change));
            println!(
                "  n={nodes:<4} {who:10} of those that ran {:.1} suspect, {:.1} dead; of those stopped {:.1} suspect, {:.1} dead (mean of {})",
                wrong.suspected_running,
                wrong.dead_running,
                wrong.suspected_stopped,
                wrong.dead_stopped,
                wrong.runs
            );
        }
    }
}
