//! What was once answered is answered for ever: hashes, owners and replicas (`testdata/placement_golden.json`;
//! `PROMHA_VECTORS=<dir>` reads the file from there instead). `cargo test --test golden -- --ignored` prints the table anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::path::PathBuf;

use common::{STRATEGIES, UNORDERED, keys, nodes, ring};
use promha_shard_ring::{Node, hash_labels, hash_text};
use serde_json::{Value, json};

const TEXT: &str = "In the beginning there was a label value that was longer than most, and there were others: größer, 大きい.";

fn answers() -> Value {
    let lengths: Vec<usize> = (0..TEXT.len()).filter(|&length| TEXT.is_char_boundary(length)).collect();
    let texts: Vec<Value> = lengths
        .iter()
        .map(|&length| json!([TEXT[..length], hash_text(&TEXT[..length]).to_string()]))
        .collect();
    let sets: [&[(&str, &str)]; 6] = [
        &[],
        &[("", "")],
        &[("a", "bc")],
        &[("ab", "c")],
        &[("__name__", "up"), ("instance", "localhost:9090"), ("job", "prometheus")],
        &[("__name__", "http_requests_total"), ("code", "200"), ("handler", TEXT), ("job", "größer")],
    ];
    let labels: Vec<Value> =
        sets.iter().map(|labels| json!([labels, hash_labels(labels).to_string()])).collect();
    let placed: Vec<Value> = STRATEGIES
        .iter()
        .map(|strategy| json!({"strategy": strategy, "replicas": placed(strategy)}))
        .collect();
    json!({"hash_text": texts, "hash_labels": labels, "placement": placed})
}

/// Of 40 keys the ids of three replicas among twelve nodes, of different weights and in five zones.
fn placed(strategy: &str) -> Vec<Vec<String>> {
    let weigh = |(i, node): (u32, Node)| {
        let weight = if UNORDERED.contains(&strategy) { 1 + i % 4 } else { 1 };
        node.with_weight(weight).with_zone(format!("zone-{}", i % 5)).with_shard(i)
    };
    let ring = ring(strategy, (0..).zip(nodes(12)).map(weigh)).unwrap();
    let ids = |key: u64| ring.replicas(key, 3).unwrap().map(|node| node.id().to_owned()).collect();
    keys(40, 0).map(ids).collect()
}

#[test]
fn answers_are_what_they_were() {
    let file = "placement_golden.json";
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file);
    let brought = std::env::var_os("PROMHA_VECTORS").map(|folder| PathBuf::from(folder).join(file));
    // Whoever brings tables of other systems need not bring this one.
    let path = brought.filter(|path| path.exists()).unwrap_or_else(own);
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let answers = answers();
    let mut ran = 0;
    for table in ["hash_text", "hash_labels", "placement"] {
        let (golden, answers) = (golden[table].as_array().unwrap(), answers[table].as_array().unwrap());
        assert_eq!(golden.len(), answers.len(), "{table}");
        for (golden, answer) in golden.iter().zip(answers) {
            assert_eq!(golden, answer, "{table}");
            ran += 1;
        }
    }
    println!("{ran} cases");
}

#[test]
#[ignore = "prints the table"]
fn print() {
    println!("{}", serde_json::to_string_pretty(&answers()).unwrap());
}
