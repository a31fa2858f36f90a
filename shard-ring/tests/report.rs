//! The report: its numbers are those of the rings, its table is aligned, its picture is well-formed whatever the names are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;
#[allow(dead_code, reason = "its main is for the example alone")]
#[path = "../examples/report.rs"]
mod example;

use common::{STRATEGIES, UNORDERED, nodes, ring};
use promha_shard_ring::report::{Addition, Change, Row, even_keys};
use promha_shard_ring::{Jump, Members, Moves, Node, Placement, Rendezvous, Report, Ring, RingError};
use proptest::prelude::*;
use roxmltree::Document;

fn small() -> Ring {
    let nodes =
        [("db-1:9090", "eu-1", 1), ("db-2:9090", "eu-2", 2), ("db-3:9090", "", 0), ("ö:9", "eu-1", 1)];
    Ring::new(nodes.map(|(id, zone, weight)| Node::new(id).with_zone(zone).with_weight(weight))).unwrap()
}

#[test]
fn the_table_is_aligned() {
    let report = Report::of_ring(&small(), Rendezvous::new, even_keys(10_000));
    assert_eq!(report.to_string(), GOLDEN, "{report}");
}

const GOLDEN: &str = "\
Ring by rendezvous, 4 nodes
10000 keys on 4 nodes in 3 zones, weight 4
max/mean by weight 1.005: most +0.5 % (db-2:9090), least -0.6 % (db-1:9090)

node       zone  weight  load    share     fair  off fair  if removed, moves  of ideal
db-1:9090  eu-1       1  2485  24.85 %  25.00 %    -0.6 %               2485     1.00x
db-2:9090  eu-2       2  5024  50.24 %  50.00 %    +0.5 %               5024     1.00x
db-3:9090  -          0     0   0.00 %   0.00 %         -                  0         -
ö:9        eu-1       1  2491  24.91 %  25.00 %    -0.4 %               2491     1.00x

one more node of weight 1: 1986 keys move, ideal 2000 (0.99x)
needless moves: 0";

/// What the report says is what a look at the rings says.
fn agrees<P: Placement>(
    ring: &Ring<P>,
    place: impl Fn(&Members) -> Result<P, RingError>,
    keys: &[(u64, u64)],
) {
    let report = Report::of_ring(ring, &place, keys.iter().copied());
    let all: u128 = keys.iter().map(|&(_, cost)| u128::from(cost)).sum();
    assert_eq!(report.total(), all);
    assert_eq!(report.rows().len(), ring.nodes().len());
    let mut needless = 0;
    for (row, node) in report.rows().iter().zip(ring.nodes()) {
        assert_eq!((row.id(), row.zone(), row.weight()), (node.id(), node.zone(), node.weight()));
        let own = keys.iter().filter(|&&(key, _)| ring.owns(node.id(), key));
        assert_eq!(row.load(), own.map(|&(_, cost)| u128::from(cost)).sum());
        let share = f64::from(node.weight()) / ring.members().total_weight() as f64;
        assert!((report.fair(row) - all as f64 * share).abs() < 1e-6);
        assert!((report.share(row) * all as f64 - row.load() as f64).abs() < 1e-6);

        let rest = ring.nodes().iter().filter(|other| other.id() != node.id()).cloned();
        let removal = row.removal().unwrap();
        let moves = Moves::of_keys(ring, &Ring::with(rest, &place).unwrap(), keys.iter().copied());
        let idle = moves.flows().iter().filter(|flow| flow.needless).map(|flow| flow.cost).sum::<u128>();
        assert_eq!((removal.moved, removal.needless), (moves.moved_cost(), idle));
        assert_eq!(removal.ideal, row.load() as f64);
        needless += idle;
    }
    let addition = report.addition().unwrap();
    assert_eq!(report.needless(), needless + addition.change.needless);
    let weight = f64::from(addition.weight);
    let ideal = all as f64 * weight / (ring.members().total_weight() as f64 + weight);
    assert!((addition.change.ideal - ideal).abs() < 1e-6);
}

