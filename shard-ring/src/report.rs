//! How evenly something is spread over nodes and what a change would cost: as a table to read and as a picture to look at.

mod measure;
mod svg;
mod text;

use std::fmt;

pub use measure::even_keys;

/// Who has how much, beside what would be fair by weight, and what moves when a node goes or comes.
///
/// It is made of a ring and keys ([`of_ring`](Self::of_ring)), or of any other loads ([`of_loads`](Self::of_loads)): targets that
/// were assigned by cost, say. Its text is an aligned table; [`to_svg`](Self::to_svg) draws it. Both are the same for the same
/// report, always.
///
/// ```
/// use promha_shard_ring::report::{Report, Row};
///
/// let rows = [Row::new("a", 300).with_zone("x"), Row::new("b", 100).with_zone("y").with_weight(3)];
/// let report = Report::of_loads("targets by cost", rows).with_unit("series");
/// let a = &report.rows()[0];
/// assert_eq!((report.total(), report.share(a), report.fair(a)), (400, 0.75, 100.0));
/// assert_eq!(report.imbalance(a), Some(2.0), "three times what is fair");
/// assert!(report.to_string().contains("+200.0 %"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    title: String,
    unit: String,
    rows: Vec<Row>,
    addition: Option<Addition>,
}

/// A node and what it has.
///
/// ```
/// use promha_shard_ring::report::Row;
///
/// let row = Row::new("a", 12).with_zone("eu-1").with_weight(2);
/// assert_eq!((row.id(), row.load(), row.zone(), row.weight(), row.removal()), ("a", 12, "eu-1", 2, None));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    id: String,
    zone: String,
    weight: u32,
    load: u128,
    removal: Option<Change>,
}

/// What moves when the nodes are others, by cost.
///
/// ```
/// use promha_shard_ring::report::Change;
///
/// let change = Change { moved: 120, ideal: 100.0, needless: 20 };
/// assert_eq!(change.ratio(), Some(1.2));
/// assert_eq!(Change { moved: 0, ideal: 0.0, needless: 0 }.ratio(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The cost of what moves.
    pub moved: u128,
    /// What has to move whatever the strategy: all that a node had that goes, the fair share of one that comes.
    pub ideal: f64,
    /// The part of `moved` that goes from one node to another while both stay.
    pub needless: u128,
}

/// What moves when one more node comes.
///
/// ```
/// use promha_shard_ring::report::{Addition, Change, Report, Row};
///
/// let change = Change { moved: 50, ideal: 50.0, needless: 0 };
/// let report = Report::of_loads("pair", [Row::new("a", 100)]).with_addition(Addition { weight: 1, change });
/// assert_eq!(report.addition().and_then(|addition| addition.change.ratio()), Some(1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Addition {
    /// What the node weighs.
    pub weight: u32,
    /// What moves.
    pub change: Change,
}

impl Change {
    /// How many times the ideal moves; nothing if nothing has to.
    pub fn ratio(&self) -> Option<f64> {
        (self.ideal > 0.0).then(|| self.moved as f64 / self.ideal).filter(|ratio| ratio.is_finite())
    }
}

impl Row {
    /// A node of weight 1 that has this much, in the zone without a name.
    pub fn new(id: impl Into<String>, load: u128) -> Self {
        Self { id: id.into(), zone: String::new(), weight: 1, load, removal: None }
    }

    /// What fails with it.
    #[must_use]
    pub fn with_zone(self, zone: impl Into<String>) -> Self {
        Self { zone: zone.into(), ..self }
    }

    /// Its share beside those of others.
    #[must_use]
    pub fn with_weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// What moves when it is removed.
    #[must_use]
    pub fn with_removal(self, removal: Change) -> Self {
        Self { removal: Some(removal), ..self }
    }

    /// What it is told apart by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What fails with it.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Its share beside those of others.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// The cost of what it has.
    pub fn load(&self) -> u128 {
        self.load
    }

    /// What moves when it is removed, if that is known and can be done.
    pub fn removal(&self) -> Option<Change> {
        self.removal
    }
}

impl Report {
    /// Of loads that come from anywhere, in the order in which they are shown. Their unit is "keys" unless another is said.
    pub fn of_loads(title: impl Into<String>, rows: impl IntoIterator<Item = Row>) -> Self {
        let rows = rows.into_iter().collect();
        Self { title: title.into(), unit: "keys".to_owned(), rows, addition: None }
    }

