use super::{AGAIN, Detection, ONCE, detection, ms, pauses};
use crate::simulator::network::Link;
use crate::simulator::node::Birth;
use crate::simulator::real::Swim;

use promha_gossip_core::membership::MembershipConfig;

/// Prints all figures: quickly, or from as many seeds as make them steady.
pub fn table(quick: bool) {
    let runs = |many: u64| if quick { many.div_ceil(10) } else { many };
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