#[test]
fn its_numbers_are_those_of_the_rings() {
    let keys: Vec<(u64, u64)> = even_keys(2_000).map(|(key, _)| (key, key % 7)).collect();
    agrees(&small(), Rendezvous::new, &keys);
    for strategy in STRATEGIES {
        let place = |members: &Members| place_by(strategy, members);
        agrees(&Ring::with(nodes(9), place).unwrap(), place, &keys);
    }
}

fn place_by(strategy: &str, members: &Members) -> Result<Box<dyn Placement>, RingError> {
    use promha_shard_ring::{Anchor, Bounded, Table, TokenRing};
    Ok(match strategy {
        "rendezvous" => Box::new(Rendezvous::new(members)?),
        "tokens" => Box::new(TokenRing::with_tokens(members, 16)?),
        "table" => Box::new(Table::with_slots(members, 1 << 8, 3)?),
        "bounded" => Box::new(Bounded::with_slots(members, 1 << 8, 5)?),
        "jump" => Box::new(Jump::new(members)?),
        "anchor" => Box::new(Anchor::with_capacity(members, 64)?),
        other => unreachable!("{other}"),
    })
}

#[test]
fn good_strategies_move_nothing_needlessly() {
    for strategy in UNORDERED.into_iter().filter(|&strategy| strategy != "bounded") {
        let place = |members: &Members| place_by(strategy, members);
        let weighted = nodes(7).into_iter().zip(0..).map(|(node, i)| node.with_weight(1 + i % 3));
        let report = Report::of_ring(&Ring::with(weighted, place).unwrap(), place, even_keys(5_000));
        assert_eq!(report.needless(), 0, "{strategy}");
        assert!(report.rows().iter().all(|row| row.removal().unwrap().ratio() == Some(1.0)), "{strategy}");
    }
}

#[test]
fn nodes_keep_the_positions_they_were_given() {
    // With Jump, only the last one can go without others moving: that is `a`, not the last by name.
    let ring = Ring::with(["c", "b", "a"].map(Node::new), Jump::new).unwrap();
    let report = Report::of_ring(&ring, Jump::new, even_keys(3_000));
    let needless: Vec<u128> = report.rows().iter().map(|row| row.removal().unwrap().needless).collect();
    assert_eq!(needless[0], 0, "{report}");
    assert!(needless[1] > 0 && needless[2] > 0, "{report}");
    assert_eq!(report.addition().unwrap().change.needless, 0);
    assert!(report.to_string().contains("NEEDLESS MOVES"));
    assert!(report.to_svg().contains("class=\"needless\""));
    let loads = Report::of_loads("loads", [Row::new("a", 1)]);
    assert!(!loads.to_svg().contains("moves if removed"), "of which nothing is known");

    // And one more gets a shard where there are shards, and the weight that all have.
    let sharded = ["a", "b"].map(Node::new).into_iter().zip([1, 0]);
    let sharded = sharded.map(|(node, shard)| node.with_shard(shard).with_weight(3));
    let ring = Ring::with(sharded, Jump::new).unwrap();
    let addition = Report::of_ring(&ring, Jump::new, even_keys(100)).addition().unwrap();
    assert_eq!((addition.weight, addition.change.needless), (3, 0));
}

