//! What is written down is read again as the same, and what cannot be is refused (`testdata/serde_*.json`).

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Debug;

use promha_shard_ring::{Assignment, Node, Ring, Table, Target, TargetKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn golden<T: Serialize + DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let value: T = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string_pretty(&value).unwrap() + "\n", text, "{file}");
    value
}

fn error<T: DeserializeOwned + Debug>(text: &str) -> String {
    serde_json::from_str::<T>(text).unwrap_err().to_string()
}

fn members() -> [Node; 4] {
    [
        Node::new("collector-1:9090").with_zone("eu-1"),
        Node::new("collector-2:9090").with_zone("eu-1").with_weight(2).with_shard(1),
        Node::new("collector-3:9090").with_zone("größer"),
        Node::new("collector-4:9090").with_weight(0).with_shard(0),
    ]
}

#[test]
fn rings() {
    let ring: Ring = golden("serde_ring.json");
    assert_eq!(ring.nodes(), members());
    let table: Ring<Table> = golden("serde_table.json");
    let made = Ring::with(members(), Table::new).unwrap();
    for key in 0..1_000 {
        assert!(table.replicas(key, 3).unwrap().eq(made.replicas(key, 3).unwrap()));
    }
}

#[test]
fn an_assignment() {
    let assignment: Assignment = golden("serde_assignment.json");
    let targets = [
        Target::new(0, 7),
        Target::new(u64::MAX, u64::MAX),
        Target::new("17", 0),
        Target::new("node/10.0.0.1:9100", 1_200),
        Target::new("größer", 500),
    ];
    assert_eq!(assignment, Assignment::new(&members(), &targets, 2).unwrap());
}

#[test]
fn a_node_says_what_it_must() {
    let node: Node = serde_json::from_str(r#"{"id":"a","rack":"x","labels":{"b":1}}"#).unwrap();
    assert_eq!(node, Node::new("a"));
    assert_eq!(serde_json::to_string(&node).unwrap(), r#"{"id":"a","weight":1,"zone":""}"#);
    assert!(error::<Node>(r#"{"weight":1}"#).starts_with("missing field `id`"));
    assert!(serde_json::from_str::<Node>(r#"{"id":"a","weight":-1}"#).is_err());
}

#[test]
fn a_key_is_text_or_a_number() {
    for (key, text) in [(TargetKey::Hash(17), "17"), (TargetKey::Id("17".into()), "\"17\"")] {
        assert_eq!(serde_json::from_str::<TargetKey>(text).unwrap(), key);
        assert_eq!(serde_json::to_string(&key).unwrap(), text);
        assert_eq!(serde_saphyr::from_str::<TargetKey>(text).unwrap(), key);
    }
    for text in ["-1", "1.5", "null", "[1]", "18446744073709551616"] {
        let error = error::<TargetKey>(text);
        assert!(error.contains("expected a name, or a hash from 0 to 2^64 - 1"), "{error}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let node = r#"{"id":"a"}"#;
    let ring = |version, placement, nodes: &str| {
        error::<Ring>(&format!(r#"{{"version":{version},"placement":"{placement}","nodes":[{nodes}]}}"#))
    };
    assert!(ring(2, "rendezvous", node).starts_with("version 2 is not known here, only 1"));
    assert!(ring(1, "table", node).starts_with(r#"a ring by "table" is not one by "rendezvous""#));
    assert!(ring(1, "rendezvous", "").starts_with("none of 0 nodes has a weight"));
    assert!(ring(1, "rendezvous", r#"{"id":"a"},{"id":"a"}"#).starts_with(r#"two nodes have the id "a""#));
    assert!(error::<Ring>(r#"{"placement":"rendezvous","nodes":[]}"#).starts_with("missing field `version`"));

    let assignment = |version, replication, targets: &str| {
        error::<Assignment>(&format!(
            r#"{{"version":{version},"replication":{replication},"nodes":[{node}],"targets":[{targets}]}}"#
        ))
    };
    assert!(assignment(0, 1, "").starts_with("version 0 is not known here, only 1"));
    assert!(assignment(1, 0, "").starts_with("a target needs at least one replica"));
    assert!(assignment(1, 2, "").starts_with("2 replicas need as many nodes"));
    let twice = r#"{"key":1,"cost":1},{"key":1,"cost":2}"#;
    assert!(assignment(1, 1, twice).starts_with("there are two targets 0000000000000001"));
}

#[test]
fn a_table_of_other_numbers_is_not_written() {
    let ring = Ring::with(members(), |members| Table::with_slots(members, 1 << 10, 3)).unwrap();
    assert!(serde_json::to_string(&ring).unwrap_err().to_string().starts_with("only tables of the default"));
}
