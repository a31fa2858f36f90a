//! What the original programs computed. `PROMHA_VECTORS=<dir>` brings another table under the same name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::fmt::Write as _;
use std::path::PathBuf;

use md5::{Digest, Md5};
use promha_shard_ring::Node;
use promha_shard_ring::compat::go_rand::GoRand;
use promha_shard_ring::compat::relabel::hashmod;
use promha_shard_ring::compat::spread::spread_minimizing_tokens;
use promha_shard_ring::compat::victoria::ConsistentHash;
use promha_shard_ring::compat::{cortex, labels, thanos, victoria};
use serde_json::Value;

/// The tables of `ring.json`; that the file is missing is a failure.
fn tables() -> serde_json::Map<String, Value> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let dir = std::env::var_os("PROMHA_VECTORS").map_or(own, PathBuf::from);
    let path = dir.join("ring.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// In our own tables it is a failure that nobody looks at something; others may bring what we do not know.
fn nothing_is_known_of(what: &str) {
    assert!(std::env::var_os("PROMHA_VECTORS").is_some(), "nothing is known of {what}");
    println!("ring.json: nothing is known of {what}");
}

/// Checks every case of a table; that it is missing or empty is a failure.
fn each(table: &str, fields: &[&str], check: impl Fn(&Value)) {
    let tables = tables();
    let cases = tables.get(table).and_then(Value::as_array).unwrap_or_else(|| panic!("{table} is missing"));
    assert!(!cases.is_empty(), "{table} is empty");
    for case in cases {
        for field in case.as_object().unwrap().keys() {
            if !fields.contains(&field.as_str()) {
                nothing_is_known_of(&format!("{field} in {table}"));
            }
        }
        check(case);
    }
    println!("ring.json: {table}: {} cases", cases.len());
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A number, which is a text where it may have 64 bits.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// Pairs, also where they stand one after the other.
fn pairs(value: &Value) -> Vec<(&str, &str)> {
    let flat: Vec<&str> = value
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| one.as_str().map_or_else(|| texts(one), |one| vec![one]))
        .collect();
    flat.chunks(2).map(|pair| (pair[0], pair[1])).collect()
}

fn md5_of(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn no_table_is_left_out() {
    let known = [
        "cortex_shuffle_shard_seed",
        "dskit_spread_minimizing",
        "labels",
        "prometheus_hashmod",
        "thanos_ring",
        "thanos_section_hash",
        "vm_consistenthash",
    ];
    tables()
        .keys()
        .filter(|table| !known.contains(&table.as_str()))
        .for_each(|table| nothing_is_known_of(table));
}

#[test]
fn prometheus_hashmod() {
    each("prometheus_hashmod", &["labels", "modulus", "out", "separator", "source_labels"], |case| {
        let sources = texts(&case["source_labels"]);
        let found =
            hashmod(&pairs(&case["labels"]), &sources, text(&case["separator"]), number(&case["modulus"]));
        assert_eq!(found, Ok(number(&case["out"])), "{case}");
    });
}

#[test]
fn label_sets() {
    let fields = [
        "bytes_len",
        "cortex_shardByAllLabels_tenant1_fnv1_32",
        "hash_for_labels_instance_job",
        "hash_stringlabels",
        "hash_without_job",
        "pairs_sorted",
        "stable_hash",
        "thanos_hash_with_prefix_tenant1",
        "vm_promscrape_key_xxh64",
        "vm_promscrape_members5_rf2",
        "vminsert_key_xxh64_tenant0_0",
    ];
    each("labels", &fields, |case| {
        let pairs = pairs(&case["pairs_sorted"]);
        let mut bytes = Vec::new();
        labels::encode_string_labels(&pairs, &mut bytes).unwrap();
        let scrape_hash = victoria::scrape_hash(&pairs);
        for (field, found) in [
            ("bytes_len", bytes.len() as u64),
            (
                "cortex_shardByAllLabels_tenant1_fnv1_32",
                cortex::shard_by_all_labels("tenant1", &pairs).into(),
            ),
            ("hash_for_labels_instance_job", labels::hash_for(&pairs, &["instance", "job"])),
            ("hash_stringlabels", labels::string_labels_hash(&pairs).unwrap()),
            ("hash_without_job", labels::hash_without(&pairs, &["job"])),
            ("stable_hash", labels::stable_hash(&pairs)),
            ("thanos_hash_with_prefix_tenant1", thanos::series_hash("tenant1", &pairs)),
            ("vm_promscrape_key_xxh64", scrape_hash),
            ("vminsert_key_xxh64_tenant0_0", victoria::insert_hash(0, 0, &pairs)),
        ] {
            assert_eq!(found, number(&case[field]), "{field} of {case}");
        }
        let members: Vec<u64> = victoria::scrape_members(scrape_hash, 5, 2).collect();
        assert_eq!(members, numbers(&case["vm_promscrape_members5_rf2"]), "{case}");
    });
}

#[test]
fn thanos_rings() {
    let fields = ["azs", "hashmod", "ketama", "labels", "node_fmt", "nodes", "rf", "tenant"];
    each("thanos_ring", &fields, |case| {
        assert_eq!(case["node_fmt"], "node-%d:10901, az-{i%azs}");
        let (azs, replication) = (number(&case["azs"]), number(&case["rf"]) as usize);
        let plain: Vec<Node> =
            (0..number(&case["nodes"])).map(|i| Node::new(format!("node-{i}:10901"))).collect();
        let zoned = plain.iter().cloned().zip(0..);
        let zoned = match azs {
            0 => plain.clone(),
            azs => zoned.map(|(node, i)| node.with_zone(format!("az-{}", i % azs))).collect(),
        };
        let hash = thanos::series_hash(text(&case["tenant"]), &pairs(&case["labels"]));
        let ketama = thanos::Ketama::new(zoned, replication).unwrap();
        assert!(ketama.replicas(hash).map(Node::id).eq(texts(&case["ketama"])), "{case}");
        let hashmod = thanos::Hashmod::new(plain).unwrap();
        assert!(
            hashmod.replicas(hash, replication).unwrap().map(Node::id).eq(texts(&case["hashmod"])),
            "{case}"
        );
    });
}

#[test]
fn thanos_section_hashes() {
    each("thanos_section_hash", &["key", "xxh64"], |case| {
        let (address, section) = text(&case["key"]).rsplit_once(':').unwrap();
        let found = thanos::section_hash(address, section.parse().unwrap());
        assert_eq!(found, number(&case["xxh64"]), "{case}");
    });
}

#[test]
fn victoria_storage_nodes() {
    each("vm_consistenthash", &["h", "idx", "idx_excluding_first", "nodes", "seed"], |case| {
        let ring = ConsistentHash::new(texts(&case["nodes"]), number(&case["seed"]));
        let hash = number(&case["h"]);
        let first = ring.owner(hash, &[]).unwrap();
        assert_eq!(first as u64, number(&case["idx"]), "{case}");
        assert_eq!(
            ring.owner(hash, &[first]).unwrap() as u64,
            number(&case["idx_excluding_first"]),
            "{case}"
        );
    });
}

#[test]
fn shuffle_shards() {
    each("cortex_shuffle_shard_seed", &["go_rand_uint32_first3", "id", "md5_id", "seed", "zone"], |case| {
        assert_eq!(md5_of(text(&case["id"])), text(&case["md5_id"]), "{case}");
        let seed = cortex::shuffle_shard_seed(text(&case["id"]), text(&case["zone"]));
        assert_eq!(seed.to_string(), text(&case["seed"]), "{case}");
        let mut random = GoRand::new(seed);
        for expected in numbers(&case["go_rand_uint32_first3"]) {
            assert_eq!(u64::from(random.next_u32()), expected, "{case}");
        }
    });
}

#[test]
fn spread_minimizing() {
    let fields = [
        "first8_generation_order_or_sorted_for_last",
        "first8_sorted_GenerateTokens(512)",
        "instance",
        "md5_of_fmt",
        "n",
        "zone_id",
    ];
    each("dskit_spread_minimizing", &fields, |case| {
        let [instance, zone] = ["instance", "zone_id"].map(|field| number(&case[field]) as u32);
        let found = spread_minimizing_tokens(instance, zone).unwrap();
        let mut sorted = found.clone();
        sorted.sort_unstable();
        let first = |tokens: &[u32]| tokens.iter().take(8).map(|&token| token.into()).collect::<Vec<u64>>();
        if !case["n"].is_null() {
            assert_eq!(found.len() as u64, number(&case["n"]), "{case}");
            assert_eq!(first(&found), numbers(&case["first8_generation_order_or_sorted_for_last"]), "{case}");
            // As Go prints a list.
            let printed = format!("{found:?}").replace(',', "");
            assert_eq!(md5_of(&printed), text(&case["md5_of_fmt"]), "{case}");
        } else {
            assert_eq!(first(&sorted), numbers(&case["first8_sorted_GenerateTokens(512)"]), "{case}");
        }
    });
}
