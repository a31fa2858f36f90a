//! The report as a picture.

use std::fmt::{self, Display, Formatter, Write};

use super::{Addition, Report, Row, counted, signed_percent, visible};

/// Colours are classes, so that a dark page gets others. A viewer that knows no media queries shows the light ones. Red is kept for
/// what is wrong, so no zone has it.
const STYLE: &str = "
text { font-family: system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; font-size: 11px; fill: #52514e }
.page { fill: #fcfcfb } .title { font-size: 17px; font-weight: 600; fill: #0b0b0b } .sub { font-size: 12px }
.grid { stroke: #e4e3df; stroke-width: 1 } .axis { stroke: #a3a29c; stroke-width: 1 } .num { text-anchor: end } .mid { text-anchor: middle }
.off { font-size: 10px; text-anchor: middle; stroke: #fcfcfb; stroke-width: 3; paint-order: stroke } .fair { stroke: #0b0b0b; stroke-width: 2 } .ideal { stroke: #0b0b0b; stroke-width: 1; stroke-dasharray: 4 3 }
.z0 { fill: #2a78d6 } .z1 { fill: #1baf7a } .z2 { fill: #eda100 } .z3 { fill: #4a3aa7 } .z4 { fill: #e87ba4 } .z5 { fill: #008300 }
.moved { fill: #a3a29c } .needless { fill: #d03b3b } .none { fill: none; stroke: #a3a29c; stroke-dasharray: 2 2 }
@media (prefers-color-scheme: dark) {
text { fill: #c3c2b7 } .page { fill: #1a1a19 } .off { stroke: #1a1a19 } .title { fill: #ffffff }
.grid { stroke: #33322f } .axis { stroke: #77766f } .fair, .ideal { stroke: #ffffff }
.z0 { fill: #3987e5 } .z1 { fill: #199e70 } .z2 { fill: #c98500 } .z3 { fill: #9085e9 } .z4 { fill: #d55181 } .z5 { fill: #5aa83a }
.moved { fill: #77766f } .needless { fill: #e66767 }
}
";

const NOTE: &str = "as a multiple of what the node had: 1 is ideal, red is needless";
/// More zones than colours are not told apart at all, rather than wrongly.
const COLOURS: usize = 6;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
const LEGEND_TOP: f64 = 96.0;
const LEGEND_LINE: f64 = 18.0;
const LOADS_HEIGHT: f64 = 250.0;
const MOVES_HEIGHT: f64 = 84.0;
/// What a character of a label is wide, about, in a font of 11 pixels.
const CHARACTER: f64 = 6.3;
/// Bars closer to each other than that have smaller names.
const SMALL: f64 = 12.0;
/// Longer names lose their middle.
const LONGEST: usize = 26;
/// Names closer to each other than that cannot be read.
const NEAREST: f64 = 9.5;

/// Everything that is known before the first line is drawn.
pub(super) struct Drawing<'a> {
    report: &'a Report,
    zones: Vec<&'a str>,
    total: f64,
    weight: f64,
    /// What all names end with and none shows.
    suffix: String,
    labels: Vec<String>,
    names: Names,
    names_height: f64,
    legend: Vec<Entry>,
    left: f64,
    plot: f64,
    slot: f64,
    loads: Scale,
    /// Nothing, if of no node it is known what would move.
    moves: Option<Scale>,
    foot: f64,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let rows = &report.rows;
        let (total, weight) = (report.total() as f64, report.total_weight() as f64);
        let slots = rows.len().max(1) as f64;
        // Few bars shall not become boxes, many shall not become wider than a page; beyond a thousand each keeps a pixel.
        let plot = (slots * 46.0).clamp(660.0, 1000.0).max(slots);
        let slot = plot / slots;

        let ids: Vec<String> = rows.iter().map(|row| visible(&row.id).collect()).collect();
        let suffix = common_suffix(&ids).to_owned();
        let labels: Vec<String> =
            ids.iter().map(|id| shortened(id.strip_suffix(&suffix).unwrap_or(id))).collect();
        let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let wide = longest as f64 * CHARACTER;
        let slanted = wide * std::f64::consts::FRAC_1_SQRT_2;
        let (names, names_height) = match slot {
            _ if wide + 8.0 < slot => (Names::Level, 14.0),
            20.0.. => (Names::Slanted, slanted + 8.0),
            _ => (Names::Upright, wide * if slot < SMALL { 9.0 / 11.0 } else { 1.0 } + 8.0),
        };
        // The first slanted name must not begin beyond the edge.
        let left = if matches!(names, Names::Slanted) { LEFT.max(slanted - slot / 2.0 + 12.0) } else { LEFT };

        let zones = report.zone_names();
        let legend = legend(&zones, left, plot);
        let loads_top = legend.last().map_or(LEGEND_TOP, |entry| entry.y) + 26.0;
        let moves_top = loads_top + LOADS_HEIGHT + 40.0;
        let fair = |row: &Row| if weight > 0.0 { total * f64::from(row.weight) / weight } else { 0.0 };
        let highest = rows.iter().map(|row| fair(row).max(row.load as f64)).fold(0.0, f64::max);
        let ratios = rows.iter().filter_map(|row| row.removal?.ratio());
        // Room for what is written above a bar; and there is no part of a key.
        let loads = Scale { least: 1.0, ..Scale::new(highest * 1.06, loads_top, LOADS_HEIGHT, 6.0) };
        let known = rows.iter().any(|row| row.removal.is_some());
        let moves = known.then(|| Scale::new(ratios.fold(1.0, f64::max) * 1.1, moves_top, MOVES_HEIGHT, 2.0));
        let foot = moves.as_ref().unwrap_or(&loads).bottom();
        Self {
            report,
            zones,
            total,
            weight,
            suffix,
            labels,
            names,
            names_height,
            legend,
            left,
            plot,
            slot,
            loads,
            moves,
            foot,
        }
    }

    fn fair(&self, row: &Row) -> f64 {
        if self.weight > 0.0 { self.total * f64::from(row.weight) / self.weight } else { 0.0 }
    }

    fn middle(&self, row: usize) -> f64 {
        self.left + self.slot * (row as f64 + 0.5)
    }

    fn colour(&self, row: &Row) -> usize {
        let zone = self.zones.binary_search(&row.zone()).unwrap_or(0);
        if self.zones.len() > COLOURS { 0 } else { zone }
    }

    fn heading(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let fits = ((self.left + self.plot) / 10.5) as usize;
        writeln!(
            f,
            "<text class=\"title\" x=\"20\" y=\"32\">{}</text>",
            Escaped(&elided(&report.title, fits))
        )?;
        let (nodes, zones) = (counted(report.rows.len(), "node"), counted(self.zones.len(), "zone"));
        let unit = shortened(&report.unit);
        write!(f, "<text class=\"sub\" x=\"20\" y=\"52\">{} {}", Short(self.total, 1e4), Escaped(&unit))?;
        write!(f, " on {nodes} in {zones}")?;
        if let Some(highest) = report.max_over_mean() {
            write!(f, " · max/mean by weight {highest:.3}")?;
        }
        write!(f, "</text>\n<text class=\"sub\" x=\"20\" y=\"69\">")?;
        if let Some(Addition { weight, change }) = report.addition {
            write!(f, "one more node of weight {weight} moves {}", Short(change.moved as f64, 1e4))?;
            if let Some(ratio) = change.ratio() {
                write!(f, ", {ratio:.2}× the ideal")?;
            }
            f.write_str(" · ")?;
        }
        let known = report.addition.is_some() || report.rows.iter().any(|row| row.removal.is_some());
        match report.needless() {
            0 if known => f.write_str("no needless moves")?,
            0 => f.write_str("what would move is not known")?,
            needless => {
                write!(
                    f,
                    "{} {} move needlessly, over all changes",
                    Short(needless as f64, 1e4),
                    Escaped(&unit)
                )?;
            }
        }
        writeln!(f, "</text>")
    }

    fn legend(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Entry { x, y, zone, text } in &self.legend {
            write!(f, "<g transform=\"translate({x:.1} {y:.1})\">")?;
            match zone {
                Some(zone) => {
                    write!(f, "<rect class=\"z{zone}\" y=\"-9\" width=\"11\" height=\"11\" rx=\"2\"/>")?;
                }
                None => f.write_str("<path class=\"fair\" d=\"M0 -4h12\"/>")?,
            }
            writeln!(f, "<text x=\"17\">{}</text></g>", Escaped(text))?;
        }
        Ok(())
    }

    fn axis(&self, f: &mut Formatter<'_>, scale: &Scale, label: &str, times: &str) -> fmt::Result {
        let (end, middle) = (self.left + self.plot, scale.top + scale.height / 2.0);
        for tick in scale.ticks() {
            let y = scale.y(tick);
            let class = if tick > 0.0 { "grid" } else { "axis" };
            writeln!(f, "<path class=\"{class}\" d=\"M{:.1} {y:.1}H{end:.1}\"/>", self.left)?;
            writeln!(
                f,
                "<text class=\"num\" x=\"{:.1}\" y=\"{:.1}\">{}{times}</text>",
                self.left - 8.0,
                y + 4.0,
                Short(tick, 1e3)
            )?;
        }
        writeln!(
            f,
            "<text class=\"mid\" transform=\"translate({:.1} {middle:.1}) rotate(-90)\">{}</text>",
            self.left - 54.0,
            Escaped(label)
        )
    }

    fn bars(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = (self.slot * 0.72).min(64.0);
        for (i, row) in self.report.rows.iter().enumerate() {
            let middle = self.middle(i);
            let left = middle - width / 2.0;
            let (load, fair) = (row.load as f64, self.fair(row));
            write!(f, "<g><title>")?;
            self.hint(f, row)?;
            writeln!(f, "</title>")?;
            bar(f, &format!("z{}", self.colour(row)), left, width, &self.loads, 0.0, load)?;
            if self.weight > 0.0 {
                let (start, y) = (middle - self.slot * 0.46, self.loads.y(fair));
                writeln!(f, "<path class=\"fair\" d=\"M{start:.1} {y:.1}h{:.1}\"/>", self.slot * 0.92)?;
            }
            if self.slot >= 40.0 && fair > 0.0 {
                let y = self.loads.y(load.max(fair)) - 6.0;
                let off = signed_percent(load / fair - 1.0);
                writeln!(f, "<text class=\"off\" x=\"{middle:.1}\" y=\"{y:.1}\">{off}</text>")?;
            }
            if let Some(moves) = &self.moves {
                moved(f, row, left, width, moves)?;
            }
            writeln!(f, "</g>")?;
        }
        let Some(moves) = &self.moves else { return Ok(()) };
        let y = moves.y(1.0);
        writeln!(f, "<path class=\"ideal\" d=\"M{:.1} {y:.1}h{:.1}\"/>", self.left, self.plot)
    }

    /// What is shown where the pointer rests.
    fn hint(&self, f: &mut Formatter<'_>, row: &Row) -> fmt::Result {
        write!(f, "{}: {} {}", Escaped(&row.id), row.load, Escaped(&self.report.unit))?;
        write!(f, ", fair {:.0} (weight {})", self.fair(row), row.weight)?;
        if !row.zone.is_empty() {
            write!(f, ", zone {}", Escaped(&row.zone))?;
        }
        if let Some(removal) = row.removal {
            write!(f, "; if removed, {} move, {} of them needlessly", removal.moved, removal.needless)?;
        }
        Ok(())
    }

    fn node_names(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let every = (NEAREST / self.slot).ceil().max(1.0) as usize;
        let class = if matches!(self.names, Names::Level) { "mid" } else { "num" };
        let size = if self.slot < SMALL { " style=\"font-size:9px\"" } else { "" };
        let foot = self.foot;
        for (i, label) in self.labels.iter().enumerate().step_by(every) {
            let x = self.middle(i);
            // A turned text hangs at the middle of its line, not at its foot.
            let (x, y, turned) = match self.names {
                Names::Level => (x, foot + 16.0, 0),
                Names::Slanted => (x + 4.0, foot + 13.0, -45),
                Names::Upright => (x + 3.5, foot + 7.0, -90),
            };
            write!(
                f,
                "<text class=\"{class}\"{size} transform=\"translate({x:.1} {y:.1}) rotate({turned})\">"
            )?;
            writeln!(f, "{}</text>", Escaped(label))?;
        }
        let (x, y) = (self.left + self.plot / 2.0, foot + self.names_height + 20.0);
        write!(f, "<text class=\"mid\" x=\"{x:.1}\" y=\"{y:.1}\">node")?;
        if !self.suffix.is_empty() {
            write!(f, " (each with {} at its end)", Escaped(&shortened(&self.suffix)))?;
        }
        if every > 1 {
            write!(f, ", one in {every} is named")?;
        }
        writeln!(f, "</text>")
    }
}

/// What a mark or a colour means.
struct Entry {
    x: f64,
    y: f64,
    /// The number of a zone; without one, the mark of the fair share.
    zone: Option<usize>,
    text: String,
}

/// As many lines as it takes.
fn legend(zones: &[&str], left: f64, plot: f64) -> Vec<Entry> {
    let mut texts = vec![(None, "fair share by weight".to_owned())];
    if zones.len() <= COLOURS {
        texts.extend(zones.iter().enumerate().map(|(number, zone)| {
            let text = match (zone.is_empty(), zones.len()) {
                (true, 1) => "load".to_owned(),
                (true, _) => "without a zone".to_owned(),
                (false, _) => format!("zone {}", shortened(&visible(zone).collect::<String>())),
            };
            (Some(number), text)
        }));
    }
    let (mut x, mut y) = (left, LEGEND_TOP);
    let mut entries = Vec::with_capacity(texts.len());
    for (zone, text) in texts {
        let width = text.chars().count() as f64 * CHARACTER + 36.0;
        if x > left && x + width > left + plot {
            (x, y) = (left, y + LEGEND_LINE);
        }
        entries.push(Entry { x, y, zone, text });
        x += width;
    }
    entries
}

/// How names stand below their bars.
#[derive(Clone, Copy)]
enum Names {
    Level,
    Slanted,
    Upright,
}

impl Display for Drawing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (width, foot) = (self.left + self.plot + RIGHT, self.foot);
        let height = foot + self.names_height + 34.0;
        write!(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\"")?;
        writeln!(f, " viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">")?;
        writeln!(f, "<title>{}</title>", Escaped(&self.report.title))?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(f, "<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"6\"/>")?;
        self.heading(f)?;
        self.legend(f)?;
        self.axis(f, &self.loads, &format!("load ({})", shortened(&self.report.unit)), "")?;
        if let Some(moves) = &self.moves {
            self.axis(f, moves, "moves if removed", "×")?;
            let (x, y) = (self.left, moves.top - 8.0);
            writeln!(f, "<text x=\"{x:.1}\" y=\"{y:.1}\">{NOTE}</text>")?;
        }
        self.bars(f)?;
        self.node_names(f)?;
        f.write_str("</svg>\n")
    }
}

/// What moves if a node is removed: what it had, and on top of that what should have stayed.
fn moved(f: &mut Formatter<'_>, row: &Row, left: f64, width: f64, scale: &Scale) -> fmt::Result {
    let Some(removal) = row.removal else {
        return bar(f, "none", left, width, scale, 0.0, 1.0);
    };
    let Some(ratio) = removal.ratio() else { return Ok(()) };
    let kept = (ratio - removal.needless as f64 / removal.ideal).max(0.0);
    bar(f, "moved", left, width, scale, 0.0, kept)?;
    bar(f, "needless", left, width, scale, kept, ratio)
}

fn bar(
    f: &mut Formatter<'_>,
    class: &str,
    x: f64,
    width: f64,
    scale: &Scale,
    from: f64,
    to: f64,
) -> fmt::Result {
    let (y, foot) = (scale.y(to), scale.y(from));
    let height = foot - y;
    // What is there shall be seen, be it ever so little.
    if to > from {
        let height = height.max(0.5);
        writeln!(
            f,
            "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{width:.2}\" height=\"{height:.2}\"/>",
            foot - height
        )?;
    }
    Ok(())
}

/// From values to heights, with round numbers at its lines.
struct Scale {
    top: f64,
    height: f64,
    highest: f64,
    step: f64,
    /// Lines are at least that far apart.
    least: f64,
}

impl Scale {
    fn new(highest: f64, top: f64, height: f64, lines: f64) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let rough = highest / lines;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0].map(|round| round * power).into_iter().find(|&step| step >= rough);
        Self { top, height, highest, step: step.unwrap_or(10.0 * power), least: 0.0 }
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.highest)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (step, highest) = (self.step.max(self.least), self.highest);
        (0..32).map(move |i| f64::from(i) * step).take_while(move |&tick| tick <= highest)
    }
}

/// What all ids end with, from a dot or a colon on: `.example.org:9090`. It is the same for all, and so says nothing.
fn common_suffix(ids: &[String]) -> &str {
    let Some((first, others)) = ids.split_first().filter(|(_, others)| !others.is_empty()) else {
        return "";
    };
    let ends = first.match_indices(['.', ':']).filter(|&(at, _)| at > 0).map(|(at, _)| &first[at..]);
    let common = |end: &&str| others.iter().all(|id| id.len() > end.len() && id.ends_with(end));
    ends.into_iter().find(common).unwrap_or("")
}

fn shortened(text: &str) -> String {
    elided(text, LONGEST)
}

/// Without its middle, if it is longer than that.
fn elided(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let half = longest.saturating_sub(1) / 2;
    let (first, last) = (text.chars().take(half), text.chars().skip(length - half));
    first.chain(['…']).chain(last).collect()
}

/// A number as one reads it, with a unit from some size on: 1500, 20k, 1.5M.
struct Short(f64, f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let units = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
        let unit = units.into_iter().find(|(size, _)| self.0 >= *size && self.0 >= self.1);
        let (size, unit) = unit.unwrap_or((1.0, ""));
        // Display of a float is the shortest text that reads the same.
        write!(f, "{}{unit}", (self.0 / size * 100.0).round() / 100.0)
    }
}

/// A text as part of a document, in an element or in an attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for c in visible(self.0) {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&apos;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
