use std::time::Duration;

use super::{AGAIN, Case, Detection, ONCE, Summary, detection, ms, pauses, spread, storm};
use crate::simulator::kinds::rumour_node;
use crate::simulator::network::{Latency, Link};
use crate::simulator::node::Birth;
use crate::simulator::real::{Rumour, Swim};
use crate::simulator::toy::Retransmit;

use promha_gossip_core::dissemination::Config;
use promha_gossip_core::membership::MembershipConfig;

/// Prints all figures: quickly, or from as many seeds as make them steady.
pub fn table(quick: bool) {
    let runs = |many: u64| if quick { many.div_ceil(10) } else { many };
    spreads(&runs);
    storms();
    println!("failure detected by all, LAN defaults");
    for (nodes, seeds) in [(3, 200), (100, 40)] {
        for silent in [false, true] {
            let found = detection(nodes, Link::lan(), silent, 0..runs(seeds), |birth| swim(birth, |lan| lan));
            tell_detection(nodes, silent, "promha", &found);
            let found = detection(nodes, Link::lan(), silent, 0..runs(seeds), |birth| {
                swim(birth, MembershipConfig::plain)
            });
            tell_detection(nodes, silent, "plain SWIM", &found);
        }
    }
    for (stops, how) in [(ONCE, "stopped once for 5 s"), (AGAIN, "stopped 10 times for 5 s, 1 ms apart")] {
        println!("members held for suspect or dead that are not down, with 1 in 10 {how}");
        for (nodes, seeds) in [(10, 100), (30, 50), (100, 20)] {
            for (who, change) in [
                ("promha", (|lan| lan) as fn(MembershipConfig) -> _),
                ("plain SWIM", MembershipConfig::plain),
            ] {
                let wrong =
                    pauses(nodes, Link::lan(), stops, 0..runs(seeds), move |birth| swim(birth, change));
                println!(
                    "n={nodes}: {who}: running ones suspect {:.1}, dead {:.1}; stopped ones suspect {:.1}, dead {:.1} (mean of {} runs)",
                    wrong.suspected_running,
                    wrong.dead_running,
                    wrong.suspected_stopped,
                    wrong.dead_stopped,
                    wrong.runs
                );
            }
        }
    }
}

/// One update, by ours and by memberlist's rule.
fn spreads(runs: &dyn Fn(u64) -> u64) {
    let clean = Link::clean(Latency::Fixed(Duration::from_micros(500)));
    println!("one update; latency 0.5 ms; rounds are of 200 ms; mean / most");
    println!(
        "  nodes  loss  crashed  who         reached all after   in rounds     missed  payloads/node  payloads  datagrams  bytes/node"
    );
    for (nodes, loss, crashed, seeds) in [
        (3, 0.0, 0.0, 400),
        (7, 0.0, 0.0, 400),
        (7, 0.2, 0.0, 2000),
        (10, 0.0, 0.0, 400),
        (10, 0.2, 0.01, 400),
        (100, 0.0, 0.0, 100),
        (100, 0.2, 0.01, 100),
        (1_000, 0.0, 0.0, 30),
        (1_000, 0.2, 0.01, 30),
        (10_000, 0.0, 0.0, 10),
        (10_000, 0.2, 0.01, 10),
    ] {
        let case = Case {
            nodes,
            link: clean.lossy(loss),
            crashed,
            warm: Duration::from_secs(1),
            watched: Duration::from_secs(10),
        };
        let seeds = 0..runs(seeds);
        tell_spread(loss, crashed, "promha", &spread(&case, seeds.clone(), rumour_node));
        tell_spread(loss, crashed, "memberlist", &spread(&case, seeds, |birth| Retransmit::new(birth, 3)));
    }
}

fn tell_spread(loss: f64, crashed: f64, who: &str, found: &Summary) {
    let (mean, most) = found.rounds(Duration::from_millis(200));
    println!(
        "{:7} {:5} {:8} {who:11} {:>9} / {:>9} {mean:5.2} / {most:5.2} {:8.2} % {:13.2} {:9.1} {:10.1} {:11.0}",
        found.nodes,
        format!("{:.0} %", loss * 100.0),
        format!("{:.0} %", crashed * 100.0),
        ms(found.mean),
        ms(found.last),
        found.missed * 100.0,
        found.payloads_per_node,
        found.payloads,
        found.datagrams,
        found.bytes_per_node,
    );
}

/// Many updates at once.
fn storms() {
    println!("3,000 updates of 200 bytes at once, n=3, 1 MB/s a link");
    println!(
        "promha: {:?}",
        storm(3, 3_000, 1_000_000, 1, |birth| Rumour::new(birth, 200, Config::default()))
    );
    println!(
        "memberlist (200 bytes are taken for 24): {:?}",
        storm(3, 3_000, 1_000_000, 1, |birth| Retransmit::new(birth, 3))
    );
}

fn swim(birth: &Birth<'_>, change: fn(MembershipConfig) -> MembershipConfig) -> Swim {
    Swim::new(birth, change)
}

fn tell_detection(nodes: usize, silent: bool, who: &str, found: &Detection) {
    let how = if silent { "host gone" } else { "process killed" };
    println!(
        "n={nodes}, {how}: {who}: first {} / {}, all {} / {} (median / most of {} runs, {} never)",
        ms(found.first.0),
        ms(found.first.1),
        ms(found.all.0),
        ms(found.all.1),
        found.runs,
        found.never,
    );
}
