//! Which targets a shard keeps, as a function and as configuration.

use std::fmt::Write as _;

use crate::compat::relabel::{hashmod, value};

/// Set on a target, it says what decides over its shard, instead of its address.
const HASH: &str = "__tmp_hash";

/// Set on a target, every shard keeps it.
const DISABLE: &str = "__tmp_disable_sharding";

/// One of several Prometheus servers that share targets by `hashmod`, in the way of the Prometheus Operator.
///
/// A target has a number: the hash of its address modulo the number of shards. The shard of that number keeps it; with a
/// replication of `r`, so do the `r - 1` after it. Where relabelling set the label `__tmp_hash` before, that is hashed
/// instead, and where it set `__tmp_disable_sharding` to anything, every shard keeps the target. Prometheus drops both
/// labels afterwards.
///
/// [`keeps`](Self::keeps) is the twin of [`relabel_configs`](Self::relabel_configs): what a Prometheus with that
/// configuration keeps. Changing the number of shards moves nearly everything; the rings of this crate do not.
///
/// Source: `pkg/prometheus/promcfg.go` of the Prometheus Operator, and `model/relabel` of Prometheus.
///
/// ```
/// use promha_shard_ring::prometheus::Shard;
///
/// let target = [("__address__", "10.0.0.1:9100"), ("job", "node")];
/// let keepers = |replication| -> Vec<u64> {
///     let shards = (0..3).map(|i| Shard::new(i, 3).and_then(|shard| shard.with_replication(replication)));
///     shards.flatten().filter(|shard| shard.keeps(&target)).map(|shard| shard.number()).collect()
/// };
/// assert_eq!(keepers(1), [2]);
/// assert_eq!(keepers(2), [0, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    shards: u64,
    replication: u64,
    source_label: &'static str,
}

impl Shard {
    /// Shard `number`, counted from 0, of so many.
    ///
    /// # Errors
    /// [`ShardError::OutOfRange`] if there are not as many.
    pub fn new(number: u64, shards: u64) -> Result<Self, ShardError> {
        if number >= shards {
            return Err(ShardError::OutOfRange { number, shards });
        }
        Ok(Self { number, shards, replication: 1, source_label: "__address__" })
    }

    /// How many shards keep each target; 1 unless set.
    ///
    /// # Errors
    /// [`ShardError::Replication`] if it is 0 or there are fewer shards.
    pub fn with_replication(self, replication: u64) -> Result<Self, ShardError> {
        if replication == 0 || replication > self.shards {
            return Err(ShardError::Replication { replication, shards: self.shards });
        }
        Ok(Self { replication, ..self })
    }

    /// For jobs that probe: their targets all have the address of the prober, so what decides is `__param_target`.
    #[must_use]
    pub fn of_probes(self) -> Self {
        Self { source_label: "__param_target", ..self }
    }

    /// Which shard it is, counted from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many shards there are.
    pub fn shards(&self) -> u64 {
        self.shards
    }

    /// Whether this shard keeps a target with these labels, which are those it has where
    /// [`relabel_configs`](Self::relabel_configs) begin.
    ///
    /// # Complexity
    /// A few looks through the labels, and an MD5 of the address.
    pub fn keeps(&self, labels: &[(&str, &str)]) -> bool {
        if !value(labels, DISABLE).is_empty() {
            return true;
        }
        let address = value(labels, self.source_label);
        let own = value(labels, HASH);
        // The first rule joins both and takes what stands before the last `;`, if nothing does after it. That is the
        // address, if the hash is not set; but a hash that ends with `;` is taken with the address before it.
        let joined = format!("{address};{own}");
        let hashed = match joined.strip_suffix(';') {
            Some(before) if !before.is_empty() => before,
            _ => own,
        };
        // There is at least one shard.
        let hash = hashmod(&[(HASH, hashed)], &[HASH], ";", self.shards).unwrap_or(0);
        // How far this shard comes after the target's own.
        let after = if hash <= self.number { self.number - hash } else { self.number + (self.shards - hash) };
        after < self.replication
    }

    /// The YAML of `relabel_configs` that make a Prometheus keep what [`keeps`](Self::keeps) says, each line indented by
    /// so many spaces: as many as the other keys of the `scrape_config` under which it is put.
    ///
    /// Rules that set the labels which decide have to come before, those that change the address after them.
    ///
    /// # Complexity
    /// Linear in the replication.
    ///
    /// ```
    /// use promha_shard_ring::prometheus::Shard;
    ///
    /// let yaml = Shard::new(1, 3)?.with_replication(2)?.relabel_configs(4);
    /// assert_eq!(
    ///     yaml,
    ///     "    relabel_configs:
    ///       - source_labels: [__address__, __tmp_hash]
    ///         target_label: __tmp_hash
    ///         regex: '(?s:(.+);)'
    ///         replacement: '$1'
    ///         action: replace
    ///       - source_labels: [__tmp_hash]
    ///         target_label: __tmp_hash
    ///         modulus: 3
    ///         action: hashmod
    ///       - source_labels: [__tmp_hash, __tmp_disable_sharding]
    ///         regex: '(?s:(?:0|1);|.+;.+)'
    ///         action: keep
    /// "
    /// );
    /// # Ok::<(), promha_shard_ring::prometheus::ShardError>(())
    /// ```
    pub fn relabel_configs(&self, indent: usize) -> String {
        let Self { shards, source_label, .. } = self;
        let numbers = self.numbers();
        // Before version 3 a dot matches no line break, unless told to.
        let lines = [
            "relabel_configs:",
            &format!("  - source_labels: [{source_label}, {HASH}]"),
            &format!("    target_label: {HASH}"),
            "    regex: '(?s:(.+);)'",
            "    replacement: '$1'",
            "    action: replace",
            &format!("  - source_labels: [{HASH}]"),
            &format!("    target_label: {HASH}"),
            &format!("    modulus: {shards}"),
            "    action: hashmod",
            &format!("  - source_labels: [{HASH}, {DISABLE}]"),
            &format!("    regex: '(?s:(?:{numbers});|.+;.+)'"),
            "    action: keep",
        ];
        lines.iter().fold(String::new(), |mut yaml, line| {
            // Writing to a string cannot fail.
            let _ = writeln!(yaml, "{:indent$}{line}", "");
            yaml
        })
    }

    /// The numbers of targets that it keeps, such as `0|1`: its own and those before it.
    fn numbers(&self) -> String {
        let mut numbers: Vec<u64> = (0..self.replication)
            .map(|i| if i <= self.number { self.number - i } else { self.shards - (i - self.number) })
            .collect();
        numbers.sort_unstable();
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        numbers.join("|")
    }
}

/// A shard that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// There are not as many shards.
    #[error("shard {number} is none of {shards}, counted from 0")]
    OutOfRange {
        /// The shard.
        number: u64,
        /// How many there are.
        shards: u64,
    },
    /// Not at all, or by more shards than there are.
    #[error("{replication} of {shards} shards cannot keep a target")]
    Replication {
        /// How many shards should keep each target.
        replication: u64,
        /// How many there are.
        shards: u64,
    },
}
