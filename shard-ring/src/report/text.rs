//! The report as an aligned table.

use std::fmt;

use super::{Change, Report, counted, signed_percent, visible};

const HEADS: [&str; 9] =
    ["node", "zone", "weight", "load", "share", "fair", "off fair", "if removed, moves", "of ideal"];
/// So many columns are texts, which stand to the left.
const TEXTS: usize = 2;

pub(super) fn write(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let unit: String = visible(&report.unit).collect();
    let title: String = visible(&report.title).collect();
    writeln!(f, "{title}")?;
    let (total, weight) = (report.total(), report.total_weight());
    let (nodes, zones) = (counted(report.rows.len(), "node"), counted(report.zones(), "zone"));
    writeln!(f, "{total} {unit} on {nodes} in {zones}, weight {weight}")?;
    if let Some([(least, low), (most, high)]) = report.extremes() {
        let [least, most] = [least, most].map(|row| visible(row.id()).collect::<String>());
        let (low, high, ratio) = (signed_percent(low), signed_percent(high), 1.0 + high);
        writeln!(f, "max/mean by weight {ratio:.3}: most {high} ({most}), least {low} ({least})")?;
    }
    writeln!(f)?;
    table(report, f)?;
    writeln!(f)?;
    if let Some(addition) = report.addition {
        let Change { moved, ideal, .. } = addition.change;
        write!(f, "one more node of weight {}: {moved} {unit} move", addition.weight)?;
        writeln!(f, ", ideal {ideal:.0} ({})", ratio(addition.change))?;
    }
    let known = report.addition.is_some() || report.rows.iter().any(|row| row.removal.is_some());
    match report.needless() {
        _ if !known => write!(f, "needless moves: not known"),
        0 => write!(f, "needless moves: 0"),
        needless => {
            write!(f, "NEEDLESS MOVES: {needless} {unit} between nodes that stay, over all changes above")
        }
    }
}

fn table(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (total, weight) = (report.total(), report.total_weight());
    let percent = |part: f64, whole: f64| if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    let mut lines: Vec<[String; 9]> = vec![HEADS.map(str::to_owned)];
    for row in &report.rows {
        // From the sums, not from `report.share` and the like: those add up all rows each time.
        let fair = percent(f64::from(row.weight), weight as f64);
        let share = percent(row.load as f64, total as f64);
        let off = (fair > 0.0 && total > 0).then(|| share / fair - 1.0);
        lines.push([
            visible(&row.id).collect(),
            if row.zone.is_empty() { "-".to_owned() } else { visible(&row.zone).collect() },
            row.weight.to_string(),
            row.load.to_string(),
            format!("{share:.2} %"),
            format!("{fair:.2} %"),
            off.map_or_else(|| "-".to_owned(), signed_percent),
            row.removal.map_or_else(|| "-".to_owned(), |removal| removal.moved.to_string()),
            row.removal.map_or_else(|| "-".to_owned(), ratio),
        ]);
    }
    let mut widths = [0; 9];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            let (before, after) = if column < TEXTS { ("", pad.as_str()) } else { (pad.as_str(), "") };
            text.extend([gap, before, cell, after]);
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

/// How many times the ideal.
fn ratio(change: Change) -> String {
    change.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"))
}