#[test]
fn no_keys_no_nodes_no_weights() {
    let one = Report::of_ring(&Ring::new([Node::new("a")]).unwrap(), Rendezvous::new, even_keys(10));
    assert_eq!(one.rows()[0].removal(), None, "nobody would be left");
    let idle = Report::of_ring(&small(), Rendezvous::new, even_keys(0));
    let none = Report::of_loads("", []);
    let unweighted = Report::of_loads("t", [Row::new("a", 5).with_weight(0), Row::new("", 0).with_weight(0)]);
    let huge = [Row::new("a", u128::MAX), Row::new("b", u128::MAX).with_weight(u32::MAX)];
    let odd = Change { moved: 1, ideal: f64::NAN, needless: 9 };
    let tiny = Change { moved: u128::MAX, ideal: f64::MIN_POSITIVE, needless: 1 };
    let odd = huge
        .clone()
        .map(|row| row.with_removal(odd))
        .into_iter()
        .chain([Row::new("c", 1).with_removal(tiny)]);
    let odd = Report::of_loads("odd", odd).with_addition(Addition { weight: 0, change: tiny });
    for report in [&one, &idle, &none, &unweighted, &Report::of_loads("huge", huge), &odd] {
        let svg = report.to_svg();
        Document::parse(&svg).unwrap();
        for text in [svg, report.to_string()] {
            assert!(!text.contains("NaN") && !text.contains("inf\"") && !text.contains("inf "), "{text}");
        }
    }
    assert_eq!((idle.max_over_mean(), none.max_over_mean(), unweighted.max_over_mean()), (None, None, None));
    assert_eq!(unweighted.imbalance(&unweighted.rows()[0]), None);
}

#[test]
fn names_are_text() {
    let id = "<script>&\"'\u{1b}[31m\n</svg>";
    let rows = [Row::new(id, 1).with_zone("<&\">]]>"), Row::new("b\u{202e}\u{0}", 2)];
    let report = Report::of_loads("a < b & \"c\" \u{7}", rows).with_unit("<unit>");
    let svg = report.to_svg();
    let document = Document::parse(&svg).unwrap();
    let shown = "<script>&\"'\u{fffd}[31m\u{fffd}</svg>";
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(texts.contains(&shown), "{texts:?}");
    assert!(texts.contains(&"zone <&\">]]>") && texts.contains(&"load (<unit>)"), "{texts:?}");
    assert!(texts.contains(&"a < b & \"c\" \u{fffd}"), "{texts:?}");
    assert!(document.descendants().all(|node| !node.has_tag_name("script")));
    let table = report.to_string();
    assert!(table.chars().all(|c| c == '\n' || !c.is_control()), "{table}");
    assert!(!table.contains('\u{202e}') && table.contains(shown));
}

#[test]
fn every_node_has_a_bar_and_a_name_while_there_is_room() {
    for (n, every) in [(1, 1), (5, 1), (20, 1), (100, 1), (300, 3)] {
        let ring = ring("rendezvous", nodes(n)).unwrap();
        let place = |members: &Members| place_by("rendezvous", members);
        let report = Report::of_ring(&ring, place, even_keys(40 * n as u64));
        let svg = report.to_svg();
        assert_eq!(svg, report.to_svg());
        let document = Document::parse(&svg).unwrap();
        let count = |class: &str| {
            document.descendants().filter(|node| node.attribute("class") == Some(class)).count()
        };
        assert_eq!(count("z0"), n + 1, "a bar each, and one in the legend");
        assert_eq!(count("fair"), n + 1);
        let names = document.descendants().filter(|node| {
            node.has_tag_name("text") && node.text().is_some_and(|text| text.starts_with("collector-"))
        });
        assert_eq!(names.count(), n.div_ceil(every), "{n}");
        let hint = format!(": {} keys", report.rows()[0].load());
        assert!(svg.contains(&hint));
    }
}

#[test]
fn the_picture_in_the_documentation_is_what_the_example_draws() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ring.svg");
    assert!(std::fs::read_to_string(path).unwrap() == example::report(20).unwrap().to_svg(), "draw it anew");
}

proptest! {
    #[test]
    fn anything_is_well_formed(
        title in any::<String>(),
        rows in prop::collection::vec((any::<String>(), any::<String>(), any::<u32>(), any::<u128>()), 0..40),
    ) {
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|(id, zone, weight, load)| Row::new(id, load).with_zone(zone).with_weight(weight))
            .collect();
        let lines = rows.len();
        let report = Report::of_loads(title, rows);
        let svg = report.to_svg();
        prop_assert!(Document::parse(&svg).is_ok(), "{}", svg);
        prop_assert!(report.to_string().lines().count() >= lines + 3);
    }
}
