//! Which series travel where, and that the selectors of a federation select just those.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use proptest::prelude::*;

use promha_federate::Selector;
use promha_federate::split::{Assignment, Rule, Split, SplitError};

type Labels = Vec<(&'static str, &'static str)>;

#[test]
fn every_rule_takes_its_series_until_one_keeps_them() {
    let split = Split::new(vec![
        Rule::travels("health", &["up", "{__name__=\"scrape_duration_seconds\"}"], &["global", "eu"])
            .unwrap(),
        Rule::stays("secret", &["{team=\"x\",__name__=~\"pay_.*\"}"]).unwrap(),
        Rule::travels("team", &["{team=~\".+\"}"], &["teams", "global"]).unwrap(),
    ])
    .unwrap();
    let expect = |labels: Labels, rules: &[&str], federations: &[&str]| {
        let expected = Assignment { rules: rules.to_vec(), federations: federations.to_vec() };
        assert_eq!(split.assign(&labels), expected, "{labels:?}");
        labels
    };
    let series = [
        expect(vec![("__name__", "up"), ("team", "y")], &["health", "team"], &["global", "eu", "teams"]),
        expect(vec![("__name__", "up")], &["health"], &["global", "eu"]),
        expect(vec![("__name__", "pay_total"), ("team", "x")], &["secret"], &[]),
        expect(vec![("__name__", "pay_total"), ("team", "y")], &["team"], &["teams", "global"]),
        expect(vec![("__name__", "other\"s")], &[], &[]),
    ];
    let report = split.report(series.iter().map(Vec::as_slice));
    assert_eq!((report.series, report.stay, report.untaken, report.shared), (5, 2, 1, 1));
    let rules: Vec<_> =
        report.rules.iter().map(|rule| (rule.name.as_str(), rule.taken, rule.alone)).collect();
    assert_eq!(rules, [("health", 2, 1), ("secret", 1, 1), ("team", 2, 1)]);
    assert_eq!(report.federations, [("global".into(), 3), ("eu".into(), 2), ("teams".into(), 2)]);
    assert_eq!(report.untaken_examples[0].series, "{__name__=\"other\\\"s\"}");
    assert_eq!(report.shared_examples[0].rules, ["health", "team"]);
    assert_eq!(report.warnings, []);

    assert_eq!(split.federations(), ["global", "eu", "teams"]);
    assert_eq!(
        split.selectors("eu").unwrap(),
        ["{__name__=\"up\"}", "{__name__=\"scrape_duration_seconds\"}"]
    );
    let teams = ["{team=~\".+\",team!=\"x\"}", "{team=~\".+\",__name__!~\"pay_.*\"}"];
    let mut found = split.selectors("teams").unwrap();
    found.sort_by_key(|text| text.contains("pay_"));
    assert_eq!(found, teams);
}

#[test]
fn what_is_wrong_with_rules_is_said() {
    let no_selector = Rule::stays("a", &["up{"]).unwrap_err();
    assert!(no_selector.to_string().starts_with("rule \"a\": up{: "), "{no_selector}");
    let missing = Rule::stays("a", &[]).unwrap_err();
    assert_eq!(missing, SplitError::Missing { rule: "a".into(), what: "selector" });
    assert_eq!(Rule::travels("a", &["up"], &[]).unwrap_err().to_string(), "rule \"a\" has no federation");
    let rule = Rule::travels("a", &["up"], &["f"]).unwrap();
    let twice = Split::new(vec![rule.clone(), rule.clone()]).unwrap_err();
    assert_eq!(twice, SplitError::Twice { rule: "a".into() });
    let split = Split::new(vec![rule.clone()]).unwrap();
    assert_eq!(split.selectors("g").unwrap_err(), SplitError::Unknown { federation: "g".into() });

    // Four matchers each: six of them make 4^6 alternatives.
    let stays = (0..6).map(|n| {
        let selector: Vec<String> = (0..4).map(|m| format!("l{n}{m}=\"x\"")).collect();
        Rule::stays(&n.to_string(), &[&format!("{{{}}}", selector.join(","))]).unwrap()
    });
    let split = Split::new(stays.chain([rule]).collect()).unwrap();
    assert!(matches!(split.selectors("f"), Err(SplitError::TooMany { limit: 1_000, .. })));
}

