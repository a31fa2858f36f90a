//! Owners and replicas, beside other crates that place keys.
//!
//! - `owner/{n}-nodes`: from a ready 64-bit key to its owner, another key each time. Rivals that hash it get a hasher of one
//!   multiplication, if they take one.
//! - `replicas-3/{n}-nodes`: from a label set of 67 bytes, which everybody hashes with our function, to three distinct nodes.
//! - `hash-labels/67-bytes`: that function alone.
//! - `compile/{n}-nodes`: from nodes to a table.
//!
//! `promha` is the table, `promha-…` are the other strategies. How even they are and how much each moves is printed by
//! `cargo bench -p promha-benches --bench shard-ring -- moves`, over a million keys (fewer for those that take their time), with build
//! times and memory for many nodes.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to stop")]

#[path = "shard-ring/moves.rs"]
mod moves;
#[path = "shard-ring/rivals.rs"]
mod rivals;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use hrw_hash::HrwNodes;
use promha_benches as _;
use promha_shard_ring::{Anchor, Jump, Node, Placement, Ring, Table, TokenRing, hash_labels};

use rivals::Cheap;

criterion_group!(benches, owners, replicas, hash, compile);
criterion_main!(moves_or_nothing, benches);

fn moves_or_nothing() {
    if std::env::args().any(|argument| argument == "moves") {
        moves::print();
    }
}

pub(crate) fn nodes(n: usize) -> Vec<Node> {
    (0..n).map(|i| Node::new(format!("collector-{i}.example.org:9090"))).collect()
}

/// Keys in a fixed pseudo-random order (SplitMix64).
pub(crate) fn keys(n: usize) -> impl Iterator<Item = u64> {
    (1..=n as u64).map(|i| {
        let x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    })
}

fn owners(c: &mut Criterion) {
    for n in [10, 100, 1000, 10_000] {
        let keys: Vec<u64> = keys(1 << 16).collect();
        let mut group = c.benchmark_group(format!("shard-ring/owner/{n}-nodes"));
        ours(&mut group, "promha", &keys, &Ring::with(nodes(n), Table::new).unwrap());
        ours(&mut group, "promha-tokens", &keys, &Ring::with(nodes(n), TokenRing::new).unwrap());
        ours(&mut group, "promha-anchor", &keys, &Ring::with(nodes(n), Anchor::new).unwrap());
        ours(&mut group, "promha-jump", &keys, &Ring::with(nodes(n), Jump::new).unwrap());
        if n <= 1000 {
            ours(&mut group, "promha-rendezvous", &keys, &Ring::new(nodes(n)).unwrap());
            let hashring = rivals::hashring(n);
            owner(&mut group, "hashring", &keys, |key| hashring.get(&key).unwrap());
            let ring = rivals::consistent_hash_ring(n);
            owner(&mut group, "consistent_hash_ring", &keys, |key| ring.get(key));
            let maglev = rivals::maglev(n);
            owner(&mut group, "maglev", &keys, |key| maglev::ConsistentHasher::get(&maglev, &key).unwrap());
            let hrw: HrwNodes<_, Cheap> = rivals::hrw(n);
            owner(&mut group, "hrw-hash", &keys, |key| hrw.sorted(&key).next().unwrap());
        }
        let anchor = rivals::anchorhash(n);
        owner(&mut group, "anchorhash", &keys, |key| anchor.get_resource(key).unwrap());
        let (jump, ids) = (rivals::jumphash(), rivals::ids(n));
        owner(&mut group, "jumphash", &keys, |key| &ids[jump.slot(&key, n as u32) as usize]);
        group.finish();
    }
}

fn ours<P: Placement>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, keys: &[u64], ring: &Ring<P>) {
    assert!(keys.iter().all(|&key| ring.replicas(key, 1).unwrap().next() == Some(ring.owner(key))));
    owner(group, name, keys, |key| ring.owner(key));
}

fn owner<'a, T: 'a>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    keys: &[u64],
    find: impl Fn(u64) -> &'a T,
) {
    let mut at = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            at = (at + 1) % keys.len();
            black_box(find(keys[at]))
        });
    });
}

/// Label sets of 67 bytes.
struct Series(Vec<[String; 4]>);

