//! Tables of what Prometheus answers. `PROMHA_VECTORS=<dir>` brings others under the same names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::path::PathBuf;

use promha_federate::selector::{ParseErrorKind, Rule, Selector};
use serde_json::Value;

/// The cases of a table; that it is missing or empty is a failure.
fn table(name: &str) -> Vec<Value> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let dir = std::env::var_os("PROMHA_VECTORS").map_or(own, PathBuf::from);
    let path = dir.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Vec<Value> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!cases.is_empty(), "{} is empty", path.display());
    cases
}

#[test]
fn matchers() {
    let cases = table("matcher_cases.json");
    let mut wrong = Vec::new();
    let mut rows = 0;
    for case in &cases {
        let text = case["selector"].as_str().unwrap();
        let valid = case["valid"].as_bool().unwrap();
        let selector = match Selector::parse(text) {
            Ok(selector) => selector,
            Err(error) => {
                if valid {
                    wrong.push(format!("{text}: refused: {error}"));
                } else if let Some(expected) = case["error"].as_str()
                    && expected != error.to_string()
                {
                    wrong.push(format!("{text}: {error}, not {expected}"));
                }
                continue;
            }
        };
        if !valid {
            wrong.push(format!("{text}: accepted"));
            continue;
        }
        for row in case["rows"].as_array().into_iter().flatten() {
            rows += 1;
            let labels: Vec<(&str, &str)> = row["labels"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect();
            assert!(labels.is_sorted());
            let expected = row["matches"].as_bool().unwrap();
            for selector in [&selector, &Selector::parse(&selector.to_string()).unwrap()] {
                if selector.matches(&labels) != expected {
                    wrong.push(format!("{selector} on {labels:?}: not {expected}"));
                }
            }
        }
        if let Some(expected) = case["matchers"].as_array() {
            let mut expected: Vec<_> = expected
                .iter()
                .map(|matcher| ["name", "op", "value"].map(|part| matcher[part].as_str().unwrap().to_owned()))
                .collect();
            let mut found: Vec<_> = selector
                .matchers()
                .iter()
                .map(|matcher| [matcher.name(), matcher.op().as_str(), matcher.value()].map(str::to_owned))
                .collect();
            expected.sort_unstable();
            found.sort_unstable();
            // A name that is not UTF-8 has no text.
            if found != expected && !text.contains("\\xff") {
                wrong.push(format!("{text}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("matcher_cases.json: {} selectors, {rows} label sets", cases.len());
}

/// Where Prometheus accepted a selector on `/federate` and refused it on `/api/v1/series`, it matches everything.
#[test]
fn rules() {
    let mut ran = 0;
    for case in table("matcher_cases.json") {
        let text = case["selector"].as_str().unwrap();
        let statuses = ["prom_2_42_federate_status", "prom_2_42_series_status"];
        let [Some(200), Some(series)] = statuses.map(|status| case[status].as_u64()) else { continue };
        let result = Selector::parse_with(text, Rule::Series);
        match result {
            Ok(_) => assert_eq!(series, 200, "{text}"),
            Err(error) => {
                assert_eq!(series, 400, "{text}: {error}");
                assert_eq!(*error.kind(), ParseErrorKind::MatchesEverything, "{text}");
            }
        }
        ran += 1;
    }
    assert!(ran > 0, "no case says what Prometheus answered");
    println!("matcher_cases.json: {ran} selectors by either rule");
}