#[test]
fn averages_without_their_parts_are_warned_about() {
    let travels = |name, selectors: &[&str]| Rule::travels(name, selectors, &["f"]).unwrap();
    let metrics = |rules: Vec<Rule>| -> Vec<String> {
        Split::new(rules).unwrap().lint().into_iter().map(|warning| warning.metric).collect()
    };
    let ratio = travels("ratio", &["job:errors:ratio_rate5m"]);
    let parts = travels("parts", &["{__name__=~\"job:errors:(sum|count)_rate5m\"}"]);
    let quantiles = travels("quantiles", &["{quantile=\"0.9\"}"]);
    let everything = travels("everything", &["{job!=\"\"}"]);
    assert_eq!(metrics(vec![ratio.clone()]), ["job:errors:ratio_rate5m"]);
    assert_eq!(metrics(vec![ratio.clone(), parts]), [""; 0]);
    let pattern = travels("pattern", &["{__name__=~\"job:.+:avg\"}"]);
    let others = travels("others", &["{__name__=~\"job:.+:(sum|count)\"}"]);
    assert_eq!(metrics(vec![pattern.clone()]), ["job:.+:avg"]);
    assert_eq!(metrics(vec![pattern, others]), [""; 0]);
    assert_eq!(metrics(vec![quantiles.clone()]), [""]);
    assert_eq!(metrics(vec![quantiles, ratio, everything.clone()]), [""; 0]);

    // What really travels is looked at as well.
    let series: [Labels; 4] = [
        vec![("__name__", "job:latency:avg"), ("job", "a")],
        vec![("__name__", "rpc"), ("job", "a"), ("quantile", "0.5")],
        vec![("__name__", "rpc_count"), ("job", "a")],
        vec![("__name__", "rpc_sum"), ("job", "a")],
    ];
    let split = Split::new(vec![everything]).unwrap();
    let warnings = split.report(series.iter().map(Vec::as_slice)).warnings;
    let text = "f gets job:latency:avg, which cannot be aggregated any further, but not what it is made of \
                (job:latency:sum, job:latency:count, job:latency_sum, job:latency_count)";
    assert_eq!(warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const VALUES: [&str; 4] = ["", "x", "y", "xy"];

/// A matcher, as text. Each selector has one on the name, so that none is empty.
fn matcher() -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec!["=", "!=", "=~", "!~"]);
    let value = prop::sample::select(vec!["x", "y", "x.*", "x|y", ".+"]);
    (prop::sample::select(NAMES.to_vec()), op, value)
        .prop_map(|(name, op, value)| format!("{name}{op}\"{value}\""))
}

fn rule() -> impl Strategy<Value = (Vec<String>, Vec<&'static str>)> {
    let selector =
        prop::collection::vec(matcher(), 0..3).prop_map(|matchers| format!("m{{{}}}", matchers.join(",")));
    let federations = prop::sample::subsequence(vec!["f", "g"], 0..=2);
    (prop::collection::vec(selector, 1..3), federations)
}

proptest! {
    #[test]
    fn selectors_of_a_federation_select_what_travels_to_it(rules in prop::collection::vec(rule(), 1..5)) {
        let rules = rules.iter().enumerate().map(|(at, (selectors, federations))| {
            let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
            let name = at.to_string();
            if federations.is_empty() {
                Rule::stays(&name, &selectors).unwrap()
            } else {
                Rule::travels(&name, &selectors, federations).unwrap()
            }
        });
        let split = Split::new(rules.collect()).unwrap();
        for federation in split.federations() {
            let texts = split.selectors(federation).unwrap();
            let selectors: Vec<Selector> = texts.iter().map(|text| Selector::parse(text).unwrap()).collect();
            for n in 0..VALUES.len().pow(3) {
                let values = [n % 4, n / 4 % 4, n / 16].map(|at| VALUES[at]);
                let mut labels = vec![("__name__", "m")];
                labels.extend(NAMES.into_iter().zip(values).filter(|label| !label.1.is_empty()));
                let travels = split.assign(&labels).federations.contains(&federation.as_str());
                let selected = selectors.iter().any(|selector| selector.matches(&labels));
                prop_assert_eq!(travels, selected, "{:?} {:?}", labels, texts);
            }
        }
    }
}
