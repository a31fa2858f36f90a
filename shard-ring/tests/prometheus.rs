//! What is said to Prometheus, read back.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use promha_shard_ring::compat::relabel::hashmod;
use promha_shard_ring::prometheus::{Shard, ShardError, target_groups};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn yaml_is_what_it_looks_like() {
    for indent in [0, 2, 4, 7] {
        let shard = Shard::new(0, 12).unwrap().with_replication(3).unwrap().of_probes();
        let yaml = format!("{:indent$}job_name: a\n{}", "", shard.relabel_configs(indent));
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(
            read,
            json!({"job_name": "a", "relabel_configs": [
                {
                    "source_labels": ["__param_target", "__tmp_hash"], "target_label": "__tmp_hash",
                    "regex": "(?s:(.+);)", "replacement": "$1", "action": "replace",
                },
                {
                    "source_labels": ["__tmp_hash"], "target_label": "__tmp_hash",
                    "modulus": 12, "action": "hashmod",
                },
                {
                    "source_labels": ["__tmp_hash", "__tmp_disable_sharding"],
                    "regex": "(?s:(?:0|10|11);|.+;.+)", "action": "keep",
                },
            ]})
        );
    }
}

#[test]
fn shards_that_cannot_be() {
    assert_eq!(Shard::new(0, 0), Err(ShardError::OutOfRange { number: 0, shards: 0 }));
    assert_eq!(Shard::new(3, 3), Err(ShardError::OutOfRange { number: 3, shards: 3 }));
    let error = |replication| Err(ShardError::Replication { replication, shards: 3 });
    for replication in [0, 4] {
        assert_eq!(Shard::new(2, 3).unwrap().with_replication(replication), error(replication));
    }
    let last = Shard::new(u64::MAX - 1, u64::MAX).unwrap();
    assert!(!last.keeps(&[("__address__", "a")]));
    assert!(Shard::new(0, u64::MAX).unwrap().with_replication(u64::MAX).unwrap().keeps(&[]));
}

proptest! {
    #[test]
    fn as_many_shards_keep_a_target_as_are_to(
        address in "[ -~]{0,12}", own in prop::option::of("[a-z;\n]{0,3}"), shards in 1_u64..9, replication in 1_u64..9,
    ) {
        let replication = replication.min(shards);
        let mut labels = vec![("__address__", address.as_str())];
        labels.extend(own.as_deref().map(|own| ("__tmp_hash", own)));
        let all: Vec<Shard> =
            (0..shards).map(|i| Shard::new(i, shards).unwrap().with_replication(replication).unwrap()).collect();
        let keepers = all.iter().filter(|shard| shard.keeps(&labels)).count();
        prop_assert_eq!(keepers as u64, replication);

        if own.is_none() {
            let first = hashmod(&labels, &["__address__"], ";", shards).unwrap();
            prop_assert!((first..first + replication).all(|i| all[(i % shards) as usize].keeps(&labels)));
        }
        labels.push(("__tmp_disable_sharding", "x"));
        prop_assert!(all.iter().all(|shard| shard.keeps(&labels)));
    }

    #[test]
    fn groups_are_read_back(
        targets in prop::collection::vec((".{0,6}", prop::collection::btree_map("[ab]", "\\PC{0,3}|[\u{0}-\u{7f}]{0,3}", 0..3)), 0..12)
    ) {
        let targets: Vec<(&str, Vec<(&str, &str)>)> = targets
            .iter()
            .map(|(address, labels)| (address.as_str(), labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()))
            .collect();
        let text = target_groups(targets.iter().map(|(address, labels)| (*address, labels.as_slice())));
        let reversed = target_groups(targets.iter().rev().map(|(address, labels)| (*address, labels.as_slice())));
        prop_assert_eq!(&text, &reversed);

        let read: Vec<Value> = serde_json::from_str(&text).unwrap();
        let mut found = Vec::new();
        for group in &read {
            let labels: Vec<(&str, &str)> =
                group["labels"].as_object().unwrap().iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap())).collect();
            let addresses = group["targets"].as_array().unwrap().iter();
            found.extend(addresses.map(|address| (address.as_str().unwrap(), labels.clone())));
        }
        let mut expected = targets;
        expected.sort();
        expected.dedup();
        found.sort();
        prop_assert_eq!(found, expected);
        let mut groups: Vec<String> = read.iter().map(|group| group["labels"].to_string()).collect();
        let all = groups.len();
        groups.dedup();
        prop_assert_eq!(groups.len(), all, "labels stand in one group");
    }
}
