//! As much of the text format as the tests scrape: what a target says becomes series.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

/// A series with one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Scraped {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    pub at_ms: Option<i64>,
}

/// The samples of a text whose lines are well formed, and what a scrape of `instance` by `job` with `honor_labels`
/// makes of their labels.
pub fn scrape(text: &str, job: &str, instance: &str) -> Vec<Scraped> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut all: Vec<Scraped> = lines.map(line).collect();
    for scraped in &mut all {
        scraped.labels.retain(|_, value| !value.is_empty());
        scraped.labels.entry("job".into()).or_insert_with(|| job.into());
        scraped.labels.entry("instance".into()).or_insert_with(|| instance.into());
    }
    all
}

/// One line.
pub fn line(line: &str) -> Scraped {
    let name_end = line.find(['{', ' ']).unwrap();
    let mut labels = BTreeMap::from([("__name__".to_owned(), line[..name_end].to_owned())]);
    let mut rest = &line[name_end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (name, after) = rest.split_once("=\"").unwrap();
            let (value, after) = quoted(after);
            labels.insert(name.trim_start_matches(',').to_owned(), value);
            rest = after;
        }
        rest = &rest[1..];
    }
    let mut fields = rest.split_whitespace();
    let value = fields.next().unwrap().parse().unwrap();
    Scraped { labels, value, at_ms: fields.next().map(|at_ms| at_ms.parse().unwrap()) }
}

/// What stands before the next quote, and what comes after it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next().unwrap().1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            character => value.push(character),
        }
    }
    panic!("{text} has no end");
}