    /// With another title.
    #[must_use]
    pub fn with_title(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// What loads are counted in: "series", say.
    #[must_use]
    pub fn with_unit(self, unit: impl Into<String>) -> Self {
        Self { unit: unit.into(), ..self }
    }

    /// What moves when one more node comes.
    #[must_use]
    pub fn with_addition(self, addition: Addition) -> Self {
        Self { addition: Some(addition), ..self }
    }

    /// What stands above it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What loads are counted in.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The nodes, in the order in which they are shown: of a ring, that of their ids.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What moves when one more node comes, if that is known and can be done.
    pub fn addition(&self) -> Option<Addition> {
        self.addition
    }

    /// The sum of the loads. `O(n)`.
    pub fn total(&self) -> u128 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.load))
    }

    /// The sum of the weights. `O(n)`.
    pub fn total_weight(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.weight)).sum()
    }

    /// How many zones there are; the one without a name is one. `O(n log n)`.
    pub fn zones(&self) -> usize {
        self.zone_names().len()
    }

    /// Which part of the total a node has, from 0 to 1; of nothing, 0. `O(n)`.
    pub fn share(&self, row: &Row) -> f64 {
        let total = self.total();
        if total == 0 { 0.0 } else { row.load as f64 / total as f64 }
    }

    /// The load a node of this weight should have. `O(n)`.
    pub fn fair(&self, row: &Row) -> f64 {
        let weight = self.total_weight();
        if weight == 0 { 0.0 } else { self.total() as f64 * f64::from(row.weight) / weight as f64 }
    }

    /// How far a load is from what is fair, as a part of that: 0.1 is a tenth too much. Nothing if nothing is fair. `O(n)`.
    pub fn imbalance(&self, row: &Row) -> Option<f64> {
        let fair = self.fair(row);
        (fair > 0.0).then(|| row.load as f64 / fair - 1.0)
    }

    /// The highest load beside the mean, each by weight: 1 is even. Nothing if there is no load or no weight. `O(n)`.
    ///
    /// ```
    /// use promha_shard_ring::report::{Report, Row};
    ///
    /// let report = Report::of_loads("", [Row::new("a", 30), Row::new("b", 90).with_weight(2)]);
    /// assert_eq!(report.max_over_mean(), Some(1.125));
    /// assert_eq!(Report::of_loads("", []).max_over_mean(), None);
    /// ```
    pub fn max_over_mean(&self) -> Option<f64> {
        self.extremes().map(|[_, (_, highest)]| 1.0 + highest)
    }

    /// The cost of all that would move between nodes that stay, over every removal and the addition: of a good strategy, 0.
    pub fn needless(&self) -> u128 {
        let removals = self.rows.iter().filter_map(|row| row.removal);
        let additions = self.addition.map(|addition| addition.change);
        removals.chain(additions).fold(0, |sum, change| sum.saturating_add(change.needless))
    }

    /// A picture: a bar for each node with a mark where it should end, and below it what moves if the node is removed.
    ///
    /// It is a document of its own: no scripts, nothing to be loaded, colours for light and for dark pages. Whatever the ids and
    /// the title are made of, it is well-formed.
    ///
    /// # Cost
    /// `O(n log n)`; about 500 bytes for each node.
    ///
    /// ```
    /// use promha_shard_ring::report::{Report, Row};
    ///
    /// let svg = Report::of_loads("loads", [Row::new("<&\">", 1)]).to_svg();
    /// assert!(svg.starts_with("<svg ") && svg.contains("&lt;&amp;&quot;&gt;"));
    /// ```
    pub fn to_svg(&self) -> String {
        svg::Drawing::new(self).to_string()
    }

    /// The nodes with the least and the most for their weight, and how far they are from what is fair.
    fn extremes(&self) -> Option<[(&Row, f64); 2]> {
        let (total, weight) = (self.total() as f64, self.total_weight() as f64);
        // A node that may have nothing but has something would be infinitely far off, and hide all others.
        let off = |row: &Row| row.load as f64 * weight / (total * f64::from(row.weight)) - 1.0;
        let weighted = self.rows.iter().filter(|row| row.weight > 0 && total > 0.0);
        let all = weighted.map(|row| (row, off(row)));
        let least = all.clone().reduce(|a, b| if b.1 < a.1 { b } else { a })?;
        let most = all.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        Some([least, most])
    }

    fn zone_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.rows.iter().map(Row::zone).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

/// Ids, zones and titles come from outside: what is no visible character does not reach a terminal or a document.
fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    // Besides control characters: what changes the direction of all text after it, and what XML forbids.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(move |c| if hidden(c) { char::REPLACEMENT_CHARACTER } else { c })
}

/// A part of one in percent, with its sign; never a zero with a minus.
fn signed_percent(part: f64) -> String {
    let tenths = (part * 1000.0).round() / 10.0 + 0.0;
    format!("{tenths:+.1} %")
}

/// "1 node", "2 nodes".
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
