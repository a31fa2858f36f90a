//! Prints how evenly a table spreads keys over nodes: `cargo run -p promha-shard-ring --example report -- 20`. With a path after the number
//! it also draws the picture there.

use std::error::Error;

use promha_shard_ring::report::even_keys;
use promha_shard_ring::{Node, Report, Ring, RingError, Table};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let report = report(args.next().map_or(Ok(20), |n| n.parse())?)?;
    println!("{report}");
    if let Some(path) = args.next() {
        std::fs::write(path, report.to_svg())?;
    }
    Ok(())
}

pub(crate) fn report(nodes: u32) -> Result<Report, RingError> {
    // Three zones, and in each every other node twice as large.
    let node = |i: u32| {
        let id = format!("collector-{i:02}.example.org:9090");
        Node::new(id).with_zone(format!("eu-{}", i % 3 + 1)).with_weight(1 + i / 3 % 2)
    };
    // 2^18 slots are as even, of a hundred nodes, as 200,000 keys can show.
    let table = |members: &_| Table::with_slots(members, 1 << 18, 1);
    let ring = Ring::with((0..nodes).map(node), table)?;
    Ok(Report::of_ring(&ring, table, even_keys(200_000)))
}
