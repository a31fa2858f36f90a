//! What becomes of a datagram on its way: how long it takes, whether it is lost, comes twice or late, waits for its turn on a thin line, or
//! meets a cut.

use std::time::Duration;

use fastrand::Rng;

use super::node::nanos;

/// How long a line takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    Fixed(Duration),
    Uniform {
        least: Duration,
        most: Duration,
    },
    /// Most near the median, a few much later: log-normal, as networks are.
    LogNormal {
        median: Duration,
        sigma: f64,
    },
}

/// A line from one site to another, one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    pub latency: Latency,
    /// The chance that a datagram is lost, comes twice, or is held back (and so overtaken).
    pub loss: f64,
    pub duplicate: f64,
    pub held: f64,
    /// For how long at most one is held back.
    pub held_for: Duration,
    /// How wide the line is between two nodes, in bytes a second.
    pub bytes_per_s: Option<u64>,
    /// How long what waits for its turn may be; more is dropped.
    pub backlog: Duration,
}

impl Link {
    /// A line without faults.
    pub fn clean(latency: Latency) -> Self {
        Self {
            latency,
            loss: 0.0,
            duplicate: 0.0,
            held: 0.0,
            held_for: Duration::ZERO,
            bytes_per_s: None,
            backlog: Duration::from_secs(2),
        }
    }

    /// A local network: half a millisecond, now and then a few.
    pub fn lan() -> Self {
        Self::clean(Latency::LogNormal { median: Duration::from_micros(500), sigma: 0.6 })
    }

    pub fn lossy(self, loss: f64) -> Self {
        Self { loss, ..self }
    }
}

/// All lines between the nodes of a world, and what is cut.
#[derive(Debug)]
pub struct Network {
    nodes: usize,
    site: Vec<u16>,
    sites: usize,
    links: Vec<Line>,
    cuts: Vec<Cut>,
    /// When the line between two nodes is free again; empty while no line has a width.
    free_ns: Vec<u64>,
    rng: Rng,
    /// The longest datagram that gets through.
    pub mtu_bytes: usize,
}

/// Two sets of nodes of which the first does not reach the second.
#[derive(Clone, Debug)]
struct Cut {
    id: u32,
    from: Set,
    to: Set,
}

/// A set of nodes, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set(Vec<u64>);

/// What becomes of a datagram: when it arrives, and when once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Lost,
    Once(u64),
    Twice(u64, u64),
}

/// A link with its chances as thresholds of a `u64` and its latency ready to be drawn.
#[derive(Debug)]
struct Line {
    link: Link,
    loss: u64,
    duplicate: u64,
    held: u64,
    delay: Delay,
}

#[derive(Debug)]
enum Delay {
    Fixed(u64),
    Uniform {
        least: u64,
        spread: u64,
    },
    /// Evenly spaced quantiles, in nanoseconds.
    Table(Vec<u64>),
}

const QUANTILES: usize = 1 << 12;

impl Network {
    /// Every node reaches every other one over links of the same kind.
    pub fn new(nodes: usize, link: Link, seed: u64) -> Self {
        Self::with_sites(vec![0; nodes], &[link], seed)
    }

    /// Nodes at sites; `links` has one for each pair of sites, by the first and then the second.
    pub fn with_sites(site: Vec<u16>, links: &[Link], seed: u64) -> Self {
        let sites = links.len().isqrt();
        assert_eq!(sites * sites, links.len(), "one link for each pair of sites");
        let mut network = Self {
            nodes: site.len(),
            site,
            sites,
            links: links.iter().map(Line::new).collect(),
            cuts: Vec::new(),
            free_ns: Vec::new(),
            rng: Rng::with_seed(seed),
            mtu_bytes: 1400,
        };
        network.widen();
        network
    }

    /// Changes every link.
    pub fn change(&mut self, change: impl Fn(&mut Link)) {
        for line in &mut self.links {
            let mut link = line.link;
            change(&mut link);
            *line = Line::new(&link);
        }
        self.widen();
    }

    /// From now on nobody of `from` reaches anybody of `to`.
    pub fn cut(&mut self, id: u32, from: Set, to: Set) {
        self.cuts.push(Cut { id, from, to });
    }

    pub fn heal(&mut self, id: u32) {
        self.cuts.retain(|cut| cut.id != id);
    }

    pub fn heal_all(&mut self) {
        self.cuts.clear();
    }