impl Series {
    fn new() -> Self {
        let instance = |i: usize| format!("10.0.{}.{}:{}", i / 16 % 10, i % 10, 9090 + i % 9);
        let series = (0..1 << 14).map(|i| {
            let name = format!("http_requests_to{:05}", i);
            [name, instance(i), format!("prom{:03}", i % 1000), format!("+In{:02}", i % 100)]
        });
        Self(series.collect())
    }

    fn sets(&self) -> Vec<[(&str, &str); 4]> {
        let names = ["__name__", "instance", "job", "le"];
        let set = |values: &'_ [String; 4]| -> [usize; 4] {
            std::array::from_fn(|i| values[i].len() + names[i].len())
        };
        assert!(self.0.iter().all(|values| set(values).iter().sum::<usize>() == 67));
        self.0.iter().map(|values| std::array::from_fn(|i| (names[i], values[i].as_str()))).collect()
    }
}

fn replicas(c: &mut Criterion) {
    let series = Series::new();
    let sets = series.sets();
    for n in [10, 100, 1000] {
        let mut group = c.benchmark_group(format!("shard-ring/replicas-3/{n}-nodes"));
        let check = |find: &dyn Fn(u64) -> [usize; 3]| {
            let distinct = |[a, b, c]: [usize; 3]| a != b && b != c && a != c;
            assert!(sets.iter().all(|set| distinct(find(hash_labels(set)))), "a node comes twice");
        };
        let table = Ring::with(nodes(n), Table::new).unwrap();
        let tokens = Ring::with(nodes(n), TokenRing::new).unwrap();
        let rendezvous = Ring::new(nodes(n)).unwrap();
        check(&|key| addresses(table.replicas(key, 3).unwrap()));
        check(&|key| addresses(tokens.replicas(key, 3).unwrap()));
        check(&|key| addresses(rendezvous.replicas(key, 3).unwrap()));
        each(&mut group, "promha", &sets, |key| touch(table.replicas(key, 3).unwrap()));
        each(&mut group, "promha-tokens", &sets, |key| touch(tokens.replicas(key, 3).unwrap()));
        each(&mut group, "promha-rendezvous", &sets, |key| touch(rendezvous.replicas(key, 3).unwrap()));
        let ring = rivals::consistent_hash_ring(n);
        each(&mut group, "consistent_hash_ring", &sets, |key| touch(ring.replicas(key).take(3)));
        let hrw = rivals::hrw(n);
        each(&mut group, "hrw-hash", &sets, |key| touch(hrw.sorted(&key).take(3)));
        // `hashring` with several places for each node gives a node twice, `anchorhash`, `jumphash` and `maglev` have no replicas.
        group.finish();
    }
}

fn addresses<'a, T: 'a>(mut nodes: impl Iterator<Item = &'a T>) -> [usize; 3] {
    std::array::from_fn(|_| std::ptr::from_ref(nodes.next().unwrap()) as usize)
}

#[inline]
fn touch<T>(nodes: impl Iterator<Item = T>) {
    for node in nodes {
        black_box(node);
    }
}

fn each(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    sets: &[[(&str, &str); 4]],
    find: impl Fn(u64),
) {
    let mut at = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            at = (at + 1) % sets.len();
            find(hash_labels(black_box(&sets[at])));
        });
    });
}

fn hash(c: &mut Criterion) {
    let series = Series::new();
    let sets = series.sets();
    let mut group = c.benchmark_group("shard-ring/hash-labels/67-bytes");
    let mut at = 0;
    group.bench_function("promha", |b| {
        b.iter(|| {
            at = (at + 1) % sets.len();
            hash_labels(black_box(&sets[at]))
        });
    });
    group.finish();
}

fn compile(c: &mut Criterion) {
    for n in [10, 100, 1000, 10_000] {
        let mut group = c.benchmark_group(format!("shard-ring/compile/{n}-nodes"));
        group.sample_size(10);
        let members = nodes(n);
        group.bench_function("promha", |b| b.iter(|| Ring::with(members.clone(), Table::new).unwrap()));
        group.bench_function("promha-tokens", |b| {
            b.iter(|| Ring::with(members.clone(), TokenRing::new).unwrap())
        });
        group.finish();
    }
}
