//! The rules of a federation as selectors.

use super::{Split, SplitError};
use crate::matcher::{Matcher, Op};
use crate::selector::Selector;

/// How many selectors one federation may take. Each is matched against every series, and all are in one URL.
const MAX_SELECTORS: usize = 1_000;

pub(super) fn selectors(split: &Split, federation: &str) -> Result<Vec<String>, SplitError> {
    if !split.federations.iter().any(|known| known == federation) {
        return Err(SplitError::Unknown { federation: federation.to_owned() });
    }
    let (mut stays, mut texts) = (Vec::new(), Vec::new());
    for rule in &split.rules {
        if rule.federations.is_empty() {
            stays.extend(&rule.selectors);
        } else if rule.federations.iter().any(|known| known == federation) {
            for selector in &rule.selectors {
                for matchers in without(selector, &stays, federation)? {
                    let matchers: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
                    let text = format!("{{{}}}", matchers.join(","));
                    if !texts.contains(&text) {
                        texts.push(text);
                    }
                }
            }
            check(texts.len(), federation)?;
        }
    }
    Ok(texts)
}

/// Selectors, each as its matchers, that together select what `selector` selects and none of `stays` does.
fn without(
    selector: &Selector,
    stays: &[&Selector],
    federation: &str,
) -> Result<Vec<Vec<Matcher>>, SplitError> {
    let mut alternatives = vec![selector.matchers().to_vec()];
    for stay in stays {
        // Whatever fails one of the matchers is not selected.
        let mut next = Vec::new();
        for matchers in &alternatives {
            for matcher in stay.matchers() {
                if matchers.iter().any(|known| same(known, matcher, matcher.op())) {
                    continue;
                }
                let op = opposite(matcher.op());
                let mut matchers = matchers.clone();
                if !matchers.iter().any(|known| same(known, matcher, op)) {
                    matchers.push(Matcher::new(matcher.name(), op, matcher.value())?);
                }
                next.push(matchers);
            }
        }
        check(next.len(), federation)?;
        alternatives = next;
    }
    Ok(alternatives)
}

fn check(selectors: usize, federation: &str) -> Result<(), SplitError> {
    if selectors > MAX_SELECTORS {
        return Err(SplitError::TooMany { federation: federation.to_owned(), limit: MAX_SELECTORS });
    }
    Ok(())
}

fn same(known: &Matcher, matcher: &Matcher, op: Op) -> bool {
    known.op() == op && known.name() == matcher.name() && known.value() == matcher.value()
}

fn opposite(op: Op) -> Op {
    match op {
        Op::Equal => Op::NotEqual,
        Op::NotEqual => Op::Equal,
        Op::Regex => Op::NotRegex,
        Op::NotRegex => Op::Regex,
    }
}