    /// Whether there is a way. O(cuts).
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        !self.cuts.iter().any(|cut| cut.from.has(from) && cut.to.has(to))
    }

    /// What becomes of a datagram that is sent now.
    pub fn carry(&mut self, from: usize, to: usize, bytes: usize, now_ns: u64) -> Fate {
        let Some(sent_ns) = self.queue(from, to, bytes, now_ns) else { return Fate::Lost };
        let line = &self.links[usize::from(self.site[from]) * self.sites + usize::from(self.site[to])];
        if line.loss > 0 && self.rng.u64(..) < line.loss {
            return Fate::Lost;
        }
        if !self.cuts.is_empty() && !self.reaches(from, to) {
            return Fate::Lost;
        }
        let mut at = sent_ns + line.delay.draw(&mut self.rng);
        if line.held > 0 && self.rng.u64(..) < line.held {
            at += self.rng.u64(..=nanos(line.link.held_for));
        }
        if line.duplicate > 0 && self.rng.u64(..) < line.duplicate {
            return Fate::Twice(at, at + line.delay.draw(&mut self.rng));
        }
        Fate::Once(at)
    }

    /// When a segment of a stream arrives that is sent now. A lost one is sent again, which costs it time and not more.
    pub fn carry_segment(&mut self, from: usize, to: usize, bytes: usize, now_ns: u64) -> u64 {
        // A stream waits for its turn where a datagram is dropped.
        let sent_ns = self.queue(from, to, bytes, now_ns).unwrap_or(now_ns + nanos(Duration::from_secs(2)));
        let line = &self.links[usize::from(self.site[from]) * self.sites + usize::from(self.site[to])];
        let mut at = sent_ns + line.delay.draw(&mut self.rng);
        let mut again_ns = nanos(Duration::from_millis(200));
        while line.loss > 0 && self.rng.u64(..) < line.loss && again_ns < nanos(Duration::from_secs(10)) {
            at += again_ns;
            again_ns *= 2;
        }
        at
    }

    /// When the line has sent it, or nothing if too much waits already.
    fn queue(&mut self, from: usize, to: usize, bytes: usize, now_ns: u64) -> Option<u64> {
        if self.free_ns.is_empty() {
            return Some(now_ns);
        }
        let link = &self.links[usize::from(self.site[from]) * self.sites + usize::from(self.site[to])].link;
        let Some(bytes_per_s) = link.bytes_per_s else { return Some(now_ns) };
        let free_ns = &mut self.free_ns[from * self.nodes + to];
        let start_ns = now_ns.max(*free_ns);
        if start_ns - now_ns > nanos(link.backlog) {
            return None;
        }
        *free_ns = start_ns + bytes as u64 * 1_000_000_000 / bytes_per_s;
        Some(*free_ns)
    }

    /// Makes room for when lines are free again, if any has a width.
    fn widen(&mut self) {
        if self.free_ns.is_empty() && self.links.iter().any(|line| line.link.bytes_per_s.is_some()) {
            assert!(self.nodes <= 4096, "lines with a width are counted pair by pair");
            self.free_ns = vec![0; self.nodes * self.nodes];
        }
    }
}

impl Set {
    pub fn of(numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut words = Vec::new();
        for number in numbers {
            if words.len() <= number / 64 {
                words.resize(number / 64 + 1, 0);
            }
            words[number / 64] |= 1 << (number % 64);
        }
        Self(words)
    }

    pub fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|&number| self.has(number))
    }
}

impl Line {
    fn new(link: &Link) -> Self {
        Self {
            link: *link,
            loss: threshold(link.loss),
            duplicate: threshold(link.duplicate),
            held: threshold(link.held),
            delay: Delay::new(link.latency),
        }
    }
}

impl Delay {
    fn new(latency: Latency) -> Self {
        match latency {
            Latency::Fixed(fixed) => Self::Fixed(nanos(fixed)),
            Latency::Uniform { least, most } => {
                Self::Uniform { least: nanos(least), spread: nanos(most.saturating_sub(least)) }
            }
            Latency::LogNormal { median, sigma } => Self::Table(
                (0..QUANTILES)
                    .map(|i| {
                        let normal = quantile((i as f64 + 0.5) / QUANTILES as f64);
                        (nanos(median) as f64 * (sigma * normal).exp()) as u64
                    })
                    .collect(),
            ),
        }
    }

    fn draw(&self, rng: &mut Rng) -> u64 {
        match self {
            Self::Fixed(fixed) => *fixed,
            Self::Uniform { least, spread } => least + rng.u64(..=*spread),
            Self::Table(table) => {
                // The rest of the bits place it between two quantiles, so that no two datagrams need arrive at once.
                let bits = rng.u64(..);
                let at = (bits >> 52) as usize;
                let (low, high) = (table[at], table[(at + 1).min(QUANTILES - 1)]);
                low + (((high - low) as u128 * u128::from(bits << 12)) >> 64) as u64
            }
        }
    }
}

/// The quantile of the standard normal distribution, to about 0.0005.
///
/// Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.2.23.
fn quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    above / below - t
}

/// A chance as the share of all values of a `u64`.
fn threshold(chance: f64) -> u64 {
    // Saturates: a chance of one is all but one value in 2^64.
    (chance * 2f64.powi(64)) as u64
}
